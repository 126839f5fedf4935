package deploy

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	mesh "istio.io/api/mesh/v1alpha1"
	telemetry "istio.io/api/telemetry/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// object is a document of a manifest in its type.
type object struct {
	Kind, Namespace, Name string
	value                 any
	Text                  string // its fields as JSON, to compare
}

func (o object) name() string { return o.Kind + " " + o.Namespace + "/" + o.Name }

// kinds are all kinds that manifests here are of.
var kinds = map[string]func() any{
	"apps/v1 Deployment":                 func() any { return new(appsv1.Deployment) },
	"apps/v1 StatefulSet":                func() any { return new(appsv1.StatefulSet) },
	"v1 Service":                         func() any { return new(corev1.Service) },
	"v1 ServiceAccount":                  func() any { return new(corev1.ServiceAccount) },
	"v1 ConfigMap":                       func() any { return new(corev1.ConfigMap) },
	"v1 Secret":                          func() any { return new(corev1.Secret) },
	"v1 Pod":                             func() any { return new(corev1.Pod) },
	"networking.k8s.io/v1 NetworkPolicy": func() any { return new(networkingv1.NetworkPolicy) },
	"policy/v1 PodDisruptionBudget":      func() any { return new(policyv1.PodDisruptionBudget) },
	"kustomize.config.k8s.io/v1beta1 Kustomization": func() any { return new(types.Kustomization) },
	"kustomize.config.k8s.io/v1alpha1 Component":    func() any { return new(types.Kustomization) },
	"install.istio.io/v1alpha1 IstioOperator":       func() any { return new(istioOperator) },
	"telemetry.istio.io/v1 Telemetry":               func() any { return new(telemetryResource) },
	"monitoring.coreos.com/v1 ServiceMonitor":       func() any { return new(serviceMonitor) },
	"monitoring.coreos.com/v1 PrometheusRule":       func() any { return new(prometheusRule) },
	"kiali.io/v1alpha1 Kiali":                       func() any { return new(kialiResource) },
}

// decode gives the documents in their types. A field that a type does not have,
// and a kind that is not listed, is an error.
func decode(t *testing.T, text string) (objects []object) {
	t.Helper()
	for doc := range strings.SplitSeq("\n"+text, "\n---\n") {
		var head struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			Metadata   struct {
				Name      string `json:"name"`
				Namespace string `json:"namespace"`
			} `json:"metadata"`
		}
		if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		if head.Kind == "" {
			continue // comments alone
		}
		o := object{Kind: head.Kind, Namespace: head.Metadata.Namespace, Name: head.Metadata.Name}
		make, ok := kinds[head.APIVersion+" "+head.Kind]
		if !ok {
			t.Fatalf("%s %s is not a kind that the tests know", head.APIVersion, head.Kind)
		}
		o.value = make()
		if err := yaml.UnmarshalStrict([]byte(doc), o.value); err != nil {
			t.Fatalf("%s: %v", o.name(), err)
		}
		fields, err := json.Marshal(o.value)
		if err != nil {
			t.Fatal(err)
		}
		o.Text = string(fields)
		objects = append(objects, o)
	}
	return objects
}

type meta struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
}

type istioOperator struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   meta   `json:"metadata,omitempty"`
	Spec       struct {
		MeshConfig istioMessage[mesh.MeshConfig, *mesh.MeshConfig] `json:"meshConfig"`
	} `json:"spec"`
}

type telemetryResource struct {
	APIVersion string                                                  `json:"apiVersion"`
	Kind       string                                                  `json:"kind"`
	Metadata   meta                                                    `json:"metadata"`
	Spec       istioMessage[telemetry.Telemetry, *telemetry.Telemetry] `json:"spec"`
}

// istioMessage decodes one of Istio's protocol buffers from JSON, strictly.
type istioMessage[T any, P interface {
	*T
	proto.Message
}] struct{ value P }

func (m *istioMessage[T, P]) UnmarshalJSON(text []byte) error {
	m.value = new(T)
	return protojson.Unmarshal(text, m.value)
}

func (m istioMessage[T, P]) MarshalJSON() ([]byte, error) { return protojson.Marshal(m.value) }

// serviceMonitor and prometheusRule are the Prometheus operator's, as far as
// they are used here.
type serviceMonitor struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   meta   `json:"metadata"`
	Spec       struct {
		Selector struct {
			MatchLabels map[string]string `json:"matchLabels"`
		} `json:"selector"`
		Endpoints []struct {
			Port      string `json:"port"`
			Path      string `json:"path"`
			Scheme    string `json:"scheme,omitempty"`
			TLSConfig struct {
				InsecureSkipVerify bool `json:"insecureSkipVerify"`
			} `json:"tlsConfig,omitzero"`
		} `json:"endpoints"`
	} `json:"spec"`
}

type prometheusRule struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   meta     `json:"metadata"`
	Spec       ruleFile `json:"spec"`
}

// kialiTracing are the keys of Kiali's external_services.tracing that are used
// here; Kiali ignores others without a word.
type kialiTracing struct {
	Enabled     bool   `json:"enabled"`
	Provider    string `json:"provider"`
	UseGRPC     bool   `json:"use_grpc"`
	InternalURL string `json:"internal_url"`
	ExternalURL string `json:"external_url"`
	Auth        struct {
		Type     string `json:"type,omitempty"`
		Username string `json:"username,omitempty"`
		Password string `json:"password,omitempty"`
	} `json:"auth,omitzero"`
}

type kialiSettings struct {
	ExternalServices struct {
		Tracing kialiTracing `json:"tracing"`
	} `json:"external_services"`
}

type kialiResource struct {
	APIVersion string        `json:"apiVersion"`
	Kind       string        `json:"kind"`
	Metadata   meta          `json:"metadata"`
	Spec       kialiSettings `json:"spec"`
}

// TestEveryManifestDecodes wants all YAML of deploy/istio to be what the API
// server, Istio, Kiali and kustomize take, and settings inside strings too.
func TestEveryManifestDecodes(t *testing.T) {
	files := 0
	err := filepath.WalkDir(istio, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".yaml" {
			return err
		}
		files++
		t.Run(strings.TrimPrefix(name, istio), func(t *testing.T) {
			objects := decode(t, read(t, name))
			if len(objects) == 0 {
				t.Error("it holds nothing")
			}
			for _, o := range objects {
				checkInside(t, o)
			}
		})
		return nil
	})
	if err != nil || files < 10 {
		t.Errorf("got %d files, %v", files, err)
	}
}

// checkInside decodes what objects hold as text.
func checkInside(t *testing.T, o object) {
	t.Helper()
	switch v := o.value.(type) {
	case *corev1.ConfigMap:
		for name, text := range v.Data {
			switch {
			case o.Name == "kiali":
				must(t, yaml.UnmarshalStrict([]byte(text), new(kialiSettings)))
			case strings.HasSuffix(name, ".json"):
				must(t, json.Unmarshal([]byte(text), new(map[string]any)))
			default:
				must(t, yaml.UnmarshalStrict([]byte(text), new(map[string]any)))
			}
		}
	case *appsv1.Deployment:
		if text := v.Spec.Template.Annotations["proxy.istio.io/config"]; text != "" {
			asJSON, err := yaml.YAMLToJSONStrict([]byte(text))
			must(t, err)
			must(t, protojson.Unmarshal(asJSON, new(mesh.ProxyConfig)))
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	must(t, err)
	return string(text)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, text, 0o755))
}

var build struct {
	once sync.Once
	err  error
	out  bytes.Buffer
}

// spandrel is the program, built for this run.
func spandrel(t *testing.T) string {
	t.Helper()
	const name = "bin/spandrel"
	build.once.Do(func() {
		cmd := exec.Command("go", "-C", "../..", "build", "-o", "tests/deploy/"+name, "./cmd/spandrel")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		cmd.Stdout, cmd.Stderr = &build.out, &build.out
		build.err = cmd.Run()
	})
	if build.err != nil {
		t.Fatalf("spandrel cannot be built: %v\n%s", build.err, build.out.Bytes())
	}
	path, err := filepath.Abs(name)
	must(t, err)
	return path
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
