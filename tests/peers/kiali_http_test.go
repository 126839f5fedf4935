package peers

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// kialiAnswer is Jaeger's envelope as Kiali reads it.
type kialiAnswer struct {
	Data   []httpTrace
	Errors []struct {
		Code int
		Msg  string
	}
}

type httpTrace struct {
	TraceID   string
	Spans     []*jsonSpan
	Processes map[string]*jsonProcess
}

// TestKialiOverHTTP calls as Kiali does without use_grpc. It never looks at the
// status: whatever goes wrong must be told in JSON.
func TestKialiOverHTTP(t *testing.T) {
	s := startSpandrel(t, keep)
	want := postRecorded(t, s, "bookinfo", "64-bit", "shared-context")
	c := &http.Client{Timeout: kialiQueryTimeout}

	t.Run("services", func(t *testing.T) {
		var answer struct{ Data []string }
		getJSON(t, c, s.query+"/api/services", &answer)
		if got := slices.Sorted(slices.Values(answer.Data)); !slices.Equal(got, want.services()) {
			t.Errorf("got %q, want %q", got, want.services())
		}
	})
	for name, k := range kialiSearches(want.services()) {
		t.Run(name, func(t *testing.T) {
			var answer kialiAnswer
			getJSON(t, c, s.query+"/api/traces?"+k.query(), &answer)
			if len(answer.Errors) > 0 {
				t.Errorf("Kiali would show: %+v", answer.Errors)
			}
			checkHTTPTraces(t, answer.Data, want.search(k.condition()))
		})
	}
	t.Run("trace", func(t *testing.T) {
		for id, spans := range want {
			for _, typed := range []string{id, strings.ToUpper(id), strings.TrimLeft(id, "0"), fmt.Sprintf("%032s", id)} {
				var answer kialiAnswer
				getJSON(t, c, s.query+"/api/traces/"+typed, &answer)
				checkHTTPTraces(t, answer.Data, map[string]int{id: len(spans)})
			}
		}
	})
	for _, path := range []string{"/api/traces/dead", "/api/traces/nonsense", "/api/traces", "/api/nope", "/api/traces?service=a&start=x"} {
		t.Run("told in JSON "+path, func(t *testing.T) {
			var answer kialiAnswer
			status := getJSON(t, c, s.query+path, &answer)
			if len(answer.Errors) != 1 || answer.Errors[0].Code != status || answer.Errors[0].Msg == "" || status < 400 {
				t.Errorf("status %d, errors %+v", status, answer.Errors)
			}
		})
	}
}

// query is the search as parameters: whole seconds, a duration in µs, and what
// is nothing is left out.
func (k kialiSearch) query() string {
	const micros = 1_000_000
	v := url.Values{"service": {k.service}, "start": {fmt.Sprint(k.start.Unix() * micros)}, "end": {fmt.Sprint(k.end.Unix() * micros)}}
	if len(k.tags) > 0 {
		v.Set("tags", textOf(k.tags))
	}
	if k.duration > 0 {
		v.Set("minDuration", fmt.Sprintf("%dus", k.duration.Microseconds()))
	}
	if k.depth > 0 {
		v.Set("limit", fmt.Sprint(k.depth))
	}
	return v.Encode()
}

// checkHTTPTraces holds traces against what Kiali's pages take for granted and
// what is wanted.
func checkHTTPTraces(t *testing.T, found []httpTrace, want map[string]int) {
	t.Helper()
	got := map[string]int{}
	for _, x := range found {
		got[x.TraceID] += len(x.Spans)
		for _, s := range x.Spans {
			if s.TraceID != x.TraceID {
				t.Errorf("a span of trace %s in trace %s", s.TraceID, x.TraceID)
			}
			s.Process = x.Processes[s.ProcessID]
			checkSpan(t, s)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("spans by trace: got %v, want %v", got, want)
	}
}

// TestKialiVersionCheck reads the page as /api/status of Kiali does.
func TestKialiVersionCheck(t *testing.T) {
	s := startSpandrel(t)
	body, _ := page(t, s.query)
	if len(body) < 22 || !strings.Contains(body[22:], ";") {
		t.Fatalf("Kiali would crash on a page of %d bytes", len(body))
	}
	_, rest, ok := strings.Cut(body, "const JAEGER_VERSION = ")
	if !ok {
		t.Fatal("Kiali would show no version")
	}
	text, _, _ := strings.Cut(rest, ";")
	var version struct{ GitCommit, GitVersion, BuildDate string }
	if err := json.Unmarshal([]byte(text), &version); err != nil || !strings.HasPrefix(version.GitVersion, "v") {
		t.Errorf("%s: %+v, %v", text, version, err)
	}
}

// TestKialiDiscovery makes the probes of Kiali's configuration tester.
func TestKialiDiscovery(t *testing.T) {
	s := startSpandrel(t)
	postRecorded(t, s, "sampled")
	var answer struct{ Data []string }
	if status := getJSON(t, http.DefaultClient, s.query+"/api/services", &answer); status != http.StatusOK || len(answer.Data) == 0 {
		t.Errorf("services below the base path: status %d, %q", status, answer.Data)
	}
	for _, path := range []string{"/api/services", "/api/traces/v1/tempo/api/search?q=%7B%7D", "/api/search?q=%7B%7D"} {
		if err := answers("http://"+s.http+path, http.StatusNotFound); err != nil {
			t.Errorf("what is no Jaeger's or is Tempo's: %v", err)
		}
	}
}

// TestKialiDeepLinks follows the links of Kiali's pages as a browser does.
func TestKialiDeepLinks(t *testing.T) {
	s := startSpandrel(t)
	const id = "14facecc12388768def783556ee604ae"
	for _, link := range []string{
		"", "/",
		"/trace/" + id, "/trace/" + id + "?uiFind=97d1eeb599671790",
		"/trace/" + id + "..." + id + "?cohort=" + id + "&cohort=" + id,
		"/search?service=reviews.default&limit=20&start=1795434600000000&end=1795434700000000&tags=%7B%22error%22%3A%22true%22%7D",
		"/search?service=reviews.default",
	} {
		if body, base := page(t, s.query+link); !strings.Contains(body, "<html") || base != "/jaeger/" {
			t.Errorf("%s: no page below /jaeger/ but %q: %.100s", link, base, body)
		}
	}
	// istioctl opens the port without the base path.
	if body, base := page(t, "http://"+s.http); !strings.Contains(body, "<html") || base != "/jaeger/" {
		t.Errorf("no page below /jaeger/ but %q: %.100s", base, body)
	}
}

// page is an HTML page, redirects followed, and the path against which a
// browser resolves its links.
func page(t *testing.T, url string) (body, base string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "text/html") {
		t.Fatalf("GET %s: %s, %s", url, resp.Status, kind)
	}
	_, rest, _ := strings.Cut(string(text), `<base href="`)
	relative, _, _ := strings.Cut(rest, `"`)
	at, err := resp.Request.URL.Parse(relative)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), at.Path
}
