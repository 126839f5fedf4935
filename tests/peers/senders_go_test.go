package peers

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"log"
	"net/http"
	"sync"
	"testing"
	"time"

	openzipkin "github.com/openzipkin/zipkin-go"
	"github.com/openzipkin/zipkin-go/model"
	"github.com/openzipkin/zipkin-go/reporter"
	zipkinhttp "github.com/openzipkin/zipkin-go/reporter/http"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelzipkin "go.opentelemetry.io/otel/exporters/zipkin"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
)

// watch is a transport that notes what became of the requests.
type watch struct {
	mu  sync.Mutex
	saw outcome // guarded by mu
}

func (w *watch) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.saw.Failures = append(w.saw.Failures, err.Error())
		return nil, err
	}
	w.saw.Statuses = append(w.saw.Statuses, resp.StatusCode)
	return resp, nil
}

// Write takes what a library logs for a failure.
func (w *watch) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.saw.Failures = append(w.saw.Failures, string(line))
	return len(line), nil
}

// zipkinGo makes a send with OpenZipkin's library for Go.
func zipkinGo(serializer reporter.SpanSerializer) func(*testing.T, *server, string, time.Time) outcome {
	return func(t *testing.T, s *server, traceID string, base time.Time) outcome {
		saw, ids := &watch{}, &zipkinIDs{}
		var err error
		if ids.trace, err = model.TraceIDFromHex(traceID); err != nil {
			t.Fatal(err)
		}
		rep := zipkinhttp.NewReporter(s.zipkin+"/api/v2/spans", zipkinhttp.Client(&http.Client{Transport: saw}),
			zipkinhttp.Logger(log.New(saw, "", 0)), zipkinhttp.Serializer(serializer), zipkinhttp.BatchInterval(time.Minute))
		tracer := func(service, address string) *openzipkin.Tracer {
			endpoint, err := openzipkin.NewEndpoint(service, address)
			if err != nil {
				t.Fatal(err)
			}
			tracer, err := openzipkin.NewTracer(rep, openzipkin.WithLocalEndpoint(endpoint), openzipkin.WithIDGenerator(ids))
			if err != nil {
				t.Fatal(err)
			}
			return tracer
		}
		remote, err := openzipkin.NewEndpoint("Kasse", "[2001:db8::2]:9090")
		if err != nil {
			t.Fatal(err)
		}
		frontend, checkout := tracer("Frontend", "192.0.2.1:8080"), tracer("Kasse", "[2001:db8::2]:9090")

		client := frontend.StartSpan("POST /Bücher/{Id}", openzipkin.Kind(model.Client),
			openzipkin.StartTime(base), openzipkin.RemoteEndpoint(remote))
		client.Tag("http.status_code", "503")
		client.Tag("Mixed.Case", "VaLuE")
		client.Annotate(base.Add(125*time.Millisecond), "Gesendet ✓")
		server := checkout.StartSpan("Bücher annehmen", openzipkin.Kind(model.Server), openzipkin.Parent(client.Context()),
			openzipkin.StartTime(base.Add(250*time.Millisecond)))
		server.Tag("empty", "")
		local := checkout.StartSpan("Lager prüfen", openzipkin.Parent(server.Context()),
			openzipkin.StartTime(base.Add(375*time.Millisecond)))
		openzipkin.TagError.Set(local, "Lager: 空 😀")
		local.Annotate(base.Add(500*time.Millisecond), "leer")
		local.FinishedWithDuration(250 * time.Millisecond)
		server.FinishedWithDuration(500 * time.Millisecond)
		client.FinishedWithDuration(time.Second)
		if err := rep.Close(); err != nil {
			t.Error(err)
		}
		return saw.saw
	}
}

// zipkinIDs makes all spans of one trace.
type zipkinIDs struct {
	trace model.TraceID
	spans model.ID
}

func (z *zipkinIDs) TraceID() model.TraceID { return z.trace }

func (z *zipkinIDs) SpanID(model.TraceID) model.ID {
	z.spans++
	return z.spans
}

// exporterTo makes one of OpenTelemetry's exporters for Go.
type exporterTo func(ctx context.Context, s *server, saw *watch) (sdktrace.SpanExporter, error)

func viaZipkin(_ context.Context, s *server, saw *watch) (sdktrace.SpanExporter, error) {
	return otelzipkin.New(s.zipkin+"/api/v2/spans", otelzipkin.WithClient(&http.Client{Transport: saw}))
}

func viaHTTP(ctx context.Context, s *server, saw *watch) (sdktrace.SpanExporter, error) {
	return otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(s.otlp+"/v1/traces"), otlptracehttp.WithHTTPClient(&http.Client{Transport: saw}),
		otlptracehttp.WithCompression(otlptracehttp.GzipCompression), otlptracehttp.WithRetry(otlptracehttp.RetryConfig{}))
}

// viaGRPC notes a call that succeeded as HTTP would tell it.
func viaGRPC(ctx context.Context, s *server, saw *watch) (sdktrace.SpanExporter, error) {
	return otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(s.export), otlptracegrpc.WithCompressor("gzip"), otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{}),
		otlptracegrpc.WithDialOption(grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, o ...grpc.CallOption) error {
			err := next(ctx, method, req, reply, cc, o...)
			if err == nil {
				saw.mu.Lock()
				defer saw.mu.Unlock()
				saw.saw.Statuses = append(saw.saw.Statuses, http.StatusOK)
			}
			return err
		})))
}

// otelGo makes a send with OpenTelemetry's SDK for Go.
func otelGo(exporter exporterTo) func(*testing.T, *server, string, time.Time) outcome {
	return func(t *testing.T, s *server, traceID string, base time.Time) outcome {
		return tellOtel(t, s, traceID, base, exporter)
	}
}

func tellOtel(t *testing.T, s *server, traceID string, base time.Time, newExporter exporterTo) outcome {
	saw := &watch{}
	ids := &otelIDs{}
	if _, err := hex.Decode(ids.trace[:], []byte(traceID)); err != nil {
		t.Fatal(err)
	}
	var providers []*sdktrace.TracerProvider
	tracer := func(service string) oteltrace.Tracer {
		exporter, err := newExporter(t.Context(), s, saw)
		if err != nil {
			t.Fatal(err)
		}
		provider := sdktrace.NewTracerProvider(sdktrace.WithIDGenerator(ids), sdktrace.WithSyncer(strict{exporter, saw}),
			sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", service), attribute.String("host.name", "Go-1"))))
		providers = append(providers, provider)
		return provider.Tracer("Shop", oteltrace.WithInstrumentationVersion("1.2"))
	}
	frontend, checkout := tracer("Frontend"), tracer("Kasse")
	at := func(millis int) oteltrace.SpanEventOption {
		return oteltrace.WithTimestamp(base.Add(time.Duration(millis) * time.Millisecond))
	}

	ctx, client := frontend.Start(t.Context(), "POST /Bücher/{Id}", oteltrace.WithSpanKind(oteltrace.SpanKindClient), at(0),
		oteltrace.WithAttributes(attribute.Int("http.status_code", 503), attribute.String("Mixed.Case", "VaLuE"),
			attribute.IntSlice("list", []int{1, 2}), attribute.String("peer.service", "Kasse")))
	client.AddEvent("Gesendet ✓", at(125), oteltrace.WithAttributes(attribute.Int("bytes", 12)))
	ctx, server := checkout.Start(ctx, "Bücher annehmen", oteltrace.WithSpanKind(oteltrace.SpanKindServer), at(250),
		oteltrace.WithAttributes(attribute.String("empty", ""), attribute.Bool("secure", false)))
	_, local := checkout.Start(ctx, "Lager prüfen", at(375))
	local.AddEvent("leer", at(500))
	local.SetStatus(codes.Error, "Lager: 空 😀")
	local.End(at(625))
	server.SetStatus(codes.Ok, "")
	server.End(at(750))
	client.SetStatus(codes.Error, "") // an error without a word
	client.End(at(1000))
	for _, p := range providers {
		if err := p.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
	return saw.saw
}

// strict notes the failures that the exporter reports: all but 202.
type strict struct {
	sdktrace.SpanExporter
	saw *watch
}

func (s strict) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := s.SpanExporter.ExportSpans(ctx, spans)
	if err != nil {
		_, _ = s.saw.Write([]byte(err.Error()))
	}
	return err
}

// otelIDs makes all spans of one trace.
type otelIDs struct {
	trace oteltrace.TraceID
	spans uint64
}

func (c *otelIDs) NewIDs(ctx context.Context) (oteltrace.TraceID, oteltrace.SpanID) {
	return c.trace, c.NewSpanID(ctx, c.trace)
}

func (c *otelIDs) NewSpanID(context.Context, oteltrace.TraceID) (id oteltrace.SpanID) {
	c.spans++
	binary.BigEndian.PutUint64(id[:], c.spans)
	return id
}
