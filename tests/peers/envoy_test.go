package peers

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// pages says what the trace of a user's request must look like: a line for
// each span, indented below its parent, with the pod, the kind, what was called
// (and which subset), the status, Envoy's response flags and whether it is an
// error.
var pages = map[string]string{
	"anybody": `
istio-ingressgateway client productpage 200 -
  productpage-v1 server productpage 200 -
    productpage-v1 client details 200 -
      details-v1 server details 200 -
    productpage-v1 client reviews|v1 200 -
      reviews-v1 server reviews 200 -
`,
	stars: `
istio-ingressgateway client productpage 200 -
  productpage-v1 server productpage 200 -
    productpage-v1 client details 200 -
      details-v1 server details 200 -
    productpage-v1 client reviews|v2 200 -
      reviews-v2 server reviews 200 -
        reviews-v2 client ratings 200 -
          ratings-v1 server ratings 200 -
`,
	broken: `
istio-ingressgateway client productpage 200 -
  productpage-v1 server productpage 200 -
    productpage-v1 client details 200 -
      details-v1 server details 200 -
    productpage-v1 client reviews|v2 200 -
      reviews-v2 server reviews 200 -
        reviews-v2 client ratings 500 - error
          ratings-v1 server ratings 500 - error
`,
	gone: `
istio-ingressgateway client productpage 200 -
  productpage-v1 server productpage 200 -
    productpage-v1 client details|v0 503 URX,UF error
    productpage-v1 client reviews|v1 200 -
      reviews-v1 server reviews 200 -
`,
	forgotten: `
istio-ingressgateway client productpage 200 -
  productpage-v1 server productpage 200 -
    productpage-v1 client details 200 -
      details-v1 server details 200 -
    productpage-v1 client reviews|v2 200 -
      reviews-v2 server reviews 200 -
        reviews-v2 client ratings 504 UT error
          ratings-v1 server ratings 0 DC error
`,
}

// visits are the users in the order in which they come, a few at a time.
var visits = []string{"anybody", stars, broken, gone, forgotten, stars, "anybody", gone, broken, stars, forgotten, "anybody", stars}

// visit is what came of one of them.
type visit struct {
	user  string
	hops  []hop
	trace *shownTrace
}

// TestEnvoy has a mesh of real Envoys report to Spandrel, in all the ways that
// Istio can set up their Zipkin tracer.
func TestEnvoy(t *testing.T) {
	m := newMesh(t)
	usual := tracing{Path: "/api/v2/spans", Encoding: "HTTP_JSON"}
	shared, proto, short, misdirected, http2, spawn := usual, usual, usual, usual, usual, usual
	shared.Shared = true
	proto.Encoding = "HTTP_PROTO"
	short.Short = true
	misdirected.Path = "/zipkin/api/v1/spans"
	http2.HTTP2 = true
	spawn.SpawnUpstream = true
	for _, row := range []struct {
		name    string
		tracing tracing
	}{
		{"Istio's defaults", usual},
		{"both halves of a call share an id", shared},
		{"protobuf", proto},
		{"64-bit trace ids", short},
		{"the path of another version under a prefix", misdirected},
		{"HTTP2 to the collector", http2},
		{"two spans of the gateway", spawn},
	} {
		t.Run(row.name, func(t *testing.T) {
			data := t.TempDir()
			s := startSpandrel(t, "--badger.directory-value", data)
			envoys := m.start(t, row.tracing, s.zipkin)
			began := time.Now()
			all := m.visitAll(t)
			spans := 0
			for _, v := range all {
				spans += strings.Count(wantPage(v.user, row.tracing), "\n") - 1
			}
			settle(t, s, envoys, row.tracing, spans)
			for _, v := range all {
				v.trace = s.trace(t, v.hops[0].traceID)
				m.checkTrace(t, v, row.tracing, began)
			}
			checkSearch(t, s, all)
			checkLog(t, s, row.tracing)

			_ = s.cmd.Process.Kill()
			<-s.exited
			s = startSpandrel(t, "--badger.directory-value", data)
			for _, v := range all {
				if diff := gocmp.Diff(v.trace, s.trace(t, v.trace.ID)); diff != "" {
					t.Errorf("trace of %s before (-) and after (+) kill -9 and restart:\n%s", v.user, diff)
				}
			}
		})
	}
}

// start starts the mesh's Envoys and waits until they are ready.
func (m *mesh) start(t *testing.T, tr tracing, collector string) []*envoy {
	t.Helper()
	envoys := make([]*envoy, len(m.pods))
	for i, p := range m.pods {
		envoys[i] = startEnvoy(t, m, p, tr, collector)
	}
	for _, e := range envoys {
		e.waitFor(t, func() error { return answers(e.admin+"/ready", http.StatusOK) })
	}
	return envoys
}

// visitAll makes all visits, three at a time.
func (m *mesh) visitAll(t *testing.T) []*visit {
	t.Helper()
	all, errs := make([]*visit, len(visits)), make([]error, len(visits))
	next := make(chan int)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for i := range next {
				hops, err := m.visit(visits[i])
				all[i], errs[i] = &visit{user: visits[i], hops: hops}, err
			}
		})
	}
	for i := range visits {
		next <- i
	}
	close(next)
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return all
}

// settle waits until the Envoys have sent that many spans and the collector has
// answered for all of them. Its figures and theirs must agree, and nothing may
// be lost or come twice.
func settle(t *testing.T, s *server, envoys []*envoy, tr tracing, spans int) {
	t.Helper()
	var sum reports
	eventually(t, "Envoys report all spans", func() error {
		sum = reports{}
		for _, e := range envoys {
			r, err := e.reports()
			if err != nil {
				return err
			}
			sum = sum.plus(r)
		}
		stored, posts := s.metrics(t).sum("spandrel_store_spans_total"), s.metrics(t).sum(postsMetric)
		switch {
		case sum.lost > 0 || sum.spans > spans || stored > spans:
			return permanent{fmt.Errorf("%+v, %d stored, where %d were made", sum, stored, spans)}
		case sum.spans < spans || stored < spans || sum.sent != posts:
			return fmt.Errorf("%+v, %d stored in %d posts, where %d were made", sum, stored, posts, spans)
		}
		return nil
	})
	format, misdirected := "zipkin_json_v2", 0
	if tr.Encoding == "HTTP_PROTO" {
		format = "zipkin_proto"
	}
	if tr.otherVersion() {
		misdirected = sum.sent
	}
	if (sum.http2 > 0) != tr.HTTP2 || (sum.http1 > 0) == tr.HTTP2 {
		t.Errorf("%d connections over HTTP/1 and %d over HTTP/2, want HTTP/2: %v", sum.http1, sum.http2, tr.HTTP2)
	}
	m := s.metrics(t)
	for _, count := range []struct {
		what      string
		got, want int
	}{
		{"spans received", m.sum("spandrel_collector_spans_received_total"), spans},
		{"spans accepted", m.sum("spandrel_collector_spans_accepted_total", `format="`+format+`"`), spans},
		{"spans rejected", m.sum("spandrel_collector_spans_rejected_total"), 0},
		{"spans failed", m.sum("spandrel_collector_spans_failed_total"), 0},
		{"spans saved as Jaeger counts", m.sum("jaeger_collector_spans_saved_by_svc_total", `result="ok"`), spans},
		{"requests failed", m.sum("spandrel_collector_requests_failed_total"), 0},
		{"requests misdirected", m.sum("spandrel_collector_misdirected_requests_total"), misdirected},
		{"posts", m.sum(postsMetric), sum.sent},
		{"posts answered with 202", m.sum(postsMetric, `status="202"`), sum.sent},
		{"spans stored", m.sum("spandrel_store_spans_total"), sum.spans},
	} {
		if count.got != count.want {
			t.Errorf("%s: got %d, want %d", count.what, count.got, count.want)
		}
	}
}

const postsMetric = "spandrel_collector_http_request_duration_seconds_count"

// checkSearch looks for the visits as Kiali, Grafana and Jaeger's page do.
func checkSearch(t *testing.T, s *server, all []*visit) {
	t.Helper()
	byID := map[string]*shownTrace{}
	failed := map[string]*shownTrace{}
	calls := map[string]int{}
	for _, v := range all {
		byID[v.trace.ID] = v.trace
		if v.user == broken || v.user == forgotten {
			failed[v.trace.ID] = v.trace
		}
		for _, h := range v.hops {
			switch h.pod.App {
			case "productpage":
				calls["istio-ingressgateway.istio-system "+h.pod.Service()]++
			case "ratings":
				calls["reviews.default "+h.pod.Service()]++
			default:
				calls["productpage.default "+h.pod.Service()]++
			}
		}
	}
	for _, search := range []struct {
		params url.Values
		want   map[string]*shownTrace
	}{
		{url.Values{"service": {"productpage.default"}, "limit": {"1000"}}, byID},
		{url.Values{"service": {"istio-ingressgateway.istio-system"}, "tags": {`{"istio.cluster_id":"Kubernetes"}`}, "limit": {"1000"}}, byID},
		{url.Values{"service": {"ratings.default"}, "tags": {`{"error":"true","istio.cluster_id":"Kubernetes"}`}}, failed},
		{url.Values{"service": {"reviews.default"}, "tags": {`{"http.status_code":"200"}`}, "minDuration": {"10m"}}, nil},
	} {
		found := s.traces(t, "/api/traces", search.params)
		got := map[string]*shownTrace{}
		for _, trace := range found {
			got[trace.ID] = trace
		}
		if diff := gocmp.Diff(search.want, got, cmpopts.EquateEmpty()); diff != "" || len(got) != len(found) {
			t.Errorf("%v: %d traces, want (-) and got (+):\n%s", search.params, len(found), diff)
		}
		service := search.params.Get("service") // all its spans match, if any does
		if !slices.IsSortedFunc(found, func(a, b *shownTrace) int { return cmp.Compare(b.newest(service), a.newest(service)) }) {
			t.Errorf("%v: the traces are not in the order of their newest span that matches, newest first", search.params)
		}
	}
	services := []string{"details.default", "istio-ingressgateway.istio-system", "productpage.default", "ratings.default", "reviews.default"}
	var got []string
	s.fetch(t, "/api/services", nil, &got)
	if slices.Sort(got); !slices.Equal(got, services) {
		t.Errorf("services: got %q, want %q", got, services)
	}
	var links []struct {
		Parent, Child string
		CallCount     int
	}
	s.fetch(t, "/api/dependencies", url.Values{"endTs": {strconv.FormatInt(time.Now().UnixMilli(), 10)}, "lookback": {"3600000"}}, &links)
	gotCalls := map[string]int{}
	for _, l := range links {
		gotCalls[l.Parent+" "+l.Child] += l.CallCount
	}
	if diff := gocmp.Diff(calls, gotCalls); diff != "" {
		t.Errorf("dependencies, want (-) and got (+):\n%s", diff)
	}
}

// checkLog wants nothing in the log that asks for attention but one line, if the
// Envoys post to the path of another version.
func checkLog(t *testing.T, s *server, tr tracing) {
	t.Helper()
	var got, want []string
	for _, line := range s.output() {
		var event struct{ Level, Msg, Path string }
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Errorf("logged: %s", line)
		}
		if event.Level != "INFO" {
			got = append(got, event.Level+" "+event.Msg+" "+event.Path)
		}
	}
	if tr.otherVersion() {
		want = append(want, "WARN spans of another version than the path's are taken all the same "+tr.Path)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("log, want (-) and got (+):\n%s", diff)
	}
}
