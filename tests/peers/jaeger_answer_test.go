package peers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// tree is an answer, or a part of one, by name. What lies below a name is
// another tree, the text of a value, or traces. Lists whose order Jaeger leaves
// to chance are trees of their elements.
type tree map[string]any

// traces are by id.
type traces map[string]*trace

type trace struct {
	fields tree
	spans  []*span
}

// span is a span with its process within.
type span struct {
	id, operation, service, kind, start string // by which it is recognised
	fields                              tree
	references                          []jsonReference
}

// jsonSpan is a span in the JSON of Jaeger's UI.
type jsonSpan struct {
	TraceID, SpanID, OperationName string
	Flags                          *json.Number
	References                     []jsonReference
	StartTime, Duration            json.Number
	Tags                           []jsonTag
	Logs                           []jsonLog
	ProcessID                      string
	Process                        *jsonProcess // in no answer, but here for gRPC's
	Warnings                       []string
}

type jsonReference struct{ RefType, TraceID, SpanID string }

type jsonLog struct {
	Timestamp json.Number
	Fields    []jsonTag
}

type jsonProcess struct {
	ServiceName string
	Tags        []jsonTag
}

type jsonTag struct {
	Key, Type string
	Value     any
}

func (x jsonTag) text() string { return fmt.Sprintf("%s %q", x.Type, fmt.Sprint(x.Value)) }

// tagTree has the values of each key, however many; sorted says whether they
// are.
func tagTree(tags []jsonTag, sorted bool) tree {
	if tags == nil {
		return tree{"": "null"}
	}
	values := map[string][]string{}
	for _, x := range tags {
		values[x.Key] = append(values[x.Key], x.text())
	}
	out := tree{}
	for key, texts := range values {
		slices.Sort(texts)
		out["{"+key+"}"] = strings.Join(texts, ", ")
	}
	if sorted && !slices.IsSortedFunc(tags, func(a, b jsonTag) int { return strings.Compare(a.Key, b.Key) }) {
		out[""] = "unsorted"
	}
	return out
}

// span is the span as it is compared. Where raw is set, the order of tags
// means nothing.
func (s *jsonSpan) span(raw bool) *span {
	out := &span{id: s.SpanID, operation: s.OperationName, start: s.StartTime.String(), fields: tree{
		"spanID": s.SpanID, "traceID": s.TraceID, "operationName": s.OperationName, "startTime": s.StartTime.String(),
		"duration": s.Duration.String(), "tags": tagTree(s.Tags, !raw), "warnings": textOf(s.Warnings),
	}}
	if s.Flags != nil {
		out.fields["flags"] = s.Flags.String()
	}
	if p := s.Process; p == nil {
		out.fields["process"] = "none"
	} else {
		out.service = p.ServiceName
		out.fields["process"] = tree{"serviceName": p.ServiceName, "tags": tagTree(p.Tags, !raw)}
	}
	for _, x := range s.Tags {
		if x.Key == "span.kind" {
			out.kind = fmt.Sprint(x.Value)
		}
	}
	if s.References == nil {
		out.fields["references"] = "null"
	}
	out.references = s.References
	if s.Logs == nil {
		out.fields["logs"] = "null"
	}
	var logs []string
	for _, l := range s.Logs {
		var fields []string
		for _, f := range l.Fields {
			fields = append(fields, f.Key+"="+f.text())
		}
		if slices.Sort(fields); len(l.Fields) > 0 && l.Fields[0].Key != "event" {
			fields = append(fields, "(event not first)")
		}
		logs = append(logs, l.Timestamp.String()+" "+strings.Join(fields, " "))
	}
	slices.Sort(logs)
	for i, l := range logs {
		out.fields[fmt.Sprintf("logs[%d]", i)] = l
	}
	return out
}

func textOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // it came from JSON
	}
	return string(b)
}

// add puts a span into its trace.
func (all traces) add(traceID string, fields tree, s *span) {
	if all[traceID] == nil {
		all[traceID] = &trace{fields: fields}
	}
	if s != nil {
		all[traceID].spans = append(all[traceID].spans, s)
	}
}

// httpTraces reads the traces of a list in the JSON of Jaeger's UI.
func httpTraces(data json.RawMessage, raw bool) (traces, error) {
	var list []struct {
		TraceID   string
		Spans     []*jsonSpan
		Processes map[string]*jsonProcess
		Warnings  []string
	}
	if err := decode(data, &list); err != nil {
		return nil, err
	}
	all := traces{}
	for _, x := range list {
		id := x.TraceID
		for n := 2; all[id] != nil; n++ {
			id = fmt.Sprintf("%s, again %d", x.TraceID, n)
		}
		all.add(id, tree{"warnings": textOf(x.Warnings)}, nil)
		for _, s := range x.Spans {
			s.Process = x.Processes[s.ProcessID]
			all.add(id, nil, s.span(raw))
		}
	}
	return all, nil
}

// decode is json.Unmarshal that keeps all digits.
func decode(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return dec.Decode(v)
}

// bodyTree reads a body.
func bodyTree(contentType string, body []byte, raw bool) any {
	var envelope map[string]json.RawMessage
	switch {
	case len(body) == 0:
		return "empty"
	case decode(body, &envelope) != nil && strings.HasPrefix(contentType, "text/html"):
		return "a page"
	case decode(body, &envelope) != nil:
		return strings.TrimSpace(string(body))
	}
	out := tree{}
	for key, value := range envelope {
		out[key] = value
		if key == "data" {
			out[key] = dataTree(value, raw)
		} else {
			out[key] = jsonTree(value)
		}
	}
	return out
}

// dataTree reads what is in an envelope.
func dataTree(data json.RawMessage, raw bool) any {
	var list []json.RawMessage
	if decode(data, &list) != nil || len(list) == 0 {
		return jsonTree(data)
	}
	if bytes.Contains(list[0], []byte(`"spans":`)) {
		found, err := httpTraces(data, raw)
		if err != nil {
			return err.Error()
		}
		return found
	}
	out := tree{}
	for _, element := range list {
		var link struct {
			Parent, Child string
			CallCount     json.Number
		}
		if decode(element, &link); link.Parent != "" {
			out["{"+link.Parent+"→"+link.Child+"}"] = link.CallCount.String()
		} else {
			out["{"+string(element)+"}"] = "there"
		}
	}
	return out
}

// jsonTree reads any JSON.
func jsonTree(data json.RawMessage) any {
	var object map[string]json.RawMessage
	var list []json.RawMessage
	switch {
	case decode(data, &object) == nil && object != nil:
		out := tree{}
		for key, value := range object {
			out[key] = jsonTree(value)
		}
		return out
	case decode(data, &list) == nil && len(list) > 0:
		out := tree{}
		for i, value := range list {
			out[fmt.Sprintf("[%d]", i)] = jsonTree(value)
		}
		return out
	}
	return string(data)
}

// client sees answers as they are: nothing followed, nothing decompressed.
var client = &http.Client{
	Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 4},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// shownHeaders are those that are compared.
var shownHeaders = []string{"Content-Type", "X-Content-Type-Options", "Allow", "Location", "Content-Encoding", "Cache-Control", "Access-Control-Allow-Origin"}

// url is where the request goes to.
func (s *server) url(r *request) string {
	switch r.port {
	case "zipkin":
		return s.zipkin + r.path
	case "otlp":
		return s.otlp + r.path
	case "query":
		return s.query + r.path
	case "root":
		return "http://" + s.http + r.path
	}
	return s.admin + r.path
}

// ask sends the request and reads the answer.
func (s *server) ask(t *testing.T, r *request) tree {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), r.method, s.url(r), bytes.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = r.header
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s: %s: %v", s.name, r.name, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %s: %v", s.name, r.name, err)
	}
	out := tree{"status": fmt.Sprint(resp.StatusCode), "header": headerTree(resp)}
	raw := strings.Contains(r.path, "raw=t")
	switch {
	case bytes.HasPrefix(body, []byte("# HELP")):
		out["body"] = metricsTree(body)
	case r.port == "admin":
		out["body"] = bodyTree(resp.Header.Get("Content-Type"), operatorBody(r.path, body), raw)
	case resp.Header.Get("Content-Encoding") == "":
		out["body"] = bodyTree(resp.Header.Get("Content-Type"), body, raw)
	}
	if lines := strings.SplitN(string(body), "\n", 3); strings.Contains(r.path, "prettyPrint") && len(lines) == 3 {
		out["second line"] = lines[1]
	}
	return out
}

var (
	upSince = regexp.MustCompile(`"upSince":"2\d\d\d-[^"]*Z"`)
	uptime  = regexp.MustCompile(`"uptime":"[0-9.ms]+"`)
)

// operatorBody is the body of an answer of the admin port without what is never
// the same.
func operatorBody(path string, body []byte) []byte {
	if strings.HasPrefix(path, "/debug/vars") || strings.HasPrefix(path, "/debug/pprof/") {
		return []byte("facts")
	}
	body = upSince.ReplaceAll(body, []byte(`"upSince":"TIME"`))
	return uptime.ReplaceAll(body, []byte(`"uptime":"DURATION"`))
}

// metricsTree has Jaeger's metrics and whether each has counted anything.
func metricsTree(body []byte) tree {
	out := tree{}
	for line := range strings.Lines(string(body)) {
		name, rest, _ := strings.Cut(line, " ")
		name, _, _ = strings.Cut(name, "{")
		if !strings.HasPrefix(name, "jaeger_") || strings.HasSuffix(name, "_bucket") || strings.HasSuffix(name, "_sum") {
			continue
		}
		if name = "{" + name + "}"; out[name] == nil {
			out[name] = "0"
		}
		if fields := strings.Fields(rest); fields[len(fields)-1] != "0" {
			out[name] = "counted"
		}
	}
	return out
}

func headerTree(resp *http.Response) tree {
	out := tree{}
	for _, name := range shownHeaders {
		if v := resp.Header.Values(name); v != nil {
			out[name] = strings.Join(v, ", ")
		}
	}
	if resp.Close {
		out["Connection"] = "close"
	}
	if resp.Header.Get("Traceresponse") != "" {
		out["Traceresponse"] = "there"
	}
	return out
}
