package main

import (
	"expvar"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/spandrel/spandrel/collector"
	"github.com/spandrel/spandrel/query/jaegerapi"
	"github.com/spandrel/spandrel/query/uiapi"
	"github.com/spandrel/spandrel/ui"
)

// port is what is served on one listener: routes, or gRPC alone.
type port struct {
	*listener
	routes []route
	api    []string // "METHOD path" of routes that a package has behind them
	grpc   *jaegerapi.GRPCServer
	grace  time.Duration // how long requests may take to end at most, 0 = as long as the shutdown may take
}

// queryGrace is the grace of queries: a watching client would use up any.
const queryGrace = 5 * time.Second

// route is one line of the list of all that is served. A path ending in *
// stands for all that begin so; "" is any method.
type route struct {
	method, path string
	handler      http.Handler
}

// clientPorts are the ports of those who bring spans and ask for traces.
func (s *service) clientPorts() []port {
	zipkin := s.collector.ZipkinHandler(collector.ZipkinOptions{
		AllowedOrigins: s.CORSOrigins, AllowedHeaders: s.CORSHeaders,
	})
	otlp := s.collector.OTLPHandler(collector.OTLPOptions{
		MaxBodyBytes: int64(s.OTLPMaxBody), MaxMessageBytes: int64(s.OTLPMaxMessage),
		AllowedOrigins: s.OTLPOrigins, AllowedHeaders: s.OTLPHeaders,
	})
	otlpRoutes := []route{
		{"POST", "/v1/traces", otlp},
		{"POST", "/opentelemetry.proto.collector.trace.v1.TraceService/Export", otlp},
		{"", "/*", otlp}, // as Zipkin's
	}
	return []port{
		{listener: &s.Zipkin, routes: []route{
			{"POST", "/api/v2/spans", zipkin},
			{"POST", "/api/v1/spans", zipkin},
			{"", "/*", zipkin}, // any prefix before those, and sentences that lead there
		}},
		{listener: &s.OTLPGRPC, routes: otlpRoutes},
		{listener: &s.OTLPHTTP, routes: otlpRoutes},
		{listener: &s.QueryHTTP, grace: queryGrace, api: s.apiRoutes(), routes: []route{
			{"", "/*", withGRPC(s.grpc, s.guard.http(s.queryHTTP()))},
		}},
		{listener: &s.QueryGRPC, grace: queryGrace, grpc: s.grpc},
	}
}

// queryHTTP is Jaeger's API, the page and the page's own API; the packages
// jaegerapi and uiapi have their routes.
func (s *service) queryHTTP() http.Handler {
	return jaegerapi.HTTP(s.query, jaegerapi.HTTPOptions{
		BasePath: s.BasePath, Headers: s.Headers.Header, Logger: s.log, Registerer: s.registry,
		UI:    ui.Handler(ui.Options{BasePath: s.BasePath, Version: build(), Config: s.UIConfig}),
		Pages: uiapi.Handler(s.query, uiapi.Options{Logger: s.log, Status: s.uiStatus, Tail: s.tail}),
	})
}

// apiRoutes are the routes of queryHTTP.
func (s *service) apiRoutes() []string {
	list := slices.Concat(jaegerapi.Routes(), uiapi.Routes())
	for i, r := range list {
		method, path, _ := strings.Cut(r, " ")
		list[i] = method + " " + strings.TrimSuffix(s.BasePath, "/") + path
	}
	return list
}

// operatorPorts are the ports of those who run the service.
func (s *service) operatorPorts() []port {
	admin := []route{
		{"GET", "/version", http.HandlerFunc(showVersion)},
		{"GET", "/debug/vars", expvar.Handler()},
		{"GET", "/debug/pprof/cmdline", http.HandlerFunc(pprof.Cmdline)},
		{"GET", "/debug/pprof/profile", http.HandlerFunc(pprof.Profile)},
		{"", "/debug/pprof/symbol", http.HandlerFunc(pprof.Symbol)},
		{"GET", "/debug/pprof/trace", http.HandlerFunc(pprof.Trace)},
		{"GET", "/debug/pprof/*", http.HandlerFunc(pprof.Index)},
		{"", "/*", http.HandlerFunc(s.health.admin)}, // health, at / and at every other path
	}
	ports := make([]port, 0, 3)
	ports = append(ports,
		port{listener: &s.Admin, routes: admin},
		port{listener: &s.Health, routes: []route{{"", "/status", http.HandlerFunc(s.health.status)}}},
	)
	if s.MetricsBackend != "prometheus" {
		return ports
	}
	metrics := promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{})
	ports[0].routes = append([]route{{"GET", s.MetricsRoute, metrics}}, admin...)
	return append(ports, port{listener: &s.Metrics, routes: []route{{"GET", "/metrics", metrics}}})
}

// ports are the listeners of all ports in the order in which they are bound.
func (s *service) ports() []*listener {
	all := []*listener{&s.Zipkin, &s.OTLPGRPC, &s.OTLPHTTP, &s.QueryHTTP, &s.QueryGRPC, &s.Admin, &s.Health}
	if s.MetricsBackend == "prometheus" {
		all = append(all, &s.Metrics)
	}
	return all
}

// server makes the port's server on ln.
func (p port) server(ln net.Listener, log *slog.Logger) (*server, error) {
	ln = limitConnections(ln, p.Name, maxConnections, log)
	if p.grpc == nil {
		return newHTTPServer(p, ln, log)
	}
	return &server{port: p, ln: ln, done: make(chan struct{})}, nil
}

// handler routes to the port's routes.
func (p port) handler() http.Handler {
	r := chi.NewRouter()
	for _, route := range p.routes {
		if route.method == "" {
			r.Handle(route.path, route.handler)
			continue
		}
		r.Method(route.method, route.path, route.handler)
		if route.method == http.MethodGet {
			r.Method(http.MethodHead, route.path, route.handler)
		}
	}
	return r
}

// newGRPC makes Jaeger's gRPC API; one server answers on both query ports.
func (s *service) newGRPC() (*jaegerapi.GRPCServer, error) {
	opts := jaegerapi.GRPCOptions{Logger: s.log, Registerer: s.registry, Server: append(grpcLimits(), s.guard.grpc()...)}
	if s.QueryGRPC.TLS.Enabled {
		config, err := s.QueryGRPC.TLS.server(s.log, "h2")
		if err != nil {
			return nil, err
		}
		opts.Server = append(opts.Server, grpc.Creds(credentials.NewTLS(config)))
	}
	return jaegerapi.GRPC(s.query, opts), nil
}

// grpcLimits bound what a client of the gRPC port can hold, as server.go does
// for HTTP.
func grpcLimits() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ConnectionTimeout(readHeaderTimeout),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.MaxConcurrentStreams(250), // as net/http has it
		grpc.MaxRecvMsgSize(1 << 20),   // questions are small
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second,
			MaxConnectionAge: time.Hour, MaxConnectionAgeGrace: time.Minute}), // clients that stop reading included
	}
}

// withGRPC gives gRPC requests to g and all others to h.
func withGRPC(g http.Handler, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			g.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func showVersion(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, build()) }
