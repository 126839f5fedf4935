package storagetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/spandrel/spandrel"
)

// volumeBehaviours are about many spans.
func volumeBehaviours() []behaviour {
	return []behaviour{
		{
			name: "a trace of 101 spans is whole",
			given: func() [][]spandrel.Span {
				var spans []spandrel.Span
				for i := range uint64(101) {
					spans = append(spans, span(1, 1+i, parent(i), service("a"), after(time.Duration(i)*ms)))
				}
				return batches(spans)
			}(),
			want: []found{{"hundred", spandrel.Query{Service: "a", Limit: 100}, []uint64{1}}},
		},
		{
			name: "a thousand traces are found by every kind of condition",
			given: func() [][]spandrel.Span {
				var all [][]spandrel.Span
				for i := range uint64(1000) {
					spans := storedTrace(1 + i)
					for k := range spans {
						spans[k].Start += int64(time.Duration(i) * ms)
					}
					all = append(all, spans)
				}
				return slices.Collect(func(yield func([]spandrel.Span) bool) {
					for some := range slices.Chunk(all, 100) {
						if !yield(slices.Concat(some...)) {
							return
						}
					}
				})
			}(),
			want: thousandfold(spandrel.Query{}, spandrel.Query{Service: "backend"}, with("peer.service", "db"), spandrel.Query{Operation: "query"},
				with("clnt/finagle.version", "6.45.0"), with("error", "💩"), spandrel.Query{MinDuration: int64(300 * ms)}, with("event", "foo")),
		},
		{
			name: "a trace of 100,000 spans comes in chunks",
			make: func() [][]spandrel.Span {
				spans := make([]spandrel.Span, 100_000)
				for i := range spans {
					n := uint64(i)
					spans[i] = span(1, 1+n, parent(n/2), service("a"), named("step"), kind(spandrel.KindInternal), after(time.Duration(i)))
				}
				spans = append(spans, span(2, 1, service("a"), after(5)))
				return slices.Collect(slices.Chunk(spans, 10_000))
			},
			want: []found{
				{"all", spandrel.Query{Service: "a", Operation: "step"}, []uint64{1}},
				{"one span", began(77_777, 77_777), []uint64{1}},
				{"both", spandrel.Query{MaxStart: at(5)}, []uint64{1, 2}},
			},
		},
		{
			name: "random queries about a mesh are answered exactly",
			make: func() [][]spandrel.Span {
				g := NewGenerator(7, GeneratorOptions{Late: 0.05, Duplicates: 0.05})
				var all [][]spandrel.Span
				for range 150 {
					all = append(all, g.NextBatch())
				}
				return slices.Collect(func(yield func([]spandrel.Span) bool) {
					for some := range slices.Chunk(all, 10) {
						if !yield(slices.Concat(some...)) {
							return
						}
					}
				})
			},
			check: func(c *check) {
				rng := rand.New(rand.NewPCG(1, 2))
				for range 60 {
					c.search(shiftedQuery(RandomQuery(rng, c.spans), -c.shift))
				}
			},
		},
	}
}

// thousandfold are queries that all find traces 1000 to 1.
func thousandfold(queries ...spandrel.Query) []found {
	all := make([]uint64, 1000)
	for i := range all {
		all[i] = uint64(1000 - i)
	}
	var want []found
	for i, q := range queries {
		want = append(want, found{fmt.Sprint("query ", i), q, all})
	}
	return want
}
