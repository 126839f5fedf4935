package zipkin

import (
	"net/netip"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/collector/protobuf/prototest"
)

var pbytes, pvarint, pfixed32, pfixed64, pgroup = prototest.Bytes, prototest.Varint, prototest.Fixed32, prototest.Fixed64, prototest.Group

// minus is a negative number as protobuf writes it.
func minus(n int64) uint64 { return uint64(-n) }

const (
	zeros8 = "\x00\x00\x00\x00\x00\x00\x00\x00"
	id9    = "\x00\x00\x00\x00\x00\x00\x00\x09"
)

// protoCases are fields added to a span of trace 1 and id 2.
var protoCases = []struct {
	name, fields string
	want         func(s *spandrel.Span)
	reason       string
}{
	{name: "nothing more"},
	{name: "trace id of 16 bytes", fields: pbytes(1, "\x01\x02\x03\x04\x05\x06\x07\x08", id9),
		want: func(s *spandrel.Span) { s.TraceID = spandrel.TraceID{High: 0x0102030405060708, Low: 9} }},
	{name: "trace id of 16 bytes, 8 of them zeros in front", fields: pbytes(1, zeros8, id9), want: func(s *spandrel.Span) { s.TraceID.Low = 9 }},
	{name: "trace id of 8 bytes", fields: pbytes(1, id9), want: func(s *spandrel.Span) { s.TraceID.Low = 9 }},
	{name: "trace id of 2 bytes", fields: pbytes(1, "\x01\x02"), want: func(s *spandrel.Span) { s.TraceID.Low = 0x102 }},
	{name: "trace id of 9 bytes", fields: pbytes(1, "\x01", id9), want: func(s *spandrel.Span) { s.TraceID = spandrel.TraceID{High: 1, Low: 9} }},
	{name: "trace id of 17 bytes, the first zero", fields: pbytes(1, "\x00", zeros8, id9), want: func(s *spandrel.Span) { s.TraceID.Low = 9 }},
	{name: "trace id empty", fields: pbytes(1), reason: ReasonTraceID},
	{name: "trace id zero", fields: pbytes(1, zeros8, zeros8), reason: ReasonTraceID},
	{name: "trace id of 17 bytes", fields: pbytes(1, "\x01", zeros8, zeros8), reason: ReasonTraceID},
	{name: "trace id of 1000 bytes", fields: pbytes(1, strings.Repeat("\x01", 1000)), reason: ReasonTraceID},
	{name: "id of 8 bytes", fields: pbytes(3, id9), want: func(s *spandrel.Span) { s.ID = 9 }},
	{name: "id of 1 byte", fields: pbytes(3, "\xff"), want: func(s *spandrel.Span) { s.ID = 255 }},
	{name: "id empty", fields: pbytes(3), reason: ReasonSpanID},
	{name: "id zero", fields: pbytes(3, zeros8), reason: ReasonSpanID},
	{name: "id of 9 bytes", fields: pbytes(3, "\x01", id9), reason: ReasonSpanID},
	{name: "parent", fields: pbytes(2, id9), want: func(s *spandrel.Span) { s.ParentID = 9 }},
	{name: "parent of 8 zeros, as zipkin-go sends it for roots", fields: pbytes(2, zeros8)},
	{name: "parent empty", fields: pbytes(2)},
	{name: "parent is the span", fields: pbytes(2, "\x02")},
	{name: "parent of 9 bytes", fields: pbytes(2, "\x01", id9), reason: ReasonParentID},

	{name: "kind unspecified", fields: pvarint(4, 0)},
	{name: "kind client", fields: pvarint(4, 1), want: func(s *spandrel.Span) { s.Kind = client }},
	{name: "kind server", fields: pvarint(4, 2), want: func(s *spandrel.Span) { s.Kind = server }},
	{name: "kind producer", fields: pvarint(4, 3), want: func(s *spandrel.Span) { s.Kind = producer }},
	{name: "kind consumer", fields: pvarint(4, 4), want: func(s *spandrel.Span) { s.Kind = consumer }},
	{name: "kind unknown", fields: pvarint(4, 5)},
	{name: "kind beyond all", fields: pvarint(4, minus(1))},
	{name: "name", fields: pbytes(5, "GET /Foo"), want: func(s *spandrel.Span) { s.Name = "GET /Foo" }},
	{name: "name not UTF-8", fields: pbytes(5, "a\xffb"), want: func(s *spandrel.Span) { s.Name = "a\uFFFDb" }},
	{name: "name given twice", fields: pbytes(5, "a") + pbytes(5, "b"), want: func(s *spandrel.Span) { s.Name = "b" }},
	{name: "timestamp", fields: pfixed64(6, 1717423000100000), want: func(s *spandrel.Span) { s.Start = 1717423000100000000 }},
	{name: "timestamp zero", fields: pfixed64(6, 0)},
	{name: "timestamp negative", fields: pfixed64(6, minus(5))},
	{name: "timestamp the last", fields: pfixed64(6, maxMicros), want: func(s *spandrel.Span) { s.Start = maxMicros * 1000 }},
	{name: "timestamp too late", fields: pfixed64(6, maxMicros+1), reason: ReasonTimestamp},
	{name: "timestamp of another type is unknown", fields: pvarint(6, 5)},
	{name: "duration", fields: pvarint(7, 5), want: func(s *spandrel.Span) { s.Duration = 5000 }},
	{name: "duration zero", fields: pvarint(7, 0)},
	{name: "duration negative", fields: pvarint(7, minus(5))},
	{name: "duration too long", fields: pvarint(7, maxMicros+1), reason: ReasonDuration},
	{name: "duration that ends too late", fields: pfixed64(6, maxMicros) + pvarint(7, 1), reason: ReasonDuration},
	{name: "debug", fields: pvarint(12, 1), want: func(s *spandrel.Span) { s.Flags = spandrel.FlagDebug }},
	{name: "debug taken back", fields: pvarint(12, 1) + pvarint(12, 0)},
	{name: "debug of another number", fields: pvarint(12, 2), want: func(s *spandrel.Span) { s.Flags = spandrel.FlagDebug }},
	{name: "shared server", fields: pvarint(13, 1) + pvarint(4, 2), want: func(s *spandrel.Span) { s.Flags, s.Kind = shared, server }},
	{name: "shared client", fields: pvarint(13, 1) + pvarint(4, 1), want: func(s *spandrel.Span) { s.Kind = client }},

	{name: "endpoints", fields: pbytes(8, pbytes(1, "Foo"), pbytes(2, "\x01\x02\x03\x04"), pvarint(4, 80)) + pbytes(9, pbytes(1, "bar")),
		want: func(s *spandrel.Span) {
			s.Local = spandrel.Endpoint{Service: "Foo", IPv4: ip4, Port: 80}
			s.Remote.Service = "bar"
		}},
	{name: "endpoint empty", fields: pbytes(8) + pbytes(9)},
	{name: "endpoint in two parts", fields: pbytes(8, pbytes(1, "a")) + pbytes(8, pvarint(4, 7)), want: func(s *spandrel.Span) { s.Local = spandrel.Endpoint{Service: "a", Port: 7} }},
	{name: "address of IPv6", fields: pbytes(8, pbytes(3, "\x20\x01\x0d\xb8", zeros8, "\x00\x00\xc0\x01")),
		want: func(s *spandrel.Span) { s.Local.IPv6 = netip.MustParseAddr("2001:db8::c001") }},
	{name: "mapped address", fields: pbytes(8, pbytes(3, zeros8, "\x00\x00\xff\xff\x01\x02\x03\x04")), want: func(s *spandrel.Span) { s.Local.IPv4 = ip4 }},
	{name: "mapped address in the field of IPv4, as zipkin-go sends it", fields: pbytes(8, pbytes(2, zeros8, "\x00\x00\xff\xff\x01\x02\x03\x04")), want: func(s *spandrel.Span) { s.Local.IPv4 = ip4 }},
	{name: "loopback of IPv6", fields: pbytes(8, pbytes(3, zeros8, zeros8[:7], "\x01")), want: func(s *spandrel.Span) { s.Local.IPv6 = netip.MustParseAddr("::1") }},
	{name: "addresses of wrong lengths", fields: pbytes(8, pbytes(2, "\x01\x02\x03"), pbytes(3, zeros8), pbytes(1, "a")), want: func(s *spandrel.Span) { s.Local.Service = "a" }},
	{name: "port negative", fields: pbytes(8, pvarint(4, minus(1)))},
	{name: "port too large", fields: pbytes(8, pvarint(4, 65536)), reason: ReasonEndpoint},

	{name: "annotations in order", fields: pbytes(10, pfixed64(1, 5), pbytes(2, "b")) + pbytes(10, pbytes(2, "a"), pfixed64(1, 5)) + pbytes(10, pfixed64(1, 1), pbytes(2, "z")) + pbytes(10, pfixed64(1, 5), pbytes(2, "b")),
		want: func(s *spandrel.Span) { s.Events = events(1, "z", 5, "a", 5, "b") }},
	{name: "annotation empty", fields: pbytes(10)},
	{name: "annotation without time", fields: pbytes(10, pbytes(2, "a")), want: func(s *spandrel.Span) { s.Events = events(0, "a") }},
	{name: "annotation without value", fields: pbytes(10, pfixed64(1, 5)), want: func(s *spandrel.Span) { s.Events = events(5, "") }},
	{name: "annotation too late", fields: pbytes(10, pfixed64(1, maxMicros+1)), reason: ReasonAnnotation},
	{name: "tags in order, the last of a key", fields: pbytes(11, pbytes(1, "b"), pbytes(2, "1")) + pbytes(11, pbytes(2, "2"), pbytes(1, "a")) + pbytes(11, pbytes(1, "b"), pbytes(2, "3")),
		want: func(s *spandrel.Span) { s.Tags = tags("a", "2", "b", "3") }},
	{name: "tag without value", fields: pbytes(11, pbytes(1, "error")), want: func(s *spandrel.Span) { s.Tags = tags("error", "") }},
	{name: "tag without key", fields: pbytes(11, pbytes(2, "v")), want: func(s *spandrel.Span) { s.Tags = tags("", "v") }},
	{name: "unknown fields of all types", fields: pvarint(100, 1) + pfixed64(101, 1) + pfixed32(102, 1) + pbytes(103, "x") + pgroup(104, pvarint(1, 1)+pgroup(2, ""))},
}

func TestProtoFields(t *testing.T) {
	neighbour := pbytes(1, pbytes(1, id9), pbytes(3, id9))
	other := spandrel.Span{TraceID: spandrel.TraceID{Low: 9}, ID: 9}
	for _, c := range protoCases {
		t.Run(c.name, func(t *testing.T) {
			body := neighbour + pbytes(1, pbytes(1, "\x01"), pbytes(3, "\x02"), c.fields) + neighbour
			spans, rejected, err := new(Decoder).Proto([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			want, wantReasons := []spandrel.Span{other, minimal(c.want), other}, []string(nil)
			if c.reason != "" {
				want, wantReasons = []spandrel.Span{other, other}, []string{c.reason}
			}
			if diff := gocmp.Diff(reasons(t, rejected), wantReasons); diff != "" {
				t.Errorf("%v: reasons, got -, want +:\n%s", rejected, diff)
			}
			if len(rejected) == 1 && rejected[0].Index != 1 {
				t.Errorf("index %d, want 1", rejected[0].Index)
			}
			if diff := gocmp.Diff(spans, want, comparing); diff != "" {
				t.Errorf("got -, want +:\n%s", diff)
			}
		})
	}
}

// protoBodies are whole bodies: how many spans and rejections they have, or how
// they are malformed.
var protoBodies = []struct {
	name, body      string
	spans, rejected int
	err             string
}{
	{name: "nothing"},
	{name: "a span without bytes among others", body: pbytes(1, pbytes(1, id9), pbytes(3, id9)) + pbytes(1) + pbytes(1, pbytes(1, id9), pbytes(3, id9)), spans: 2, rejected: 1},
	{name: "no list of spans", body: pvarint(7, 1) + pbytes(2, "x")},
	{name: "bytes 1 2 3 4", body: "\x01\x02\x03\x04", err: "malformed protobuf in the field at byte 0"},
	{name: "hello", body: "hello", err: "malformed protobuf in the field at byte 2"},
	{name: "JSON", body: `[{"traceId":"1","id":"1"}]`, err: "malformed protobuf"},
	{name: "longer than it is", body: "\x0a\x42\x0a\x08" + id9[:6], err: "malformed protobuf in the field at byte 0: unexpected EOF"},
	{name: "cut within the second span", body: (pbytes(1, pbytes(1, id9), pbytes(3, id9)) + pbytes(1, pbytes(1, id9)))[:24], err: "in the field at byte 22: unexpected EOF"},
	{name: "a field of a span longer than the span", body: pbytes(1, "\x0a\x08\x01"), err: "in the field at byte 2: unexpected EOF"},
	{name: "a field of a tag longer than the tag", body: pbytes(1, pbytes(1, "\x01"), pbytes(11, "\x0a\x05ab")), err: "in the field at byte 7: unexpected EOF"},
	{name: "field number zero", body: "\x02\x00", err: "in the field at byte 0"},
	{name: "wire type 7", body: "\x0f\x00", err: "in the field at byte 0"},
	{name: "group not closed", body: "\x0b\x08\x01", err: "in the field at byte 0"},
	{name: "more invalid spans than are counted", body: strings.Repeat(pbytes(1), maxRejected+1), err: "more than 65536 invalid spans"},
}

func TestProtoBodies(t *testing.T) {
	for _, c := range protoBodies {
		t.Run(c.name, func(t *testing.T) {
			spans, rejected, err := new(Decoder).Proto([]byte(c.body))
			if len(spans) != c.spans || len(rejected) != c.rejected {
				t.Errorf("got %d spans, %v", len(spans), rejected)
			}
			if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}
