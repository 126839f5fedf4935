package tests

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage/storagetest"
)

// crashCycles is how often the program is killed, posters how many clients
// post to it meanwhile.
const (
	crashCycles = 20
	posters     = 8
)

// server is the built program at work.
type server struct {
	cmd           *exec.Cmd
	zipkin, query string        // URLs
	log           *bytes.Buffer // until it is ready, and after it has ended
}

// build makes the program once for a test.
func build(t *testing.T) string {
	t.Helper()
	noticeFiles(t)
	bin := filepath.Join(t.TempDir(), "spandrel")
	cmd := exec.Command("go", "build", "-o", bin, "./cmd/spandrel")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// serve starts the program on the directory and waits until it is ready.
func serve(t *testing.T, bin, dir string) *server {
	t.Helper()
	args := []string{"--badger.directory-value=" + dir, "--log-encoding=json", "--healthcheck.http.host-port=off", "--metrics.http.host-port=off"}
	for _, port := range []string{"collector.zipkin", "collector.otlp.grpc", "collector.otlp.http", "query.http-server", "query.grpc-server", "admin.http"} {
		args = append(args, "--"+port+".host-port=127.0.0.1:0")
	}
	s := &server{cmd: exec.Command(bin, args...), log: new(bytes.Buffer)}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(io.TeeReader(stderr, s.log))
	for lines.Scan() {
		var event struct{ Msg, For, At string }
		_ = json.Unmarshal(lines.Bytes(), &event) // what is no JSON is shown below
		switch {
		case event.For == "zipkin collector":
			s.zipkin = event.At
		case event.For == "query API and page":
			s.query = event.At
		case event.Msg == "ready":
			go func() { _, _ = io.Copy(io.Discard, stderr) }() // ends when the program does
			return s
		}
	}
	_ = s.cmd.Wait() // it is not ready: its log says more than its exit code
	t.Fatalf("the program ended before it was ready:\n%s", s.log)
	return nil
}

func (s *server) kill(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = s.cmd.Wait() // "killed", as it should be
}

// countdown closes a channel when something has happened often enough.
type countdown struct {
	left atomic.Int64
	done chan struct{}
}

func newCountdown(n int) *countdown {
	c := &countdown{done: make(chan struct{})}
	c.left.Store(int64(n))
	return c
}

func (c *countdown) one() {
	if c.left.Add(-1) == 0 {
		close(c.done)
	}
}

// acked collects the spans of posts that were answered 202, by trace.
type acked struct {
	mu    sync.Mutex
	spans map[spandrel.TraceID]map[spandrel.SpanID]bool
	count int
}

func (a *acked) add(batch []spandrel.Span) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range batch {
		s := &batch[i]
		if a.spans[s.TraceID] == nil {
			a.spans[s.TraceID] = make(map[spandrel.SpanID]bool)
		}
		a.spans[s.TraceID][s.ID] = true
	}
	a.count += len(batch)
}

// post sends batches until the connection breaks. It counts each that was
// answered 202 with the countdowns.
func (a *acked) post(t *testing.T, url string, g *storagetest.Generator, answered ...*countdown) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for {
		batch := g.NextBatch()
		resp, err := client.Post(url+"/api/v2/spans", "application/json", bytes.NewReader(storagetest.AppendZipkinJSON(nil, batch)))
		if err != nil {
			return // killed
		}
		if resp.StatusCode == http.StatusAccepted {
			a.add(batch)
			for _, c := range answered {
				c.one()
			}
		} else {
			t.Errorf("a post was answered %s", resp.Status)
		}
		resp.Body.Close()
	}
}

// missing asks the query API for every trace and returns what is wrong.
func (a *acked) missing(query string) (wrong []string) {
	for id, want := range a.spans {
		resp, err := http.Get(query + "/api/traces/" + id.String())
		if err != nil {
			return append(wrong, err.Error())
		}
		var answer struct {
			Data []struct{ Spans []struct{ SpanID string } }
		}
		err = json.NewDecoder(resp.Body).Decode(&answer)
		resp.Body.Close()
		if err != nil || len(answer.Data) != 1 {
			wrong = append(wrong, fmt.Sprintf("trace %s with %d spans is not there: %s %v", id, len(want), resp.Status, err))
			continue
		}
		got := make(map[string]int)
		for _, s := range answer.Data[0].Spans {
			got[s.SpanID]++
		}
		for span := range want {
			if got[span.String()] != 1 {
				wrong = append(wrong, fmt.Sprintf("span %s of trace %s is there %d times", span, id, got[span.String()]))
			}
		}
	}
	return wrong
}

// TestKillUnderLoadLosesNothingAcknowledged kills the built program with
// SIGKILL while it takes posts, again and again on one directory, and asks the
// next one over the query API for every span of every post that was answered
// 202.
func TestKillUnderLoadLosesNothingAcknowledged(t *testing.T) {
	bin, dir := build(t), filepath.Join(t.TempDir(), "data")
	rng := rand.New(rand.NewPCG(7, 11))
	all := &acked{spans: make(map[spandrel.TraceID]map[spandrel.SpanID]bool)}
	generators := make([]*storagetest.Generator, posters)
	for i := range generators {
		generators[i] = storagetest.NewGenerator(uint64(i+1), storagetest.GeneratorOptions{Start: time.Now().Add(-time.Hour)})
	}
	for range crashCycles {
		s := serve(t, bin, dir)
		enough := newCountdown(20 + rng.IntN(200))
		var wg sync.WaitGroup
		for _, g := range generators {
			wg.Go(func() { all.post(t, s.zipkin, g, enough) })
		}
		select {
		case <-enough.done:
		case <-time.After(time.Minute):
			t.Error("a minute was not enough for the posts")
		}
		s.kill(t)
		wg.Wait()
	}
	s := serve(t, bin, dir)
	defer s.kill(t)
	if wrong := all.missing(s.query); len(wrong) > 0 {
		t.Errorf("%d faults among %d acknowledged spans:\n%s", len(wrong), all.count, strings.Join(wrong[:min(len(wrong), 20)], "\n"))
	}
	t.Logf("%d kills, %d acknowledged spans in %d traces", crashCycles, all.count, len(all.spans))
}
