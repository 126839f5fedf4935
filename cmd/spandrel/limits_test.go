package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcgzip "google.golang.org/grpc/encoding/gzip"
	grpcstatus "google.golang.org/grpc/status"
)

// TestSlowHeadIsCutOff wants connections that do not finish a request's head, or
// a handshake, to be closed on every port, soon after the 2 s it may take.
func TestSlowHeadIsCutOff(t *testing.T) {
	dir := t.TempDir()
	if err := makeCerts(dir); err != nil {
		t.Fatal(err)
	}
	secure := []string{"--span-storage.type=memory"}
	c, _ := newConfig()
	for _, l := range c.secure() {
		secure = append(secure, "--"+l.tlsPrefix+".tls.enabled", "--"+l.tlsPrefix+".tls.cert="+dir+"/server.pem", "--"+l.tlsPrefix+".tls.key="+dir+"/server.key")
	}
	plain, encrypted := start(t, t.TempDir(), "--span-storage.type=memory"), start(t, t.TempDir(), secure...)
	for _, port := range ports {
		for _, tt := range []struct {
			head string
			to   *process
		}{
			{"", plain}, {"POST /api/v2/spans HTTP/1.1\r\nHost: x\r\nX-Slow: ", plain},
			{"\x16\x03\x01", encrypted}, // of a ClientHello
		} {
			t.Run(fmt.Sprintf("%s %.4q", port.logged, tt.head), func(t *testing.T) {
				t.Parallel()
				_, at, _ := strings.Cut(tt.to.url(port.logged), "://")
				c, err := net.Dial("tcp", at)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if _, err := io.WriteString(c, tt.head); err != nil {
					t.Fatal(err)
				}
				if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) { // else it was closed or reset
					t.Error("the connection is still open")
				}
			})
		}
	}
}

// TestBombsAndLongHeadsAreRefused wants a small post that would become a large
// one to cost a 413, and a head without end a 431.
func TestBombsAndLongHeadsAreRefused(t *testing.T) {
	p := start(t, t.TempDir(), "--span-storage.type=memory", "--collector.zipkin.max-body=1MiB")
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	if _, err := z.Write(bytes.Repeat([]byte(" "), 256<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 2*maxHeaderBytes)
	for _, tt := range []struct {
		name, port, path, header, value string
		body                            []byte
		status                          int
	}{
		{"256 MiB in 256 KiB", "zipkin collector", "/api/v2/spans", "Content-Encoding", "gzip", bomb.Bytes(), http.StatusRequestEntityTooLarge},
		{"as much by OTLP", "OTLP collector, HTTP", "/v1/traces", "Content-Encoding", "gzip", bomb.Bytes(), http.StatusRequestEntityTooLarge},
		{"as much to be transformed", "query API and page", "/api/transform", "Content-Encoding", "gzip", bomb.Bytes(), http.StatusRequestEntityTooLarge},
		{"a long head", "zipkin collector", "/api/v2/spans", "X-Long", long, nil, http.StatusRequestHeaderFieldsTooLarge},
		{"a long head", "OTLP collector, gRPC", "/v1/traces", "X-Long", long, nil, http.StatusRequestHeaderFieldsTooLarge},
		{"a long head", "OTLP collector, HTTP", "/v1/traces", "X-Long", long, nil, http.StatusRequestHeaderFieldsTooLarge},
		{"a long head", "query API and page", "/api/services", "X-Long", long, nil, http.StatusRequestHeaderFieldsTooLarge},
		{"a long head", "health, metrics, pprof", "/", "X-Long", long, nil, http.StatusRequestHeaderFieldsTooLarge},
		{"a long head", "health", "/status", "X-Long", long, nil, http.StatusRequestHeaderFieldsTooLarge},
		{"a long head", "metrics", "/metrics", "X-Long", long, nil, http.StatusRequestHeaderFieldsTooLarge},
	} {
		t.Run(tt.port+", "+tt.name, func(t *testing.T) {
			r, err := http.NewRequest(http.MethodPost, p.url(tt.port)+tt.path, bytes.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set(tt.header, tt.value)
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != tt.status {
				t.Errorf("got %s, want %d", resp.Status, tt.status)
			}
		})
	}
	for _, port := range []string{"query gRPC", "query API and page"} {
		conn := dial(t, p, port, grpc.WithDefaultCallOptions(grpc.UseCompressor(grpcgzip.Name)))
		_, err := api_v2.NewQueryServiceClient(conn).GetOperations(t.Context(), &api_v2.GetOperationsRequest{Service: strings.Repeat("x", 64<<20)})
		if grpcstatus.Code(err) != codes.ResourceExhausted {
			t.Errorf("%s: got %v for a question of 64 MiB, want ResourceExhausted", port, err)
		}
	}
	large := otlpExport(1)
	large.ResourceSpans[0].ScopeSpans[0].Spans[0].Name = strings.Repeat("x", 64<<20)
	for _, port := range otlpPorts {
		if err := export(t, dial(t, p, port), large, grpc.UseCompressor(grpcgzip.Name)); grpcstatus.Code(err) != codes.ResourceExhausted {
			t.Errorf("%s: got %v for a message of 64 MiB, want ResourceExhausted", port, err)
		}
	}
	resp, err := http.Get(p.url("metrics") + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\ngo_memstats_sys_bytes ")
	var sys float64
	if _, err := fmt.Sscan(rest, &sys); err != nil || sys > 200<<20 {
		t.Errorf("the process took %.0f bytes, %v, want less than the bomb", sys, err)
	}
}
