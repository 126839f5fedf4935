// Package otlp turns the bytes an OpenTelemetry sender exports into spans: the
// ExportTraceServiceRequest of OTLP, in protobuf and in JSON. It does no I/O and
// keeps no state.
//
// A span is kept as sent, attributes in their order and with their types, but
// for what neither Jaeger nor Zipkin has: schema URLs, trace flags, and the
// counts of what the sender dropped. An attribute that is an array or a map
// becomes the JSON text that Jaeger makes of it; an attribute, an event or a link
// that says nothing is none.
//
// An error means that the body is not what it claims to be, and that none of it
// can be used; its text says where, as an offset in bytes, wherever that is
// known. A [spandrel.Rejection] means that one span of a sound body makes no
// sense, and costs that span only.
//
// The input's shapes are those of opentelemetry/proto/trace/v1/trace.proto.
package otlp

import "errors"

// The reasons of a Rejection. Which field is wrong is all they say; the
// rejection's error says how.
const (
	ReasonSpan      = "invalid_span"      // JSON only: a field is not of its type
	ReasonTraceID   = "invalid_trace_id"  // missing, zero or not 16 bytes
	ReasonSpanID    = "invalid_span_id"   // missing, zero or not 8 bytes
	ReasonParentID  = "invalid_parent_id" // there, but not 8 bytes
	ReasonTimestamp = "invalid_timestamp" // of the span or an event, beyond the year 2262
	ReasonLink      = "invalid_link"      // its ids are there, but not of 16 and 8 bytes
)

// Reasons lists all reasons of rejections, for those who count them.
func Reasons() []string {
	return []string{ReasonSpan, ReasonTraceID, ReasonSpanID, ReasonParentID, ReasonTimestamp, ReasonLink}
}

const (
	// maxRejected bounds what a hostile body of tiny invalid spans can cost: a
	// body with more is malformed as a whole.
	maxRejected = 1 << 16
	// maxShared bounds how much larger spans that share a resource and a scope
	// are on their own, as stores write them, than the body. A resource of 4 kB
	// and spans of 150 bytes keep within it.
	maxShared = 32
	// maxDepth is how deep arrays and maps may be nested in an attribute.
	maxDepth = 64
)

var (
	errMissing = errors.New("is missing")
	errHex     = errors.New("is not hexadecimal")
	errLength  = errors.New("is of a wrong length")
	errZero    = errors.New("is all zeros")
	errLate    = errors.New("is after the year 2262")
)
