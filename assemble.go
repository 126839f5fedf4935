package spandrel

import (
	"cmp"
	"hash/fnv"
	"slices"
)

// Assemble puts the stored spans of one trace together: spans sent twice are
// dropped, parts of one span (Zipkin allows a span to be reported in pieces)
// are merged, and what is left is sorted by start, then id, then content, so
// that the same spans give the same answer in whatever order they came. What is
// not merged points into the chunks, which are not changed.
func Assemble(chunks ...[]Span) []*Span {
	spans := Pointers(chunks...)
	order := byID(spans)
	done := make([]*Span, 0, len(spans))
	for at := 0; at < len(order); {
		n := 1
		for at+n < len(order) && order[at+n].id == order[at].id {
			n++
		}
		group := order[at : at+n]
		at += n
		if n == 1 {
			done = append(done, spans[group[0].at])
			continue
		}
		alike := make([]*Span, n)
		for i := range group {
			alike[i] = spans[group[i].at]
		}
		done = append(done, mergeParts(dropDuplicates(alike))...)
	}
	slices.SortFunc(done, compareSpans)
	return done
}

// Pointers lists the spans of all chunks.
func Pointers(chunks ...[]Span) []*Span {
	n := 0
	for _, chunk := range chunks {
		n += len(chunk)
	}
	spans := make([]*Span, 0, n)
	for _, chunk := range chunks {
		for i := range chunk {
			spans = append(spans, &chunk[i])
		}
	}
	return spans
}

// placed says where the span with an id is.
type placed struct {
	id SpanID
	at int
}

// byID lists the spans by id, those with the same one as they are.
func byID(spans []*Span) []placed {
	order := make([]placed, len(spans))
	for i, s := range spans {
		order[i] = placed{s.ID, i}
	}
	slices.SortFunc(order, func(a, b placed) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.at, b.at)) })
	return order
}

// compareSpans orders spans by start, then id, then what tells spans of one id
// apart: callers before callees.
func compareSpans(a, b *Span) int {
	if c := cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.ID, b.ID)); c != 0 {
		return c
	}
	if c := cmp.Or(cmp.Compare(a.Flags&FlagShared, b.Flags&FlagShared),
		cmp.Compare(callerLast(b.Kind), callerLast(a.Kind)),
		cmp.Compare(a.Local.Service, b.Local.Service),
		cmp.Compare(a.Duration, b.Duration)); c != 0 {
		return c
	}
	return cmp.Compare(a.hash(), b.hash()) // costs more than all the others
}

func callerLast(k Kind) int {
	if isCaller(k) {
		return 1
	}
	return 0
}

func isCaller(k Kind) bool { return k == KindClient || k == KindProducer }
func isCallee(k Kind) bool { return k == KindServer || k == KindConsumer }

// dropDuplicates keeps one of each set of Equal spans, in canonical order.
func dropDuplicates(group []*Span) []*Span {
	slices.SortFunc(group, func(a, b *Span) int {
		return cmp.Or(cmp.Compare(a.hash(), b.hash()), cmp.Compare(a.Start, b.Start))
	})
	group = slices.CompactFunc(group, (*Span).Equal)
	slices.SortFunc(group, compareSpans)
	return group
}

// hash is the same for Equal spans and, but for accidents, for no others. It
// does not change from process to process.
func (s *Span) hash() uint64 {
	h := fnv.New64a()
	num := func(v uint64) {
		h.Write([]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24), byte(v >> 32), byte(v >> 40), byte(v >> 48), byte(v >> 56)})
	}
	text := func(s string) { num(uint64(len(s))); h.Write([]byte(s)) }
	tags := func(tags []Tag) {
		num(uint64(len(tags)))
		for i := range tags {
			text(tags[i].Key)
			num(uint64(tags[i].Value.kind))
			text(tags[i].Value.raw)
		}
	}
	num(uint64(s.ParentID))
	num(uint64(s.Kind)<<16 | uint64(s.Flags)<<8 | uint64(s.Status))
	if s.Flags&FlagNoStart == 0 {
		num(uint64(s.Start))
	}
	num(uint64(s.Duration))
	for _, v := range []string{s.Name, s.StatusMessage, s.TraceState, s.Scope.Name, s.Scope.Version} {
		text(v)
	}
	for _, e := range []Endpoint{s.Local, s.Remote} {
		text(e.Service)
		text(e.IPv4.String())
		text(e.IPv6.String())
		num(uint64(e.Port))
	}
	tags(s.Tags)
	tags(s.Resource)
	tags(s.Scope.Tags)
	for _, e := range s.Events {
		num(uint64(e.Time))
		text(e.Name)
		tags(e.Fields)
	}
	for _, l := range s.Links {
		num(l.TraceID.High)
		num(l.TraceID.Low)
		num(uint64(l.ID))
		num(uint64(l.Type))
		text(l.TraceState)
		tags(l.Tags)
	}
	return h.Sum64()
}

// maxParts bounds the spans of one id that are compared with one another;
// nobody sends a span in so many pieces.
const maxParts = 16

// mergeParts joins the spans of one id that contradict each other in nothing.
func mergeParts(group []*Span) []*Span {
	if len(group) > maxParts {
		return group
	}
	kept := group[:0]
next:
	for _, s := range group {
		for i, k := range kept {
			if arePartsOfOne(k, s) {
				kept[i] = merge(k, s)
				continue next
			}
		}
		kept = append(kept, s)
	}
	return kept
}

// arePartsOfOne reports whether two spans with one id complete each other: at
// least one lacks a start or a duration, and where both say something they say
// the same (Trace.java of Zipkin merges the same spans, and more).
func arePartsOfOne(a, b *Span) bool {
	aStart, bStart := a.Flags&FlagNoStart == 0, b.Flags&FlagNoStart == 0
	return (!aStart || !bStart || a.Duration == 0 || b.Duration == 0) &&
		a.Flags&FlagShared == b.Flags&FlagShared &&
		(!aStart || !bStart || a.Start == b.Start) &&
		agree(a.Duration, b.Duration) && agree(a.ParentID, b.ParentID) &&
		agree(a.Kind, b.Kind) && agree(a.Name, b.Name) && agree(a.Status, b.Status) &&
		agreeEndpoints(a.Local, b.Local) && agreeEndpoints(a.Remote, b.Remote)
}

func agree[T comparable](a, b T) bool {
	var unknown T
	return a == b || a == unknown || b == unknown
}

func agreeEndpoints(a, b Endpoint) bool {
	return agree(a.Service, b.Service) && agree(a.IPv4, b.IPv4) && agree(a.IPv6, b.IPv6) && agree(a.Port, b.Port)
}

// merge is a with what only b knows.
func merge(a, b *Span) *Span {
	m := *a
	if a.Flags&FlagNoStart != 0 {
		m.Start = b.Start
	}
	m.Flags = (a.Flags|b.Flags)&^FlagNoStart | a.Flags&b.Flags&FlagNoStart
	m.Duration = cmp.Or(a.Duration, b.Duration)
	m.ParentID, m.Kind, m.Name = cmp.Or(a.ParentID, b.ParentID), cmp.Or(a.Kind, b.Kind), cmp.Or(a.Name, b.Name)
	m.Status, m.StatusMessage = cmp.Or(a.Status, b.Status), cmp.Or(a.StatusMessage, b.StatusMessage)
	m.TraceState = cmp.Or(a.TraceState, b.TraceState)
	m.Local, m.Remote = mergeEndpoints(a.Local, b.Local), mergeEndpoints(a.Remote, b.Remote)
	m.Tags, m.Resource = mergeTags(a.Tags, b.Tags), mergeTags(a.Resource, b.Resource)
	m.Events = slices.Concat(a.Events, b.Events)
	slices.SortStableFunc(m.Events, func(x, y Event) int {
		return cmp.Or(cmp.Compare(x.Time, y.Time), cmp.Compare(x.Name, y.Name))
	})
	m.Events = slices.CompactFunc(m.Events, equalEvent)
	m.Links = slices.CompactFunc(slices.Concat(a.Links, b.Links), equalLink)
	if a.Scope.Name == "" {
		m.Scope = b.Scope
	}
	return &m
}

func mergeEndpoints(a, b Endpoint) Endpoint {
	return Endpoint{cmp.Or(a.Service, b.Service), cmp.Or(a.IPv4, b.IPv4), cmp.Or(a.IPv6, b.IPv6), cmp.Or(a.Port, b.Port)}
}

// mergeTags is a's tags and those of b that a has not.
func mergeTags(a, b []Tag) []Tag {
	out := slices.Clip(a)
	for _, t := range b {
		if !slices.Contains(a, t) {
			out = append(out, t)
		}
	}
	return out
}
