package collector

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/spandrel/spandrel/storage"
)

// export is a request of one span for each byte, which is its id; 0 is not
// valid. On the wire an ExportTraceServiceRequest is the same.
func export(ids ...byte) *tracev1.TracesData {
	scope := &tracev1.ScopeSpans{}
	for _, id := range ids {
		scope.Spans = append(scope.Spans, &tracev1.Span{TraceId: []byte("0123456789abcdef"), SpanId: []byte{0, 0, 0, 0, 0, 0, 0, id}, StartTimeUnixNano: 1000})
	}
	return &tracev1.TracesData{ResourceSpans: []*tracev1.ResourceSpans{{ScopeSpans: []*tracev1.ScopeSpans{scope}}}}
}

// caller calls the server by grpc's own client.
func caller(t *testing.T, url string) func(context.Context, proto.Message, ...grpc.CallOption) (partial, error) {
	t.Helper()
	conn := dial(t, url)
	return func(ctx context.Context, m proto.Message, o ...grpc.CallOption) (partial, error) {
		var answer emptypb.Empty // keeps what it does not know
		err := conn.Invoke(ctx, otlpExport, m, &answer, o...)
		return partialOf(t, answer.ProtoReflect().GetUnknown()), err
	}
}

func dial(t *testing.T, url string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(strings.TrimPrefix(url, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// partial is what an ExportTraceServiceResponse tells.
type partial struct {
	there    bool
	rejected uint64
	text     string
}

// partialOf reads the response field by field.
func partialOf(t *testing.T, response []byte) (p partial) {
	t.Helper()
	for rest := response; len(rest) > 0; {
		n, kind, size := protowire.ConsumeTag(rest)
		rest = rest[max(size, 0):]
		switch {
		case n == 1 && kind == protowire.BytesType && !p.there: // partial_success
			p.there = true
			rest, size = protowire.ConsumeBytes(rest)
		case n == 1 && kind == protowire.VarintType && p.there: // rejected_spans
			p.rejected, size = protowire.ConsumeVarint(rest)
			rest = rest[max(size, 0):]
		case n == 2 && kind == protowire.BytesType && p.there: // error_message
			p.text, size = protowire.ConsumeString(rest)
			rest = rest[max(size, 0):]
		default:
			size = -1
		}
		if size < 0 {
			t.Fatalf("not a response: %x", response)
		}
	}
	return p
}

// retryAfter is what the status says of trying again, 0 for nothing.
func retryAfter(err error) time.Duration {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

// TestCalls has grpc's own client make them.
func TestCalls(t *testing.T) {
	large := export(1)
	large.ResourceSpans[0].ScopeSpans[0].Spans[0].Name = strings.Repeat("x", 2000)
	zip := grpc.UseCompressor(gzip.Name)
	for _, tt := range []struct {
		name   string
		err    error // of the store
		o      OTLPOptions
		export *tracev1.TracesData
		call   []grpc.CallOption
		code   codes.Code
		text   string // a part of what is said of the error, or of the spans that were rejected
		retry  time.Duration
		stored int
	}{
		{name: "one span", export: export(1), stored: 1},
		{name: "zipped", export: export(1, 2, 3), call: []grpc.CallOption{zip}, stored: 3},
		{name: "nothing", export: &tracev1.TracesData{}},
		{name: "nothing, zipped", export: &tracev1.TracesData{}, call: []grpc.CallOption{zip}},
		{name: "some make no sense", export: export(1, 0, 2, 0), text: "2 of 4 spans rejected, 2 stored\nspan 1: invalid_span_id: ", stored: 2},
		{name: "none makes sense", export: export(0), text: "1 of 1 spans rejected, 0 stored"},
		{name: "too large", o: OTLPOptions{MaxMessageBytes: 1000}, export: large, code: codes.ResourceExhausted, text: "more than 1000 bytes"},
		{name: "too large when unzipped", o: OTLPOptions{MaxMessageBytes: 1000}, export: large, call: []grpc.CallOption{zip}, code: codes.ResourceExhausted, text: "more than 1000 bytes"},
		{name: "overloaded", err: fmt.Errorf("full: %w", storage.ErrOverloaded), export: export(1), code: codes.Unavailable, text: "the store is overloaded", retry: time.Second},
		{name: "unavailable", err: storage.ErrUnavailable, export: export(1), code: codes.Unavailable, text: "the store cannot write just now", retry: time.Second},
		{name: "broken", err: errors.New("open /data: 100% sécret"), export: export(1), code: codes.Internal, text: "the spans could not be stored"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := &recorder{err: tt.err}
			srv := serve(t, New(store, Options{}).OTLPHandler(tt.o))
			resp, err := caller(t, srv.URL)(t.Context(), tt.export, tt.call...)
			s := status.Convert(err)
			if text := s.Message() + resp.text; s.Code() != tt.code || !strings.Contains(text, tt.text) {
				t.Errorf("got %v %q, want %v %q", s.Code(), text, tt.code, tt.text)
			}
			if got := retryAfter(err); got != tt.retry {
				t.Errorf("to be tried again after %v, want %v", got, tt.retry)
			}
			sent := len(tt.export.GetResourceSpans())
			if sent > 0 {
				sent = len(tt.export.ResourceSpans[0].ScopeSpans[0].Spans)
			}
			if int(resp.rejected) != sent-tt.stored && err == nil || resp.there != (resp.rejected > 0) {
				t.Errorf("%+v of %d, %d stored", resp, sent, tt.stored)
			}
			if store.len() != tt.stored {
				t.Errorf("%d stored, want %d", store.len(), tt.stored)
			}
		})
	}
}

func TestCallsAreRefusedWhenThereIsNoRoom(t *testing.T) {
	c := New(&recorder{}, Options{MaxInFlightPosts: 1})
	client := caller(t, serve(t, c.OTLPHandler(OTLPOptions{})).URL)
	other, err := c.gate.enter(1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client(t.Context(), export(1))
	if status.Code(err) != codes.Unavailable || retryAfter(err) != time.Second || !strings.Contains(err.Error(), "too many posts") {
		t.Errorf("got %v", err)
	}
	other.leave()
	if _, err := client(t.Context(), export(1)); err != nil {
		t.Error(err)
	}
	<-c.gate.drain()
	if _, err = client(t.Context(), export(1)); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "shutting down") {
		t.Errorf("got %v", err)
	}
	if posts, bytes := c.gate.held(); posts != 0 || bytes != 0 {
		t.Errorf("left behind: %d posts, %d bytes", posts, bytes)
	}
}

// TestCallsForOthersAreToldWhereTheyAre wants sentences from ports that do not
// have what is called.
func TestCallsForOthersAreToldWhereTheyAre(t *testing.T) {
	c := New(&recorder{}, Options{})
	for _, tt := range []struct {
		name, method, want string
		h                  http.Handler
	}{
		{"spans to Zipkin's port", otlpExport, "OTLP goes to port 4318 (HTTP) or 4317 (gRPC)", c.ZipkinHandler(ZipkinOptions{})},
		{"metrics", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", "of OTLP, traces alone are received", c.OTLPHandler(OTLPOptions{})},
		{"Jaeger's spans", "/jaeger.api_v2.CollectorService/PostSpans", "this port takes OTLP", c.OTLPHandler(OTLPOptions{})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := dial(t, serve(t, tt.h).URL).Invoke(t.Context(), tt.method, export(1), &emptypb.Empty{})
			if status.Code(err) != codes.Unimplemented || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want Unimplemented with %q", err, tt.want)
			}
		})
	}
}

// TestFramesThatAreNone are answered InvalidArgument, and the port goes on.
func TestFramesThatAreNone(t *testing.T) {
	one, err := proto.Marshal(export(1))
	if err != nil {
		t.Fatal(err)
	}
	framed := append([]byte{0, 0, 0, 0, byte(len(one))}, one...)
	store := &recorder{}
	srv := serve(t, New(store, Options{}).OTLPHandler(OTLPOptions{}))
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	for _, tt := range []struct {
		name, body, encoding, code, want string
	}{
		{"a message", string(framed), "", "0", ""},
		{"nothing", "", "", "3", "the call has none"},
		{"a part of the length", "\x00\x00", "", "3", "the body ended early"},
		{"a part of the message", string(framed[:20]), "", "3", "the body ended early"},
		{"two messages", string(framed) + string(framed), "", "3", "there is more than one"},
		{"a flag that is none", "\x02" + string(framed[1:]), "", "3", "it begins with 0x2"},
		{"compressed, who knows how", "\x01" + string(framed[1:]), "", "3", "no grpc-encoding"},
		{"compressed, but not so", "\x01" + string(framed[1:]), "gzip", "3", "gzip cannot be decoded"},
		{"compressed in a way of its own", "\x01" + string(framed[1:]), "snappy", "12", `"snappy" is not accepted`},
		{"not compressed after all", string(framed), "gzip", "0", ""},
		{"zstd", "\x01" + string(frameOf(encode(t, "zstd", one))), "zstd", "0", ""},
		{"a length beyond all bounds", "\x00\xff\xff\xff\xff", "", "8", "more than 4194304 bytes"},
		{"not protobuf", "\x00\x00\x00\x00\x02{}", "", "3", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp := send(t, &http.Client{Transport: transport}, srv.URL+otlpExport, io.MultiReader(strings.NewReader(tt.body)),
				"Content-Type", "application/grpc+proto", "Grpc-Encoding", tt.encoding)
			if _, err := io.ReadAll(resp.Body); err != nil {
				t.Fatal(err)
			}
			code, text := resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message")
			if resp.StatusCode != http.StatusOK || code != tt.code || !strings.Contains(text, tt.want) {
				t.Errorf("got %d, %s %q, want %s %q", resp.StatusCode, code, text, tt.code, tt.want)
			}
		})
	}
	if store.len() != 3 {
		t.Errorf("%d stored, want 3", store.len())
	}
}

// frameOf is the length and the message.
func frameOf(message []byte) []byte {
	return append([]byte{0, 0, 0, byte(len(message))}, message...)
}

// TestAnswersAreProtobufsOwn reads them with the generated types, in both forms.
func TestAnswersAreProtobufsOwn(t *testing.T) {
	store := &recorder{}
	srv := serve(t, New(store, Options{}).OTLPHandler(OTLPOptions{}))
	for contentType, form := range map[string]struct {
		write   func(*tracev1.TracesData) ([]byte, error)
		partial func(*testing.T, []byte) partial
		status  func([]byte, proto.Message) error
	}{
		"application/x-protobuf": {func(m *tracev1.TracesData) ([]byte, error) { return proto.Marshal(m) }, partialOf, proto.Unmarshal},
		"application/json":       {otlpJSON, partialOfJSON, protojson.Unmarshal},
	} {
		t.Run(contentType, func(t *testing.T) {
			ask := func(ids ...byte) []byte {
				body, err := form.write(export(ids...))
				if err != nil {
					t.Fatal(err)
				}
				resp := send(t, srv.Client(), srv.URL+otlpTraces, bytes.NewReader(body), "Content-Type", contentType)
				if got := resp.Header.Get("Content-Type"); got != contentType {
					t.Errorf("an answer in %s", got)
				}
				answer, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				return answer
			}
			if got := form.partial(t, ask(1, 2)); got != (partial{}) {
				t.Errorf("got %+v, want no partial success", got)
			}
			if got := form.partial(t, ask(1, 0)); got.rejected != 1 || !strings.Contains(got.text, "invalid_span_id") {
				t.Errorf("got %+v, want one rejected", got)
			}
			store.err = storage.ErrOverloaded
			defer func() { store.err = nil }()
			var s rpcstatus.Status
			if err := form.status(ask(1), &s); err != nil || s.Code != int32(codes.Unavailable) || retryAfter(status.ErrorProto(&s)) != time.Second {
				t.Errorf("got %v, %v, want Unavailable for a second", &s, err)
			}
		})
	}
}

// partialOfJSON reads the response in its other form.
func partialOfJSON(t *testing.T, response []byte) (p partial) {
	t.Helper()
	var r struct {
		PartialSuccess *struct{ RejectedSpans, ErrorMessage string }
	}
	if err := json.Unmarshal(response, &r); err != nil {
		t.Fatal(err)
	}
	if r.PartialSuccess == nil {
		return p
	}
	n, err := strconv.ParseUint(r.PartialSuccess.RejectedSpans, 10, 64)
	if err != nil {
		t.Error(err)
	}
	return partial{true, n, r.PartialSuccess.ErrorMessage}
}

// otlpJSON is OTLP's own JSON, which has ids in hexadecimal where protobuf's has
// them in base64.
func otlpJSON(m *tracev1.TracesData) ([]byte, error) {
	scope := m.ResourceSpans[0].ScopeSpans[0]
	type span struct {
		TraceID string `json:"traceId"`
		SpanID  string `json:"spanId"`
	}
	spans := make([]span, len(scope.Spans))
	for i, s := range scope.Spans {
		spans[i] = span{fmt.Sprintf("%x", s.TraceId), fmt.Sprintf("%x", s.SpanId)}
	}
	return json.Marshal(map[string]any{"resourceSpans": []any{map[string]any{"scopeSpans": []any{map[string]any{"spans": spans}}}}})
}

// TestOTLPIsCountedWhole holds the counters to their law, whatever befalls the
// posts: received = accepted + rejected + failed, in each format.
func TestOTLPIsCountedWhole(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	store := &recorder{}
	srv := serve(t, New(store, Options{Registerer: reg}).OTLPHandler(OTLPOptions{}))
	client := caller(t, srv.URL)
	random := rand.New(rand.NewPCG(1, 2))
	received := map[string]float64{}
	for range 200 {
		ids := make([]byte, random.IntN(6))
		for i := range ids {
			ids[i] = byte(random.IntN(3)) // a third of them 0
		}
		store.err = nil
		if random.IntN(4) == 0 {
			store.err = storage.ErrOverloaded
		}
		switch format := []string{"otlp_grpc", "otlp_proto", "otlp_json"}[random.IntN(3)]; format {
		case "otlp_grpc":
			received[format] += float64(len(ids))
			if _, err := client(t.Context(), export(ids...)); err != nil && status.Code(err) != codes.Unavailable {
				t.Fatal(err)
			}
		default:
			received[format] += float64(len(ids))
			contentType := "application/x-protobuf"
			body, err := proto.Marshal(export(ids...))
			if format == "otlp_json" {
				contentType = "application/json"
				body, err = otlpJSON(export(ids...))
			}
			if err != nil {
				t.Fatal(err)
			}
			send(t, srv.Client(), srv.URL+otlpTraces, bytes.NewReader(body), "Content-Type", contentType)
		}
	}
	const p = "spandrel_collector_spans_"
	var stored, refused float64
	for format, n := range received {
		got := func(name string) float64 { return sum(t, reg, p+name, "format", format) }
		accepted, rejected, failed := got("accepted_total"), got("rejected_total"), got("failed_total")
		if got("received_total") != n || accepted+rejected+failed != n || accepted*rejected*failed == 0 {
			t.Errorf("%s: of %v spans %v were received, %v accepted, %v rejected, %v failed", format, n, got("received_total"), accepted, rejected, failed)
		}
		stored, refused = stored+accepted, refused+rejected+failed
	}
	equal(t, "stored", float64(store.len()), stored)
	equal(t, "OpenTelemetry's accepted", sum(t, reg, "otelcol_receiver_accepted_spans_total", "receiver", "otlp"), stored)
	equal(t, "OpenTelemetry's accepted by gRPC", sum(t, reg, "otelcol_receiver_accepted_spans_total", "receiver", "otlp", "transport", "grpc"),
		sum(t, reg, p+"accepted_total", "format", "otlp_grpc"))
	equal(t, "OpenTelemetry's refused", sum(t, reg, "otelcol_receiver_refused_spans_total", "receiver", "otlp"), refused)
	equal(t, "Jaeger's received", sum(t, reg, "jaeger_collector_spans_received_total", "format", "otlp"), stored+refused)
}

// TestACallThatCameWholeIsStoredThoughTheClientIsGone lets the client go while
// the store is busy.
func TestACallThatCameWholeIsStoredThoughTheClientIsGone(t *testing.T) {
	store := &recorder{entered: make(chan struct{}), wait: make(chan struct{})}
	c := New(store, Options{})
	client := caller(t, serve(t, c.OTLPHandler(OTLPOptions{})).URL)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := client(ctx, export(1))
		ended <- err
	}()
	<-store.entered
	cancel()
	if err := <-ended; status.Code(err) != codes.Canceled {
		t.Errorf("got %v", err)
	}
	close(store.wait)
	if err := c.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if store.len() != 1 {
		t.Error("not stored")
	}
}

// FuzzCalls sends bytes for a call's body: there is one answer and nothing is
// left behind.
func FuzzCalls(f *testing.F) {
	one, err := proto.Marshal(export(1, 0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append([]byte{0}, frameOf(one)...), "")
	f.Add(append([]byte{1}, frameOf(encode(f, "gzip", one))...), "gzip")
	f.Add([]byte{0, 0, 0, 0, 0}, "identity")
	f.Add([]byte{0, 255, 255, 255, 255, 0}, "")
	f.Add([]byte{1, 0, 0}, "gzip,zstd")
	f.Fuzz(func(t *testing.T, body []byte, encoding string) {
		store := &recorder{}
		c := New(store, Options{Now: fixedNow})
		r := httptest.NewRequest(http.MethodPost, otlpExport, bytes.NewReader(body))
		r.ProtoMajor, r.ProtoMinor = 2, 0
		r.Header.Set("Content-Type", "application/grpc")
		r.Header.Set("Grpc-Encoding", encoding)
		w := httptest.NewRecorder()
		c.OTLPHandler(OTLPOptions{MaxMessageBytes: 1 << 16}).ServeHTTP(w, r)
		answer := w.Result()
		defer answer.Body.Close()
		code := answer.Trailer.Get("Grpc-Status")
		if answer.StatusCode != http.StatusOK || code != "0" && code != "3" && code != "8" && code != "12" {
			t.Errorf("got %s, status %q", answer.Status, code)
		}
		if code != "0" && (store.len() > 0 || w.Body.Len() > 0 || answer.Trailer.Get("Grpc-Message") == "") {
			t.Errorf("status %s %q: %d spans are stored, the answer has %d bytes", code, answer.Trailer.Get("Grpc-Message"), store.len(), w.Body.Len())
		}
		if posts, bytes := c.gate.held(); posts != 0 || bytes != 0 {
			t.Errorf("left behind: %d posts, %d bytes", posts, bytes)
		}
	})
}
