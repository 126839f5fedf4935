package jaegerapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/query"
	"github.com/spandrel/spandrel/storage/storagetest"
)

// encodeJSON is what the standard library makes of v.
func encodeJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func FuzzStringsAreWrittenAsTheStandardLibraryDoes(f *testing.F) {
	for _, s := range []string{"", "plain", "a\"b\\c/d", "<script>&amp;", "\x00\x01\b\f\n\r\t\x1f\x7f", "é日本\U0001f600", "\u2028\u2029\u2030", "\xff\xfea\xc3", "\xed\xa0\x80", "\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := string(appendString(nil, s)), encodeJSON(t, s); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func FuzzFloatsAreWrittenAsTheStandardLibraryDoes(f *testing.F) {
	for _, v := range []float64{0, math.Copysign(0, -1), 1, -1.5, 1e-6, 9.9e-7, 1e20, 1e21, 1.5e-9, 1e-10, math.MaxFloat64, math.SmallestNonzeroFloat64, math.NaN(), math.Inf(1)} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v float64) {
		got := string(appendFloat(nil, v))
		if math.IsNaN(v) || math.IsInf(v, 0) {
			if !json.Valid([]byte(got)) || got[0] != '"' {
				t.Errorf("%v is written as %s, want text", v, got)
			}
			return
		}
		if want := encodeJSON(t, v); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestValues(t *testing.T) {
	tests := []struct {
		value spandrel.Value
		want  string
	}{
		{spandrel.StringValue("a<b"), `"string","value":"a\u003cb"`},
		{spandrel.BoolValue(true), `"bool","value":true`},
		{spandrel.IntValue(1<<53 - 1), `"int64","value":9007199254740991`},
		{spandrel.IntValue(1 << 53), `"int64","value":"9007199254740992"`},
		{spandrel.IntValue(1 - 1<<53), `"int64","value":-9007199254740991`},
		{spandrel.IntValue(math.MinInt64), `"int64","value":"-9223372036854775808"`},
		{spandrel.FloatValue(1.5), `"float64","value":1.5`},
		{spandrel.FloatValue(math.NaN()), `"float64","value":"NaN"`},
		{spandrel.FloatValue(math.Inf(-1)), `"float64","value":"-Infinity"`},
		{spandrel.BytesValue([]byte{0, 255}), `"binary","value":"AP8="`},
	}
	for _, tt := range tests {
		if got, want := string(appendTags(nil, []spandrel.Tag{{Key: "k", Value: tt.value}})), `[{"key":"k","type":`+tt.want+`}]`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// encoded is the trace as the API gives it.
func encoded(t testing.TB, trace *query.Trace) string {
	t.Helper()
	rec := httptest.NewRecorder()
	w := newResponse(rec, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
	enc := encoder{w: w}
	if err := enc.trace(trace); err != nil {
		t.Fatal(err)
	}
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	return rec.Body.String()
}

func TestEqualProcessesAreOneAndNumberedAsTheyAppear(t *testing.T) {
	spans := make([]spandrel.Span, 4)
	for i := range spans {
		spans[i] = spandrel.Span{TraceID: spandrel.TraceID{Low: 1}, ID: spandrel.SpanID(i + 1), Start: int64(i + 1), Local: endpoint("b", "", 0)}
	}
	spans[1].Resource = []spandrel.Tag{tag("x", "1"), tag("a", "2")}
	spans[2].Local.Service = ""
	spans[3].Resource = []spandrel.Tag{tag("a", "2"), tag("x", "1")}
	var got struct {
		Spans     []struct{ ProcessID string }
		Processes map[string]any
	}
	if err := json.Unmarshal([]byte(encoded(t, query.Assemble(spans))), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("[{p1} {p2} {p3} {p2}]", fmt.Sprint(got.Spans)); diff != "" {
		t.Error(diff)
	}
	want := `{"p1":{"serviceName":"b","tags":[]},"p2":{"serviceName":"b","tags":[{"key":"a","type":"string","value":"2"},{"key":"x","type":"string","value":"1"}]},"p3":{"serviceName":"missing-service-name","tags":[]}}`
	if diff := cmp.Diff(want, encodeJSON(t, got.Processes)); diff != "" {
		t.Error(diff)
	}
}

func TestIndenterDoesAsTheStandardLibrary(t *testing.T) {
	compact := `{"a":[],"b":{},"c":[1,-2.5e3,"x,{[\"\\",{"d":null}],"e":{"f":{"g":true,"h":"\\\\"}},"i":[[[]]]}`
	var want bytes.Buffer
	if err := json.Indent(&want, []byte(compact), "", "    "); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 3, len(compact)} {
		var got strings.Builder
		n := &indenter{w: &got}
		for rest := compact; rest != ""; {
			part := rest[:min(size, len(rest))]
			rest = rest[len(part):]
			if _, err := n.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want.String(), got.String()); diff != "" {
			t.Errorf("in pieces of %d: %s", size, diff)
		}
	}
}

// BenchmarkEncodeTrace writes a trace of some 2,000 spans as a mesh has it.
func BenchmarkEncodeTrace(b *testing.B) {
	var spans []spandrel.Span
	for g := storagetest.NewGenerator(1, storagetest.GeneratorOptions{MaxSpans: 2000, Varied: true}); len(spans) < 2000; {
		spans = g.Next()
	}
	trace := query.Assemble(spans)
	size := len(encoded(b, trace))
	r := httptest.NewRequestWithContext(b.Context(), "GET", "/", nil)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		w := newResponse(httptest.NewRecorder(), r)
		w.out = discard{}
		enc := encoder{w: w}
		if err := enc.trace(trace); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
