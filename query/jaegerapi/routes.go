// Package jaegerapi answers as Jaeger 1.76 does, over HTTP and gRPC, so that
// Kiali, Grafana, Jaeger's own page and people's scripts need not know whom
// they talk to. Where it differs it is on purpose, and docs/compatibility.md
// says why. "Process", "operation", "reference" and "log" are Jaeger's words
// for sender, span name, link and event.
package jaegerapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/klauspost/compress/gzhttp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spandrel/spandrel/query"
)

// HTTPOptions are the settings of HTTP. The zero value serves the API alone,
// at the root.
type HTTPOptions struct {
	// BasePath is where the API (BasePath/api/…) and the page are, such as
	// /jaeger; "" and / mean the root.
	BasePath string
	// UI answers all paths below BasePath that are not the API's, BasePath
	// itself included. It sees whole paths. nil = 404.
	UI http.Handler
	// Pages answers the paths below BasePath/api/ui/: the API of the page
	// itself. It is a chi router and sees paths from /api on. nil = 404.
	Pages http.Handler
	// Headers are added to every response.
	Headers http.Header
	// CORSOrigins are the origins whose pages may read the API; * = all.
	CORSOrigins []string
	// Logger gets one line per request that failed on our side (5xx).
	Logger *slog.Logger
	// Registerer gets the request duration metric.
	Registerer prometheus.Registerer
	// Now is the clock, time.Now if nil.
	Now func() time.Time
}

// HTTP serves Jaeger's HTTP API and the page.
func HTTP(svc *query.Service, o HTTPOptions) http.Handler {
	a := &api{
		svc:  svc,
		base: strings.TrimSuffix(path.Clean("/"+o.BasePath), "/"),
		ui:   o.UI,
		more: o.Pages,
		now:  o.Now,
		log:  o.Logger,
	}
	if a.now == nil {
		a.now = time.Now
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.ui == nil {
		a.ui = http.NotFoundHandler()
	}
	router := chi.NewRouter()
	for _, route := range a.routes() {
		router.Handle(route.pattern, a.handle(route))
	}
	router.NotFound(a.unknown)
	a.api = compressed(router)
	return a.observe(newDurations(o.Registerer), withHeaders(o.Headers, withCORS(o.CORSOrigins, http.HandlerFunc(a.dispatch))))
}

// api is what the handlers share.
type api struct {
	svc  *query.Service
	base string // without a slash at its end; "" = the root
	api  http.Handler
	ui   http.Handler
	more http.Handler // nil = none
	now  func() time.Time
	log  *slog.Logger
}

// route is one path of the API, below the base path. GET answers HEAD as well.
type route struct {
	method, pattern string
	handle          func(w *response, r *http.Request) error
}

// routes are all of them; a newer generation of the API adds its own here.
func (a *api) routes() []route {
	return []route{
		{http.MethodGet, "/api/services", a.services},
		{http.MethodGet, "/api/services/{service}/operations", a.operationNames},
		{http.MethodGet, "/api/operations", a.operations},
		{http.MethodGet, "/api/traces", a.traces},
		{http.MethodGet, "/api/traces/{traceID}", a.trace},
		{http.MethodPost, "/api/archive/{traceID}", a.archive},
		{http.MethodGet, "/api/dependencies", a.dependencies},
		{http.MethodPost, "/api/transform", a.transform},
		{http.MethodGet, "/api/metrics/latencies", a.metrics},
		{http.MethodGet, "/api/metrics/calls", a.metrics},
		{http.MethodGet, "/api/metrics/errors", a.metrics},
		{http.MethodGet, "/api/metrics/minstep", a.minStep},
		{http.MethodGet, "/api/quality-metrics", a.notOffered},
		{http.MethodGet, "/api/deep-dependencies", a.notOffered},
	}
}

// handle runs a route and makes its error an answer.
func (a *api) handle(route route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		resp := newResponse(w, r)
		defer func() { _ = resp.end() }() // after a panic too
		if r.Method != route.method && (r.Method != http.MethodHead || route.method != http.MethodGet) {
			allow := route.method
			if allow == http.MethodGet {
				allow = "GET, HEAD"
			}
			w.Header().Set("Allow", allow)
			resp.fail(&failure{http.StatusMethodNotAllowed, "this route takes " + allow + " only", nil})
			return
		}
		err := route.handle(resp, r)
		if sent := resp.end(); err == nil {
			err = sent
		}
		if err != nil {
			f := asFailure(err)
			a.logFailure(r, f)
			if !resp.started {
				resp.fail(f)
			}
		}
	}
}

func (a *api) unknown(w http.ResponseWriter, r *http.Request) {
	newResponse(w, r).fail(&failure{http.StatusNotFound, "no such route of the API: " + r.URL.Path, nil})
}

// dispatch tells the API, the page and the world outside the base path apart.
func (a *api) dispatch(w http.ResponseWriter, r *http.Request) {
	whole := r.URL.EscapedPath()
	below, inside := strings.CutPrefix(whole, a.base)
	switch {
	case strings.HasPrefix(whole, "//"): // which would be another host as a Location
		setRoute(w, "redirect")
		redirect(w, r, "/"+strings.TrimLeft(whole, "/"), http.StatusMovedPermanently)
	case inside && strings.HasPrefix(below, "//"):
		setRoute(w, "redirect")
		redirect(w, r, a.base+"/"+strings.TrimLeft(below, "/"), http.StatusMovedPermanently)
	case inside && isAPI(below):
		a.serveAPI(w, r, below)
	case inside && (below == "" || below[0] == '/'):
		setRoute(w, "ui")
		a.ui.ServeHTTP(w, r)
	case isAPI(whole):
		setRoute(w, "outside")
		newResponse(w, r).fail(&failure{http.StatusNotFound, "the API is below " + a.base + "/api", nil})
	default:
		setRoute(w, "redirect")
		redirect(w, r, a.base+"/"+strings.TrimLeft(whole, "/"), http.StatusFound)
	}
}

func isAPI(path string) bool { return path == "/api" || strings.HasPrefix(path, "/api/") }

// serveAPI routes by the escaped path, for names in it may contain slashes.
func (a *api) serveAPI(w http.ResponseWriter, r *http.Request, path string) {
	ctx := chi.NewRouteContext()
	ctx.RoutePath = strings.TrimRight(path, "/")
	next := a.api
	if a.more != nil && strings.HasPrefix(path, "/api/ui/") {
		next = a.more
	}
	next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), chi.RouteCtxKey, ctx)))
	pattern := ctx.RoutePattern()
	if pattern == "" {
		pattern = "unknown"
	}
	setRoute(w, pattern)
}

func redirect(w http.ResponseWriter, r *http.Request, to string, status int) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "nothing here; try "+to, http.StatusNotFound)
		return
	}
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	http.Redirect(w, r, to, status)
}

// compressed gzips answers of some size for clients that take it. The other
// encodings that gzhttp knows are not read by Grafana's plugin.
func compressed(next http.Handler) http.Handler {
	wrap, err := gzhttp.NewWrapper(gzhttp.EnableZstd(false), gzhttp.CompressionLevel(1))
	if err != nil {
		panic(err) // the options are constant
	}
	return wrap(next)
}

func withHeaders(headers http.Header, next http.Handler) http.Handler {
	if len(headers) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range headers {
			w.Header()[http.CanonicalHeaderKey(name)] = values
		}
		next.ServeHTTP(w, r)
	})
}

// withCORS lets pages of the origins read the API.
func withCORS(origins []string, next http.Handler) http.Handler {
	if len(origins) == 0 {
		return next
	}
	allowed := make(map[string]bool, len(origins))
	for _, o := range origins {
		allowed[o] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		if origin != "" && (allowed["*"] || allowed[origin]) {
			h.Set("Access-Control-Allow-Origin", origin)
			if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
				h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST")
				h.Set("Access-Control-Allow-Headers", "Content-Type")
				h.Set("Access-Control-Max-Age", "3600")
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// pathParam is a part of the path, decoded as Jaeger decodes it: like a query
// string, where + is a space.
func pathParam(r *http.Request, name string) (string, error) {
	text, err := url.QueryUnescape(chi.URLParam(r, name))
	if err != nil {
		return "", badRequest(err.Error())
	}
	return text, nil
}
