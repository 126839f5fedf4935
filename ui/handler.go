// Package ui serves the web pages: the application under app/, which Vite
// builds into dist/, or, in a binary built without it, one page that says so
// and what can be asked of the API meanwhile.
package ui

import (
	"encoding/json"
	"html"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// Options are the settings of Handler.
type Options struct {
	BasePath string // where the page and the API are, such as /jaeger; "" and / mean the root
	Version  Version
	Dist     fs.FS // the built application; nil means the one in this binary
	// Config are settings for the application, by key, each valid JSON. They
	// stand in the page, so that it needs no second request to know them.
	Config map[string]json.RawMessage
}

// Version is the build as Jaeger's page names it. Kiali's JSON decoder reads it.
type Version struct {
	GitCommit  string `json:"gitCommit"`
	GitVersion string `json:"gitVersion"`
	BuildDate  string `json:"buildDate"`
}

const (
	// appPolicy lets the page run, style and ask for what comes from its own
	// origin, and nothing else.
	appPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; worker-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
	// standInPolicy allows the page's own style sheet: no script runs.
	standInPolicy = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)

// Handler answers every path with the page, as an application that has its
// routes in the browser needs it, but for the files it is made of and 404
// under assets/ and static/. It expects whole paths, the base path included,
// and GET or HEAD.
func Handler(opts Options) http.Handler {
	base := strings.TrimSuffix(path.Clean("/"+opts.BasePath), "/")
	policy := appPolicy
	page, files := built(opts.Dist)
	if page == "" {
		policy = standInPolicy
		page, files = standIn()
	}
	page = filledIn(page, opts)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, under := strings.CutPrefix(r.URL.Path, base+"/")
		file := files[rest]
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "the page can only be read", http.StatusMethodNotAllowed)
		case under && file != nil:
			file.serve(w, r, policy)
		case isAsset(strings.TrimPrefix(r.URL.Path, "/")), under && isAsset(rest):
			http.NotFound(w, r)
		default:
			body := strings.Replace(page, "{{base}}", html.EscapeString(relativeBase(base, r.URL)), 1)
			newFile("text/html; charset=utf-8", body).serve(w, r, policy)
		}
	})
}

// isAsset says whether only a file can be meant, so that a missing one is not
// answered with the page.
func isAsset(path string) bool {
	return strings.HasPrefix(path, "assets/") || strings.HasPrefix(path, "static/")
}

// relativeBase is the base path as seen from u: ./ or ../ as often as it takes.
// The browser resolves it against the address it knows, so the page also works
// behind a proxy that has put a prefix before the path or taken one away.
func relativeBase(base string, u *url.URL) string {
	rest, under := strings.CutPrefix(u.EscapedPath(), base+"/")
	switch {
	case u.EscapedPath() == base && base != "": // /jaeger, without the slash
		return "./" + path.Base(base) + "/"
	case !under:
		return base + "/"
	case !strings.Contains(rest, "/"):
		return "./"
	}
	return strings.Repeat("../", strings.Count(rest, "/"))
}

// filledIn is the page with the version and the settings. Both stand in data
// blocks, which no browser runs, the version as JavaScript: Kiali
// (status/versions.go up to v2.5) looks for the text "const JAEGER_VERSION = ",
// then takes what follows up to the next semicolon for JSON.
func filledIn(page string, opts Options) string {
	v := opts.Version
	if v.GitVersion != "" && !strings.HasPrefix(v.GitVersion, "v") {
		v.GitVersion = "v" + v.GitVersion
	}
	v.GitVersion = strings.ReplaceAll(v.GitVersion, ";", "")
	text, err := json.Marshal(v) // escapes <, > and &, so it cannot end the script element
	if err != nil {
		panic(err) // three strings always marshal
	}
	config := []byte("{}")
	if len(opts.Config) > 0 {
		if config, err = json.Marshal(opts.Config); err != nil { // escapes likewise
			panic(err) // the values are valid
		}
	}
	return strings.NewReplacer(
		"{{version}}", html.EscapeString(v.GitVersion),
		"{{declaration}}", "const JAEGER_VERSION = "+string(text)+";",
		"{{config}}", string(config),
	).Replace(page)
}
