package spandrel

import (
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Span is one timed operation of one service.
//
// Times are nanoseconds since the Unix epoch, durations nanoseconds. Tags keep
// the order and the duplicates of protocols that have them (Jaeger, OTLP); a
// decoder of a protocol whose tags are a map (Zipkin) sorts them by key, so
// that equal spans are equal values.
type Span struct {
	TraceID  TraceID
	ID       SpanID
	ParentID SpanID // 0 = root
	Kind     Kind
	Flags    Flags
	Status   Status
	Start    int64 // never 0 in a stored span, see FlagNoStart
	Duration int64 // 0 = unknown or nothing

	Name          string
	Local, Remote Endpoint
	Tags          []Tag
	Events        []Event
	Links         []Link
	Resource      []Tag // attributes of the sender besides its service name: Jaeger's process tags
	Scope         Scope
	StatusMessage string
	TraceState    string // W3C tracestate
}

// MissingService is the name under which spans without a service name are
// shown and searched, as Jaeger does.
const MissingService = "missing-service-name"

// Kind is a span's role in a call.
type Kind uint8

// The kinds; KindNone is the one of spans that did not say.
const (
	KindNone Kind = iota
	KindInternal
	KindServer
	KindClient
	KindProducer
	KindConsumer
)

var kindNames = [...]string{"", "internal", "server", "client", "producer", "consumer"}

// String is the kind in lower case as Jaeger's span.kind tag has it, "" for none.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return ""
}

// ParseKind is the inverse of String, in any case; unknown text is KindNone.
func ParseKind(s string) Kind {
	for k, name := range kindNames {
		if strings.EqualFold(s, name) {
			return Kind(k)
		}
	}
	return KindNone
}

// Flags are yes-or-no facts about a span.
type Flags uint8

const (
	// FlagShared says that the span has the id of the caller's span (Zipkin's shared).
	FlagShared Flags = 1 << iota
	// FlagDebug says that the span is kept whatever the sampling.
	FlagDebug
	// FlagNoStart says that the sender gave no start; Start is when the span arrived.
	FlagNoStart
)

// Status is an OpenTelemetry status code.
type Status uint8

// The status codes.
const (
	StatusUnset Status = iota
	StatusOK
	StatusError
)

// Endpoint is one side of a call; the zero value is an unknown one.
type Endpoint struct {
	Service    string
	IPv4, IPv6 netip.Addr // invalid = unknown
	Port       uint16     // 0 = unknown
}

// IsZero reports whether nothing is known of the endpoint.
func (e Endpoint) IsZero() bool { return e == Endpoint{} }

// IP is the endpoint's address, v6 before v4 as Jaeger prefers it.
func (e Endpoint) IP() netip.Addr {
	if e.IPv6.IsValid() {
		return e.IPv6
	}
	return e.IPv4
}

// Tag is a key with a value.
type Tag struct {
	Key   string
	Value Value
}

// Event is something that happened during the span: a Zipkin annotation (Name
// is its value), a Jaeger log (Name is its "event" field) or an OTLP event.
type Event struct {
	Time   int64
	Name   string
	Fields []Tag
}

// Link points to a span other than the parent.
type Link struct {
	TraceID    TraceID
	ID         SpanID
	Type       LinkType
	TraceState string
	Tags       []Tag
}

// LinkType tells what a Link means.
type LinkType uint8

// The link types; they are Jaeger's reference types.
const (
	LinkFollowsFrom LinkType = iota
	LinkChildOf
)

// Scope is the instrumentation library that made the span.
type Scope struct {
	Name, Version string
	Tags          []Tag
}

// ValueKind is the type of a Value.
type ValueKind uint8

// The types of a Value.
const (
	ValueString ValueKind = iota
	ValueBool
	ValueInt
	ValueFloat
	ValueBytes
)

// Value is a typed tag value; the zero Value is the empty string. It is a kind
// and raw bytes, so that stores can treat all kinds alike: a bool is one byte 0
// or 1, an int and a float are 8 bytes big-endian (two's complement, IEEE 754).
type Value struct {
	kind ValueKind
	raw  string
}

// StringValue makes a Value of text.
func StringValue(s string) Value { return Value{raw: s} }

// BytesValue makes a Value of bytes, which are copied.
func BytesValue(b []byte) Value { return Value{ValueBytes, string(b)} }

// BoolValue makes a Value of a bool.
func BoolValue(v bool) Value {
	if v {
		return Value{ValueBool, "\x01"}
	}
	return Value{ValueBool, "\x00"}
}

// IntValue makes a Value of an integer.
func IntValue(v int64) Value { return Value{ValueInt, be64(uint64(v))} }

// FloatValue makes a Value of a floating-point number.
func FloatValue(v float64) Value { return Value{ValueFloat, be64(math.Float64bits(v))} }

// RawValue rebuilds a Value from what Kind and Raw gave. Bytes that do not fit
// the kind make a ValueBytes.
func RawValue(kind ValueKind, raw string) Value {
	want := -1
	switch kind {
	case ValueString, ValueBytes:
		return Value{kind, raw}
	case ValueBool:
		want = 1
	case ValueInt, ValueFloat:
		want = 8
	}
	if len(raw) != want {
		return Value{ValueBytes, raw}
	}
	return Value{kind, raw}
}

func be64(v uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	return string(b[:])
}

// Kind is the value's type.
func (v Value) Kind() ValueKind { return v.kind }

// Raw is the value's bytes as described at Value.
func (v Value) Raw() string { return v.raw }

// Bool is the value of a ValueBool, false for other kinds.
func (v Value) Bool() bool { return v.kind == ValueBool && v.raw == "\x01" }

// Int is the value of a ValueInt, 0 for other kinds.
func (v Value) Int() int64 {
	if v.kind != ValueInt {
		return 0
	}
	return int64(binary.BigEndian.Uint64([]byte(v.raw)))
}

// Float is the value of a ValueFloat, 0 for other kinds.
func (v Value) Float() float64 {
	if v.kind != ValueFloat {
		return 0
	}
	return math.Float64frombits(binary.BigEndian.Uint64([]byte(v.raw)))
}

// String is the value as search terms are compared with it: true or false,
// decimal integers, floats in Go's shortest form, bytes in hexadecimal.
func (v Value) String() string {
	switch v.kind {
	case ValueBool:
		return strconv.FormatBool(v.Bool())
	case ValueInt:
		return strconv.FormatInt(v.Int(), 10)
	case ValueFloat:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case ValueBytes:
		const digits = "0123456789abcdef"
		var b strings.Builder
		b.Grow(2 * len(v.raw))
		for i := range len(v.raw) {
			b.WriteByte(digits[v.raw[i]>>4])
			b.WriteByte(digits[v.raw[i]&15])
		}
		return b.String()
	default:
		return v.raw
	}
}

// Service is the name the span is listed and searched under.
func (s *Span) Service() string {
	if s.Local.Service == "" {
		return MissingService
	}
	return s.Local.Service
}

// StartTime is Start as a time in UTC.
func (s *Span) StartTime() time.Time { return time.Unix(0, s.Start).UTC() }

// Tag is the value of the first tag with the key.
func (s *Span) Tag(key string) (Value, bool) {
	for i := range s.Tags {
		if s.Tags[i].Key == key {
			return s.Tags[i].Value, true
		}
	}
	return Value{}, false
}

// IsError reports whether the span failed: its status says so, or, where the
// status is unset, it has an "error" tag with any value but false (Zipkin's
// rule, except that the word false is believed).
func (s *Span) IsError() bool {
	if s.Status != StatusUnset {
		return s.Status == StatusError
	}
	v, ok := s.Tag("error")
	return ok && !v.IsFalse()
}

// IsFalse reports whether the value is the bool false or the text "false".
func (v Value) IsFalse() bool {
	return v == Value{ValueBool, "\x00"} || v == Value{ValueString, "false"}
}

// Equal reports whether both are the same span sent twice: every field is
// equal, but for the Start of spans that came without one.
func (s *Span) Equal(o *Span) bool {
	return s.TraceID == o.TraceID && s.ID == o.ID && s.ParentID == o.ParentID &&
		s.Kind == o.Kind && s.Flags == o.Flags && s.Status == o.Status &&
		(s.Start == o.Start || s.Flags&FlagNoStart != 0) && s.Duration == o.Duration &&
		s.Name == o.Name && s.Local == o.Local && s.Remote == o.Remote &&
		s.StatusMessage == o.StatusMessage && s.TraceState == o.TraceState &&
		s.Scope.Name == o.Scope.Name && s.Scope.Version == o.Scope.Version &&
		slices.Equal(s.Tags, o.Tags) && slices.Equal(s.Resource, o.Resource) &&
		slices.Equal(s.Scope.Tags, o.Scope.Tags) &&
		slices.EqualFunc(s.Events, o.Events, equalEvent) &&
		slices.EqualFunc(s.Links, o.Links, equalLink)
}

func equalEvent(a, b Event) bool {
	return a.Time == b.Time && a.Name == b.Name && slices.Equal(a.Fields, b.Fields)
}

func equalLink(a, b Link) bool {
	return a.TraceID == b.TraceID && a.ID == b.ID && a.Type == b.Type &&
		a.TraceState == b.TraceState && slices.Equal(a.Tags, b.Tags)
}

// Clone is a copy that shares no memory with s, strings included: decoders
// hand out strings that alias the request body.
func (s *Span) Clone() Span {
	c := *s
	c.Name, c.StatusMessage, c.TraceState = strings.Clone(s.Name), strings.Clone(s.StatusMessage), strings.Clone(s.TraceState)
	c.Local.Service, c.Remote.Service = strings.Clone(s.Local.Service), strings.Clone(s.Remote.Service)
	c.Scope.Name, c.Scope.Version = strings.Clone(s.Scope.Name), strings.Clone(s.Scope.Version)
	c.Tags, c.Resource, c.Scope.Tags = cloneTags(s.Tags), cloneTags(s.Resource), cloneTags(s.Scope.Tags)
	c.Events = slices.Clone(s.Events)
	for i := range c.Events {
		c.Events[i].Name = strings.Clone(c.Events[i].Name)
		c.Events[i].Fields = cloneTags(c.Events[i].Fields)
	}
	c.Links = slices.Clone(s.Links)
	for i := range c.Links {
		c.Links[i].TraceState = strings.Clone(c.Links[i].TraceState)
		c.Links[i].Tags = cloneTags(c.Links[i].Tags)
	}
	return c
}

func cloneTags(tags []Tag) []Tag {
	c := slices.Clone(tags)
	for i := range c {
		c[i].Key = strings.Clone(c[i].Key)
		c[i].Value.raw = strings.Clone(c[i].Value.raw)
	}
	return c
}
