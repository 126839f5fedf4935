package peers

import (
	"strings"
	"testing"
	"time"

	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
)

// grpcCalls are the calls of Jaeger's gRPC API that are compared, one for each
// trace among them.
func grpcCalls(t *testing.T, ids []string) []call {
	t.Helper()
	recorded := time.Unix(1795434600, 0) // when the Envoys' posts begin
	// query is one for a service between the times of the spans made by hand.
	query := func(service string, change func(*api_v2.TraceQueryParameters)) *api_v2.TraceQueryParameters {
		q := &api_v2.TraceQueryParameters{ServiceName: service, StartTimeMin: base.Add(-time.Minute), StartTimeMax: base.Add(time.Hour), SearchDepth: 50}
		if change != nil {
			change(q)
		}
		return q
	}
	calls := []call{
		{"GetServices", services},
		{"GetOperations reviews.default", operations("reviews.default", "")},
		{"GetOperations reviews.default server", operations("reviews.default", "server")},
		{"GetOperations reviews.default nonsense", operations("reviews.default", "nonsense")},
		{"GetOperations nobody", operations("nobody", "")},
		{"GetOperations of no service", operations("", "")},

		{"GetDependencies recorded", dependencies(recorded, recorded.Add(10*time.Minute))},
		{"GetDependencies by hand", dependencies(base.Add(-time.Minute), base.Add(5*time.Minute))},
		{"GetDependencies of no time", dependencies(time.Time{}, time.Time{})},
		{"GetDependencies without a start", dependencies(time.Time{}, recorded)},
		{"GetDependencies without an end", dependencies(recorded, time.Time{})},
		{"GetDependencies backwards", dependencies(recorded, recorded.Add(-time.Hour))},
		{"GetDependencies of an empty time", dependencies(recorded.Add(-20*time.Hour), recorded.Add(-10*time.Hour))},

		{"GetTrace of nobody", getTrace("dead", false)},
		{"GetTrace zero", getTrace("0", false)},
		{"GetTrace id of 8 bytes", sendBytes("GetTrace", "0a08"+"a000000000000001")},
		{"GetTrace id of 16 bytes", sendBytes("GetTrace", "0a10"+"0000000000000000"+"a000000000000001")},
		{"GetTrace id of 7 bytes", sendBytes("GetTrace", "0a07"+"00000000000001")},
		{"GetTrace id of 17 bytes", sendBytes("GetTrace", "0a11"+strings.Repeat("00", 16)+"01")},
		{"GetTrace no id", sendBytes("GetTrace", "")},
		{"GetTrace garbage", sendBytes("GetTrace", "ffffff")},
		{"no such method", sendBytes("Nonsense", "")},

		{"FindTraces without a query", findTraces(nil)},
		{"FindTraces of an empty query", findTraces(&api_v2.TraceQueryParameters{})},
		{"FindTraces service", findTraces(query("search-a", nil))},
		{"FindTraces raw", findTraces(query("search-a", func(q *api_v2.TraceQueryParameters) { q.RawTraces = true }))},
		{"FindTraces nobody", findTraces(query("nobody", nil))},
		{"FindTraces operation", findTraces(query("search-a", func(q *api_v2.TraceQueryParameters) { q.OperationName = "slow" }))},
		{"FindTraces tag", findTraces(query("search-a", func(q *api_v2.TraceQueryParameters) { q.Tags = map[string]string{"color": "red"} }))},
		{"FindTraces tags of two spans", findTraces(query("search-a", func(q *api_v2.TraceQueryParameters) {
			q.Tags = map[string]string{"color": "red", "size": "big"}
		}))},
		{"FindTraces error", findTraces(query("search-a", func(q *api_v2.TraceQueryParameters) { q.Tags = map[string]string{"error": "true"} }))},
		{"FindTraces tags without a service", findTraces(query("", func(q *api_v2.TraceQueryParameters) { q.Tags = map[string]string{"color": "red"} }))},
		{"FindTraces duration", findTraces(query("search-a", func(q *api_v2.TraceQueryParameters) {
			q.DurationMin, q.DurationMax = 50*time.Millisecond, 150*time.Millisecond
		}))},
		{"FindTraces duration backwards", findTraces(query("search-a", func(q *api_v2.TraceQueryParameters) {
			q.DurationMin, q.DurationMax = 50*time.Millisecond, 5*time.Millisecond
		}))},
		{"FindTraces times backwards", findTraces(query("search-a", func(q *api_v2.TraceQueryParameters) { q.StartTimeMax = base.Add(-time.Hour) }))},
		{"FindTraces without a start", findTraces(query("search-a", func(q *api_v2.TraceQueryParameters) { q.StartTimeMin = time.Time{} }))},
		{"FindTraces without times", findTraces(query("search-a", func(q *api_v2.TraceQueryParameters) {
			q.StartTimeMin, q.StartTimeMax = time.Time{}, time.Time{}
		}))},
		{"FindTraces newest one", findTraces(query("search-a", func(q *api_v2.TraceQueryParameters) { q.SearchDepth = 1 }))},
		{"FindTraces depth 0", findTraces(query("search-a", func(q *api_v2.TraceQueryParameters) { q.SearchDepth = 0 }))},
		{"FindTraces depth -1", findTraces(query("search-a", func(q *api_v2.TraceQueryParameters) { q.SearchDepth = -1 }))},

		{"ArchiveTrace", archive("a000000000000001")},
		{"ArchiveTrace of nobody", archive("dead")},
		{"ArchiveTrace zero", archive("0")},

		{"health", health("")},
		{"health jaeger.api_v2.QueryService", health("jaeger.api_v2.QueryService")},
		{"health jaeger.api_v3.QueryService", health("jaeger.api_v3.QueryService")},
		{"health jaeger.api_v2.metrics.MetricsQueryService", health("jaeger.api_v2.metrics.MetricsQueryService")},
		{"health nonsense", health("nonsense")},
		{"reflection services", reflect("")},
		{"reflection jaeger.api_v2.QueryService", reflect("jaeger.api_v2.QueryService")},
		{"reflection jaeger.api_v2.Span", reflect("jaeger.api_v2.Span")},
		{"reflection nonsense", reflect("nonsense")},
	}
	sets := traceSets(t)
	for _, id := range ids {
		if strings.Trim(id, "0") == "" {
			continue
		}
		calls = append(calls, call{"GetTrace ID of " + sets.of(id), getTrace(id, false)}, call{"GetTrace ID raw of " + sets.of(id), getTrace(id, true)})
	}
	return calls
}
