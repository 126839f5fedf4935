package jaegerapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	model "github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/query"
)

// dial starts a server on loopback and connects to it as Kiali does.
func dial(t *testing.T, svc *query.Service) (*GRPCServer, *grpc.ClientConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := GRPC(svc, GRPCOptions{})
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(codec{})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return server, conn
}

func newClient(t *testing.T, spans []spandrel.Span) api_v2.QueryServiceClient {
	_, conn := dial(t, newService(t, spans))
	return api_v2.NewQueryServiceClient(conn)
}

// chunkReceiver is what the streams of GetTrace and FindTraces have in common.
type chunkReceiver interface {
	Recv() (*api_v2.SpansResponseChunk, error)
}

func receive(t *testing.T, stream chunkReceiver, err error) (chunks [][]model.Span) {
	t.Helper()
	for err == nil {
		var chunk *api_v2.SpansResponseChunk
		if chunk, err = stream.Recv(); err == nil {
			chunks = append(chunks, chunk.Spans)
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return chunks
}

func TestGRPCTraceCarriesAllThatKialiReads(t *testing.T) {
	client := newClient(t, bookinfo())
	stream, err := client.GetTrace(t.Context(), &api_v2.GetTraceRequest{TraceID: model.TraceID{High: 0x0af7651916cd43dd, Low: 0x8448eb211c80319c}})
	spans := slices.Concat(receive(t, stream, err)...)
	var got []string
	for _, s := range spans {
		if s.Process == nil || s.Process.ServiceName == "" {
			t.Errorf("span %v has process %v", s.SpanID, s.Process)
		}
		got = append(got, fmt.Sprintf("%s %s %s %v", s.Process.ServiceName, s.OperationName, s.Duration, parentIndex(spans, s)))
	}
	want := []string{
		"productpage.default productpage.default.svc.cluster.local:9080/productpage 90ms -1",
		"productpage.default reviews.default.svc.cluster.local:9080/* 60ms 0",
		"reviews.default reviews.default.svc.cluster.local:9080/* 55ms 1",
		"reviews.default ratings.default.svc.cluster.local:9080/* 40ms 2",
		"ratings.default ratings.default.svc.cluster.local:9080/* 30ms 3",
		"ratings.default select 3ms 4",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	kind, _ := model.KeyValues(spans[3].Tags).FindByKey("span.kind")
	failed, _ := model.KeyValues(spans[3].Tags).FindByKey("error")
	if kind.VStr != "client" || failed.VType != model.BoolType || !failed.VBool {
		t.Errorf("got %v and %v, want client and true", kind, failed)
	}
}

func parentIndex(spans []model.Span, s model.Span) int {
	return slices.IndexFunc(spans, func(p model.Span) bool { return s.ParentSpanID() == p.SpanID })
}

func TestGRPCSpanHasEverything(t *testing.T) {
	client := newClient(t, bookinfo())
	stream, err := client.GetTrace(t.Context(), &api_v2.GetTraceRequest{TraceID: model.TraceID{Low: 0xb2}})
	got := slices.Concat(receive(t, stream, err)...)[0]
	at := ago(3 * time.Hour)
	want := model.Span{
		TraceID: model.TraceID{Low: 0xb2}, SpanID: 0xff, Flags: 2, OperationName: "a<b> & \"c\" \u2028\x01\ufffd",
		StartTime: time.Unix(0, at+999).UTC(),
		References: []model.SpanRef{
			{TraceID: model.TraceID{Low: 0xb2}, SpanID: 0xfe, RefType: model.ChildOf},
			{TraceID: model.TraceID{Low: 0xa1}, SpanID: 0x11, RefType: model.FollowsFrom},
			{TraceID: model.TraceID{Low: 0xa1}, SpanID: 0x12, RefType: model.ChildOf},
		},
		Tags: []model.KeyValue{
			model.Int64("big", 1<<53), model.String("bool", "yes"), model.Bool("bool", false), model.Binary("bytes", []byte{0, 1, 255}),
			model.Bool("error", true), model.Float64("float", 1.5e-9), model.Int64("int", -5),
			model.String("otel.scope.name", "lib"), model.String("otel.scope.version", "1"),
			model.String("otel.status_code", "ERROR"), model.String("otel.status_description", "no luck"),
			model.String("span.kind", "consumer"), model.String("w3c.tracestate", "a=b"),
		},
		Logs: []model.Log{{Timestamp: time.Unix(0, at+5000).UTC(), Fields: []model.KeyValue{
			model.String("event", "retry|1|2"), model.Int64("n", 2), model.String("why", "late")}}},
		Process: &model.Process{ServiceName: "svc/with slash", Tags: []model.KeyValue{model.String("cloud.region", "eu"), model.String("host.name", "h")}},
		Warnings: []string{"the span came without a start time; the one shown is when it arrived",
			"Invalid span reference removed: FOLLOWS_FROM to span 0000000000000013 of no trace"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestGRPCSearch(t *testing.T) {
	client := newClient(t, bookinfo())
	tests := []struct {
		name  string
		query api_v2.TraceQueryParameters
		want  []uint64 // low halves of trace ids
	}{
		{"by service, newest first", api_v2.TraceQueryParameters{ServiceName: productpage}, []uint64{0x8448eb211c80319c, 0xa1}},
		{"as Kiali without a start", api_v2.TraceQueryParameters{ServiceName: productpage, StartTimeMin: time.Unix(-62135596800, 0), StartTimeMax: now}, []uint64{0x8448eb211c80319c, 0xa1}},
		{"by time", api_v2.TraceQueryParameters{ServiceName: productpage, StartTimeMin: now.Add(-time.Hour), StartTimeMax: now}, []uint64{0x8448eb211c80319c}},
		{"in the microsecond", api_v2.TraceQueryParameters{StartTimeMin: now.Add(-3 * time.Hour), StartTimeMax: now.Add(-3 * time.Hour)}, []uint64{0xb2}},
		{"by tags of one span", api_v2.TraceQueryParameters{ServiceName: ratings, Tags: map[string]string{"error": "true", "istio.cluster_id": "Kubernetes"}}, []uint64{0x8448eb211c80319c}},
		{"by tags of two spans", api_v2.TraceQueryParameters{Tags: map[string]string{"error": "boom", "http.status_code": "503"}}, nil},
		{"by duration", api_v2.TraceQueryParameters{ServiceName: productpage, DurationMin: time.Millisecond, DurationMax: 3 * time.Millisecond}, []uint64{0xa1}},
		{"by operation", api_v2.TraceQueryParameters{OperationName: "render"}, []uint64{0xa1}},
		{"limited", api_v2.TraceQueryParameters{ServiceName: productpage, SearchDepth: 1}, []uint64{0x8448eb211c80319c}},
		{"a service nobody has", api_v2.TraceQueryParameters{ServiceName: "nobody"}, nil},
		{"no service, as older Kialis probe", api_v2.TraceQueryParameters{Tags: map[string]string{"cluster": "Kubernetes"}, SearchDepth: 10}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stream, err := client.FindTraces(t.Context(), &api_v2.FindTracesRequest{Query: &tt.query})
			var got []uint64
			for _, chunk := range receive(t, stream, err) {
				got = append(got, chunk[0].TraceID.Low)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestGRPCChunksAreBoundedAndOfOneTrace(t *testing.T) {
	var spans []spandrel.Span
	for trace := uint64(1); trace <= 3; trace++ {
		for i := range 250 {
			s := spandrel.Span{TraceID: spandrel.TraceID{Low: trace}, ID: spandrel.SpanID(i + 1), Start: ago(time.Duration(trace)*time.Minute) + int64(i), Local: endpoint("a", "", 0)}
			if trace == 3 {
				s.Tags = []spandrel.Tag{tag("blob", strings.Repeat("x", 100_000))}
			}
			spans = append(spans, s)
		}
	}
	stream, err := newClient(t, spans).FindTraces(t.Context(), &api_v2.FindTracesRequest{Query: &api_v2.TraceQueryParameters{ServiceName: "a"}})
	count := map[uint64]int{}
	var order []uint64
	for _, chunk := range receive(t, stream, err) {
		size := 0
		for _, s := range chunk {
			size += s.Size()
			if s.TraceID != chunk[0].TraceID {
				t.Error("a chunk has spans of two traces")
			}
		}
		if len(chunk) > maxChunkSpans || size > maxChunkBytes {
			t.Errorf("chunk of %d spans, %d bytes", len(chunk), size)
		}
		count[chunk[0].TraceID.Low] += len(chunk)
		order = append(order, chunk[0].TraceID.Low)
	}
	if diff := cmp.Diff(map[uint64]int{1: 250, 2: 250, 3: 250}, count); diff != "" {
		t.Error(diff)
	}
	if !slices.IsSorted(order) {
		t.Errorf("chunks of traces in the order %v, want the newest first and each in one piece", order)
	}
}

func TestGRPCSpansTooLargeForAMessageAreCut(t *testing.T) {
	many := make([]spandrel.Tag, 200_000)
	for i := range many {
		many[i] = tag(fmt.Sprintf("key-%06d", i), "0123456789")
	}
	for name, tags := range map[string][]spandrel.Tag{
		"long value": {tag("blob", strings.Repeat("é", 4<<20)), tag("short", "s")},
		"many tags":  many,
	} {
		t.Run(name, func(t *testing.T) {
			spans := []spandrel.Span{{TraceID: spandrel.TraceID{Low: 1}, ID: 1, Start: ago(time.Minute), Local: endpoint("a", "", 0), Tags: tags}}
			stream, err := newClient(t, spans).GetTrace(t.Context(), &api_v2.GetTraceRequest{TraceID: model.TraceID{Low: 1}})
			got := slices.Concat(receive(t, stream, err)...)
			if len(got) != 1 || len(got[0].Warnings) != 1 || len(got[0].Tags) == 0 || got[0].Size() > maxSpanBytes {
				t.Fatalf("got %d spans, %d bytes, warnings %q", len(got), got[0].Size(), got[0].Warnings)
			}
		})
	}
}

func TestGRPCErrors(t *testing.T) {
	client := newClient(t, bookinfo())
	first := func(stream chunkReceiver, err error) error {
		if err == nil {
			_, err = stream.Recv()
		}
		return err
	}
	find := func(q *api_v2.TraceQueryParameters) func() error {
		return func() error { return first(client.FindTraces(t.Context(), &api_v2.FindTracesRequest{Query: q})) }
	}
	tests := []struct {
		name string
		call func() error
		code codes.Code
		msg  string
	}{
		{"zero id", func() error { return first(client.GetTrace(t.Context(), &api_v2.GetTraceRequest{})) },
			codes.InvalidArgument, "uninitialized TraceID is not allowed"},
		{"unknown id", func() error {
			return first(client.GetTrace(t.Context(), &api_v2.GetTraceRequest{TraceID: model.TraceID{Low: 0xdead}}))
		}, codes.NotFound, "trace not found"},
		{"no query", find(nil), codes.InvalidArgument, "missing query"},
		{"end before start", find(&api_v2.TraceQueryParameters{StartTimeMin: now, StartTimeMax: now.Add(-1 * time.Second)}),
			codes.InvalidArgument, "min start time is above max"},
		{"durations crossed", find(&api_v2.TraceQueryParameters{DurationMin: 2, DurationMax: 1}),
			codes.InvalidArgument, "min duration is above max"},
		{"dependencies without times", func() error {
			_, err := client.GetDependencies(t.Context(), &api_v2.GetDependenciesRequest{StartTime: now})
			return err
		}, codes.InvalidArgument, "StartTime and EndTime must be initialized."},
		{"archive", func() error {
			_, err := client.ArchiveTrace(t.Context(), &api_v2.ArchiveTraceRequest{TraceID: model.TraceID{Low: 0xa1}})
			return err
		}, codes.Internal, "failed to archive trace: archive span storage was not configured"},
		{"archive zero id", func() error {
			_, err := client.ArchiveTrace(t.Context(), &api_v2.ArchiveTraceRequest{})
			return err
		}, codes.InvalidArgument, "uninitialized TraceID is not allowed"},
		{"archive unknown id", func() error {
			_, err := client.ArchiveTrace(t.Context(), &api_v2.ArchiveTraceRequest{TraceID: model.TraceID{Low: 0xdead}})
			return err
		}, codes.NotFound, "trace not found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := status.Convert(tt.call())
			if got.Code() != tt.code || got.Message() != tt.msg {
				t.Errorf("got %v %q, want %v %q", got.Code(), got.Message(), tt.code, tt.msg)
			}
		})
	}
}

// badID is a request whose trace id has the wrong length.
type badID struct{ length int }

func (b badID) Size() int { return b.length + 2 }
func (b badID) MarshalToSizedBuffer(p []byte) (int, error) {
	return copy(p, append([]byte{0x0a, byte(b.length)}, make([]byte, b.length)...)), nil
}
func (b badID) Unmarshal([]byte) error { return nil }

func TestGRPCTraceIDsHave8Or16Bytes(t *testing.T) {
	_, conn := dial(t, newService(t, bookinfo()))
	ask := func(length int) *status.Status {
		stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, "/"+queryService+"/GetTrace")
		if err == nil {
			err = stream.SendMsg(badID{length})
		}
		if err == nil {
			err = stream.RecvMsg(&api_v2.SpansResponseChunk{})
		}
		return status.Convert(err)
	}
	if got := ask(8); got.Code() != codes.InvalidArgument { // it is zero
		t.Errorf("8 bytes: got %v", got)
	}
	if got := ask(5); got.Code() != codes.Internal || !strings.Contains(got.Message(), "invalid length for TraceID") {
		t.Errorf("5 bytes: got %v", got)
	}
}

func TestGRPCLists(t *testing.T) {
	client := newClient(t, bookinfo())
	services, err := client.GetServices(t.Context(), &api_v2.GetServicesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{productpage, ratings, reviews, "svc/with slash"}, services.Services); diff != "" {
		t.Error(diff)
	}
	ops, err := client.GetOperations(t.Context(), &api_v2.GetOperationsRequest{Service: reviews, SpanKind: "client"})
	if err != nil {
		t.Fatal(err)
	}
	want := &api_v2.GetOperationsResponse{OperationNames: []string{"ratings.default.svc.cluster.local:9080/*"},
		Operations: []*api_v2.Operation{{Name: "ratings.default.svc.cluster.local:9080/*", SpanKind: "client"}}}
	if diff := cmp.Diff(want, ops); diff != "" {
		t.Error(diff)
	}
	deps, err := client.GetDependencies(t.Context(), &api_v2.GetDependenciesRequest{StartTime: now.Add(-time.Hour), EndTime: now})
	if err != nil {
		t.Fatal(err)
	}
	links := []model.DependencyLink{{Parent: productpage, Child: reviews, CallCount: 1}, {Parent: ratings, Child: "mysql", CallCount: 1}, {Parent: reviews, Child: ratings, CallCount: 1}}
	if diff := cmp.Diff(links, deps.Dependencies); diff != "" {
		t.Error(diff)
	}
}

func TestGRPCHealthFollowsSetReady(t *testing.T) {
	server, conn := dial(t, newService(t, nil))
	client := healthpb.NewHealthClient(conn)
	for ready, want := range map[bool]healthpb.HealthCheckResponse_ServingStatus{true: healthpb.HealthCheckResponse_SERVING, false: healthpb.HealthCheckResponse_NOT_SERVING} {
		server.SetReady(ready)
		for _, service := range []string{"", queryService} {
			got, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
			if err != nil || got.Status != want {
				t.Errorf("%q: got %v, error %v; want %v", service, got, err, want)
			}
		}
	}
}

func TestGRPCReflectionDescribesTheQueryService(t *testing.T) {
	_, conn := dial(t, newService(t, nil))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(r *reflectionv1.ServerReflectionRequest) *reflectionv1.ServerReflectionResponse {
		if err := stream.Send(r); err != nil {
			t.Fatal(err)
		}
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	var services []string
	for _, s := range ask(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}).GetListServicesResponse().GetService() {
		services = append(services, s.Name)
	}
	want := []string{"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection", queryService}
	if diff := cmp.Diff(want, services); diff != "" {
		t.Error(diff)
	}
	files := ask(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: queryService}})
	if n := len(files.GetFileDescriptorResponse().GetFileDescriptorProto()); n == 0 {
		t.Errorf("no description of the query service: %v", files)
	}
}
