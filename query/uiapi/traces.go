package uiapi

import (
	"fmt"
	"io"
	"iter"
	"net/http"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/query"
)

// search lists summaries, of traces that are found or of some by their ids.
func (a *api) search(r *http.Request) (answer, error) {
	v := r.URL.Query()
	ids, err := traceIDs(v, "traceID", maxSearchLimit)
	if err != nil {
		return answer{}, err
	}
	columns, err := list(v, "columns", maxExtraTags)
	if err != nil {
		return answer{}, err
	}
	if len(ids) > 0 {
		result, err := a.svc.TraceSummaries(r.Context(), ids, columns...)
		return answer{json: result}, err
	}
	q, errorsIn, err := a.searchQuery(r, defaultLimit)
	if err != nil {
		return answer{}, err
	}
	result, err := a.svc.SearchSummaries(r.Context(), q, errorsIn, columns...)
	return answer{json: result}, err
}

// searchQuery reads all that a search can ask.
func (a *api) searchQuery(r *http.Request, limit int) (q spandrel.Query, errorsIn query.ErrorsIn, err error) {
	v := r.URL.Query()
	if q, errorsIn, err = conditions(v); err != nil {
		return q, 0, err
	}
	if q.MinStart, q.MaxStart, err = a.rangeOf(v, searchLookback); err != nil {
		return q, 0, err
	}
	q.Limit, err = number(v, "limit", limit, maxSearchLimit)
	return q, errorsIn, err
}

const (
	maxExtraTags = 8
	maxDetails   = 200
	maxFound     = 100_000
	maxEvents    = 50_000
)

// skeleton gives a whole trace in columns.
func (a *api) skeleton(r *http.Request) (answer, error) {
	id, err := traceID(r)
	if err != nil {
		return answer{}, err
	}
	tags, err := list(r.URL.Query(), "tags", maxExtraTags)
	if err != nil {
		return answer{}, err
	}
	return a.ofWhole(r, id, func(ans *answer, _ uint64) error {
		s, err := a.svc.Skeleton(r.Context(), id, tags)
		if err != nil {
			return err
		}
		ans.kind = "application/octet-stream"
		ans.write = func(w io.Writer) error { return writeSkeleton(w, s) }
		return nil
	})
}

// largeTrace is from how many spans on a trace waits for its turn: it takes
// about a kilobyte of memory a span.
const largeTrace = 50_000

// ofWhole lets fill answer about a whole trace at a revision, unless the client
// has that answer. A large trace waits for its turn.
func (a *api) ofWhole(r *http.Request, id spandrel.TraceID, fill func(ans *answer, revision uint64) error) (answer, error) {
	ans, revision, err := a.revision(r, id)
	if err != nil || ans.same {
		return ans, err
	}
	if revision >= largeTrace {
		select {
		case a.large <- struct{}{}:
			defer func() { <-a.large }()
		case <-r.Context().Done():
			return answer{}, r.Context().Err()
		}
	}
	if err := fill(&ans, revision); err != nil {
		return answer{}, err
	}
	return ans, nil
}

// revision begins an answer about a trace, which the client may have.
func (a *api) revision(r *http.Request, id spandrel.TraceID) (ans answer, revision uint64, err error) {
	if revision, err = a.svc.Revision(r.Context(), id); err != nil {
		return ans, 0, err
	}
	ans.etag, ans.same = etag(r, revision)
	return ans, revision, nil
}

// spans gives some spans whole.
func (a *api) spans(r *http.Request) (answer, error) {
	id, err := traceID(r)
	if err != nil {
		return answer{}, err
	}
	texts, err := list(r.URL.Query(), "ids", maxDetails)
	if err != nil {
		return answer{}, err
	}
	if len(texts) == 0 {
		return answer{}, badParam("ids", "is required")
	}
	ids := make([]spandrel.SpanID, len(texts))
	for i, text := range texts {
		if ids[i], err = spandrel.ParseSpanID(text); err != nil {
			return answer{}, badParam("ids", err.Error())
		}
	}
	ans, _, err := a.revision(r, id)
	if err != nil || ans.same {
		return ans, err
	}
	spans, missing, err := a.svc.Details(r.Context(), id, ids)
	if err != nil {
		return answer{}, err
	}
	out := struct {
		Spans   []spanJSON `json:"spans"`
		Missing []string   `json:"missing,omitempty"`
	}{Spans: make([]spanJSON, len(spans))}
	for i := range spans {
		out.Spans[i] = newSpanJSON(&spans[i])
	}
	for _, id := range missing {
		out.Missing = append(out.Missing, id.String())
	}
	ans.json = out
	return ans, nil
}

// find lists the rows of the skeleton whose spans meet a query.
func (a *api) find(r *http.Request) (answer, error) {
	id, err := traceID(r)
	if err != nil {
		return answer{}, err
	}
	var q spandrel.Query
	if err := query.ParseConditions(&q, r.URL.Query().Get("q"), true); err != nil {
		return answer{}, badParam("q", err.Error())
	}
	return a.ofWhole(r, id, func(ans *answer, revision uint64) error {
		rows, err := a.svc.Find(r.Context(), id, &q)
		if err != nil {
			return err
		}
		ans.json = struct {
			Rows     []int32 `json:"rows"`
			Count    int     `json:"count"`
			Revision string  `json:"revision"`
		}{append([]int32{}, rows[:min(len(rows), maxFound)]...), len(rows), fmt.Sprint(revision)}
		return nil
	})
}

// events lists the events of a trace's spans.
func (a *api) events(r *http.Request) (answer, error) {
	id, err := traceID(r)
	if err != nil {
		return answer{}, err
	}
	return a.ofWhole(r, id, func(ans *answer, revision uint64) error {
		events, count, err := a.svc.Events(r.Context(), id, maxEvents)
		if err != nil {
			return err
		}
		list := make([]rowEventJSON, len(events))
		for i, e := range events {
			list[i] = rowEventJSON{e.Row, query.Micros(e.At), e.Name, tagsJSON(e.Fields)}
		}
		ans.json = struct {
			Events   []rowEventJSON `json:"events"`
			Count    int            `json:"count"`
			Revision string         `json:"revision"`
		}{list, count, fmt.Sprint(revision)}
		return nil
	})
}

type rowEventJSON struct {
	Row    int32        `json:"row"`
	At     query.Micros `json:"at"`
	Name   string       `json:"name"`
	Fields []tagJSON    `json:"fields,omitempty"`
}

// download gives a trace in somebody else's form.
func (a *api) download(r *http.Request) (answer, error) {
	id, err := traceID(r)
	if err != nil {
		return answer{}, err
	}
	formats := map[string]func(io.Writer, *query.Trace) error{"zipkin": writeZipkin, "otlp": writeOTLP}
	format := r.URL.Query().Get("format")
	write := formats[format]
	if write == nil {
		return answer{}, badParam("format", fmt.Sprintf("%q is neither zipkin nor otlp", format))
	}
	ans, _, err := a.revision(r, id)
	if err != nil || ans.same {
		return ans, err
	}
	ans.etag = ans.etag[:len(ans.etag)-1] + "-" + format + `"`
	next, stop := iter.Pull2(a.svc.Raw().Traces(r.Context(), []spandrel.TraceID{id}))
	ans.done = stop // with it the turn of a large trace ends
	t, err, ok := next()
	if err == nil && !ok {
		err = query.ErrNotFound
	}
	if err != nil {
		return ans, err
	}
	ans.kind, ans.filename = "application/json", id.String()+"."+format+".json"
	ans.write = func(w io.Writer) error { return write(w, t) }
	return ans, nil
}
