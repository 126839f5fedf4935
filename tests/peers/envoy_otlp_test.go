package peers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestEnvoyOTLP has the mesh report to Spandrel by Envoy's OpenTelemetry tracer,
// as Istio's provider of the kind opentelemetry sets it up.
func TestEnvoyOTLP(t *testing.T) {
	m := newMesh(t)
	for _, row := range []struct {
		tracing
		format string
	}{
		{tracing{OTLP: "grpc", HTTP2: true}, "otlp_grpc"},
		{tracing{OTLP: "http"}, "otlp_proto"},
	} {
		t.Run(row.OTLP, func(t *testing.T) {
			data := t.TempDir()
			s := startSpandrel(t, "--badger.directory-value", data)
			collector := s.otlp
			if row.OTLP == "grpc" {
				collector = s.export
			}
			m.start(t, row.tracing, collector)
			began := time.Now()
			all := m.visitAll(t)
			spans := 0
			for _, v := range all {
				spans += strings.Count(wantPage(v.user, row.tracing), "\n") - 1
			}
			eventually(t, "Envoys report all spans", func() error {
				if stored := s.metrics(t).sum("spandrel_store_spans_total"); stored != spans {
					return fmt.Errorf("%d stored, where %d were made", stored, spans)
				}
				return nil
			})
			for _, v := range all {
				v.trace = s.trace(t, v.hops[0].traceID)
				m.checkOTLP(t, v, row.tracing, began)
			}
			checkSearch(t, s, all)
			checkLog(t, s, row.tracing)
			after := s.metrics(t)
			for name, label := range map[string]string{
				"spandrel_collector_spans_received_total": "", "spandrel_collector_spans_accepted_total": `format="` + row.format + `"`,
				"spandrel_store_spans_total": "", "otelcol_receiver_accepted_spans_total": `receiver="otlp"`,
			} {
				if got := after.sum(name, label); got != spans {
					t.Errorf("%s{%s} is %d, want %d", name, label, got, spans)
				}
			}
			if posts := after.sum(postsMetric); posts == 0 || after.sum(postsMetric, `status="200"`) != posts {
				t.Errorf("of %d posts not all succeeded", posts)
			}

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

// checkOTLP compares the trace with the user's page, and the called sides with
// the headers that the services saw.
func (m *mesh) checkOTLP(t *testing.T, v *visit, tr tracing, began time.Time) {
	t.Helper()
	servers := m.checkPage(t, v, tr, func(p *pod, span *shownSpan) {
		for key, want := range map[string]any{
			"component": "proxy", "istio.canonical_service": p.App, "colour": "blue", "user": v.user, "guid:x-request-id": v.hops[0].requestID,
		} {
			if span.Tags[key] != want {
				t.Errorf("trace %s of %s: %s has %s=%v, want %v", v.trace.ID, v.user, line(p, span), key, span.Tags[key], want)
			}
		}
		if span.Service != p.Service() || span.Start < began.UnixMicro() || span.End <= span.Start || span.Warnings != nil {
			t.Errorf("trace %s of %s: %s is %+v", v.trace.ID, v.user, line(p, span), span)
		}
	})
	for i, h := range v.hops {
		type seen struct{ Pod, URL, RequestID, Trace, Span string }
		want := seen{h.pod.name, h.url, h.requestID, h.traceID, h.spanID}
		got := seen{m.podOf(servers[i]).name, text(servers[i], "http.url"), text(servers[i], "guid:x-request-id"), v.trace.ID, servers[i].ID}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("trace %s of %s: call of %s as seen there (-) and shown (+):\n%s", v.trace.ID, v.user, h.pod.name, diff)
		}
	}
}
