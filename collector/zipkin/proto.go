package zipkin

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/collector/protobuf"
)

// Proto reads a zipkin.proto3.ListOfSpans. A message is a sequence of
// fields, each a key (number<<3 | wire type) and a value:
//
//	ListOfSpans  1 Span, repeated
//	Span         1 trace_id bytes      2 parent_id bytes     3 id bytes
//	             4 kind enum           5 name string         6 timestamp fixed64 µs
//	             7 duration uint64 µs  8 local Endpoint      9 remote Endpoint
//	             10 Annotation, rep.   11 tags map           12 debug, 13 shared bool
//	Endpoint     1 service_name string 2 ipv4 bytes(4)       3 ipv6 bytes(16)  4 port int32
//	Annotation   1 timestamp fixed64   2 value string
//	tags entry   1 key string          2 value string
//
// Ids are big-endian, of 16 or fewer bytes for a trace and 8 for a span; longer
// ones may begin with zeros. A parent id of zeros is none. An address is told by
// its length, whichever field it is in; one of a wrong length is ignored, and so
// is a kind that is not ours. Fields that are unknown, or
// of another type than above, are skipped, as protobuf has it; strings that are
// not UTF-8 are mended.
//
// Its strings alias body as those of [Decoder.JSON] do. Empty bytes are an empty
// list. A span without bytes is rejected, and those after it are read.
func (m *Decoder) Proto(body []byte) (spans []spandrel.Span, rejected []spandrel.Rejection, err error) {
	d := protoDecoder{&m.batch}
	d.begin(len(body))
	for list := protobuf.Walk(body); list.Next(&err); {
		if f := &list.Field; f.IsBytes(1) {
			if err := d.span(f); err != nil {
				return nil, nil, err
			}
			d.index++
		}
	}
	if err != nil {
		return nil, nil, err
	}
	return d.spans, d.rejected, nil
}

// protoDecoder reads spans into its batch.
type protoDecoder struct{ *batch }

// span reads a Span and adds it to the batch.
func (d *protoDecoder) span(f *protobuf.Field) (err error) {
	var p protoSpan
	d.reset()
	for m := f.Inside(); m.Next(&err); {
		switch m.Kind {
		case protowire.BytesType:
			err = d.bytesField(&p, &m.Field)
		case protowire.Fixed64Type:
			if m.Num == 6 {
				p.timestamp = m.N
			}
		case protowire.VarintType:
			p.varintField(&m.Field)
		}
	}
	if err != nil {
		return err
	}
	d.left = d.total - f.At - len(f.B)
	if bad := p.finish(); bad != nil {
		return d.reject(bad)
	}
	d.finish(&p.span)
	return nil
}

// protoSpan is a span as far as it has been read, but for its tags and events.
type protoSpan struct {
	span                spandrel.Span // but for what follows
	traceID, id, parent []byte
	timestamp, duration uint64
	shared              bool
	bad                 *fieldError // what is wrong with an endpoint or an annotation
}

// varintField takes a field of Span that is a number.
func (p *protoSpan) varintField(f *protobuf.Field) {
	switch f.Num {
	case 4:
		p.span.Kind = protoKind(f.N)
	case 7:
		p.duration = f.N
	case 12:
		p.span.Flags &^= spandrel.FlagDebug
		if f.N != 0 {
			p.span.Flags |= spandrel.FlagDebug
		}
	case 13:
		p.shared = f.N != 0
	}
}

// bytesField takes a field of Span that is bytes.
func (d *protoDecoder) bytesField(p *protoSpan, f *protobuf.Field) error {
	switch f.Num {
	case 1:
		p.traceID = f.B
	case 2:
		p.parent = f.B
	case 3:
		p.id = f.B
	case 5:
		p.span.Name = f.Text()
	case 8:
		return p.endpoint(&p.span.Local, "local_endpoint", f)
	case 9:
		return p.endpoint(&p.span.Remote, "remote_endpoint", f)
	case 10:
		return d.annotation(p, f)
	case 11:
		return d.tag(f)
	}
	return nil
}

// protoKind is a Span.Kind of zipkin.proto.
func protoKind(n uint64) spandrel.Kind {
	kinds := [...]spandrel.Kind{1: spandrel.KindClient, 2: spandrel.KindServer, 3: spandrel.KindProducer, 4: spandrel.KindConsumer}
	if n < uint64(len(kinds)) {
		return kinds[n]
	}
	return spandrel.KindNone
}

// endpoint reads an Endpoint into e.
func (p *protoSpan) endpoint(e *spandrel.Endpoint, name string, f *protobuf.Field) (err error) {
	for m := f.Inside(); m.Next(&err); {
		switch {
		case m.IsBytes(1):
			e.Service = m.Text()
		case m.IsBytes(2), m.IsBytes(3):
			// zipkin-go sends IPv4 in 16 bytes.
			if ip, ok := netip.AddrFromSlice(m.B); ok {
				setIP(e, ip, m.Num == 2)
			}
		case m.IsVarint(4):
			port := int32(m.N)
			if port > math.MaxUint16 && p.bad == nil {
				p.bad = badValue(ReasonEndpoint, name+".port", strconv.Itoa(int(port)), errPort)
			}
			e.Port = uint16(max(port, 0))
		}
	}
	return err
}

// annotation reads an Annotation. One without anything is none.
func (d *protoDecoder) annotation(p *protoSpan, f *protobuf.Field) (err error) {
	var micros uint64
	var name string
	for m := f.Inside(); m.Next(&err); {
		switch {
		case m.IsFixed64(1):
			micros = m.N
		case m.IsBytes(2):
			name = m.Text()
		}
	}
	if err != nil || micros == 0 && name == "" {
		return err
	}
	at, ok := protoNanos(micros)
	if !ok && p.bad == nil {
		p.bad = protoTime(ReasonAnnotation, "annotation timestamp", micros)
	}
	d.eventsNow = append(d.eventsNow, spandrel.Event{Time: at, Name: name})
	return nil
}

// tag reads an entry of the tags.
func (d *protoDecoder) tag(f *protobuf.Field) (err error) {
	var key, val string
	for m := f.Inside(); m.Next(&err); {
		switch {
		case m.IsBytes(1):
			key = m.Text()
		case m.IsBytes(2):
			val = m.Text()
		}
	}
	d.addTag(key, val)
	return err
}

// finish gives the span its meaning.
func (p *protoSpan) finish() *fieldError {
	if bad := p.ids(); bad != nil {
		return bad
	}
	start, ok := protoNanos(p.timestamp)
	if !ok {
		return protoTime(ReasonTimestamp, "timestamp", p.timestamp)
	}
	length, ok := protoNanos(p.duration)
	if !ok || max(start, 0) > math.MaxInt64-max(length, 0) {
		return protoTime(ReasonDuration, "duration", p.duration)
	}
	if p.bad != nil {
		return p.bad
	}
	p.span.Start, p.span.Duration = max(start, 0), max(length, 0)
	setShared(&p.span, p.shared)
	return nil
}

// ids sets the three ids.
func (p *protoSpan) ids() *fieldError {
	if len(p.traceID) == 0 {
		return noTraceID
	}
	high, low, err := protoID(p.traceID, 16)
	p.span.TraceID = spandrel.TraceID{High: high, Low: low}
	if err == nil && p.span.TraceID.IsZero() {
		err = errZero
	}
	if err != nil {
		return badBytes(ReasonTraceID, "trace_id", p.traceID, err)
	}
	if len(p.id) == 0 {
		return noSpanID
	}
	_, id, err := protoID(p.id, 8)
	if err == nil && id == 0 {
		err = errZero
	}
	if err != nil {
		return badBytes(ReasonSpanID, "id", p.id, err)
	}
	_, parent, err := protoID(p.parent, 8)
	if err != nil {
		return badBytes(ReasonParentID, "parent_id", p.parent, err)
	}
	p.span.ID = spandrel.SpanID(id)
	if parent != id {
		p.span.ParentID = spandrel.SpanID(parent)
	}
	return nil
}

// protoID reads a big-endian number of size bytes; of longer ones the first
// must be zero.
func protoID(b []byte, size int) (high, low uint64, err error) {
	for len(b) > size && b[0] == 0 {
		b = b[1:]
	}
	if len(b) > size {
		return 0, 0, errLong
	}
	for _, c := range b {
		high, low = high<<8|low>>56, low<<8|uint64(c)
	}
	return high, low, nil
}

// badBytes is badValue of bytes.
func badBytes(reason, name string, b []byte, err error) *fieldError {
	return badValue(reason, name, fmt.Sprintf("%.40x", b), err)
}

// protoNanos is microseconds in nanoseconds. Negative ones are two's complement.
func protoNanos(micros uint64) (int64, bool) {
	n := int64(micros)
	if n > maxMicros || n < -maxMicros {
		return 0, false
	}
	return n * 1000, true
}

func protoTime(reason, name string, micros uint64) *fieldError {
	return badTime(reason, name, value{number, strconv.FormatInt(int64(micros), 10)})
}
