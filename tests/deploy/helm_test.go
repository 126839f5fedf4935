package deploy

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

const chart = "../../deploy/helm/spandrel"

// helm renders the chart as helm install would into istio-system; the notes are
// apart.
func helm(t *testing.T, values string) (manifest, notes string, err error) {
	t.Helper()
	c, err := loader.LoadDir(chart)
	must(t, err)
	var v map[string]any
	must(t, yaml.Unmarshal([]byte(values), &v))
	all, err := chartutil.ToRenderValues(c, v, chartutil.ReleaseOptions{Name: "spandrel", Namespace: "istio-system", IsInstall: true}, nil)
	if err != nil {
		return "", "", err // what the schema says of them
	}
	files, err := engine.Engine{Strict: true}.Render(c, all)
	must(t, err)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		switch {
		case strings.HasSuffix(name, "NOTES.txt"):
			notes = files[name]
		case strings.HasSuffix(name, ".yaml"):
			manifest += "\n---\n" + files[name]
		}
	}
	return manifest, notes, nil
}

func TestHelmLintFindsNothing(t *testing.T) {
	for _, m := range lint.AllWithKubeVersion(chart, nil, "istio-system", nil).Messages {
		if m.Severity > support.InfoSev {
			t.Error(m)
		}
	}
}

func TestChartRendersWhatKubernetesTakes(t *testing.T) {
	tests := []struct {
		name, values string
		want         []string // in the manifest
	}{
		{name: "defaults", want: []string{"image: ghcr.io/spandrel/spandrel:latest", "storage: 10Gi", "--query.base-path=/jaeger"}},
		{name: "everything", values: `
image: {repository: registry.example.com/spandrel, tag: v1}
imagePullSecrets: [{name: pull}]
retention: {age: 24h, maxBytes: 5GiB}
persistence: {storageClass: fast, size: 50Gi}
auth: {existingSecret: who, keys: [basic, token]}
tls: {existingSecret: cert, listeners: [zipkin, otlp-grpc, otlp-http, query-http, query-grpc, admin, health, metrics]}
env: {LOG_LEVEL: debug}
extraArgs: [--badger.sync=100ms]
networkPolicy: {from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]}
metrics: {serviceMonitor: true, prometheusRule: true, labels: {release: prometheus}}
dashboard: true
podAnnotations: {a: b}
podLabels: {c: d}
nodeSelector: {disk: ssd}
tolerations: [{key: a, operator: Exists}]
affinity: {nodeAffinity: {}}
priorityClassName: high`,
			want: []string{"image: registry.example.com/spandrel:v1", "--badger.max-bytes=5GiB", "--query.auth.token-file=/secrets/auth/token",
				"--collector.zipkin.tls.enabled", "--collector.otlp.grpc.tls.enabled", "--collector.otlp.http.tls.cert=/secrets/tls/tls.crt", "--query.grpc.tls.key=/secrets/tls/tls.key", "storageClassName: fast", "--healthcheck.http.tls.cert=/secrets/tls/tls.crt", "--metrics.http.tls.enabled",
				"prometheus.io/scheme: https", "scheme: HTTPS", "insecureSkipVerify: true", "ADMIN_HTTP_TLS_ENABLED", "alert: SpandrelDown", "grafana_dashboard"}},
		{name: "nothing lasting, names of its own", values: "{jaegerNames: false, persistence: {enabled: false}, networkPolicy: {enabled: false}}",
			want: []string{"emptyDir: {}", "port: 16685"}},
		{name: "a claim that is there", values: "persistence: {existingClaim: mine}", want: []string{"claimName: mine"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			manifest, notes, err := helm(t, tt.values)
			must(t, err)
			objects := decode(t, manifest)
			for _, want := range tt.want {
				if !strings.Contains(manifest, want) {
					t.Errorf("no %q in\n%s", want, manifest)
				}
			}
			template := podTemplate(t, objects)
			restricted(t, template.Spec)
			selected(t, objects, template)
			if strings.TrimSpace(notes) == "" {
				t.Error("there are no notes")
			}
		})
	}
}

// selected wants all selectors of Services, policies and the workload to hit
// the pod, and every volume that is mounted to be there.
func selected(t *testing.T, objects []object, template corev1.PodTemplateSpec) {
	t.Helper()
	volumes := map[string]bool{}
	for _, v := range template.Spec.Volumes {
		volumes[v.Name] = true
	}
	for _, o := range objects {
		switch v := o.value.(type) {
		case *corev1.Service:
			for k, want := range v.Spec.Selector {
				if template.Labels[k] != want {
					t.Errorf("Service %s does not select the pod", v.Name)
				}
			}
			for _, p := range v.Spec.Ports {
				if portOf(template.Spec.Containers[0], p.TargetPort.String()) == 0 {
					t.Errorf("Service %s, port %s: the pod has none of that name", v.Name, p.Name)
				}
			}
		case *appsv1.StatefulSet:
			for _, c := range v.Spec.VolumeClaimTemplates {
				volumes[c.Name] = true
			}
			for k, want := range v.Spec.Selector.MatchLabels {
				if template.Labels[k] != want {
					t.Errorf("the StatefulSet does not select its pod by %s", k)
				}
			}
		}
	}
	for _, m := range template.Spec.Containers[0].VolumeMounts {
		if !volumes[m.Name] {
			t.Errorf("there is no volume %s", m.Name)
		}
	}
}

// TestChartKnowsEveryListener that the program has: TLS for it, its port among
// the pod's and in the NetworkPolicy.
func TestChartKnowsEveryListener(t *testing.T) {
	var schema struct {
		Properties struct {
			TLS struct {
				Properties struct {
					Listeners struct {
						Items struct{ Enum []string }
					}
				}
			}
		}
	}
	must(t, json.Unmarshal([]byte(read(t, chart+"/values.schema.json")), &schema))
	values, err := yaml.Marshal(map[string]any{"tls": map[string]any{"existingSecret": "cert", "listeners": schema.Properties.TLS.Properties.Listeners.Items.Enum}})
	must(t, err)
	manifest, _, err := helm(t, string(values))
	must(t, err)
	flag := regexp.MustCompile(`--[a-z.]+\.tls\.enabled`)
	got, want := flag.FindAllString(manifest, -1), flag.FindAllString(read(t, "../../docs/reference.md"), -1)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("got TLS by %q, want %q", got, want)
	}
	for name, text := range map[string]string{"chart": manifest, "manifest": read(t, istio+"spandrel.yaml")} {
		objects := decode(t, text)
		pod := containerPorts(podTemplate(t, objects).Spec.Containers[0])
		var allowed []int
		for _, o := range objects {
			if p, ok := o.value.(*networkingv1.NetworkPolicy); ok {
				for _, rule := range p.Spec.Ingress {
					for _, port := range rule.Ports {
						allowed = append(allowed, port.Port.IntValue())
					}
				}
			}
		}
		slices.Sort(allowed)
		if !slices.Equal(pod, allowed) || len(pod) != len(want) {
			t.Errorf("%s: the pod has the ports %v, its NetworkPolicy %v, and %d listeners", name, pod, allowed, len(want))
		}
	}
}

func TestSchemaRefusesWrongValues(t *testing.T) {
	for _, values := range []string{
		"retension: {age: 1h}",
		"retention: {age: 3 days}",
		"auth: {existingSecret: s, keys: [password]}",
		"tls: {listeners: [grpc]}",
		"basePath: jaeger",
		"podDisruptionBudget: {maxUnavailable: 2}",
		"image: {pullPolicy: Sometimes}",
		"env: {A: 1}",
	} {
		if _, _, err := helm(t, values); err == nil {
			t.Errorf("%s is taken", values)
		}
	}
}
