package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// server is one of the ports at work: HTTP, or gRPC alone.
type server struct {
	port
	ln   net.Listener
	http *http.Server // unless it is gRPC

	patience time.Duration // writeTimeout

	busy   sync.WaitGroup     // requests being answered over HTTP
	cancel context.CancelFunc // ends their contexts
	done   chan struct{}      // closed when serving has ended
}

// Time limits against clients that keep a connection without using it.
const (
	readHeaderTimeout = 2 * time.Second // as Jaeger's
	readTimeout       = 30 * time.Second
	writeTimeout      = 30 * time.Second // for a piece of an answer to be taken
	// Longer than Envoy keeps an idle connection (1 h): it sends a batch once
	// only, and would lose one that crosses our closing of the connection.
	idleTimeout    = 65 * time.Minute
	maxHeaderBytes = 64 << 10
)

// newHTTPServer answers HTTP/1.1, h2c and, with TLS, HTTP/2 on ln.
func newHTTPServer(p port, ln net.Listener, log *slog.Logger) (*server, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &server{port: p, ln: ln, patience: writeTimeout, cancel: cancel, done: make(chan struct{})}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	s.http = &http.Server{
		Handler:           s.counting(p.handler()),
		Protocols:         protocols,
		ReadHeaderTimeout: never(p.ReadHeader),
		ReadTimeout:       never(p.Read),
		IdleTimeout:       never(p.Idle),
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, born{}, time.Now())
		},
		ErrorLog: slog.NewLogLogger(log.With("port", p.Name).Handler(), slog.LevelWarn),
	}
	s.http.SetKeepAlivesEnabled(!p.OneAnswer)
	if !p.TLS.Enabled {
		return s, nil
	}
	var err error
	s.http.TLSConfig, err = p.TLS.server(log, "h2", "http/1.1")
	return s, err
}

// never is how net/http says for good: 0 has other meanings there.
func never(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

// born is the key of the time at which a request's connection was made.
type born struct{}

// aged reports whether the request's connection has had its time.
func (s *server) aged(r *http.Request) bool {
	since, ok := r.Context().Value(born{}).(time.Time)
	return ok && s.Age > 0 && time.Since(since) >= s.Age
}

// counting keeps busy, and clients from keeping an answer waiting.
func (s *server) counting(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.busy.Add(1)
		defer s.busy.Done()
		out := &impatient{ResponseWriter: w, control: http.NewResponseController(w), patience: s.patience, streams: r.ProtoMajor == 2}
		if s.aged(r) {
			w.Header().Set("Connection", "close") // in HTTP/2 too, as GOAWAY
		}
		h.ServeHTTP(out, r)
		if out.wrote {
			out.wait() // for what is left in buffers, which net/http sends now
		}
	})
}

// impatient is an answer that ends when its client does not take a piece of it
// in time. An answer with nothing to say for a while, such as a tail, goes on.
type impatient struct {
	http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
	streams  bool // HTTP/2, where a deadline ends a stream that is silent too
	wrote    bool
}

func (w *impatient) Write(p []byte) (int, error) {
	w.wait()
	defer w.rest()
	return w.ResponseWriter.Write(p)
}

// Flush is what gRPC looks for in a response.
func (w *impatient) Flush() { _ = w.FlushError() } // the next Write fails

func (w *impatient) FlushError() error {
	w.wait()
	defer w.rest()
	return w.control.Flush()
}

// wait begins a deadline. Where there is none to set, as in tests, nothing is.
func (w *impatient) wait() {
	w.wrote = true
	_ = w.control.SetWriteDeadline(time.Now().Add(w.patience))
}

func (w *impatient) rest() {
	if w.streams {
		_ = w.control.SetWriteDeadline(time.Time{})
	}
}

// Unwrap lets http.ResponseController through.
func (w *impatient) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// start serves until stop; a failure before that goes to failed.
func (s *server) start(failed chan<- error) {
	go func() {
		defer close(s.done)
		var err error
		switch {
		case s.grpc != nil:
			err = s.grpc.Serve(s.ln)
		case s.TLS.Enabled:
			err = s.http.ServeTLS(s.ln, "", "")
		default:
			err = s.http.Serve(s.ln)
		}
		if err != nil && !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("the %s at %s has stopped: %w", s.Name, s.ln.Addr(), err)
		}
	}()
}

// stop takes no new requests and waits for those under way; when the context
// ends, it cuts them off. Afterwards none is being answered any more.
func (s *server) stop(ctx context.Context) {
	if s.grace > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.grace)
		defer cancel()
	}
	if s.grpc != nil {
		graceful := make(chan struct{})
		go func() { s.grpc.GracefulStop(); close(graceful) }()
		select {
		case <-graceful:
		case <-ctx.Done():
			s.grpc.Stop()
			<-graceful
		}
	} else {
		if s.http.Shutdown(ctx) != nil {
			s.cancel()
			s.http.Close() //nolint:errcheck // nothing is left to be done about it
		}
		s.busy.Wait()
		s.cancel()
	}
	<-s.done
}

// String says where the server is and who can reach it.
func (s *server) String() string {
	scheme := "http"
	switch {
	case s.grpc != nil && s.TLS.Enabled:
		scheme = "grpcs"
	case s.grpc != nil:
		scheme = "grpc"
	case s.TLS.Enabled:
		scheme = "https"
	}
	return scheme + "://" + reachable(s.ln.Addr())
}
