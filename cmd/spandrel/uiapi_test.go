package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/query"
	"github.com/spandrel/spandrel/query/uiapi"
	"github.com/spandrel/spandrel/storage/badger"
	"github.com/spandrel/spandrel/storage/storagetest"
)

// The counters of the status page and its tail move when spans are posted.
func TestTheUISeesWhatIsPosted(t *testing.T) {
	p := start(t, t.TempDir(), "--query.base-path=/jaeger")
	api := p.url("query API and page") + "/jaeger" + uiapi.Prefix
	get := func(path string, into any) {
		t.Helper()
		resp, err := http.Get(api + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", path, resp.Status, err)
		}
	}
	post := func(path string, want int) {
		t.Helper()
		resp, err := http.Post(p.url("zipkin collector")+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != want {
			t.Fatalf("got %s for a post to %s, want %d", resp.Status, path, want)
		}
	}
	var first, second struct {
		Cursor string
		Traces []struct{ Services []struct{ Name string } }
	}
	get("/tail", &first)
	post("/api/v2/spans", http.StatusAccepted)
	get("/tail?cursor="+first.Cursor, &second)
	if len(second.Traces) != 1 || second.Traces[0].Services[0].Name != "drained" {
		t.Errorf("tail: %+v", second)
	}
	post("/api/v3/spans", http.StatusNotFound)
	var status struct {
		Ready     bool
		Listeners []uiapi.Listener
		Ingest    uiapi.Ingest
		Store     struct {
			Kind            string
			Spans, Services int
			Bytes           int64
			Newest          int64
		}
	}
	get("/status", &status)
	in := status.Ingest
	if in.Received != 1 || in.Accepted != 1 || len(in.Services) != 1 || in.Services[0] != (uiapi.ServiceIngest{Service: "drained", Format: "zipkin_json_v2", Accepted: 1}) ||
		len(in.Misdirected) != 1 || in.Misdirected[0].Path != "/api/v3/spans" {
		t.Errorf("ingest: %+v", in)
	}
	if st := status.Store; !status.Ready || st.Kind != "badger" || st.Spans != 1 || st.Services != 1 || st.Newest == 0 || len(status.Listeners) < 5 {
		t.Errorf("status: %+v", status)
	}
	if last := status.Listeners[len(status.Listeners)-1]; last.Open || !strings.HasPrefix(last.Name, "Jaeger's own collector protocols") {
		t.Errorf("got %+v, want what is not received", last)
	}
	resp, err := http.Get(p.url("metrics") + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if want := `route="/api/ui/v1/status",status="200"`; err != nil || !strings.Contains(string(text), want) {
		t.Errorf("no metric has %s, %v", want, err)
	}
	if err := p.term(); err != nil {
		t.Error(err)
	}
}

// uiServer answers the UI from a Badger store in which the spans are in
// segments.
func uiServer(b *testing.B, batches ...[]spandrel.Span) *httptest.Server {
	b.Helper()
	dir := b.TempDir()
	store, err := badger.Open(dir, badger.Options{SyncInterval: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	for _, spans := range batches {
		for len(spans) > 0 {
			n := min(5000, len(spans))
			if err := store.Write(b.Context(), spans[:n]); err != nil {
				b.Fatal(err)
			}
			spans = spans[n:]
		}
	}
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}
	if store, err = badger.Open(dir, badger.Options{}); err != nil {
		b.Fatal(err)
	}
	svc := query.New(store, query.Options{})
	server := httptest.NewServer(uiapi.Handler(svc, uiapi.Options{}))
	b.Cleanup(func() { server.Close(); store.Close() })
	return server
}

// fetch gets an answer as it comes over the wire, gzipped.
func fetch(b *testing.B, server *httptest.Server, path string) []byte {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL+uiapi.Prefix+path, nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "gzip")
	resp, err := server.Client().Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.Fatalf("%s: %s, %v", path, resp.Status, err)
	}
	return body
}

func measure(b *testing.B, server *httptest.Server, path string) {
	var body []byte
	for b.Loop() {
		body = fetch(b, server, path)
	}
	b.ReportMetric(float64(len(body)), "wire-B")
	if z, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
		n, _ := io.Copy(io.Discard, z)
		b.ReportMetric(float64(n), "plain-B")
	}
}

// BenchmarkUITrace opens a large trace, looks at two of its spans and searches
// in it. With -short there is none of a million spans.
func BenchmarkUITrace(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
		if testing.Short() && n > 100_000 {
			continue
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			spans := storagetest.NewGenerator(1, storagetest.GeneratorOptions{}).Large(n)
			id, ids := spans[0].TraceID, fmt.Sprintf("%v,%v", spans[n/2].ID, spans[n/3].ID)
			server := uiServer(b, spans)
			trace := "/traces/" + id.String()
			b.Run("skeleton", func(b *testing.B) { measure(b, server, trace+"/skeleton") })
			b.Run("spans", func(b *testing.B) { measure(b, server, trace+"/spans?ids="+ids) })
			b.Run("find", func(b *testing.B) { measure(b, server, trace+"/find?q=URX") })
			b.Run("summary", func(b *testing.B) { measure(b, server, "/search?traceID="+id.String()) })
		})
	}
}

// BenchmarkUISearch asks for lists of traces and statistics of 200,000 spans.
func BenchmarkUISearch(b *testing.B) {
	g := storagetest.NewGenerator(2, storagetest.GeneratorOptions{})
	var batches [][]spandrel.Span
	for n := 0; n < 200_000; {
		batch := g.NextBatch()
		batches = append(batches, batch)
		n += len(batch)
	}
	server := uiServer(b, batches...)
	at := fmt.Sprintf("start=%d&end=%d", storagetest.Epoch.Add(-time.Hour).UnixMicro(), storagetest.Epoch.Add(24*time.Hour).UnixMicro())
	for _, q := range []struct{ name, path string }{
		{"20", "/search?limit=20&"},
		{"100", "/search?limit=100&"},
		{"100-service", "/search?limit=100&service=reviews.default&"},
		{"20-status", "/search?limit=20&q=http.status_code>=503&"},
		{"20-nothing", "/search?limit=20&q=response_flags~UH&"},
		{"20-errors", "/search?limit=20&errors=trace&"},
		{"keys", "/tags/keys?"},
		{"values", "/tags/values?key=http.url&"},
	} {
		b.Run(q.name, func(b *testing.B) { measure(b, server, q.path+at) })
	}
}
