// Package zipkin turns the bytes a Zipkin client posts into spans: JSON v2 and
// v1, and protobuf. It does no I/O and keeps no state.
//
// It takes whatever OpenZipkin's server or Jaeger's receiver takes, and what
// clients are known to get wrong where the meaning is plain. What it takes it
// keeps, in the case and spelling sent, but for unknown fields, addresses that
// are none, and the annotations of v1 that say only what a span's kind and times
// then say. A decoder tells two kinds of
// failure apart. An error means that the body is not what it claims to be, and
// that none of it can be used; its text says where, as an offset in bytes. A
// [spandrel.Rejection] means that one span of a sound body makes no sense, and
// costs that span only.
//
// The input's shapes are those of https://zipkin.io/zipkin-api/ (v1 and v2)
// and zipkin.proto. Times there are microseconds, here nanoseconds.
package zipkin

import "errors"

// The reasons of a Rejection. Which field is wrong is all they say; the
// rejection's error says how.
const (
	ReasonSpan       = "invalid_span"       // the element is no object
	ReasonTraceID    = "invalid_trace_id"   // missing, zero, too long or not hexadecimal
	ReasonSpanID     = "invalid_span_id"    // likewise
	ReasonParentID   = "invalid_parent_id"  // too long or not hexadecimal
	ReasonName       = "invalid_name"       // a list or an object
	ReasonTimestamp  = "invalid_timestamp"  // no number, or beyond the year 2262
	ReasonDuration   = "invalid_duration"   // no number, or ends beyond the year 2262
	ReasonEndpoint   = "invalid_endpoint"   // no object, or a port that cannot be
	ReasonAnnotation = "invalid_annotation" // no object, no time or no value
	ReasonTag        = "invalid_tag"        // tags are no object; a binary annotation has no key
)

// Reasons lists all reasons of rejections, for those who count them.
func Reasons() []string {
	return []string{
		ReasonSpan, ReasonTraceID, ReasonSpanID, ReasonParentID, ReasonName,
		ReasonTimestamp, ReasonDuration, ReasonEndpoint, ReasonAnnotation, ReasonTag,
	}
}

// maxRejected bounds what a hostile body of tiny invalid spans can cost: a body
// with more is malformed as a whole.
const maxRejected = 1 << 16

var (
	errMissing = errors.New("is missing")
	errHex     = errors.New("is not hexadecimal")
	errLong    = errors.New("is too long")
	errZero    = errors.New("is all zeros")
)
