package jaegerapi

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/query"
)

// This file says what a span looks like in Jaeger's words; encode.go and
// grpcspan.go write it down.

// debugFlag is Jaeger's flag for spans kept whatever the sampling. Its bit for
// "sampled" is not set beside it: nobody said that a sampler chose the span.
const debugFlag = 2

func flags(s *spandrel.Span) uint32 {
	if s.Flags&spandrel.FlagDebug != 0 {
		return debugFlag
	}
	return 0
}

// appendSpanTags appends the span's tags and what it holds in fields of its
// own (see [spandrel.FieldTags]), sorted by key, type and value as Jaeger
// sorts them, none twice.
//
// Zipkin has errors as text: "true" and "" become the bool true, "false" the
// bool false, and other text is kept beside the bool true.
func appendSpanTags(dst []spandrel.Tag, s *spandrel.Span) []spandrel.Tag {
	start := len(dst)
	for _, t := range s.Tags {
		text, ok := s.FieldTag(t.Key)
		switch {
		case ok && t.Value.String() == text: // follows, with its proper type
		case t.Key == "error" && ok && t.Value == spandrel.StringValue(""):
		case t.Key == "error" && !ok && t.Value == spandrel.StringValue("false"):
			dst = append(dst, spandrel.Tag{Key: t.Key, Value: spandrel.BoolValue(false)})
		default:
			dst = append(dst, t)
		}
	}
	for _, key := range spandrel.FieldTags {
		if text, ok := s.FieldTag(key); ok {
			dst = append(dst, spandrel.Tag{Key: key, Value: fieldValue(key, text)})
		}
	}
	return dst[:start+len(sortTags(dst[start:]))]
}

// fieldValue gives a field its type in Jaeger.
func fieldValue(key, text string) spandrel.Value {
	switch key {
	case "error":
		return spandrel.BoolValue(true)
	case "net.host.port", "net.peer.port":
		if port, err := strconv.ParseUint(text, 10, 16); err == nil {
			return spandrel.IntValue(int64(port))
		}
	}
	return spandrel.StringValue(text)
}

// appendProcessTags appends the tags of the span's process, sorted, none twice.
func appendProcessTags(dst []spandrel.Tag, s *spandrel.Span) []spandrel.Tag {
	start := len(dst)
	dst = append(dst, s.Resource...)
	return dst[:start+len(sortTags(dst[start:]))]
}

// appendLogFields appends what an event says: its name as the field "event",
// then the others, sorted.
func appendLogFields(dst []spandrel.Tag, e *spandrel.Event) []spandrel.Tag {
	start := len(dst)
	if e.Name != "" {
		dst = append(dst, spandrel.Tag{Key: "event", Value: spandrel.StringValue(e.Name)})
		start++
	}
	for _, f := range e.Fields {
		if start == 0 || f != dst[0] {
			dst = append(dst, f)
		}
	}
	return dst[:start+len(sortTags(dst[start:]))]
}

// maxInserted is how many tags are sorted by insertion.
const maxInserted = 64

// sortTags sorts in place and drops exact duplicates. Tags mostly come sorted
// but for a few at the end, which is what insertion is best at.
func sortTags(tags []spandrel.Tag) []spandrel.Tag {
	if len(tags) > maxInserted {
		slices.SortFunc(tags, func(a, b spandrel.Tag) int { return compareTags(&a, &b) })
		return slices.Compact(tags)
	}
	for i := 1; i < len(tags); i++ {
		k := i
		for k > 0 && compareTags(&tags[i], &tags[k-1]) < 0 {
			k--
		}
		if k < i {
			t := tags[i]
			copy(tags[k+1:i+1], tags[k:i])
			tags[k] = t
		}
	}
	return slices.Compact(tags)
}

// compareTags orders by key, type and value. The types of package spandrel are
// in Jaeger's order.
func compareTags(a, b *spandrel.Tag) int {
	if c := strings.Compare(a.Key, b.Key); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Value.Kind(), b.Value.Kind()); c != 0 {
		return c
	}
	switch a.Value.Kind() {
	case spandrel.ValueInt:
		return cmp.Compare(a.Value.Int(), b.Value.Int())
	case spandrel.ValueFloat:
		return cmp.Compare(a.Value.Float(), b.Value.Float())
	default:
		return strings.Compare(a.Value.Raw(), b.Value.Raw())
	}
}

// reference is Jaeger's word for a parent or a link.
type reference struct {
	traceID spandrel.TraceID
	spanID  spandrel.SpanID
	kind    spandrel.LinkType
}

// appendReferences appends the parent, then the links. Where no parent is
// known, a link within the trace comes first, for viewers nest by the first.
// Links to nothing are left out; warnings name them.
func appendReferences(dst []reference, s *query.Span) []reference {
	start := len(dst)
	if s.ViewParentID != 0 {
		dst = append(dst, reference{s.TraceID, s.ViewParentID, spandrel.LinkChildOf})
	}
	for i := range s.Links {
		l := &s.Links[i]
		ref := reference{l.TraceID, l.ID, l.Type}
		if !l.TraceID.IsZero() && !slices.Contains(dst[start:], ref) {
			dst = append(dst, ref)
		}
	}
	refs := dst[start:]
	first := slices.IndexFunc(refs, func(r reference) bool { return r.traceID == s.TraceID && r.kind == spandrel.LinkChildOf })
	if first < 0 {
		first = slices.IndexFunc(refs, func(r reference) bool { return r.traceID == s.TraceID })
	}
	if first > 0 {
		refs[0], refs[first] = refs[first], refs[0]
	}
	return dst
}

func refType(t spandrel.LinkType) string {
	if t == spandrel.LinkChildOf {
		return "CHILD_OF"
	}
	return "FOLLOWS_FROM"
}

// warnings are what a viewer should know about the span.
func warnings(s *query.Span) []string {
	out := s.Warnings
	if s.Flags&spandrel.FlagNoStart != 0 {
		out = append(slices.Clip(out), "the span came without a start time; the one shown is when it arrived")
	}
	for i := range s.Links {
		if l := &s.Links[i]; l.TraceID.IsZero() {
			out = append(slices.Clip(out), fmt.Sprintf("Invalid span reference removed: %s to span %s of no trace", refType(l.Type), l.ID))
		}
	}
	return out
}
