package deploy

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const (
	prometheus = "../../deploy/prometheus/"
	dashboard  = "../../deploy/grafana/spandrel.json"
)

// ruleFile is a file of Prometheus' rules.
type ruleFile struct {
	Groups []struct {
		Name  string `json:"name"`
		Rules []struct {
			Record      string            `json:"record"`
			Alert       string            `json:"alert"`
			Expr        string            `json:"expr"`
			For         string            `json:"for"`
			Labels      map[string]string `json:"labels"`
			Annotations map[string]string `json:"annotations"`
		} `json:"rules"`
	} `json:"groups"`
}

func rules(t *testing.T) (f ruleFile) {
	t.Helper()
	must(t, yaml.UnmarshalStrict([]byte(read(t, prometheus+"rules.yaml")), &f))
	return f
}

// promtool is Prometheus' own checker, built without its ways of finding
// targets, which take minutes to compile.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	const name = "bin/promtool"
	build := exec.Command("go", "build", "-tags", "remove_all_sd", "-o", name, "github.com/prometheus/prometheus/cmd/promtool")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("promtool cannot be built: %v\n%s", err, out)
	}
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestPromtoolAcceptsTheRulesAndTheirTestsPass(t *testing.T) {
	promtool(t, "check", "rules", "--lint=all", "--lint-fatal", prometheus+"rules.yaml")
	promtool(t, "test", "rules", prometheus+"rules.test.yaml")
}

// TestEveryAlertHasATestAndAPage wants each alert to fire in a test of
// rules.test.yaml, and its link to lead to a heading of docs/alerts.md, which
// has no others.
func TestEveryAlertHasATestAndAPage(t *testing.T) {
	var alerts []string
	tests := read(t, prometheus+"rules.test.yaml")
	for _, g := range rules(t).Groups {
		for _, r := range g.Rules {
			if r.Alert == "" {
				continue
			}
			alerts = append(alerts, r.Alert)
			want := "https://github.com/spandrel/spandrel/blob/main/docs/alerts.md#" + strings.ToLower(r.Alert)
			if r.Annotations["runbook_url"] != want {
				t.Errorf("%s: got runbook_url %q, want %q", r.Alert, r.Annotations["runbook_url"], want)
			}
			if r.Labels["severity"] == "" || r.Annotations["summary"] == "" {
				t.Errorf("%s has no severity or no summary", r.Alert)
			}
			if !regexp.MustCompile(`alertname: ` + r.Alert + `\n +exp_alerts:\n`).MatchString(tests) {
				t.Errorf("no test wants %s to fire", r.Alert)
			}
		}
	}
	slices.Sort(alerts)
	var headings []string
	for _, m := range regexp.MustCompile(`(?m)^## (\S+)$`).FindAllStringSubmatch(read(t, "../../docs/alerts.md"), -1) {
		headings = append(headings, m[1])
	}
	slices.Sort(headings)
	if diff := cmp.Diff(headings, alerts); diff != "" {
		t.Errorf("(-docs/alerts.md +rules.yaml):\n%s", diff)
	}
}

// elsewhere are metrics that others have, Istio's proxies for one.
var elsewhere = map[string][]string{
	"istio_requests_total": {"reporter", "response_code", "destination_service_name"},
}

// unseen are metrics that have no series until a disk fails; package collector
// tests that they do then.
var unseen = map[string][]string{
	"spandrel_collector_spans_failed_total": {"format", "service", "reason"},
}

// TestEveryMetricThatIsAskedForExists wants every metric and label in the rules
// and the dashboard to be served by the program, or to be recorded by a rule.
func TestEveryMetricThatIsAskedForExists(t *testing.T) {
	served := served(t)
	recorded := map[string]bool{}
	var asked []string
	for _, g := range rules(t).Groups {
		for _, r := range g.Rules {
			recorded[r.Record] = true
			asked = append(asked, r.Expr)
		}
	}
	expressions := dashboardExpressions(t)
	if len(expressions) < 30 {
		t.Errorf("got %d expressions in the dashboard, want its 30 and more", len(expressions))
	}
	program := read(t, spandrel(t))
	for _, expr := range append(asked, expressions...) {
		parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
		if err != nil {
			t.Errorf("%v in %s", err, expr)
			continue
		}
		parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
			v, ok := node.(*parser.VectorSelector)
			if !ok {
				return nil
			}
			labels, have := served[v.Name]
			if !have {
				labels, have = elsewhere[v.Name]
			}
			if !have && strings.Contains(program, v.Name) {
				labels, have = unseen[v.Name]
			}
			if !have && !recorded[v.Name] {
				t.Errorf("there is no metric %s: %s", v.Name, expr)
			}
			for _, m := range v.LabelMatchers {
				if m.Name != "__name__" && m.Name != "instance" && !slices.Contains(labels, m.Name) {
					t.Errorf("%s has no label %s: %s", v.Name, m.Name, expr)
				}
			}
			return nil
		})
	}
}

// served are the labels of all metrics that the program serves once it has been
// used rightly and wrongly, by metric; those of histograms by their series.
func served(t *testing.T) map[string][]string {
	t.Helper()
	at := serve(t, []string{"QUERY_AUTH_TOKEN=some-token"})
	zipkin := at["zipkin collector"]
	const span = `{"traceId":"abc","id":"abc","name":"n","timestamp":1,"duration":5,"localEndpoint":{"serviceName":"s"}}`
	for _, r := range []struct {
		method, url, body string
		status            int
	}{
		{"POST", zipkin + "/api/v2/spans", "[" + span + "]", 202},
		{"POST", zipkin + "/api/v2/spans", `[` + span + `,{"traceId":"abc","name":"without an id"}]`, 400},
		{"POST", zipkin + "/api/v2/spans", "nonsense", 400},
		{"GET", zipkin + "/nowhere", "", 404},
		{"GET", at["query API and page"] + "/api/services", "", 401},
	} {
		if status, body := send(t, r.method, r.url, r.body); status != r.status {
			t.Errorf("%s %s: got %d %s, want %d", r.method, r.url, status, body, r.status)
		}
	}
	r, _ := strings.CutPrefix(at["query gRPC"], "grpc://")
	conn, err := grpc.NewClient(r, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{}); err == nil {
		t.Error("gRPC asked for no secret")
	}

	open := serve(t, nil)
	if status, _ := send(t, "GET", open["query API and page"]+"/api/services", ""); status != 200 {
		t.Errorf("got %d, want 200", status)
	}
	labels := map[string][]string{}
	for _, url := range []string{at["metrics"], open["metrics"]} {
		_, text := send(t, "GET", url+"/metrics", "")
		p := expfmt.NewTextParser(model.UTF8Validation)
		families, err := p.TextToMetricFamilies(strings.NewReader(text))
		must(t, err)
		for name, f := range families {
			names := map[string]bool{}
			for _, m := range f.Metric {
				for _, l := range m.Label {
					names[l.GetName()] = true
				}
			}
			labels[name] = slices.Collect(maps.Keys(names))
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				labels[name+suffix] = append(slices.Collect(maps.Keys(names)), "le")
			}
		}
	}
	return labels
}

// dashboardExpressions are all of the dashboard's, with Grafana's variables
// filled in.
func dashboardExpressions(t *testing.T) (all []string) {
	t.Helper()
	var d any
	must(t, json.Unmarshal([]byte(read(t, dashboard)), &d))
	fill := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*")
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, below := range v {
				walk(below)
			}
		case map[string]any:
			if expr, ok := v["expr"].(string); ok {
				all = append(all, fill.Replace(expr))
			}
			for _, below := range v {
				walk(below)
			}
		}
	}
	walk(d)
	return all
}

// TestPanelsDoNotOverlap in the dashboard, and have titles and units.
func TestPanelsDoNotOverlap(t *testing.T) {
	var d struct {
		UID    string
		Panels []struct {
			ID          int
			Type, Title string
			GridPos     struct{ H, W, X, Y int }
			FieldConfig struct{ Defaults struct{ Unit string } }
		}
	}
	must(t, json.Unmarshal([]byte(read(t, dashboard)), &d))
	taken := map[[2]int]string{}
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if p.Title == "" || ids[p.ID] || p.Type != "row" && p.FieldConfig.Defaults.Unit == "" {
			t.Errorf("panel %d %q lacks a title, a unit or an id of its own", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%q lies over %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

// TestMonitoringIsInstalledAsConfigMaps that Grafana's sidecar and Prometheus
// can take.
func TestMonitoringIsInstalledAsConfigMaps(t *testing.T) {
	for dir, want := range map[string]struct{ key, label string }{
		"../../deploy/grafana":    {"spandrel.json", "grafana_dashboard"},
		"../../deploy/prometheus": {"spandrel.yaml", ""},
	} {
		out, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
		must(t, err)
		text, err := out.AsYaml()
		must(t, err)
		objects := decode(t, string(text))
		if len(objects) != 1 || configMap(t, objects, objects[0].Name)[want.key] == "" {
			t.Errorf("%s: got %v, want one ConfigMap with %s", dir, objects, want.key)
		}
		if want.label != "" && !strings.Contains(string(text), want.label+`: "1"`) {
			t.Errorf("%s: no label %s", dir, want.label)
		}
	}
}
