package uiapi

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/query"
	"github.com/spandrel/spandrel/storage/memory"
)

func TestLongQuestionsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &api{turns: make(chan struct{}, maxTurns)}
		var running atomic.Int32
		release := make(chan struct{})
		do := a.inTurn(func(*http.Request) (answer, error) {
			running.Add(1)
			<-release
			return answer{}, nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
		for range maxTurns {
			go do(r)
		}
		synctest.Wait()
		waited := make(chan error)
		go func() {
			_, err := do(r)
			waited <- err
		}()
		synctest.Wait()
		if n := running.Load(); n != maxTurns {
			t.Errorf("%d run at once", n)
		}
		cancel()
		if err := <-waited; err != context.Canceled { //nolint:errorlint // it is that one
			t.Errorf("who waits gets %v", err)
		}
		close(release)
		synctest.Wait()
		if _, err := do(r.WithContext(t.Context())); err != nil || running.Load() != maxTurns+1 {
			t.Errorf("the next: %v", err)
		}
	})
}

func TestTracesThatAreTooLargeAreRefused(t *testing.T) {
	store := memory.New(memory.Options{})
	if err := store.Write(t.Context(), recorded(t, "bookinfo")); err != nil {
		t.Fatal(err)
	}
	server := newServer(t, query.New(store, query.Options{MaxRows: 7}), Options{})
	for _, path := range []string{"/skeleton", "/find?q=x"} {
		got := string(format.Ask(t, server, Prefix, []byte("/traces/0e3766d9d93891f32c1a6b85f41e8374"+path)))
		if !strings.HasPrefix(got, "422") || !strings.Contains(got, "more than 7 spans") || strings.Contains(got, "ETag") {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func TestAnswersAreGzippedAndCanBeKept(t *testing.T) {
	server := newServer(t, newService(t, recorded(t, "bookinfo")), Options{})
	get := func(header, value string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+Prefix+"/traces/0e3766d9d93891f32c1a6b85f41e8374/skeleton", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", "gzip")
		r.Header.Set(header, value)
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	first := get("X-Nothing", "")
	if first.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("headers %v", first.Header)
	}
	z, err := gzip.NewReader(first.Body)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if d := decode(t, body); d.head.Rows != 8 || d.columns["start"][1] != 332 {
		t.Errorf("%d rows, starts %v", d.head.Rows, d.columns["start"])
	}
	for _, tag := range []string{first.Header.Get("ETag"), `"x", ` + first.Header.Get("ETag"), "*"} {
		if again := get("If-None-Match", tag); again.StatusCode != http.StatusNotModified || again.ContentLength > 0 {
			t.Errorf("with %s: %s, %d bytes", tag, again.Status, again.ContentLength)
		}
	}
	if other := get("If-None-Match", `W/"1"`); other.StatusCode != http.StatusOK {
		t.Errorf("with another tag: %s", other.Status)
	}
}

// TestDownloadEndsItsTurn: a large trace can be downloaded again and again, and
// asked for by HEAD, which writes nothing.
func TestDownloadEndsItsTurn(t *testing.T) {
	const large = 5_000 // spans, from which on package query lets traces take turns
	spans := make([]spandrel.Span, large)
	for i := range spans {
		spans[i] = spandrel.Span{TraceID: spandrel.TraceID{Low: 1}, ID: spandrel.SpanID(i + 1), Name: "n"}
	}
	server := newServer(t, newService(t, spans), Options{})
	for range 2 * maxTurns {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			answer := string(format.Ask(t, server, Prefix, []byte(method+" /traces/1/download?format=zipkin")))
			if got := strings.Count(answer, `"traceId"`); !strings.HasPrefix(answer, "200\n") || method == http.MethodGet && got != large {
				t.Fatalf("%s: got %d spans, want %d: %.200s", method, got, large, answer)
			}
		}
	}
}
