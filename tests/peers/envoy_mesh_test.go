package peers

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// mesh is Istio's Bookinfo: a gateway and five pods, each with an Envoy of its
// own. The services are handlers of this process. They call one another only
// through their Envoys, and pass on the headers that Istio asks them to.
type mesh struct {
	pods    []*pod // the gateway first
	nowhere string // an address that nobody listens on

	number atomic.Int64 // of the newest request

	mu   sync.Mutex
	hops map[string][]hop // what the services were called with, by the last part of the path; guarded by mu
}

// pod is one place where a service runs.
type pod struct {
	name, App, Version, Namespace string

	Inbound, Outbound string // host:port of its Envoy
	app               string // host:port of the service itself
}

// Sidecar tells the pods with a service from the gateway.
func (p *pod) Sidecar() bool { return p.Namespace == "default" }

// Service is the name that the pod's spans bear.
func (p *pod) Service() string { return p.App + "." + p.Namespace }

// NodeID is istiod's name for the pod's Envoy.
func (p *pod) NodeID() string {
	role := "router"
	if p.Sidecar() {
		role = "sidecar"
	}
	return fmt.Sprintf("%s~10.10.1.6~%s.%s~%s.svc.cluster.local", role, p.name, p.Namespace, p.Namespace)
}

// hop is one call of a service, as the service saw it. The ids are those of the
// span that its Envoy makes of the call.
type hop struct {
	pod                     *pod
	url, requestID          string
	traceID, spanID, parent string
}

// newMesh starts the services.
func newMesh(t *testing.T) *mesh {
	m := &mesh{hops: map[string][]hop{}, nowhere: freeAddress(t), pods: []*pod{
		{name: "istio-ingressgateway-6785fcd48-6lgzq", App: "istio-ingressgateway", Version: "latest", Namespace: "istio-system"},
		{name: "productpage-v1-67894999b5-abcd1", App: "productpage", Version: "v1"},
		{name: "details-v1-79dfbd6fff-abcd2", App: "details", Version: "v1"},
		{name: "reviews-v1-5b5d6494f4-abcd3", App: "reviews", Version: "v1"},
		{name: "reviews-v2-5b667bcbf8-abcd4", App: "reviews", Version: "v2"},
		{name: "ratings-v1-7dc98c7588-abcd5", App: "ratings", Version: "v1"},
	}}
	for _, p := range m.pods {
		p.Outbound = freeAddress(t)
		if p.Namespace != "" {
			continue
		}
		p.Namespace, p.Inbound = "default", freeAddress(t)
		server := httptest.NewServer(m.service(p))
		t.Cleanup(server.Close)
		p.app = strings.TrimPrefix(server.URL, "http://")
	}
	return m
}

// The users whose requests fare differently. Anybody else gets reviews of v1,
// without stars.
const (
	stars     = "jason"   // reviews of v2, which ask for ratings
	broken    = "unlucky" // ratings answer 500
	gone      = "nobody"  // details are where nobody listens
	forgotten = "waiting" // ratings do not answer in time
)

// ratingsTimeout is how long reviews wait for ratings that do not come.
const ratingsTimeout = 250 * time.Millisecond

type virtualHost struct {
	Name   string
	Routes []route
}

type route struct{ User, Cluster, Timeout, Operation string }

// hosts are the virtual hosts of the pod's Envoy for what it calls.
func (m *mesh) hosts(p *pod) []virtualHost {
	to := func(app, subset, user string) route {
		host := app + ".default.svc.cluster.local"
		return route{User: user, Cluster: "outbound|9080|" + subset + "|" + host, Operation: host + ":9080/*"}
	}
	if !p.Sidecar() {
		return []virtualHost{{"bookinfo.example.com", []route{to("productpage", "", "")}}}
	}
	slow := to("ratings", "", forgotten)
	slow.Timeout = fmt.Sprintf("%.3fs", ratingsTimeout.Seconds())
	return []virtualHost{
		{"details:9080", []route{to("details", "v0", gone), to("details", "", "")}},
		{"ratings:9080", []route{slow, to("ratings", "", "")}},
		{"reviews:9080", []route{to("reviews", "v2", stars), to("reviews", "v2", broken),
			to("reviews", "v2", forgotten), to("reviews", "v1", "")}},
	}
}

// clusters says where the clusters of hosts are.
func (m *mesh) clusters() map[string]string {
	at := map[string]string{"outbound|9080|v0|details.default.svc.cluster.local": m.nowhere}
	for _, p := range m.pods {
		if !p.Sidecar() {
			continue
		}
		subset := ""
		if p.App == "reviews" {
			subset = p.Version
		}
		at["outbound|9080|"+subset+"|"+p.App+".default.svc.cluster.local"] = p.Inbound
	}
	return at
}

// service is what runs in the pod. The path's last part is the number of the
// request that all calls belong to.
func (m *mesh) service(p *pod) http.Handler {
	client := &http.Client{Timeout: patience}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		number := path.Base(r.URL.Path)
		h := hop{
			pod: p, url: "http://" + r.Host + r.URL.RequestURI(), requestID: r.Header.Get("x-request-id"),
			traceID: r.Header.Get("x-b3-traceid"), spanID: r.Header.Get("x-b3-spanid"), parent: r.Header.Get("x-b3-parentspanid"),
		}
		if w3c := strings.Split(r.Header.Get("traceparent"), "-"); len(w3c) == 4 {
			h.traceID, h.spanID = w3c[1], w3c[2]
		}
		m.mu.Lock()
		m.hops[number] = append(m.hops[number], h)
		m.mu.Unlock()
		var err error
		call := func(app string) { err = errors.Join(err, forward(client, p.Outbound, app, number, r)) }
		status := http.StatusOK
		switch user := r.Header.Get("end-user"); {
		case p.App == "productpage":
			call("details")
			call("reviews")
		case p.App == "reviews" && p.Version == "v2":
			call("ratings")
		case p.App == "ratings" && user == broken:
			status = http.StatusInternalServerError
		case p.App == "ratings" && user == forgotten:
			<-r.Context().Done() // the caller has given up
			return
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusTeapot) // which no test expects
			return
		}
		w.WriteHeader(status)
		io.WriteString(w, pageOf(p))
	})
}

// pageOf is what a service answers.
func pageOf(p *pod) string { return "this is " + p.name }

// passedOn are the headers that a service has to copy to its own calls.
var passedOn = []string{"x-request-id", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags", "traceparent", "tracestate", "end-user"}

// forward calls a service through the Envoy at proxy. Any answer will do.
func forward(client *http.Client, proxy, app, number string, in *http.Request) error {
	out, err := http.NewRequestWithContext(in.Context(), http.MethodGet, "http://"+proxy+"/"+app+"/"+number, nil)
	if err != nil {
		return err
	}
	out.Host = app + ":9080"
	out.Header.Set("User-Agent", "bookinfo")
	for _, name := range passedOn {
		if v := in.Header.Get(name); v != "" {
			out.Header.Set(name, v)
		}
	}
	resp, err := client.Do(out)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// visit asks the gateway for a page on the user's behalf and gives the calls
// that came of it, in their order.
func (m *mesh) visit(user string) ([]hop, error) {
	number := strconv.FormatInt(m.number.Add(1), 10)
	req, err := http.NewRequest(http.MethodGet, "http://"+m.pods[0].Outbound+"/productpage/"+number+"?q=1", nil)
	if err != nil {
		return nil, err
	}
	req.Host = "bookinfo.example.com"
	req.Header.Set("User-Agent", "curl/8.5.0")
	req.Header.Set("end-user", user)
	client := &http.Client{Timeout: patience}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if want := pageOf(m.pods[1]); resp.StatusCode != http.StatusOK || string(body) != want {
		return nil, fmt.Errorf("the page of %s: %s %q", user, resp.Status, body)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hops[number], nil
}
