package uiapi

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"io"
	"strconv"
	"time"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/query"
)

// eachJSON writes values as a JSON list, one at a time.
func eachJSON(w *bufio.Writer, n int, value func(i int) any) error {
	for i := range n {
		if i > 0 {
			w.WriteByte(',') //nolint:errcheck // Flush tells
		}
		b, err := json.Marshal(value(i))
		if err != nil {
			return err
		}
		w.Write(b) //nolint:errcheck // Flush tells
	}
	return nil
}

// zipkinSpan is a span of Zipkin's v2 JSON. What v2 has no place for becomes
// tags, with the names that OpenTelemetry's exporter gives them.
type zipkinSpan struct {
	TraceID        string             `json:"traceId"`
	ID             string             `json:"id"`
	ParentID       string             `json:"parentId,omitempty"`
	Kind           string             `json:"kind,omitempty"`
	Name           string             `json:"name,omitempty"`
	Timestamp      int64              `json:"timestamp,omitempty"`
	Duration       int64              `json:"duration,omitempty"`
	LocalEndpoint  *zipkinEndpoint    `json:"localEndpoint,omitempty"`
	RemoteEndpoint *zipkinEndpoint    `json:"remoteEndpoint,omitempty"`
	Annotations    []zipkinAnnotation `json:"annotations,omitempty"`
	Tags           map[string]string  `json:"tags,omitempty"`
	Shared         bool               `json:"shared,omitempty"`
	Debug          bool               `json:"debug,omitempty"`
}

type zipkinEndpoint struct {
	ServiceName string `json:"serviceName,omitempty"`
	IPv4        string `json:"ipv4,omitempty"`
	IPv6        string `json:"ipv6,omitempty"`
	Port        uint16 `json:"port,omitempty"`
}

type zipkinAnnotation struct {
	Timestamp int64  `json:"timestamp"`
	Value     string `json:"value"`
}

// writeZipkin writes a trace as a list of Zipkin's v2 spans, as stored.
func writeZipkin(to io.Writer, t *query.Trace) error {
	w := bufio.NewWriterSize(to, 64<<10)
	w.WriteByte('[') //nolint:errcheck // Flush tells
	if err := eachJSON(w, len(t.Spans), func(i int) any { return newZipkinSpan(t.Spans[i].Span) }); err != nil {
		return err
	}
	w.WriteString("]\n") //nolint:errcheck // Flush tells
	return w.Flush()
}

func newZipkinSpan(s *spandrel.Span) zipkinSpan {
	out := zipkinSpan{
		TraceID: s.TraceID.String(), ID: s.ID.String(), Name: s.Name, Kind: zipkinKind(s.Kind),
		LocalEndpoint: newZipkinEndpoint(s.Local), RemoteEndpoint: newZipkinEndpoint(s.Remote),
		Shared: s.Flags&spandrel.FlagShared != 0, Debug: s.Flags&spandrel.FlagDebug != 0, Tags: make(map[string]string),
	}
	if s.ParentID != 0 {
		out.ParentID = s.ParentID.String()
	}
	if s.Flags&spandrel.FlagNoStart == 0 {
		out.Timestamp = micros(s.Start)
	}
	if s.Duration > 0 {
		out.Duration = max(1, s.Duration/1000)
	}
	for _, t := range s.Resource {
		out.Tags[t.Key] = t.Value.String()
	}
	for _, t := range s.Tags {
		out.Tags[t.Key] = t.Value.String()
	}
	for _, key := range []string{"otel.status_code", "otel.status_description", "otel.scope.name", "otel.scope.version", "w3c.tracestate"} {
		if key == "otel.status_code" && s.Status == spandrel.StatusUnset {
			continue
		}
		if text, ok := s.FieldTag(key); ok {
			out.Tags[key] = text
		}
	}
	if _, ok := out.Tags["error"]; !ok && s.IsError() {
		out.Tags["error"] = "true"
	}
	for _, e := range s.Events {
		value := e.Name
		if len(e.Fields) > 0 {
			fields := make(map[string]string, len(e.Fields))
			for _, f := range e.Fields {
				fields[f.Key] = f.Value.String()
			}
			text, _ := json.Marshal(map[string]any{e.Name: fields}) // maps of texts can be written
			value = string(text)
		}
		out.Annotations = append(out.Annotations, zipkinAnnotation{micros(e.Time), value})
	}
	return out
}

func zipkinKind(k spandrel.Kind) string {
	return [...]string{"", "", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"}[min(k, spandrel.KindConsumer)]
}

func newZipkinEndpoint(e spandrel.Endpoint) *zipkinEndpoint {
	j := newEndpointJSON(e)
	if j == nil {
		return nil
	}
	return &zipkinEndpoint{j.Service, j.IP, j.IPv6, j.Port}
}

func micros(ns int64) int64 { return time.Unix(0, ns).UnixMicro() }

// The types below are OTLP's trace messages in their JSON form.

type otlpResourceSpans struct {
	Resource   otlpAttributes   `json:"resource"`
	ScopeSpans []otlpScopeSpans `json:"scopeSpans"`
}

type otlpScopeSpans struct {
	Scope otlpScope  `json:"scope"`
	Spans []otlpSpan `json:"spans"`
}

type otlpAttributes struct {
	Attributes []otlpAttribute `json:"attributes"`
}

type otlpScope struct {
	Name       string          `json:"name,omitempty"`
	Version    string          `json:"version,omitempty"`
	Attributes []otlpAttribute `json:"attributes,omitempty"`
}

type otlpAttribute struct {
	Key   string         `json:"key"`
	Value map[string]any `json:"value"`
}

type otlpSpan struct {
	TraceID    string          `json:"traceId"`
	SpanID     string          `json:"spanId"`
	Parent     string          `json:"parentSpanId,omitempty"`
	TraceState string          `json:"traceState,omitempty"`
	Name       string          `json:"name"`
	Kind       spandrel.Kind   `json:"kind"` // has OTLP's numbers
	Start      string          `json:"startTimeUnixNano"`
	End        string          `json:"endTimeUnixNano"`
	Attributes []otlpAttribute `json:"attributes,omitempty"`
	Events     []otlpEvent     `json:"events,omitempty"`
	Links      []otlpLink      `json:"links,omitempty"`
	Status     otlpStatus      `json:"status"`
}

type otlpEvent struct {
	Time       string          `json:"timeUnixNano"`
	Name       string          `json:"name"`
	Attributes []otlpAttribute `json:"attributes,omitempty"`
}

type otlpLink struct {
	TraceID    string          `json:"traceId"`
	SpanID     string          `json:"spanId"`
	TraceState string          `json:"traceState,omitempty"`
	Attributes []otlpAttribute `json:"attributes,omitempty"`
}

type otlpStatus struct {
	Code    int    `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// writeOTLP writes a trace as an OTLP export request, a resource for each
// span: a file is not made smaller at the price of reading it all first.
func writeOTLP(to io.Writer, t *query.Trace) error {
	w := bufio.NewWriterSize(to, 64<<10)
	w.WriteString(`{"resourceSpans":[`) //nolint:errcheck // Flush tells
	if err := eachJSON(w, len(t.Spans), func(i int) any { return newOTLP(t.Spans[i].Span) }); err != nil {
		return err
	}
	w.WriteString("]}\n") //nolint:errcheck // Flush tells
	return w.Flush()
}

func newOTLP(s *spandrel.Span) otlpResourceSpans {
	resource := append([]spandrel.Tag{{Key: "service.name", Value: spandrel.StringValue(s.Service())}}, s.Resource...)
	span := otlpSpan{
		TraceID: hex128(s.TraceID), SpanID: s.ID.String(), TraceState: s.TraceState, Name: s.Name, Kind: s.Kind,
		Start: strconv.FormatInt(s.Start, 10), End: strconv.FormatInt(s.Start+s.Duration, 10),
		Attributes: attributes(s.Tags), Status: otlpStatus{int(s.Status), s.StatusMessage},
	}
	if s.ParentID != 0 {
		span.Parent = s.ParentID.String()
	}
	if s.Status == spandrel.StatusUnset && s.IsError() {
		span.Status.Code = int(spandrel.StatusError)
	}
	for _, key := range []string{"peer.service", "net.host.ip", "net.host.port", "net.peer.ip", "net.peer.port"} {
		if _, ok := s.Tag(key); ok {
			continue
		}
		if text, ok := s.FieldTag(key); ok {
			span.Attributes = append(span.Attributes, attributes([]spandrel.Tag{{Key: key, Value: spandrel.StringValue(text)}})...)
		}
	}
	for _, e := range s.Events {
		span.Events = append(span.Events, otlpEvent{strconv.FormatInt(e.Time, 10), e.Name, attributes(e.Fields)})
	}
	for _, l := range s.Links {
		span.Links = append(span.Links, otlpLink{hex128(l.TraceID), l.ID.String(), l.TraceState, attributes(l.Tags)})
	}
	return otlpResourceSpans{
		Resource:   otlpAttributes{attributes(resource)},
		ScopeSpans: []otlpScopeSpans{{otlpScope{s.Scope.Name, s.Scope.Version, attributes(s.Scope.Tags)}, []otlpSpan{span}}},
	}
}

// hex128 is the id with 32 digits, which OTLP wants of all.
func hex128(id spandrel.TraceID) string {
	if id.High == 0 {
		return "0000000000000000" + id.String()
	}
	return id.String()
}

func attributes(tags []spandrel.Tag) []otlpAttribute {
	out := make([]otlpAttribute, len(tags))
	for i, t := range tags {
		var value map[string]any
		switch t.Value.Kind() {
		case spandrel.ValueBool:
			value = map[string]any{"boolValue": t.Value.Bool()}
		case spandrel.ValueInt:
			value = map[string]any{"intValue": strconv.FormatInt(t.Value.Int(), 10)}
		case spandrel.ValueFloat:
			value = map[string]any{"doubleValue": jsonFloat(t.Value.Float())}
		case spandrel.ValueBytes:
			value = map[string]any{"bytesValue": base64.StdEncoding.EncodeToString([]byte(t.Value.Raw()))}
		default:
			value = map[string]any{"stringValue": t.Value.Raw()}
		}
		out[i] = otlpAttribute{t.Key, value}
	}
	return out
}
