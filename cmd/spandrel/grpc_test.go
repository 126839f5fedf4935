package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// dial speaks gRPC to the port until the test ends.
func dial(t *testing.T, p *process, port string, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	_, at, _ := strings.Cut(p.url(port), "://")
	conn, err := grpc.NewClient(at, append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// Kiali's documentation shows gRPC on the port of the HTTP API too.
func TestGRPCIsAnsweredOnBothQueryPorts(t *testing.T) {
	p := start(t, t.TempDir(), "--span-storage.type=memory", "--query.base-path=/jaeger")
	resp, err := http.Post(p.url("zipkin collector")+"/api/v2/spans", "application/json", strings.NewReader(body))
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("got %v, %v, want 202", resp, err)
	}
	resp.Body.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, port := range []string{"query gRPC", "query API and page"} {
		conn := dial(t, p, port)
		services, err := api_v2.NewQueryServiceClient(conn).GetServices(ctx, &api_v2.GetServicesRequest{})
		if err != nil || len(services.Services) != 1 || services.Services[0] != "drained" {
			t.Errorf("%s: got %v, %v, want [drained]", port, services, err)
		}
		health, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
		if err != nil || health.Status != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("%s: got %v, %v, want SERVING", port, health, err)
		}
	}
	if err := p.term(); err != nil {
		t.Error(err)
	}
}
