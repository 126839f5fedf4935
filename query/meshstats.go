package query

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// Bounds of what is told of a mesh.
const (
	maxDestinations = 500
	maxSubsets      = 50
	maxProxies      = 500
	maxTracked      = 300_000 // inbound spans that are remembered to find torn traces
	maxTorn         = 20_000  // outbound spans that began a trace
	tornSamples     = 5
)

// traffic is calls of something.
type traffic struct {
	red
	retries, timeouts int64
	flags             map[string]int
	subsets           map[string]*red
	upstream          Upstream
}

// Destination is the calls of a host, as those who called saw them.
type Destination struct {
	Host      string         `json:"host"`
	Service   string         `json:"service,omitempty"`
	Namespace string         `json:"namespace,omitempty"`
	Special   string         `json:"special,omitempty"`
	Calls     int64          `json:"calls"`
	Errors    int64          `json:"errors"`
	P50       Micros         `json:"p50"`
	P95       Micros         `json:"p95"`
	Retries   int64          `json:"retries"`
	Timeouts  int64          `json:"timeouts"`
	Flags     map[string]int `json:"flags,omitempty"`
	Subsets   []SubsetStats  `json:"subsets,omitempty"`
}

// SubsetStats is the calls of a subset of a host.
type SubsetStats struct {
	Name   string `json:"name"`
	Calls  int64  `json:"calls"`
	Errors int64  `json:"errors"`
	P50    Micros `json:"p50"`
	P95    Micros `json:"p95"`
}

// RevisionShare is a revision's part of the requests of an app.
type RevisionShare struct {
	App       string  `json:"app"`
	Namespace string  `json:"namespace,omitempty"`
	Revision  string  `json:"revision"`
	Requests  int64   `json:"requests"`
	Errors    int64   `json:"errors"`
	Share     float64 `json:"share"`
	P50       Micros  `json:"p50"`
	P95       Micros  `json:"p95"`
}

// Torn is a service that does not hand trace headers on.
type Torn struct {
	Service   string   `json:"service"`
	Outbound  int      `json:"outbound"` // calls it made
	Torn      int      `json:"torn"`     // of these, began a trace though it was being called
	Sure      int      `json:"sure"`     // of these, with the caller's x-request-id
	Traces    []string `json:"traces"`
	Upstreams []string `json:"upstreams"`
}

// Proxy is an Envoy that sent spans.
type Proxy struct {
	ID    string `json:"node"`
	Spans int    `json:"spans"`
	Node
}

// MeshResult is what a range tells of the mesh.
type MeshResult struct {
	Destinations []Destination   `json:"destinations"`
	Revisions    []RevisionShare `json:"revisions"`
	Propagation  []Torn          `json:"propagation"`
	Proxies      []Proxy         `json:"proxies"`
	Truncated    bool            `json:"truncated,omitempty"` // more than is told or was looked at
	Scan         ScanInfo        `json:"scan"`
}

// revisionKey names a revision.
type revisionKey struct{ app, namespace, revision string }

// meshCounter makes MeshResults.
type meshCounter struct {
	destinations map[string]*traffic
	upstreams    map[string]Upstream // read, by cluster
	revisions    map[revisionKey]*red
	proxies      map[string]int
	propagation  propagation
	truncated    bool
}

// MeshStats gives what a range tells of the mesh.
func (s *Service) MeshStats(ctx context.Context, q RangeQuery) (*MeshResult, error) {
	c := meshCounter{
		destinations: make(map[string]*traffic), upstreams: make(map[string]Upstream),
		revisions: make(map[revisionKey]*red), proxies: make(map[string]int), propagation: newPropagation(),
	}
	info, err := s.scan(ctx, storage.ScanRange{From: q.From, To: q.To, MaxSpans: statsSpans}, storage.Outline{Tags: factTags},
		func(int64) {}, c.add)
	if err != nil {
		return nil, err
	}
	result := &MeshResult{Destinations: []Destination{}, Proxies: []Proxy{}, Scan: info}
	for host, t := range c.destinations {
		result.Destinations = append(result.Destinations, t.result(host))
	}
	slices.SortFunc(result.Destinations, func(a, b Destination) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Host, b.Host))
	})
	result.Revisions = c.shares()
	for id, n := range c.proxies {
		result.Proxies = append(result.Proxies, Proxy{id, n, ParseNode(id)})
	}
	slices.SortFunc(result.Proxies, func(a, b Proxy) int { return cmp.Or(cmp.Compare(b.Spans, a.Spans), cmp.Compare(a.ID, b.ID)) })
	result.Propagation = c.propagation.result()
	result.Truncated = c.truncated || c.propagation.truncated
	return result, nil
}

func (c *meshCounter) add(span *spandrel.Span) {
	f := FactsOf(span.Tags)
	failed := span.IsError()
	if f.Node != "" {
		if _, ok := c.proxies[f.Node]; ok || len(c.proxies) < maxProxies {
			c.proxies[f.Node]++
		} else {
			c.truncated = true
		}
	}
	switch {
	case span.Kind == spandrel.KindServer && f.Revision != "":
		key := revisionKey{f.App, f.Namespace, f.Revision}
		r := c.revisions[key]
		if r == nil {
			if len(c.revisions) >= maxServices {
				c.truncated = true
				break
			}
			r = &red{}
			c.revisions[key] = r
		}
		r.add(timeline{}, 0, span.Duration, failed)
	case span.Kind == spandrel.KindClient && f.Upstream != "":
		c.call(span, &f, failed)
	}
	c.propagation.add(span, &f)
}

// call counts a call by its destination.
func (c *meshCounter) call(span *spandrel.Span, f *Facts, failed bool) {
	u, ok := c.upstreams[f.Upstream]
	if !ok {
		u = ParseUpstream(f.Upstream)
		if len(c.upstreams) < maxDistinct {
			c.upstreams[f.Upstream] = u
		}
	}
	host := cmp.Or(u.Host, u.Special, f.Upstream)
	t := c.destinations[host]
	if t == nil {
		if len(c.destinations) >= maxDestinations {
			c.truncated = true
			return
		}
		t = &traffic{upstream: u, subsets: make(map[string]*red)}
		c.destinations[host] = t
	}
	t.add(timeline{}, 0, span.Duration, failed)
	t.retries += retriesOf(f)
	if hasFlag(f.Response, "UT") || f.Status == "504" {
		t.timeouts++
	}
	count(&t.flags, f.Response, "-")
	if u.Subset == "" {
		return
	}
	subset := t.subsets[u.Subset]
	if subset == nil && len(t.subsets) < maxSubsets {
		subset = &red{}
		t.subsets[u.Subset] = subset
	}
	if subset != nil {
		subset.add(timeline{}, 0, span.Duration, failed)
	}
}

// retriesOf is how often a call was tried again: URX says once at least.
func retriesOf(f *Facts) int64 {
	n, _ := strconv.ParseInt(f.Retries, 10, 32)
	if n == 0 && hasFlag(f.Response, "URX") {
		n = 1
	}
	return max(0, n)
}

// hasFlag looks into a list of response flags.
func hasFlag(list, flag string) bool {
	for f := range strings.SplitSeq(list, ",") {
		if f == flag {
			return true
		}
	}
	return false
}

func (t *traffic) result(host string) Destination {
	d := Destination{
		Host: host, Service: t.upstream.Service, Namespace: t.upstream.Namespace, Special: t.upstream.Special,
		Calls: t.all.Count, Errors: t.errors, P50: Micros(t.all.Quantile(.5)), P95: Micros(t.all.Quantile(.95)),
		Retries: t.retries, Timeouts: t.timeouts, Flags: t.flags,
	}
	for _, name := range slices.Sorted(maps.Keys(t.subsets)) {
		r := t.subsets[name]
		d.Subsets = append(d.Subsets, SubsetStats{name, r.all.Count, r.errors, Micros(r.all.Quantile(.5)), Micros(r.all.Quantile(.95))})
	}
	return d
}

// shares lists the revisions with their parts of their apps' requests.
func (c *meshCounter) shares() []RevisionShare {
	totals := make(map[[2]string]int64)
	for key, r := range c.revisions {
		totals[[2]string{key.app, key.namespace}] += r.all.Count
	}
	list := make([]RevisionShare, 0, len(c.revisions))
	for key, r := range c.revisions {
		list = append(list, RevisionShare{
			App: key.app, Namespace: key.namespace, Revision: key.revision, Requests: r.all.Count, Errors: r.errors,
			Share: float64(r.all.Count) / float64(totals[[2]string{key.app, key.namespace}]),
			P50:   Micros(r.all.Quantile(.5)), P95: Micros(r.all.Quantile(.95)),
		})
	}
	slices.SortFunc(list, func(a, b RevisionShare) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.App, b.App), cmp.Compare(a.Revision, b.Revision))
	})
	return list
}

// propagation finds services that do not hand trace headers on: while one is
// being called in one trace, in which it calls nobody, it calls somebody in a
// trace that begins with that call.
type propagation struct {
	outbound  map[string]int                   // calls by service
	calls     map[serviceInTrace]struct{}      // services that call in a trace they did not begin
	inbound   map[string][]inboundSpan         // by service
	requests  map[requestOf][]spandrel.TraceID // traces in which a service got a request, few each
	torn      []tornCall
	tracked   int
	truncated bool
}

type serviceInTrace struct {
	trace   spandrel.TraceID
	service string
}

type requestOf struct{ service, request string }

// inboundSpan is a span of a service that is being called.
type inboundSpan struct {
	start, end int64
	trace      spandrel.TraceID
}

// tornCall is an outbound call that began a trace.
type tornCall struct {
	service, request, upstream string
	start                      int64
	trace                      spandrel.TraceID
}

func newPropagation() propagation {
	return propagation{
		outbound: make(map[string]int), calls: make(map[serviceInTrace]struct{}),
		inbound: make(map[string][]inboundSpan), requests: make(map[requestOf][]spandrel.TraceID),
	}
}

func (p *propagation) add(span *spandrel.Span, f *Facts) {
	if !f.Proxy || strings.HasPrefix(f.Node, "router~") {
		return // gateways begin traces
	}
	service := span.Service()
	switch {
	case span.Kind == spandrel.KindServer:
		if p.tracked >= maxTracked {
			p.truncated = true
			return
		}
		p.tracked++
		p.inbound[service] = append(p.inbound[service], inboundSpan{span.Start, span.Start + span.Duration, span.TraceID})
		if f.Request != "" {
			key := requestOf{service, f.Request}
			if traces := p.requests[key]; len(traces) < tornSamples {
				p.requests[key] = append(traces, span.TraceID)
			}
		}
	case span.Kind == spandrel.KindClient && span.ParentID != 0:
		p.outbound[service]++
		if p.tracked < maxTracked {
			p.calls[serviceInTrace{span.TraceID, service}] = struct{}{}
		}
	case span.Kind == spandrel.KindClient:
		p.outbound[service]++
		if len(p.torn) >= maxTorn {
			p.truncated = true
			return
		}
		p.torn = append(p.torn, tornCall{service, f.Request, f.Upstream, span.Start, span.TraceID})
	}
}

func (p *propagation) result() []Torn {
	for _, spans := range p.inbound {
		slices.SortFunc(spans, func(a, b inboundSpan) int { return cmp.Compare(a.start, b.start) })
	}
	found := make(map[string]*Torn)
	for i := range p.torn {
		c := &p.torn[i]
		sure := slices.ContainsFunc(p.requests[requestOf{c.service, c.request}], func(id spandrel.TraceID) bool { return id != c.trace })
		if !sure && !p.wasBeingCalled(c) {
			continue
		}
		t := found[c.service]
		if t == nil {
			t = &Torn{Service: c.service, Outbound: p.outbound[c.service]}
			found[c.service] = t
		}
		t.Torn++
		if sure {
			t.Sure++
		}
		if len(t.Traces) < tornSamples {
			t.Traces = append(t.Traces, c.trace.String())
		}
		if c.upstream != "" && !slices.Contains(t.Upstreams, c.upstream) && len(t.Upstreams) < tornSamples {
			t.Upstreams = append(t.Upstreams, c.upstream)
		}
	}
	list := make([]Torn, 0, len(found))
	for _, t := range found {
		slices.Sort(t.Upstreams)
		list = append(list, *t)
	}
	slices.SortFunc(list, func(a, b Torn) int { return cmp.Or(cmp.Compare(b.Torn, a.Torn), cmp.Compare(a.Service, b.Service)) })
	return list
}

// maxBack is how many requests, from the newest that began before a call, may
// be the one that the call was made for.
const maxBack = 64

// wasBeingCalled reports whether a request to the service, in another trace in
// which it made no call, was under way when the call began.
func (p *propagation) wasBeingCalled(c *tornCall) bool {
	spans := p.inbound[c.service]
	at, _ := slices.BinarySearchFunc(spans, c.start+1, func(s inboundSpan, start int64) int { return cmp.Compare(s.start, start) })
	for i := at - 1; i >= max(0, at-maxBack); i-- {
		s := &spans[i]
		if s.end < c.start || s.trace == c.trace {
			continue
		}
		if _, calls := p.calls[serviceInTrace{s.trace, c.service}]; !calls {
			return true
		}
	}
	return false
}
