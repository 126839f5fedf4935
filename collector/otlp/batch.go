package otlp

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"unsafe"

	"github.com/spandrel/spandrel"
)

// Decoder decodes bodies one after another in the same memory: what it returns
// is valid until it is used again. The zero value is ready for use.
type Decoder struct{ batch }

// Bounds of what a Decoder keeps, about a MiB.
const (
	maxKeptSpans  = 512
	maxKeptTags   = 1 << 13
	maxKeptEvents = 1 << 10
)

// batch gathers the spans of one body. The tags of all spans share one array,
// and so do all other things that spans have several of. A slice is cut from it
// with its capacity limited, so that appending to it copies; where the array
// has grown since, the slice is of the old one.
type batch struct {
	spans    []spandrel.Span
	rejected []spandrel.Rejection
	index    int // of the span being decoded
	room     int // for more of what spans share

	tags   []spandrel.Tag // of spans
	fields []spandrel.Tag // of resources, scopes, events and links
	events []spandrel.Event
	links  []spandrel.Link
	raw    []byte // of integers and floats
}

// begin takes back all memory for a body of so many bytes.
func (b *batch) begin(total int) {
	b.spans, b.rejected, b.index = again(b.spans, maxKeptSpans), nil, 0
	b.room = maxShared*total + 1<<20
	b.tags, b.fields = again(b.tags, maxKeptTags), again(b.fields, maxKeptTags)
	b.events, b.links = again(b.events, maxKeptEvents), again(b.links, maxKeptEvents)
	b.raw = again(b.raw, 8*maxKeptTags)
}

// again is the array of s, empty; one of more than limit elements is not used
// again.
func again[T any](s []T, limit int) []T {
	if cap(s) > limit {
		return nil
	}
	return s[:0]
}

// from is what s has after n elements, without room to grow; nil for nothing.
func from[T any](s []T, n int) []T {
	if len(s) == n {
		return nil
	}
	return slices.Clip(s[n:])
}

// number is the value of an integer or a float, of its bits.
func (b *batch) number(kind spandrel.ValueKind, bits uint64) spandrel.Value {
	b.raw = binary.BigEndian.AppendUint64(b.raw, bits)
	return spandrel.RawValue(kind, alias(b.raw[len(b.raw)-8:]))
}

func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// fieldError is what is wrong with a field of a span: the reason of its
// rejection, and the same for people.
type fieldError struct {
	reason string
	err    error
}

// badID says of an id what is wrong.
func badID(reason, field string, id []byte, err error) *fieldError {
	return &fieldError{reason, fmt.Errorf("%s %.40x %w", field, id, err)}
}

// The errors of missing ids are values, not made anew, because a hostile body
// can have very many of them.
var (
	noTraceID = &fieldError{ReasonTraceID, fmt.Errorf("trace_id %w", errMissing)}
	noSpanID  = &fieldError{ReasonSpanID, fmt.Errorf("span_id %w", errMissing)}
)

// shared is what all spans of a resource, or of a scope in it, have.
type shared struct {
	span spandrel.Span
	size int // in bytes
}

func (s *shared) resource(tags []spandrel.Tag) {
	s.span.Local.Service, s.span.Resource = service(tags)
	s.size = len(s.span.Local.Service) + tagsSize(s.span.Resource)
}

func (s *shared) scope(scope spandrel.Scope) {
	s.span.Scope = scope
	s.size += len(scope.Name) + len(scope.Version) + tagsSize(scope.Tags)
}

func tagsSize(tags []spandrel.Tag) int {
	n := 0
	for i := range tags {
		n += len(tags[i].Key) + len(tags[i].Value.Raw())
	}
	return n
}

// sent is a span as it was sent, its fields not yet looked at.
type sent struct {
	span                spandrel.Span // but for what follows
	traceID, id, parent []byte        // big-endian
	start, end          uint64
	bad                 *fieldError // what is wrong with a link or an event
}

// add gives the span its meaning and adds it to the batch, or to the rejected.
// It fails when there are too many of those, or too much is shared.
func (b *batch) add(s *sent, all *shared) error {
	if bad := s.finish(); bad != nil {
		return b.reject(bad)
	}
	if b.room -= all.size; b.room < 0 {
		return fmt.Errorf("a resource and a scope of %d bytes are repeated in too many spans, at index %d", all.size, b.index)
	}
	b.spans = append(b.spans, s.span)
	b.index++
	return nil
}

// reject records why the current span is none of ours. It fails when there are
// too many of them.
func (b *batch) reject(bad *fieldError) error {
	b.rejected = append(b.rejected, spandrel.Rejection{Index: b.index, Reason: bad.reason, Err: bad.err})
	b.index++
	if len(b.rejected) > maxRejected {
		return fmt.Errorf("more than %d invalid spans, the first at index %d: %s", maxRejected, b.rejected[0].Index, b.rejected[0].Reason)
	}
	return nil
}

// finish checks the ids and the times. A start of 0 is unknown, and so is then
// how long the span took; one that ends before it starts took no time.
func (s *sent) finish() *fieldError {
	if bad := s.ids(); bad != nil {
		return bad
	}
	start, bad := unixNano("start_time_unix_nano", s.start)
	if bad != nil {
		return bad
	}
	end, bad := unixNano("end_time_unix_nano", s.end)
	if bad != nil {
		return bad
	}
	if s.bad != nil {
		return s.bad
	}
	s.span.Start = start
	if start != 0 {
		s.span.Duration = max(0, end-start)
	}
	endpoints(&s.span)
	return nil
}

func unixNano(field string, n uint64) (int64, *fieldError) {
	if n > math.MaxInt64 {
		return 0, &fieldError{ReasonTimestamp, fmt.Errorf("%s %d %w", field, n, errLate)}
	}
	return int64(n), nil
}

// ids sets the three ids. A parent that is missing, zero or the span itself is
// none.
func (s *sent) ids() *fieldError {
	if len(s.traceID) == 0 {
		return noTraceID
	}
	trace, ok := traceID(s.traceID)
	if err := idError(ok, trace.IsZero()); err != nil {
		return badID(ReasonTraceID, "trace_id", s.traceID, err)
	}
	if len(s.id) == 0 {
		return noSpanID
	}
	id, ok := spanID(s.id)
	if err := idError(ok, id == 0); err != nil {
		return badID(ReasonSpanID, "span_id", s.id, err)
	}
	parent, ok := spanID(s.parent)
	if !ok {
		return badID(ReasonParentID, "parent_span_id", s.parent, errLength)
	}
	s.span.TraceID, s.span.ID = trace, id
	if parent != id {
		s.span.ParentID = parent
	}
	return nil
}

func idError(ok, zero bool) error {
	switch {
	case !ok:
		return errLength
	case zero:
		return errZero
	}
	return nil
}

// traceID is zero for no bytes; other lengths than 16 are not ok.
func traceID(b []byte) (id spandrel.TraceID, ok bool) {
	if len(b) != 16 {
		return id, len(b) == 0
	}
	return spandrel.TraceID{High: binary.BigEndian.Uint64(b), Low: binary.BigEndian.Uint64(b[8:])}, true
}

// spanID is zero for no bytes; other lengths than 8 are not ok.
func spanID(b []byte) (id spandrel.SpanID, ok bool) {
	if len(b) != 8 {
		return 0, len(b) == 0
	}
	return spandrel.SpanID(binary.BigEndian.Uint64(b)), true
}

// link gives the link its ids and its type, which OpenTracing's bridge tells in
// an attribute, and adds it to the links, unless it says nothing. One to
// nothing is kept, views warn of it.
func (s *sent) link(links []spandrel.Link, l spandrel.Link, trace, id []byte) []spandrel.Link {
	var ok bool
	if l.TraceID, ok = traceID(trace); !ok && s.bad == nil {
		s.bad = badID(ReasonLink, "trace_id of a link", trace, errLength)
	}
	if l.ID, ok = spanID(id); !ok && s.bad == nil {
		s.bad = badID(ReasonLink, "span_id of a link", id, errLength)
	}
	for _, t := range l.Tags {
		if t.Key == "opentracing.ref_type" {
			if t.Value == spandrel.StringValue("child_of") {
				l.Type = spandrel.LinkChildOf
			}
			break
		}
	}
	if l.TraceID.IsZero() && l.ID == 0 && l.TraceState == "" && l.Tags == nil {
		return links
	}
	return append(links, l)
}

// event gives the event its time and adds it to the events, unless it says
// nothing.
func (s *sent) event(events []spandrel.Event, e spandrel.Event, at uint64) []spandrel.Event {
	var bad *fieldError
	if e.Time, bad = unixNano("time_unix_nano of an event", at); bad != nil && s.bad == nil {
		s.bad = bad
	}
	if at == 0 && e.Name == "" && e.Fields == nil {
		return events
	}
	return append(events, e)
}

// addTag adds an attribute to the tags, unless it says nothing.
func addTag(tags []spandrel.Tag, t spandrel.Tag) []spandrel.Tag {
	if t == (spandrel.Tag{}) {
		return tags
	}
	return append(tags, t)
}

// service takes the service's name, the first if there are several, out of a
// resource's tags.
func service(resource []spandrel.Tag) (name string, rest []spandrel.Tag) {
	for i, t := range resource {
		if t.Key == "service.name" {
			return t.Value.String(), from(slices.Delete(resource, i, i+1), 0)
		}
	}
	return "", resource
}

// endpoints fills the span's endpoints from the attributes that stand for them
// where Zipkin's spans are told in OpenTelemetry's words, which are those of
// [spandrel.Span.FieldTag]. The tags stay: a view that shows both shows them
// once. A value that would not be shown as it came is only a tag.
func endpoints(s *spandrel.Span) {
	for i := range s.Tags {
		t := &s.Tags[i]
		switch t.Key {
		case "peer.service":
			if t.Value.Kind() == spandrel.ValueString {
				s.Remote.Service = t.Value.Raw()
			}
		case "net.host.ip":
			setIP(&s.Local, t.Value)
		case "net.peer.ip":
			setIP(&s.Remote, t.Value)
		case "net.host.port":
			setPort(&s.Local, t.Value)
		case "net.peer.port":
			setPort(&s.Remote, t.Value)
		}
	}
}

func setIP(e *spandrel.Endpoint, v spandrel.Value) {
	ip, err := netip.ParseAddr(v.Raw())
	switch {
	case v.Kind() != spandrel.ValueString || err != nil || ip.Zone() != "" || ip.String() != v.Raw():
	case ip.Is4():
		e.IPv4 = ip
	default:
		e.IPv6 = ip
	}
}

func setPort(e *spandrel.Endpoint, v spandrel.Value) {
	if n := v.Int(); n > 0 && n <= math.MaxUint16 {
		e.Port = uint16(n)
	}
}
