package storagetest

import (
	"math/rand/v2"

	"github.com/spandrel/spandrel"
)

// RandomQuery makes a query of up to five conditions, most of them taken from
// one of the spans, so that some find much, some one trace and some nothing.
// The spans may be none.
func RandomQuery(rng *rand.Rand, spans []spandrel.Span) spandrel.Query {
	var q spandrel.Query
	some := func() *spandrel.Span { return &spandrel.Span{} }
	if len(spans) > 0 {
		model := &spans[rng.IntN(len(spans))]
		some = func() *spandrel.Span { // mostly the same, else another one
			if rng.IntN(8) == 0 {
				return &spans[rng.IntN(len(spans))]
			}
			return model
		}
	}
	oneIn := func(n int) bool { return rng.IntN(n) == 0 }
	if oneIn(2) {
		q.Service = some().Service()
	}
	if oneIn(3) {
		q.Operation = some().Name
	}
	for oneIn(2) && len(q.Tags) < 3 {
		q.Tags = append(q.Tags, randomCondition(rng, some()))
	}
	for oneIn(4) && len(q.Where) < 2 {
		q.Where = append(q.Where, randomWhere(rng.IntN, some()))
	}
	if oneIn(3) {
		q.MinStart = max(0, some().Start+rng.Int64N(3)-1)
	}
	if oneIn(3) {
		q.MaxStart = max(0, some().Start+rng.Int64N(3)-1)
	}
	if oneIn(4) {
		q.MinDuration = max(0, some().Duration+rng.Int64N(3)-1)
	}
	if oneIn(4) {
		q.MaxDuration = max(0, some().Duration+rng.Int64N(3)-1)
	}
	if oneIn(2) {
		q.Limit = 1 + rng.IntN(20)
	}
	return q
}

// randomCondition asks for something that s has, or nearly.
func randomCondition(rng *rand.Rand, s *spandrel.Span) spandrel.TagCondition {
	var c spandrel.TagCondition
	switch n := rng.IntN(10); {
	case n < 5 && len(s.Tags) > 0:
		t := s.Tags[rng.IntN(len(s.Tags))]
		c = spandrel.TagCondition{Key: t.Key, Value: t.Value.String()}
	case n == 5 && len(s.Resource) > 0:
		t := s.Resource[rng.IntN(len(s.Resource))]
		c = spandrel.TagCondition{Key: t.Key, Value: t.Value.String()}
	case n == 6 && len(s.Events) > 0:
		c = spandrel.TagCondition{Key: "event", Value: s.Events[rng.IntN(len(s.Events))].Name}
	default:
		c.Key = spandrel.FieldTags[rng.IntN(len(spandrel.FieldTags))]
		c.Value, _ = s.FieldTag(c.Key)
	}
	if rng.IntN(12) == 0 {
		c.Value += "x"
	}
	return c
}
