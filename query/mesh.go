package query

import (
	"strconv"
	"strings"

	"github.com/spandrel/spandrel"
)

// Facts is what Envoy and Istio say about a span in its tags, as text; empty =
// nothing. Tags of OpenTelemetry's conventions say some of it too.
type Facts struct {
	Status, GRPC             string // of HTTP and gRPC
	Response                 string // Envoy's response flags
	Method, Path, Host       string // Path without a query
	Upstream                 string // cluster
	Peer                     string // address
	Node                     string // id of the proxy
	App, Revision, Namespace string
	Retries, Request         string // Request is the x-request-id
	Proxy                    bool   // the span is an Envoy's
}

// factTags are the tags that Facts are made of.
var factTags = []string{
	"component", "error", "grpc.status_code", "guid:x-request-id", "http.method", "http.request.method",
	"http.response.status_code", "http.status_code", "http.target", "http.url",
	"istio.canonical_revision", "istio.canonical_service", "istio.namespace", "node_id", "peer.address",
	"response_flags", "retry.count", "rpc.grpc.status_code", "upstream_address", "upstream_cluster",
	"upstream_cluster.name", "url.full", "url.path",
}

// FactsOf reads the tags. Where two say the same thing, Envoy's first name for
// it is believed.
func FactsOf(tags []spandrel.Tag) Facts {
	var f Facts
	var url, target, cluster, peer string
	weak := func(to *string, value string) {
		if *to == "" {
			*to = value
		}
	}
	for i := range tags {
		v := tags[i].Value.String()
		switch tags[i].Key {
		case "component":
			f.Proxy = v == "proxy"
		case "http.status_code":
			f.Status = v
		case "http.response.status_code":
			weak(&f.Status, v)
		case "grpc.status_code":
			f.GRPC = v
		case "rpc.grpc.status_code":
			weak(&f.GRPC, v)
		case "response_flags":
			f.Response = v
		case "http.method":
			f.Method = v
		case "http.request.method":
			weak(&f.Method, v)
		case "http.url":
			url = v
		case "url.full":
			weak(&url, v)
		case "url.path", "http.target":
			weak(&target, v)
		case "upstream_cluster":
			f.Upstream = strings.TrimSuffix(v, ";")
		case "upstream_cluster.name":
			cluster = strings.TrimSuffix(v, ";")
		case "upstream_address":
			f.Peer = v
		case "peer.address":
			peer = v
		case "node_id":
			f.Node = v
		case "istio.canonical_service":
			f.App = v
		case "istio.canonical_revision":
			f.Revision = v
		case "istio.namespace":
			f.Namespace = v
		case "retry.count":
			f.Retries = v
		case "guid:x-request-id":
			f.Request = v
		}
	}
	weak(&f.Upstream, cluster)
	weak(&f.Peer, peer)
	f.Host, f.Path = splitURL(url)
	if target != "" && f.Path == "" {
		f.Path, _, _ = strings.Cut(target, "?")
	}
	return f
}

// splitURL takes host and path out of a URL, however odd it is.
func splitURL(url string) (host, path string) {
	url, _, _ = strings.Cut(url, "#")
	url, _, _ = strings.Cut(url, "?")
	_, rest, ok := strings.Cut(url, "://")
	if !ok {
		rest = url
	}
	i := strings.IndexByte(rest, '/')
	switch {
	case i < 0 && ok:
		return rest, ""
	case i < 0:
		return "", rest
	case !ok:
		return "", rest
	}
	return rest[:i], rest[i:]
}

// Upstream is an Envoy cluster as Istio names them.
type Upstream struct {
	Direction string `json:"direction,omitempty"` // outbound or inbound
	Port      int    `json:"port,omitempty"`
	Subset    string `json:"subset,omitempty"`
	Host      string `json:"host,omitempty"`
	Service   string `json:"service,omitempty"` // of a host in the cluster
	Namespace string `json:"namespace,omitempty"`
	Special   string `json:"special,omitempty"` // passthrough or blackhole
}

// ParseUpstream reads outbound|9080|v2|reviews.default.svc.cluster.local and
// the like, also with _. between the parts as subset clusters of gateways have
// it. What it cannot read it leaves empty.
func ParseUpstream(cluster string) Upstream {
	switch cluster = strings.TrimSuffix(cluster, ";"); cluster {
	case "PassthroughCluster", "InboundPassthroughCluster", "InboundPassthroughClusterIpv4", "InboundPassthroughClusterIpv6":
		return Upstream{Special: "passthrough"}
	case "BlackHoleCluster":
		return Upstream{Special: "blackhole"}
	}
	parts := strings.SplitN(cluster, "|", 4)
	if len(parts) < 4 {
		parts = strings.SplitN(cluster, "_.", 4)
	}
	if len(parts) < 4 || parts[0] != "outbound" && parts[0] != "inbound" {
		return Upstream{}
	}
	u := Upstream{Direction: parts[0], Subset: parts[2], Host: strings.TrimPrefix(parts[3], "_")}
	u.Port, _ = strconv.Atoi(strings.Trim(parts[1], "_"))
	if labels := strings.SplitN(u.Host, ".", 4); len(labels) >= 3 && labels[2] == "svc" {
		u.Service, u.Namespace = labels[0], labels[1]
	}
	return u
}

// Node is an Istio proxy by its id.
type Node struct {
	Type      string `json:"type,omitempty"` // sidecar, router or waypoint
	IP        string `json:"ip,omitempty"`
	Pod       string `json:"pod,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Workload  string `json:"workload,omitempty"` // the pod's name without what Kubernetes adds
}

// ParseNode reads type~ip~pod.namespace~domain. What it cannot read it leaves
// empty.
func ParseNode(id string) Node {
	parts := strings.Split(id, "~")
	if len(parts) != 4 {
		return Node{}
	}
	n := Node{Type: parts[0], IP: parts[1]}
	n.Pod, n.Namespace, _ = strings.Cut(parts[2], ".")
	n.Workload = workloadOf(n.Pod)
	return n
}

// workloadOf takes the suffix of a pod, and of a deployment's replica set
// before it, off a name. Both are of an alphabet without vowels; the pod's has
// 5 characters.
func workloadOf(pod string) string {
	rest, suffix, ok := cutLast(pod, '-')
	if !ok || !isSuffix(suffix, 5, 5) {
		return pod
	}
	if name, hash, ok := cutLast(rest, '-'); ok && isSuffix(hash, 6, 10) {
		return name
	}
	return rest
}

func cutLast(s string, sep byte) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, sep)
	if i <= 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// isSuffix accepts letters that Kubernetes does not use too, for not all names
// are its own.
func isSuffix(s string, shortest, longest int) bool {
	if len(s) < shortest || len(s) > longest {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return shortest == longest || strings.ContainsAny(s, "0123456789")
}
