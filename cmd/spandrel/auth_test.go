package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"
)

// Kiali sends its name and password, or token, as the metadata authorization.
func TestGRPCAsksForASecretOnBothQueryPorts(t *testing.T) {
	dir := t.TempDir()
	users := filepath.Join(dir, "users")
	if err := os.WriteFile(users, []byte("kiali:geheim\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, dir, "--span-storage.type=memory", "--query.auth.basic-file="+users)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, port := range []string{"query gRPC", "query API and page"} {
		client := api_v2.NewQueryServiceClient(dial(t, p, port))
		for given, want := range map[string]codes.Code{
			"":                                  codes.Unauthenticated,
			"Basic " + basicOf("kiali:falsch"):  codes.Unauthenticated,
			"Bearer " + basicOf("kiali:geheim"): codes.Unauthenticated,
			"Basic " + basicOf("kiali:geheim"):  codes.OK,
			"basic  " + basicOf("kiali:geheim"): codes.OK,
			"Basic " + basicOf("kiali:geheim") + ", Basic eDp5Cg": codes.Unauthenticated,
		} {
			ctx := metadata.NewOutgoingContext(ctx, metadata.MD{})
			if given != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", given)
			}
			_, unary := client.GetServices(ctx, &api_v2.GetServicesRequest{})
			stream, err := client.FindTraces(ctx, &api_v2.FindTracesRequest{Query: &api_v2.TraceQueryParameters{ServiceName: "x"}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = stream.Recv()
			if got := grpcstatus.Code(unary); got != want {
				t.Errorf("%s, %q: GetServices gave %v, want %v", port, given, got, want)
			}
			if refused := grpcstatus.Code(err) == codes.Unauthenticated; refused != (want == codes.Unauthenticated) {
				t.Errorf("%s, %q: FindTraces gave %v, want %v", port, given, err, want)
			}
		}
	}
	if err := p.term(); err != nil {
		t.Error(err)
	}
}

func basicOf(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestSecretsAreReadAgainWhenTheirFileChanges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first-token")
	var log bytes.Buffer
	g, err := newGuard(authSettings{TokenFile: file}, slog.New(slog.NewTextHandler(&log, nil)), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now()
	lets := func(token string) bool {
		later = later.Add(2 * authReload)
		g.current(later)
		return g.lets([]string{"Bearer " + token})
	}
	if !lets("first-token") || lets("second-one") {
		t.Error("before the change")
	}
	write("second-one\nfirst-token")
	if !lets("first-token") || !lets("second-one") {
		t.Error("while both let in")
	}
	write("second-one")
	if lets("first-token") || !lets("second-one") {
		t.Error("after the first is gone")
	}
	write("")
	if !lets("second-one") || lets("") {
		t.Error("an empty file must change nothing")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if !lets("second-one") || lets("first-token") || lets("") {
		t.Error("a file that is gone must open nothing")
	}
	write(strings.Repeat("x", 100_000) + "\nthird-one")
	if !lets("third-one") || lets("second-one") {
		t.Error("after a line that is very long")
	}
	if strings.Contains(log.String(), "second-one") || !strings.Contains(log.String(), "the earlier ones stay") {
		t.Errorf("log: %s", &log)
	}
}
