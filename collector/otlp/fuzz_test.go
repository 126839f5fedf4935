package otlp

import (
	"bytes"
	"encoding/json"
	"runtime"
	"slices"
	"testing"
	"unicode/utf8"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/spandrel/spandrel"
)

// FuzzDecodeProto holds Decoder.Proto to what its comment says, whatever comes:
// its spans are valid, it keeps within its bound of memory, and what it makes of
// a body that the generated types take too, and write again as it came, is what
// they say.
func FuzzDecodeProto(f *testing.F) {
	for _, c := range fieldCases {
		sent, _ := minimal(c.change, nil)
		f.Add(marshal(f, requestOf(sent)))
	}
	for _, c := range protoBodies {
		if len(c.body) < 1<<10 {
			f.Add([]byte(c.body))
		}
	}
	f.Add(postBodies(f, "envoy-http")[0])
	f.Add(postBodies(f, "envoy-grpc")[0])
	f.Fuzz(func(t *testing.T, body []byte) {
		spans, rejected, err := decode(t, body, new(Decoder).Proto)
		var request tracepb.TracesData
		theirs := proto.Unmarshal(body, &request)
		if err != nil || theirs != nil {
			return
		}
		again, err := proto.MarshalOptions{Deterministic: true}.Marshal(&request)
		if err != nil || !bytes.Equal(again, body) || hasLinkReason(rejected) {
			return
		}
		want, wantReasons := translate(&request)
		check(t, "protobuf", withoutEndpoints(spans), rejected, nil, withoutEndpoints(want), wantReasons)
	})
}

// FuzzDecodeJSON likewise; it takes no body that is not JSON.
func FuzzDecodeJSON(f *testing.F) {
	for _, c := range fieldCases {
		sent, _ := minimal(c.change, nil)
		f.Add(otlpJSON(f, requestOf(sent), false))
		f.Add(otlpJSON(f, requestOf(sent), true))
	}
	for _, c := range jsonBodies {
		if len(c.body) < 1<<10 {
			f.Add([]byte(c.body))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, _, err := decode(t, body, new(Decoder).JSON); err == nil && !json.Valid(body) {
			t.Errorf("took what is not JSON: %q", body)
		}
	})
}

// decode decodes the body and checks what holds for all.
func decode(t *testing.T, body []byte, with func([]byte) ([]spandrel.Span, []spandrel.Rejection, error)) (spans []spandrel.Span, rejected []spandrel.Rejection, err error) {
	t.Helper()
	before := bytes.Clone(body)
	bounded(t, len(body), func() { spans, rejected, err = with(body) })
	if !bytes.Equal(body, before) {
		t.Fatal("the body was changed")
	}
	if err != nil && (spans != nil || rejected != nil) {
		t.Error("spans beside an error")
	}
	checkSpans(t, spans, rejected)
	return spans, rejected, err
}

// hasLinkReason reports a reason, or a time of an event, that translate leaves
// out.
func hasLinkReason(rejected []spandrel.Rejection) bool {
	return slices.ContainsFunc(rejected, func(r spandrel.Rejection) bool { return r.Reason == ReasonLink || r.Reason == ReasonTimestamp })
}

// withoutEndpoints is the spans without what translate does not know of.
func withoutEndpoints(spans []spandrel.Span) []spandrel.Span {
	out := slices.Clone(spans)
	for i := range out {
		out[i].Local, out[i].Remote = spandrel.Endpoint{Service: out[i].Local.Service}, spandrel.Endpoint{}
	}
	return out
}

// checkSpans checks what every decoded span and rejection promises.
func checkSpans(t *testing.T, spans []spandrel.Span, rejected []spandrel.Rejection) {
	t.Helper()
	var strs []string
	add := func(tags []spandrel.Tag) {
		for _, tag := range tags {
			strs = append(strs, tag.Key, tag.Value.String())
		}
	}
	for i := range spans {
		s := &spans[i]
		if s.TraceID.IsZero() || s.ID == 0 || s.ParentID == s.ID || s.Start < 0 || s.Duration < 0 || s.Start+s.Duration < 0 || s.Flags != 0 {
			t.Errorf("span %d is invalid: %+v", i, s)
		}
		strs = append(strs[:0], s.Name, s.Local.Service, s.Remote.Service, s.StatusMessage, s.TraceState, s.Scope.Name, s.Scope.Version)
		add(s.Tags)
		add(s.Resource)
		add(s.Scope.Tags)
		for _, e := range s.Events {
			strs = append(strs, e.Name)
			add(e.Fields)
		}
		for _, l := range s.Links {
			strs = append(strs, l.TraceState)
			add(l.Tags)
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

// bounded runs decode and fails if it allocated far more than its input's size
// allows; other goroutines of the test may add a little.
func bounded(t *testing.T, size int, decode func()) {
	t.Helper()
	if size < 1<<10 { // measuring stops the world
		decode()
		return
	}
	if used := allocated(decode); used > uint64(1<<20+mostMemory*size) {
		t.Errorf("%d bytes made it allocate %d", size, used)
	}
}

// mostMemory is how many bytes are allocated for a byte of a body, at most.
const mostMemory = 200

// allocated is how many bytes are allocated while f runs.
func allocated(f func()) uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before := m.TotalAlloc
	f()
	runtime.ReadMemStats(&m)
	return m.TotalAlloc - before
}
