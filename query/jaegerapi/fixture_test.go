package jaegerapi

import (
	"net/netip"
	"testing"
	"time"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/query"
	"github.com/spandrel/spandrel/storage/memory"
)

// now is the clock of all tests: 2026-11-24T12:00:00Z.
var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// ago is a start in nanoseconds.
func ago(d time.Duration) int64 { return now.Add(-d).UnixNano() }

func endpoint(service, ip string, port uint16) spandrel.Endpoint {
	e := spandrel.Endpoint{Service: service, Port: port}
	if ip != "" {
		e.IPv4 = netip.MustParseAddr(ip)
	}
	return e
}

func tag(key, value string) spandrel.Tag {
	return spandrel.Tag{Key: key, Value: spandrel.StringValue(value)}
}

const (
	productpage = "productpage.default"
	reviews     = "reviews.default"
	ratings     = "ratings.default"
)

// bookinfo is three traces of a small mesh: a request whose last hop has a
// shared span id and failed (128-bit id), an older one of two spans (64-bit
// id), and an oldest with everything that a span can hold.
func bookinfo() []spandrel.Span {
	return append(append(failedRequest(), olderRequest()...), oddSpan())
}

func failedRequest() []spandrel.Span {
	id := spandrel.TraceID{High: 0x0af7651916cd43dd, Low: 0x8448eb211c80319c}
	at := ago(10 * time.Minute)
	page := spandrel.Span{TraceID: id, ID: 1, Kind: spandrel.KindServer, Name: "productpage.default.svc.cluster.local:9080/productpage",
		Start: at, Duration: 90e6, Local: endpoint(productpage, "10.244.0.5", 9080),
		Tags:   []spandrel.Tag{tag("component", "proxy"), tag("http.status_code", "200"), tag("istio.cluster_id", "Kubernetes"), tag("node_id", "sidecar~10.244.0.5~productpage-v1-abc.default~default.svc.cluster.local")},
		Events: []spandrel.Event{{Time: at + 90e6, Name: "ss"}}}
	call := spandrel.Span{TraceID: id, ID: 2, ParentID: 1, Kind: spandrel.KindClient, Name: "reviews.default.svc.cluster.local:9080/*",
		Start: at + 5e6, Duration: 60e6, Local: endpoint(productpage, "10.244.0.5", 0), Remote: endpoint("", "10.96.1.2", 9080),
		Tags: []spandrel.Tag{tag("istio.cluster_id", "Kubernetes"), tag("upstream_cluster", "outbound|9080||reviews.default.svc.cluster.local")}}
	answer := spandrel.Span{TraceID: id, ID: 3, ParentID: 2, Kind: spandrel.KindServer, Name: "reviews.default.svc.cluster.local:9080/*",
		Start: at + 7e6, Duration: 55e6, Local: endpoint(reviews, "10.244.0.7", 9080), Tags: []spandrel.Tag{tag("istio.cluster_id", "Kubernetes")}}
	client := spandrel.Span{TraceID: id, ID: 4, ParentID: 3, Kind: spandrel.KindClient, Name: "ratings.default.svc.cluster.local:9080/*",
		Start: at + 9e6, Duration: 40e6, Local: endpoint(reviews, "10.244.0.7", 0), Remote: endpoint(ratings, "10.244.0.9", 9080),
		Tags: []spandrel.Tag{tag("error", "true"), tag("http.status_code", "503"), tag("istio.cluster_id", "Kubernetes")}}
	server := spandrel.Span{TraceID: id, ID: 4, ParentID: 3, Flags: spandrel.FlagShared, Kind: spandrel.KindServer, Name: "ratings.default.svc.cluster.local:9080/*",
		Start: at + 11e6, Duration: 30e6, Local: endpoint(ratings, "10.244.0.9", 9080), Tags: []spandrel.Tag{tag("error", "boom"), tag("istio.cluster_id", "Kubernetes")}}
	query := spandrel.Span{TraceID: id, ID: 5, ParentID: 4, Kind: spandrel.KindClient, Name: "select",
		Start: at + 12e6, Duration: 3e6, Local: endpoint(ratings, "10.244.0.9", 0), Remote: endpoint("mysql", "10.244.0.11", 3306)}
	return []spandrel.Span{query, server, client, answer, call, page, server} // as they might come, one twice
}

func olderRequest() []spandrel.Span {
	id := spandrel.TraceID{Low: 0xa1}
	at := ago(2 * time.Hour)
	return []spandrel.Span{
		{TraceID: id, ID: 0x11, Kind: spandrel.KindServer, Name: "GET /", Start: at, Duration: 2e6, Local: endpoint(productpage, "", 0)},
		{TraceID: id, ID: 0x12, ParentID: 0x11, Name: "render", Start: at + 1e6, Duration: 1e5, Local: endpoint(productpage, "", 0), Tags: []spandrel.Tag{tag("error", "false")}},
	}
}

// oddSpan has typed values, text that needs escapes, links and a process.
func oddSpan() spandrel.Span {
	at := ago(3 * time.Hour)
	return spandrel.Span{
		TraceID: spandrel.TraceID{Low: 0xb2}, ID: 0xff, ParentID: 0xfe, Kind: spandrel.KindConsumer,
		Flags: spandrel.FlagDebug | spandrel.FlagNoStart, Status: spandrel.StatusError, StatusMessage: "no luck",
		Start: at + 999, Name: "a<b> & \"c\" \u2028\x01\xff", Local: endpoint("svc/with slash", "", 0), TraceState: "a=b",
		Tags: []spandrel.Tag{
			{Key: "int", Value: spandrel.IntValue(-5)}, {Key: "big", Value: spandrel.IntValue(1 << 53)},
			{Key: "float", Value: spandrel.FloatValue(1.5e-9)}, {Key: "bytes", Value: spandrel.BytesValue([]byte{0, 1, 255})},
			{Key: "bool", Value: spandrel.BoolValue(false)}, tag("bool", "yes"), tag("bool", "yes"), tag("span.kind", "consumer"),
		},
		Events: []spandrel.Event{{Time: at + 5000, Name: "retry|1|2", Fields: []spandrel.Tag{tag("why", "late"), {Key: "n", Value: spandrel.IntValue(2)}}}},
		Links: []spandrel.Link{
			{TraceID: spandrel.TraceID{Low: 0xa1}, ID: 0x11},
			{TraceID: spandrel.TraceID{Low: 0xa1}, ID: 0x12, Type: spandrel.LinkChildOf},
			{ID: 0x13},
		},
		Resource: []spandrel.Tag{tag("host.name", "h"), tag("cloud.region", "eu")},
		Scope:    spandrel.Scope{Name: "lib", Version: "1"},
	}
}

// newService is a service on a memory store with the spans.
func newService(t testing.TB, spans []spandrel.Span) *query.Service {
	t.Helper()
	store := memory.New(memory.Options{})
	if err := store.Write(t.Context(), spans); err != nil {
		t.Fatal(err)
	}
	return query.New(store, query.Options{})
}
