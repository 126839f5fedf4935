package peers

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// shownTrace is a trace as Jaeger's HTTP API shows it, with nothing left out
// that a viewer could notice.
type shownTrace struct {
	ID    string
	Spans map[string]*shownSpan // by id
}

// newest is when the last of the service's spans began.
func (tr *shownTrace) newest(service string) int64 {
	last := int64(0)
	for _, span := range tr.Spans {
		if span.Service == service {
			last = max(last, span.Start)
		}
	}
	return last
}

type shownSpan struct {
	ID, Parent string // Parent is of the one reference, "" without any
	Service    string
	Name       string
	Start, End int64          // µs
	Tags       map[string]any // see shownTags
	Logs       []shownLog
	Flags      int
	Warnings   []string
}

type shownLog struct {
	Time   int64 // µs
	Fields map[string]any
}

// The API's JSON.
type (
	apiTag struct {
		Key, Type string
		Value     any
	}
	apiTrace struct {
		TraceID   string
		Processes map[string]struct {
			ServiceName string
			Tags        []apiTag
		}
		Spans []struct {
			TraceID, SpanID, OperationName, ProcessID string

			References []struct{ RefType, TraceID, SpanID string }
			Start      int64 `json:"startTime"`
			Duration   int64
			Flags      int
			Warnings   []string
			Tags       []apiTag
			Logs       []struct {
				Timestamp int64
				Fields    []apiTag
			}
		}
	}
)

// fetch is a GET of the query API. It decodes the answer's data.
func (s *server) fetch(t *testing.T, path string, params url.Values, data any) {
	t.Helper()
	resp, err := http.Get(s.query + path + "?" + params.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer := struct {
		Data   any
		Errors []any
	}{Data: data}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK || answer.Errors != nil {
		t.Fatalf("GET %s: %s, errors %v, %v", resp.Request.URL, resp.Status, answer.Errors, err)
	}
}

// trace is the trace of that id.
func (s *server) trace(t *testing.T, id string) *shownTrace {
	t.Helper()
	traces := s.traces(t, "/api/traces/"+id, nil)
	if len(traces) != 1 || traces[0].ID != id {
		t.Fatalf("%d traces for the id %s", len(traces), id)
	}
	return traces[0]
}

// traces are those of the answer, in its order.
func (s *server) traces(t *testing.T, path string, params url.Values) []*shownTrace {
	t.Helper()
	var answer []apiTrace
	s.fetch(t, path, params, &answer)
	traces := make([]*shownTrace, len(answer))
	for i := range answer {
		var err error
		if traces[i], err = answer[i].shown(); err != nil {
			t.Fatalf("%s: trace %s: %v", path, answer[i].TraceID, err)
		}
	}
	return traces
}

// shown checks what is true of every trace.
func (a *apiTrace) shown() (*shownTrace, error) {
	trace := &shownTrace{a.TraceID, map[string]*shownSpan{}}
	for _, in := range a.Spans {
		process, ok := a.Processes[in.ProcessID]
		switch {
		case !ok:
			return nil, fmt.Errorf("there is no process %q", in.ProcessID)
		case in.TraceID != a.TraceID:
			return nil, fmt.Errorf("span of trace %s", in.TraceID)
		case trace.Spans[in.SpanID] != nil:
			return nil, fmt.Errorf("two spans %s", in.SpanID)
		case len(in.References) > 1:
			return nil, fmt.Errorf("span %s has references %v", in.SpanID, in.References)
		}
		out := &shownSpan{ID: in.SpanID, Service: process.ServiceName, Name: in.OperationName,
			Start: in.Start, End: in.Start + in.Duration, Flags: in.Flags, Warnings: in.Warnings}
		for _, ref := range in.References {
			if ref.RefType != "CHILD_OF" || ref.TraceID != a.TraceID {
				return nil, fmt.Errorf("span %s has the reference %v", in.SpanID, ref)
			}
			out.Parent = ref.SpanID
		}
		tags := in.Tags
		for _, tag := range process.Tags { // which Zipkin has not
			tag.Key = "process." + tag.Key
			tags = append(tags, tag)
		}
		var err error
		if out.Tags, err = shownTags(tags); err != nil {
			return nil, fmt.Errorf("span %s: %w", in.SpanID, err)
		}
		for _, l := range in.Logs {
			fields, err := shownTags(l.Fields)
			if err != nil {
				return nil, fmt.Errorf("span %s: %w", in.SpanID, err)
			}
			out.Logs = append(out.Logs, shownLog{l.Timestamp, fields})
		}
		trace.Spans[in.SpanID] = out
	}
	return trace, nil
}

// shownTags is a map of the tags, whose values must be of the type they claim. A
// key that has several values has a list of them.
func shownTags(tags []apiTag) (map[string]any, error) {
	out := map[string]any{}
	for _, tag := range tags {
		value := tag.Value
		number, isNumber := value.(float64)
		switch kind := fmt.Sprintf("%s %T", tag.Type, value); {
		case tag.Type == "int64" && isNumber:
			value = int64(number)
		case kind != "string string" && kind != "bool bool" && kind != "float64 float64":
			return nil, fmt.Errorf("tag %q is a %s: %v", tag.Key, tag.Type, value)
		}
		switch before := out[tag.Key].(type) {
		case nil:
			out[tag.Key] = value
		case []any:
			out[tag.Key] = append(before, value)
		default:
			out[tag.Key] = []any{before, value}
		}
	}
	return out, nil
}

// metrics are the server's own, by name and labels as they are written.
type metrics map[string]float64

func (s *server) metrics(t *testing.T) metrics {
	t.Helper()
	resp, err := http.Get(s.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	m := metrics{}
	for scan := bufio.NewScanner(resp.Body); scan.Scan(); {
		series, value, ok := strings.Cut(scan.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil {
			m[series] = v
		}
	}
	return m
}

// sum adds up the series of the name that have all the labels.
func (m metrics) sum(name string, labels ...string) int {
	sum := 0.0
next:
	for series, v := range m {
		if n, rest, _ := strings.Cut(series, "{"); n == name {
			for _, label := range labels {
				if !strings.Contains(rest, label) {
					continue next
				}
			}
			sum += v
		}
	}
	return int(sum)
}
