package query

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// Bounds of statistics over a range.
const (
	statsSpans    = 2_000_000 // that are looked at
	maxServices   = 1000
	maxOperations = 500
	maxRevisions  = 50 // of a service
)

// RangeQuery says what statistics are about.
type RangeQuery struct {
	From, To int64  // of spans' starts, inclusive
	Service  string // "" = all
	Buckets  int    // of time
}

// timeline says which bucket of time something is in.
type timeline struct {
	from, step int64
	buckets    int
}

func newTimeline(from, to int64, buckets int) timeline {
	const micro = 1000
	step := (to-from)/int64(buckets) + 1
	return timeline{from, (step + micro - 1) / micro * micro, buckets}
}

func (t timeline) bucket(at int64) int { return min(t.buckets-1, max(0, int((at-t.from)/t.step))) }

// red is rate, errors and durations of something.
type red struct {
	errors int64
	all    Histogram
	times  []redBucket // nil = not kept
}

type redBucket struct {
	errors int64
	all    Histogram
}

func (r *red) add(t timeline, at, duration int64, failed bool) {
	r.all.Add(duration)
	if failed {
		r.errors++
	}
	if t.buckets == 0 {
		return
	}
	if r.times == nil {
		r.times = make([]redBucket, t.buckets)
	}
	b := &r.times[t.bucket(at)]
	b.all.Add(duration)
	if failed {
		b.errors++
	}
}

// RED is rate, errors and durations of something.
type RED struct {
	Requests int64   `json:"requests"`
	Errors   int64   `json:"errors"`
	P50      Micros  `json:"p50"`
	P95      Micros  `json:"p95"`
	P99      Micros  `json:"p99"`
	Max      Micros  `json:"max"`
	Series   *Series `json:"series,omitempty"`
}

// Series is the same over time, a value a bucket; nil = no request then.
type Series struct {
	Requests []int64   `json:"requests"`
	Errors   []int64   `json:"errors"`
	P50      []*Micros `json:"p50"`
	P95      []*Micros `json:"p95"`
	P99      []*Micros `json:"p99"`
}

func (r *red) result() RED {
	quantile := func(h *Histogram, q float64) Micros { return Micros(h.Quantile(q)) }
	out := RED{r.all.Count, r.errors, quantile(&r.all, .5), quantile(&r.all, .95), quantile(&r.all, .99), Micros(r.all.Max), nil}
	if r.times == nil {
		return out
	}
	out.Series = &Series{}
	for i := range r.times {
		b := &r.times[i]
		out.Series.Requests = append(out.Series.Requests, b.all.Count)
		out.Series.Errors = append(out.Series.Errors, b.errors)
		for q, list := range map[float64]*[]*Micros{.5: &out.Series.P50, .95: &out.Series.P95, .99: &out.Series.P99} {
			var v *Micros
			if b.all.Count > 0 {
				m := quantile(&b.all, q)
				v = &m
			}
			*list = append(*list, v)
		}
	}
	return out
}

// basis is which spans of a service are its requests.
type basis uint8

const (
	basisServer basis = iota
	basisRoot
	basisAll
	numBases
)

var basisNames = [numBases]string{"server", "root", "all"}

// serviceStats is what is known of a service.
type serviceStats struct {
	namespace   string
	spans       int64
	first, last int64
	by          [numBases]red
	revisions   map[string]*[numBases]red
	flags       map[string]int
}

// ServiceStats is rate, errors and durations of a service.
type ServiceStats struct {
	Service   string          `json:"service"`
	Namespace string          `json:"namespace,omitempty"`
	Basis     string          `json:"basis"`
	Spans     int64           `json:"spans"`
	First     Instant         `json:"first"`
	Last      Instant         `json:"last"`
	Revisions []RevisionStats `json:"revisions,omitempty"`
	Flags     map[string]int  `json:"flags,omitempty"`
	RED
}

// RevisionStats is rate, errors and durations of a revision.
type RevisionStats struct {
	Revision string `json:"revision"`
	RED
}

// OperationStats is rate, errors and durations of an operation.
type OperationStats struct {
	Operation string `json:"operation"`
	Kind      string `json:"kind,omitempty"`
	RED
}

// ServicesResult is rate, errors and durations of services over time.
type ServicesResult struct {
	From           Instant          `json:"from"`
	Step           Micros           `json:"step"`
	Buckets        int              `json:"buckets"`
	Services       []ServiceStats   `json:"services"`
	MoreServices   int              `json:"moreServices,omitempty"`
	Operations     []OperationStats `json:"operations,omitempty"`
	MoreOperations int              `json:"moreOperations,omitempty"`
	Scan           ScanInfo         `json:"scan"`
}

// serviceCounter makes ServicesResults.
type serviceCounter struct {
	q          RangeQuery
	time       timeline
	services   map[string]*serviceStats
	operations map[storage.Operation]*red
	moreS      map[string]struct{}
	moreO      map[storage.Operation]struct{}
}

// ServiceStats gives rate, errors and durations of the services, and of the
// operations where only one service is asked for.
func (s *Service) ServiceStats(ctx context.Context, q RangeQuery) (*ServicesResult, error) {
	c := serviceCounter{
		q: q, services: make(map[string]*serviceStats), operations: make(map[storage.Operation]*red),
		moreS: make(map[string]struct{}), moreO: make(map[storage.Operation]struct{}),
	}
	outline := storage.Outline{Tags: []string{"error", "istio.canonical_revision", "istio.namespace", "response_flags"}}
	info, err := s.scan(ctx, storage.ScanRange{From: q.From, To: q.To, MaxSpans: statsSpans}, outline,
		func(from int64) { c.time = newTimeline(from, q.To, q.Buckets) }, c.add)
	if err != nil {
		return nil, err
	}
	result := &ServicesResult{From: info.From, Step: Micros(c.time.step), Buckets: q.Buckets, Services: []ServiceStats{}, Scan: info}
	for _, name := range slices.Sorted(maps.Keys(c.services)) {
		result.Services = append(result.Services, c.services[name].result(name))
	}
	for op, r := range c.operations {
		result.Operations = append(result.Operations, OperationStats{op.Name, op.Kind.String(), r.result()})
	}
	slices.SortFunc(result.Operations, func(a, b OperationStats) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Kind, b.Kind))
	})
	result.MoreServices, result.MoreOperations = len(c.moreS), len(c.moreO)
	return result, nil
}

func (c *serviceCounter) add(span *spandrel.Span) {
	name := span.Service()
	if c.q.Service != "" && name != c.q.Service {
		return
	}
	stats := c.services[name]
	if stats == nil {
		if len(c.services) >= maxServices {
			if len(c.moreS) < maxDistinct {
				c.moreS[name] = struct{}{}
			}
			return
		}
		stats = &serviceStats{first: span.Start, last: span.Start, revisions: make(map[string]*[numBases]red)}
		c.services[name] = stats
	}
	failed := span.IsError()
	stats.add(c.time, span, failed)
	if c.q.Service == "" {
		return
	}
	op := storage.Operation{Name: span.Name, Kind: span.Kind}
	r := c.operations[op]
	if r == nil {
		if len(c.operations) >= maxOperations {
			if len(c.moreO) < maxDistinct {
				c.moreO[op] = struct{}{}
			}
			return
		}
		r = &red{}
		c.operations[op] = r
	}
	r.add(c.time, span.Start, span.Duration, failed)
}

func (s *serviceStats) add(t timeline, span *spandrel.Span, failed bool) {
	s.spans++
	s.first, s.last = min(s.first, span.Start), max(s.last, span.Start)
	var revision string
	for i := range span.Tags {
		switch tag := &span.Tags[i]; tag.Key {
		case "istio.canonical_revision":
			revision = tag.Value.String()
		case "istio.namespace":
			s.namespace = tag.Value.String()
		case "response_flags":
			count(&s.flags, tag.Value.String(), "-")
		}
	}
	var ofRevision *[numBases]red
	if revision != "" {
		if ofRevision = s.revisions[revision]; ofRevision == nil && len(s.revisions) < maxRevisions {
			ofRevision = &[numBases]red{}
			s.revisions[revision] = ofRevision
		}
	}
	add := func(b basis) {
		s.by[b].add(t, span.Start, span.Duration, failed)
		if ofRevision != nil {
			ofRevision[b].add(timeline{}, span.Start, span.Duration, failed)
		}
	}
	add(basisAll)
	switch {
	case span.Kind == spandrel.KindServer || span.Kind == spandrel.KindConsumer:
		add(basisServer)
	case span.ParentID == 0:
		add(basisRoot)
	}
}

func (s *serviceStats) result(name string) ServiceStats {
	b := basisServer
	for b < basisAll && s.by[b].all.Count == 0 {
		b++
	}
	out := ServiceStats{
		Service: name, Namespace: s.namespace, Basis: basisNames[b], Spans: s.spans,
		First: Instant(s.first), Last: Instant(s.last), Flags: s.flags, RED: s.by[b].result(),
	}
	for _, revision := range slices.Sorted(maps.Keys(s.revisions)) {
		out.Revisions = append(out.Revisions, RevisionStats{revision, s.revisions[revision][b].result()})
	}
	return out
}
