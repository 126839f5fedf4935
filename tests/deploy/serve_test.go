package deploy

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// listeners are the flags of all addresses.
var listeners = []string{"collector.zipkin", "collector.otlp.grpc", "collector.otlp.http", "query.http-server", "query.grpc-server", "admin.http", "healthcheck.http", "metrics.http"}

// serve runs the program on free loopback ports until the test ends and gives
// where it listens, by what for.
func serve(t *testing.T, env []string, args ...string) map[string]string {
	t.Helper()
	for _, l := range listeners {
		args = append(args, "--"+l+".host-port=127.0.0.1:0")
	}
	cmd := exec.Command(spandrel(t), args...)
	cmd.Env = append([]string{"HOME=" + t.TempDir()}, env...)
	stderr, err := cmd.StderrPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may be gone
		_, _ = io.Copy(io.Discard, stderr)
		if err := cmd.Wait(); err != nil {
			t.Errorf("spandrel ended with %v", err)
		}
	})
	urls := map[string]string{}
	var log strings.Builder
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		log.WriteString(lines.Text() + "\n")
		var event struct{ Msg, For, At string }
		must(t, json.Unmarshal(lines.Bytes(), &event))
		switch event.Msg {
		case "listening":
			urls[event.For] = event.At
		case "ready":
			go func() { _, _ = io.Copy(io.Discard, stderr) }() // it must not block
			return urls
		}
	}
	t.Fatalf("it is not ready:\n%s", &log)
	return nil
}

// send makes a request and gives the answer's status and body.
func send(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	must(t, err)
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(text)
}
