package peers

import (
	"cmp"
	"fmt"
	"maps"
	"math/bits"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// wantPage is the user's page where the mesh traces so.
func wantPage(user string, tr tracing) string {
	if !tr.SpawnUpstream {
		return pages[user]
	}
	first, rest, _ := strings.Cut(strings.TrimSpace(pages[user]), "\n")
	return "\n" + strings.Replace(first, "client", "server", 1) + "\n  " +
		strings.Replace(first, "productpage", "router/productpage", 1) + "\n  " + strings.ReplaceAll(rest, "\n", "\n  ") + "\n"
}

// checkTrace compares the trace with the user's page, and with what the
// services know of it.
func (m *mesh) checkTrace(t *testing.T, v *visit, tr tracing, began time.Time) {
	t.Helper()
	servers := m.checkPage(t, v, tr, func(p *pod, span *shownSpan) { m.checkSpan(t, v, p, span) })
	for i, h := range v.hops {
		m.checkHop(t, v, h, servers[i], tr)
	}
	now := time.Now()
	for _, span := range v.trace.Spans {
		if span.Start < began.UnixMicro() || span.End <= span.Start || span.End > now.UnixMicro() {
			t.Errorf("span %s is from %d to %d µs, the test from %d to %d", span.ID, span.Start, span.End, began.UnixMicro(), now.UnixMicro())
		}
		if span.Flags != 0 || span.Warnings != nil {
			t.Errorf("span %s has flags %d and warnings %q", span.ID, span.Flags, span.Warnings)
		}
	}
}

// checkPage compares the tree of the trace's spans with the user's page, has
// each span checked, and returns the called sides, one for each hop.
func (m *mesh) checkPage(t *testing.T, v *visit, tr tracing, check func(*pod, *shownSpan)) (servers []*shownSpan) {
	t.Helper()
	var page strings.Builder
	v.trace.walk("", 0, func(depth int, span *shownSpan) {
		p := m.podOf(span)
		if p == nil {
			t.Fatalf("trace %s: span of no pod: %+v", v.trace.ID, span)
		}
		if span.Tags["span.kind"] == "server" && p.Sidecar() {
			servers = append(servers, span)
		}
		fmt.Fprintln(&page, strings.Repeat("  ", depth)+line(p, span))
		check(p, span)
	})
	if diff := gocmp.Diff(wantPage(v.user, tr), "\n"+page.String()); diff != "" {
		t.Fatalf("trace %s of %s, want (-) and got (+):\n%s", v.trace.ID, v.user, diff)
	}
	if len(servers) != len(v.hops) {
		t.Fatalf("trace %s: %d spans of servers for %d calls", v.trace.ID, len(servers), len(v.hops))
	}
	return servers
}

// walk visits the spans below a parent, depth first, siblings by start. Spans
// whose parent is not there are not visited.
func (tr *shownTrace) walk(parent string, depth int, visit func(int, *shownSpan)) {
	var children []*shownSpan
	for _, span := range tr.Spans {
		if span.Parent == parent {
			children = append(children, span)
		}
	}
	slices.SortFunc(children, func(a, b *shownSpan) int { return cmp.Compare(a.Start, b.Start) })
	for _, span := range children {
		visit(depth, span)
		tr.walk(span.ID, depth+1, visit)
	}
}

// podOf is the pod whose Envoy made the span. The gateway's spans of what it
// sends to others do not say.
func (m *mesh) podOf(span *shownSpan) *pod {
	i := slices.IndexFunc(m.pods, func(p *pod) bool {
		return p.NodeID() == span.Tags["node_id"] || isEgress(span) && p.Service() == span.Service
	})
	if i < 0 {
		return nil
	}
	return m.pods[i]
}

// isEgress tells the gateway's spans of what it sends to others.
func isEgress(span *shownSpan) bool {
	return span.Name == "router "+text(span, "upstream_cluster")+" egress"
}

// line is the span's line of a page.
func line(p *pod, span *shownSpan) string {
	from := p.App
	if p.Sidecar() {
		from += "-" + p.Version
	}
	app, _ := strings.CutSuffix(span.Name, ".default.svc.cluster.local:9080/*")
	cluster := strings.Split(text(span, "upstream_cluster")+"|||", "|")
	if isEgress(span) {
		app = "router/" + strings.TrimSuffix(cluster[3], ".default.svc.cluster.local")
	}
	if subset := cluster[2]; subset != "" {
		app += "|" + subset
	}
	text := fmt.Sprint(from, " ", span.Tags["span.kind"], " ", app, " ", span.Tags["http.status_code"], " ", span.Tags["response_flags"])
	if span.Tags["error"] == true {
		text += " error"
	}
	return text
}

// checkHop compares the span of a call at the called side, and the one at the
// calling side above it, with the headers that the service was called with.
//
// In protobuf, Envoy has the bytes of span ids backwards, but not those of trace
// ids. Nobody can tell from the spans alone; they are shown as they were sent.
func (m *mesh) checkHop(t *testing.T, v *visit, h hop, server *shownSpan, tr tracing) {
	t.Helper()
	type ids struct{ Pod, URL, RequestID, Trace, Span, Parent string }
	want := ids{h.pod.name, h.url, h.requestID, h.traceID, h.spanID, h.parent}
	client := v.trace.Spans[server.Parent]
	got := ids{m.podOf(server).name, text(server, "http.url"), text(server, "guid:x-request-id"), v.trace.ID, server.ID, client.ID}
	if tr.Encoding == "HTTP_PROTO" {
		want.Span, want.Parent = backwards(h.spanID), backwards(h.parent)
	}
	if tr.Shared {
		// The id is the client's half's, and the server's half is shown below it
		// under another. The parent is what the client's half was sent with: the
		// id of the next half above that has kept its own.
		above := v.trace.Spans[client.Parent]
		if above != nil {
			above = v.trace.Spans[above.Parent]
		}
		got.Span, got.Parent = client.ID, ""
		if above != nil {
			got.Parent = above.ID
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("trace %s of %s: call of %s as seen there (-) and shown (+):\n%s", v.trace.ID, v.user, h.pod.name, diff)
	}
}

// backwards turns the bytes of a span id around.
func backwards(id string) string {
	n, err := strconv.ParseUint(id, 16, 64)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%016x", bits.ReverseBytes64(n))
}

func text(span *shownSpan, tag string) string { return fmt.Sprint(span.Tags[tag]) }

// checkSpan compares the tags and logs with all that is known of them. Those
// that are in the page's line have been looked at.
func (m *mesh) checkSpan(t *testing.T, v *visit, p *pod, span *shownSpan) {
	t.Helper()
	app, _ := strings.CutSuffix(span.Name, ".default.svc.cluster.local:9080/*")
	page, _, _ := strings.Cut(v.hops[0].url, "?")
	url, agent := "http://"+app+":9080/"+app+"/"+path.Base(page), "bookinfo"
	if app == "productpage" {
		url, agent = v.hops[0].url, "curl/8.5.0"
	}
	cluster := strings.Split(text(span, "upstream_cluster")+"||", "|")
	upstream, event, served := "outbound|9080|"+cluster[2]+"|"+app+".default.svc.cluster.local", "cr", p
	if span.Tags["span.kind"] == "server" {
		event = "ss"
	}
	if event == "ss" && p.Sidecar() {
		upstream = "inbound|9080||"
	} else if i := slices.IndexFunc(m.pods, func(p *pod) bool { return p.Inbound == m.clusters()[upstream] }); i >= 0 {
		served = m.pods[i]
	}
	want := map[string]any{
		"component": "proxy", "node_id": p.NodeID(), "net.host.ip": hostIP(t, span),
		"istio.canonical_service": p.App, "istio.canonical_revision": p.Version, "istio.namespace": p.Namespace,
		"istio.cluster_id": "Kubernetes", "istio.mesh_id": "cluster.local", "colour": "blue", "user": v.user,
		"guid:x-request-id": v.hops[0].requestID, "http.url": url, "http.method": "GET", "http.protocol": "HTTP/1.1",
		"user_agent": agent, "downstream_cluster": "-", "peer.address": "127.0.0.1", "request_size": "0",
		"upstream_cluster": upstream, "upstream_cluster.name": upstream,
		"response_size": strconv.Itoa(len(pageOf(served))),
	}
	for _, key := range []string{"span.kind", "http.status_code", "response_flags"} {
		want[key] = span.Tags[key]
	}
	if span.Tags["error"] == true {
		want["error"], want["otel.status_code"] = true, "ERROR"
	}
	if text(span, "response_flags") != "-" { // nobody answered, or Envoy itself
		want["response_size"] = span.Tags["response_size"]
	}
	if isEgress(span) {
		for _, key := range []string{"node_id", "guid:x-request-id", "http.url", "http.method", "user_agent",
			"downstream_cluster", "request_size", "response_size"} {
			delete(want, key)
		}
		address := m.pods[1].Inbound
		want["peer.address"], want["upstream_address"] = address, address
		want["upstream_cluster"] = "outbound|9080||productpage.default.svc.cluster.local"
		want["upstream_cluster.name"] = want["upstream_cluster"]
	}
	if diff := gocmp.Diff(want, span.Tags); diff != "" {
		t.Errorf("trace %s of %s: tags of %s, want (-) and got (+):\n%s", v.trace.ID, v.user, line(p, span), diff)
	}
	if len(span.Logs) != 1 || !maps.Equal(span.Logs[0].Fields, map[string]any{"event": event}) || span.Logs[0].Time < span.Start {
		t.Errorf("trace %s of %s: %s has logs %v, want the event %s", v.trace.ID, v.user, line(p, span), span.Logs, event)
	}
}

// hostIP is the address that Envoy took for its own, whichever it is.
func hostIP(t *testing.T, span *shownSpan) string {
	t.Helper()
	ip, err := netip.ParseAddr(text(span, "net.host.ip"))
	if err != nil {
		t.Errorf("span %s: net.host.ip: %v", span.ID, err)
	}
	return ip.String()
}
