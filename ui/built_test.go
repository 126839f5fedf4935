package ui_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel/ui"
)

func zipped(s string) *fstest.MapFile {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, s) // a buffer takes all
	_ = z.Close()
	return &fstest.MapFile{Data: b.Bytes()}
}

// dist is laid out as Vite and the precompress plugin lay it out.
func dist() fstest.MapFS {
	return fstest.MapFS{
		"index.html":             {Data: []byte(`<base href="{{base}}"><script src="assets/index-abc.js"></script><script type="application/json" id="ui-config">{{config}}</script><script type="text/plain">{{declaration}}</script>`)},
		"assets/index-abc.js.gz": zipped("run()"),
		"assets/index-abc.js.br": {Data: []byte("brotli")},
		"theme.js.gz":            zipped("theme()"),
		"theme.js.br":            {Data: []byte("brotli of theme")},
	}
}

func fetch(method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	ui.Handler(ui.Options{BasePath: "/jaeger", Version: version, Dist: dist()}).ServeHTTP(w, r)
	return w
}

func TestBuiltFilesGoOutAsTheClientTakesThem(t *testing.T) {
	tests := []struct{ name, accept, encoding, body string }{
		{"a browser", "gzip, deflate, br", "br", "brotli"},
		{"an older client", "gzip", "gzip", zippedText("run()")},
		{"curl", "", "", "run()"},
		{"one that refuses", "br;q=0, gzip;q=0.0", "", "run()"},
		{"one that rather has gzip", "gzip;q=0.5", "gzip", zippedText("run()")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := fetch("GET", "/jaeger/assets/index-abc.js", "Accept-Encoding", tt.accept)
			h := w.Header()
			if w.Code != 200 || h.Get("Content-Encoding") != tt.encoding || w.Body.String() != tt.body {
				t.Errorf("got %d %q %q, want 200 %q %q", w.Code, h.Get("Content-Encoding"), w.Body, tt.encoding, tt.body)
			}
			if h.Get("Content-Type") != "text/javascript; charset=utf-8" || h.Get("Vary") != "Accept-Encoding" {
				t.Errorf("got headers %v", h)
			}
			again := fetch("GET", "/jaeger/assets/index-abc.js", "Accept-Encoding", tt.accept, "If-None-Match", h.Get("ETag"))
			if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
				t.Errorf("got %d with %d bytes for the same again, want 304 with none", again.Code, again.Body.Len())
			}
		})
	}
}

func zippedText(s string) string { return string(zipped(s).Data) }

func TestOnlyFilesNamedByTheirContentAreKept(t *testing.T) {
	for path, want := range map[string]string{
		"/jaeger/assets/index-abc.js": "public, max-age=31536000, immutable",
		"/jaeger/theme.js":            "no-cache",
		"/jaeger/search":              "no-cache",
	} {
		if got := fetch("GET", path).Header().Get("Cache-Control"); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestMissingAssetIsNotAnsweredWithThePage(t *testing.T) {
	for _, path := range []string{"/jaeger/assets/gone.js", "/assets/index-abc.js", "/jaeger/static/x.js", "/jaeger/assets/index-abc.js.gz"} {
		if w := fetch("GET", path); w.Code != http.StatusNotFound {
			t.Errorf("%s: got %d, want 404", path, w.Code)
		}
	}
}

// settingsIn are the settings as a browser reads them out of the page.
func settingsIn(t *testing.T, config map[string]json.RawMessage) (settings map[string]any, page string) {
	t.Helper()
	w := httptest.NewRecorder()
	ui.Handler(ui.Options{BasePath: "/jaeger", Version: version, Dist: dist(), Config: config}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/jaeger/search", nil))
	page = w.Body.String()
	_, rest, _ := strings.Cut(page, `id="ui-config">`)
	text, _, _ := strings.Cut(rest, "</script>")
	if err := json.Unmarshal([]byte(text), &settings); err != nil {
		t.Fatalf("the page holds %q: %v", text, err)
	}
	return settings, page
}

func TestSettingsStandInThePage(t *testing.T) {
	if got, _ := settingsIn(t, nil); len(got) != 0 {
		t.Errorf("got %v without settings, want {}", got)
	}
	hostile := `</script><script>alert(1)</script>{{base}}{{declaration}}`
	quoted, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	unescaped := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(quoted))
	got, page := settingsIn(t, map[string]json.RawMessage{"menu": json.RawMessage(`[ {"label": ` + unescaped + `} ]`)})
	if diff := cmp.Diff(got, map[string]any{"menu": []any{map[string]any{"label": hostile}}}); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(page, "<script>alert") || resolvedBase(t, "/jaeger/search", page) != "/jaeger/" {
		t.Errorf("a value became a part of the page:\n%s", page)
	}
	if v, err := kialiVersion(page); err != nil || v.GitVersion != "v1.2.3" {
		t.Errorf("Kiali reads %+v, %v", v, err)
	}
}

func TestBuiltPageRunsItsOwnScriptsOnly(t *testing.T) {
	w := fetch("GET", "/jaeger/trace/abc")
	csp := w.Header().Get("Content-Security-Policy")
	if !strings.Contains(csp, "script-src 'self';") || strings.Contains(csp, "unsafe") || !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("got policy %q", csp)
	}
	if got := resolvedBase(t, "/jaeger/trace/abc", w.Body.String()); got != "/jaeger/" {
		t.Errorf("got base %q, want /jaeger/", got)
	}
	if v, err := kialiVersion(w.Body.String()); err != nil || v.GitVersion != "v1.2.3" {
		t.Errorf("Kiali reads %+v, %v", v, err)
	}
	if w := fetch("HEAD", "/jaeger/assets/index-abc.js"); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Length") == "0" {
		t.Errorf("HEAD: got %d with %d bytes, length %s", w.Code, w.Body.Len(), w.Header().Get("Content-Length"))
	}
}
