package deploy

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"helm.sh/helm/v3/pkg/strvals"
	mesh "istio.io/api/mesh/v1alpha1"
	"sigs.k8s.io/yaml"
)

// TestTroubleshootingCommandsWork runs the curl commands of the decision tree,
// as they stand there, against a Spandrel without a span in it, and wants the
// answers that the tree speaks of.
func TestTroubleshootingCommandsWork(t *testing.T) {
	at := serve(t, nil, "--query.base-path=/jaeger")
	text := read(t, "../../docs/troubleshoot.md")
	here := strings.NewReplacer("localhost:9411", at["zipkin collector"], "localhost:4318", at["OTLP collector, HTTP"], "localhost:16686", at["query API and page"],
		"localhost:14269", at["health, metrics, pprof"], "service=SERVICE", "service=me")
	for _, step := range []struct{ begins, want string }{
		{"curl localhost:14269/", "Server available"},
		{"curl localhost:16686$B/api/services", `"data":[]`},
		{"curl -i localhost:16686/", "Location: /jaeger/"},
		{"curl -i localhost:9411/api/v2/spans", "202 Accepted"},
		{"curl -i localhost:4318/v1/traces", "200 OK"},
		{"curl localhost:16686$B/api/traces/", `"operationName":"by hand"`},
		{"curl -s localhost:14269/metrics | grep", `spandrel_collector_spans_accepted_total{format="zipkin_json_v2",service="me"} 1`},
		{`curl "localhost:16686$B/api/traces?service=`, `"operationName":"by hand"`},
	} {
		found := regexp.MustCompile("(?m)(?:^|`)(" + regexp.QuoteMeta(step.begins) + "[^`\n]*)").FindStringSubmatch(text)
		if found == nil {
			t.Errorf("docs/troubleshoot.md has no command %q", step.begins)
			continue
		}
		cmd := exec.Command("sh", "-c", here.Replace(found[1]))
		cmd.Env = append(cmd.Environ(), "B=/jaeger")
		out, err := cmd.Output()
		if err != nil || !strings.Contains(string(out), step.want) {
			t.Errorf("%s: %v, want %q in %s", found[1], err, step.want, out)
		}
	}
	commands := regexp.MustCompile("(?m)(?:^|`)curl ").FindAllString(text, -1)
	if len(commands) != 8 {
		t.Errorf("got %d curl commands in the tree, and 8 are tested", len(commands))
	}
}

// TestReadmeCommandsWork: what it says to do beside a running Spandrel, on other
// ports.
func TestReadmeCommandsWork(t *testing.T) {
	at := serve(t, nil)
	text := read(t, "../../README.md")
	if !strings.Contains(text, "`./bin/spandrel demo`") {
		t.Error("README.md does not speak of the demo")
	}
	if out, err := exec.Command(spandrel(t), "demo", "--collector="+at["zipkin collector"], "--duration=300ms", "--rate=50").CombinedOutput(); err != nil {
		t.Fatalf("demo: %v\n%s", err, out)
	}
	wants := []string{`"data":["details.default",`, `"serviceName": "productpage.default"`}
	for _, m := range regexp.MustCompile(`(?m)^ {4}(curl .*)$`).FindAllStringSubmatch(text, -1) {
		if len(wants) == 0 {
			t.Fatalf("%s is not tested", m[1])
		}
		out, err := exec.Command("sh", "-c", strings.ReplaceAll(m[1], "localhost:16686", at["query API and page"])).Output()
		if err != nil || !strings.Contains(string(out), wants[0]) {
			t.Errorf("%s: %v, want %s in %.300s", m[1], err, wants[0], out)
		}
		wants = wants[1:]
	}
	if len(wants) > 0 {
		t.Errorf("README.md has %d commands too few", len(wants))
	}
}

// TestMutualTLSIsAsDocumented runs the command of docs/secure.md.
func TestMutualTLSIsAsDocumented(t *testing.T) {
	command := regexp.MustCompile(`(?m)^spandrel (--collector\.zipkin\.tls.*)$`).FindStringSubmatch(read(t, "../../docs/secure.md"))
	if command == nil {
		t.Fatal("docs/secure.md has no such command")
	}
	cert, key := selfSigned(t) // its own authority
	dir := t.TempDir()
	for name, text := range map[string]string{"server.pem": cert, "server.key": key, "ca.pem": cert} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	at := serve(t, nil, strings.Fields(strings.NewReplacer("=server.", "="+dir+"/server.", "=ca.", "="+dir+"/ca.").Replace(command[1]))...)
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	must(t, err)
	for _, own := range [][]tls.Certificate{nil, {pair}} {
		config := &tls.Config{RootCAs: x509.NewCertPool(), Certificates: own}
		config.RootCAs.AppendCertsFromPEM([]byte(cert))
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
		resp, err := client.Post(at["zipkin collector"]+"/api/v2/spans", "application/json", strings.NewReader("[]"))
		if err == nil {
			resp.Body.Close()
		}
		if let := err == nil && resp.StatusCode == http.StatusAccepted; let != (own != nil) {
			t.Errorf("a client with %d certificates: %v", len(own), err)
		}
	}
}

// TestHelmCommandsSetWhatIsThere, and the Secret that they speak of has the key
// that the chart looks for.
func TestHelmCommandsSetWhatIsThere(t *testing.T) {
	text := read(t, "../../docs/secure.md") + read(t, "../../docs/install.md")
	set := regexp.MustCompile(`--set (\S+)`).FindAllStringSubmatch(text, -1)
	if len(set) == 0 {
		t.Fatal("no command sets anything")
	}
	values := map[string]any{}
	for _, m := range set {
		must(t, strvals.ParseInto(m[1], values))
	}
	asYAML, err := yaml.Marshal(values)
	must(t, err)
	manifest, _, err := helm(t, string(asYAML)) // the schema refuses others
	must(t, err)
	literal := regexp.MustCompile(`create secret generic (\S+) --from-literal=(\w+)=(\S+)`).FindStringSubmatch(text)
	if literal == nil || !strings.Contains(manifest, "secretName: "+literal[1]) || !strings.Contains(manifest, "=/secrets/auth/"+literal[2]) {
		t.Errorf("the chart does not take the Secret %q:\n%s", literal, manifest)
	}
}

// TestReadmeSettingsAreTaken: the README's mesh settings by Istio's type, its
// Envoy settings by Envoy, in the place of those of deploy/compose.
func TestReadmeSettingsAreTaken(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(read(t, "../../README.md"), -1)
	if len(blocks) != 2 {
		t.Fatalf("got %d blocks of YAML, want the mesh's and Envoy's", len(blocks))
	}
	settings, err := yaml.YAMLToJSONStrict([]byte(blocks[0][1]))
	must(t, err)
	must(t, protojson.Unmarshal(settings, new(mesh.MeshConfig)))

	lines := strings.Split(strings.TrimRight(blocks[1][1], "\n"), "\n")
	indented := strings.Repeat(" ", 16) + strings.Join(lines, "\n"+strings.Repeat(" ", 16)) + "\n"
	text := read(t, compose+"front.yaml")
	theirs := regexp.MustCompile(`(?s) {16}tracing:\n.*? {16}(route_config:)`)
	if !theirs.MatchString(text) {
		t.Fatal("deploy/compose/front.yaml has no tracing")
	}
	text = theirs.ReplaceAllLiteralString(text, indented+strings.Repeat(" ", 16)+"route_config:")
	text = strings.ReplaceAll(text, "name: spandrel", "name: zipkin") // the cluster that the README speaks of
	config := filepath.Join(t.TempDir(), "envoy.yaml")
	must(t, os.WriteFile(config, []byte(text), 0o600))
	out, err := exec.Command(envoy(t), "--mode", "validate", "-c", config, "--service-cluster", "a", "--service-node", "a").CombinedOutput()
	if err != nil || !strings.Contains(text, "collector_cluster: zipkin") {
		t.Errorf("%v\n%s\n%s", err, out, text)
	}
}
