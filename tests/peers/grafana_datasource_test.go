package peers

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// grafanaClient is what Grafana's Jaeger data source uses: Go's client, which
// keeps connections and takes gzip.
var grafanaClient = &http.Client{Timeout: patience}

// TestGrafanaJaegerDataSource asks what the data source of Grafana 12 and 13
// asks, with each kind of base URL that people type, and wants what it uses.
func TestGrafanaJaegerDataSource(t *testing.T) {
	s := startSpandrel(t, keep)
	want := postRecorded(t, s, "bookinfo", "64-bit")
	large := postLargeTrace(t, s)
	for _, base := range []string{s.query, s.query + "/"} {
		g := grafana{base: base}
		t.Run("lists", func(t *testing.T) { g.lists(t, want) })
		t.Run("search", func(t *testing.T) { g.searches(t, want) })
		t.Run("trace", func(t *testing.T) { g.traces(t, want, large) })
		t.Run("dependencies", func(t *testing.T) { g.dependencies(t, want) })
	}
}

// grafana is the data source.
type grafana struct{ base string }

// get reads an answer that is not an error.
func (g grafana) get(t *testing.T, v any, query url.Values, path ...string) {
	t.Helper()
	if status := g.status(t, v, query, path...); status != http.StatusOK {
		t.Fatalf("%s?%s: status %d", path, query.Encode(), status)
	}
}

func (g grafana) status(t *testing.T, v any, query url.Values, path ...string) int {
	t.Helper()
	for i := range path { // as JoinPath escapes a name that is part of a path
		path[i] = strings.ReplaceAll(url.PathEscape(path[i]), "%2F", "/")
	}
	to, err := url.JoinPath(g.base, path...)
	if err != nil {
		t.Fatal(err)
	}
	if len(query) > 0 {
		to += "?" + query.Encode()
	}
	return getJSON(t, grafanaClient, to, v)
}

func (g grafana) lists(t *testing.T, want recording) {
	var services struct{ Data []string }
	g.get(t, &services, nil, "api/services")
	for _, service := range want.services() {
		if !slices.Contains(services.Data, service) {
			t.Errorf("no service %s", service)
		}
		var operations struct{ Data []string }
		g.get(t, &operations, nil, "api/services", service, "operations")
		names := map[string]bool{}
		for _, spans := range want {
			for _, x := range spans {
				if x.LocalEndpoint.ServiceName == service {
					names[x.Name] = true
				}
			}
		}
		if wanted := slices.Sorted(maps.Keys(names)); !slices.Equal(operations.Data, wanted) {
			t.Errorf("operations of %s: %q, want %q", service, operations.Data, wanted)
		}
	}
	var none struct{ Data []string }
	if g.get(t, &none, nil, "api/services", "nobody", "operations"); len(none.Data) > 0 {
		t.Errorf("operations of nobody: %q", none.Data)
	}
}

// searches fill in the search form in every way.
func (g grafana) searches(t *testing.T, want recording) {
	const service = "reviews.default"
	at := condition{service: service, from: recordedFrom, to: recordedTo}
	with := func(change func(*condition)) condition {
		c := at
		change(&c)
		return c
	}
	for name, c := range map[string]condition{
		"service":   at,
		"operation": with(func(c *condition) { c.operation = "ratings.default.svc.cluster.local:9080/*" }),
		"tags": with(func(c *condition) {
			c.tags = map[string]string{"error": "true", "http.status_code": "500"}
		}),
		"a tag of nothing": with(func(c *condition) { c.tags = map[string]string{"nothing": ""} }),
		"duration":         with(func(c *condition) { c.atLeast, c.atMost = 2*time.Millisecond, 8*time.Millisecond }),
		"unknown":          with(func(c *condition) { c.service = "nobody" }),
		"another time":     with(func(c *condition) { c.from, c.to = c.from.Add(-time.Hour), c.from }),
	} {
		var answer struct{ Data []httpTrace }
		g.get(t, &answer, c.grafanaQuery(1000), "api/traces")
		t.Run(name, func(t *testing.T) { checkHTTPTraces(t, answer.Data, want.search(c)) })
		for _, x := range answer.Data {
			checkGrafanaFrame(t, x)
		}
	}
	var some struct{ Data []httpTrace }
	if g.get(t, &some, at.grafanaQuery(5), "api/traces"); len(some.Data) != 5 {
		t.Errorf("limit=5: %d traces", len(some.Data))
	}
	var answer struct{ Errors []struct{ Msg string } }
	if status := g.status(t, &answer, nil, "api/traces"); status != http.StatusBadRequest || len(answer.Errors) != 1 {
		t.Errorf("a search for nothing: status %d, %+v", status, answer)
	}
}

// grafanaQuery is the search as the data source sends it.
func (c condition) grafanaQuery(limit int) url.Values {
	v := url.Values{"service": {c.service}, "limit": {fmt.Sprint(limit)},
		"start": {fmt.Sprint(c.from.UnixMicro())}, "end": {fmt.Sprint(c.to.UnixMicro())}}
	if c.operation != "" {
		v.Set("operation", c.operation)
	}
	if c.tags != nil {
		v.Set("tags", textOf(c.tags))
	}
	if c.atLeast != 0 {
		v.Set("minDuration", c.atLeast.String())
		v.Set("maxDuration", c.atMost.String())
	}
	return v
}

// checkGrafanaFrame holds a trace against what the data source makes of it: the
// earliest span names the trace, every span has a process, and a parent, if it
// has one, is the span that its first reference names.
func checkGrafanaFrame(t *testing.T, x httpTrace) {
	t.Helper()
	if len(x.Spans) == 0 {
		t.Fatalf("trace %s has no spans", x.TraceID)
	}
	ids := map[string]bool{}
	for _, s := range x.Spans {
		if ids[s.SpanID] {
			t.Errorf("trace %s: id %s twice, the node graph needs one each", x.TraceID, s.SpanID)
		}
		ids[s.SpanID] = true
	}
	roots := 0
	for _, s := range x.Spans {
		if x.Processes[s.ProcessID] == nil {
			t.Errorf("trace %s: span %s has no process", x.TraceID, s.SpanID)
		}
		if len(s.References) == 0 {
			roots++
		} else if r := s.References[0]; r.RefType != "CHILD_OF" || !ids[r.SpanID] {
			t.Errorf("trace %s: span %s is %s %s, which is not there", x.TraceID, s.SpanID, r.RefType, r.SpanID)
		}
	}
	if roots != 1 {
		t.Errorf("trace %s has %d roots", x.TraceID, roots)
	}
}

// traces looks traces up by id, with and without the times that the data source
// gives in milliseconds where the API has microseconds.
func (g grafana) traces(t *testing.T, want recording, large string) {
	get := func(id string, spans int) {
		for _, query := range []url.Values{nil, {"start": {fmt.Sprint(recordedFrom.UnixMilli())}, "end": {fmt.Sprint(recordedTo.UnixMilli())}}} {
			var answer struct{ Data []httpTrace }
			g.get(t, &answer, query, "api/traces", id)
			checkHTTPTraces(t, answer.Data, map[string]int{id: spans})
			checkGrafanaFrame(t, answer.Data[0])
		}
	}
	for id, spans := range want {
		get(id, len(spans))
	}
	get(large, largeTrace)
	var answer struct {
		Data   json.RawMessage
		Errors []struct{ Msg string }
	}
	if status := g.status(t, &answer, nil, "api/traces", "dead"); status != http.StatusNotFound || len(answer.Errors) != 1 {
		t.Errorf("no such trace: status %d, %+v", status, answer)
	}
}

// dependencies wants the service map: each call counted once, by the caller's
// span and the callee's span that names it as its parent.
func (g grafana) dependencies(t *testing.T, want recording) {
	calls := map[string]int{}
	for _, spans := range want {
		for _, callee := range spans {
			i := slices.IndexFunc(spans, func(caller recordedSpan) bool { return caller.ID == callee.ParentID })
			if i >= 0 && callee.Kind == "SERVER" {
				calls[spans[i].LocalEndpoint.ServiceName+" calls "+callee.LocalEndpoint.ServiceName]++
			}
		}
	}
	var answer struct {
		Data []struct {
			Parent, Child string
			CallCount     int
		}
		Errors []struct{ Msg string }
	}
	query := url.Values{"endTs": {fmt.Sprint(recordedTo.UnixMilli())}, "lookback": {fmt.Sprint(recordedTo.Sub(recordedFrom).Milliseconds())}}
	g.get(t, &answer, query, "api/dependencies")
	got := map[string]int{}
	for _, d := range answer.Data {
		got[d.Parent+" calls "+d.Child] = d.CallCount
	}
	if len(calls) != 4 || !maps.Equal(got, calls) || len(answer.Errors) > 0 {
		t.Errorf("got %v, want %v; errors %+v", got, calls, answer.Errors)
	}
}

// largeTrace is the number of spans of the trace of postLargeTrace.
const largeTrace = 420

// postLargeTrace posts one trace of many spans, all below the first, from long
// ago, and gives its id.
func postLargeTrace(t *testing.T, s *server) string {
	t.Helper()
	const id = "0af7651916cd43dd8448eb211c80319c"
	at := recordedFrom.Add(-30 * 24 * time.Hour).UnixMicro()
	spans := make([]string, largeTrace)
	for i := range spans {
		parent := ""
		if i > 0 {
			parent = `"parentId":"1",`
		}
		spans[i] = fmt.Sprintf(`{"traceId":%q,"id":"%x",%s"kind":"SERVER","name":"work","timestamp":%d,"duration":100,`+
			`"localEndpoint":{"serviceName":"large.default"},"tags":{"component":"proxy","istio.cluster_id":"Kubernetes","node_id":"sidecar~10.0.0.1~large.default~default"}}`,
			id, i+1, parent, at+int64(i))
	}
	body := "[" + strings.Join(spans, ",") + "]"
	r := request{port: "zipkin", method: "POST", path: "/api/v2/spans", header: http.Header{}, body: []byte(body)}
	if got := s.ask(t, &r)["status"]; got != "202" {
		t.Fatalf("status %v", got)
	}
	return id
}
