package peers

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"
)

// recordedSpan is a span as Envoy posts it, read without any code of ours.
type recordedSpan struct {
	TraceID, ID, ParentID, Kind, Name string
	Timestamp, Duration               int64 // µs
	LocalEndpoint                     struct{ ServiceName string }
	Tags                              map[string]string
}

// recording is the spans of recorded posts by trace; what clients are told is
// held against it.
type recording map[string][]recordedSpan

// recordedFrom and recordedTo are the times between which all recorded spans lie.
var recordedFrom, recordedTo = time.Unix(1795434600, 0), time.Unix(1795434900, 0)

// postRecorded posts recordings of JSON to the server and gives their spans.
func postRecorded(t *testing.T, s *server, names ...string) recording {
	t.Helper()
	all := recording{}
	for _, name := range names {
		for _, p := range readEnvoyPosts(t, name) {
			if got := s.ask(t, &p.request)["status"]; got != "202" {
				t.Fatalf("a post of %s: status %v", name, got)
			}
			var spans []recordedSpan
			if err := json.Unmarshal(p.body, &spans); err != nil {
				t.Fatal(err)
			}
			for _, x := range spans {
				all[x.TraceID] = append(all[x.TraceID], x)
			}
		}
	}
	return all
}

func (r recording) services() []string {
	names := map[string]bool{}
	for _, spans := range r {
		for _, s := range spans {
			names[s.LocalEndpoint.ServiceName] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// condition is what a search asks of one span.
type condition struct {
	service, operation string
	tags               map[string]string
	from, to           time.Time // the zero time is no bound
	atLeast, atMost    time.Duration
}

func (c condition) met(s recordedSpan) bool {
	at, took := time.UnixMicro(s.Timestamp), time.Duration(s.Duration)*time.Microsecond
	for key, value := range c.tags {
		if had, ok := s.Tags[key]; !ok || had != value {
			return false
		}
	}
	return (c.service == "" || s.LocalEndpoint.ServiceName == c.service) && (c.operation == "" || s.Name == c.operation) &&
		(c.from.IsZero() || !at.Before(c.from)) && (c.to.IsZero() || !at.After(c.to)) &&
		took >= c.atLeast && (c.atMost == 0 || took <= c.atMost)
}

// search gives the ids of all traces that have a span that meets the condition,
// with the number of their spans.
func (r recording) search(c condition) map[string]int {
	found := map[string]int{}
	for id, spans := range r {
		if slices.ContainsFunc(spans, c.met) {
			found[id] = len(spans)
		}
	}
	return found
}

// getJSON is a GET that reads the body as JSON whatever the status, as Kiali
// does.
func getJSON(t *testing.T, c *http.Client, url string, v any) (status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		t.Fatalf("GET %s: %s, no JSON: %v", url, resp.Status, err)
	}
	return resp.StatusCode
}
