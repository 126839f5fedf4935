package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spandrel/spandrel/collector"
	"github.com/spandrel/spandrel/query"
	"github.com/spandrel/spandrel/query/jaegerapi"
	"github.com/spandrel/spandrel/storage"
	"github.com/spandrel/spandrel/storage/memory"
)

// service is the process at work. Its life: every port is bound, so that a
// wrong setting shows at once; health and metrics are served, not ready yet;
// the store is opened, while posts wait in the sockets' queues; everything is
// served. When the context ends: not ready any more; posts under way are
// answered, then queries; the store is closed; health goes last.
type service struct {
	*config
	log      *slog.Logger
	health   *health
	registry *prometheus.Registry
	failed   chan error // a server stopped that should not have

	bound    map[*listener]net.Listener // ports that are open
	maxBytes int64                      // of the store on disk, 0 = no limit

	store     storage.Store
	collector *collector.Collector
	query     *query.Service
	tail      *query.Tail
	grpc      *jaegerapi.GRPCServer
	guard     *guard // of the query ports; nil = everybody may ask
}

// run is the whole life of the service. Its error is one sentence.
func run(ctx context.Context, c *config, stderr io.Writer) error {
	s := &service{config: c, log: newLogger(c, stderr), registry: newRegistry(), failed: make(chan error, len(c.listeners()))}
	s.health = newHealth(s.log)
	s.log.Info("spandrel is starting", "version", version, "pid", os.Getpid())
	addProcessor()
	if limit, from := limitMemory(c.MemoryLimit); limit > 0 {
		s.log.Info("memory limit", "bytes", limit, "from", from)
	}
	if len(c.Unhonoured) > 0 {
		s.log.Warn("these settings have no effect", "settings", c.Unhonoured)
	}
	var err error
	if s.guard, err = newGuard(s.Auth, s.log, s.registry); err != nil {
		return err
	}
	s.warnOfOpenSecrets()
	bound, err := s.bind(ctx)
	if err != nil {
		return err
	}
	s.bound = bound
	defer func() { // what serves has closed its own
		for _, ln := range bound {
			ln.Close()
		}
	}()
	operators, err := s.serve(bound, s.operatorPorts())
	if err != nil {
		return err
	}
	defer func() { s.stop(operators, time.Second) }()
	if err := s.open(); err != nil {
		return err
	}
	clients, err := s.serve(bound, s.clientPorts())
	if err != nil {
		return errors.Join(err, s.close())
	}
	s.announce(append(clients, operators...))
	s.health.ready(s.store.Healthy)
	s.grpc.SetReady(true)
	s.log.Info("ready")
	select {
	case <-ctx.Done():
		err = nil
	case err = <-s.failed:
	}
	s.health.stop()
	s.grpc.SetReady(false)
	s.log.Info("stopping")
	s.stop(clients, s.ShutdownTimeout)
	if err = errors.Join(err, s.close()); err == nil {
		s.log.Info("stopped")
	}
	return err
}

// warnOfOpenSecrets says when secrets will cross the network readable.
func (s *service) warnOfOpenSecrets() {
	secure := s.QueryHTTP.TLS.Enabled && (s.QueryGRPC.TLS.Enabled || s.QueryGRPC.Address == off)
	if s.guard != nil && !secure {
		s.log.Warn("the query API asks for secrets without TLS: only what is in front of it can keep them secret")
	}
}

// bind opens all ports. Optional ones are given up with a warning where another
// program has them and nobody asked for them.
func (s *service) bind(ctx context.Context) (map[*listener]net.Listener, error) {
	bound := map[*listener]net.Listener{}
	host := s.defaultHost(os.Getenv)
	for _, l := range s.ports() {
		ln, err := l.listen(ctx, host)
		switch {
		case err != nil && !l.Asked && l.Optional:
			s.log.Warn("going on without a port", "err", err)
		case err != nil:
			for _, ln := range bound {
				ln.Close()
			}
			return nil, err
		case ln != nil:
			bound[l] = ln
		}
	}
	return bound, nil
}

// serve starts the servers of those ports that are bound.
func (s *service) serve(bound map[*listener]net.Listener, ports []port) (servers []*server, err error) {
	for _, p := range ports {
		ln := bound[p.listener]
		if ln == nil {
			continue
		}
		srv, err := p.server(ln, s.log)
		if err != nil {
			s.stop(servers, 0)
			return nil, err
		}
		srv.start(s.failed)
		servers = append(servers, srv)
	}
	return servers, nil
}

// stop stops the servers one after the other, together within the timeout.
func (s *service) stop(servers []*server, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	for _, srv := range servers {
		srv.stop(ctx)
	}
	if s.collector != nil {
		if err := s.collector.Drain(ctx); err != nil {
			s.log.Warn("posts were cut off", "err", err)
		}
	}
}

// open opens the store and makes what stands on it.
func (s *service) open() (err error) {
	began := time.Now()
	if s.Storage == "memory" {
		s.log.Info("spans are kept in memory and lost at exit", "max_traces", s.MemoryMaxTraces)
		s.store = memory.New(memory.Options{MaxTraces: s.MemoryMaxTraces})
	} else if err := s.openBadger(); err != nil {
		return err
	}
	s.log.Info("store open", "took", time.Since(began).Round(time.Millisecond).String())
	if err := s.standOn(s.store); err != nil {
		return errors.Join(err, s.close())
	}
	return nil
}

// standOn makes what takes spans to the store and traces from it.
func (s *service) standOn(store storage.Store) (err error) {
	s.tail = query.NewTail(store)
	s.collector = collector.New(s.tail, collector.Options{
		Logger: s.log, Registerer: s.registry,
		MaxBodyBytes: int64(s.MaxBody), MaxInFlightBytes: int64(s.MaxInFlight),
	})
	s.query = query.New(store, query.Options{MaxClockSkew: s.MaxClockSkew})
	s.grpc, err = s.newGRPC()
	return err
}

// close closes the store and removes an ephemeral one.
func (s *service) close() error {
	err := s.store.Close()
	if s.Storage == "badger" && s.Ephemeral {
		err = errors.Join(err, os.RemoveAll(s.DataDir))
	}
	if err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}

// announce says what is open to whom.
func (s *service) announce(servers []*server) {
	for _, srv := range servers {
		s.log.Info("listening", "for", srv.Name, "at", srv.String(), "open_to", openTo(srv.ln.Addr()))
	}
	s.log.Info("not listening: connections are refused", "protocols", notReceived)
}
