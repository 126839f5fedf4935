package storagetest

import (
	"fmt"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spandrel/spandrel"
)

// CompareSpans lets go-cmp look into spans. Empty and nil slices are the same.
var CompareSpans = cmp.Options{
	cmp.AllowUnexported(spandrel.Value{}),
	cmpopts.EquateComparable(spandrel.Endpoint{}),
	cmpopts.EquateEmpty(),
}

// Diff tells what is in want and not in got, or the other way round, for
// people; "" = nothing. Order does not count, nor how often a span occurs.
func Diff(want, got []spandrel.Span) string {
	missing, extra := without(want, got), without(got, want)
	if len(missing) == 0 && len(extra) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d spans wanted, %d got, %d missing, %d not wanted\n", len(want), len(got), len(missing), len(extra))
	const most = 3
	for _, m := range missing[:min(most, len(missing))] {
		like := spandrel.Span{}
		for _, e := range extra {
			if e.TraceID == m.TraceID && e.ID == m.ID {
				like = e
			}
		}
		fmt.Fprintf(&b, "trace %v span %v (-want +got):\n%s", m.TraceID, m.ID, cmp.Diff(m, like, CompareSpans))
	}
	for _, e := range extra[:min(most, len(extra))] {
		fmt.Fprintf(&b, "not wanted: trace %v span %v %q\n", e.TraceID, e.ID, e.Name)
	}
	return b.String()
}

// without lists the spans of a that no span of b equals.
func without(a, b []spandrel.Span) []spandrel.Span {
	type key struct {
		trace spandrel.TraceID
		id    spandrel.SpanID
		name  string
	}
	index := make(map[key][]*spandrel.Span, len(b))
	for i := range b {
		k := key{b[i].TraceID, b[i].ID, b[i].Name}
		index[k] = append(index[k], &b[i])
	}
	var only []spandrel.Span
next:
	for i := range a {
		for _, s := range index[key{a[i].TraceID, a[i].ID, a[i].Name}] {
			if s.Equal(&a[i]) {
				continue next
			}
		}
		only = append(only, a[i])
	}
	return only
}
