package jaegerapi

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/query"
)

// maxTransform bounds the body of POST /api/transform, before and after
// decompression. Jaeger's bound is the same.
const maxTransform = 20 << 20

// transform makes traces in the page's JSON of OTLP's JSON, so that the page
// can show a file. Nothing is stored, adjusted or left out.
func (a *api) transform(w *response, r *http.Request) error {
	body, err := readBody(w.w, r)
	if err != nil {
		return err
	}
	var export otlpExport
	if err := json.Unmarshal(body, &export); err != nil {
		return badRequest("cannot unmarshal OTLP : " + err.Error())
	}
	traces, err := export.traces()
	if err != nil {
		return badRequest("cannot unmarshal OTLP : " + err.Error())
	}
	w.open()
	w.buf = append(w.buf, '[')
	enc := encoder{w: w}
	for i, t := range traces {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		if err := enc.trace(t); err != nil {
			return err
		}
	}
	w.buf = append(w.buf, ']')
	return w.close(len(traces), 0)
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	var in io.Reader = http.MaxBytesReader(w, r.Body, maxTransform)
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return nil, badRequest("cannot read gzip: " + err.Error())
		}
		in = unzipped
	default:
		return nil, &failure{http.StatusUnsupportedMediaType, "unsupported Content-Encoding: " + encoding, nil}
	}
	body, err := io.ReadAll(io.LimitReader(in, maxTransform+1))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge), len(body) > maxTransform:
		return nil, &failure{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxTransform), nil}
	case err != nil:
		return nil, badRequest("cannot read the body: " + err.Error())
	}
	return body, nil
}

// traces groups the spans by trace, both in the order they came in.
func (e *otlpExport) traces() ([]*query.Trace, error) {
	var order []spandrel.TraceID
	spans := make(map[spandrel.TraceID][]spandrel.Span)
	for _, rs := range e.ResourceSpans {
		service, resource := rs.Resource.split()
		for _, ss := range rs.ScopeSpans {
			scope := spandrel.Scope{Name: ss.Scope.Name, Version: ss.Scope.Version, Tags: tagsOf(ss.Scope.Attributes)}
			for i := range ss.Spans {
				s, err := ss.Spans[i].span()
				if err != nil {
					return nil, err
				}
				s.Local.Service, s.Resource, s.Scope = service, resource, scope
				if spans[s.TraceID] == nil {
					order = append(order, s.TraceID)
				}
				spans[s.TraceID] = append(spans[s.TraceID], s)
			}
		}
	}
	traces := make([]*query.Trace, len(order))
	for i, id := range order {
		traces[i] = query.AsStored(spans[id])
	}
	return traces, nil
}
