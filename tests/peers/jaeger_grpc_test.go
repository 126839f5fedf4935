package peers

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	model "github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
)

func queryEscape(s string) string { return url.QueryEscape(s) }

// gogoCodec lets Jaeger's messages, made by gogo/protobuf, read and write
// themselves, as Jaeger's own clients do; bytes are sent as they are.
type gogoCodec struct{}

func (gogoCodec) Name() string { return proto.Name }

func (gogoCodec) Marshal(v any) (mem.BufferSlice, error) {
	switch m := v.(type) {
	case []byte:
		return mem.BufferSlice{mem.SliceBuffer(m)}, nil
	case interface{ Marshal() ([]byte, error) }:
		b, err := m.Marshal()
		return mem.BufferSlice{mem.SliceBuffer(b)}, err
	}
	return encoding.GetCodecV2(proto.Name).Marshal(v)
}

func (gogoCodec) Unmarshal(data mem.BufferSlice, v any) error {
	switch m := v.(type) {
	case *[]byte:
		*m = data.Materialize()
		return nil
	case interface{ Unmarshal([]byte) error }:
		return m.Unmarshal(data.Materialize())
	}
	return encoding.GetCodecV2(proto.Name).Unmarshal(data, v)
}

// dialGRPC connects to an address without TLS.
func dialGRPC(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(gogoCodec{})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// call is one call of Jaeger's gRPC API.
type call struct {
	name string
	do   func(context.Context, *grpc.ClientConn) (any, error)
}

// callAll makes the calls on the port for gRPC alone.
func (x *peer) callAll(t *testing.T, calls []call) []tree {
	t.Helper()
	conn := dialGRPC(t, x.grpc)
	answers := make([]tree, len(calls))
	for i, c := range calls {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		answer, err := c.do(ctx, conn)
		cancel()
		s := status.Convert(err)
		answers[i] = tree{"code": s.Code().String()}
		if err != nil {
			answers[i]["message"] = s.Message()
		}
		if answer != nil {
			answers[i]["answer"] = answer
		}
	}
	return answers
}

// names makes requests of calls, whose names are all that is needed of them.
func names(calls []call) []request {
	list := make([]request, len(calls))
	for i, c := range calls {
		list[i].name = "grpc " + c.name
	}
	return list
}

// receiveSpans reads a stream of spans to its end; what came before an error
// counts.
func receiveSpans(stream interface {
	Recv() (*api_v2.SpansResponseChunk, error)
}, err error) (chunks [][]model.Span, _ error) {
	for err == nil {
		var chunk *api_v2.SpansResponseChunk
		if chunk, err = stream.Recv(); err == nil {
			chunks = append(chunks, chunk.Spans)
		}
	}
	if errors.Is(err, io.EOF) {
		return chunks, nil
	}
	return chunks, err
}

// grpcTraces are the spans of a stream by their traces.
func grpcTraces(chunks [][]model.Span, raw bool) any {
	if len(chunks) == 0 {
		return nil
	}
	all := traces{}
	for _, chunk := range chunks {
		for i := range chunk {
			s := jsonOf(&chunk[i])
			all.add(s.TraceID, tree{}, s.span(raw))
		}
	}
	return all
}

// jsonOf is the span as it is over HTTP.
func jsonOf(m *model.Span) *jsonSpan {
	s := &jsonSpan{
		TraceID: m.TraceID.String(), SpanID: m.SpanID.String(), OperationName: m.OperationName,
		StartTime: number(m.StartTime.UnixNano() / 1000), Duration: number(m.Duration.Microseconds()),
		Tags: jsonTags(m.Tags), ProcessID: m.ProcessID, Warnings: m.Warnings,
	}
	if m.Flags != 0 {
		n := number(int64(m.Flags))
		s.Flags = &n
	}
	if m.Process != nil {
		s.Process = &jsonProcess{m.Process.ServiceName, jsonTags(m.Process.Tags)}
	}
	s.References = make([]jsonReference, 0, len(m.References))
	for _, r := range m.References {
		s.References = append(s.References, jsonReference{r.RefType.String(), r.TraceID.String(), r.SpanID.String()})
	}
	s.Logs = make([]jsonLog, 0, len(m.Logs))
	for _, l := range m.Logs {
		s.Logs = append(s.Logs, jsonLog{number(l.Timestamp.UnixMicro()), jsonTags(l.Fields)})
	}
	return s
}

func number(n int64) json.Number { return json.Number(fmt.Sprint(n)) }

func jsonTags(tags []model.KeyValue) []jsonTag {
	list := make([]jsonTag, len(tags))
	for i, x := range tags {
		list[i] = jsonTag{x.Key, strings.ToLower(x.VType.String()), x.Value()}
	}
	return list
}

// traceIDOf reads 32 or fewer hexadecimal digits.
func traceIDOf(text string) model.TraceID {
	id, err := model.TraceIDFromString(text)
	if err != nil {
		panic(err) // it is written in a test
	}
	return id
}

func getTrace(id string, raw bool) func(context.Context, *grpc.ClientConn) (any, error) {
	return func(ctx context.Context, conn *grpc.ClientConn) (any, error) {
		chunks, err := receiveSpans(api_v2.NewQueryServiceClient(conn).GetTrace(ctx,
			&api_v2.GetTraceRequest{TraceID: traceIDOf(id), RawTraces: raw}))
		return grpcTraces(chunks, raw), err
	}
}

func findTraces(q *api_v2.TraceQueryParameters) func(context.Context, *grpc.ClientConn) (any, error) {
	return func(ctx context.Context, conn *grpc.ClientConn) (any, error) {
		chunks, err := receiveSpans(api_v2.NewQueryServiceClient(conn).FindTraces(ctx, &api_v2.FindTracesRequest{Query: q}))
		return grpcTraces(chunks, q != nil && q.RawTraces), err
	}
}

// unary makes an answer of the call's reply, by text.
func unary[Q, A any](f func(api_v2.QueryServiceClient) func(context.Context, *Q, ...grpc.CallOption) (*A, error), q *Q, texts func(*A) tree) func(context.Context, *grpc.ClientConn) (any, error) {
	return func(ctx context.Context, conn *grpc.ClientConn) (any, error) {
		reply, err := f(api_v2.NewQueryServiceClient(conn))(ctx, q)
		if err != nil {
			return nil, err
		}
		return texts(reply), nil
	}
}

func operations(service, kind string) func(context.Context, *grpc.ClientConn) (any, error) {
	return unary(func(c api_v2.QueryServiceClient) func(context.Context, *api_v2.GetOperationsRequest, ...grpc.CallOption) (*api_v2.GetOperationsResponse, error) {
		return c.GetOperations
	}, &api_v2.GetOperationsRequest{Service: service, SpanKind: kind}, func(r *api_v2.GetOperationsResponse) tree {
		out := tree{}
		for _, name := range r.OperationNames {
			out["{"+name+"}"] = "there"
		}
		for _, o := range r.Operations {
			out["{"+o.Name+" of kind "+o.SpanKind+"}"] = "there"
		}
		return out
	})
}

func dependencies(from, to time.Time) func(context.Context, *grpc.ClientConn) (any, error) {
	return unary(func(c api_v2.QueryServiceClient) func(context.Context, *api_v2.GetDependenciesRequest, ...grpc.CallOption) (*api_v2.GetDependenciesResponse, error) {
		return c.GetDependencies
	}, &api_v2.GetDependenciesRequest{StartTime: from, EndTime: to}, func(r *api_v2.GetDependenciesResponse) tree {
		calls := map[string]uint64{}
		for _, d := range r.Dependencies {
			calls["{"+d.Parent+"→"+d.Child+"}"] += d.CallCount
		}
		out := tree{}
		for link, n := range calls {
			out[link] = fmt.Sprint(n)
		}
		return out
	})
}

func services(ctx context.Context, conn *grpc.ClientConn) (any, error) {
	reply, err := api_v2.NewQueryServiceClient(conn).GetServices(ctx, &api_v2.GetServicesRequest{})
	if err != nil {
		return nil, err
	}
	out := tree{}
	for _, s := range reply.Services {
		out["{"+s+"}"] = "there"
	}
	return out, nil
}

func archive(id string) func(context.Context, *grpc.ClientConn) (any, error) {
	return func(ctx context.Context, conn *grpc.ClientConn) (any, error) {
		_, err := api_v2.NewQueryServiceClient(conn).ArchiveTrace(ctx, &api_v2.ArchiveTraceRequest{TraceID: traceIDOf(id)})
		return nil, err
	}
}

func health(service string) func(context.Context, *grpc.ClientConn) (any, error) {
	return func(ctx context.Context, conn *grpc.ClientConn) (any, error) {
		reply, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{Service: service})
		if err != nil {
			return nil, err
		}
		return reply.Status.String(), nil
	}
}

// reflect asks what services there are, or, for a symbol, whether its file is.
func reflect(symbol string) func(context.Context, *grpc.ClientConn) (any, error) {
	return func(ctx context.Context, conn *grpc.ClientConn) (any, error) {
		stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
		if err != nil {
			return nil, err
		}
		q := &reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}
		if symbol != "" {
			q.MessageRequest = &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: symbol}
		}
		if err := stream.Send(q); err != nil {
			return nil, err
		}
		reply, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		if e := reply.GetErrorResponse(); e != nil {
			return strings.ReplaceAll(e.ErrorMessage, "\u00a0", " "), nil // protobuf writes either
		}
		out := tree{}
		for _, s := range reply.GetListServicesResponse().GetService() {
			out["{"+s.Name+"}"] = "there"
		}
		if n := len(reply.GetFileDescriptorResponse().GetFileDescriptorProto()); n > 0 {
			out["file"] = "there"
		}
		return out, nil
	}
}

// sendBytes calls a method with bytes for a message.
func sendBytes(method, hexBytes string) func(context.Context, *grpc.ClientConn) (any, error) {
	return func(ctx context.Context, conn *grpc.ClientConn) (any, error) {
		b, err := hex.DecodeString(hexBytes)
		if err != nil {
			return nil, err
		}
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/jaeger.api_v2.QueryService/"+method)
		if err != nil {
			return nil, err
		}
		if err := stream.SendMsg(b); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if err := stream.CloseSend(); err != nil {
			return nil, err
		}
		var spans int
		for {
			var chunk api_v2.SpansResponseChunk
			if err := stream.RecvMsg(&chunk); errors.Is(err, io.EOF) {
				return fmt.Sprintf("%d spans", spans), nil
			} else if err != nil {
				return nil, err
			}
			spans += len(chunk.Spans)
		}
	}
}
