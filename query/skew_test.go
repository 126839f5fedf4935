package query

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
)

func TestAdjustClockSkew(t *testing.T) {
	on := func(host string, s spandrel.Span) spandrel.Span {
		if host != "" {
			s.Local.IPv4 = netip.MustParseAddr(host)
		}
		s.Events = []spandrel.Event{{Time: s.Start}}
		return s
	}
	root := on("10.0.0.1", span(1, 0, 0, "a", 1000, 100))
	tests := []struct {
		name  string
		spans []spandrel.Span
		want  []string // start, event time and warnings of the spans after the root, by id
	}{
		{"child inside its parent", []spandrel.Span{on("10.0.0.2", span(2, 1, 0, "b", 1010, 50))},
			[]string{"1010 1010 []"}},
		{"child of another host moves to the middle", []spandrel.Span{on("10.0.0.2", span(2, 1, 0, "b", 1200, 50))},
			[]string{`1025 1025 ["This span's timestamps were adjusted by -175ns"]`}},
		{"child of the same host stays", []spandrel.Span{on("10.0.0.1", span(2, 1, 0, "a", 1200, 50))},
			[]string{"1200 1200 []"}},
		{"hosts without address are all strangers", []spandrel.Span{on("", span(2, 1, 0, "b", 1200, 50))},
			[]string{`1025 1025 ["This span's timestamps were adjusted by -175ns"]`}},
		{"longer than its parent and early: to its start", []spandrel.Span{on("10.0.0.2", span(2, 1, 0, "b", 900, 500))},
			[]string{`1000 1000 ["This span's timestamps were adjusted by 100ns"]`}},
		{"longer than its parent and late: stays", []spandrel.Span{on("10.0.0.2", span(2, 1, 0, "b", 1100, 500))},
			[]string{"1100 1100 []"}},
		{"grandchild of the same host moves along",
			[]spandrel.Span{on("10.0.0.2", span(2, 1, 0, "b", 1200, 50)), on("10.0.0.2", span(3, 2, 0, "b", 1300, 1))},
			[]string{`1025 1025 ["This span's timestamps were adjusted by -175ns"]`, `1125 1125 ["This span's timestamps were adjusted by -175ns"]`}},
		{"too far", []spandrel.Span{on("10.0.0.2", span(2, 1, 0, "b", 5000, 50))},
			[]string{`5000 5000 ["max clock skew adjustment delta of 1µs exceeded; not applying calculated delta of -3.975µs"]`}},
		{"unknown parent", []spandrel.Span{on("10.0.0.2", span(2, 9, 0, "b", 1200, 50))},
			[]string{`1200 1200 ["invalid parent span IDs=0000000000000009; skipping clock skew adjustment"]`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			trace := Assemble(append(tt.spans, root))
			events := tt.spans[0].Events
			before := events[0]
			AdjustClockSkew(trace, time.Microsecond)
			got := map[spandrel.SpanID]string{}
			for _, s := range trace.Spans {
				got[s.ID] = fmt.Sprintf("%d %d %q", s.Start, s.Events[0].Time, s.Warnings)
			}
			want := map[spandrel.SpanID]string{1: "1000 1000 []"}
			for i, text := range tt.want {
				want[spandrel.SpanID(2+i)] = text
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if events[0].Time != before.Time {
				t.Error("an event of the stored span was changed")
			}
		})
	}
}
