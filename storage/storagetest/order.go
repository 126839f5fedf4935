package storagetest

import (
	"time"

	"github.com/spandrel/spandrel"
)

// orderBehaviours are about which trace comes first, limits, and spans that
// come late or twice.
func orderBehaviours() []behaviour {
	return []behaviour{
		{
			name: "the newest matching span decides, not the newest span",
			given: batches(
				batch(span(1, 1, service("a"), after(1*ms)), span(1, 2, service("b"), after(9*ms))),
				batch(span(2, 1, service("a"), after(5*ms)), span(2, 2, service("b"), after(2*ms))),
				batch(span(3, 1, service("a"), after(0)), span(3, 2, service("a"), after(3*ms)))),
			want: []found{
				{"a", spandrel.Query{Service: "a"}, []uint64{2, 3, 1}},
				{"b", spandrel.Query{Service: "b"}, []uint64{1, 2}},
				{"all", spandrel.Query{}, []uint64{1, 2, 3}},
				{"a within bounds", spandrel.Query{Service: "a", MaxStart: at(2 * ms)}, []uint64{1, 3}},
				{"newest a", spandrel.Query{Service: "a", Limit: 1}, []uint64{2}},
			},
		},
		{
			name: "equal starts are ordered by trace id",
			given: batches(batch(span(3, 1), span(1, 1, high(2)), span(9, 1)), batch(span(4, 1, high(1)), span(1<<63, 1), span(5, 1)),
				batch(span(2, 1, high(1<<63)), span(6, 1, after(1)))),
			want: []found{
				{"all", spandrel.Query{}, []uint64{6, 3, 5, 9, 1 << 63, 4, 1, 2}},
				{"three", spandrel.Query{Limit: 3}, []uint64{6, 3, 5}},
			},
		},
		{
			name: "the limit is applied last",
			given: func() [][]spandrel.Span {
				var all [][]spandrel.Span
				for i := range uint64(40) {
					all = append(all, batch(span(100+i, 1, service("noise"), after(time.Second+time.Duration(i))),
						span(100+i, 2, service("a"), named("y"), after(time.Second))))
				}
				return append(all, batch(span(1, 1, service("a"), named("x"), tag("k", "v"))),
					batch(span(2, 1, service("a"), named("x"), tag("k", "v"), after(1))))
			}(),
			want: []found{
				{"one by operation", spandrel.Query{Operation: "x", Limit: 1}, []uint64{2}},
				{"two by tag", spandrel.Query{Tags: with("k", "v").Tags, Limit: 2}, []uint64{2, 1}},
				{"more than there are", spandrel.Query{Service: "a", Operation: "x", Limit: 10}, []uint64{2, 1}},
				{"in a window", spandrel.Query{MaxStart: at(0), Limit: 5}, []uint64{1}},
			},
		},
		{
			name:  "a limit of one finds the later trace",
			given: batches(batch(span(1, 1, service("a"))), batch(span(2, 1, service("a"), after(1)))),
			want:  []found{{"one", spandrel.Query{Service: "a", Limit: 1}, []uint64{2}}},
		},
		{
			name: "a trace with many matching spans is found once",
			given: batches(
				batch(span(1, 1, service("a")), span(1, 2, service("a"), after(4*ms)), span(1, 3, service("a"), after(2*ms))),
				batch(span(2, 1, service("a"), after(3*ms))),
				batch(span(1, 4, service("a"), after(1*ms)), span(1, 5, service("a"), after(5*ms)))),
			want: []found{
				{"all", spandrel.Query{Service: "a"}, []uint64{1, 2}},
				{"two", spandrel.Query{Service: "a", Limit: 2}, []uint64{1, 2}},
			},
		},
		{
			name: "late spans take their place by start",
			given: batches(batch(span(3, 1, service("a"), after(30*ms))), batch(span(2, 1, service("a"), after(20*ms))),
				batch(span(1, 1, service("a"), after(10*ms))), batch(span(4, 1, service("a"), after(-48*time.Hour))),
				batch(span(1, 2, service("b"), after(40*ms)))),
			want: []found{
				{"a", spandrel.Query{Service: "a"}, []uint64{3, 2, 1, 4}},
				{"all", spandrel.Query{}, []uint64{1, 3, 2, 4}},
				{"two days ago", spandrel.Query{MaxStart: at(-24 * time.Hour)}, []uint64{4}},
			},
		},
		{
			name: "a late span makes an old trace new",
			given: batches(batch(span(1, 1, service("a"))), batch(span(2, 1, service("a"), after(ms))),
				batch(span(1, 2, parent(1), service("a"), after(2*ms)))),
			want: []found{
				{"all", spandrel.Query{}, []uint64{1, 2}},
				{"one", spandrel.Query{Limit: 1}, []uint64{1}},
				{"before it came", spandrel.Query{MaxStart: at(2*ms - 1)}, []uint64{2, 1}},
			},
		},
		{
			name: "duplicates change no answer",
			given: batches(storedTrace(1), storedTrace(1), batch(span(2, 1, service("a"), after(ms)), span(2, 1, service("a"), after(ms))),
				storedTrace(1)[2:], batch(span(2, 1, service("a"), after(ms)))),
			want: []found{
				{"all", spandrel.Query{}, []uint64{1, 2}},
				{"two", spandrel.Query{Limit: 2}, []uint64{1, 2}},
				{"a", spandrel.Query{Service: "a"}, []uint64{2}},
			},
		},
		{
			name: "one query may be asked of spans in many places",
			given: func() [][]spandrel.Span {
				var all [][]spandrel.Span
				for i := range uint64(30) {
					all = append(all, batch(span(1+i%5, 1+i, service("a"), after(time.Duration(i)*ms))))
				}
				return all
			}(),
			want: []found{
				{"all", spandrel.Query{Service: "a"}, []uint64{5, 4, 3, 2, 1}},
				{"a bit", began(12*ms, 14*ms), []uint64{5, 4, 3}},
				{"first two", spandrel.Query{Limit: 2, MaxStart: at(11 * ms)}, []uint64{2, 1}},
			},
		},
	}
}
