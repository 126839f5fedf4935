package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/query"
	"github.com/spandrel/spandrel/query/uiapi"
	"github.com/spandrel/spandrel/storage"
	"github.com/spandrel/spandrel/storage/badger"
	"github.com/spandrel/spandrel/storage/memory"
	"github.com/spandrel/spandrel/storage/storagetest"
)

// TestStoresAnswerTheUIAlike asks the memory store and Badger, with spans in
// segments and in memory, and wants the same answers.
func TestStoresAnswerTheUIAlike(t *testing.T) {
	g := storagetest.NewGenerator(11, storagetest.GeneratorOptions{Services: 12, Errors: 0.05, Late: 0.1, Start: time.Now().Add(-10 * time.Minute)})
	dir := t.TempDir()
	disk, err := badger.Open(dir, badger.Options{SyncInterval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ram := memory.New(memory.Options{})
	var spans []spandrel.Span
	write := func(n int) {
		for range n {
			batch := g.NextBatch()
			spans = append(spans, batch...)
			for _, s := range []storage.Store{disk, ram} {
				if err := s.Write(t.Context(), batch); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	write(1500)
	if err := disk.Close(); err != nil { // moves all to segments
		t.Fatal(err)
	}
	if disk, err = badger.Open(dir, badger.Options{SyncInterval: time.Minute}); err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	write(700)
	now := time.Now()
	ask := func(s storage.Store) func(path string) string {
		server := httptest.NewServer(uiapi.Handler(query.New(s, query.Options{MaxClockSkew: time.Second}), uiapi.Options{Now: func() time.Time { return now }}))
		t.Cleanup(server.Close)
		return func(path string) string { return answer(t, server, path) }
	}
	fromDisk, fromRAM := ask(disk), ask(ram)
	id := spans[len(spans)/2].TraceID
	trace := "/traces/" + id.String()
	for _, path := range []string{
		"/search?limit=300", "/search?limit=300&columns=http.url,response_flags,nowhere", "/search?limit=300&service=orders.default&errors=trace", "/search?errors=span&limit=7",
		"/search?q=http.status_code>=503 !response_flags=-", "/search?q=!error&minDuration=2ms&operation=nothing",
		"/search?q=upstream_cluster~stock istio.namespace span.kind=client&limit=50", "/search?q=-error&limit=50",
		trace + "/skeleton?tags=my_tag_header", trace + "/find?q=orders error", trace + "/find?q=-service~orders",
		trace + fmt.Sprintf("/spans?ids=%v,%v", spans[len(spans)/2].ID, spans[0].ID),
		"/tags/keys", "/tags/keys?service=stock.default&prefix=http", "/tags/values?key=http.url", "/tags/values?key=error", "/tags/values?key=operation&service=orders.default",
		trace + "/events", "/standing?service=orders.default&duration=20000&kind=server&operation=" + operationOf(spans, "orders.default"),
		"/map", "/services", "/services?service=orders.default&buckets=7", "/errors", "/errors?service=orders.default", "/mesh", "/diff?selErrors=true", "/diff?selMin=5000",
	} {
		got := fromDisk(path)
		if diff := cmp.Diff(fromRAM(path), got); diff != "" {
			t.Errorf("%s (-memory +badger):\n%s", path, diff)
		}
		if len(got) < 30 {
			t.Errorf("%s: %s", path, got)
		}
	}
	checkServices(t, spans, fromDisk("/services"))
	checkErrors(t, spans, fromDisk("/errors"))
	checkStanding(t, spans, fromDisk)
	checkEvents(t, spans, id, fromDisk(trace+"/events"))
}

// checkStanding counts again, over what was written.
func checkStanding(t *testing.T, spans []spandrel.Span, ask func(string) string) {
	t.Helper()
	name := operationOf(spans, "orders.default")
	seen := make(map[string]bool)
	var durations []int64
	for i := range spans {
		s := &spans[i]
		key := fmt.Sprint(s.TraceID, s.ID, s.Kind, s.Start)
		if s.Service() == "orders.default" && s.Name == name && s.Kind == spandrel.KindServer && !seen[key] {
			durations = append(durations, s.Duration)
		}
		seen[key] = true
	}
	if len(durations) < 10 {
		t.Fatalf("only %d spans of %q", len(durations), name)
	}
	for _, d := range []int64{0, durations[0], durations[len(durations)/2], 1e12} {
		var got struct{ Spans, Faster, Same int }
		text := ask(fmt.Sprintf("/standing?service=orders.default&kind=SERVER&operation=%s&duration=%.3f", name, float64(d)/1000))
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		want := got
		want.Spans, want.Faster, want.Same = len(durations), 0, 0
		for _, other := range durations {
			if other < d {
				want.Faster++
			} else if other == d {
				want.Same++
			}
		}
		if got != want {
			t.Errorf("duration %d: got %+v, want %+v", d, got, want)
		}
	}
}

// checkEvents wants all events that were written, in order.
func checkEvents(t *testing.T, spans []spandrel.Span, id spandrel.TraceID, text string) {
	t.Helper()
	var got struct {
		Events []struct {
			Row  int
			At   float64
			Name string
		}
		Count int
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := 0
	for i := range spans {
		if spans[i].TraceID == id {
			want += len(spans[i].Events)
		}
	}
	if got.Count != want || len(got.Events) != want || want == 0 {
		t.Errorf("got %d events, count %d, want %d", len(got.Events), got.Count, want)
	}
	for i := range got.Events {
		if i > 0 && got.Events[i].At < got.Events[i-1].At {
			t.Errorf("event %d is before the one before it", i)
		}
	}
}

// operationOf is the name of a server span of the service.
func operationOf(spans []spandrel.Span, service string) string {
	for i := range spans {
		if spans[i].Service() == service && spans[i].Kind == spandrel.KindServer {
			return spans[i].Name
		}
	}
	return ""
}

func answer(t *testing.T, server *httptest.Server, path string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+uiapi.Prefix, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.URL, err = r.URL.Parse(server.URL + uiapi.Prefix + escape(path)); err != nil {
		t.Fatal(err)
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %s %s, %v", path, resp.Status, body, err)
	}
	return string(body)
}

// escape makes a readable path one that can be sent.
func escape(path string) string {
	out := ""
	for _, c := range path {
		switch c {
		case ' ':
			out += "%20"
		case '!', '~', '<', '>':
			out += fmt.Sprintf("%%%02X", c)
		default:
			out += string(c)
		}
	}
	return out
}

// checkServices counts requests on its own.
func checkServices(t *testing.T, spans []spandrel.Span, answer string) {
	t.Helper()
	var got struct {
		Services []struct {
			Service                 string
			Spans, Requests, Errors int
			Max                     float64
			Series                  struct{ Requests, Errors []int }
		}
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		t.Fatal(err)
	}
	for _, s := range got.Services {
		all, requests, errors, roots, longest := 0, 0, 0, 0, int64(0)
		for i := range spans {
			span := &spans[i]
			if span.Service() != s.Service {
				continue
			}
			all++
			if span.ParentID == 0 {
				roots++
			}
			if span.Kind == spandrel.KindServer {
				requests++
				longest = max(longest, span.Duration)
				if span.IsError() {
					errors++
				}
			}
		}
		if requests == 0 { // the gateway
			if s.Requests != roots || s.Spans != all {
				t.Errorf("%s: %+v, want %d spans, %d roots", s.Service, s, all, roots)
			}
			continue
		}
		inSeries := [2]int{}
		for i := range s.Series.Requests {
			inSeries[0] += s.Series.Requests[i]
			inSeries[1] += s.Series.Errors[i]
		}
		if s.Spans != all || s.Requests != requests || s.Errors != errors || s.Max != float64(longest)/1000 || inSeries != [2]int{requests, errors} {
			t.Errorf("%s: %+v, want %d spans, %d requests, %d errors, %d ns at most", s.Service, s, all, requests, errors, longest)
		}
	}
}

// checkErrors counts errors on its own.
func checkErrors(t *testing.T, spans []spandrel.Span, answer string) {
	t.Helper()
	var got struct {
		Groups []struct {
			Service, Operation, Kind, Response string
			Spans                              int
			Series                             []int
		}
		More int
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		t.Fatal(err)
	}
	want, sum := 0, 0
	for i := range spans {
		if v, _ := spans[i].Tag("response_flags"); spans[i].IsError() || v.String() != "-" {
			want++
		}
	}
	for _, g := range got.Groups {
		sum += g.Spans
		n := 0
		for _, v := range g.Series {
			n += v
		}
		if n != g.Spans {
			t.Errorf("group %+v: the series has %d", g, n)
		}
	}
	if got.More == 0 && sum != want {
		t.Errorf("groups have %d spans, want %d", sum, want)
	}
}
