package otlp

import (
	"strings"
	"testing"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/collector/protobuf/prototest"
)

var pbytes, pvarint, pfixed32, pfixed64, pgroup = prototest.Bytes, prototest.Varint, prototest.Fixed32, prototest.Fixed64, prototest.Group

const (
	zeros8 = "\x00\x00\x00\x00\x00\x00\x00\x00"
	id9    = "\x00\x00\x00\x00\x00\x00\x00\x09"
)

// pspan is a request of one span with these fields besides its ids.
func pspan(fields ...string) string {
	return pbytes(1, pbytes(2, pbytes(2, pbytes(1, zeros8, id9), pbytes(2, id9), strings.Join(fields, ""))))
}

// sharing is a request of spans of a resource with an attribute of size bytes.
func sharing(size, spans int) string {
	return pbytes(1, pbytes(1, pbytes(1, pbytes(1, strings.Repeat("x", size)))),
		pbytes(2, strings.Repeat(pbytes(2, pbytes(1, zeros8, id9), pbytes(2, id9)), spans)))
}

// nested is an attribute of so many arrays in each other.
func nested(depth int) string {
	value := ""
	for range depth {
		value = pbytes(5, pbytes(1, value))
	}
	return pbytes(9, pbytes(1, "k"), pbytes(2, value))
}

// nestedJSON likewise.
func nestedJSON(depth int) string {
	return `{"key":"k","value":` + strings.Repeat(`{"arrayValue":{"values":[`, depth) + strings.Repeat(`]}}`, depth) + `}`
}

// body is a whole body: how many spans and rejections it has, or how it is
// malformed.
type body struct {
	name, body      string
	spans, rejected int
	err             string
}

var protoBodies = []body{
	{name: "nothing"},
	{name: "a resource without spans", body: pbytes(1)},
	{name: "no request", body: pvarint(7, 1) + pbytes(2, "x")},
	{name: "a span without bytes among others", body: pspan() + pbytes(1, pbytes(2, pbytes(2))) + pspan(), spans: 2, rejected: 1},
	{name: "unknown fields of all types", body: pspan(pvarint(100, 1), pfixed64(101, 1), pfixed32(102, 1), pbytes(103, "x"), pgroup(104, pvarint(1, 1)+pgroup(2, ""))), spans: 1},
	{name: "fields of another type are unknown", body: pspan(pvarint(7, 1), pbytes(6, "x"), pfixed64(5, 1), pvarint(9, 1), pvarint(11, 1), pfixed32(15, 1)), spans: 1},
	{name: "bytes 1 2 3 4", body: "\x01\x02\x03\x04", err: "malformed protobuf in the field at byte 0"},
	{name: "hello", body: "hello", err: "malformed protobuf in the field at byte 2"},
	{name: "JSON", body: `{"resourceSpans":[]}`, err: "malformed protobuf"},
	{name: "longer than it is", body: "\x0a\x42\x12\x08", err: "in the field at byte 0: unexpected EOF"},
	{name: "cut within the second span", body: (pspan() + pspan())[:40], err: "in the field at byte 34: unexpected EOF"},
	{name: "a scope longer than its resource", body: pbytes(1, "\x12\x08\x01"), err: "in the field at byte 2: unexpected EOF"},
	{name: "an attribute longer than its span", body: pspan(pbytes(9, "\x0a\x05ab")), err: "in the field at byte 36: unexpected EOF"},
	{name: "an event longer than its span", body: pspan(pbytes(11, "\x12\x05ab")), err: "in the field at byte 36: unexpected EOF"},
	{name: "a link longer than its span", body: pspan(pbytes(13, "\x0a\x05ab")), err: "in the field at byte 36: unexpected EOF"},
	{name: "a value in an array longer than it", body: pspan(pbytes(9, pbytes(2, pbytes(5, "\x0a\x05ab")))), err: "in the field at byte 40: unexpected EOF"},
	{name: "a map longer than its value", body: pspan(pbytes(9, pbytes(2, pbytes(6, pbytes(1, "\x0a\x05ab"))))), err: "in the field at byte 42: unexpected EOF"},
	{name: "field number zero", body: "\x02\x00", err: "in the field at byte 0"},
	{name: "wire type 7", body: "\x0f\x00", err: "in the field at byte 0"},
	{name: "group not closed", body: "\x0b\x08\x01", err: "in the field at byte 0"},
	{name: "nested as deep as may be", body: pspan(nested(maxDepth)), spans: 1},
	{name: "nested deeper", body: pspan(nested(maxDepth + 1)), err: "more than 64 arrays and maps in each other at byte"},
	{name: "nested beyond all", body: pspan(nested(10_000)), err: "more than 64 arrays and maps in each other at byte"},
	{name: "a large resource of many spans", body: sharing(1<<14, 100), spans: 100},
	{name: "a larger resource of more spans than stores could write", body: sharing(1<<16, 1<<12), err: "a resource and a scope of 65536 bytes are repeated in too many spans, at index"},
	{name: "more invalid spans than are counted", body: pbytes(1, pbytes(2, strings.Repeat(pbytes(2), maxRejected+1))), err: "more than 65536 invalid spans"},
}

// with is a request in JSON of one span with these fields besides its ids.
func with(fields string) string {
	return `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00000000000000000000000000000009","spanId":"0000000000000009"` + fields + `}]}]}]}`
}

var jsonBodies = []body{
	{name: "empty object", body: `{}`},
	{name: "null", body: `null`},
	{name: "null wherever it may be", body: `{"resourceSpans":[null,{"resource":null,"scopeSpans":null},{"resource":{"attributes":[null]},"scopeSpans":[null,{"scope":null,"spans":null}]}]}`},
	{name: "one", body: with(""), spans: 1},
	{name: "null in a span", body: with(`,"parentSpanId":null,"traceState":null,"name":null,"kind":null,"startTimeUnixNano":null,"endTimeUnixNano":null,"attributes":null,"events":null,"links":null,"status":null`), spans: 1},
	{name: "null in what a span has", body: with(`,"status":{"code":null,"message":null},"events":[null,{"timeUnixNano":null,"name":null}],"links":[null],"attributes":[null,{"key":null,"value":null},{"value":{"intValue":null,"bytesValue":null,"arrayValue":null}},{"value":{"kvlistValue":{"values":null}}}]`), spans: 1},
	{name: "unknown keys", body: strings.Replace(with(`,"x":{"y":[1,"2",null]}`), `{"resource`, `{"z":1,"resource`, 1), spans: 1},
	{name: "a span that is null", body: strings.Replace(with(``), `"spans":[`, `"spans":[null,`, 1), spans: 1, rejected: 1},
	{name: "a span that is text", body: strings.Replace(with(``), `"spans":[`, `"spans":["x",`, 1), spans: 1, rejected: 1},
	{name: "a name that is a number", body: with(`,"name":1`), rejected: 1},
	{name: "an id that is a number", body: with(`,"parentSpanId":1`), rejected: 1},
	{name: "an id that is not hexadecimal", body: with(`,"parentSpanId":"000000000000000x"`), rejected: 1},
	{name: "an id in base64", body: with(`,"spanId":"AAAAAAAAAAk="`), rejected: 1},
	{name: "an id of a link that is not hexadecimal", body: with(`,"links":[{"spanId":"x"}]`), rejected: 1},
	{name: "an id in upper case", body: with(`,"parentSpanId":"000000000000ABCD"`), spans: 1},
	{name: "a negative time", body: with(`,"startTimeUnixNano":-1`), rejected: 1},
	{name: "a time that is text", body: with(`,"startTimeUnixNano":"x"`), rejected: 1},
	{name: "an integer too large", body: with(`,"attributes":[{"key":"k","value":{"intValue":"9223372036854775808"}}]`), rejected: 1},
	{name: "bytes that are not base64", body: with(`,"attributes":[{"key":"k","value":{"bytesValue":"!"}}]`), rejected: 1},
	{name: "nothing at all", body: ``, err: "malformed JSON at byte 0"},
	{name: "a list", body: `[]`, err: "malformed request at byte 1"},
	{name: "protobuf", body: pspan(), err: "malformed JSON at byte"},
	{name: "cut off", body: with(``)[:50], err: "malformed JSON at byte 50"},
	{name: "cut off in a string", body: `{"resourceSpans\`, err: "malformed JSON at byte 16"},
	{name: "more behind it", body: with(``) + "{}", err: "malformed JSON at byte"},
	{name: "a comma too many", body: `{"resourceSpans":[],}`, err: "malformed JSON at byte 21"},
	{name: "a comma too many after a key in snake_case", body: `{"resource_spans":[],}`, err: "malformed JSON at byte 22"},
	{name: "resources that are text", body: `{"resourceSpans":"x"}`, err: "malformed request at byte"},
	{name: "spans that are text", body: `{"resourceSpans":[{"scopeSpans":[{"spans":"x"}]}]}`, err: `spans are no list but "\"x\""`},
	{name: "a resource with a bad attribute", body: `{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":{"intValue":"x"}}]}}]}`, err: "malformed request"},
	{name: "nested as deep as may be", body: with(`,"attributes":[` + nestedJSON(maxDepth) + `]`), spans: 1},
	{name: "nested beyond all", body: with(`,"attributes":[` + nestedJSON(10_000) + `]`), err: "objects and arrays in each other at byte"},
	{name: "a larger scope of more spans than stores could write", body: strings.Replace(strings.Replace(with(``), `"spans":[`, `"spans":[`+strings.Repeat(`{"traceId":"00000000000000000000000000000009","spanId":"0000000000000009"},`, 1<<12), 1), `"spans"`, `"scope":{"name":"`+strings.Repeat("x", 1<<16)+`"},"spans"`, 1), err: "are repeated in too many spans"},
	{name: "more invalid spans than are counted", body: strings.Replace(with(``), `"spans":[`, `"spans":[`+strings.Repeat("0,", maxRejected+1), 1), err: "more than 65536 invalid spans"},
}

func TestProtoBodies(t *testing.T) { checkBodies(t, protoBodies, new(Decoder).Proto) }
func TestJSONBodies(t *testing.T)  { checkBodies(t, jsonBodies, new(Decoder).JSON) }

func checkBodies(t *testing.T, bodies []body, decode func([]byte) ([]spandrel.Span, []spandrel.Rejection, error)) {
	for _, c := range bodies {
		t.Run(c.name, func(t *testing.T) {
			spans, rejected, err := decode([]byte(c.body))
			if len(spans) != c.spans || len(rejected) != c.rejected {
				t.Errorf("got %d spans, %v", len(spans), rejected)
			}
			if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			checkSpans(t, spans, rejected)
		})
	}
}

// TestJSONSpellings: what other forms of JSON mean.
func TestJSONSpellings(t *testing.T) {
	span := func(change func(*spandrel.Span)) spandrel.Span {
		s := spandrel.Span{TraceID: spandrel.TraceID{Low: 9}, ID: 9}
		change(&s)
		return s
	}
	for _, c := range []struct {
		name, fields string
		want         spandrel.Span
	}{
		{"times as numbers", `"startTimeUnixNano":1717423000000000001,"endTimeUnixNano":1717423000000000003`, span(func(s *spandrel.Span) { s.Start, s.Duration = 1717423000000000001, 2 })},
		{"times as text", `"startTimeUnixNano":"1717423000000000001","endTimeUnixNano":"1717423000000000003"`, span(func(s *spandrel.Span) { s.Start, s.Duration = 1717423000000000001, 2 })},
		{"snake_case", `"start_time_unix_nano" : 5, "parent_span_id":"0000000000000003"`, span(func(s *spandrel.Span) { s.Start, s.ParentID = 5, 3 })},
		{"enumerations as names", `"kind":"SPAN_KIND_SERVER","status":{"code":"STATUS_CODE_ERROR"}`, span(func(s *spandrel.Span) { s.Kind, s.Status = spandrel.KindServer, spandrel.StatusError })},
		{"enumerations as unknown names", `"kind":"SPAN_KIND_X","status":{"code":"STATUS_CODE_X"}`, span(func(*spandrel.Span) {})},
		{"an integer as a number", `"attributes":[{"key":"a_b","value":{"intValue":-5}}]`, span(func(s *spandrel.Span) { s.Tags = []spandrel.Tag{{Key: "a_b", Value: spandrel.IntValue(-5)}} })},
		{"a float as text", `"attributes":[{"key":"k","value":{"double_value":"1.5"}}]`, span(func(s *spandrel.Span) { s.Tags = []spandrel.Tag{{Key: "k", Value: spandrel.FloatValue(1.5)}} })},
		{"a float that is whole", `"attributes":[{"key":"k","value":{"doubleValue":2}}]`, span(func(s *spandrel.Span) { s.Tags = []spandrel.Tag{{Key: "k", Value: spandrel.FloatValue(2)}} })},
		{"base64 for addresses, without padding", `"attributes":[{"key":"k","value":{"bytesValue":"_-8"}}]`, span(func(s *spandrel.Span) {
			s.Tags = []spandrel.Tag{{Key: "k", Value: spandrel.BytesValue([]byte{0xff, 0xef})}}
		})},
		{"a text that looks like a key in snake_case", `"name":"\"trace_id\":"`, span(func(s *spandrel.Span) { s.Name = `"trace_id":` })},
		{"invalid UTF-8", "\"name\":\"a\xffb\"", span(func(s *spandrel.Span) { s.Name = "a\uFFFDb" })},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := []byte(with("," + c.fields))
			before := string(text)
			spans, rejected, err := new(Decoder).JSON(text)
			check(t, "JSON", spans, rejected, err, []spandrel.Span{c.want}, map[int]string{})
			if string(text) != before {
				t.Error("the body was changed")
			}
		})
	}
	t.Run("text in protobuf that is not UTF-8", func(t *testing.T) {
		spans, rejected, err := new(Decoder).Proto([]byte(pspan(pbytes(5, "a\xffb"))))
		check(t, "protobuf", spans, rejected, err, []spandrel.Span{span(func(s *spandrel.Span) { s.Name = "a\uFFFDb" })}, map[int]string{})
	})
}
