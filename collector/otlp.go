package collector

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/spandrel/spandrel/collector/otlp"
)

// Where OTLP is sent: a path that any prefix may stand before, and a call.
const (
	otlpTraces = "/v1/traces"
	otlpExport = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
)

// DefaultMaxMessageBytes is gRPC's own, and that of Jaeger's receiver.
const DefaultMaxMessageBytes = 4 << 20

// OTLPOptions are what an OTLPHandler may be told.
type OTLPOptions struct {
	// MaxBodyBytes bounds the body of a post; 0: Options.MaxBodyBytes.
	MaxBodyBytes int64
	// MaxMessageBytes bounds the message of a call; 0: the default.
	MaxMessageBytes int64
	// AllowedOrigins and AllowedHeaders are as in ZipkinOptions.
	AllowedOrigins, AllowedHeaders []string
}

// OTLPHandler answers OTLP's ports: it takes spans by POST at /v1/traces, in
// protobuf or JSON, and by gRPC. Both are answered on either port, for what is
// wrong about most senders is the port.
//
// Spans that make no sense are told as a partial success. All else that fails
// is told as a google.rpc.Status, so that exporters know what to send again.
func (c *Collector) OTLPHandler(o OTLPOptions) http.Handler {
	if o.MaxBodyBytes <= 0 {
		o.MaxBodyBytes = c.opts.MaxBodyBytes
	}
	if o.MaxMessageBytes <= 0 {
		o.MaxMessageBytes = DefaultMaxMessageBytes
	}
	c.gate.fit(max(o.MaxBodyBytes, o.MaxMessageBytes))
	return &port{Collector: c, protocol: &otlpProtocol{c, o.MaxBodyBytes, o.MaxMessageBytes},
		cors: newCORS(o.AllowedOrigins, o.AllowedHeaders), success: http.StatusOK}
}

// otlpProtocol is OpenTelemetry's, for traces
// (opentelemetry.io/docs/specs/otlp).
type otlpProtocol struct {
	*Collector
	maxBody, maxMessage int64
}

func (*otlpProtocol) route(r *http.Request) string { return otlpRoute(r) }

// otlpRoute is where an OTLP sender's request goes, "" for any other.
func otlpRoute(r *http.Request) string {
	if !isGRPC(r) {
		return routeOf(r.URL.Path, otlpTraces)
	}
	if r.URL.Path == otlpExport {
		return otlpExport
	}
	return ""
}

func (*otlpProtocol) form(r *http.Request) form {
	if isGRPC(r) {
		return grpcForm(r)
	}
	switch mediaType(r.Header) {
	case "application/json":
		return inJSON
	case "application/x-protobuf":
		return inProto
	}
	return inText
}

func (*otlpProtocol) stray(r *http.Request, route string) string {
	const where = "post spans to " + otlpTraces + ", or send them by gRPC"
	path := clip(r.URL.Path, 200)
	switch {
	case route != "" || r.Method == http.MethodTrace:
		return "405 method not allowed, supported: [POST]" // as Jaeger says it
	case routeOf(path, zipkinV2, zipkinV1) != "":
		return fmt.Sprintf("there is nothing at %q, this port takes OTLP: Zipkin's spans go to port 9411; %s", path, where)
	case routeOf(path, "/v1/metrics", "/v1/logs") != "" || strings.HasPrefix(path, "/opentelemetry."):
		return fmt.Sprintf("there is nothing at %q: of OTLP, traces alone are received; %s", path, where)
	}
	return fmt.Sprintf("there is nothing at %q, this port takes OTLP: %s", path, where)
}

func (p *otlpProtocol) open(w http.ResponseWriter, r *http.Request) (message, *refusal) {
	switch {
	case isGRPC(r):
		return openGRPC(w, r, p.maxMessage)
	case p.form(r) == inText:
		return message{}, &refusal{status: http.StatusUnsupportedMediaType, reason: reasonType,
			text: "415 unsupported media type, supported: [application/json, application/x-protobuf]"} // as Jaeger says it
	}
	return openHTTP(w, r, p.maxBody)
}

// otlpDecoders keep the memory of spans between posts.
var otlpDecoders = sync.Pool{New: func() any { return new(otlp.Decoder) }}

func (p *otlpProtocol) decode(r *http.Request, _ string, body []byte) (b Batch, free func(), bad *refusal) {
	d := otlpDecoders.Get().(*otlp.Decoder)
	free = func() { otlpDecoders.Put(d) }
	var err error
	switch p.form(r) {
	case inJSON:
		b.Format, b.Transport = OTLPJSON, "http"
		b.Spans, b.Rejected, err = d.JSON(body)
	case inGRPC:
		b.Format, b.Transport = OTLPGRPC, "grpc"
		b.Spans, b.Rejected, err = d.Proto(body)
	default:
		b.Format, b.Transport = OTLPProto, "http"
		b.Spans, b.Rejected, err = d.Proto(body)
	}
	if err == nil {
		return b, free, nil
	}
	hint := ""
	if b.Format == OTLPJSON && bytes.HasPrefix(bytes.TrimLeft(body[:min(len(body), 200)], " \t\r\n"), []byte("[")) {
		hint = ": this looks like Zipkin's spans, which go to port 9411"
	}
	return b, free, malformed(err, hint)
}

// taken is a success even where spans were rejected, which the answer and the
// log tell: nobody is to send them again.
func (p *otlpProtocol) taken(w http.ResponseWriter, r *http.Request, rejected *RejectedError) *refusal {
	p.form(r).export(w, rejected)
	if rejected != nil {
		attrs := append([]slog.Attr{slog.String("answer", clip(rejected.Error(), 300))}, senderAttrs(r)...)
		p.log.write(r.Context(), slog.LevelWarn, "spans rejected", reasonRejected, attrs...)
	}
	return nil
}
