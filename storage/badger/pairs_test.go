package badger

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage/storagetest"
)

// TestFilterNeverHidesAMatch asks segments' filters about queries that match
// one of their spans: of wild spans, of a mesh, and of so many operations that
// there are no pairs.
func TestFilterNeverHidesAMatch(t *testing.T) {
	rng := rand.New(rand.NewPCG(61, 62))
	wild := make([]spandrel.Span, 3000)
	for i := range wild {
		wild[i] = wildSpan(rng)
	}
	many := slices.Clone(wild)
	for i := range many {
		many[i].Name = fmt.Sprint("op ", i)
	}
	g := storagetest.NewGenerator(5, storagetest.GeneratorOptions{Services: 10, Errors: 0.1})
	var mesh []spandrel.Span
	for len(mesh) < 5000 {
		mesh = append(mesh, g.Next()...)
	}
	for name, spans := range map[string][]spandrel.Span{"wild": wild, "many operations": many, "mesh": mesh} {
		t.Run(name, func(t *testing.T) {
			seg, spans := buildSegment(t, spans)
			var filter segmentFilter
			ruledOut := 0
			for range 20_000 {
				q := storagetest.RandomQuery(rng, spans)
				may, err := mayHave(&filter, seg, &q)
				if err != nil {
					t.Fatal(err)
				}
				if may {
					continue
				}
				if ruledOut++; ruledOut > 500 {
					continue // matching all is slow
				}
				for i := range spans {
					if q.Match(&spans[i]) {
						t.Fatalf("the filter says that nothing matches %+v, but %+v does", q, spans[i])
					}
				}
			}
			if ruledOut < 1000 {
				t.Errorf("the filter ruled out %d of 20,000 queries", ruledOut)
			}
		})
	}
}

// TestFilterRulesOutRareCombinations has every value that the queries ask for,
// but not in one span.
func TestFilterRulesOutRareCombinations(t *testing.T) {
	span := func(service, name, status string, ms int64, failed bool) spandrel.Span {
		s := exampleSpan()
		s.Local.Service, s.Name, s.Duration = service, name, ms*1_000_000
		s.Tags = []spandrel.Tag{{Key: "http.status_code", Value: spandrel.StringValue(status)}}
		if failed {
			s.Tags = append([]spandrel.Tag{{Key: "error", Value: spandrel.StringValue("true")}}, s.Tags...)
		}
		return s
	}
	seg, _ := buildSegment(t, []spandrel.Span{span("a", "x", "200", 5, false), span("a", "y", "503", 900, false), span("b", "x", "200", 100, true), span("a", "x", "500", 8, true)})
	for _, tt := range []struct {
		q    spandrel.Query
		want bool
	}{
		{spandrel.Query{Service: "a", Operation: "x"}, true},
		{spandrel.Query{Service: "b", Operation: "y"}, false},
		{spandrel.Query{Service: "a", Tags: conditions("http.status_code", "503")}, true},
		{spandrel.Query{Service: "b", Tags: conditions("http.status_code", "503")}, false},
		{spandrel.Query{Service: "a", Operation: "x", Tags: conditions("http.status_code", "503")}, false},
		{spandrel.Query{Service: "a", MinDuration: 900_000_000}, true},
		{spandrel.Query{Service: "a", MinDuration: 900_000_001}, false},
		{spandrel.Query{Service: "b", MinDuration: 500_000_000}, false},
		{spandrel.Query{Service: "a", Operation: "x", MinDuration: 50_000_000}, false},
		{spandrel.Query{Service: "a", Tags: conditions("error", "true"), MinDuration: 8_000_000}, true},
		{spandrel.Query{Service: "a", Tags: conditions("error", "true"), MinDuration: 8_000_001}, false},
	} {
		var filter segmentFilter
		if got, err := mayHave(&filter, seg, &tt.q); got != tt.want || err != nil {
			t.Errorf("%+v: got %v, %v", tt.q, got, err)
		}
	}
}

func mayHave(f *segmentFilter, seg []byte, q *spandrel.Query) (bool, error) {
	n := needsOf(q, termsOf(q))
	return f.mayHave(lend(seg), &n)
}
