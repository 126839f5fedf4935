package otlp

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/collector/protobuf"
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
	for request := protobuf.Walk(body); request.Next(&err); {
		if request.IsBytes(1) {
			err = d.resourceSpans(&request.Field)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	return d.spans, d.rejected, nil
}

// protoDecoder reads spans into its batch.
type protoDecoder struct{ *batch }

// resourceSpans reads the spans of one resource, which may come after them.
func (d *protoDecoder) resourceSpans(f *protobuf.Field) (err error) {
	mark := len(d.fields)
	for m := f.Inside(); m.Next(&err); {
		if m.IsBytes(1) {
			err = d.resource(&m.Field)
		}
	}
	var all shared
	all.resource(from(d.fields, mark))
	for m := f.Inside(); m.Next(&err); {
		if m.IsBytes(2) {
			err = d.scopeSpans(&m.Field, all)
		}
	}
	return err
}

func (d *protoDecoder) resource(f *protobuf.Field) (err error) {
	for m := f.Inside(); m.Next(&err); {
		if m.IsBytes(1) {
			d.fields, err = d.attribute(d.fields, &m.Field)
		}
	}
	return err
}

// scopeSpans reads the spans of one scope, which may come after them.
func (d *protoDecoder) scopeSpans(f *protobuf.Field, all shared) (err error) {
	var scope spandrel.Scope
	mark := len(d.fields)
	for m := f.Inside(); m.Next(&err); {
		if m.IsBytes(1) {
			err = d.scope(&scope, &m.Field)
		}
	}
	scope.Tags = from(d.fields, mark)
	all.scope(scope)
	for m := f.Inside(); m.Next(&err); {
		if m.IsBytes(2) {
			err = d.span(&m.Field, &all)
		}
	}
	return err
}

func (d *protoDecoder) scope(s *spandrel.Scope, f *protobuf.Field) (err error) {
	for m := f.Inside(); m.Next(&err); {
		switch {
		case m.IsBytes(1):
			s.Name = m.Text()
		case m.IsBytes(2):
			s.Version = m.Text()
		case m.IsBytes(3):
			d.fields, err = d.attribute(d.fields, &m.Field)
		}
	}
	return err
}

// span reads a Span, which has what all have, and adds it to the batch.
func (d *protoDecoder) span(f *protobuf.Field, all *shared) (err error) {
	s := sent{span: all.span}
	tags, events, links := len(d.tags), len(d.events), len(d.links)
	for m := f.Inside(); m.Next(&err); {
		switch m.Kind {
		case protowire.BytesType:
			err = d.bytesField(&s, &m.Field)
		case protowire.Fixed64Type:
			switch m.Num {
			case 7:
				s.start = m.N
			case 8:
				s.end = m.N
			}
		case protowire.VarintType:
			if m.Num == 6 {
				s.span.Kind = kind(m.N)
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
func (d *protoDecoder) bytesField(s *sent, f *protobuf.Field) (err error) {
	switch f.Num {
	case 1:
		s.traceID = f.B
	case 2:
		s.id = f.B
	case 3:
		s.span.TraceState = f.Text()
	case 4:
		s.parent = f.B
	case 5:
		s.span.Name = f.Text()
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

func (d *protoDecoder) status(s *sent, f *protobuf.Field) (err error) {
	for m := f.Inside(); m.Next(&err); {
		switch {
		case m.IsBytes(2):
			s.span.StatusMessage = m.Text()
		case m.IsVarint(3):
			s.span.Status = status(m.N)
		}
	}
	return err
}

func (d *protoDecoder) event(s *sent, f *protobuf.Field) (err error) {
	var e spandrel.Event
	var at uint64
	mark := len(d.fields)
	for m := f.Inside(); m.Next(&err); {
		switch {
		case m.IsFixed64(1):
			at = m.N
		case m.IsBytes(2):
			e.Name = m.Text()
		case m.IsBytes(3):
			d.fields, err = d.attribute(d.fields, &m.Field)
		}
	}
	e.Fields = from(d.fields, mark)
	d.events = s.event(d.events, e, at)
	return err
}

func (d *protoDecoder) link(s *sent, f *protobuf.Field) (err error) {
	var l spandrel.Link
	var trace, id []byte
	mark := len(d.fields)
	for m := f.Inside(); m.Next(&err); {
		switch {
		case m.IsBytes(1):
			trace = m.B
		case m.IsBytes(2):
			id = m.B
		case m.IsBytes(3):
			l.TraceState = m.Text()
		case m.IsBytes(4):
			d.fields, err = d.attribute(d.fields, &m.Field)
		}
	}
	l.Tags = from(d.fields, mark)
	d.links = s.link(d.links, l, trace, id)
	return err
}
