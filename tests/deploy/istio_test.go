package deploy

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const istio = "../../deploy/istio/"

// addon is Istio's own manifest of the generation.
func addon(t *testing.T, generation string) string {
	t.Helper()
	text := read(t, "testdata/addon-"+generation+".yaml") + read(t, "testdata/services.yaml")
	if generation == "1.28" {
		return text
	}
	config, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "jaeger", "namespace": "istio-system", "labels": map[string]any{"app": "jaeger"}},
		"data":     map[string]string{"config.yaml": read(t, "../../cmd/spandrel/testdata/istio-1.29.yaml")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return text + "---\n" + string(config)
}

// kustomize builds an overlay of deploy/istio with remote files as given.
func kustomize(t *testing.T, overlay string, remote map[string]string) string {
	t.Helper()
	fs := filesys.MakeFsInMemory()
	for _, dir := range []string{overlay, "image"} {
		text := read(t, filepath.Join(istio, dir, "kustomization.yaml"))
		for url, content := range remote {
			if strings.Contains(text, url) {
				text = strings.Replace(text, url, "remote.yaml", 1)
				write(t, fs, filepath.Join("/", dir, "remote.yaml"), content)
			}
		}
		write(t, fs, filepath.Join("/", dir, "kustomization.yaml"), text)
		for _, r := range regexp.MustCompile(`(?m)^  - (\w+\.yaml)$`).FindAllStringSubmatch(text, -1) {
			if r[1] != "remote.yaml" {
				write(t, fs, filepath.Join("/", dir, r[1]), read(t, filepath.Join(istio, dir, r[1])))
			}
		}
	}
	out, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, filepath.Join("/", overlay))
	if err != nil {
		t.Fatal(err)
	}
	text, err := out.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, fs filesys.FileSystem, name, text string) {
	t.Helper()
	if err := fs.WriteFile(name, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func remoteAddon(generation string) string {
	return "https://raw.githubusercontent.com/istio/istio/release-" + generation + "/samples/addons/jaeger.yaml"
}

// TestOverlaysChangeTheImageAndNothingElse of Istio's own addon.
func TestOverlaysChangeTheImageAndNothingElse(t *testing.T) {
	for generation, image := range map[string]string{"1.28": "docker.io/jaegertracing/all-in-one:1.70.0", "1.29": "docker.io/jaegertracing/jaeger:2.17.0"} {
		t.Run(generation, func(t *testing.T) {
			before := addon(t, generation)
			got := decode(t, kustomize(t, "addon-"+generation, map[string]string{remoteAddon(generation): before}))
			want := decode(t, strings.Replace(before, image, "ghcr.io/spandrel/spandrel:latest", 1))
			byName := func(a, b object) int { return strings.Compare(a.name(), b.name()) }
			slices.SortFunc(got, byName)
			slices.SortFunc(want, byName)
			if diff := gocmp.Diff(got, want, cmpopts.IgnoreUnexported(object{})); diff != "" {
				t.Errorf("(-overlay +addon with another image):\n%s", diff)
			}
		})
	}
}

// notServed are ports of Istio's own Services that Spandrel does not listen on
// yet: Jaeger's collector protocols.
var notServed = []int{14250, 14268}

// TestManifestsRun runs the program as each manifest would: its user, its
// variables, its arguments, its volumes, a read-only root. Every port of a
// Service must be listened on, every probe answered, spans taken and given back.
func TestManifestsRun(t *testing.T) {
	rendered, _, err := helm(t, "")
	must(t, err)
	const token = "a-token-of-the-test"
	secured, _, err := helm(t, "{tls: {existingSecret: cert, listeners: [zipkin, otlp-grpc, otlp-http, query-http, query-grpc, admin, health, metrics]}, auth: {existingSecret: who, keys: [token]}}")
	must(t, err)
	cert, key := selfSigned(t)
	tests := []struct {
		name, text string
		uid, gid   int // where the manifest leaves it to the image or the cluster
		missing    []int
		tls        bool // on every port, and the token asked for
	}{
		{name: "ours", text: kustomize(t, ".", nil)},
		{name: "the Helm chart", text: rendered},
		{name: "the Helm chart with TLS and secrets", tls: true, text: secured +
			secret(t, "cert", map[string]string{"tls.crt": cert, "tls.key": key}) + secret(t, "who", map[string]string{"token": token})},
		{name: "addon 1.28", uid: 10001, gid: 10001, missing: notServed,
			text: kustomize(t, "addon-1.28", map[string]string{remoteAddon("1.28"): addon(t, "1.28")})},
		{name: "addon 1.29", uid: 10001, gid: 10001, missing: notServed,
			text: kustomize(t, "addon-1.29", map[string]string{remoteAddon("1.29"): addon(t, "1.29")})},
		{name: "addon 1.29 as any uid, such as OpenShift's", uid: 1000730000, gid: 0, missing: notServed,
			text: kustomize(t, "addon-1.29", map[string]string{remoteAddon("1.29"): addon(t, "1.29")})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			objects := decode(t, tt.text)
			template := podTemplate(t, objects)
			c := template.Spec.Containers[0]
			scheme, p := "http", asPod(t, objects, template, tt.uid, tt.gid)
			if tt.tls {
				scheme, p.CA = "https", cert
			}
			probe := func(p *corev1.Probe) string {
				asks := cmp.Or(strings.ToLower(string(p.HTTPGet.Scheme)), "http")
				return fmt.Sprintf("%s://127.0.0.1:%d%s", asks, portOf(c, p.HTTPGet.Port.String()), p.HTTPGet.Path)
			}
			r := start(t, p, probe(c.ReadinessProbe))
			get(t, r, probe(c.LivenessProbe), "", "")
			annotations := template.Annotations
			if annotations["prometheus.io/scrape"] != "true" {
				t.Error("Prometheus is not told to look")
			}
			asks := cmp.Or(annotations["prometheus.io/scheme"], "http")
			get(t, r, asks+"://127.0.0.1:"+annotations["prometheus.io/port"]+"/metrics", "", "spandrel_build_info")
			get(t, r, scheme+"://127.0.0.1:8888/metrics", "", "spandrel_build_info")
			get(t, r, scheme+"://127.0.0.1:13133/status", "", "StatusOK")

			env, check := healthCheck(t, objects)
			if out, err := r.exec(env, check...); err != nil || !strings.Contains(out, "Server available") {
				t.Errorf("the health check %q: %v, %s", check, err, out)
			}

			open := r.listening(t)
			for _, port := range append(targetPorts(t, objects, template), containerPorts(c)...) {
				if !slices.Contains(open, port) && !slices.Contains(tt.missing, port) {
					t.Errorf("a Service or the pod names port %d, and nobody listens there: %v", port, open)
				}
			}
			for _, port := range notServed { // a sender must be told at once
				if conn, err := r.dial(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil || !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("port %d: got %v, %v, want a refusal", port, conn, err)
				}
			}
			span := fmt.Sprintf(`[{"traceId":"00000000000000000000000000000abc","id":"0000000000000abc","name":"n","timestamp":%d,"duration":5,"localEndpoint":{"serviceName":"shop"}}]`,
				time.Now().UnixMicro())
			resp, err := r.http.Post(scheme+"://127.0.0.1:9411/api/v2/spans", "application/json", strings.NewReader(span))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusAccepted {
				t.Errorf("POST: %s", resp.Status)
			}
			get(t, r, scheme+"://127.0.0.1:16686/jaeger/api/traces/abc", token, `"operationName":"n"`)
			checkExports(t, r, scheme, token)
		})
	}
}

// checkExports has both ports of OTLP take a span.
func checkExports(t *testing.T, r *running, scheme, token string) {
	t.Helper()
	for _, port := range []int{4317, 4318} {
		export := fmt.Sprintf(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%032x","spanId":"0000000000000abc","name":"by OTLP"}]}]}]}`, port)
		resp, err := r.http.Post(fmt.Sprintf("%s://127.0.0.1:%d/v1/traces", scheme, port), "application/json", strings.NewReader(export))
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("export to %d: %s", port, resp.Status)
		}
		get(t, r, fmt.Sprintf("%s://127.0.0.1:16686/jaeger/api/traces/%x", scheme, port), token, `"operationName":"by OTLP"`)
	}
}

// TestSecretThatCannotBeReadEndsTheStart, where going on would let everybody ask.
func TestSecretThatCannotBeReadEndsTheStart(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a container with another user's uid needs root, which continuous integration has")
	}
	text, _, err := helm(t, "auth: {existingSecret: who, keys: [token]}")
	must(t, err)
	objects := decode(t, text+secret(t, "who", map[string]string{"token": "a-token-of-the-test"}))
	p := asPod(t, objects, podTemplate(t, objects), 0, 0)
	must(t, os.Chmod(filepath.Join(p.Volumes["/secrets/auth"], "token"), 0o400)) // root's alone
	out, err := p.command(t).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "spandrel: --query.auth.token-file: open /secrets/auth/token: permission denied") {
		t.Errorf("got %v and\n%s", err, out)
	}
}

// get wants 200 and the text. A token is sent where there is one.
func get(t *testing.T, r *running, url, token, want string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	must(t, err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := r.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(want)) {
		t.Errorf("GET %s: %s, %v, want %s in %.300s", url, resp.Status, err, want, body)
	}
}

// healthCheck is the command that helm test runs, with this machine's address
// for the Service's, and its variables; else the image's own.
func healthCheck(t *testing.T, objects []object) (env, command []string) {
	t.Helper()
	for _, o := range objects {
		if p, ok := o.value.(*corev1.Pod); ok {
			for _, e := range p.Spec.Containers[0].Env {
				env = append(env, e.Name+"="+e.Value)
			}
			for _, arg := range p.Spec.Containers[0].Args {
				command = append(command, strings.Replace(arg, "=spandrel:", "=127.0.0.1:", 1))
			}
			return env, append([]string{"/spandrel"}, command...)
		}
	}
	check := regexp.MustCompile(`(?m)^HEALTHCHECK .*CMD \["(.*)"\]$`).FindStringSubmatch(read(t, "../../Dockerfile"))
	return nil, strings.Split(check[1], `", "`)
}

// containerPorts are those that the container says it has.
func containerPorts(c corev1.Container) (ports []int) {
	for _, p := range c.Ports {
		ports = append(ports, int(p.ContainerPort))
	}
	slices.Sort(ports)
	return ports
}

// podTemplate is that of the one workload among the objects.
func podTemplate(t *testing.T, objects []object) corev1.PodTemplateSpec {
	t.Helper()
	for _, o := range objects {
		switch w := o.value.(type) {
		case *appsv1.StatefulSet:
			return w.Spec.Template
		case *appsv1.Deployment:
			return w.Spec.Template
		}
	}
	t.Fatal("there is no workload")
	return corev1.PodTemplateSpec{}
}

// portOf is the container's port of that name or number.
func portOf(c corev1.Container, name string) int {
	for _, p := range c.Ports {
		if p.Name == name {
			return int(p.ContainerPort)
		}
	}
	var n int
	fmt.Sscan(name, &n) // a name that is no port's gives 0, where nobody listens
	return n
}

// targetPorts are the ports of the pod that Services send to. Each Service must
// select the pod.
func targetPorts(t *testing.T, objects []object, template corev1.PodTemplateSpec) (ports []int) {
	t.Helper()
	services := map[string]bool{}
	for _, o := range objects {
		s, ok := o.value.(*corev1.Service)
		if !ok {
			continue
		}
		services[s.Name] = true
		for k, v := range s.Spec.Selector {
			if template.Labels[k] != v {
				t.Errorf("Service %s does not select the pod: %s=%s", s.Name, k, v)
			}
		}
		for _, p := range s.Spec.Ports {
			target := p.TargetPort.String()
			if target == "0" {
				target = fmt.Sprint(p.Port)
			}
			ports = append(ports, portOf(template.Spec.Containers[0], target))
		}
	}
	if !services["zipkin"] || !services["tracing"] || !services["jaeger-collector"] || template.Labels["app"] != "jaeger" {
		t.Errorf("istioctl, Kiali and proxies look for names that are not there: %v, %v", services, template.Labels)
	}
	return ports
}

// asPod is what a kubelet would make of the template with the image that the
// Dockerfile describes.
func asPod(t *testing.T, objects []object, template corev1.PodTemplateSpec, uid, gid int) pod {
	t.Helper()
	c := template.Spec.Containers[0]
	if s := template.Spec.SecurityContext; s != nil && s.RunAsUser != nil {
		uid, gid = int(*s.RunAsUser), int(*s.RunAsGroup)
		restricted(t, template.Spec)
	}
	root := t.TempDir()
	p := pod{Root: root, Volumes: map[string]string{}, UID: uid, GID: gid, Args: append([]string{"/spandrel"}, c.Args...)}
	for _, e := range regexp.MustCompile(`(?m)^(?:ENV|    ) ?([A-Z_]+=\S+)`).FindAllStringSubmatch(read(t, "../../Dockerfile"), -1) {
		p.Env = append(p.Env, e[1])
	}
	if len(p.Env) != 2 {
		t.Fatalf("got %q for the image's ENV, want two variables", p.Env)
	}
	for _, e := range c.Env {
		p.Env = append(p.Env, e.Name+"="+e.Value)
	}
	p.Env = append(p.Env, "KUBERNETES_SERVICE_HOST=10.0.0.1")
	for _, dir := range []string{"badger", "data", "tmp"} { // as in the image
		must(t, os.Mkdir(filepath.Join(root, dir), 0o777))
	}
	for _, m := range c.VolumeMounts {
		inside := filepath.Join(root, m.MountPath)
		must(t, os.MkdirAll(inside, 0o755))
		outside := t.TempDir()
		p.Volumes[m.MountPath] = outside
		i := slices.IndexFunc(template.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
		switch {
		case i >= 0 && template.Spec.Volumes[i].ConfigMap != nil:
			for name, text := range configMap(t, objects, template.Spec.Volumes[i].ConfigMap.Name) {
				must(t, os.WriteFile(filepath.Join(outside, name), []byte(text), 0o644))
			}
			must(t, os.Chmod(outside, 0o755))
		case i >= 0 && template.Spec.Volumes[i].Secret != nil: // root's, for the pod's group to read
			source := template.Spec.Volumes[i].Secret
			for name, text := range secretText(t, objects, source.SecretName) {
				must(t, os.WriteFile(filepath.Join(outside, name), []byte(text), 0o600))
				must(t, os.Chmod(filepath.Join(outside, name), os.FileMode(*source.DefaultMode)))
				must(t, os.Chown(filepath.Join(outside, name), 0, int(*template.Spec.SecurityContext.FSGroup)))
			}
			must(t, os.Chmod(outside, 0o755))
		case i >= 0: // an emptyDir
			must(t, os.Chmod(outside, 0o777))
		default: // a claim, with fsGroup
			must(t, os.Chown(outside, 0, int(*template.Spec.SecurityContext.FSGroup)))
			must(t, os.Chmod(outside, 0o2775))
		}
	}
	copyFile(t, spandrel(t), filepath.Join(root, "spandrel"))
	for dir := root; dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
		must(t, os.Chmod(dir, 0o755)) // the container's user must pass
	}
	return p
}

// restricted wants what Kubernetes' pod security standard of that name wants,
// and a read-only root.
func restricted(t *testing.T, s corev1.PodSpec) {
	t.Helper()
	for _, c := range s.Containers {
		x := c.SecurityContext
		switch {
		case x == nil, x.AllowPrivilegeEscalation == nil, *x.AllowPrivilegeEscalation,
			x.ReadOnlyRootFilesystem == nil, !*x.ReadOnlyRootFilesystem,
			x.Capabilities == nil, !slices.Contains(x.Capabilities.Drop, "ALL"), len(x.Capabilities.Add) > 0,
			s.SecurityContext.RunAsNonRoot == nil, !*s.SecurityContext.RunAsNonRoot,
			s.SecurityContext.SeccompProfile == nil, s.SecurityContext.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault:
			t.Errorf("container %s may do more than the restricted standard allows: %v", c.Name, x)
		}
	}
	if s.HostNetwork || s.HostPID || s.HostIPC {
		t.Error("the pod shares the host's namespaces")
	}
}

// secret is a Secret as a document of a manifest.
func secret(t *testing.T, name string, text map[string]string) string {
	t.Helper()
	out, err := yaml.Marshal(map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": name}, "stringData": text})
	must(t, err)
	return "\n---\n" + string(out)
}

func secretText(t *testing.T, objects []object, name string) map[string]string {
	t.Helper()
	return named[*corev1.Secret](t, objects, name).StringData
}

// named is the object of a type that has the name.
func named[T metav1.Object](t *testing.T, objects []object, name string) (found T) {
	t.Helper()
	for _, o := range objects {
		if v, ok := o.value.(T); ok && v.GetName() == name {
			return v
		}
	}
	t.Fatalf("there is no %T %s", found, name)
	return found
}

// selfSigned is a certificate for this machine and its key, as a Secret of type
// kubernetes.io/tls holds them.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	must(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

func configMap(t *testing.T, objects []object, name string) map[string]string {
	t.Helper()
	return named[*corev1.ConfigMap](t, objects, name).Data
}
