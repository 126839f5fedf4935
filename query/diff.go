package query

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// Bounds of a comparison of traces.
const (
	diffSpans     = 200_000
	diffValues    = 200 // distinct ones of a key
	maxDifference = 50  // that are told
)

// Selection says which of the traces found are compared with the rest: those
// of Traces or, if that is empty, those that meet all that is not 0.
type Selection struct {
	Traces           []spandrel.TraceID
	MinStart         int64 // of the trace, ns
	MaxStart         int64
	MinTime, MaxTime int64 // that the trace took, ns
	Errors           bool  // it has an error
}

func (s *Selection) has(t *traceTags) bool {
	if len(s.Traces) > 0 {
		return slices.Contains(s.Traces, t.id)
	}
	took := t.end - t.start
	return t.start >= s.MinStart && (s.MaxStart == 0 || t.start <= s.MaxStart) &&
		took >= s.MinTime && (s.MaxTime == 0 || took <= s.MaxTime) && (!s.Errors || t.failed)
}

// Difference is a value that selected traces have more or less often.
type Difference struct {
	Key      string  `json:"key"`
	Value    string  `json:"value"`
	Selected int     `json:"selected"`
	Rest     int     `json:"rest"`
	Score    float64 `json:"score"`
}

// DiffResult is what differs in a selection.
type DiffResult struct {
	Selected int          `json:"selected"`
	Rest     int          `json:"rest"`
	Tags     []Difference `json:"tags"`
	Partial  bool         `json:"partial"`
}

// keyValue is a tag as text.
type keyValue struct{ key, value string }

// traceTags is what the spans of a trace say.
type traceTags struct {
	id         spandrel.TraceID
	start, end int64
	failed     bool
	values     map[keyValue]struct{}
}

func (t *traceTags) add(s *spandrel.Span) {
	t.start, t.end = min(t.start, s.Start), max(t.end, s.Start+s.Duration)
	t.failed = t.failed || s.IsError()
	t.values[keyValue{"service", s.Service()}] = struct{}{}
	t.values[keyValue{"operation", s.Name}] = struct{}{}
	for _, list := range [][]spandrel.Tag{s.Tags, s.Resource} {
		for i := range list {
			if text := list[i].Value.String(); len(text) <= maxWord {
				t.values[keyValue{list[i].Key, text}] = struct{}{}
			}
		}
	}
}

// diffCounter counts in how many traces values are.
type diffCounter struct {
	selection Selection
	result    DiffResult
	counts    map[keyValue]*[2]int // not selected, selected
	distinct  map[string]int       // values by key
}

func (c *diffCounter) add(t *traceTags) {
	which := 0
	if c.selection.has(t) {
		which = 1
		c.result.Selected++
	} else {
		c.result.Rest++
	}
	for kv := range t.values {
		n := c.counts[kv]
		if n == nil {
			c.distinct[kv.key]++
			if c.distinct[kv.key] > diffValues {
				continue
			}
			n = &[2]int{}
			c.counts[kv] = n
		}
		n[which]++
	}
}

// Diff says what differs in a selection of the newest q.Limit traces that have
// a span that q matches.
func (s *Service) Diff(ctx context.Context, q spandrel.Query, errorsIn ErrorsIn, selection Selection) (*DiffResult, error) {
	var found SearchResult
	refs, err := s.findTraces(ctx, q, errorsIn, &found)
	if err != nil {
		return nil, err
	}
	c := diffCounter{selection: selection, counts: make(map[keyValue]*[2]int), distinct: make(map[string]int)}
	spans, err := s.eachTraceTags(ctx, refs, c.add)
	if err != nil {
		return nil, err
	}
	c.result.Partial = spans > diffSpans
	return c.differences(), nil
}

// eachTraceTags reads the traces until they have too many spans.
func (s *Service) eachTraceTags(ctx context.Context, refs []storage.TraceRef, do func(*traceTags)) (spans int, err error) {
	var t *traceTags
	for chunk, err := range s.store.Traces(ctx, refs) {
		if err != nil {
			return spans, err
		}
		if t != nil && t.id != chunk[0].TraceID {
			do(t)
			t = nil
		}
		if spans += len(chunk); spans > diffSpans {
			break
		}
		if t == nil {
			t = &traceTags{id: chunk[0].TraceID, start: chunk[0].Start, values: make(map[keyValue]struct{})}
		}
		for i := range chunk {
			t.add(&chunk[i])
		}
	}
	if t != nil {
		do(t)
	}
	return spans, nil
}

// differences lists what differs most.
func (c *diffCounter) differences() *DiffResult {
	r := &c.result
	r.Tags = []Difference{}
	if r.Selected == 0 || r.Rest == 0 {
		return r
	}
	for kv, n := range c.counts {
		// A key with nearly as many values as there are traces names them.
		if d := c.distinct[kv.key]; d > diffValues || d > 10 && 2*d > r.Selected+r.Rest {
			continue
		}
		score := float64(n[1])/float64(r.Selected) - float64(n[0])/float64(r.Rest)
		if math.Abs(score) >= 0.01 {
			r.Tags = append(r.Tags, Difference{kv.key, kv.value, n[1], n[0], math.Round(score*1000) / 1000})
		}
	}
	slices.SortFunc(r.Tags, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(math.Abs(b.Score), math.Abs(a.Score)), cmp.Compare(b.Score, a.Score), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Value, b.Value))
	})
	r.Tags = r.Tags[:min(len(r.Tags), maxDifference)]
	return r
}
