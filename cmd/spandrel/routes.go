package main

import (
	"context"
	"expvar"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/spandrel/spandrel/collector"
	"github.com/spandrel/spandrel/storage/memory"
)

// port is what is served on one listener: routes, or gRPC alone.
type port struct {
	*listener
	routes []route
	grpc   func(...grpc.ServerOption) *grpc.Server
}

// route is one line of the list of all that is served. A path ending in *
// stands for all that begin so; "" is any method. A handler that has routes of
// its own (chi) is listed with them.
type route struct {
	method, path string
	handler      http.Handler
}

// clientPorts are the ports of those who bring spans and ask for traces.
func (s *service) clientPorts() []port {
	zipkin := s.collector.ZipkinHandler(collector.ZipkinOptions{
		AllowedOrigins: s.CORSOrigins, AllowedHeaders: s.CORSHeaders,
	})
	return []port{
		{listener: &s.Zipkin, routes: []route{
			{"POST", "/api/v2/spans", zipkin},
			{"POST", "/api/v1/spans", zipkin},
			{"", "/*", zipkin}, // any prefix before those, and sentences that lead there
		}},
	}
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
	ports := []port{
		{listener: &s.Admin, routes: admin},
		{listener: &s.Health, routes: []route{{"", "/status", http.HandlerFunc(s.health.status)}}},
	}
	if s.MetricsBackend != "prometheus" {
		return ports
	}
	metrics := promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{})
	ports[0].routes = append([]route{{"GET", s.MetricsRoute, metrics}}, admin...)
	return append(ports, port{listener: &s.Metrics, routes: []route{{"GET", "/metrics", metrics}}})
}

// ports are the listeners of all ports in the order in which they are bound.
func (s *service) ports() []*listener {
	all := []*listener{&s.Zipkin, &s.QueryHTTP, &s.QueryGRPC, &s.Admin, &s.Health}
	if s.MetricsBackend == "prometheus" {
		all = append(all, &s.Metrics)
	}
	return all
}

// server makes the port's server on ln.
func (p port) server(ln net.Listener, log *slog.Logger) (*server, error) {
	if p.grpc == nil {
		return newHTTPServer(p.listener, ln, p.handler(), log)
	}
	var opts []grpc.ServerOption
	if p.TLS.Enabled {
		config, err := p.TLS.server(log, "h2")
		if err != nil {
			return nil, err
		}
		opts = append(opts, grpc.Creds(credentials.NewTLS(config)))
	}
	return &server{listener: p.listener, ln: ln, grpc: p.grpc(opts...), done: make(chan struct{})}, nil
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

// withGRPC gives gRPC requests to g and all others to h.
func withGRPC(g *grpc.Server, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			g.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// withHeaders adds the headers to every answer of h.
func withHeaders(add http.Header, h http.Handler) http.Handler {
	if len(add) == 0 {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for key, values := range add {
			w.Header()[key] = append(w.Header()[key], values...)
		}
		h.ServeHTTP(w, r)
	})
}

func showVersion(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, build()) }

// routesCommand lists every route of every port, as set up by the flags and
// the environment.
func routesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "routes",
		Short: "List every path that is served, by port",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, flags := newConfig()
			if err := c.load(flags, func(string) string { return "" }); err != nil {
				return err
			}
			return listRoutes(cmd.Context(), cmd.OutOrStdout(), c)
		},
	}
}

func listRoutes(_ context.Context, w io.Writer, c *config) error {
	log := slog.New(slog.DiscardHandler)
	s := &service{config: c, log: log, registry: newRegistry(), health: newHealth(log), store: memory.New(memory.Options{})}
	s.standOn(s.store)
	for _, p := range append(s.clientPorts(), s.operatorPorts()...) {
		if p.grpc != nil {
			for name, info := range p.grpc().GetServiceInfo() {
				for _, m := range info.Methods {
					fmt.Fprintf(w, "%-6s gRPC    /%s/%s\n", p.Address.port(), name, m.Name)
				}
			}
			continue
		}
		for _, r := range p.routes {
			sub, ok := r.handler.(chi.Routes)
			if !ok {
				fmt.Fprintf(w, "%-6s %-7s %s\n", p.Address.port(), orAny(r.method), r.path)
				continue
			}
			err := chi.Walk(sub, func(method, path string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
				fmt.Fprintf(w, "%-6s %-7s %s\n", p.Address.port(), method, path)
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func orAny(method string) string {
	if method == "" {
		return "any"
	}
	return method
}
