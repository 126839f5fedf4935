package jaegerapi

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// newDurations makes the metric of HTTP requests. Its route is a pattern of
// routes.go or ui, redirect, outside, unknown.
func newDurations(r prometheus.Registerer) *prometheus.HistogramVec {
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "spandrel_query_http_request_duration_seconds",
		Help:    "How long requests to the query API and the page took.",
		Buckets: prometheus.ExponentialBuckets(0.001, 4, 8), // 1 ms to 16 s
	}, []string{"route", "method", "status"})
	if r != nil {
		r.MustRegister(durations)
	}
	return durations
}

// recorder notes how a request was answered.
type recorder struct {
	http.ResponseWriter
	route  string
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController through.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// setRoute names the route for the metric.
func setRoute(w http.ResponseWriter, route string) {
	if r, ok := w.(*recorder); ok {
		r.route = route
	}
}

// observe measures every request and survives those that panic.
func (a *api) observe(durations *prometheus.HistogramVec, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &recorder{ResponseWriter: w, route: "unknown"}
		defer func() {
			cause := recover()
			if cause != nil && cause != http.ErrAbortHandler { //nolint:errorlint // what the standard library panics with
				f := &failure{http.StatusInternalServerError, "internal error", fmt.Errorf("panic: %v\n%s", cause, debug.Stack())}
				a.logFailure(r, f)
				if rec.status == 0 {
					newResponse(rec, r).fail(f)
					cause = nil
				}
			}
			durations.WithLabelValues(rec.route, methodLabel(r.Method), strconv.Itoa(max(rec.status, 200))).Observe(time.Since(start).Seconds())
			if cause != nil {
				panic(http.ErrAbortHandler) // half an answer must not look whole
			}
		}()
		next.ServeHTTP(rec, r)
	})
}

// methodLabel keeps made-up methods out of the metric.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions:
		return method
	}
	return "other"
}

// logFailure logs what went wrong on our side.
func (a *api) logFailure(r *http.Request, f *failure) {
	if f.status < 500 || f.cause == nil {
		return
	}
	a.log.LogAttrs(r.Context(), slog.LevelError, "query failed",
		slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.Int("status", f.status), slog.Any("error", f.cause))
}
