package collector

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"

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
	return &port{Collector: c, protocol: &zipkinProtocol{c}, success: http.StatusAccepted,
		cors: newCORS(o.AllowedOrigins, o.AllowedHeaders), fallback: o.Fallback}
}

// zipkinProtocol is Zipkin's, versions 1 and 2.
type zipkinProtocol struct{ *Collector }

func (*zipkinProtocol) route(r *http.Request) string { return routeOf(r.URL.Path, zipkinV2, zipkinV1) }

// form is text; who sends gRPC here would not see it.
func (*zipkinProtocol) form(r *http.Request) form {
	if isGRPC(r) {
		return grpcForm(r)
	}
	return inText
}

func (*zipkinProtocol) stray(r *http.Request, route string) string {
	const where = "post spans to " + zipkinV2 + " (JSON or protobuf) or " + zipkinV1 + " (JSON)"
	path := clip(r.URL.Path, 200)
	switch {
	case route != "" || r.Method == http.MethodTrace:
		return fmt.Sprintf("method %s is not allowed at %q: %s", clip(r.Method, 20), path, where)
	case otlpRoute(r) != "":
		return fmt.Sprintf("there is nothing at %q, this port takes Zipkin's spans: OTLP goes to port 4318 (HTTP) or 4317 (gRPC); %s", path, where)
	}
	return fmt.Sprintf("there is nothing at %q, this port takes spans: %s", path, where)
}

func (p *zipkinProtocol) open(w http.ResponseWriter, r *http.Request) (message, *refusal) {
	return openHTTP(w, r, p.opts.MaxBodyBytes)
}

// zipkinDecoders keep the memory of spans between posts.
var zipkinDecoders = sync.Pool{New: func() any { return new(zipkin.Decoder) }}

func (p *zipkinProtocol) decode(r *http.Request, route string, body []byte) (b Batch, free func(), bad *refusal) {
	b.Transport = "http"
	if len(body) == 0 {
		return b, func() {}, nil
	}
	d := zipkinDecoders.Get().(*zipkin.Decoder)
	free = func() { zipkinDecoders.Put(d) }
	v1 := route == zipkinV1
	var err error
	switch mediaType(r.Header) {
	case "application/x-thrift":
		return b, free, &refusal{status: http.StatusUnsupportedMediaType, reason: reasonType,
			text: "thrift is not accepted yet: post JSON (application/json) or protobuf (application/x-protobuf)"}
	case "application/x-protobuf", "application/protobuf":
		b.Format = ZipkinProto
		if v1 {
			p.otherVersion(r)
		}
		b.Spans, b.Rejected, err = d.Proto(body)
	default:
		b.Format = ZipkinJSONv2
		isV1 := looksV1(body, v1)
		if isV1 {
			b.Format = ZipkinJSONv1
		}
		if isV1 != v1 {
			p.otherVersion(r)
		}
		b.Spans, b.Rejected, err = d.JSON(body, v1)
	}
	if err == nil {
		return b, free, nil
	}
	hint := ""
	if head := body[:min(len(body), 200)]; bytes.Contains(head, []byte(`"resourceSpans"`)) {
		hint = ": this looks like OTLP, which goes to port 4318"
	}
	return b, free, malformed(err, hint)
}

// taken is 400 where spans were rejected: Zipkin's answer has no room to tell
// of them otherwise.
func (*zipkinProtocol) taken(w http.ResponseWriter, _ *http.Request, rejected *RejectedError) *refusal {
	if rejected != nil {
		return &refusal{status: http.StatusBadRequest, reason: reasonRejected, text: rejected.Error()}
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// otherVersion notes a post of spans of a version that is not its path's. It is
// taken all the same.
func (p *zipkinProtocol) otherVersion(r *http.Request) {
	label := p.misdirected(r, "version")
	p.warn(r.Context(), "spans of another version than the path's are taken all the same", label, r)
}

// looksV1 tells the version of most spans in the body, for the counters: the
// decoder tells it of each. v1 settles the ambiguous.
func looksV1(body []byte, v1 bool) bool {
	if v1 {
		return !bytes.Contains(body, []byte(`Endpoint"`)) && !bytes.Contains(body, []byte(`"tags"`))
	}
	return bytes.Contains(body, []byte(`yAnnotations"`))
}
