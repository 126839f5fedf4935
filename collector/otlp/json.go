package otlp

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spandrel/spandrel"
)

// JSON reads an ExportTraceServiceRequest in OTLP's JSON, which is protobuf's
// but for ids in hexadecimal. It takes keys in lowerCamelCase and snake_case, in
// any case; 64-bit numbers as text or numbers; enumerations as numbers or names.
// Unknown keys are skipped, and null is as good as nothing.
//
// Senders in a hurry use [Decoder.Proto]; this one is the standard library's
// decoder and allocates.
func (d *Decoder) JSON(body []byte) (spans []spandrel.Span, rejected []spandrel.Rejection, err error) {
	d.begin(len(body))
	body, err = prepare(body)
	if err != nil {
		return nil, nil, err
	}
	var request jsonRequest
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, nil, malformed(err)
	}
	for i := range request.ResourceSpans {
		if err := d.jsonResourceSpans(&request.ResourceSpans[i]); err != nil {
			return nil, nil, err
		}
	}
	return d.spans, d.rejected, nil
}

// malformed says where the JSON is wrong.
func malformed(err error) error {
	var syntax *json.SyntaxError
	var mistyped *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("malformed JSON at byte %d: %w", syntax.Offset, err)
	case errors.As(err, &mistyped):
		return fmt.Errorf("malformed request at byte %d: %w", mistyped.Offset, err)
	}
	return fmt.Errorf("malformed request: %w", err)
}

// maxJSONDepth is the depth of an attribute's value, and of the objects and
// arrays that maxDepth maps make: {"kvlistValue":{"values":[{"value": each.
const maxJSONDepth = 16 + 4*maxDepth

// prepare is the body with keys in one spelling: as encoding/json tells no case,
// a key without its underscores will do. Spaces in their place keep all offsets.
// It fails if the body is nested too deep.
func prepare(body []byte) ([]byte, error) {
	out, depth := body, 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '{', '[':
			if depth++; depth > maxJSONDepth {
				return nil, fmt.Errorf("more than %d objects and arrays in each other at byte %d", maxJSONDepth, i)
			}
		case '}', ']':
			depth--
		case '"':
			end := i + 1 + stringEnd(body[i+1:])
			if text := body[i:end]; isKey(body[end:]) && bytes.IndexByte(text, '_') >= 0 {
				if &out[0] == &body[0] {
					out = bytes.Clone(body)
				}
				short := bytes.ReplaceAll(text, []byte("_"), nil)
				copy(out[i:], short)
				copy(out[i+len(short):end], bytes.Repeat([]byte(" "), len(text)-len(short)))
			}
			i = end - 1
		}
	}
	return out, nil
}

// stringEnd is the index after the quote that ends a string of JSON.
func stringEnd(b []byte) int {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(b)
}

// isKey reports whether what follows a string says that it is a key.
func isKey(after []byte) bool {
	after = bytes.TrimLeft(after, " \t\r\n")
	return len(after) > 0 && after[0] == ':'
}

// The messages in JSON. Spans are decoded one by one, so that one that makes no
// sense costs no other, and too many of them no memory.
type (
	jsonRequest struct {
		ResourceSpans []jsonResourceSpans
	}
	jsonResourceSpans struct {
		Resource   struct{ Attributes []jsonAttribute }
		ScopeSpans []jsonScopeSpans
	}
	jsonScopeSpans struct {
		Scope struct {
			Name, Version string
			Attributes    []jsonAttribute
		}
		Spans json.RawMessage // a list
	}
	jsonSpan struct {
		TraceID, SpanID, ParentSpanID      string
		TraceState, Name                   string
		Kind                               jsonEnum
		StartTimeUnixNano, EndTimeUnixNano jsonUint
		Attributes                         []jsonAttribute
		Events                             []jsonEvent
		Links                              []jsonLink
		Status                             struct {
			Code    jsonEnum
			Message string
		}
	}
	jsonEvent struct {
		TimeUnixNano jsonUint
		Name         string
		Attributes   []jsonAttribute
	}
	jsonLink struct {
		TraceID, SpanID, TraceState string
		Attributes                  []jsonAttribute
	}
	jsonAttribute struct {
		Key   string
		Value *jsonValue
	}
	// jsonValue has at most one of its fields.
	jsonValue struct {
		StringValue *string
		BoolValue   *bool
		IntValue    *jsonInt
		DoubleValue *jsonFloat
		BytesValue  *jsonBytes
		ArrayValue  *struct{ Values []*jsonValue }
		KvlistValue *struct{ Values []jsonAttribute }
	}
)

func (d *Decoder) jsonResourceSpans(r *jsonResourceSpans) error {
	var resource shared
	resource.resource(jsonTags(r.Resource.Attributes))
	for i := range r.ScopeSpans {
		s, all := &r.ScopeSpans[i], resource
		all.scope(spandrel.Scope{Name: s.Scope.Name, Version: s.Scope.Version, Tags: jsonTags(s.Scope.Attributes)})
		if err := d.jsonSpans(s.Spans, &all); err != nil {
			return err
		}
	}
	return nil
}

// jsonSpans adds the spans of the list, which have what all have.
func (d *Decoder) jsonSpans(list json.RawMessage, all *shared) error {
	if len(list) == 0 || string(list) == "null" {
		return nil
	}
	spans := json.NewDecoder(bytes.NewReader(list))
	if begin, _ := spans.Token(); begin != json.Delim('[') {
		return fmt.Errorf("malformed request: spans are no list but %.40q", list)
	}
	for next := new(jsonSpan); spans.More(); *next = (jsonSpan{}) {
		if err := spans.Decode(next); err != nil {
			if err := d.reject(&fieldError{ReasonSpan, err}); err != nil {
				return err
			}
		} else if err := d.jsonSpan(next, all); err != nil {
			return err
		}
	}
	return nil
}

// jsonSpan adds a span.
func (d *Decoder) jsonSpan(j *jsonSpan, all *shared) error {
	s := sent{span: all.span, start: uint64(j.StartTimeUnixNano), end: uint64(j.EndTimeUnixNano)}
	s.span.Name, s.span.TraceState = j.Name, j.TraceState
	s.span.Kind, s.span.Status, s.span.StatusMessage = j.Kind.kind(), j.Status.Code.status(), j.Status.Message
	s.span.Tags = jsonTags(j.Attributes)
	for i := range j.Events {
		e := &j.Events[i]
		s.span.Events = s.event(s.span.Events, spandrel.Event{Name: e.Name, Fields: jsonTags(e.Attributes)}, uint64(e.TimeUnixNano))
	}
	var bad *fieldError
	for i := range j.Links {
		l := &j.Links[i]
		link := spandrel.Link{TraceState: l.TraceState, Tags: jsonTags(l.Attributes)}
		trace, id := unhex(ReasonLink, "trace_id of a link", l.TraceID, &bad), unhex(ReasonLink, "span_id of a link", l.SpanID, &bad)
		s.span.Links = s.link(s.span.Links, link, trace, id)
	}
	s.traceID = unhex(ReasonTraceID, "trace_id", j.TraceID, &bad)
	s.id = unhex(ReasonSpanID, "span_id", j.SpanID, &bad)
	s.parent = unhex(ReasonParentID, "parent_span_id", j.ParentSpanID, &bad)
	if bad != nil {
		return d.reject(bad)
	}
	return d.add(&s, all)
}

// unhex is the bytes of an id. If it is not hexadecimal, bad says so.
func unhex(reason, field, id string, bad **fieldError) []byte {
	b, err := hex.DecodeString(id)
	if err != nil && *bad == nil {
		cause := errHex
		if errors.Is(err, hex.ErrLength) {
			cause = errLength
		}
		*bad = &fieldError{reason, fmt.Errorf("%s %.40q %w", field, id, cause)}
	}
	return b
}

func jsonTags(attributes []jsonAttribute) []spandrel.Tag {
	var tags []spandrel.Tag
	for _, a := range attributes {
		tags = addTag(tags, spandrel.Tag{Key: a.Key, Value: a.Value.value()})
	}
	return tags
}

// value is the value as a tag has it.
func (v *jsonValue) value() spandrel.Value {
	switch {
	case v == nil:
		return spandrel.Value{}
	case v.StringValue != nil:
		return spandrel.StringValue(*v.StringValue)
	case v.BoolValue != nil:
		return spandrel.BoolValue(*v.BoolValue)
	case v.IntValue != nil:
		return spandrel.IntValue(int64(*v.IntValue))
	case v.DoubleValue != nil:
		return spandrel.FloatValue(float64(*v.DoubleValue))
	case v.BytesValue != nil:
		return spandrel.BytesValue(*v.BytesValue)
	case v.ArrayValue != nil, v.KvlistValue != nil:
		return jsonText(v.plain())
	}
	return spandrel.Value{}
}

// plain is the value within an array or a map, as encoding/json knows it.
func (v *jsonValue) plain() any {
	switch {
	case v == nil:
		return nil
	case v.StringValue != nil:
		return *v.StringValue
	case v.BoolValue != nil:
		return *v.BoolValue
	case v.IntValue != nil:
		return int64(*v.IntValue)
	case v.DoubleValue != nil:
		return plainFloat(float64(*v.DoubleValue))
	case v.BytesValue != nil:
		return []byte(*v.BytesValue)
	case v.ArrayValue != nil:
		array := make([]any, len(v.ArrayValue.Values))
		for i, e := range v.ArrayValue.Values {
			array[i] = e.plain()
		}
		return array
	case v.KvlistValue != nil:
		object := make(map[string]any, len(v.KvlistValue.Values))
		for _, a := range v.KvlistValue.Values {
			object[a.Key] = a.Value.plain()
		}
		return object
	}
	return nil
}
