package peers

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// server is a collector with a query API: ours or Jaeger.
type server struct {
	*process
	zipkin string // URL of the port for Zipkin's posts
	otlp   string // URL of the port for OTLP's
	export string // URL of the port for OTLP by gRPC
	query  string // URL of the query API, with the base path
	http   string // host:port of query
	grpc   string // host:port of the port for gRPC alone
	admin  string // URL of health and metrics
}

// startSpandrel runs the product with Istio's base path and its own store in a
// temporary directory. Its ports are of its own choice.
func startSpandrel(t *testing.T, flags ...string) *server {
	t.Helper()
	args := append([]string{
		"--badger.directory-value", filepath.Join(t.TempDir(), "data"),
		"--collector.zipkin.host-port", "127.0.0.1:0",
		"--collector.otlp.grpc.host-port", "127.0.0.1:0",
		"--collector.otlp.http.host-port", "127.0.0.1:0",
		"--query.http-server.host-port", "127.0.0.1:0",
		"--query.grpc-server.host-port", "127.0.0.1:0",
		"--admin.http.host-port", "127.0.0.1:0",
		"--healthcheck.http.host-port", "off",
		"--metrics.http.host-port", "off",
		"--query.base-path", "/jaeger",
		"--log-encoding", "json",
	}, flags...)
	s := &server{process: start(t, "spandrel", nil, install(t, spandrelBin), args...)}
	s.waitFor(t, s.readLog)
	return s
}

// readLog takes the addresses from the log and is content once it says ready.
func (s *server) readLog() error {
	for _, line := range s.output() {
		var event struct{ Msg, For, At string }
		if json.Unmarshal([]byte(line), &event) != nil {
			continue
		}
		switch _, host, _ := strings.Cut(event.At, "://"); {
		case event.Msg == "ready":
			return nil
		case event.Msg != "listening":
		case strings.Contains(event.For, "zipkin"):
			s.zipkin = event.At
		case strings.Contains(event.For, "OTLP collector, HTTP"):
			s.otlp = event.At
		case strings.Contains(event.For, "OTLP collector, gRPC"):
			s.export = event.At
		case strings.Contains(event.For, "query API"):
			s.query, s.http = event.At+"/jaeger", host
		case strings.Contains(event.For, "gRPC"):
			s.grpc = host
		case strings.Contains(event.For, "metrics"):
			s.admin = event.At
		}
	}
	return errors.New("the log does not say ready")
}

// startJaeger runs Jaeger all-in-one with the store, memory or badger, and the
// base path of Istio's addon. Flags win over its own.
func startJaeger(t *testing.T, store string, flags ...string) *server {
	t.Helper()
	s := &server{http: freeAddress(t), grpc: freeAddress(t)}
	zipkin, otlp, export, admin := freeAddress(t), freeAddress(t), freeAddress(t), freeAddress(t)
	s.zipkin, s.otlp, s.export = "http://"+zipkin, "http://"+otlp, "http://"+export
	s.admin, s.query = "http://"+admin, "http://"+s.http+"/jaeger"
	args := []string{
		"--collector.zipkin.host-port", zipkin,
		"--collector.http-server.host-port", "127.0.0.1:0",
		"--collector.grpc-server.host-port", "127.0.0.1:0",
		"--collector.otlp.grpc.host-port", export,
		"--collector.otlp.http.host-port", otlp,
		"--query.http-server.host-port", s.http,
		"--query.grpc-server.host-port", s.grpc,
		"--query.base-path", "/jaeger",
		"--admin.http.host-port", admin,
	}
	if store == "badger" {
		dir := t.TempDir()
		args = append(args, "--badger.ephemeral=false",
			"--badger.directory-key", filepath.Join(dir, "key"), "--badger.directory-value", filepath.Join(dir, "data"))
	}
	// Its own spans would be among the answers.
	env := []string{"SPAN_STORAGE_TYPE=" + store, "OTEL_TRACES_SAMPLER=always_off"}
	s.process = start(t, "jaeger with "+store, env, install(t, jaegerBin), append(args, flags...)...)
	s.waitFor(t, func() error { return answers(s.admin+"/", http.StatusOK) })
	return s
}

// answers is nil if a GET of the URL gives the status.
func answers(url string, status int) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != status {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return nil
}
