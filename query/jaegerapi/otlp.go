package jaegerapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/spandrel/spandrel"
)

// The types of this file are OTLP's trace messages in their JSON form
// (opentelemetry/proto/trace/v1/trace.proto; ids in hexadecimal, 64-bit
// numbers as text or numbers, enumerations as numbers or names).

type otlpExport struct {
	ResourceSpans []struct {
		Resource   otlpResource `json:"resource"`
		ScopeSpans []struct {
			Scope struct {
				Name, Version string
				Attributes    []otlpAttribute
			} `json:"scope"`
			Spans []otlpSpan `json:"spans"`
		} `json:"scopeSpans"`
	} `json:"resourceSpans"`
}

type otlpResource struct {
	Attributes []otlpAttribute `json:"attributes"`
}

// split takes the service name out of the attributes.
func (r otlpResource) split() (service string, rest []spandrel.Tag) {
	for _, t := range tagsOf(r.Attributes) {
		if t.Key == "service.name" && service == "" {
			service = t.Value.String()
			continue
		}
		rest = append(rest, t)
	}
	return service, rest
}

type otlpSpan struct {
	TraceID      string          `json:"traceId"`
	SpanID       string          `json:"spanId"`
	ParentSpanID string          `json:"parentSpanId"`
	TraceState   string          `json:"traceState"`
	Name         string          `json:"name"`
	Kind         otlpKind        `json:"kind"`
	Start        otlpInt         `json:"startTimeUnixNano"`
	End          otlpInt         `json:"endTimeUnixNano"`
	Attributes   []otlpAttribute `json:"attributes"`
	Events       []struct {
		Time       otlpInt `json:"timeUnixNano"`
		Name       string
		Attributes []otlpAttribute
	} `json:"events"`
	Links []struct {
		TraceID    string `json:"traceId"`
		SpanID     string `json:"spanId"`
		TraceState string `json:"traceState"`
		Attributes []otlpAttribute
	} `json:"links"`
	Status struct {
		Code    otlpStatus
		Message string
	} `json:"status"`
}

// span is the span without what its resource and scope say.
func (o *otlpSpan) span() (s spandrel.Span, err error) {
	if s.TraceID, err = spandrel.ParseTraceID(o.TraceID); err != nil {
		return s, err
	}
	if s.ID, err = spandrel.ParseSpanID(o.SpanID); err != nil {
		return s, err
	}
	if strings.Trim(o.ParentSpanID, "0") != "" {
		if s.ParentID, err = spandrel.ParseSpanID(o.ParentSpanID); err != nil {
			return s, err
		}
	}
	s.Name, s.TraceState, s.Kind = o.Name, o.TraceState, spandrel.Kind(o.Kind)
	s.Status, s.StatusMessage = spandrel.Status(o.Status.Code), o.Status.Message
	s.Start, s.Duration = int64(o.Start), max(0, int64(o.End-o.Start))
	s.Tags = tagsOf(o.Attributes)
	for _, e := range o.Events {
		s.Events = append(s.Events, spandrel.Event{Time: int64(e.Time), Name: e.Name, Fields: tagsOf(e.Attributes)})
	}
	for _, l := range o.Links {
		link := spandrel.Link{TraceState: l.TraceState, Tags: tagsOf(l.Attributes)}
		if link.TraceID, err = spandrel.ParseTraceID(l.TraceID); err != nil {
			return s, fmt.Errorf("link: %w", err)
		}
		if link.ID, err = spandrel.ParseSpanID(l.SpanID); err != nil {
			return s, fmt.Errorf("link: %w", err)
		}
		for _, t := range link.Tags {
			if t.Key == "opentracing.ref_type" && t.Value.String() == "child_of" {
				link.Type = spandrel.LinkChildOf
			}
		}
		s.Links = append(s.Links, link)
	}
	return s, nil
}

type otlpAttribute struct {
	Key   string    `json:"key"`
	Value otlpValue `json:"value"`
}

func tagsOf(attributes []otlpAttribute) []spandrel.Tag {
	tags := make([]spandrel.Tag, len(attributes))
	for i, a := range attributes {
		tags[i] = spandrel.Tag{Key: a.Key, Value: a.Value.value()}
	}
	return tags
}

// otlpValue has at most one of its fields; none is an empty value.
type otlpValue struct {
	String *string    `json:"stringValue"`
	Bool   *bool      `json:"boolValue"`
	Int    *otlpInt   `json:"intValue"`
	Double *otlpFloat `json:"doubleValue"`
	Bytes  *[]byte    `json:"bytesValue"`
	Array  *struct {
		Values []otlpValue `json:"values"`
	} `json:"arrayValue"`
	Map *struct {
		Values []otlpAttribute `json:"values"`
	} `json:"kvlistValue"`
}

// value is the value as a tag has it: lists and maps become JSON text.
func (v *otlpValue) value() spandrel.Value {
	switch {
	case v.String != nil:
		return spandrel.StringValue(*v.String)
	case v.Bool != nil:
		return spandrel.BoolValue(*v.Bool)
	case v.Int != nil:
		return spandrel.IntValue(int64(*v.Int))
	case v.Double != nil:
		return spandrel.FloatValue(float64(*v.Double))
	case v.Bytes != nil:
		return spandrel.BytesValue(*v.Bytes)
	case v.Array != nil, v.Map != nil:
		text, err := json.Marshal(v.plain())
		if err != nil {
			panic(err) // plain has nothing that cannot be written
		}
		return spandrel.StringValue(string(text))
	}
	return spandrel.Value{}
}

// plain is the value as encoding/json likes it.
func (v *otlpValue) plain() any {
	switch {
	case v.Array != nil:
		list := make([]any, len(v.Array.Values))
		for i := range list {
			list[i] = v.Array.Values[i].plain()
		}
		return list
	case v.Map != nil:
		object := make(map[string]any, len(v.Map.Values))
		for _, a := range v.Map.Values {
			object[a.Key] = a.Value.plain()
		}
		return object
	case v.Int != nil:
		return int64(*v.Int)
	case v.Double != nil:
		return json.RawMessage(appendFloat(nil, float64(*v.Double)))
	case v.Bool != nil:
		return *v.Bool
	case v.Bytes != nil:
		return base64.StdEncoding.EncodeToString(*v.Bytes)
	case v.String != nil:
		return *v.String
	}
	return nil
}

// otlpInt is a 64-bit integer as text or as a number.
type otlpInt int64

func (n *otlpInt) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	v, err := strconv.ParseInt(strings.Trim(string(b), `"`), 10, 64)
	*n = otlpInt(v)
	return err
}

// otlpFloat is a number, or one of the texts NaN, Infinity and -Infinity.
type otlpFloat float64

func (f *otlpFloat) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	*f = otlpFloat(v)
	return err
}

// otlpKind is a spandrel.Kind, which has OTLP's numbers.
type otlpKind uint8

func (k *otlpKind) UnmarshalJSON(b []byte) error {
	name := strings.Trim(string(b), `"`)
	if n, err := strconv.ParseUint(name, 10, 8); err == nil {
		*k = otlpKind(n) // unknown ones have no name and are not shown
		return nil
	}
	*k = otlpKind(spandrel.ParseKind(strings.TrimPrefix(name, "SPAN_KIND_")))
	return nil
}

// otlpStatus is a spandrel.Status, which has OTLP's numbers.
type otlpStatus uint8

func (s *otlpStatus) UnmarshalJSON(b []byte) error {
	switch strings.Trim(string(b), `"`) {
	case "1", "STATUS_CODE_OK":
		*s = otlpStatus(spandrel.StatusOK)
	case "2", "STATUS_CODE_ERROR":
		*s = otlpStatus(spandrel.StatusError)
	}
	return nil
}
