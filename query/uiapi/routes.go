// Package uiapi answers the web UI: summaries of traces, skeletons of large
// ones, details of a few spans, what to complete, statistics, the state of the
// service. docs/ui-api.md is its contract. What Jaeger's API has is not here.
package uiapi

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/klauspost/compress/gzhttp"

	"github.com/spandrel/spandrel/query"
)

// Options are the settings of Handler.
type Options struct {
	// Logger gets one line per request that failed on our side (5xx).
	Logger *slog.Logger
	// Now is the clock, time.Now if nil.
	Now func() time.Time
	// Status tells how the service is; nil = that route is 404.
	Status func() Status
	// Tail knows the traces that get spans; nil = that route is 404.
	Tail *query.Tail
}

// Prefix is where the routes are.
const Prefix = "/api/ui/v1"

// Handler serves the API below Prefix.
func Handler(svc *query.Service, o Options) http.Handler {
	a := &api{svc: svc, now: o.Now, log: o.Logger, status: o.Status, tail: o.Tail, turns: make(chan struct{}, maxTurns), large: make(chan struct{}, maxTurns)}
	if a.now == nil {
		a.now = time.Now
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	router := chi.NewRouter()
	wrap, err := gzhttp.NewWrapper(gzhttp.EnableZstd(false), gzhttp.CompressionLevel(1),
		gzhttp.ContentTypeFilter(gzhttp.CompressAllContentTypeFilter))
	if err != nil {
		panic(err) // the options are constant
	}
	router.Use(func(next http.Handler) http.Handler { return wrap(next) })
	for _, route := range a.routes() {
		router.Handle(Prefix+route.pattern, a.handle(route.handle))
	}
	router.NotFound(a.handle(func(*http.Request) (answer, error) {
		return answer{}, &failure{status: http.StatusNotFound, msg: "no such route of the UI's API"}
	}))
	return router
}

// api is what the handlers share.
type api struct {
	svc    *query.Service
	now    func() time.Time
	log    *slog.Logger
	status func() Status
	tail   *query.Tail
	turns  chan struct{} // holds a value for each question that takes long
	large  chan struct{} // and for each large trace
}

// maxTurns is how many questions that take long are worked on at once; others
// wait, so that taking spans in does not.
const maxTurns = 2

// inTurn runs a handler of a question that takes long.
func (a *api) inTurn(do func(r *http.Request) (answer, error)) func(r *http.Request) (answer, error) {
	return func(r *http.Request) (answer, error) {
		select {
		case a.turns <- struct{}{}:
			defer func() { <-a.turns }()
			return do(r)
		case <-r.Context().Done():
			return answer{}, r.Context().Err()
		}
	}
}

// route is one path below Prefix.
type route struct {
	pattern string
	handle  func(r *http.Request) (answer, error)
}

// routes are all of them.
func (a *api) routes() []route {
	return []route{
		{"/search", a.search},
		{"/traces/{id}/skeleton", a.skeleton},
		{"/traces/{id}/spans", a.spans},
		{"/traces/{id}/find", a.find},
		{"/traces/{id}/events", a.events},
		{"/traces/{id}/download", a.download},
		{"/tags/keys", a.tagKeys},
		{"/tags/values", a.tagValues},
		{"/map", a.inTurn(statistics(a, a.serviceMap))},
		{"/services", a.inTurn(statistics(a, a.services))},
		{"/errors", a.inTurn(statistics(a, a.errors))},
		{"/mesh", a.inTurn(statistics(a, a.mesh))},
		{"/standing", a.inTurn(a.standing)},
		{"/diff", a.inTurn(a.diff)},
		{"/status", a.state},
		{"/tail", a.follow},
	}
}

// Routes are "METHOD path" of all routes, below the base path.
func Routes() []string {
	routes := (&api{}).routes()
	list := make([]string, 0, len(routes))
	for _, r := range routes {
		list = append(list, "GET "+Prefix+r.pattern)
	}
	return list
}
