// Package ui serves the web page. For now it is one page that says what can be
// asked of the API and where; the application takes its place.
package ui

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"html"
	"net/http"
	"path"
	"strings"
)

// Options are the settings of Handler.
type Options struct {
	BasePath string // where the page and the API are, such as /jaeger; "" and / mean the root
	Version  Version
}

// Version is the build as Jaeger's page names it. Kiali's JSON decoder reads it.
type Version struct {
	GitCommit  string `json:"gitCommit"`
	GitVersion string `json:"gitVersion"`
	BuildDate  string `json:"buildDate"`
}

//go:embed index.html
var index string

//go:embed style.css
var style string

// policy allows the page's own style sheet and nothing else: no script runs.
const policy = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"

// Handler answers every path with the page, as an application that has its
// routes in the browser needs it, but for the files it is made of: style.css
// under the base path, and 404 under static/. It expects whole paths, the base
// path included, and GET or HEAD.
func Handler(opts Options) http.Handler {
	base := strings.TrimSuffix(path.Clean("/"+opts.BasePath), "/")
	page := newFile("text/html; charset=utf-8", render(base+"/", opts.Version))
	sheet := newFile("text/css; charset=utf-8", style)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, under := strings.CutPrefix(r.URL.Path, base+"/")
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "the page can only be read", http.StatusMethodNotAllowed)
		case under && rest == "style.css":
			sheet.serve(w, r)
		case strings.HasPrefix(r.URL.Path, "/static/"), under && strings.HasPrefix(rest, "static/"):
			http.NotFound(w, r)
		default:
			page.serve(w, r)
		}
	})
}

// render fills in the page. The version stands in it as JavaScript that never
// runs, in a data block: Kiali (status/versions.go up to v2.5) looks for the
// text "const JAEGER_VERSION = ", then takes what follows up to the next
// semicolon for JSON.
func render(base string, v Version) string {
	if v.GitVersion != "" && !strings.HasPrefix(v.GitVersion, "v") {
		v.GitVersion = "v" + v.GitVersion
	}
	v.GitVersion = strings.ReplaceAll(v.GitVersion, ";", "")
	text, err := json.Marshal(v) // escapes <, > and &, so it cannot end the script element
	if err != nil {
		panic(err) // three strings always marshal
	}
	return strings.NewReplacer(
		"{{base}}", html.EscapeString(base),
		"{{version}}", html.EscapeString(v.GitVersion),
		"{{declaration}}", "const JAEGER_VERSION = "+string(text)+";",
	).Replace(index)
}

// file is one embedded answer.
type file struct {
	contentType, etag, body string
}

func newFile(contentType, body string) file {
	sum := fnv.New64a()
	sum.Write([]byte(body))
	return file{contentType, fmt.Sprintf("%q", fmt.Sprintf("%x", sum.Sum64())), body}
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("ETag", f.etag)
	h.Set("Cache-Control", "no-cache") // ask each time, be told 304
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	if strings.Contains(r.Header.Get("If-None-Match"), f.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Length", fmt.Sprint(len(f.body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(f.body)) // the client may have gone
	}
}
