package collector

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/collector/zipkin"
)

// recorded is a post of a real Envoy.
type recorded struct {
	Path   string `json:"path"`
	Type   string `json:"content_type"`
	Body   string `json:"body"`
	Base64 string `json:"body_base64"`
	body   []byte
}

func readRecorded(t testing.TB, file string) []recorded {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []recorded
	for lines := bufio.NewReader(f); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return all
		}
		var r recorded
		if err == nil {
			err = json.Unmarshal(line, &r)
		}
		if err != nil {
			t.Fatal(err)
		}
		r.body = []byte(r.Body)
		if r.Base64 != "" {
			if r.body, err = base64.StdEncoding.DecodeString(r.Base64); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, r)
	}
}

// TestPostsOfRealEnvoys sends what Envoys were recorded to post, chunked as
// they do it, the misdirected ones to the path they were misdirected to.
func TestPostsOfRealEnvoys(t *testing.T) {
	files, err := filepath.Glob("zipkin/testdata/*.ndjson")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			w := &recorder{}
			reg := prometheus.NewPedanticRegistry()
			srv := serve(t, New(w, Options{Registerer: reg}).ZipkinHandler(ZipkinOptions{}))
			for _, post := range readRecorded(t, file) {
				got := send(t, srv.Client(), srv.URL+post.Path, io.MultiReader(bytes.NewReader(post.body)), "Content-Type", post.Type)
				if got.StatusCode != http.StatusAccepted {
					t.Errorf("got %s", got.Status)
				}
			}
			if w.len() == 0 || sum(t, reg, "spandrel_collector_spans_accepted_total") != float64(w.len()) {
				t.Errorf("%d spans stored, not as many counted", w.len())
			}
			for i := range w.spans {
				if s := &w.spans[i]; s.Kind == spandrel.KindNone || s.Duration == 0 || len(s.Tags) < 10 || len(s.Events) != 1 || s.Flags&spandrel.FlagNoStart != 0 {
					t.Errorf("not Envoy's: %s", show(s))
				}
			}
		})
	}
}

// nothing is a storage.Writer that forgets.
type nothing struct{}

func (nothing) Write(context.Context, []spandrel.Span) error { return nil }

// blank is a ResponseWriter that costs nothing.
type blank struct{ header http.Header }

func (b *blank) Header() http.Header         { return b.header }
func (b *blank) Write(p []byte) (int, error) { return len(p), nil }
func (b *blank) WriteHeader(int)             {}

// BenchmarkPost compares the handler with what no handler can do without:
// reading a body, and reading and decoding one. A post is Envoy's, of 5 spans.
func BenchmarkPost(b *testing.B) {
	post := readRecorded(b, "zipkin/testdata/bookinfo.ndjson")[0]
	spans, _, err := new(zipkin.Decoder).JSON(post.body, false)
	if err != nil {
		b.Fatal(err)
	}
	handlers := []struct {
		name string
		http.Handler
	}{
		{"discard", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusAccepted)
		})},
		{"decode", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			buf := bytes.NewBuffer(make([]byte, 0, 16<<10))
			buf.ReadFrom(r.Body)
			if _, _, err := new(zipkin.Decoder).JSON(buf.Bytes(), false); err != nil {
				b.Error(err)
			}
			w.WriteHeader(http.StatusAccepted)
		})},
		{"collector", New(nothing{}, Options{Registerer: prometheus.NewRegistry()}).ZipkinHandler(ZipkinOptions{})},
	}
	perSpan := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(spans)), "ns/span")
	}
	for _, h := range handlers {
		b.Run("direct/"+h.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(post.body)))
			w := &blank{http.Header{}}
			r := httptest.NewRequest(http.MethodPost, post.Path, nil)
			r.ContentLength = -1
			for b.Loop() {
				r.Body = io.NopCloser(bytes.NewReader(post.body))
				h.ServeHTTP(w, r)
			}
			perSpan(b)
		})
	}
	for _, h := range handlers {
		b.Run("loopback/"+h.name, func(b *testing.B) { benchmarkLoopback(b, h, post); perSpan(b) })
	}
}

// benchmarkLoopback posts over one connection; what the sender costs is in it.
func benchmarkLoopback(b *testing.B, h http.Handler, post recorded) {
	srv := httptest.NewServer(h)
	defer srv.Close()
	b.ReportAllocs()
	b.SetBytes(int64(len(post.body)))
	for b.Loop() {
		resp, err := srv.Client().Post(srv.URL+post.Path, "application/json", io.MultiReader(bytes.NewReader(post.body)))
		if err != nil || resp.StatusCode != http.StatusAccepted {
			b.Fatal(resp, err)
		}
		resp.Body.Close()
	}
}
