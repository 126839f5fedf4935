package query

import (
	"cmp"
	"context"
	"slices"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// Bounds of groups of errors.
const (
	maxGroups    = 200 // that are told
	countGroups  = 5000
	groupSamples = 5
)

// errorKey is what the spans of a group have in common.
type errorKey struct {
	service, operation         string
	kind                       spandrel.Kind
	status, response, upstream string
	failed                     bool
}

// errorGroup counts the spans of a group.
type errorGroup struct {
	spans       int
	first, last int64
	newest      []sample // newest first
	series      []int
}

// sample is a trace that has a span of a group.
type sample struct {
	start int64
	trace spandrel.TraceID
}

// ErrorGroup is spans that failed alike.
type ErrorGroup struct {
	Service   string   `json:"service"`
	Operation string   `json:"operation"`
	Kind      string   `json:"kind,omitempty"`
	Status    string   `json:"status,omitempty"`
	Response  string   `json:"response,omitempty"`
	Upstream  string   `json:"upstream,omitempty"`
	Error     bool     `json:"error"`
	Spans     int      `json:"spans"`
	First     Instant  `json:"first"`
	Last      Instant  `json:"last"`
	Traces    []string `json:"traces"`
	Series    []int    `json:"series"`
}

// ErrorsResult is what failed in a range.
type ErrorsResult struct {
	Groups  []ErrorGroup `json:"groups"`
	From    Instant      `json:"from"`
	Step    Micros       `json:"step"`
	Buckets int          `json:"buckets"`
	More    int          `json:"more"` // groups that are not told, at least
	Scan    ScanInfo     `json:"scan"`
}

// ErrorGroups groups the spans that failed or have a response flag.
func (s *Service) ErrorGroups(ctx context.Context, q RangeQuery) (*ErrorsResult, error) {
	groups := make(map[errorKey]*errorGroup)
	more := make(map[errorKey]struct{})
	var t timeline
	outline := storage.Outline{Tags: []string{"error", "http.response.status_code", "http.status_code", "response_flags", "upstream_cluster", "upstream_cluster.name"}}
	info, err := s.scan(ctx, storage.ScanRange{From: q.From, To: q.To, MaxSpans: statsSpans}, outline,
		func(from int64) { t = newTimeline(from, q.To, q.Buckets) },
		func(span *spandrel.Span) {
			if q.Service != "" && span.Service() != q.Service {
				return
			}
			failed := span.IsError()
			f := FactsOf(span.Tags)
			if !failed && (f.Response == "" || f.Response == "-") {
				return
			}
			key := errorKey{span.Service(), span.Name, span.Kind, f.Status, f.Response, f.Upstream, failed}
			g := groups[key]
			if g == nil {
				if len(groups) >= countGroups {
					if len(more) < maxDistinct {
						more[key] = struct{}{}
					}
					return
				}
				g = &errorGroup{first: span.Start, series: make([]int, q.Buckets)}
				groups[key] = g
			}
			g.add(t, span)
		})
	if err != nil {
		return nil, err
	}
	result := &ErrorsResult{From: info.From, Step: Micros(t.step), Buckets: q.Buckets, More: len(more), Scan: info, Groups: []ErrorGroup{}}
	for key, g := range groups {
		result.Groups = append(result.Groups, g.result(&key))
	}
	slices.SortFunc(result.Groups, compareGroups)
	if n := len(result.Groups); n > maxGroups {
		result.More += n - maxGroups
		result.Groups = result.Groups[:maxGroups]
	}
	return result, nil
}

func compareGroups(a, b ErrorGroup) int {
	return cmp.Or(cmp.Compare(b.Spans, a.Spans), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Operation, b.Operation),
		cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Status, b.Status), cmp.Compare(a.Response, b.Response), cmp.Compare(a.Upstream, b.Upstream))
}

func (g *errorGroup) add(t timeline, span *spandrel.Span) {
	g.spans++
	g.first, g.last = min(g.first, span.Start), max(g.last, span.Start)
	g.series[t.bucket(span.Start)]++
	g.newest = keepNewest(g.newest, sample{span.Start, span.TraceID})
}

// keepNewest adds a sample to the newest, of which there is one a trace.
func keepNewest(newest []sample, s sample) []sample {
	if at := slices.IndexFunc(newest, func(o sample) bool { return o.trace == s.trace }); at >= 0 {
		if newest[at].start >= s.start {
			return newest
		}
		newest = slices.Delete(newest, at, at+1)
	}
	at, _ := slices.BinarySearchFunc(newest, s, func(a, b sample) int {
		return cmp.Or(cmp.Compare(b.start, a.start), a.trace.Compare(b.trace))
	})
	if at == groupSamples {
		return newest
	}
	newest = slices.Insert(newest, at, s)
	return newest[:min(len(newest), groupSamples)]
}

func (g *errorGroup) result(key *errorKey) ErrorGroup {
	out := ErrorGroup{
		Service: key.service, Operation: key.operation, Kind: key.kind.String(), Status: key.status, Response: key.response,
		Upstream: key.upstream, Error: key.failed, Spans: g.spans, First: Instant(g.first), Last: Instant(g.last), Series: g.series,
	}
	for _, s := range g.newest {
		out.Traces = append(out.Traces, s.trace.String())
	}
	return out
}
