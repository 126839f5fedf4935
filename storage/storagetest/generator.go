package storagetest

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/spandrel/spandrel"
)

// GeneratorOptions says what traffic a Generator makes; zero fields have
// defaults.
type GeneratorOptions struct {
	Services int           // in the mesh, default 40, at least 2
	Start    time.Time     // of the first trace, default Epoch
	Interval time.Duration // between the starts of traces on average, default 20 ms
	MaxSpans int           // of a trace, about; default 400
	Tail     float64       // exponent of the distribution of sizes, default 1.1; more = fewer large traces
	Errors   float64       // share of calls that fail, default 0.02, less than 0 = none
	Shared   bool          // both halves of a call have one span id
	Pods     int           // of a service, default 1
	MaxBatch int           // default 5, as Envoy posts; more = half of the posts have 5 to MaxBatch spans
	Varied   bool          // as many different methods, URLs, sizes and user agents as a real mesh has

	// For NextBatch: shares of spans that come some traces late and of batches
	// that come twice.
	Late, Duplicates float64
}

// Generator makes spans as the Envoys of an Istio mesh do: a gateway calls a
// service, which calls others; each call gives a CLIENT span of the caller's
// sidecar and a SERVER span of the callee's, with 22 tags sorted by key (23
// when the call failed) and one annotation. Most traces are small and a few
// are large. Times are whole microseconds. The same seed and options give the
// same spans.
type Generator struct {
	o        GeneratorOptions
	rng      *rand.Rand
	services []meshService
	now      int64 // when the next trace begins

	trace  []spandrel.Span // being made
	owners []int           // the proxy that sends each of its spans: service*Pods + pod
	post   post
}

// NewGenerator makes a Generator.
func NewGenerator(seed uint64, o GeneratorOptions) *Generator {
	o.Services = max(2, cmp.Or(o.Services, 40))
	o.Interval = cmp.Or(o.Interval, 20*time.Millisecond)
	o.MaxSpans = cmp.Or(o.MaxSpans, 400)
	o.Errors = cmp.Or(o.Errors, 0.02)
	o.Tail = cmp.Or(o.Tail, 1.1)
	o.Pods = max(1, o.Pods)
	o.MaxBatch = max(envoyBatch, o.MaxBatch)
	if o.Start.IsZero() {
		o.Start = Epoch
	}
	g := &Generator{o: o, rng: rand.New(rand.NewPCG(seed, 0x5bd1e995)), now: o.Start.UnixMicro() * 1000}
	g.services = mesh(g.rng, o.Services, o.Pods)
	g.post.waiting = make([][]spandrel.Span, o.Services*o.Pods)
	return g
}

// Next makes one whole trace. Its spans are in no particular order.
func (g *Generator) Next() []spandrel.Span {
	g.trace, g.owners = nil, g.owners[:0]
	id := spandrel.TraceID{High: g.randomID(), Low: g.randomID()}
	start := g.now
	g.now += micros(g.rng.ExpFloat64() * float64(g.o.Interval))
	// Sizes follow a Pareto distribution: by default half of all traces have
	// fewer than 8 spans, one in a hundred has hundreds.
	size := min(float64(g.o.MaxSpans), 4/math.Pow(1-g.rng.Float64(), 1/g.o.Tail))
	c := call{trace: id, from: 0, requestID: fmt.Sprintf("%08x-%04x-9%03x", g.rng.Uint32(), g.rng.IntN(1<<16), g.rng.IntN(1<<12))}
	if g.o.Varied {
		c.requestID += fmt.Sprintf("-%04x-%012x", 0x8000|g.rng.IntN(1<<14), g.rng.Uint64()>>16)
	}
	c.fromPod = g.pod()
	c.user = []string{"jason", "anonymous"}[g.rng.IntN(2)]
	g.call(c, spandrel.SpanID(id.Low), start, int(size))
	return g.trace
}

// call is what all spans of one call have in common.
type call struct {
	trace           spandrel.TraceID
	parent          spandrel.SpanID
	from, to        int // services
	fromPod, toPod  int
	path            string
	requestID, user string
	status, flags   string
	failed          bool

	// What is the same in every call unless the traffic is varied.
	method, query, requestSize, responseSize string
}

// vary gives the call a method, a query and sizes of its own.
func (g *Generator) vary(c *call) {
	c.method, c.requestSize = "GET", "0"
	if g.rng.IntN(4) == 0 {
		c.method, c.requestSize = "POST", g.size(5.5)
	}
	c.responseSize = g.size(6.5)
	switch g.rng.IntN(4) {
	case 0:
		c.query = fmt.Sprintf("/%d", g.rng.IntN(100_000))
	case 1:
		c.query = fmt.Sprintf("?page=%d&sort=%s", g.rng.IntN(50), []string{"name", "price", "newest"}[g.rng.IntN(3)])
	}
}

// size is a number of bytes whose logarithm is around log.
func (g *Generator) size(log float64) string {
	return strconv.Itoa(int(math.Exp(log + 1.2*g.rng.NormFloat64())))
}

// pod picks one of a service's pods.
func (g *Generator) pod() int {
	if g.o.Pods == 1 {
		return 0
	}
	return g.rng.IntN(g.o.Pods)
}

// call makes the spans of a call, at most about size of them, and gives how
// many it made and when it ended. c.from and c.parent are the caller's.
func (g *Generator) call(c call, id spandrel.SpanID, start int64, size int) (made int, end int64) {
	from := &g.services[c.from]
	c.to = from.calls[g.rng.IntN(len(from.calls))]
	c.path = g.services[c.to].paths[g.rng.IntN(len(g.services[c.to].paths))]
	c.status, c.flags = "200", "-"
	if g.o.Varied {
		g.vary(&c)
	}
	attempts := 1
	if g.rng.Float64() < g.o.Errors {
		c.failed, c.status = true, "500"
		if g.rng.IntN(3) == 0 { // the sidecar tries again, and one attempt may succeed
			attempts = 2 + g.rng.IntN(2)
			c.status, c.flags = "503", "URX,UF"
		}
	}
	end = start
	made = 1
	for try := 1; try <= attempts; try++ {
		c.toPod = g.pod()
		answer := c
		if attempts > 1 && try == attempts && g.rng.IntN(2) == 0 {
			answer.failed, answer.status, answer.flags = false, "200", "-"
			c = answer
		}
		n, served := g.serve(answer, id, end+micros(2e5+g.rng.ExpFloat64()*3e5), (size-1)/attempts)
		made += n
		end = served + micros(1e5+g.rng.ExpFloat64()*2e5)
	}
	g.add(c, spandrel.KindClient, id, start, end)
	return made, end
}

// serve makes the callee's span and what it calls in turn; client is the span
// of the caller's sidecar.
func (g *Generator) serve(c call, client spandrel.SpanID, start int64, size int) (made int, end int64) {
	id := spandrel.SpanID(g.randomID())
	below := c
	below.from, below.fromPod, below.parent = c.to, c.toPod, id
	if g.o.Shared {
		id, below.parent = client, client
	} else {
		c.parent = client
	}
	end = start + micros(math.Exp(g.rng.NormFloat64())*1e6)
	made = 1
	for !c.failed && size-made >= 2 && len(g.services[c.to].calls) > 0 {
		var n int
		n, end = g.call(below, spandrel.SpanID(g.randomID()), end, 2+g.rng.IntN(size-made-1))
		made += n
		end += micros(g.rng.ExpFloat64() * 2e5)
	}
	g.add(c, spandrel.KindServer, id, start, end)
	return made, end
}

// add makes one of a call's spans.
func (g *Generator) add(c call, kind spandrel.Kind, id spandrel.SpanID, start, end int64) {
	owner, pod, event := c.from, c.fromPod, "cr"
	if kind == spandrel.KindServer {
		owner, pod, event = c.to, c.toPod, "ss"
	}
	to := &g.services[c.to]
	s := spandrel.Span{TraceID: c.trace, ID: id, ParentID: c.parent, Kind: kind, Start: start, Duration: end - start,
		Name: to.host + ":9080/*", Local: g.services[owner].pods[pod].endpoint, Tags: g.tags(&c, owner, pod),
		Events: []spandrel.Event{{Time: end + micros(g.rng.ExpFloat64()*5e4), Name: event}}}
	if kind == spandrel.KindServer {
		s.Name = to.host + ":9080" + c.path
		if g.o.Shared {
			s.Flags = spandrel.FlagShared
		}
	}
	g.trace = append(g.trace, s)
	g.owners = append(g.owners, owner*g.o.Pods+pod)
}

// tags are those of an Istio sidecar, sorted by key.
func (g *Generator) tags(c *call, owner, pod int) []spandrel.Tag {
	s, to := &g.services[owner], &g.services[c.to]
	method, agent, peer := "GET", agents[0], s.pods[pod].address
	requestSize, responseSize := "0", c.responseSize
	if g.o.Varied {
		method, agent, requestSize = c.method, g.services[c.from].agent, c.requestSize
		peer = g.services[c.from].pods[c.fromPod].address
	} else {
		responseSize = sizes[g.rng.IntN(len(sizes))]
	}
	upstream := to.outbound
	if owner == c.to {
		upstream = "inbound|9080||"
	}
	tags := make([]spandrel.Tag, 0, 23)
	add := func(key, value string) { tags = append(tags, text(key, value)) }
	add("component", "proxy")
	add("downstream_cluster", "-")
	if c.failed {
		add("error", "true")
	}
	add("guid:x-request-id", c.requestID)
	add("http.method", method)
	add("http.protocol", "HTTP/1.1")
	add("http.status_code", c.status)
	add("http.url", "http://"+to.name+":9080"+c.path+c.query)
	add("istio.canonical_revision", "v1")
	add("istio.canonical_service", s.name)
	add("istio.cluster_id", "Kubernetes")
	add("istio.mesh_id", "cluster.local")
	add("istio.namespace", s.namespace)
	add("my_tag_env", "blue")
	add("my_tag_header", c.user)
	add("node_id", s.pods[pod].node)
	add("peer.address", peer)
	add("request_size", requestSize)
	add("response_flags", c.flags)
	add("response_size", responseSize)
	add("upstream_cluster", upstream)
	add("upstream_cluster.name", upstream)
	add("user_agent", agent)
	return tags
}

var sizes = [...]string{"2", "178", "295", "357", "375", "5183"}

// micros is d nanoseconds in whole microseconds.
func micros(d float64) int64 { return int64(d/1000) * 1000 }

// randomID is not 0.
func (g *Generator) randomID() uint64 { return max(1, g.rng.Uint64()) }

// post is the way of spans from the proxies to the collector.
type post struct {
	waiting [][]spandrel.Span // by proxy: fewer than a batch
	late    []lateSpan
	ready   [][]spandrel.Span
	again   [][]spandrel.Span // to be sent twice
}

type lateSpan struct {
	span    spandrel.Span
	owner   int
	waitFor int // traces
}

// envoyBatch is how many spans an Envoy under load posts at once.
const envoyBatch = 5

// NextBatch gives the next post of a proxy: 5 spans of one pod (see MaxBatch),
// which ended one after the other. It makes traces as it needs them.
func (g *Generator) NextBatch() []spandrel.Span {
	for len(g.post.ready) == 0 {
		g.deliver()
	}
	next := g.post.ready[0]
	g.post.ready = g.post.ready[1:]
	return next
}

// Rest gives what the proxies still hold, also late spans and repeated
// batches: what they would post once traffic ends. After that they are empty.
func (g *Generator) Rest() [][]spandrel.Span {
	for _, l := range g.post.late {
		g.hand(l.owner, l.span)
	}
	rest := slices.Concat(g.post.ready, g.post.again)
	for _, w := range g.post.waiting {
		if len(w) > 0 {
			rest = append(rest, w)
		}
	}
	g.post = post{waiting: make([][]spandrel.Span, len(g.post.waiting))}
	return rest
}

// deliver makes a trace and hands its spans to the proxies.
func (g *Generator) deliver() {
	if len(g.post.again) > 0 && g.rng.IntN(4) == 0 {
		g.post.ready = append(g.post.ready, g.post.again[0])
		g.post.again = g.post.again[1:]
	}
	spans := g.Next()
	order := make([]int, len(spans))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(spans[a].Start+spans[a].Duration, spans[b].Start+spans[b].Duration)
	})
	for _, i := range order {
		if g.rng.Float64() < g.o.Late {
			g.post.late = append(g.post.late, lateSpan{spans[i], g.owners[i], 1 + g.rng.IntN(50)})
		} else {
			g.hand(g.owners[i], spans[i])
		}
	}
	stillLate := g.post.late[:0]
	for _, l := range g.post.late {
		if l.waitFor--; l.waitFor < 0 {
			g.hand(l.owner, l.span)
		} else {
			stillLate = append(stillLate, l)
		}
	}
	g.post.late = stillLate
}

// hand gives a span to its proxy.
func (g *Generator) hand(owner int, s spandrel.Span) {
	w := g.post.waiting[owner]
	if w == nil {
		w = make([]spandrel.Span, 0, g.batch())
	}
	w = append(w, s)
	if len(w) == cap(w) {
		g.post.ready = append(g.post.ready, w)
		if g.rng.Float64() < g.o.Duplicates {
			g.post.again = append(g.post.again, w)
		}
		w = nil
	}
	g.post.waiting[owner] = w
}

// batch is how many spans a proxy collects for its next post.
func (g *Generator) batch() int {
	if g.o.MaxBatch == envoyBatch || g.rng.IntN(2) == 0 {
		return envoyBatch
	}
	return envoyBatch + g.rng.IntN(g.o.MaxBatch-envoyBatch+1)
}
