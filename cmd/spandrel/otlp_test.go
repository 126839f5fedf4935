package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

var otlpPorts = []string{"OTLP collector, gRPC", "OTLP collector, HTTP"}

const exportCall = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

// otlpExport is a request of one span of the trace 616161…
func otlpExport(id byte) *tracev1.TracesData {
	return &tracev1.TracesData{ResourceSpans: []*tracev1.ResourceSpans{{ScopeSpans: []*tracev1.ScopeSpans{{
		Spans: []*tracev1.Span{{TraceId: bytes.Repeat([]byte("a"), 16), SpanId: []byte{0, 0, 0, 0, 0, 0, 0, id}}},
	}}}}}
}

// export makes the call.
func export(t *testing.T, conn *grpc.ClientConn, m proto.Message, o ...grpc.CallOption) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return conn.Invoke(ctx, exportCall, m, &emptypb.Empty{}, o...)
}

// stored is how many spans of the trace there are.
func stored(t *testing.T, p *process) int {
	t.Helper()
	resp, err := http.Get(p.url("query API and page") + "/api/traces/" + strings.Repeat("61", 16))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ Data []struct{ Spans []any } }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || len(answer.Data) != 1 {
		t.Fatalf("got %s, %v, want a trace", resp.Status, err)
	}
	return len(answer.Data[0].Spans)
}

// TestWhatACallBroughtOutlivesAKill: OK is durable, on either port.
func TestWhatACallBroughtOutlivesAKill(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir)
	for i, port := range otlpPorts {
		if err := export(t, dial(t, p, port), otlpExport(byte(i+1))); err != nil {
			t.Errorf("%s: %v", port, err)
		}
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if err := p.cmd.Wait(); err == nil {
		t.Error("it was not killed")
	}
	p = start(t, dir)
	if got := stored(t, p); got != len(otlpPorts) {
		t.Errorf("got %d spans, want %d", got, len(otlpPorts))
	}
	if err := p.term(); err != nil {
		t.Error(err)
	}
}

// TestCallUnderWayAtSIGTERMIsStored and answered, while new ones find nobody.
func TestCallUnderWayAtSIGTERMIsStored(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir)
	message, err := proto.Marshal(otlpExport(1))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	body, rest := io.Pipe()
	r, err := http.NewRequest(http.MethodPost, p.url(otlpPorts[0])+exportCall, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("Expect", "100-continue") // the handler is reading once it comes
	transport.ExpectContinueTimeout = time.Minute
	answered := make(chan string, 1)
	go func() {
		resp, err := transport.RoundTrip(r)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			answered <- err.Error()
			return
		}
		answered <- resp.Trailer.Get("Grpc-Status")
	}()
	frame := append([]byte{0, 0, 0, 0, byte(len(message))}, message...)
	if _, err := rest.Write(frame[:20]); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.until("stopping"); err != nil {
		t.Fatal(err)
	}
	if _, err := rest.Write(frame[20:]); err != nil {
		t.Fatal(err)
	}
	rest.Close()
	if got := <-answered; got != "0" {
		t.Errorf("the call under way got %s, want 0; log:\n%s", got, p.text())
	}
	<-p.ended
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("exit: got %v, want 0", err)
	}
	p = start(t, dir)
	if got := stored(t, p); got != 1 {
		t.Errorf("got %d spans, want 1", got)
	}
	if err := p.term(); err != nil {
		t.Error(err)
	}
}

// TestAgedConnectionsAreLeft by clients, without a call lost.
func TestAgedConnectionsAreLeft(t *testing.T) {
	p := start(t, t.TempDir(), "--span-storage.type=memory", "--collector.otlp.grpc.max-connection-age=1ns")
	for port, want := range map[string]int64{otlpPorts[0]: 5, otlpPorts[1]: 1} {
		var dialed atomic.Int64
		conn := dial(t, p, port, grpc.WithContextDialer(func(ctx context.Context, at string) (net.Conn, error) {
			dialed.Add(1)
			return new(net.Dialer).DialContext(ctx, "tcp", at)
		}))
		for i := range 5 {
			if err := export(t, conn, otlpExport(byte(i+1)), grpc.WaitForReady(true)); err != nil {
				t.Errorf("%s: %v", port, err)
			}
		}
		if got := dialed.Load(); got < want || want == 1 && got > 1 {
			t.Errorf("%s: %d connections for 5 calls, want %d", port, got, want)
		}
	}
}

func TestMessagesHaveTheSizeThatWasSet(t *testing.T) {
	p := start(t, t.TempDir(), "--span-storage.type=memory", "--collector.otlp.grpc.max-message-size=8388608", "--collector.otlp.http.max-body=1KiB")
	large := otlpExport(1)
	large.ResourceSpans[0].ScopeSpans[0].Spans[0].Name = strings.Repeat("x", 7<<20)
	conn := dial(t, p, otlpPorts[0])
	if err := export(t, conn, large); err != nil {
		t.Errorf("7 MiB: %v", err)
	}
	large.ResourceSpans[0].ScopeSpans[0].Spans[0].Name = strings.Repeat("x", 8<<20)
	if err := export(t, conn, large); grpcstatus.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "8388608 bytes") {
		t.Errorf("8 MiB: got %v, want ResourceExhausted", err)
	}
	resp, err := http.Post(p.url(otlpPorts[1])+"/v1/traces", "application/json", strings.NewReader(`{"x":"`+strings.Repeat("x", 1024)+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("1 KiB by HTTP: got %s, want 413", resp.Status)
	}
}
