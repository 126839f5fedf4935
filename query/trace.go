package query

import (
	"hash/fnv"

	"github.com/spandrel/spandrel"
)

// Trace is one trace. It has at least one span.
type Trace struct {
	ID    spandrel.TraceID
	Spans []Span // by start
}

// Span is a span as one of its trace. What it embeds is shared with others and
// must not be changed; its ID and ParentID are those that were sent.
type Span struct {
	*spandrel.Span
	Parent       int             // index in Trace.Spans, -1 = none or not stored
	ViewID       spandrel.SpanID // unique in the trace, never 0
	ViewParentID spandrel.SpanID // ViewID of the parent, or the id of one that is not stored; 0 = none
	Warnings     []string        // for people
}

// AsStored makes a trace of its spans, at least one, without any work on them:
// ids may repeat and no Parent is known.
func AsStored(chunks ...[]spandrel.Span) *Trace { return newTrace(spandrel.Pointers(chunks...)) }

func newTrace(spans []*spandrel.Span) *Trace {
	t := &Trace{ID: spans[0].TraceID, Spans: make([]Span, len(spans))}
	for i, s := range spans {
		t.Spans[i] = Span{Span: s, Parent: -1, ViewID: s.ID, ViewParentID: s.ParentID}
	}
	return t
}

// Assemble makes a trace of all its spans, at least one, which it shares: it
// drops what was sent twice, joins what was sent in parts, finds parents and
// gives each span an id that no other has. The same spans give the same trace,
// whatever their order.
//
// Where several spans have one id, it stays with the caller's half, or else
// with the first that is not the shared half. The others get an id computed
// from what they are, which more spans of the trace do not change.
func Assemble(chunks ...[]spandrel.Span) *Trace {
	spans := spandrel.Assemble(chunks...)
	t := newTrace(spans)
	t.assignIDs()
	for i, parent := range spandrel.Parents(spans) {
		s := &t.Spans[i]
		s.Parent = parent
		switch {
		case parent >= 0:
			s.ViewParentID = t.Spans[parent].ViewID
		case s.ParentID == s.ID:
			s.ViewParentID = 0
		}
	}
	t.cutReferenceCycles()
	return t
}

// cutReferenceCycles removes the parent ids of spans without a parent that
// name a span of this trace all the same: their parents are their descendants.
func (t *Trace) cutReferenceCycles() {
	ids := make(map[spandrel.SpanID]bool, len(t.Spans))
	for i := range t.Spans {
		ids[t.Spans[i].ViewID] = true
	}
	for i := range t.Spans {
		if s := &t.Spans[i]; s.Parent < 0 && ids[s.ViewParentID] {
			s.warn("parent %s not shown: it is a descendant of this span", s.ViewParentID)
			s.ViewParentID = 0
		}
	}
}

// assignIDs fills in the ViewIDs. Spans are in canonical order.
func (t *Trace) assignIDs() {
	owners := make(map[spandrel.SpanID]int, len(t.Spans))
	for i := range t.Spans {
		s := t.Spans[i].Span
		owner, ok := owners[s.ID]
		if !ok || rank(s) < rank(t.Spans[owner].Span) {
			owners[s.ID] = i
		}
	}
	if len(owners) == len(t.Spans) {
		return
	}
	taken := make(map[spandrel.SpanID]bool, len(t.Spans))
	taken[0] = true
	for i := range t.Spans {
		taken[t.Spans[i].ID], taken[t.Spans[i].ParentID] = true, true
	}
	for i := range t.Spans {
		s := &t.Spans[i]
		if owners[s.ID] == i {
			continue
		}
		for n := uint64(0); taken[s.ViewID]; n++ {
			s.ViewID = derivedID(s.Span, n)
		}
		taken[s.ViewID] = true
	}
}

// rank says who of several spans with one id keeps it: the lowest.
func rank(s *spandrel.Span) int {
	switch shared := s.Flags&spandrel.FlagShared != 0; {
	case shared:
		return 2
	case s.Kind == spandrel.KindClient || s.Kind == spandrel.KindProducer:
		return 0
	}
	return 1
}

// derivedID is the nth choice of an id for a span that cannot keep its own. It
// depends on nothing but what the span says of itself from the beginning.
func derivedID(s *spandrel.Span, n uint64) spandrel.SpanID {
	h := fnv.New64a()
	num := func(v uint64) {
		h.Write([]byte{byte(v >> 56), byte(v >> 48), byte(v >> 40), byte(v >> 32), byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
	}
	num(s.TraceID.High)
	num(s.TraceID.Low)
	num(uint64(s.ID))
	num(uint64(s.Kind))
	if s.Flags&spandrel.FlagNoStart == 0 {
		num(uint64(s.Start))
	}
	num(n)
	h.Write([]byte(s.Local.Service))
	return spandrel.SpanID(mix(h.Sum64()))
}

// mix spreads a hash over all bits (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
