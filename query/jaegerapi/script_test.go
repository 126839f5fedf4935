package jaegerapi

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what was answered into the scripts")

// TestScripts plays testdata/api/*.txtar: pairs of files, a request (method and
// path, headers, empty line, body) and the answer to it (status, headers that
// mean something, empty line, body) from a store with the traces of
// fixture_test.go, below /jaeger.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/api/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	server := newServer(t, HTTPOptions{BasePath: "/jaeger", UI: page})
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { play(t, server, file) })
	}
}

// page stands in for the page.
var page = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "the page at %s\n", r.URL.Path)
})

func newServer(t *testing.T, o HTTPOptions) *httptest.Server {
	t.Helper()
	o.Now = func() time.Time { return now }
	server := httptest.NewServer(HTTP(newService(t, bookinfo()), o))
	t.Cleanup(server.Close)
	server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return server
}

func play(t *testing.T, server *httptest.Server, file string) {
	script, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range script.Files {
		if script.Files[i].Name != "request" {
			continue
		}
		if i+1 == len(script.Files) || script.Files[i+1].Name != "answer" {
			script.Files = append(script.Files[:i+1], append([]txtar.File{{Name: "answer"}}, script.Files[i+1:]...)...)
		}
		request, want := script.Files[i].Data, &script.Files[i+1].Data
		got := ask(t, server, request)
		if *update {
			*want = got
		} else if diff := cmp.Diff(string(*want), string(got)); diff != "" {
			t.Errorf("%s%s", bytes.SplitN(request, []byte("\n"), 2)[0], diff)
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(script), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// ask sends the request of a script and writes down the answer.
func ask(t *testing.T, server *httptest.Server, script []byte) []byte {
	t.Helper()
	head, body, _ := strings.Cut(string(script), "\n\n")
	lines := strings.Split(strings.TrimRight(head, "\n"), "\n")
	method, path, _ := strings.Cut(lines[0], " ")
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(bufio.NewReader(resp.Body))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	fmt.Fprintln(&out, resp.StatusCode)
	for _, name := range []string{"Content-Type", "Allow", "Location"} {
		if v := resp.Header.Get(name); v != "" {
			fmt.Fprintf(&out, "%s: %s\n", name, v)
		}
	}
	fmt.Fprintf(&out, "\n%s", answer)
	if len(answer) > 0 && answer[len(answer)-1] != '\n' {
		out.WriteByte('\n')
	}
	return out.Bytes()
}
