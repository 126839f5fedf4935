package otlp

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spandrel/spandrel"
)

// Proto reads an ExportTraceServiceRequest. A message is a sequence of fields,
// each a key (number<<3 | wire type) and a value:
//
//	ExportTraceServiceRequest  1 ResourceSpans, repeated
//	ResourceSpans  1 Resource           2 ScopeSpans, rep.
//	Resource       1 KeyValue, rep.
//	ScopeSpans     1 Scope              2 Span, rep.
//	Scope          1 name string        2 version string    3 KeyValue, rep.
//	Span           1 trace_id bytes(16) 2 span_id bytes(8)  3 trace_state string
//	               4 parent_span_id     5 name string       6 kind enum
//	               7 start fixed64 ns   8 end fixed64 ns    9 KeyValue, rep.
//	               11 Event, rep.       13 Link, rep.       15 Status
//	Event          1 time fixed64 ns    2 name string       3 KeyValue, rep.
//	Link           1 trace_id           2 span_id           3 trace_state  4 KeyValue, rep.
//	Status         2 message string     3 code enum
//	KeyValue       1 key string         2 AnyValue
//
// value.go has AnyValue. Fields that are unknown, or of another type than above,
// are skipped, as protobuf has it; strings that are not UTF-8 are mended. A kind
// or a status code that is not known is none.
//
// Strings alias body, which must not be changed while the spans are in use.
// Empty bytes are an empty request.
func (m *Decoder) Proto(body []byte) (spans []spandrel.Span, rejected []spandrel.Rejection, err error) {
	d := protoDecoder{&m.batch}
	d.begin(len(body))
	for request := (message{rest: body}); request.next(&err); {
		if request.bytesAt(1) {
			err = d.resourceSpans(&request.field)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	return d.spans, d.rejected, nil
}

// protoDecoder reads spans into its batch.
type protoDecoder struct{ *batch }

// field is a field of a message: num its number, kind its wire type, n its
// value if that is a number, b if it is bytes, which begin at the offset at.
type field struct {
	num  protowire.Number
	kind protowire.Type
	n    uint64
	b    []byte
	at   int
}

// message walks over the fields of a message.
type message struct {
	field        // the current one
	rest  []byte // after it
	at    int    // the offset of rest
}

// inside is the message that the field is.
func (f *field) inside() message { return message{rest: f.b, at: f.at} }

// next moves on to the next field, until the end or an error.
func (m *message) next(err *error) bool {
	if len(m.rest) == 0 || *err != nil {
		return false
	}
	n := m.read()
	if n < 0 {
		*err = fmt.Errorf("malformed protobuf in the field at byte %d: %w", m.at, protowire.ParseError(n))
		return false
	}
	m.rest, m.at = m.rest[n:], m.at+n
	m.field.at = m.at - len(m.b)
	return true
}

// read reads the field at the start of rest and returns its length, negative for
// one of protowire's errors.
func (m *message) read() int {
	var key, n int
	m.b = nil
	m.num, m.kind, key = protowire.ConsumeTag(m.rest)
	if key < 0 {
		return key
	}
	switch rest := m.rest[key:]; m.kind {
	case protowire.VarintType:
		m.n, n = protowire.ConsumeVarint(rest)
	case protowire.Fixed64Type:
		m.n, n = protowire.ConsumeFixed64(rest)
	case protowire.BytesType:
		m.b, n = protowire.ConsumeBytes(rest)
	default:
		n = protowire.ConsumeFieldValue(m.num, m.kind, rest)
	}
	if n < 0 {
		return n
	}
	return key + n
}

// bytesAt, fixedAt and varintAt report whether the field has the number and the
// type.
func (f *field) bytesAt(num protowire.Number) bool {
	return f.num == num && f.kind == protowire.BytesType
}

func (f *field) fixedAt(num protowire.Number) bool {
	return f.num == num && f.kind == protowire.Fixed64Type
}

func (f *field) varintAt(num protowire.Number) bool {
	return f.num == num && f.kind == protowire.VarintType
}

// text is the field's bytes as a string.
func (f *field) text() string {
	if utf8.Valid(f.b) {
		return alias(f.b)
	}
	return string(bytes.ToValidUTF8(f.b, []byte("\uFFFD")))
}

// resourceSpans reads the spans of one resource, which may come after them.
func (d *protoDecoder) resourceSpans(f *field) (err error) {
	mark := len(d.fields)
	for m := f.inside(); m.next(&err); {
		if m.bytesAt(1) {
			err = d.resource(&m.field)
		}
	}
	var all shared
	all.resource(from(d.fields, mark))
	for m := f.inside(); m.next(&err); {
		if m.bytesAt(2) {
			err = d.scopeSpans(&m.field, all)
		}
	}
	return err
}

func (d *protoDecoder) resource(f *field) (err error) {
	for m := f.inside(); m.next(&err); {
		if m.bytesAt(1) {
			d.fields, err = d.attribute(d.fields, &m.field)
		}
	}
	return err
}

// scopeSpans reads the spans of one scope, which may come after them.
func (d *protoDecoder) scopeSpans(f *field, all shared) (err error) {
	var scope spandrel.Scope
	mark := len(d.fields)
	for m := f.inside(); m.next(&err); {
		if m.bytesAt(1) {
			err = d.scope(&scope, &m.field)
		}
	}
	scope.Tags = from(d.fields, mark)
	all.scope(scope)
	for m := f.inside(); m.next(&err); {
		if m.bytesAt(2) {
			err = d.span(&m.field, &all)
		}
	}
	return err
}

func (d *protoDecoder) scope(s *spandrel.Scope, f *field) (err error) {
	for m := f.inside(); m.next(&err); {
		switch {
		case m.bytesAt(1):
			s.Name = m.text()
		case m.bytesAt(2):
			s.Version = m.text()
		case m.bytesAt(3):
			d.fields, err = d.attribute(d.fields, &m.field)
		}
	}
	return err
}

// span reads a Span, which has what all have, and adds it to the batch.
func (d *protoDecoder) span(f *field, all *shared) (err error) {
	s := sent{span: all.span}
	tags, events, links := len(d.tags), len(d.events), len(d.links)
	for m := f.inside(); m.next(&err); {
		switch m.kind {
		case protowire.BytesType:
			err = d.bytesField(&s, &m.field)
		case protowire.Fixed64Type:
			switch m.num {
			case 7:
				s.start = m.n
			case 8:
				s.end = m.n
			}
		case protowire.VarintType:
			if m.num == 6 {
				s.span.Kind = kind(m.n)
			}
		}
	}
	if err != nil {
		return err
	}
	s.span.Tags, s.span.Events, s.span.Links = from(d.tags, tags), from(d.events, events), from(d.links, links)
	return d.add(&s, all)
}

// bytesField takes a field of Span that is bytes.
func (d *protoDecoder) bytesField(s *sent, f *field) (err error) {
	switch f.num {
	case 1:
		s.traceID = f.b
	case 2:
		s.id = f.b
	case 3:
		s.span.TraceState = f.text()
	case 4:
		s.parent = f.b
	case 5:
		s.span.Name = f.text()
	case 9:
		d.tags, err = d.attribute(d.tags, f)
	case 11:
		return d.event(s, f)
	case 13:
		return d.link(s, f)
	case 15:
		return d.status(s, f)
	}
	return err
}

// kind is a SpanKind, whose numbers are those of package spandrel.
func kind(n uint64) spandrel.Kind {
	if n <= uint64(spandrel.KindConsumer) {
		return spandrel.Kind(n)
	}
	return spandrel.KindNone
}

// status is a StatusCode, whose numbers are those of package spandrel.
func status(n uint64) spandrel.Status {
	if n <= uint64(spandrel.StatusError) {
		return spandrel.Status(n)
	}
	return spandrel.StatusUnset
}

func (d *protoDecoder) status(s *sent, f *field) (err error) {
	for m := f.inside(); m.next(&err); {
		switch {
		case m.bytesAt(2):
			s.span.StatusMessage = m.text()
		case m.varintAt(3):
			s.span.Status = status(m.n)
		}
	}
	return err
}

func (d *protoDecoder) event(s *sent, f *field) (err error) {
	var e spandrel.Event
	var at uint64
	mark := len(d.fields)
	for m := f.inside(); m.next(&err); {
		switch {
		case m.fixedAt(1):
			at = m.n
		case m.bytesAt(2):
			e.Name = m.text()
		case m.bytesAt(3):
			d.fields, err = d.attribute(d.fields, &m.field)
		}
	}
	e.Fields = from(d.fields, mark)
	d.events = s.event(d.events, e, at)
	return err
}

func (d *protoDecoder) link(s *sent, f *field) (err error) {
	var l spandrel.Link
	var trace, id []byte
	mark := len(d.fields)
	for m := f.inside(); m.next(&err); {
		switch {
		case m.bytesAt(1):
			trace = m.b
		case m.bytesAt(2):
			id = m.b
		case m.bytesAt(3):
			l.TraceState = m.text()
		case m.bytesAt(4):
			d.fields, err = d.attribute(d.fields, &m.field)
		}
	}
	l.Tags = from(d.fields, mark)
	d.links = s.link(d.links, l, trace, id)
	return err
}
