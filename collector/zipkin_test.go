package collector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spandrel/spandrel"
)

const oneSpan = `[{"traceId":"1","id":"2","localEndpoint":{"serviceName":"web"}}]`

// post answers a post without a network.
func post(h http.Handler, path string, body io.Reader, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, body)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// untouched is a body that must not be read.
type untouched struct{ t *testing.T }

func (b untouched) Read([]byte) (int, error) {
	b.t.Error("the body was read")
	return 0, io.EOF
}

func TestRefusesBeforeReadingTheBody(t *testing.T) {
	release := make(chan struct{})
	for _, test := range []struct {
		name   string
		o      Options
		drain  bool
		length int64
		want   string
	}{
		{"too many posts", Options{MaxInFlightPosts: 1}, false, 10, "503 the collector has too many posts under way"},
		{"too many bytes", Options{MaxInFlightBytes: 100, MaxBodyBytes: 100}, false, 90, "503 the collector has too many posts under way"},
		{"too many bytes, chunked", Options{MaxInFlightBytes: firstRead, MaxBodyBytes: 100}, false, -1, "503 the collector has too many posts under way"},
		{"too large", Options{MaxBodyBytes: 100}, false, 101, "413 the body has more than 100 bytes"},
		{"shutting down", Options{}, true, 10, "503 the collector is shutting down"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &recorder{entered: make(chan struct{}), wait: release}
			c := New(w, test.o)
			h := c.ZipkinHandler(ZipkinOptions{})
			var done sync.WaitGroup
			done.Go(func() { post(h, zipkinV2, strings.NewReader(oneSpan)) })
			<-w.entered // one post waits for the store
			if test.drain {
				c.gate.drain()
			}
			r := httptest.NewRequest(http.MethodPost, zipkinV2, untouched{t})
			r.ContentLength = test.length
			got := httptest.NewRecorder()
			h.ServeHTTP(got, r)
			if text := fmt.Sprint(got.Code, " ", got.Body); !strings.HasPrefix(text, test.want) {
				t.Errorf("got %q, want %q", text, test.want)
			}
			if retry := got.Header().Get("Retry-After"); (retry == "1") != (got.Code == 503) {
				t.Errorf("Retry-After is %q", retry)
			}
			w.wait <- struct{}{}
			done.Wait()
			if w.len() != 1 {
				t.Error("the post under way was lost")
			}
		})
	}
}

func TestRefusesWhenABodyOutgrowsTheMemory(t *testing.T) {
	c := New(&recorder{}, Options{MaxInFlightBytes: 100_000, MaxBodyBytes: 100_000})
	other, err := c.gate.enter(50_000)
	if err != nil {
		t.Fatal(err)
	}
	body := io.MultiReader(strings.NewReader(strings.Repeat(" ", 70_000)), strings.NewReader(oneSpan))
	h := c.ZipkinHandler(ZipkinOptions{})
	if got := post(h, zipkinV2, body); got.Code != 503 {
		t.Errorf("got %d", got.Code)
	}
	other.leave()
	if posts, bytes := c.gate.held(); posts != 0 || bytes != 0 {
		t.Errorf("left behind: %d posts, %d bytes", posts, bytes)
	}
}

func TestDrainWaitsForPosts(t *testing.T) {
	w := &recorder{entered: make(chan struct{}), wait: make(chan struct{})}
	c := New(w, Options{})
	h := c.ZipkinHandler(ZipkinOptions{})
	var done sync.WaitGroup
	done.Go(func() {
		if got := post(h, zipkinV2, strings.NewReader(oneSpan)); got.Code != 202 {
			t.Errorf("the post under way got %d", got.Code)
		}
	})
	<-w.entered
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Drain(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("with a post under way: got %v", err)
	}
	close(w.wait)
	if err := c.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.len() != 1 {
		t.Error("drained before the post was stored")
	}
	done.Wait()
}

func TestASlowStoreCosts503(t *testing.T) {
	h := New(&recorder{wait: make(chan struct{})}, Options{WriteTimeout: time.Nanosecond}).ZipkinHandler(ZipkinOptions{})
	if got := post(h, zipkinV2, strings.NewReader(oneSpan)); got.Code != 503 || !strings.Contains(got.Body.String(), "in time") {
		t.Errorf("got %d %q", got.Code, got.Body)
	}
}

func TestWhatCameWholeIsStoredThoughTheClientIsGone(t *testing.T) {
	w := &recorder{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, zipkinV2, strings.NewReader(oneSpan))
	New(w, Options{}).ZipkinHandler(ZipkinOptions{}).ServeHTTP(httptest.NewRecorder(), r)
	if w.len() != 1 {
		t.Error("not stored")
	}
}

// failing is a body that fails after some bytes.
type failing struct {
	io.Reader
	err error
}

func (b failing) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = b.err
	}
	return n, err
}

func TestBodiesThatFail(t *testing.T) {
	zipped := encode(t, "gzip", []byte(oneSpan))
	for _, test := range []struct {
		name string
		err  error
		want int
	}{
		{"the client is gone", io.ErrUnexpectedEOF, 400},
		{"the client is too slow", fmt.Errorf("read tcp: %w", os.ErrDeadlineExceeded), 408},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &recorder{}
			h := New(w, Options{}).ZipkinHandler(ZipkinOptions{})
			if got := post(h, zipkinV2, failing{strings.NewReader(oneSpan), test.err}); got.Code != test.want {
				t.Errorf("got %d %s, want %d", got.Code, got.Body, test.want)
			}
			cut := failing{bytes.NewReader(zipped[:len(zipped)-9]), test.err}
			if got := post(h, zipkinV2, cut, "Content-Encoding", "gzip"); got.Code != test.want {
				t.Errorf("zipped: got %d %s, want %d", got.Code, got.Body, test.want)
			}
			if w.len() != 0 {
				t.Error("something was stored")
			}
		})
	}
}

func TestBombsCostBoundedMemory(t *testing.T) {
	plain := []byte(strings.Repeat(" ", 64<<20))
	for _, coding := range []string{"gzip", "zstd", "flate", "zlib"} {
		t.Run(coding, func(t *testing.T) {
			body := encode(t, coding, plain)
			header := strings.Replace(coding, "flate", "deflate", 1)
			h := New(&recorder{}, Options{MaxBodyBytes: 1 << 20}).ZipkinHandler(ZipkinOptions{})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := post(h, zipkinV2, bytes.NewReader(body), "Content-Encoding", header)
			runtime.ReadMemStats(&after)
			if got.Code != 413 {
				t.Fatalf("got %d %s", got.Code, got.Body)
			}
			// The buffer doubles to 1 MiB; a zstd reader has a window of 8 MiB.
			if cost := after.TotalAlloc - before.TotalAlloc; cost > 24<<20 {
				t.Errorf("allocated %d bytes", cost)
			}
		})
	}
}

func TestSpansAreWholeUnderConcurrency(t *testing.T) {
	w := &recorder{}
	c := New(w, Options{})
	srv := serve(t, c.ZipkinHandler(ZipkinOptions{}))
	const posts, each = 40, 25
	var senders sync.WaitGroup
	for n := range posts {
		senders.Go(func() {
			var body strings.Builder
			for i := range each {
				fmt.Fprintf(&body, `,{"traceId":"%x","id":"%x","name":"%s","timestamp":1}`, n+1, i+1, strings.Repeat(string(rune('a'+n%26)), 50+n))
			}
			raw, coding := []byte("["+body.String()[1:]+"]"), ""
			if n%2 == 0 {
				coding = []string{"gzip", "zstd", "zlib"}[n%3]
				raw = encode(t, coding, raw)
			}
			if got := send(t, srv.Client(), srv.URL+zipkinV2, bytes.NewReader(raw), "Content-Encoding", coding); got.StatusCode != http.StatusAccepted {
				t.Errorf("got %v", got.Status)
			}
		})
	}
	senders.Wait()
	seen := map[string]int{}
	for i := range w.spans {
		s := &w.spans[i]
		n := int(s.TraceID.Low) - 1
		if want := strings.Repeat(string(rune('a'+n%26)), 50+n); s.Name != want {
			t.Fatalf("span %s of post %d has the name of another", s.ID, n)
		}
		seen[s.TraceID.String()+s.ID.String()]++
	}
	if len(seen) != posts*each || len(w.spans) != posts*each {
		t.Errorf("%d spans, %d distinct, want %d", len(w.spans), len(seen), posts*each)
	}
	if posts, bytes := c.gate.held(); posts != 0 || bytes != 0 {
		t.Errorf("left behind: %d posts, %d bytes", posts, bytes)
	}
}

func TestABodyIsNotUsedAgainWhileItsSpansAre(t *testing.T) {
	var h http.Handler
	first := true
	h = New(writer(func(spans []spandrel.Span) error {
		if !first {
			return nil
		}
		first = false
		before := show(&spans[0])
		for range 20 {
			post(h, zipkinV2, strings.NewReader(strings.ReplaceAll(oneSpan, "web", "app")))
		}
		if after := show(&spans[0]); after != before {
			t.Errorf("%s became %s", before, after)
		}
		return nil
	}), Options{}).ZipkinHandler(ZipkinOptions{})
	if got := post(h, zipkinV2, strings.NewReader(oneSpan)); got.Code != 202 || first {
		t.Errorf("got %d", got.Code)
	}
}

func TestSpansCountAsMemoryUntilTheyAreStored(t *testing.T) {
	var c *Collector
	c = New(writer(func(spans []spandrel.Span) error {
		_, bytes := c.gate.held()
		if body := bytes - memory(spans); body < int64(len(oneSpan)) || body > 100 || memory(spans) < 200 {
			t.Errorf("%d bytes are held, %d of them should be the spans'", bytes, memory(spans))
		}
		return nil
	}), Options{MaxBodyBytes: 100, MaxInFlightBytes: 100})
	if got := post(c.ZipkinHandler(ZipkinOptions{}), zipkinV2, strings.NewReader(oneSpan)); got.Code != 202 {
		t.Errorf("got %d", got.Code)
	}
}

// serve runs a server of HTTP/1.1 and h2c.
func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv
}

func send(t *testing.T, c *http.Client, url string, body io.Reader, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i+1] != "" {
			r.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func TestHTTP1AndH2C(t *testing.T) {
	for _, test := range []struct {
		name string
		set  func(*http.Protocols)
		want string
	}{
		{"HTTP/1.1", func(p *http.Protocols) { p.SetHTTP1(true) }, "HTTP/1.1"},
		{"h2c", func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }, "HTTP/2.0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &recorder{}
			srv := serve(t, New(w, Options{}).ZipkinHandler(ZipkinOptions{}))
			transport := &http.Transport{Protocols: new(http.Protocols)}
			test.set(transport.Protocols)
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport}
			for range 3 {
				got := send(t, client, srv.URL+zipkinV2, io.MultiReader(strings.NewReader(oneSpan)))
				body, err := io.ReadAll(got.Body)
				if err != nil || got.Proto != test.want || got.StatusCode != http.StatusAccepted || len(body) != 0 || got.Close {
					t.Errorf("got %s %s %q, close %v, %v", got.Proto, got.Status, body, got.Close, err)
				}
				if got.Header.Get("Content-Type") != "" {
					t.Errorf("nothing has a content type: %v", got.Header)
				}
			}
			if bad := send(t, client, srv.URL+zipkinV2, strings.NewReader("{")); bad.StatusCode != http.StatusBadRequest {
				t.Errorf("malformed: got %s", bad.Status)
			}
			if w.len() != 3 {
				t.Errorf("%d spans stored", w.len())
			}
		})
	}
}

func TestFallbackAnswersReads(t *testing.T) {
	fallback := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "fallback ", r.Method) })
	h := New(&recorder{}, Options{}).ZipkinHandler(ZipkinOptions{Fallback: fallback})
	for _, test := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/api/v2/services", 200},
		{"GET", "/api/v2/spans?serviceName=x", 200},
		{"HEAD", "/", 200},
		{"POST", "/api/v2/spans", 202},
		{"POST", "/api/v2/services", 404},
		{"PUT", "/api/v2/spans", 405},
		{"OPTIONS", "/api/v2/spans", 204},
	} {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(test.method, test.path, nil))
			if w.Code != test.want {
				t.Errorf("got %d %q, want %d", w.Code, w.Body, test.want)
			}
		})
	}
}

func TestRequestsAreCounted(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	h := New(&recorder{}, Options{Registerer: reg}).ZipkinHandler(ZipkinOptions{})
	post(h, zipkinV2, strings.NewReader(oneSpan))
	post(h, "/zipkin"+zipkinV1, strings.NewReader(oneSpan)) // v2's JSON
	post(h, zipkinV2, strings.NewReader(`[{"traceId":"1","id":"2","binaryAnnotations":[]}]`))
	post(h, zipkinV2, strings.NewReader(`{`))
	for i := range 300 {
		post(h, fmt.Sprintf("/wrong/x%d", i), strings.NewReader(oneSpan))
	}
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("INVENTED", zipkinV2, nil))
	const p = "spandrel_collector_"
	for _, test := range []struct {
		want   float64
		metric []string
	}{
		{2, []string{p + "http_request_duration_seconds", "route", zipkinV2, "method", "POST", "status", "202"}},
		{1, []string{p + "http_request_duration_seconds", "route", zipkinV1, "method", "POST", "status", "202"}},
		{1, []string{p + "http_request_duration_seconds", "route", zipkinV2, "method", "POST", "status", "400"}},
		{1, []string{p + "http_request_duration_seconds", "route", zipkinV2, "method", "other", "status", "405"}},
		{300, []string{p + "http_request_duration_seconds", "route", "other", "method", "POST", "status", "404"}},
		{1, []string{p + "requests_failed_total", "reason", "malformed"}},
		{300, []string{p + "requests_failed_total", "reason", "path"}},
		{1, []string{p + "requests_failed_total", "reason", "method"}},
		{302, []string{p + "requests_failed_total"}},
		{2, []string{p + "misdirected_requests_total", "reason", "version"}},
		{1, []string{p + "misdirected_requests_total", "reason", "version", "path", "/zipkin" + zipkinV1}},
		{1, []string{p + "misdirected_requests_total", "reason", "path", "path", "/wrong/x7"}},
		{202, []string{p + "misdirected_requests_total", "reason", "path", "path", "other"}},
		{2, []string{p + "spans_accepted_total", "format", "zipkin_json_v2"}},
		{1, []string{p + "spans_accepted_total", "format", "zipkin_json_v1"}},
		{0, []string{p + "in_flight_posts"}},
		{0, []string{p + "in_flight_bytes"}},
	} {
		t.Run(strings.Join(test.metric, " "), func(t *testing.T) {
			if got := sum(t, reg, test.metric[0], test.metric[1:]...); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestFailuresAreLoggedSparingly(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	h := New(&recorder{}, Options{Logger: log, Now: fixedNow}).ZipkinHandler(ZipkinOptions{})
	for range 10 {
		post(h, "/api/v9/spans", strings.NewReader(oneSpan), "User-Agent", "proxy/1\nevil=1", "X-Forwarded-For", "10.0.0.7")
		post(h, zipkinV2, strings.NewReader("{"))
		post(h, "/zipkin"+zipkinV1, strings.NewReader(oneSpan))
		post(h, zipkinV2, strings.NewReader(oneSpan))
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines:\n%s", len(lines), out.String())
	}
	want := `level=WARN msg="request failed" status=404 reason=path method=POST path=/api/v9/spans answer="there is nothing at \"/api/v9/spans\", this port takes spans: post spans to /api/v2/spans (JSON or protobuf) or /api/v1/spans (JSON)" remote=192.0.2.1:1234 user_agent="proxy/1\nevil=1" forwarded_for=10.0.0.7`
	if lines[0] != want {
		t.Errorf("got  %s\nwant %s", lines[0], want)
	}
	for i, part := range []string{"/api/v9/spans", "reason=malformed", "path=/zipkin/api/v1/spans"} {
		if !strings.Contains(lines[i], part) {
			t.Errorf("line %d has no %s: %s", i, part, lines[i])
		}
	}
}
