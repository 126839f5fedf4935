package deploy

import (
	"maps"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

const operate = "../../docs/operate.md"

// number is the first in the text, commas among its digits left out.
func number(t *testing.T, text string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(strings.ReplaceAll(regexp.MustCompile(`\d[\d,]*(\.\d+)?`).FindString(text), ",", ""), 64)
	if err != nil {
		t.Fatalf("there is no number in %q", text)
	}
	return n
}

// row is what the document's table row of that name says, cell by cell.
func row(t *testing.T, document, name string) []string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(name) + ` \| (.*) \|$`).FindStringSubmatch(document)
	if m == nil {
		t.Fatalf("there is no row %q", name)
	}
	return strings.Split(m[1], " | ")
}

// TestSizesAreThoseOfTheNewestBenchmark: what docs/operate.md says was measured
// must not be further than a fifth from it.
func TestSizesAreThoseOfTheNewestBenchmark(t *testing.T) {
	results, err := filepath.Glob("../../docs/benchmarks/20*.md")
	must(t, err)
	newest := read(t, slices.Max(results))
	document := read(t, operate)
	memory := regexp.MustCompile(`; (\d+ MiB with traces of 100,000 spans)`).FindStringSubmatch(document)
	if memory == nil {
		t.Fatal("docs/operate.md does not say what large traces take")
	}
	for name, said := range map[string]string{
		"CPU µs a span":                                 row(t, document, "processor")[0],
		"bytes on disk a span, stopped":                 row(t, document, "disk")[0],
		"bytes written a span":                          row(t, document, "written")[0],
		"peak RSS under load, MiB":                      row(t, document, "memory")[0],
		"peak RSS while it is posted, MiB":              memory[1],
		"spans/s without loss, generator at full speed": row(t, document, "spans a second")[0],
	} {
		measured := number(t, row(t, newest, name)[1]) // the column after Jaeger's
		if got := number(t, said); math.Abs(got-measured) > measured/5 {
			t.Errorf("docs/operate.md says %v, %s has %v for %q", got, slices.Max(results), measured, name)
		}
	}
}

// TestManifestsAskForWhatTheDocumentSays, and the document says why.
func TestManifestsAskForWhatTheDocumentSays(t *testing.T) {
	document := read(t, operate)
	said := map[string]string{}
	for _, name := range []string{"processor, request", "processor, limit", "memory, request", "memory, limit", "volume"} {
		said[name] = row(t, document, name)[0]
	}
	rendered, _, err := helm(t, "")
	must(t, err)
	for name, text := range map[string]string{"the manifest": read(t, istio+"spandrel.yaml"), "the chart": rendered} {
		var w *appsv1.StatefulSet
		for _, o := range decode(t, text) {
			if s, ok := o.value.(*appsv1.StatefulSet); ok {
				w = s
			}
		}
		asked := w.Spec.Template.Spec.Containers[0].Resources
		got := map[string]string{
			"processor, request": quantity(asked.Requests, corev1.ResourceCPU), "processor, limit": quantity(asked.Limits, corev1.ResourceCPU),
			"memory, request": quantity(asked.Requests, corev1.ResourceMemory), "memory, limit": quantity(asked.Limits, corev1.ResourceMemory),
			"volume": quantity(w.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests, corev1.ResourceStorage),
		}
		if !maps.Equal(got, said) {
			t.Errorf("%s asks for %v, docs/operate.md says %v", name, got, said)
		}
	}
	bytes := func(text string) float64 { q := resource.MustParse(text); return q.AsApproximateFloat64() }
	const mib = 1 << 20
	load := number(t, row(t, document, "memory")[0]) * mib
	if asks := bytes(said["memory, request"]); asks < load || asks > 2*load {
		t.Errorf("full load takes %.0f bytes, and %.0f are asked for", load, asks)
	}
	four := number(t, regexp.MustCompile(`\d+ MiB while four`).FindString(document)) * mib
	if bound := bytes(said["memory, limit"]); bound < four || bound > 2*four {
		t.Errorf("four very large traces take %.0f bytes, and the limit is %.0f", four, bound)
	}
	near := func(what string, got, want float64) {
		if math.Abs(got-want) > want/20 {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	near("spans a second of the request", number(t, row(t, document, "processor, request")[1]),
		bytes(said["processor, request"])/(number(t, row(t, document, "processor")[0])/1e6))
	spans := 0.8 * bytes(said["volume"]) / number(t, row(t, document, "disk")[0])
	fits := strings.Split(row(t, document, "volume")[1], ", ")[1]
	near("millions of spans in the volume", number(t, fits), spans/1e6)
	near("hours", number(t, strings.Split(fits, ": ")[1]), spans/1000/3600)
}

// quantity is none where there is none.
func quantity(list corev1.ResourceList, name corev1.ResourceName) string {
	q, ok := list[name]
	if !ok {
		return "none"
	}
	return q.String()
}
