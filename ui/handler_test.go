package ui_test

import (
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/spandrel/spandrel/ui"
)

var version = ui.Version{GitCommit: "abc", GitVersion: "1.2.3", BuildDate: "2026-01-02T03:04:05Z"}

func get(t *testing.T, base, method, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	ui.Handler(ui.Options{BasePath: base, Version: version, Dist: fstest.MapFS{}}).ServeHTTP(w, r)
	return w
}

// base is where the browser finds the page's <base> when it has loaded path.
func resolvedBase(t *testing.T, path, body string) string {
	t.Helper()
	_, href, _ := strings.Cut(body, `<base href="`)
	href, _, _ = strings.Cut(href, `"`)
	at, err := url.Parse(path)
	if err != nil {
		t.Fatal(err)
	}
	to, err := at.Parse(html.UnescapeString(href))
	if err != nil {
		t.Fatal(err)
	}
	return to.Path
}

func TestPageKnowsItsBaseFromAnyPath(t *testing.T) {
	tests := []struct{ name, base, path, want string }{
		{"root", "", "/", "/"},
		{"slash as base", "/", "/", "/"},
		{"a page at the root", "", "/search", "/"},
		{"a trace at the root", "", "/trace/0af7", "/"},
		{"base path without slash", "/jaeger", "/jaeger", "/jaeger/"},
		{"base path with slash", "/jaeger", "/jaeger/", "/jaeger/"},
		{"base path given with slash", "/jaeger/", "/jaeger/", "/jaeger/"},
		{"deep base path", "/a/b", "/a/b/search", "/a/b/"},
		{"deep base path without slash", "/a/b", "/a/b", "/a/b/"},
		{"a trace's deep link", "/jaeger", "/jaeger/trace/0af7?uiFind=1", "/jaeger/"},
		{"a trailing slash", "/jaeger", "/jaeger/trace/0af7/", "/jaeger/"},
		{"an escaped slash is none", "", "/trace/a%2Fb", "/"},
		{"a path outside of it", "/jaeger", "/elsewhere/x", "/jaeger/"},
		{"a hostile base path is escaped", `/"><b>`, `/x`, `/"><b>/`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := get(t, tt.base, "GET", tt.path)
			if got := resolvedBase(t, tt.path, w.Body.String()); w.Code != 200 || got != tt.want {
				t.Errorf("got %d, base %q, want 200, %q", w.Code, got, tt.want)
			}
			if strings.Contains(w.Body.String(), "<b>") {
				t.Errorf("the page contains the base path as markup")
			}
		})
	}
}

func TestBaseHoldsBehindAProxyThatAddsAPrefix(t *testing.T) {
	for _, path := range []string{"/", "/search", "/trace/0af7", "/trace/a...b"} {
		if got := resolvedBase(t, "/x/y"+path, get(t, "", "GET", path).Body.String()); got != "/x/y/" {
			t.Errorf("%s: got base %q, want /x/y/", path, got)
		}
	}
}

func TestHandlerServesTheFilesOfTheStandIn(t *testing.T) {
	tests := []struct {
		name, base, path string
		status           int
		contains         string
	}{
		{"the style sheet", "/jaeger", "/jaeger/style.css", 200, "color-scheme"},
		{"static under the base path", "/jaeger", "/jaeger/static/x.js", 404, "not found"},
		{"static at the root", "/jaeger", "/static/x.js", 404, "not found"},
		{"the page says what is missing", "", "/search", 200, "not built into this binary"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := get(t, tt.base, "GET", tt.path)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.contains) {
				t.Errorf("got %d %q, want %d with %q", w.Code, w.Body, tt.status, tt.contains)
			}
		})
	}
}

// kialiVersion does what Kiali up to v2.5 does with the page.
func kialiVersion(body string) (v ui.Version, err error) {
	const word = "const JAEGER_VERSION = "
	_, rest, ok := strings.Cut(body, word)
	if !ok {
		return v, errors.New("the page does not say " + word)
	}
	text, _, _ := strings.Cut(rest, ";")
	err = json.Unmarshal([]byte(text), &v)
	return v, err
}

func TestPageGivesTheVersionAsKialiReadsIt(t *testing.T) {
	got, err := kialiVersion(get(t, "/jaeger", "GET", "/jaeger").Body.String())
	want := ui.Version{GitCommit: "abc", GitVersion: "v1.2.3", BuildDate: "2026-01-02T03:04:05Z"}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestPageRunsNoScript(t *testing.T) {
	w := get(t, "", "GET", "/")
	csp := w.Header().Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "script-src") {
		t.Errorf("got policy %q, want one without scripts", csp)
	}
	for _, bad := range []string{"<script>", " onclick=", "<style", " style="} {
		if strings.Contains(w.Body.String(), bad) {
			t.Errorf("the page contains %s, which the policy forbids", bad)
		}
	}
}

func TestUnchangedPageIsNotSentAgain(t *testing.T) {
	first := get(t, "", "GET", "/")
	again := get(t, "", "GET", "/", "If-None-Match", first.Header().Get("ETag"))
	if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("got %d with %d bytes, want 304 with none", again.Code, again.Body.Len())
	}
	if get(t, "/x", "GET", "/").Header().Get("ETag") == first.Header().Get("ETag") {
		t.Error("pages with different base paths have the same ETag")
	}
}

func TestPageCanOnlyBeRead(t *testing.T) {
	if w := get(t, "", "POST", "/"); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("got %d, Allow %q, want 405 with GET, HEAD", w.Code, w.Header().Get("Allow"))
	}
	if w := get(t, "", "HEAD", "/"); w.Code != 200 || w.Body.Len() != 0 {
		t.Errorf("HEAD: got %d with %d bytes, want 200 with none", w.Code, w.Body.Len())
	}
}
