package jaegerapi

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"math"
	"time"

	model "github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // for clients that compress
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/query"
	"github.com/spandrel/spandrel/storage"
)

// GRPCOptions are the settings of GRPC; the zero value will do.
type GRPCOptions struct {
	// Logger gets one line per call that failed on our side.
	Logger *slog.Logger
	// Registerer gets the call duration metric.
	Registerer prometheus.Registerer
	// Server are further options, such as TLS credentials.
	Server []grpc.ServerOption
}

// GRPCServer is a grpc.Server with Jaeger's query service, health and
// reflection. It is an http.Handler as well, for ports shared with HTTP.
type GRPCServer struct {
	*grpc.Server
	health *health.Server
}

const queryService = "jaeger.api_v2.QueryService"

// GRPC makes the server. It is not ready until SetReady says so.
func GRPC(svc *query.Service, o GRPCOptions) *GRPCServer {
	watch := newCallWatcher(o)
	s := &GRPCServer{
		Server: grpc.NewServer(append([]grpc.ServerOption{
			grpc.ForceServerCodecV2(codec{}),
			grpc.UnaryInterceptor(watch.unary),
			grpc.StreamInterceptor(watch.stream),
		}, o.Server...)...),
		health: health.NewServer(),
	}
	api_v2.RegisterQueryServiceServer(s.Server, &queryServer{svc})
	healthpb.RegisterHealthServer(s.Server, s.health)
	registerReflection(s.Server)
	s.SetReady(false)
	return s
}

// SetReady sets what the health service says of the server and of the query
// service.
func (s *GRPCServer) SetReady(ready bool) {
	answer := healthpb.HealthCheckResponse_NOT_SERVING
	if ready {
		answer = healthpb.HealthCheckResponse_SERVING
	}
	s.health.SetServingStatus("", answer)
	s.health.SetServingStatus(queryService, answer)
}

// queryServer is jaeger.api_v2.QueryService. Codes and messages are Jaeger's
// (grpc_handler.go).
type queryServer struct{ svc *query.Service }

func (q *queryServer) GetTrace(r *api_v2.GetTraceRequest, out api_v2.QueryService_GetTraceServer) error {
	id := traceIDOf(r.TraceID)
	if id.IsZero() {
		return errZeroID
	}
	const failed = "failed to fetch spans from the backend"
	for t, err := range q.view(r.RawTraces).Traces(out.Context(), []spandrel.TraceID{id}) {
		if err != nil {
			return callError(failed, err)
		}
		return sendTrace(out, t)
	}
	return callError(failed, query.ErrNotFound)
}

func (q *queryServer) FindTraces(r *api_v2.FindTracesRequest, out api_v2.QueryService_FindTracesServer) error {
	if r.Query == nil {
		return status.Error(codes.InvalidArgument, "missing query")
	}
	search, err := queryOf(r.Query)
	if err != nil {
		return err
	}
	return sendTraces(out, q.view(r.Query.RawTraces).Search(out.Context(), search))
}

func sendTraces(out chunkSender, traces iter.Seq2[*query.Trace, error]) error {
	for t, err := range traces {
		if err != nil {
			return callError("failed when searching for traces", err)
		}
		if err := sendTrace(out, t); err != nil {
			return err
		}
	}
	return nil
}

func (q *queryServer) view(raw bool) *query.Service {
	if raw {
		return q.svc.Raw()
	}
	return q.svc
}

// queryOf reads a query. Times that are not set, or that Kiali sets to the
// year 1, are no bounds; a depth of 0 is 100, as over HTTP.
func queryOf(p *api_v2.TraceQueryParameters) (spandrel.Query, error) {
	q := spandrel.Query{
		Service:     p.ServiceName,
		Operation:   p.OperationName,
		Tags:        tagConditions(p.Tags),
		MinDuration: int64(p.DurationMin),
		MaxDuration: int64(p.DurationMax),
		Limit:       boundLimit(int(p.SearchDepth)),
	}
	if !p.StartTimeMin.IsZero() {
		q.MinStart = nanos(p.StartTimeMin)
	}
	if !p.StartTimeMax.IsZero() {
		q.MaxStart = endOfMicro(nanos(p.StartTimeMax) / 1000)
	}
	switch {
	case q.MaxStart != 0 && q.MinStart > q.MaxStart:
		return q, status.Error(codes.InvalidArgument, "min start time is above max")
	case q.MaxDuration != 0 && q.MinDuration > q.MaxDuration:
		return q, status.Error(codes.InvalidArgument, "min duration is above max")
	}
	return q, nil
}

// nanos is a time since the epoch, the nearest that fits.
func nanos(t time.Time) int64 {
	const limit = math.MaxInt64/int64(time.Second) - 1
	return time.Unix(min(max(t.Unix(), -limit), limit), int64(t.Nanosecond())).UnixNano()
}

func (q *queryServer) GetServices(ctx context.Context, _ *api_v2.GetServicesRequest) (*api_v2.GetServicesResponse, error) {
	names, err := q.svc.Services(ctx)
	if err != nil {
		return nil, callError("failed to fetch services", err)
	}
	return &api_v2.GetServicesResponse{Services: names}, nil
}

func (q *queryServer) GetOperations(ctx context.Context, r *api_v2.GetOperationsRequest) (*api_v2.GetOperationsResponse, error) {
	ops, err := q.svc.Operations(ctx, r.Service)
	if err != nil {
		return nil, callError("failed to fetch operations", err)
	}
	ops = ofKind(ops, r.SpanKind)
	resp := &api_v2.GetOperationsResponse{OperationNames: operationNames(ops)}
	for _, op := range ops {
		resp.Operations = append(resp.Operations, &api_v2.Operation{Name: valid(op.Name), SpanKind: op.Kind.String()})
	}
	return resp, nil
}

func (q *queryServer) GetDependencies(ctx context.Context, r *api_v2.GetDependenciesRequest) (*api_v2.GetDependenciesResponse, error) {
	if r.StartTime.IsZero() || r.EndTime.IsZero() {
		return nil, status.Error(codes.InvalidArgument, "StartTime and EndTime must be initialized.")
	}
	from, to := time.Unix(0, max(0, nanos(r.StartTime))), time.Unix(0, max(0, nanos(r.EndTime)))
	if to.Before(from) {
		return nil, status.Error(codes.InvalidArgument, "EndTime is before StartTime")
	}
	deps, err := q.svc.Dependencies(ctx, from, to)
	if err != nil {
		return nil, callError("failed to fetch dependencies", err)
	}
	resp := &api_v2.GetDependenciesResponse{Dependencies: make([]model.DependencyLink, len(deps))}
	for i, d := range deps {
		resp.Dependencies[i] = model.DependencyLink{Parent: valid(d.Parent), Child: valid(d.Child), CallCount: d.Calls}
	}
	return resp, nil
}

// ArchiveTrace answers as a Jaeger without a store for archived traces.
func (q *queryServer) ArchiveTrace(ctx context.Context, r *api_v2.ArchiveTraceRequest) (*api_v2.ArchiveTraceResponse, error) {
	id := traceIDOf(r.TraceID)
	if id.IsZero() {
		return nil, errZeroID
	}
	if _, err := q.svc.Trace(ctx, id); err != nil {
		return nil, callError("failed to archive trace", err)
	}
	return nil, status.Error(codes.Internal, "failed to archive trace: archive span storage was not configured")
}

var errZeroID = status.Error(codes.InvalidArgument, "uninitialized TraceID is not allowed")

// callFailure is an error with its status; the client does not see the cause.
type callFailure struct {
	*status.Status
	cause error
}

func (f *callFailure) Error() string              { return f.Message() + ": " + f.cause.Error() }
func (f *callFailure) Unwrap() error              { return f.cause }
func (f *callFailure) GRPCStatus() *status.Status { return f.Status }

// callError gives an error of the service its status; what says what failed.
func callError(what string, err error) error {
	code, msg := codes.Internal, what+": "+asFailure(err).msg
	switch {
	case errors.Is(err, query.ErrNotFound):
		code, msg = codes.NotFound, "trace not found"
	case errors.Is(err, context.Canceled):
		code = codes.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		code = codes.DeadlineExceeded
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, storage.ErrClosed), errors.Is(err, storage.ErrOverloaded):
		code = codes.Unavailable
	}
	return &callFailure{status.New(code, msg), err}
}
