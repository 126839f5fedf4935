package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
)

// start starts spandrel for a test, with its data in dir.
func start(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p, err := spawn(t.TempDir(), []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}, args)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill() // it may be gone already
			_ = p.cmd.Wait()
		}
	})
	return p
}

const body = `[{"traceId":"00000000000000ab","id":"00000000000000ab","name":"late","localEndpoint":{"serviceName":"drained"}}]`

// begin sends the head of a post and half its body.
func begin(t *testing.T, p *process) (c net.Conn, rest string) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(p.url("zipkin collector"), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	half := len(body) / 2
	_, err = fmt.Fprintf(c, "POST /api/v2/spans HTTP/1.1\r\nHost: zipkin\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body))
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != http.StatusContinue {
		t.Fatalf("got %v, %v, want 100", resp, err) // the handler is reading now
	}
	if _, err := fmt.Fprint(c, body[:half]); err != nil {
		t.Fatal(err)
	}
	return c, body[half:]
}

func TestPostUnderWayAtSIGTERMIsStored(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir)
	c, rest := begin(t, p)
	zipkin := p.url("zipkin collector")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.until("stopping"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(p.url("health, metrics, pprof"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("health while stopping: got %s, want 503", resp.Status)
	}
	if _, err := fmt.Fprint(c, rest); err != nil {
		t.Fatal(err)
	}
	resp, err = http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("got %v, %v, want 202; log:\n%s", resp, err, p.text())
	}
	resp.Body.Close()
	<-p.ended
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("exit: got %v, want 0", err)
	}
	if _, err := http.Post(zipkin+"/api/v2/spans", "application/json", strings.NewReader("[]")); err == nil {
		t.Error("it goes on taking posts")
	}

	p = start(t, dir)
	resp, err = http.Get(p.url("query API and page") + "/api/traces/ab")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("after a restart: got %s, want the trace", resp.Status)
	}
	if err := p.term(); err != nil {
		t.Error(err)
	}
}

func TestPostThatNeverEndsIsCutOff(t *testing.T) {
	p := start(t, t.TempDir(), "--runtime.shutdown-timeout=50ms", "--span-storage.type=memory")
	begin(t, p)
	if err := p.term(); err != nil {
		t.Errorf("exit: got %v, want 0; log:\n%s", err, p.text())
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	p := start(t, t.TempDir(), "--runtime.shutdown-timeout=10m", "--span-storage.type=memory")
	begin(t, p)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.until("stopping"); err != nil {
		t.Fatal(err)
	}
	err := p.term()
	if err == nil || p.cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("exit: got %v, want 1", err)
	}
	if !strings.Contains(p.text(), "second signal") {
		t.Errorf("got %s", p.text())
	}
}
