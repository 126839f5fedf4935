package storagetest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/spandrel/spandrel"
)

// meshService is one service of the Generator's mesh.
type meshService struct {
	name      string // of the workload
	namespace string
	host      string // in the cluster
	outbound  string // Envoy's name of the cluster that calls it
	agent     string // the HTTP client that it calls with
	pods      []meshPod
	paths     []string
	calls     []int // services with higher numbers
}

// meshPod is one of a service's sidecars.
type meshPod struct {
	node     string // its id
	address  string
	endpoint spandrel.Endpoint
}

// agents are what HTTP clients call themselves; [0] is whoever calls the gateway.
var agents = [...]string{"curl/8.5.0", "Go-http-client/1.1", "python-requests/2.32.3", "okhttp/4.12.0", "axios/1.7.9", "Apache-HttpClient/5.3.1 (Java/21.0.5)"}

// mesh makes a gateway and n-1 services of some pods each, all of which can be
// reached from it. No service calls itself, also not through others.
func mesh(rng *rand.Rand, n, pods int) []meshService {
	nouns := []string{"cart", "orders", "payments", "users", "catalog", "search", "reviews", "ratings", "details", "shipping", "stock", "mail"}
	services := make([]meshService, n)
	for i := range services {
		s := &services[i]
		s.name = nouns[i%len(nouns)]
		if i >= len(nouns) {
			s.name = fmt.Sprintf("%s-%d", s.name, i/len(nouns)+1)
		}
		s.namespace = "default"
		proxy := "sidecar"
		if i == 0 {
			s.name, s.namespace, proxy = "istio-ingressgateway", "istio-system", "router"
		}
		s.host = s.name + "." + s.namespace + ".svc.cluster.local"
		s.outbound = "outbound|9080||" + s.host
		s.agent = agents[i%len(agents)]
		for pod := range pods {
			ip := netip.AddrFrom4([4]byte{10, byte(10 + pod), byte(1 + i>>8), byte(i)})
			node := fmt.Sprintf("%s~%s~%s-v1-%08x-%05x.%s~%s.svc.cluster.local", proxy, ip, s.name, rng.Uint32(), rng.IntN(1<<20), s.namespace, s.namespace)
			s.pods = append(s.pods, meshPod{node, ip.String(), spandrel.Endpoint{Service: s.name + "." + s.namespace, IPv4: ip}})
		}
		for p := range 1 + rng.IntN(4) {
			s.paths = append(s.paths, fmt.Sprintf("/%s/%d", s.name, p))
		}
	}
	for i := 1; i < n; i++ {
		caller := rng.IntN(min(i, 1+i/3+rng.IntN(3))) // makes chains of a few services
		services[caller].calls = append(services[caller].calls, i)
		for range rng.IntN(3) {
			if i+1 < n {
				services[i].calls = append(services[i].calls, i+1+rng.IntN(n-i-1))
			}
		}
	}
	return services
}
