package jaegerapi

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	model "github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/query"
)

const (
	// maxChunkSpans and maxChunkBytes bound one message; clients refuse more
	// than 4 MiB by default.
	maxChunkSpans = 100
	maxChunkBytes = 1 << 20
	// maxSpanBytes is how large one span may be, which has to fit a message.
	maxSpanBytes = 3 << 20
)

// chunkSender is what the streams of GetTrace and FindTraces have in common.
type chunkSender interface {
	Send(*api_v2.SpansResponseChunk) error
}

// sendTrace sends the spans of one trace, in chunks with no spans of others.
func sendTrace(out chunkSender, t *query.Trace) error {
	var spans []model.Span
	size := 0
	for i := range t.Spans {
		s := modelSpan(&t.Spans[i])
		n := s.Size()
		if n > maxSpanBytes {
			n = shrink(&s, n)
		}
		if len(spans) == maxChunkSpans || size+n > maxChunkBytes && len(spans) > 0 {
			if err := out.Send(&api_v2.SpansResponseChunk{Spans: spans}); err != nil {
				return err
			}
			spans, size = nil, 0
		}
		spans = append(spans, s)
		size += n
	}
	return out.Send(&api_v2.SpansResponseChunk{Spans: spans})
}

// shrink cuts what is long in a span that no client could receive, says so in
// a warning and returns the new size. It is whole over HTTP.
func shrink(s *model.Span, size int) int {
	s.Warnings = append(s.Warnings, fmt.Sprintf(
		"the span is too large for gRPC (%d bytes), long values were cut; it is whole at /api/traces/%s", size, s.TraceID))
	for limit := 64 << 10; size > maxSpanBytes && limit >= 64; limit /= 4 {
		s.OperationName = cut(s.OperationName, limit)
		cutValues(s.Tags, limit)
		cutValues(s.Process.Tags, limit)
		for i := range s.Logs {
			cutValues(s.Logs[i].Fields, limit)
		}
		size = s.Size()
	}
	for size > maxSpanBytes { // so many tags, logs or references that half of them must go
		s.Tags, s.Process.Tags = s.Tags[:len(s.Tags)/2], s.Process.Tags[:len(s.Process.Tags)/2]
		s.Logs, s.References = s.Logs[:len(s.Logs)/2], s.References[:(len(s.References)+1)/2]
		s.Warnings = s.Warnings[max(0, len(s.Warnings)-10):]
		size = s.Size()
	}
	return size
}

func cutValues(tags []model.KeyValue, limit int) {
	for i := range tags {
		t := &tags[i]
		t.Key, t.VStr = cut(t.Key, limit), cut(t.VStr, limit)
		t.VBinary = t.VBinary[:min(len(t.VBinary), limit)]
	}
}

// cut is at most limit bytes of s, and no half of a character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

func traceIDOf(id model.TraceID) spandrel.TraceID {
	return spandrel.TraceID{High: id.High, Low: id.Low}
}

// modelSpan is a span in Jaeger's protobuf, with a process of its own: Kiali
// does not look for it elsewhere.
func modelSpan(s *query.Span) model.Span {
	var tags []spandrel.Tag
	m := model.Span{
		TraceID:       modelTraceID(s.TraceID),
		SpanID:        model.SpanID(s.ViewID),
		OperationName: valid(s.Name),
		Flags:         model.Flags(flags(s.Span)),
		StartTime:     s.StartTime(),
		Duration:      time.Duration(s.Duration),
		Tags:          keyValues(appendSpanTags(tags, s.Span)),
		Process:       &model.Process{ServiceName: valid(s.Service()), Tags: keyValues(appendProcessTags(tags, s.Span))},
		Warnings:      warnings(s),
	}
	for _, r := range appendReferences(nil, s) {
		ref := model.SpanRef{TraceID: modelTraceID(r.traceID), SpanID: model.SpanID(r.spanID), RefType: model.FollowsFrom}
		if r.kind == spandrel.LinkChildOf {
			ref.RefType = model.ChildOf
		}
		m.References = append(m.References, ref)
	}
	for i := range s.Events {
		e := &s.Events[i]
		m.Logs = append(m.Logs, model.Log{Timestamp: time.Unix(0, e.Time).UTC(), Fields: keyValues(appendLogFields(tags, e))})
	}
	return m
}

func modelTraceID(id spandrel.TraceID) model.TraceID {
	return model.TraceID{High: id.High, Low: id.Low}
}

func keyValues(tags []spandrel.Tag) []model.KeyValue {
	list := make([]model.KeyValue, len(tags))
	for i, t := range tags {
		key := valid(t.Key)
		switch v := t.Value; v.Kind() {
		case spandrel.ValueBool:
			list[i] = model.Bool(key, v.Bool())
		case spandrel.ValueInt:
			list[i] = model.Int64(key, v.Int())
		case spandrel.ValueFloat:
			list[i] = model.Float64(key, v.Float())
		case spandrel.ValueBytes:
			list[i] = model.Binary(key, []byte(v.Raw()))
		default:
			list[i] = model.String(key, valid(v.Raw()))
		}
	}
	return list
}

// valid is s as protobuf wants text: UTF-8.
func valid(s string) string { return strings.ToValidUTF8(s, "\ufffd") }
