package uiapi

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
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

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/collector/zipkin"
	"github.com/spandrel/spandrel/query"
	"github.com/spandrel/spandrel/storage/memory"
)

var update = flag.Bool("update", false, "write what was answered into the scripts")

// now is shortly after the recorded posts.
var now = time.UnixMicro(1795434700000000)

// recorded are spans of posts that real Envoys sent.
func recorded(t testing.TB, names ...string) (spans []spandrel.Span) {
	t.Helper()
	for _, name := range names {
		f, err := os.Open("testdata/envoy/" + name + ".ndjson.gz")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		plain, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewReader(plain); ; {
			line, err := lines.ReadBytes('\n')
			if errors.Is(err, io.EOF) {
				break
			}
			var post struct{ Body string }
			if err == nil {
				err = json.Unmarshal(line, &post)
			}
			var batch []spandrel.Span
			if err == nil {
				batch, _, err = zipkin.DecodeJSON([]byte(post.Body), false)
			}
			if err != nil {
				t.Fatal(err)
			}
			spans = append(spans, batch...)
		}
	}
	return spans
}

func newService(t testing.TB, spans []spandrel.Span) *query.Service {
	t.Helper()
	store := memory.New(memory.Options{})
	if err := store.Write(t.Context(), spans); err != nil {
		t.Fatal(err)
	}
	return query.New(store, query.Options{})
}

func newServer(t testing.TB, svc *query.Service, o Options) *httptest.Server {
	t.Helper()
	o.Now = func() time.Time { return now }
	server := httptest.NewServer(Handler(svc, o))
	t.Cleanup(server.Close)
	return server
}

// TestScripts plays testdata/api/*.txtar: pairs of files, a request (path below
// the prefix, or method and path, headers) and the answer to it (status,
// headers that mean something, empty line, body, JSON indented) from a store
// with the traces of recorded Envoys that the script's first line names.
func TestScripts(t *testing.T) {
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
			names, _, _ := strings.Cut(string(script.Comment), "\n")
			svc := newService(t, recorded(t, strings.Fields(names)...))
			play(t, newServer(t, svc, Options{Status: fixedStatus}), script)
			if *update {
				if err := os.WriteFile(file, txtar.Format(script), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func play(t *testing.T, server *httptest.Server, script *txtar.Archive) {
	for i := 0; i < len(script.Files); i++ {
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
}

// ask sends the request of a script and writes down the answer.
func ask(t *testing.T, server *httptest.Server, script []byte) []byte {
	t.Helper()
	lines := strings.Split(strings.TrimRight(string(script), "\n"), "\n")
	method, path := http.MethodGet, lines[0]
	if !strings.HasPrefix(path, "/") {
		method, path, _ = strings.Cut(path, " ")
	}
	path = strings.ReplaceAll(path, " ", "%20")
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+Prefix+path, nil)
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
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	fmt.Fprintln(&out, resp.StatusCode)
	for _, name := range []string{"Content-Type", "Content-Disposition", "Cache-Control", "ETag", "Allow"} {
		if v := resp.Header.Get(name); v != "" {
			fmt.Fprintf(&out, "%s: %s\n", name, v)
		}
	}
	out.WriteByte('\n')
	if resp.Header.Get("Content-Type") == "application/octet-stream" && len(body) > 0 {
		body = dump(t, body)
	}
	if json.Indent(&out, body, "", " ") != nil {
		out.Write(body)
	}
	if out.Bytes()[out.Len()-1] != '\n' {
		out.WriteByte('\n')
	}
	return out.Bytes()
}
