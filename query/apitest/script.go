// Package apitest plays scripts of HTTP APIs: what is asked and what must be
// answered, in files that people read and that a run with -update writes. It is
// for tests only.
package apitest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// Format says what of an answer is written down: the status, these headers, an
// empty line and the body.
type Format struct {
	Headers []string
	Body    func(t testing.TB, header http.Header, body []byte) []byte // nil: as it is
}

// Play plays all testdata/api/*.txtar: pairs of files, a request (see Ask) and
// the answer to it, asked of the server that serve makes of the script's comment.
func Play(t *testing.T, update bool, f Format, prefix string, serve func(t *testing.T, comment string) *httptest.Server) {
	t.Helper()
	files, err := filepath.Glob("testdata/api/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			script, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			server := serve(t, string(script.Comment))
			played := script.Files[:0:0]
			for i, request := range script.Files {
				if request.Name != "request" {
					continue
				}
				answer := txtar.File{Name: "answer", Data: f.Ask(t, server, prefix, request.Data)}
				played = append(played, request, answer)
				if update {
					continue
				}
				var want []byte
				if i+1 < len(script.Files) && script.Files[i+1].Name == answer.Name {
					want = script.Files[i+1].Data
				}
				if diff := cmp.Diff(string(want), string(answer.Data)); diff != "" {
					t.Errorf("%s%s", bytes.SplitN(request.Data, []byte("\n"), 2)[0], diff)
				}
			}
			if !update {
				return
			}
			script.Files = played
			if err := os.WriteFile(file, txtar.Format(script), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Ask sends the request of a script ([METHOD] path below the prefix, headers,
// empty line, body) and writes down the answer.
func (f Format) Ask(t testing.TB, server *httptest.Server, prefix string, request []byte) []byte {
	t.Helper()
	head, body, _ := strings.Cut(string(request), "\n\n")
	lines := strings.Split(strings.TrimRight(head, "\n"), "\n")
	method, path := http.MethodGet, lines[0]
	if !strings.HasPrefix(path, "/") {
		method, path, _ = strings.Cut(path, " ")
	}
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+prefix+strings.ReplaceAll(path, " ", "%20"), strings.NewReader(body))
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
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if f.Body != nil {
		answer = f.Body(t, resp.Header, answer)
	}
	var out bytes.Buffer
	fmt.Fprintln(&out, resp.StatusCode)
	for _, name := range f.Headers {
		if v := resp.Header.Get(name); v != "" {
			fmt.Fprintf(&out, "%s: %s\n", name, v)
		}
	}
	fmt.Fprintf(&out, "\n%s", answer)
	if !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
		out.WriteByte('\n')
	}
	return out.Bytes()
}
