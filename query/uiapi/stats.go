package uiapi

import (
	"math"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/query"
)

const (
	defaultBuckets   = 30
	maxBuckets       = 200
	defaultDiffLimit = 500
)

// rangeQuery reads what statistics are about.
func (a *api) rangeQuery(v url.Values) (q query.RangeQuery, err error) {
	q.Service = v.Get("service")
	if q.From, q.To, err = a.rangeOf(v, rangeLookback); err != nil {
		return q, err
	}
	q.Buckets, err = number(v, "buckets", defaultBuckets, maxBuckets)
	return q, err
}

// statistics makes a handler of a question about a range.
func statistics[T any](a *api, ask func(*http.Request, query.RangeQuery) (T, error)) func(*http.Request) (answer, error) {
	return func(r *http.Request) (answer, error) {
		q, err := a.rangeQuery(r.URL.Query())
		if err != nil {
			return answer{}, err
		}
		result, err := ask(r, q)
		return answer{json: result}, err
	}
}

func (a *api) serviceMap(r *http.Request, q query.RangeQuery) (*query.MapResult, error) {
	return a.svc.Map(r.Context(), q)
}

func (a *api) services(r *http.Request, q query.RangeQuery) (*query.ServicesResult, error) {
	return a.svc.ServiceStats(r.Context(), q)
}

func (a *api) errors(r *http.Request, q query.RangeQuery) (*query.ErrorsResult, error) {
	return a.svc.ErrorGroups(r.Context(), q)
}

func (a *api) mesh(r *http.Request, q query.RangeQuery) (*query.MeshResult, error) {
	return a.svc.MeshStats(r.Context(), q)
}

// standing says where a duration stands among those of its like.
func (a *api) standing(r *http.Request) (answer, error) {
	v := r.URL.Query()
	q := query.StandingQuery{Service: v.Get("service"), Operation: v.Get("operation"), Kind: spandrel.ParseKind(v.Get("kind"))}
	if q.Service == "" {
		return answer{}, badParam("service", "is required")
	}
	if q.Kind == spandrel.KindNone && v.Get("kind") != "" {
		return answer{}, badParam("kind", "is no kind of span")
	}
	micros, err := strconv.ParseFloat(v.Get("duration"), 64)
	if err != nil || !(micros >= 0 && micros < math.MaxInt64/1000) {
		return answer{}, badParam("duration", "is not a number of microseconds")
	}
	q.Duration = int64(math.Round(micros * 1000))
	if q.From, q.To, err = a.rangeOf(v, rangeLookback); err != nil {
		return answer{}, err
	}
	result, err := a.svc.Standing(r.Context(), q)
	return answer{json: result}, err
}

// diff says what differs in a selection of traces.
func (a *api) diff(r *http.Request) (answer, error) {
	q, errorsIn, err := a.searchQuery(r, defaultDiffLimit)
	if err != nil {
		return answer{}, err
	}
	v := r.URL.Query()
	var s query.Selection
	if s.Traces, err = traceIDs(v, "selTrace", maxSearchLimit); err != nil {
		return answer{}, err
	}
	for _, bound := range []struct {
		name string
		to   *int64
		more int64
	}{{"selStart", &s.MinStart, 0}, {"selEnd", &s.MaxStart, 999}, {"selMin", &s.MinTime, 0}, {"selMax", &s.MaxTime, 999}} {
		if text := v.Get(bound.name); text != "" {
			micros, err := parseMicros(bound.name, text)
			if err != nil {
				return answer{}, err
			}
			*bound.to = micros*1000 + bound.more
		}
	}
	switch text := v.Get("selErrors"); text {
	case "", "false":
	case "true":
		s.Errors = true
	default:
		return answer{}, badParam("selErrors", "is neither true nor false")
	}
	result, err := a.svc.Diff(r.Context(), q, errorsIn, s)
	return answer{json: result}, err
}
