package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// zipkinSpan is a span as Envoy writes it.
type zipkinSpan struct {
	TraceID       string             `json:"traceId"`
	ID            string             `json:"id"`
	ParentID      string             `json:"parentId,omitempty"`
	Name          string             `json:"name"`
	Kind          string             `json:"kind"`
	Timestamp     int64              `json:"timestamp"`
	Duration      int64              `json:"duration"`
	LocalEndpoint zipkinEndpoint     `json:"localEndpoint"`
	Annotations   []zipkinAnnotation `json:"annotations"`
	Tags          map[string]string  `json:"tags"`
}

type zipkinEndpoint struct {
	ServiceName string `json:"serviceName"`
	IPv4        string `json:"ipv4"`
	Port        int    `json:"port"`
}

type zipkinAnnotation struct {
	Timestamp int64  `json:"timestamp"`
	Value     string `json:"value"`
}

// workload is a deployment whose pod has a proxy.
type workload struct {
	app, version, pod, ip string
	port                  int
	calls                 []string // what its program asks for, one after the other
	work                  time.Duration
}

// mesh makes requests to Istio's Bookinfo, with its errors and slow answers.
type mesh struct {
	random    *rand.Rand
	workloads map[string]*workload
	batches   map[*workload][]zipkinSpan // of the request that is being made
	order     []*workload                // of batches
	trace     string
	requestID string // x-request-id
}

// newMesh makes a mesh that is as good as its random numbers.
func newMesh(random *rand.Rand) *mesh {
	m := &mesh{random: random, workloads: map[string]*workload{}}
	for i, w := range []*workload{
		{app: "istio-ingressgateway", port: 8080, calls: []string{"productpage"}, work: time.Millisecond},
		{app: "productpage", version: "v1", port: 9080, calls: []string{"details", "reviews"}, work: 12 * time.Millisecond},
		{app: "details", version: "v1", port: 9080, work: 4 * time.Millisecond},
		{app: "reviews", version: "v1", port: 9080, work: 9 * time.Millisecond},
		{app: "reviews", version: "v2", port: 9080, calls: []string{"ratings"}, work: 10 * time.Millisecond},
		{app: "reviews", version: "v3", port: 9080, calls: []string{"ratings"}, work: 11 * time.Millisecond},
		{app: "ratings", version: "v1", port: 9080, work: 3 * time.Millisecond},
	} {
		w.ip = fmt.Sprintf("10.244.0.%d", 10+i)
		w.pod = fmt.Sprintf("%s-%s-%x-%s", w.app, w.version, 0x6fd9c7b5+i*0x1357, "x7k2p")
		m.workloads[w.app+w.version] = w
	}
	m.workloads["istio-ingressgateway"].pod = "istio-ingressgateway-7d9c66f6d5-h2b9q"
	return m
}

// target is the workload that answers for the app this time.
func (m *mesh) target(app string) *workload {
	if app == "reviews" {
		return m.workloads["reviews"+[]string{"v1", "v2", "v3"}[m.random.IntN(3)]]
	}
	return m.workloads[app+"v1"]
}

// request is one page view at that time: its spans by proxy, in batches.
func (m *mesh) request(at time.Time) [][]zipkinSpan {
	m.batches, m.order = map[*workload][]zipkinSpan{}, nil
	root := m.id()
	m.trace, m.requestID = m.id()+root, fmt.Sprintf("%08x-%04x-4%03x-9%03x-%012x",
		m.random.Uint32(), m.random.IntN(1<<16), m.random.IntN(1<<12), m.random.IntN(1<<12), m.random.Uint64()>>16)
	m.call(m.workloads["istio-ingressgateway"], "productpage", root, "", at)
	var all [][]zipkinSpan
	for _, w := range m.order {
		for spans := m.batches[w]; len(spans) > 0; spans = spans[min(5, len(spans)):] {
			all = append(all, spans[:min(5, len(spans))])
		}
	}
	return all
}

// outcome is how a call went.
type outcome struct {
	status int
	flags  string // Envoy's response flags
	took   time.Duration
}

func (o outcome) failed() bool { return o.status >= 500 || o.status == 0 }

// call is a proxy's outbound span with id and all that follows from it. A call
// that finds nobody is tried again.
func (m *mesh) call(from *workload, app, id, parent string, at time.Time) outcome {
	to := m.target(app)
	o := outcome{503, "URX,UF", 3 * time.Millisecond}
	tries := 1
	for ; tries <= 2 && m.random.IntN(100) < 2; tries++ {
		o.took += 20 * time.Millisecond // refused; wait and try the next
	}
	if tries <= 2 {
		network := 300*time.Microsecond + m.jitter(time.Millisecond)
		o = m.serve(to, id, at.Add(network))
		o.took += 2*network + time.Duration(tries-1)*23*time.Millisecond
	}
	if app == "ratings" && o.took > 900*time.Millisecond {
		o = outcome{504, "UT", 900 * time.Millisecond}
	}
	s := m.span(from, "CLIENT", "cr", id, parent, to, at, o)
	s.Tags["upstream_cluster"] = fmt.Sprintf("outbound|%d||%s.default.svc.cluster.local", to.port, app)
	s.Tags["upstream_cluster.name"] = s.Tags["upstream_cluster"] + ";"
	s.Tags["peer.address"] = fmt.Sprintf("%s:%d", to.ip, to.port)
	if tries > 1 {
		s.Tags["retry.count"] = strconv.Itoa(tries - 1)
	}
	m.keep(from, s)
	return o
}

// serve is a proxy's inbound span, a child of the caller's, and the work of
// the program behind it.
func (m *mesh) serve(w *workload, parent string, at time.Time) outcome {
	id := m.id()
	o := outcome{200, "-", w.work/2 + m.jitter(w.work)}
	switch n := m.random.IntN(1000); {
	case w.app == "ratings" && n < 30:
		o = outcome{500, "-", 2 * time.Millisecond}
	case w.app == "ratings" && n < 40:
		o.took += time.Second
	case w.app == "details" && n < 20:
		o.took += 250 * time.Millisecond
	}
	for _, app := range w.calls {
		below := m.call(w, app, m.id(), id, at.Add(o.took))
		o.took += below.took + time.Millisecond
		if below.failed() && app != "ratings" { // without ratings the page has no stars
			o.status = 500
		}
	}
	s := m.span(w, "SERVER", "ss", id, parent, w, at, o)
	s.Tags["upstream_cluster"] = fmt.Sprintf("inbound|%d||", w.port)
	s.Tags["upstream_cluster.name"] = s.Tags["upstream_cluster"] + ";"
	s.Tags["peer.address"] = "10.244.0.1"
	m.keep(w, s)
	return o
}

var paths = map[string]string{
	"productpage": "/productpage", "details": "/details/0", "reviews": "/reviews/0", "ratings": "/ratings/0",
}

// span has what client and server halves have in common.
func (m *mesh) span(w *workload, kind, annotation, id, parent string, callee *workload, at time.Time, o outcome) zipkinSpan {
	host := fmt.Sprintf("%s.default.svc.cluster.local:%d", callee.app, callee.port)
	service, ns, role := w.app+".default", "default", "sidecar"
	if w.version == "" {
		service, ns, role = w.app+".istio-system", "istio-system", "router"
	}
	s := zipkinSpan{
		TraceID: m.trace, ID: id, ParentID: parent, Name: host + "/*", Kind: kind,
		Timestamp: at.UnixMicro(), Duration: max(1, o.took.Microseconds()),
		LocalEndpoint: zipkinEndpoint{service, w.ip, 0},
		Annotations:   []zipkinAnnotation{{at.Add(o.took).UnixMicro(), annotation}},
		Tags: map[string]string{
			"component": "proxy", "downstream_cluster": "-", "guid:x-request-id": m.requestID,
			"http.method": "GET", "http.protocol": "HTTP/1.1", "http.status_code": strconv.Itoa(o.status),
			"http.url":   "http://" + host + paths[callee.app],
			"node_id":    fmt.Sprintf("%s~%s~%s.%s~%s.svc.cluster.local", role, w.ip, w.pod, ns, ns),
			"user_agent": "curl/8.5.0", "request_size": "0", "response_size": strconv.Itoa(100 + m.random.IntN(5000)),
			"response_flags":          o.flags,
			"istio.canonical_service": w.app, "istio.canonical_revision": orLatest(w.version), "istio.namespace": ns,
			"istio.mesh_id": "cluster.local", "istio.cluster_id": "Kubernetes",
		},
	}
	if o.failed() {
		s.Tags["error"] = "true"
	}
	return s
}

func orLatest(version string) string {
	if version == "" {
		return "latest"
	}
	return version
}

// keep puts the span into its proxy's batch.
func (m *mesh) keep(w *workload, s zipkinSpan) {
	if m.batches[w] == nil {
		m.order = append(m.order, w)
	}
	m.batches[w] = append(m.batches[w], s)
}

// jitter is up to d, seldom more.
func (m *mesh) jitter(d time.Duration) time.Duration {
	return min(time.Duration(m.random.ExpFloat64()*float64(d)/3), 4*d)
}

func (m *mesh) id() string { return fmt.Sprintf("%016x", m.random.Uint64()|1) }
