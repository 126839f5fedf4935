package zipkin

import (
	"bytes"
	"encoding/json"
	"runtime"
	"slices"
	"testing"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
)

// FuzzDecodeJSON holds Decoder.JSON to what its comment says, whatever comes: it
// takes no body that is not JSON, its spans are valid, it keeps within its
// bound of memory, and spans that zipkin-go takes and we do too have the same
// identity and times.
func FuzzDecodeJSON(f *testing.F) {
	for _, c := range fieldCases {
		f.Add([]byte("["+with(c.fields)+"]"), false)
	}
	for _, c := range bodyCases {
		if len(c.body) < 1<<10 {
			f.Add([]byte(c.body), true)
		}
	}
	for _, c := range v1Cases {
		f.Add([]byte("["+spanV1JSON(c.fields, c.annotations, c.binaries)+"]"), true)
	}
	for _, name := range []string{"bookinfo", "shared-context", "64-bit"} {
		f.Add(postBodies(f, name)[0], false)
	}
	f.Fuzz(func(t *testing.T, body []byte, v1 bool) {
		before := bytes.Clone(body)
		var spans []spandrel.Span
		var rejected []spandrel.Rejection
		var err error
		bounded(t, len(body), func() { spans, rejected, err = new(Decoder).JSON(body, v1) })
		if !bytes.Equal(body, before) {
			t.Fatal("the body was changed")
		}
		if err != nil {
			if spans != nil || rejected != nil {
				t.Error("spans beside an error")
			}
			return
		}
		if strict := strictJSON(body); len(strict) > 0 && !json.Valid(strict) {
			t.Errorf("took what is not JSON: %q", body)
		}
		checkSpans(t, spans, rejected)
		agree(t, body, spans, rejected, zipkinGoQuoted)
	})
}

func FuzzDecodeProto(f *testing.F) {
	for _, c := range protoCases {
		f.Add([]byte(pbytes(1, pbytes(1, "\x01"), pbytes(3, "\x02"), c.fields)))
	}
	for _, c := range protoBodies {
		if len(c.body) < 1<<10 {
			f.Add([]byte(c.body))
		}
	}
	f.Add(postBodies(f, "protobuf")[0])
	f.Fuzz(func(t *testing.T, body []byte) {
		var spans []spandrel.Span
		var rejected []spandrel.Rejection
		var err error
		bounded(t, len(body), func() { spans, rejected, err = new(Decoder).Proto(body) })
		if err != nil {
			if spans != nil || rejected != nil {
				t.Error("spans beside an error")
			}
			return
		}
		checkSpans(t, spans, rejected)
		agree(t, body, spans, rejected, zipkinGoProto)
	})
}

// bounded runs decode and fails if it allocated far more than its input's size
// allows; other goroutines of the test may add a little.
func bounded(t *testing.T, size int, decode func()) {
	t.Helper()
	if size < 1<<10 { // measuring stops the world
		decode()
		return
	}
	if used := allocated(decode); used > uint64(1<<20+200*size) {
		t.Errorf("%d bytes made it allocate %d", size, used)
	}
}

// allocated is how many bytes are allocated while f runs.
func allocated(f func()) uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before := m.TotalAlloc
	f()
	runtime.ReadMemStats(&m)
	return m.TotalAlloc - before
}

// strictJSON is the body without the leniencies that Decoder.JSON documents: no
// byte order mark, literals in lower case, no control characters in strings,
// and nothing at all where there is but white space.
func strictJSON(body []byte) []byte {
	b := bytes.TrimPrefix(bytes.ToValidUTF8(body, []byte("\uFFFD")), []byte("\uFEFF"))
	b = bytes.Clone(bytes.Trim(b, " \t\r\n"))
	quoted := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case quoted && c < ' ':
			b[i] = ' '
		case !quoted && 'A' <= c && c <= 'Z':
			b[i] |= 0x20
		}
	}
	return b
}

// checkSpans checks what every decoded span and rejection promises.
func checkSpans(t *testing.T, spans []spandrel.Span, rejected []spandrel.Rejection) {
	t.Helper()
	for i := range spans {
		s := &spans[i]
		if s.TraceID.IsZero() || s.ID == 0 || s.ParentID == s.ID || s.Start < 0 || s.Duration < 0 || s.Start+s.Duration < 0 {
			t.Errorf("span %d is invalid: %+v", i, s)
		}
		if s.Flags&spandrel.FlagShared != 0 && s.Kind == spandrel.KindClient {
			t.Errorf("span %d is a shared client", i)
		}
		if s.Status != spandrel.StatusUnset || s.Links != nil || s.Resource != nil {
			t.Errorf("span %d has what Zipkin lacks: %+v", i, s)
		}
		strs := []string{s.Name, s.Local.Service, s.Remote.Service}
		for j, tag := range s.Tags {
			if j > 0 && s.Tags[j-1].Key >= tag.Key {
				t.Errorf("tags out of order: %q, %q", s.Tags[j-1].Key, tag.Key)
			}
			strs = append(strs, tag.Key, tag.Value.Raw())
		}
		for j, e := range s.Events {
			if j > 0 && (s.Events[j-1].Time > e.Time || s.Events[j-1].Time == e.Time && s.Events[j-1].Name >= e.Name) {
				t.Errorf("events out of order: %v, %v", s.Events[j-1], e)
			}
			strs = append(strs, e.Name)
		}
		for _, str := range strs {
			if !utf8.ValidString(str) {
				t.Errorf("%q is not UTF-8", str)
			}
		}
		c := s.Clone()
		if !s.Equal(&c) {
			t.Errorf("span %d differs from its copy", i)
		}
	}
	for i, r := range rejected {
		if !slices.Contains(Reasons(), r.Reason) || r.Err == nil || i > 0 && rejected[i-1].Index >= r.Index {
			t.Errorf("rejection %d: %+v", i, r)
		}
	}
}

// agree compares with zipkin-go where both took all spans as version 2. Details
// in which we know better (addresses, repeated fields, names of fields in any
// case) are left to the tables.
func agree(t *testing.T, body []byte, spans []spandrel.Span, rejected []spandrel.Rejection, theirs func([]byte) ([]spandrel.Span, error)) {
	t.Helper()
	want, err := theirs(body)
	if err != nil || len(rejected) > 0 || len(want) != len(spans) || repeats(body) {
		return
	}
	identity := func(all []spandrel.Span) []spandrel.Span {
		var out []spandrel.Span
		for _, s := range all {
			out = append(out, spandrel.Span{TraceID: s.TraceID, ID: s.ID})
		}
		return out
	}
	if diff := gocmp.Diff(identity(spans), identity(want), comparing); diff != "" {
		t.Errorf("ours -, zipkin-go's +:\n%s\n%q", diff, body)
	}
}

// zipkinGoQuoted is zipkinGoJSON for spans whose ids are strings: of numbers it
// cuts the first and the last digit as if they were quotes.
func zipkinGoQuoted(body []byte) ([]spandrel.Span, error) {
	var ids []struct{ TraceID, ID, ParentID string }
	if err := json.Unmarshal(body, &ids); err != nil {
		return nil, err
	}
	return zipkinGoJSON(body)
}

// repeats reports whether a JSON body may name a field of one object twice, or
// in another case, which zipkin-go takes for the same: it has more ids than ours.
func repeats(body []byte) bool {
	lower := bytes.ToLower(body)
	ids := bytes.Count(lower, []byte(`"traceid"`)) + bytes.Count(lower, []byte(`"id"`)) + bytes.Count(lower, []byte(`\u`))
	return ids != bytes.Count(body, []byte(`"traceId"`))*2
}
