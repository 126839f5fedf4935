package zipkin

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/spandrel/spandrel"
)

// JSON reads a list of spans in Zipkin's JSON, version 2 or 1, or a
// single span without a list. Each span's version is told by its content; v1
// says which path the body came by, to settle the ambiguous: a span is version
// 1 if it has binaryAnnotations or an annotation with an endpoint, version 2 if
// it has a kind, tags, an endpoint of its own or is shared. Fields that only the
// other version has are unknown ones.
//
// The strings of the spans alias body, which must not change while they are in
// use; [spandrel.Span.Clone] makes a span independent. A body of n bytes can
// make spans of some 40 n bytes at most, Envoy's make about 1.5 n.
//
// Order of fields, white space and unknown fields do not matter. A null is the
// same as no field. Of a field given twice the last counts, but tags and
// annotations add up, as in OpenZipkin. Beyond RFC 8259 it accepts a byte order
// mark, null, true and false in any case, control characters in strings and
// invalid UTF-8, which becomes U+FFFD. Values of tags are text: numbers and
// booleans as written, null empty, lists and objects as compact JSON.
//
// A body without spans (empty, null, [], [null]) is not an error.
func (m *Decoder) JSON(body []byte, v1 bool) (spans []spandrel.Span, rejected []spandrel.Rejection, err error) {
	d := jsonDecoder{batch: &m.batch, v1: v1}
	d.src = body
	if !utf8.Valid(body) {
		d.src = bytes.ToValidUTF8(body, []byte("\uFFFD"))
	}
	if bytes.HasPrefix(d.src, []byte("\uFEFF")) {
		d.pos = len("\uFEFF")
	}
	if d.next() == 0 && d.pos == len(d.src) {
		return nil, nil, nil
	}
	d.begin(len(d.src))
	d.list()
	if d.next(); d.err == nil && d.pos < len(d.src) {
		d.fail("the end after the list of spans")
	}
	if d.err != nil {
		return nil, nil, d.err
	}
	return d.spans, d.rejected, nil
}

// jsonDecoder reads spans from its scanner into its batch.
type jsonDecoder struct {
	scanner
	*batch
	v1 bool
}

// list reads the whole body.
func (d *jsonDecoder) list() {
	switch k := d.peek(); k {
	case list:
	case object:
		d.span()
		return
	case absent:
		d.literal("null")
		return
	default:
		d.fail("a list of spans")
		return
	}
	for first := true; d.elem(&first); d.index++ {
		d.span()
	}
}

// rawSpan is a span of version 2 as sent, without its tags and annotations.
type rawSpan struct {
	traceID, id, parentID          value
	name, timestamp, duration      value
	kind, debug, shared            value
	local, remote                  rawEndpoint
	bad                            *fieldError // what is wrong with its tags or annotations
	hasTags, hasBinary, hasCallers bool        // has tags; binaryAnnotations; an annotation with an endpoint
}

// isV1 tells the span's version; v1 settles the ambiguous.
func (raw *rawSpan) isV1(v1 bool) bool {
	looksV1 := raw.hasBinary || raw.hasCallers
	looksV2 := raw.hasTags || raw.kind.kind != absent || raw.shared.kind != absent ||
		raw.local.kind != absent || raw.remote.kind != absent
	if looksV1 == looksV2 {
		return v1
	}
	return looksV1
}

// span reads one element of the list. A span of version 1 is read again as such.
func (d *jsonDecoder) span() {
	start := d.pos
	switch k := d.peek(); k {
	case object:
	case absent:
		d.literal("null")
		return
	default:
		d.skip(maxDepth)
		d.refuse(badKind(ReasonSpan, "the span", k, "an object"))
		return
	}
	var raw rawSpan
	d.reset()
	d.fields(&raw)
	if d.err != nil {
		return
	}
	d.left = len(d.src) - d.pos
	var bad *fieldError
	if raw.isV1(d.v1) {
		d.pos = start
		bad = d.spanV1()
	} else {
		bad = d.spanV2(&raw)
	}
	d.refuse(bad)
}

// refuse records what is wrong with the current element, if anything.
func (d *jsonDecoder) refuse(bad *fieldError) {
	if bad == nil || d.err != nil {
		return
	}
	if d.err = d.reject(bad); d.err != nil {
		d.pos = len(d.src)
	}
}

// fields reads the fields of an object that is a span of either version.
func (d *jsonDecoder) fields(raw *rawSpan) {
	first := true
	for key, ok := d.key(&first); ok; key, ok = d.key(&first) {
		switch key {
		case "traceId":
			raw.traceID = d.value()
		case "id":
			raw.id = d.value()
		case "parentId":
			raw.parentID = d.value()
		case "name":
			raw.name = d.value()
		case "timestamp":
			raw.timestamp = d.value()
		case "duration":
			raw.duration = d.value()
		case "kind":
			raw.kind = d.value()
		case "localEndpoint":
			raw.local = d.endpoint()
		case "remoteEndpoint":
			raw.remote = d.endpoint()
		case "annotations":
			d.annotations(raw)
		case "tags":
			d.tagsOf(raw)
		case "debug":
			raw.debug = d.value()
		case "shared":
			raw.shared = d.value()
		case "binaryAnnotations":
			raw.hasBinary = d.peek() == list
			d.skip(maxDepth)
		default:
			d.skip(maxDepth)
		}
	}
}

// endpoint reads an endpoint's fields. An empty list is how PHP spells an empty
// object, and so none.
func (d *jsonDecoder) endpoint() rawEndpoint {
	raw := rawEndpoint{kind: d.peek()}
	if raw.kind != object {
		if v := d.value(); v.text == "[]" {
			raw.kind = absent
		}
		return raw
	}
	first := true
	for key, ok := d.key(&first); ok; key, ok = d.key(&first) {
		switch key {
		case "serviceName":
			raw.service = d.value()
		case "ipv4":
			raw.ipv4 = d.value()
		case "ipv6":
			raw.ipv6 = d.value()
		case "port":
			raw.port = d.value()
		default:
			d.skip(maxDepth)
		}
	}
	return raw
}

// tagsOf reads the object of tags.
func (d *jsonDecoder) tagsOf(raw *rawSpan) {
	if k := d.peek(); k != object {
		if v := d.value(); k != absent && v.text != "[]" && raw.bad == nil {
			raw.bad = badKind(ReasonTag, "tags", k, "an object")
		}
		return
	}
	raw.hasTags = true
	first := true
	for key, ok := d.key(&first); ok; key, ok = d.key(&first) {
		d.addTag(key, d.value().text)
	}
}

// annotations reads the list of annotations.
func (d *jsonDecoder) annotations(raw *rawSpan) {
	if k := d.peek(); k != list {
		if v := d.value(); k != absent && v.text != "{}" && raw.bad == nil {
			raw.bad = badKind(ReasonAnnotation, "annotations", k, "a list")
		}
		return
	}
	for first := true; d.elem(&first); {
		switch k := d.peek(); k {
		case object:
			a, caller := d.annotation()
			raw.hasCallers = raw.hasCallers || caller == object
			event, bad := a.event()
			if bad != nil && raw.bad == nil {
				raw.bad = bad
			}
			d.eventsNow = append(d.eventsNow, event)
		case absent:
			d.literal("null")
		default:
			d.skip(maxDepth)
			if raw.bad == nil {
				raw.bad = badKind(ReasonAnnotation, "an annotation", k, "an object")
			}
		}
	}
}

// rawAnnotation is an annotation as sent.
type rawAnnotation struct{ timestamp, value value }

// annotation reads an object that is an annotation, and says what it has in the
// place of version 1's endpoint.
func (d *jsonDecoder) annotation() (a rawAnnotation, caller kind) {
	first := true
	for key, ok := d.key(&first); ok; key, ok = d.key(&first) {
		switch key {
		case "timestamp":
			a.timestamp = d.value()
		case "value":
			a.value = d.value()
		case "endpoint":
			caller = d.peek()
			d.skip(maxDepth)
		default:
			d.skip(maxDepth)
		}
	}
	return a, caller
}

var errIncomplete = &fieldError{ReasonAnnotation, errors.New("an annotation has no timestamp or no value")}

// event gives the annotation its meaning.
func (a *rawAnnotation) event() (spandrel.Event, *fieldError) {
	if a.timestamp.text == "" || a.value.kind == absent {
		return spandrel.Event{}, errIncomplete
	}
	at, ok := nanos(a.timestamp)
	if !ok {
		return spandrel.Event{}, badTime(ReasonAnnotation, "annotation timestamp", a.timestamp)
	}
	return spandrel.Event{Time: at, Name: a.value.text}, nil
}

// spanV2 gives the raw span its meaning and adds it to the batch.
func (d *jsonDecoder) spanV2(raw *rawSpan) *fieldError {
	var span spandrel.Span
	bad := raw.common(&span, false)
	if bad == nil {
		bad = raw.bad
	}
	if bad == nil {
		span.Local, bad = raw.local.endpoint("localEndpoint")
	}
	if bad == nil {
		span.Remote, bad = raw.remote.endpoint("remoteEndpoint")
	}
	if bad != nil {
		return bad
	}
	span.Kind = spanKind(raw.kind)
	setShared(&span, truth(raw.shared))
	d.finish(&span)
	return nil
}

// common sets what both versions have in the same place.
func (raw *rawSpan) common(span *spandrel.Span, v1 bool) *fieldError {
	if bad := ids(span, raw.traceID, raw.id, raw.parentID, v1); bad != nil {
		return bad
	}
	if bad := times(span, raw.timestamp, raw.duration); bad != nil {
		return bad
	}
	name, ok := scalar(raw.name)
	if !ok {
		return &fieldError{ReasonName, fmt.Errorf("name is %s, expected a string", kindNames[raw.name.kind])}
	}
	span.Name = name
	if truth(raw.debug) {
		span.Flags |= spandrel.FlagDebug
	}
	return nil
}

// setShared marks a span as one that has its caller's id, unless it is the
// caller's own.
func setShared(span *spandrel.Span, shared bool) {
	if shared && span.Kind != spandrel.KindClient {
		span.Flags |= spandrel.FlagShared
	}
}
