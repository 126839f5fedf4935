package jaegerapi

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/spandrel/spandrel/query/apitest"
)

var update = flag.Bool("update", false, "write what was answered into the scripts")

// TestScripts plays testdata/api/*.txtar, see package apitest, on a store with
// the traces of fixture_test.go, below /jaeger.
func TestScripts(t *testing.T) {
	server := newServer(t, HTTPOptions{BasePath: "/jaeger", UI: page})
	format := apitest.Format{Headers: []string{"Content-Type", "Allow", "Location"}}
	apitest.Play(t, *update, format, "", func(*testing.T, string) *httptest.Server { return server })
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
