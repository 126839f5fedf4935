package collector

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/collector/zipkin"
)

// The paths of Zipkin's collector, which any prefix may stand before.
const (
	zipkinV2 = "/api/v2/spans"
	zipkinV1 = "/api/v1/spans"
)

// ZipkinOptions are what a ZipkinHandler may be told.
type ZipkinOptions struct {
	// AllowedOrigins may post from browsers; none: no page may. An origin is
	// "*" or like http://example.com or http://*.example.com.
	AllowedOrigins []string
	// AllowedHeaders are those that such posts may have besides Content-Type.
	AllowedHeaders []string
	// Fallback, unless nil, answers all GET and HEAD requests, measures and
	// logs them; the headers for other origins are set when it is called.
	Fallback http.Handler
}

// ZipkinHandler answers Zipkin's port: it takes spans by POST at /api/v2/spans
// and /api/v1/spans, in JSON or protobuf. It tells the version of JSON by its
// content, whichever path it came by.
//
// Success is 202 without a body: Envoy counts anything else as a loss.
func (c *Collector) ZipkinHandler(o ZipkinOptions) http.Handler {
	return &zipkinHandler{c, newCORS(o.AllowedOrigins, o.AllowedHeaders), o.Fallback}
}

type zipkinHandler struct {
	*Collector
	cors     cors
	fallback http.Handler
}

// ServeHTTP answers a request, measures how long that took and logs it if it
// failed.
func (h *zipkinHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := h.opts.Now()
	h.cors.mark(w.Header(), r)
	if h.fallback != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		h.fallback.ServeHTTP(w, r)
		return
	}
	route := zipkinRoute(r.URL.Path)
	status := http.StatusAccepted
	if r.Method == http.MethodOptions && h.preflight(w, r, route) {
		status = http.StatusNoContent
		w.WriteHeader(status)
	} else if bad := h.answer(w, r, route); bad != nil {
		status = bad.status
		h.refuse(w, r, bad)
	} else {
		w.WriteHeader(status)
	}
	if route == "" {
		route = "other"
	}
	h.metrics.duration.WithLabelValues(route, methodLabel(r.Method), strconv.Itoa(status)).
		Observe(h.opts.Now().Sub(start).Seconds())
}

// zipkinRoute is which of the paths the request is for, "" for neither.
func zipkinRoute(path string) string {
	path = strings.TrimRight(path, "/")
	for _, route := range []string{zipkinV2, zipkinV1} {
		if strings.HasSuffix(path, route) {
			return route
		}
	}
	return ""
}

// methodLabel is the method if it is one of HTTP's.
func methodLabel(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE":
		return m
	}
	return "other"
}

// preflight reports whether OPTIONS may be answered: at our own paths, and
// where a browser asks for leave that it has.
func (h *zipkinHandler) preflight(w http.ResponseWriter, r *http.Request, route string) bool {
	if route != "" {
		w.Header().Set("Allow", "OPTIONS, POST")
		return true
	}
	return r.Header.Get("Access-Control-Request-Method") != "" && w.Header().Get("Access-Control-Allow-Origin") != ""
}

// answer takes the post's spans; nil means that all are stored.
func (h *zipkinHandler) answer(w http.ResponseWriter, r *http.Request, route string) *refusal {
	const where = "post spans to " + zipkinV2 + " (JSON or protobuf) or " + zipkinV1 + " (JSON)"
	switch {
	case r.Method == http.MethodTrace || route != "" && r.Method != http.MethodPost:
		w.Header().Set("Allow", "OPTIONS, POST")
		return &refusal{status: http.StatusMethodNotAllowed, reason: "method", path: h.misdirected(r, "method"),
			text: fmt.Sprintf("method %s is not allowed at %q: %s", clip(r.Method, 20), clip(r.URL.Path, 200), where)}
	case route == "":
		return &refusal{status: http.StatusNotFound, reason: "path", path: h.misdirected(r, "path"),
			text: fmt.Sprintf("there is nothing at %q, this port takes spans: %s", clip(r.URL.Path, 200), where)}
	}
	return h.post(w, r, route == zipkinV1)
}

// post reads, decodes and stores a body.
func (h *zipkinHandler) post(w http.ResponseWriter, r *http.Request, v1 bool) *refusal {
	codings, err := codings(r.Header)
	if err != nil {
		return &refusal{status: http.StatusUnsupportedMediaType, reason: reasonEncoding, text: err.Error()}
	}
	if r.ContentLength > h.opts.MaxBodyBytes {
		return h.refuseRead(errTooLarge)
	}
	size := firstSize(r, codings)
	t, err := h.gate.enter(size)
	if err != nil {
		return h.refuseRead(err)
	}
	defer t.leave()
	buf := takeBuffer(&t, size)
	defer putBuffer(buf)
	if *buf, err = h.readBody(w, r, codings, &t, *buf); err != nil {
		return h.refuseRead(err)
	}
	if len(*buf) == 0 {
		return nil
	}
	decoder := zipkinDecoders.Get().(*zipkin.Decoder)
	defer zipkinDecoders.Put(decoder)
	batch, bad := h.decode(r, decoder, *buf, v1)
	if bad != nil {
		return bad
	}
	t.charge(memory(batch.Spans))
	// What has come whole is stored even if the client has gone meanwhile.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), h.opts.WriteTimeout)
	defer cancel()
	if err := h.Accept(ctx, batch); err != nil {
		return refuseAccept(err)
	}
	return nil
}

// zipkinDecoders keep the memory of spans between posts.
var zipkinDecoders = sync.Pool{New: func() any { return new(zipkin.Decoder) }}

// decode turns a body into spans that alias it, in the decoder's memory.
func (h *zipkinHandler) decode(r *http.Request, d *zipkin.Decoder, body []byte, v1 bool) (Batch, *refusal) {
	b := Batch{Transport: "http"}
	var err error
	switch mediaType(r.Header) {
	case "application/x-thrift":
		return b, &refusal{status: http.StatusUnsupportedMediaType, reason: "content_type",
			text: "thrift is not accepted yet: post JSON (application/json) or protobuf (application/x-protobuf)"}
	case "application/x-protobuf", "application/protobuf":
		b.Format = ZipkinProto
		if v1 {
			h.otherVersion(r)
		}
		b.Spans, b.Rejected, err = d.Proto(body)
	default:
		b.Format = ZipkinJSONv2
		isV1 := looksV1(body, v1)
		if isV1 {
			b.Format = ZipkinJSONv1
		}
		if isV1 != v1 {
			h.otherVersion(r)
		}
		b.Spans, b.Rejected, err = d.JSON(body, v1)
	}
	if err != nil {
		return b, &refusal{status: http.StatusBadRequest, reason: reasonMalformed, text: clip(err.Error(), 300)}
	}
	return b, nil
}

// otherVersion notes a post of spans of a version that is not its path's. It is
// taken all the same.
func (h *zipkinHandler) otherVersion(r *http.Request) {
	label := h.misdirected(r, "version")
	h.warn(r.Context(), "spans of another version than the path's are taken all the same", label, r)
}

// mediaType is the request's content type without parameters, in lower case.
func mediaType(h http.Header) string {
	t, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// looksV1 tells the version of most spans in the body, for the counters: the
// decoder tells it of each. v1 settles the ambiguous.
func looksV1(body []byte, v1 bool) bool {
	if v1 {
		return !bytes.Contains(body, []byte(`Endpoint"`)) && !bytes.Contains(body, []byte(`"tags"`))
	}
	return bytes.Contains(body, []byte(`yAnnotations"`))
}

// memory is what the spans take besides the body that they alias.
func memory(spans []spandrel.Span) int64 {
	n := cap(spans) * int(unsafe.Sizeof(spandrel.Span{}))
	for i := range spans {
		n += len(spans[i].Tags)*int(unsafe.Sizeof(spandrel.Tag{})) +
			len(spans[i].Events)*int(unsafe.Sizeof(spandrel.Event{}))
	}
	return int64(n)
}
