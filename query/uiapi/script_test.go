package uiapi

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/collector/zipkin"
	"github.com/spandrel/spandrel/query"
	"github.com/spandrel/spandrel/query/apitest"
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
				batch, _, err = new(zipkin.Decoder).JSON([]byte(post.Body), false)
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

// TestScripts plays testdata/api/*.txtar, see package apitest, on a store with
// the traces of recorded Envoys that the script's first line names.
func TestScripts(t *testing.T) {
	apitest.Play(t, *update, format, Prefix, func(t *testing.T, comment string) *httptest.Server {
		names, _, _ := strings.Cut(comment, "\n")
		return newServer(t, newService(t, recorded(t, strings.Fields(names)...)), Options{Status: fixedStatus})
	})
}

// format is how answers are written down: JSON indented, skeletons in words.
var format = apitest.Format{
	Headers: []string{"Content-Type", "Content-Disposition", "Cache-Control", "ETag", "Allow"},
	Body: func(t testing.TB, header http.Header, body []byte) []byte {
		if header.Get("Content-Type") == "application/octet-stream" && len(body) > 0 {
			body = dump(t, body)
		}
		var out bytes.Buffer
		if json.Indent(&out, body, "", " ") != nil {
			return body
		}
		return out.Bytes()
	},
}
