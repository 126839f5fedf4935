package query

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// Bounds of the sample of a map.
const (
	mapSlices = 20  // of the range, which the sample is spread over
	mapTraces = 250 // of each slice
	mapSpans  = 1_000_000
	maxNodes  = 5000
	maxEdges  = 20_000
)

// MapNode is somebody who calls or is called.
type MapNode struct {
	Name      string   `json:"name"`
	Namespace string   `json:"namespace,omitempty"`
	App       string   `json:"app,omitempty"`
	Kind      string   `json:"kind"`
	Calls     uint64   `json:"calls"` // of it
	Errors    uint64   `json:"errors"`
	Revisions []string `json:"revisions,omitempty"`
}

// Kinds of MapNodes besides those of Upstream.Special.
const (
	nodeService  = "service"
	nodeGateway  = "gateway"
	nodeDead     = "dead"     // in the mesh: all calls failed and none was answered
	nodeSilent   = "silent"   // in the mesh: it answers, but sends no spans
	nodeExternal = "external" // not in the mesh
)

// MapEdge is the calls of one by another.
type MapEdge struct {
	From       string         `json:"from"`
	To         string         `json:"to"`
	Calls      uint64         `json:"calls"`
	Errors     uint64         `json:"errors"`
	Timed      int64          `json:"timed"` // of the sample
	P50        Micros         `json:"p50"`
	P95        Micros         `json:"p95"`
	Flags      map[string]int `json:"flags,omitempty"`
	Unanswered int64          `json:"unanswered"`
}

// MapResult is who called whom in a range.
type MapResult struct {
	Nodes  []MapNode `json:"nodes"`
	Edges  []MapEdge `json:"edges"`
	Sample struct {
		Traces   int  `json:"traces"`
		Complete bool `json:"complete"`
	} `json:"sample"`
	Truncated bool `json:"truncated,omitempty"` // there are more nodes or edges
}

// mapCounter makes MapResults.
type mapCounter struct {
	nodes     map[string]*MapNode
	edges     map[[2]string]*mapEdge
	truncated bool
}

// mapEdge counts calls: those that a store has summed up, and of the sample
// those that took a known time and, of these, those that nobody answered.
type mapEdge struct {
	calls, errors    uint64
	sample           red
	unanswered       int64
	unansweredErrors int64
	flags            map[string]int
}

// Map says who called whom: how often is what the store knows of all traces,
// how long that took and who did not answer is of a sample.
func (s *Service) Map(ctx context.Context, q RangeQuery) (*MapResult, error) {
	deps, err := s.store.Dependencies(ctx, time.Unix(0, q.From), time.Unix(0, q.To))
	if err != nil {
		return nil, err
	}
	c := mapCounter{nodes: make(map[string]*MapNode), edges: make(map[[2]string]*mapEdge)}
	for _, d := range deps {
		if e := c.edge(d.Parent, d.Child); e != nil {
			e.calls, e.errors = d.Calls, d.Errors
		}
	}
	result := &MapResult{Nodes: []MapNode{}, Edges: []MapEdge{}}
	refs, complete, err := s.spread(ctx, q)
	if err != nil {
		return nil, err
	}
	traces, whole, err := s.eachOutline(ctx, refs, c.trace)
	if err != nil {
		return nil, err
	}
	result.Sample.Traces, result.Sample.Complete = traces, complete && whole
	c.list(result)
	return result, nil
}

// spread lists traces from all over a range.
func (s *Service) spread(ctx context.Context, q RangeQuery) (refs []storage.TraceRef, complete bool, err error) {
	complete = true
	seen := make(map[spandrel.TraceID]struct{})
	step := (q.To-q.From)/mapSlices + 1
	for from := q.From; from <= q.To; from += step {
		found := 0
		search := spandrel.Query{MinStart: from, MaxStart: min(q.To, from+step-1), Limit: mapTraces + 1}
		for ref, err := range s.store.Search(ctx, search) {
			if err != nil {
				return nil, false, err
			}
			if found++; found > mapTraces {
				complete = false
				break
			}
			if _, ok := seen[ref.ID]; !ok {
				seen[ref.ID] = struct{}{}
				refs = append(refs, ref)
			}
		}
	}
	return refs, complete, nil
}

// eachOutline reads traces with facts until they have too many spans.
func (s *Service) eachOutline(ctx context.Context, refs []storage.TraceRef, do func([]*spandrel.Span)) (traces int, whole bool, err error) {
	var spans []spandrel.Span
	flush := func() {
		if len(spans) > 0 {
			traces++
			do(spandrel.Assemble(spans))
			spans = spans[:0]
		}
	}
	total := 0
	for chunk, err := range s.store.Outlines(ctx, refs, storage.Outline{Tags: factTags}) {
		if err != nil {
			return traces, false, err
		}
		if len(spans) > 0 && spans[0].TraceID != chunk[0].TraceID {
			flush()
		}
		if total += len(chunk); total > mapSpans {
			return traces, false, nil
		}
		spans = append(spans, chunk...)
	}
	flush()
	return traces, true, nil
}

// trace adds the calls of an assembled trace.
func (c *mapCounter) trace(spans []*spandrel.Span) {
	parents := spandrel.Parents(spans)
	answered := make([]bool, len(spans))
	for i, p := range parents {
		s := spans[i]
		c.describe(s)
		if p < 0 {
			continue
		}
		caller := spans[p]
		isAnswer := isAnswer(s.Kind, caller.Kind)
		if isAnswer || s.Service() != caller.Service() {
			answered[p] = true
		}
		if isAnswer || s.Kind == spandrel.KindServer || s.Kind == spandrel.KindConsumer {
			c.answer(caller, s, isAnswer)
		}
	}
	for i, s := range spans {
		if s.Kind == spandrel.KindClient && !answered[i] {
			c.unanswered(s)
		}
	}
}

// describe notes what a span says of its service.
func (c *mapCounter) describe(s *spandrel.Span) {
	n := c.node(s.Service(), nodeService)
	if n == nil {
		return
	}
	f := FactsOf(s.Tags)
	n.Namespace, n.App = cmp.Or(n.Namespace, f.Namespace), cmp.Or(n.App, f.App)
	if strings.HasPrefix(f.Node, "router~") {
		n.Kind = nodeGateway
	}
	if r := f.Revision; r != "" && !slices.Contains(n.Revisions, r) && len(n.Revisions) < maxRevisions {
		n.Revisions = append(n.Revisions, r)
	}
}

// answer counts a call that a server span shows, as its caller saw it.
func (c *mapCounter) answer(caller, s *spandrel.Span, isAnswer bool) {
	e := c.edge(caller.Service(), s.Service())
	if e == nil {
		return
	}
	duration, failed := s.Duration, s.IsError()
	f := FactsOf(s.Tags)
	if isAnswer {
		duration, failed = caller.Duration, failed || caller.IsError()
		f = FactsOf(caller.Tags)
	}
	e.sample.add(timeline{}, 0, duration, failed)
	count(&e.flags, f.Response, "-")
}

// unanswered counts a call that no server span shows by its upstream.
func (c *mapCounter) unanswered(s *spandrel.Span) {
	f := FactsOf(s.Tags)
	u := ParseUpstream(f.Upstream)
	name, kind := u.Host, nodeExternal
	switch {
	case s.Remote.Service != "":
		name, kind = s.Remote.Service, nodeService // the store has counted it
	case u.Special != "":
		name, kind = u.Special, u.Special
	case u.Service != "":
		kind = nodeSilent
		if service := u.Service + "." + u.Namespace; c.nodes[service] != nil && c.nodes[service].Kind != nodeSilent {
			name, kind = service, nodeService
		}
	case name == "":
		return
	}
	e := c.edge(s.Service(), name)
	if e == nil {
		return
	}
	if n := c.node(name, kind); n != nil && kind != nodeService {
		n.Kind, n.Namespace, n.App = kind, u.Namespace, u.Service
	}
	failed := s.IsError()
	e.sample.add(timeline{}, 0, s.Duration, failed)
	e.unanswered++
	if failed {
		e.unansweredErrors++
	}
	count(&e.flags, f.Response, "-")
}

// node finds or makes a node; nil = there are too many.
func (c *mapCounter) node(name, kind string) *MapNode {
	n := c.nodes[name]
	if n == nil {
		if len(c.nodes) >= maxNodes {
			c.truncated = true
			return nil
		}
		n = &MapNode{Name: name, Kind: kind}
		c.nodes[name] = n
	}
	return n
}

// edge finds or makes an edge; nil = there are too many.
func (c *mapCounter) edge(from, to string) *mapEdge {
	key := [2]string{from, to}
	e := c.edges[key]
	if e == nil {
		if len(c.edges) >= maxEdges || c.node(from, nodeService) == nil || c.node(to, nodeService) == nil {
			c.truncated = true
			return nil
		}
		e = &mapEdge{}
		c.edges[key] = e
	}
	return e
}

// list writes the result down. Calls that nobody answered are known from the
// sample alone.
func (c *mapCounter) list(result *MapResult) {
	alive := make(map[string]bool) // silent nodes that some call did not fail
	for key, e := range c.edges {
		calls, errors := e.calls, e.errors
		if calls == 0 {
			calls, errors = uint64(e.sample.all.Count), uint64(e.sample.errors)
		}
		to := c.nodes[key[1]]
		to.Calls += calls
		to.Errors += errors
		alive[to.Name] = alive[to.Name] || e.unansweredErrors < e.unanswered
		result.Edges = append(result.Edges, MapEdge{
			From: key[0], To: key[1], Calls: calls, Errors: errors, Timed: e.sample.all.Count,
			P50: Micros(e.sample.all.Quantile(.5)), P95: Micros(e.sample.all.Quantile(.95)), Flags: e.flags, Unanswered: e.unanswered,
		})
	}
	slices.SortFunc(result.Edges, func(a, b MapEdge) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	for _, name := range slices.Sorted(maps.Keys(c.nodes)) {
		n := c.nodes[name]
		if n.Kind == nodeSilent && !alive[name] {
			n.Kind = nodeDead
		}
		slices.Sort(n.Revisions)
		result.Nodes = append(result.Nodes, *n)
	}
	result.Truncated = c.truncated
}
