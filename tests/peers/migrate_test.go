package peers

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestJaegerAndSpandrelTakeTurnsOnOneVolume, as when an image is changed and
// changed back with the addon's settings and a volume that stays: each finds its
// own spans again and does not see or harm the other's.
func TestJaegerAndSpandrelTakeTurnsOnOneVolume(t *testing.T) {
	dir := t.TempDir()
	place := []string{"--badger.directory-key=" + filepath.Join(dir, "key"), "--badger.directory-value=" + filepath.Join(dir, "data")}
	turns := []struct {
		name  string
		start func() *server
		post  int   // the trace that is posted in this turn
		sees  []int // all that are there then
	}{
		{"Jaeger", func() *server { return startJaeger(t, "badger", place...) }, 1, []int{1}},
		{"Spandrel in its place", func() *server { return startSpandrel(t, place...) }, 2, []int{2}},
		{"back to Jaeger", func() *server { return startJaeger(t, "badger", place...) }, 3, []int{1, 3}},
		{"and again Spandrel", func() *server { return startSpandrel(t, place...) }, 4, []int{2, 4}},
	}
	for _, turn := range turns {
		s := turn.start()
		span := fmt.Sprintf(`[{"traceId":"%016x","id":"%016[1]x","name":"turn","timestamp":%d,"duration":5,"localEndpoint":{"serviceName":"s%[1]d"}}]`,
			turn.post, time.Now().UnixMicro())
		resp, err := http.Post(s.zipkin+"/api/v2/spans", "application/json", strings.NewReader(span))
		if err != nil || resp.StatusCode != http.StatusAccepted {
			t.Fatalf("%s: %v, %v", turn.name, resp, err)
		}
		resp.Body.Close()
		want := map[int]bool{}
		for _, n := range turn.sees {
			want[n] = true
			eventually(t, turn.name, func() error { return answers(fmt.Sprintf("%s/api/traces/%016x", s.query, n), http.StatusOK) })
		}
		for n := 1; n <= len(turns); n++ {
			if got := answers(fmt.Sprintf("%s/api/traces/%016x", s.query, n), http.StatusOK) == nil; got != want[n] {
				t.Errorf("%s: trace %d is there: %t", turn.name, n, got)
			}
		}
		s.end(t)
	}
}
