package peers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/template"
)

// tracing is how the mesh's Envoys are told to trace; see ZipkinConfig and
// OpenTelemetryConfig in Envoy's API.
type tracing struct {
	OTLP          string // grpc or http: OpenTelemetry's tracer, not Zipkin's; the collector's cluster bears Zipkin's name
	Path          string // of the collector
	Encoding      string // HTTP_JSON or HTTP_PROTO
	Shared        bool   // both halves of a call have one span id
	Short         bool   // 64-bit trace ids
	HTTP2         bool   // to the collector
	SpawnUpstream bool   // the gateway makes two spans of a request (Istio 1.28 and newer)
}

// otherVersion tells whether the path is that of Zipkin's version 1, though
// Envoy sends version 2.
func (tr tracing) otherVersion() bool { return strings.Contains(tr.Path, "/v1/") }

// envoy is one pod's proxy, running.
type envoy struct {
	*process
	admin string // URL
}

// zipkinCluster is Istio's name for the collector.
const zipkinCluster = "outbound|9411||zipkin.istio-system.svc.cluster.local"

// startEnvoy starts the pod's proxy. It may not be ready yet.
func startEnvoy(t *testing.T, m *mesh, p *pod, tr tracing, collector string) *envoy {
	t.Helper()
	admin := freeAddress(t)
	clusters := m.clusters()
	clusters[zipkinCluster] = strings.TrimPrefix(collector, "http://")
	if p.Sidecar() {
		clusters["inbound|9080||"] = p.app
	}
	var config bytes.Buffer
	err := envoyConfig.Execute(&config, map[string]any{
		"Pod": p, "Tracing": tr, "Admin": admin,
		"Hosts": m.hosts(p), "Clusters": clusters, "Collector": zipkinCluster})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(file, config.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	install(t, pythonLibs)
	return &envoy{
		process: start(t, "envoy of "+p.name, []string{"MESH_COLOUR=blue"}, inBin(t, envoyBinary),
			"-c", file, "--concurrency", "2", "--disable-hot-restart", "--log-level", "warning"),
		admin: "http://" + admin,
	}
}

var envoyConfig = template.Must(template.New("envoy.yaml").Funcs(template.FuncMap{
	"host": func(address string) string { host, _, _ := net.SplitHostPort(address); return host },
	"port": func(address string) string { _, port, _ := net.SplitHostPort(address); return port },
}).ParseFiles("testdata/envoy.yaml"))

// reports are Envoy's own figures of what it sent to the collector.
type reports struct {
	spans int // in all reports
	sent  int // reports answered with 202, which is all that Envoy takes for success
	lost  int // reports that were not: dropped, failed or without a cluster

	http1, http2 int // connections to the collector
}

func (r reports) plus(o reports) reports {
	return reports{r.spans + o.spans, r.sent + o.sent, r.lost + o.lost, r.http1 + o.http1, r.http2 + o.http2}
}

// reports reads the figures, all of which must be there.
func (e *envoy) reports() (reports, error) {
	resp, err := http.Get(e.admin + "/stats?format=json&filter=" + url.QueryEscape(`^tracing\.zipkin|^cluster\.`+regexp.QuoteMeta(zipkinCluster)+`\.upstream_cx_http`))
	if err != nil {
		return reports{}, err
	}
	defer resp.Body.Close()
	var answer struct {
		Stats []struct {
			Name  string
			Value int
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return reports{}, err
	}
	values := map[string]int{}
	for _, s := range answer.Stats {
		values[s.Name[strings.LastIndexByte(s.Name, '.')+1:]] = s.Value
	}
	names := []string{"spans_sent", "reports_sent", "reports_dropped", "reports_failed", "reports_skipped_no_cluster",
		"upstream_cx_http1_total", "upstream_cx_http2_total"}
	for _, name := range names {
		if _, ok := values[name]; !ok {
			return reports{}, permanent{fmt.Errorf("no %s among the stats of %s: %v", name, e.name, values)}
		}
	}
	lost := values["reports_dropped"] + values["reports_failed"] + values["reports_skipped_no_cluster"]
	return reports{values["spans_sent"], values["reports_sent"], lost,
		values["upstream_cx_http1_total"], values["upstream_cx_http2_total"]}, nil
}
