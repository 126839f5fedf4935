package query

import (
	"testing"

	"github.com/spandrel/spandrel"
)

func TestParseUpstream(t *testing.T) {
	for text, want := range map[string]Upstream{
		"outbound|9080|v2|reviews.default.svc.cluster.local":  {Direction: "outbound", Port: 9080, Subset: "v2", Host: "reviews.default.svc.cluster.local", Service: "reviews", Namespace: "default"},
		"outbound|9080||reviews.default.svc.cluster.local;":   {Direction: "outbound", Port: 9080, Host: "reviews.default.svc.cluster.local", Service: "reviews", Namespace: "default"},
		"outbound_.9080_.v1_.reviews.default.svc.cluster.loc": {Direction: "outbound", Port: 9080, Subset: "v1", Host: "reviews.default.svc.cluster.loc", Service: "reviews", Namespace: "default"},
		"outbound_.9080_._.reviews.default.svc.cluster.local": {Direction: "outbound", Port: 9080, Host: "reviews.default.svc.cluster.local", Service: "reviews", Namespace: "default"},
		"outbound|443||api.example.com":                       {Direction: "outbound", Port: 443, Host: "api.example.com"},
		"inbound|9080||":                                      {Direction: "inbound", Port: 9080},
		"inbound|x|http|y":                                    {Direction: "inbound", Subset: "http", Host: "y"},
		"PassthroughCluster":                                  {Special: "passthrough"},
		"InboundPassthroughCluster;":                          {Special: "passthrough"},
		"BlackHoleCluster":                                    {Special: "blackhole"},
		"":                                                    {},
		"xds-grpc":                                            {},
		"sideways|1|2|3":                                      {},
		"outbound|9080|":                                      {},
	} {
		if got := ParseUpstream(text); got != want {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
}

func TestParseNode(t *testing.T) {
	for text, want := range map[string]Node{
		"sidecar~10.10.1.8~reviews-v2-67894999b5-abcd3.default~default.svc.cluster.local":        {"sidecar", "10.10.1.8", "reviews-v2-67894999b5-abcd3", "default", "reviews-v2"},
		"router~10.1.0.4~istio-ingressgateway-6bb8fb6549-5dn8k.istio-system~istio-system.svc.cl": {"router", "10.1.0.4", "istio-ingressgateway-6bb8fb6549-5dn8k", "istio-system", "istio-ingressgateway"},
		"waypoint~10.1.0.9~waypoint-5d9c8b7f6c-x2x4z.bookinfo~bookinfo.svc.cluster.local":        {"waypoint", "10.1.0.9", "waypoint-5d9c8b7f6c-x2x4z", "bookinfo", "waypoint"},
		"sidecar~fd00::1~db-0.default~d":             {"sidecar", "fd00::1", "db-0", "default", "db-0"},
		"sidecar~10.0.0.1~fluentd-x7k2p.logs~d":      {"sidecar", "10.0.0.1", "fluentd-x7k2p", "logs", "fluentd"},
		"sidecar~10.0.0.1~nothing~d":                 {"sidecar", "10.0.0.1", "nothing", "", "nothing"},
		"sidecar~10.0.0.1~my-web-frontend-abcde.x~d": {"sidecar", "10.0.0.1", "my-web-frontend-abcde", "x", "my-web-frontend"},
		"":                 {},
		"sidecar~10.0.0.1": {},
		"a~b~c~d~e":        {},
	} {
		if got := ParseNode(text); got != want {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
}

func TestFactsPreferEnvoysNames(t *testing.T) {
	tag := func(key, value string) spandrel.Tag {
		return spandrel.Tag{Key: key, Value: spandrel.StringValue(value)}
	}
	got := FactsOf([]spandrel.Tag{
		tag("http.response.status_code", "201"), tag("http.status_code", "200"), tag("rpc.grpc.status_code", "5"),
		tag("url.full", "https://b.example/x?y#z"), tag("http.request.method", "PUT"), tag("peer.address", "1.2.3.4"),
		tag("upstream_address", "10.0.0.1:80"), tag("upstream_cluster.name", "outbound|1||h;"), tag("component", "proxy"),
	})
	want := Facts{Status: "200", GRPC: "5", Method: "PUT", Host: "b.example", Path: "/x", Peer: "10.0.0.1:80", Upstream: "outbound|1||h", Proxy: true}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for url, want := range map[string][2]string{
		"http://reviews:9080/reviews/0": {"reviews:9080", "/reviews/0"},
		"http://reviews:9080":           {"reviews:9080", ""},
		"/path?x=http://y/z":            {"", "/path"},
		"":                              {"", ""},
		"path":                          {"", "path"},
		"http://h/a?b=c://d/e":          {"h", "/a"},
	} {
		if host, path := splitURL(url); [2]string{host, path} != want {
			t.Errorf("%s: got %s, %s, want %v", url, host, path, want)
		}
	}
}
