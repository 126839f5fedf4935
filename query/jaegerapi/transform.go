package jaegerapi

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/collector/otlp"
	"github.com/spandrel/spandrel/query"
)

// maxTransform bounds the body of POST /api/transform, before and after
// decompression. Jaeger's bound is the same.
const maxTransform = 20 << 20

// transform makes traces in the page's JSON of OTLP's JSON, so that the page
// can show a file. Nothing is stored, adjusted or left out: one span that makes
// no sense is an error.
func (a *api) transform(w *response, r *http.Request) error {
	body, err := readBody(w.w, r)
	if err != nil {
		return err
	}
	spans, rejected, err := new(otlp.Decoder).JSON(body)
	if err == nil && len(rejected) > 0 {
		err = fmt.Errorf("span %d: %w", rejected[0].Index, rejected[0].Err)
	}
	if err != nil {
		return badRequest("cannot unmarshal OTLP : " + err.Error())
	}
	traces := byTrace(spans)
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

// byTrace groups the spans by trace, both in the order they came in.
func byTrace(all []spandrel.Span) []*query.Trace {
	var order []spandrel.TraceID
	spans := make(map[spandrel.TraceID][]spandrel.Span)
	for _, s := range all {
		if spans[s.TraceID] == nil {
			order = append(order, s.TraceID)
		}
		spans[s.TraceID] = append(spans[s.TraceID], s)
	}
	traces := make([]*query.Trace, len(order))
	for i, id := range order {
		traces[i] = query.AsStored(spans[id])
	}
	return traces
}
