package otlp

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/spandrel/spandrel"
)

const start = 1717423000_000000000

// at makes a tag of text.
func tag(key, text string) spandrel.Tag {
	return spandrel.Tag{Key: key, Value: spandrel.StringValue(text)}
}

// attribute makes a KeyValue of a string, bool, int, float64, []byte, or an
// AnyValue.
func attribute(key string, value any) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: anyValue(value)}
}

func anyValue(value any) *commonpb.AnyValue {
	switch v := value.(type) {
	case string:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: v}}
	case bool:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: v}}
	case int:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: int64(v)}}
	case float64:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: v}}
	case []byte:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: v}}
	case []any:
		list := &commonpb.ArrayValue{}
		for _, e := range v {
			list.Values = append(list.Values, anyValue(e))
		}
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: list}}
	case []*commonpb.KeyValue:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{Values: v}}}
	}
	return &commonpb.AnyValue{}
}

func bigEndian(high, low byte) []byte {
	return []byte{7: high, 15: low}
}

// fieldCases change a span of trace 1 and id 2 that has nothing else: what the
// span then is, or the reason of its rejection.
var fieldCases = []struct {
	name   string
	change func(s *tracepb.Span)
	want   func(s *spandrel.Span)
	reason string
}{
	{name: "nothing more", change: func(*tracepb.Span) {}},
	{name: "trace id of 128 bits", change: func(s *tracepb.Span) { s.TraceId = bigEndian(1, 2) }, want: func(s *spandrel.Span) { s.TraceID = spandrel.TraceID{High: 1, Low: 2} }},
	{name: "trace id empty", change: func(s *tracepb.Span) { s.TraceId = nil }, reason: ReasonTraceID},
	{name: "trace id zero", change: func(s *tracepb.Span) { s.TraceId = make([]byte, 16) }, reason: ReasonTraceID},
	{name: "trace id of 8 bytes", change: func(s *tracepb.Span) { s.TraceId = []byte("12345678") }, reason: ReasonTraceID},
	{name: "trace id of 17 bytes", change: func(s *tracepb.Span) { s.TraceId = make([]byte, 17) }, reason: ReasonTraceID},
	{name: "trace id of 1000 bytes", change: func(s *tracepb.Span) { s.TraceId = make([]byte, 1000) }, reason: ReasonTraceID},
	{name: "span id empty", change: func(s *tracepb.Span) { s.SpanId = nil }, reason: ReasonSpanID},
	{name: "span id zero", change: func(s *tracepb.Span) { s.SpanId = make([]byte, 8) }, reason: ReasonSpanID},
	{name: "span id of 4 bytes", change: func(s *tracepb.Span) { s.SpanId = []byte("1234") }, reason: ReasonSpanID},
	{name: "span id of 9 bytes", change: func(s *tracepb.Span) { s.SpanId = []byte("123456789") }, reason: ReasonSpanID},
	{name: "parent", change: func(s *tracepb.Span) { s.ParentSpanId = []byte{7: 9} }, want: func(s *spandrel.Span) { s.ParentID = 9 }},
	{name: "parent zero, as some senders say root", change: func(s *tracepb.Span) { s.ParentSpanId = make([]byte, 8) }},
	{name: "parent is the span", change: func(s *tracepb.Span) { s.ParentSpanId = []byte{7: 2} }},
	{name: "parent of 4 bytes", change: func(s *tracepb.Span) { s.ParentSpanId = []byte("1234") }, reason: ReasonParentID},

	{name: "name and tracestate", change: func(s *tracepb.Span) { s.Name, s.TraceState = "GET /Foo é", "a=b,c=d" }, want: func(s *spandrel.Span) { s.Name, s.TraceState = "GET /Foo é", "a=b,c=d" }},
	{name: "kind internal", change: func(s *tracepb.Span) { s.Kind = 1 }, want: func(s *spandrel.Span) { s.Kind = spandrel.KindInternal }},
	{name: "kind server", change: func(s *tracepb.Span) { s.Kind = 2 }, want: func(s *spandrel.Span) { s.Kind = spandrel.KindServer }},
	{name: "kind client", change: func(s *tracepb.Span) { s.Kind = 3 }, want: func(s *spandrel.Span) { s.Kind = spandrel.KindClient }},
	{name: "kind producer", change: func(s *tracepb.Span) { s.Kind = 4 }, want: func(s *spandrel.Span) { s.Kind = spandrel.KindProducer }},
	{name: "kind consumer", change: func(s *tracepb.Span) { s.Kind = 5 }, want: func(s *spandrel.Span) { s.Kind = spandrel.KindConsumer }},
	{name: "kind unknown", change: func(s *tracepb.Span) { s.Kind = 6 }},
	{name: "status ok", change: func(s *tracepb.Span) { s.Status = &tracepb.Status{Code: 1} }, want: func(s *spandrel.Span) { s.Status = spandrel.StatusOK }},
	{name: "status error", change: func(s *tracepb.Span) { s.Status = &tracepb.Status{Code: 2, Message: "no"} }, want: func(s *spandrel.Span) { s.Status, s.StatusMessage = spandrel.StatusError, "no" }},
	{name: "status unknown", change: func(s *tracepb.Span) { s.Status = &tracepb.Status{Code: 3} }},
	{name: "what nobody shows", change: func(s *tracepb.Span) {
		s.Flags, s.DroppedAttributesCount, s.DroppedEventsCount, s.DroppedLinksCount = 0x301, 1, 2, 3
	}},

	{name: "times", change: func(s *tracepb.Span) { s.StartTimeUnixNano, s.EndTimeUnixNano = start, start+7 }, want: func(s *spandrel.Span) { s.Start, s.Duration = start, 7 }},
	{name: "ends as it starts", change: func(s *tracepb.Span) { s.StartTimeUnixNano, s.EndTimeUnixNano = start, start }, want: func(s *spandrel.Span) { s.Start = start }},
	{name: "ends before it starts", change: func(s *tracepb.Span) { s.StartTimeUnixNano, s.EndTimeUnixNano = start, start-1 }, want: func(s *spandrel.Span) { s.Start = start }},
	{name: "no end", change: func(s *tracepb.Span) { s.StartTimeUnixNano = start }, want: func(s *spandrel.Span) { s.Start = start }},
	{name: "no start", change: func(s *tracepb.Span) { s.EndTimeUnixNano = start }},
	{name: "the last instant", change: func(s *tracepb.Span) { s.StartTimeUnixNano, s.EndTimeUnixNano = 1, math.MaxInt64 }, want: func(s *spandrel.Span) { s.Start, s.Duration = 1, math.MaxInt64-1 }},
	{name: "start too late", change: func(s *tracepb.Span) { s.StartTimeUnixNano = math.MaxInt64 + 1 }, reason: ReasonTimestamp},
	{name: "end too late", change: func(s *tracepb.Span) { s.StartTimeUnixNano, s.EndTimeUnixNano = start, math.MaxUint64 }, reason: ReasonTimestamp},

	{name: "attributes of all types, in order, with duplicates", change: func(s *tracepb.Span) {
		s.Attributes = []*commonpb.KeyValue{attribute("b", "text"), attribute("a", true), attribute("a", false), attribute("i", -7), attribute("f", 1.5), attribute("y", []byte{0, 255}), attribute("n", nil), {Key: "m"}, attribute("", "")}
	}, want: func(s *spandrel.Span) {
		s.Tags = []spandrel.Tag{tag("b", "text"), {Key: "a", Value: spandrel.BoolValue(true)}, {Key: "a", Value: spandrel.BoolValue(false)}, {Key: "i", Value: spandrel.IntValue(-7)}, {Key: "f", Value: spandrel.FloatValue(1.5)}, {Key: "y", Value: spandrel.BytesValue([]byte{0, 255})}, tag("n", ""), tag("m", "")}
	}},
	{name: "no number, and infinite", change: func(s *tracepb.Span) {
		s.Attributes = []*commonpb.KeyValue{attribute("a", math.NaN()), attribute("b", math.Inf(-1)), attribute("c", []any{math.NaN(), math.Inf(1), math.Inf(-1)})}
	}, want: func(s *spandrel.Span) {
		s.Tags = []spandrel.Tag{{Key: "a", Value: spandrel.FloatValue(math.NaN())}, {Key: "b", Value: spandrel.FloatValue(math.Inf(-1))}, tag("c", `["NaN","Infinity","-Infinity"]`)}
	}},
	{name: "arrays and maps as JSON", change: func(s *tracepb.Span) {
		s.Attributes = []*commonpb.KeyValue{attribute("empty", []any{}), attribute("none", []*commonpb.KeyValue{}),
			attribute("a", []any{"<x>", 1, 2.5, 1e21, true, []byte("hi"), nil, []any{"y"}}),
			attribute("m", []*commonpb.KeyValue{attribute("z", 1), attribute("b", []any{}), attribute("z", 2)})}
	}, want: func(s *spandrel.Span) {
		s.Tags = []spandrel.Tag{tag("empty", "[]"), tag("none", "{}"), tag("a", `["\u003cx\u003e",1,2.5,1e+21,true,"aGk=",null,["y"]]`), tag("m", `{"b":[],"z":2}`)}
	}},

	{name: "events in their order", change: func(s *tracepb.Span) {
		s.Events = []*tracepb.Span_Event{{TimeUnixNano: 5, Name: "b", Attributes: []*commonpb.KeyValue{attribute("k", "v")}}, {TimeUnixNano: 1, Name: "a"}, {}, {Attributes: []*commonpb.KeyValue{{}}}}
	}, want: func(s *spandrel.Span) {
		s.Events = []spandrel.Event{{Time: 5, Name: "b", Fields: []spandrel.Tag{tag("k", "v")}}, {Time: 1, Name: "a"}}
	}},
	{name: "event too late", change: func(s *tracepb.Span) { s.Events = []*tracepb.Span_Event{{TimeUnixNano: math.MaxUint64}} }, reason: ReasonTimestamp},
	{name: "links", change: func(s *tracepb.Span) {
		s.Links = []*tracepb.Span_Link{
			{TraceId: bigEndian(0, 3), SpanId: []byte{7: 4}, TraceState: "t", Attributes: []*commonpb.KeyValue{attribute("k", 1)}},
			{TraceId: bigEndian(0, 3), SpanId: []byte{7: 5}, Attributes: []*commonpb.KeyValue{attribute("opentracing.ref_type", "child_of")}},
			{TraceId: bigEndian(0, 3), SpanId: []byte{7: 6}, Attributes: []*commonpb.KeyValue{attribute("opentracing.ref_type", "follows_from")}},
			{TraceId: make([]byte, 16), SpanId: []byte{7: 1}}, {}}
	}, want: func(s *spandrel.Span) {
		s.Links = []spandrel.Link{
			{TraceID: spandrel.TraceID{Low: 3}, ID: 4, TraceState: "t", Tags: []spandrel.Tag{{Key: "k", Value: spandrel.IntValue(1)}}},
			{TraceID: spandrel.TraceID{Low: 3}, ID: 5, Type: spandrel.LinkChildOf, Tags: []spandrel.Tag{tag("opentracing.ref_type", "child_of")}},
			{TraceID: spandrel.TraceID{Low: 3}, ID: 6, Tags: []spandrel.Tag{tag("opentracing.ref_type", "follows_from")}},
			{ID: 1}}
	}},
	{name: "link with a short trace id", change: func(s *tracepb.Span) { s.Links = []*tracepb.Span_Link{{TraceId: []byte("12345678")}} }, reason: ReasonLink},
	{name: "link with a long span id", change: func(s *tracepb.Span) { s.Links = []*tracepb.Span_Link{{SpanId: []byte("123456789")}} }, reason: ReasonLink},

	{name: "endpoints", change: func(s *tracepb.Span) {
		s.Attributes = []*commonpb.KeyValue{attribute("peer.service", "Foo"), attribute("net.peer.ip", "2001:db8::1"), attribute("net.peer.port", 80), attribute("net.host.ip", "1.2.3.4"), attribute("net.host.port", 65535)}
	}, want: func(s *spandrel.Span) {
		s.Tags = []spandrel.Tag{tag("peer.service", "Foo"), tag("net.peer.ip", "2001:db8::1"), {Key: "net.peer.port", Value: spandrel.IntValue(80)}, tag("net.host.ip", "1.2.3.4"), {Key: "net.host.port", Value: spandrel.IntValue(65535)}}
		s.Local = spandrel.Endpoint{IPv4: netip.MustParseAddr("1.2.3.4"), Port: 65535}
		s.Remote = spandrel.Endpoint{Service: "Foo", IPv6: netip.MustParseAddr("2001:db8::1"), Port: 80}
	}},
	{name: "endpoints that would not be shown as they came", change: func(s *tracepb.Span) {
		s.Attributes = []*commonpb.KeyValue{attribute("peer.service", 1), attribute("net.peer.ip", "2001:DB8::1"), attribute("net.peer.port", "80"), attribute("net.host.ip", "fe80::1%eth0"), attribute("net.host.port", 65536)}
	}, want: func(s *spandrel.Span) {
		s.Tags = []spandrel.Tag{{Key: "peer.service", Value: spandrel.IntValue(1)}, tag("net.peer.ip", "2001:DB8::1"), tag("net.peer.port", "80"), tag("net.host.ip", "fe80::1%eth0"), {Key: "net.host.port", Value: spandrel.IntValue(65536)}}
	}},
}

// requestOf is a request of one resource without attributes and one scope.
func requestOf(spans ...*tracepb.Span) *tracepb.TracesData {
	return &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}}}}}
}

// minimal is the span of fieldCases, and what it decodes to.
func minimal(change func(*tracepb.Span), want func(*spandrel.Span)) (*tracepb.Span, spandrel.Span) {
	sent, is := &tracepb.Span{TraceId: bigEndian(0, 1), SpanId: []byte{7: 2}}, spandrel.Span{TraceID: spandrel.TraceID{Low: 1}, ID: 2}
	if change != nil {
		change(sent)
	}
	if want != nil {
		want(&is)
	}
	return sent, is
}

func TestFields(t *testing.T) {
	neighbour, other := minimal(func(s *tracepb.Span) { s.Name = "other" }, func(s *spandrel.Span) { s.Name = "other" })
	for _, c := range fieldCases {
		t.Run(c.name, func(t *testing.T) {
			sent, is := minimal(c.change, c.want)
			request := requestOf(neighbour, sent, neighbour)
			want, wantReasons := []spandrel.Span{other, is, other}, map[int]string{}
			if c.reason != "" {
				want, wantReasons = []spandrel.Span{other, other}, map[int]string{1: c.reason}
			}
			spans, rejected, err := new(Decoder).Proto(marshal(t, request))
			check(t, "protobuf", spans, rejected, err, want, wantReasons)
			for _, snake := range []bool{false, true} {
				spans, rejected, err = new(Decoder).JSON(otlpJSON(t, request, snake))
				check(t, "JSON", spans, rejected, err, want, wantReasons)
			}
		})
	}
}

func TestResourcesAndScopes(t *testing.T) {
	span, is := minimal(nil, nil)
	resource := func(attributes ...*commonpb.KeyValue) *resourcepb.Resource {
		return &resourcepb.Resource{Attributes: attributes}
	}
	for _, c := range []struct {
		name     string
		resource *resourcepb.Resource
		scope    *commonpb.InstrumentationScope
		want     func(s *spandrel.Span)
	}{
		{name: "neither"},
		{name: "service", resource: resource(attribute("service.name", "Foo")), want: func(s *spandrel.Span) { s.Local.Service = "Foo" }},
		{name: "service and more", resource: resource(attribute("b", 1), attribute("service.name", "Foo"), attribute("a", "x")),
			want: func(s *spandrel.Span) {
				s.Local.Service, s.Resource = "Foo", []spandrel.Tag{{Key: "b", Value: spandrel.IntValue(1)}, tag("a", "x")}
			}},
		{name: "no service", resource: resource(attribute("a", "x")), want: func(s *spandrel.Span) { s.Resource = []spandrel.Tag{tag("a", "x")} }},
		{name: "service empty", resource: resource(attribute("service.name", ""))},
		{name: "service a number", resource: resource(attribute("service.name", 7)), want: func(s *spandrel.Span) { s.Local.Service = "7" }},
		{name: "two services", resource: resource(attribute("service.name", "a"), attribute("service.name", "b")),
			want: func(s *spandrel.Span) { s.Local.Service, s.Resource = "a", []spandrel.Tag{tag("service.name", "b")} }},
		{name: "scope", scope: &commonpb.InstrumentationScope{Name: "n", Version: "1", Attributes: []*commonpb.KeyValue{attribute("k", true)}},
			want: func(s *spandrel.Span) {
				s.Scope = spandrel.Scope{Name: "n", Version: "1", Tags: []spandrel.Tag{{Key: "k", Value: spandrel.BoolValue(true)}}}
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			request := requestOf(span, span)
			request.ResourceSpans[0].Resource, request.ResourceSpans[0].ScopeSpans[0].Scope = c.resource, c.scope
			request.ResourceSpans = append(request.ResourceSpans, requestOf(span).ResourceSpans...)
			want := []spandrel.Span{is, is, is}
			if c.want != nil {
				c.want(&want[0])
				c.want(&want[1])
			}
			spans, rejected, err := new(Decoder).Proto(marshal(t, request))
			check(t, "protobuf", spans, rejected, err, want, map[int]string{})
			spans, rejected, err = new(Decoder).JSON(otlpJSON(t, request, false))
			check(t, "JSON", spans, rejected, err, want, map[int]string{})
			if len(spans) > 0 && spans[2].Service() != spandrel.MissingService {
				t.Errorf("without a resource: %s", spans[2].Service())
			}

			// Protobuf promises no order: the spans may come before what all have.
			backwards := requestOf(span, span)
			head := &tracepb.ResourceSpans{Resource: c.resource}
			scope := &tracepb.ScopeSpans{Scope: c.scope}
			body := pbytes(1, pbytes(2, string(mustMarshal(t, backwards.ResourceSpans[0].ScopeSpans[0])), string(mustMarshal(t, scope))), string(mustMarshal(t, head)))
			spans, rejected, err = new(Decoder).Proto([]byte(body))
			check(t, "protobuf backwards", spans, rejected, err, want[:2], map[int]string{})
		})
	}
}

func mustMarshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRejectionsSaySo: what they tell people has the field and the value.
func TestRejectionsSaySo(t *testing.T) {
	for _, c := range fieldCases {
		sent, _ := minimal(c.change, nil)
		_, rejected, _ := new(Decoder).Proto(marshal(t, requestOf(sent)))
		for _, r := range rejected {
			if text := fmt.Sprint(r.Err); len(text) < 15 || len(text) > 200 || !strings.Contains(text, "_") {
				t.Errorf("%s: %q", c.name, text)
			}
		}
	}
	if diff := gocmp.Diff(len(Reasons()), 6); diff != "" {
		t.Error(diff)
	}
}
