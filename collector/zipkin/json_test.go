package zipkin

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
)

// minimal is the span {"traceId":"1","id":"2"}, changed by change.
func minimal(change func(s *spandrel.Span)) spandrel.Span {
	s := spandrel.Span{TraceID: spandrel.TraceID{Low: 1}, ID: 2}
	if change != nil {
		change(&s)
	}
	return s
}

// tags makes tags of keys and values in turn.
func tags(pairs ...string) []spandrel.Tag {
	var all []spandrel.Tag
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, spandrel.Tag{Key: pairs[i], Value: spandrel.StringValue(pairs[i+1])})
	}
	return all
}

// reasons is the reasons of the rejections.
func reasons(t *testing.T, rejected []spandrel.Rejection) []string {
	t.Helper()
	var all []string
	for _, r := range rejected {
		if r.Err == nil || r.Err.Error() == "" {
			t.Errorf("rejection %+v has no error", r)
		}
		all = append(all, r.Reason)
	}
	return all
}

var ip4 = netip.MustParseAddr("1.2.3.4")

// fieldCases are fields added to {"traceId":"1","id":"2"}, and what becomes of
// them: a change to the minimal span, or a reason why the span is rejected.
var fieldCases = []struct {
	name, fields string
	want         func(s *spandrel.Span)
	reason       string
}{
	{name: "nothing more"},
	{name: "trace id of 16 digits", fields: `"traceId":"463ac35c9f6413ad"`,
		want: func(s *spandrel.Span) { s.TraceID.Low = 0x463ac35c9f6413ad }},
	{name: "trace id of 17 digits is padded to 32", fields: `"traceId":"1463ac35c9f6413ad"`,
		want: func(s *spandrel.Span) { s.TraceID = spandrel.TraceID{High: 1, Low: 0x463ac35c9f6413ad} }},
	{name: "trace id of 32 digits", fields: `"traceId":"48485a3953bb61246b221d5bc9e6496c"`,
		want: func(s *spandrel.Span) {
			s.TraceID = spandrel.TraceID{High: 0x48485a3953bb6124, Low: 0x6b221d5bc9e6496c}
		}},
	{name: "trace id with 16 zeros in front is one of 64 bits", fields: `"traceId":"0000000000000000463ac35c9f6413ad"`,
		want: func(s *spandrel.Span) { s.TraceID = spandrel.TraceID{Low: 0x463ac35c9f6413ad} }},
	{name: "trace id whose low half is zero", fields: `"traceId":"10000000000000000"`,
		want: func(s *spandrel.Span) { s.TraceID = spandrel.TraceID{High: 1} }},
	{name: "trace id in upper case", fields: `"traceId":"ABCDEF"`, want: func(s *spandrel.Span) { s.TraceID.Low = 0xabcdef }},
	{name: "trace id that is a number is its digits", fields: `"traceId":12`, want: func(s *spandrel.Span) { s.TraceID.Low = 0x12 }},
	{name: "trace id of 33 digits, the first a zero", fields: `"traceId":"0` + strings.Repeat("1", 32) + `"`,
		want: func(s *spandrel.Span) {
			s.TraceID = spandrel.TraceID{High: 0x1111111111111111, Low: 0x1111111111111111}
		}},
	{name: "trace id given twice, the last one good", fields: `"traceId":"zz","traceId":"3"`, want: func(s *spandrel.Span) { s.TraceID.Low = 3 }},
	{name: "trace id given twice, the last one null", fields: `"traceId":null`, reason: ReasonTraceID},
	{name: "trace id empty", fields: `"traceId":""`, reason: ReasonTraceID},
	{name: "trace id zero", fields: `"traceId":"0"`, reason: ReasonTraceID},
	{name: "trace id of 32 zeros", fields: `"traceId":"00000000000000000000000000000000"`, reason: ReasonTraceID},
	{name: "trace id of 33 digits", fields: `"traceId":"` + strings.Repeat("1", 33) + `"`, reason: ReasonTraceID},
	{name: "trace id with prefix", fields: `"traceId":"0x1"`, reason: ReasonTraceID},
	{name: "trace id that is a UUID", fields: `"traceId":"0e8b46e1-81b"`, reason: ReasonTraceID},
	{name: "trace id with a space", fields: `"traceId":" 1"`, reason: ReasonTraceID},
	{name: "trace id that is an object", fields: `"traceId":{}`, reason: ReasonTraceID},
	{name: "trace id that is a boolean", fields: `"traceId":true`, reason: ReasonTraceID},

	{name: "id in upper case", fields: `"id":"B3"`, want: func(s *spandrel.Span) { s.ID = 0xb3 }},
	{name: "id of 16 digits", fields: `"id":"ffffffffffffffff"`, want: func(s *spandrel.Span) { s.ID = 0xffffffffffffffff }},
	{name: "id of 20 digits, four of them zeros in front", fields: `"id":"0000463ac35c9f6413ad"`, want: func(s *spandrel.Span) { s.ID = 0x463ac35c9f6413ad }},
	{name: "id that is a number", fields: `"id":77`, want: func(s *spandrel.Span) { s.ID = 0x77 }},
	{name: "id null", fields: `"id":null`, reason: ReasonSpanID},
	{name: "id empty", fields: `"id":""`, reason: ReasonSpanID},
	{name: "id zero", fields: `"id":"0000000000000000"`, reason: ReasonSpanID},
	{name: "id of 17 digits", fields: `"id":"1463ac35c9f6413ad"`, reason: ReasonSpanID},
	{name: "id not hexadecimal", fields: `"id":"g"`, reason: ReasonSpanID},
	{name: "id that is a list", fields: `"id":[2]`, reason: ReasonSpanID},

	{name: "parent", fields: `"parentId":"A"`, want: func(s *spandrel.Span) { s.ParentID = 10 }},
	{name: "parent null", fields: `"parentId":null`},
	{name: "parent empty", fields: `"parentId":""`},
	{name: "parent zero", fields: `"parentId":"0000000000000000"`},
	{name: "parent equal to id", fields: `"parentId":"0000000000000002"`},
	{name: "parent not hexadecimal", fields: `"parentId":"root"`, reason: ReasonParentID},
	{name: "parent of 17 digits", fields: `"parentId":"11111111111111111"`, reason: ReasonParentID},

	{name: "kind client", fields: `"kind":"CLIENT"`, want: func(s *spandrel.Span) { s.Kind = spandrel.KindClient }},
	{name: "kind server", fields: `"kind":"SERVER"`, want: func(s *spandrel.Span) { s.Kind = spandrel.KindServer }},
	{name: "kind producer", fields: `"kind":"PRODUCER"`, want: func(s *spandrel.Span) { s.Kind = spandrel.KindProducer }},
	{name: "kind consumer", fields: `"kind":"CONSUMER"`, want: func(s *spandrel.Span) { s.Kind = spandrel.KindConsumer }},
	{name: "kind in lower case", fields: `"kind":"client"`, want: func(s *spandrel.Span) { s.Kind = spandrel.KindClient }},
	{name: "kind internal, which Zipkin lacks and spans have", fields: `"kind":"INTERNAL"`, want: func(s *spandrel.Span) { s.Kind = spandrel.KindInternal }},
	{name: "kind unknown", fields: `"kind":"SPAN_KIND_UNSPECIFIED"`},
	{name: "kind empty", fields: `"kind":""`},
	{name: "kind null", fields: `"kind":null`},
	{name: "kind that is a number", fields: `"kind":2`},

	{name: "name keeps its case", fields: `"name":"GET /Foo"`, want: func(s *spandrel.Span) { s.Name = "GET /Foo" }},
	{name: "name empty", fields: `"name":""`},
	{name: "name null", fields: `"name":null`},
	{name: "name that is a number", fields: `"name":4.50`, want: func(s *spandrel.Span) { s.Name = "4.50" }},
	{name: "name that is an object", fields: `"name":{"a":1}`, reason: ReasonName},
	{name: "name that is a list", fields: `"name":[]`, reason: ReasonName},

	{name: "timestamp", fields: `"timestamp":1717423000100000`, want: func(s *spandrel.Span) { s.Start = 1717423000100000000 }},
	{name: "timestamp zero", fields: `"timestamp":0`},
	{name: "timestamp negative", fields: `"timestamp":-1`},
	{name: "timestamp null", fields: `"timestamp":null`},
	{name: "timestamp as text", fields: `"timestamp":"123"`, want: func(s *spandrel.Span) { s.Start = 123000 }},
	{name: "timestamp as empty text", fields: `"timestamp":""`},
	{name: "timestamp in Envoy 1.13's notation", fields: `"timestamp":1.58266276796031e+15`, want: func(s *spandrel.Span) { s.Start = 1582662767960310000 }},
	{name: "timestamp with a fraction as from OpenTelemetry JS", fields: `"timestamp":1730464198558327.4`, want: func(s *spandrel.Span) { s.Start = 1730464198558327000 }},
	{name: "timestamp rounded up", fields: `"timestamp":123.5`, want: func(s *spandrel.Span) { s.Start = 124000 }},
	{name: "timestamp with a fraction of zero", fields: `"timestamp":123.0`, want: func(s *spandrel.Span) { s.Start = 123000 }},
	{name: "timestamp as text with a fraction", fields: `"timestamp":"123.4"`, want: func(s *spandrel.Span) { s.Start = 123000 }},
	{name: "timestamp the last that fits", fields: `"timestamp":9223372036854775`, want: func(s *spandrel.Span) { s.Start = 9223372036854775000 }},
	{name: "timestamp the first that does not", fields: `"timestamp":9223372036854776`, reason: ReasonTimestamp},
	{name: "timestamp in nanoseconds", fields: `"timestamp":1717423000100000000`, reason: ReasonTimestamp},
	{name: "timestamp out of all bounds", fields: `"timestamp":1e400`, reason: ReasonTimestamp},
	{name: "timestamp as text that ends in a point", fields: `"timestamp":"5."`, want: func(s *spandrel.Span) { s.Start = 5000 }},
	{name: "timestamp of signs only", fields: `"timestamp":"+-"`, reason: ReasonTimestamp},
	{name: "timestamp not a number", fields: `"timestamp":"now"`, reason: ReasonTimestamp},
	{name: "timestamp NaN", fields: `"timestamp":"NaN"`, reason: ReasonTimestamp},
	{name: "timestamp in Go's hexadecimal", fields: `"timestamp":"0x1p3"`, reason: ReasonTimestamp},
	{name: "timestamp in Go's grouping", fields: `"timestamp":"1_000"`, reason: ReasonTimestamp},
	{name: "timestamp that is a boolean", fields: `"timestamp":true`, reason: ReasonTimestamp},
	{name: "timestamp that is a list", fields: `"timestamp":[1]`, reason: ReasonTimestamp},

	{name: "duration", fields: `"duration":48210`, want: func(s *spandrel.Span) { s.Duration = 48210000 }},
	{name: "duration zero", fields: `"duration":0`},
	{name: "duration negative", fields: `"duration":-5`},
	{name: "duration with a fraction", fields: `"duration":51920.504`, want: func(s *spandrel.Span) { s.Duration = 51921000 }},
	{name: "duration as text", fields: `"duration":"10"`, want: func(s *spandrel.Span) { s.Duration = 10000 }},
	{name: "duration too long", fields: `"duration":9223372036854776`, reason: ReasonDuration},
	{name: "duration that ends too late", fields: `"timestamp":9223372036854775,"duration":1`, reason: ReasonDuration},
	{name: "duration not a number", fields: `"duration":"10ms"`, reason: ReasonDuration},
	{name: "duration that is an object", fields: `"duration":{}`, reason: ReasonDuration},

	{name: "debug", fields: `"debug":true`, want: func(s *spandrel.Span) { s.Flags = spandrel.FlagDebug }},
	{name: "debug false", fields: `"debug":false`},
	{name: "debug as text", fields: `"debug":"true"`, want: func(s *spandrel.Span) { s.Flags = spandrel.FlagDebug }},
	{name: "shared", fields: `"shared":true,"kind":"SERVER"`, want: func(s *spandrel.Span) { s.Flags, s.Kind = spandrel.FlagShared, spandrel.KindServer }},
	{name: "shared on a client is dropped", fields: `"shared":true,"kind":"CLIENT"`, want: func(s *spandrel.Span) { s.Kind = spandrel.KindClient }},
	{name: "shared null", fields: `"shared":null`},
	{name: "literals in upper case", fields: `"debug":TRUE,"shared":False,"name":NULL`, want: func(s *spandrel.Span) { s.Flags = spandrel.FlagDebug }},

	{name: "unknown fields of all kinds", fields: `"x":1,"y":{"traceId":"9","a":[{"b":[]}]},"z":[1,"]",null,false,true],"":"\u0041\\"`},
	{name: "a field name with an escape", fields: `"na\u006de":"x"`, want: func(s *spandrel.Span) { s.Name = "x" }},
	{name: "a span without its list of binary annotations", fields: `"binaryAnnotations":null`},
}

// with is a span of JSON with the fields added.
func with(fields string) string {
	s := `{"traceId":"1","id":"2"`
	if fields != "" {
		s += "," + fields
	}
	return s + "}"
}

func TestFieldsOfASpan(t *testing.T) {
	for _, c := range fieldCases {
		t.Run(c.name, func(t *testing.T) { checkFields(t, c.fields, c.want, c.reason) })
	}
}

// checkFields decodes a span with the fields between two others, by itself and
// through the other path.
func checkFields(t *testing.T, fields string, want func(*spandrel.Span), reason string) {
	t.Helper()
	other := minimal(func(s *spandrel.Span) { s.ID, s.Kind = 9, spandrel.KindClient })
	const neighbour = `{"traceId":"1","id":"9","kind":"CLIENT"}`
	body := "[" + neighbour + " , \n" + with(`"tags":{}`+comma(fields)) + "," + neighbour + "]"
	for _, v1 := range []bool{false, true} {
		spans, rejected, err := new(Decoder).JSON([]byte(body), v1)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		wantSpans, wantReasons := []spandrel.Span{other, minimal(want), other}, []string(nil)
		if reason != "" {
			wantSpans, wantReasons = []spandrel.Span{other, other}, []string{reason}
		}
		if diff := gocmp.Diff(reasons(t, rejected), wantReasons); diff != "" {
			t.Errorf("%s: %v: reasons, got -, want +:\n%s", body, rejected, diff)
		}
		if reason != "" && len(rejected) == 1 && rejected[0].Index != 1 {
			t.Errorf("index %d, want 1", rejected[0].Index)
		}
		if diff := gocmp.Diff(spans, wantSpans, comparing); diff != "" {
			t.Errorf("%s: got -, want +:\n%s", body, diff)
		}
	}
}

func comma(fields string) string {
	if fields == "" {
		return ""
	}
	return "," + fields
}

func TestSpanWithoutIDsIsRejected(t *testing.T) {
	for body, want := range map[string]string{
		`[{}]`:               ReasonTraceID,
		`[{"id":"1"}]`:       ReasonTraceID,
		`[{"traceId":"1"}]`:  ReasonSpanID,
		`[1]`:                ReasonSpan,
		`["x"]`:              ReasonSpan,
		`[true]`:             ReasonSpan,
		`[[{"traceId":""}]]`: ReasonSpan,
	} {
		spans, rejected, err := new(Decoder).JSON([]byte(body), false)
		if err != nil || len(spans) != 0 || len(rejected) != 1 || rejected[0].Reason != want {
			t.Errorf("%s: %v %v %v, want reason %s", body, spans, rejected, err, want)
		}
	}
}

// bodyCases are whole bodies: how many spans they have, or how they are malformed.
var bodyCases = []struct {
	name, body string
	spans      int
	err        string
}{
	{name: "nothing"},
	{name: "white space", body: " \t\r\n"},
	{name: "a byte order mark", body: "\uFEFF"},
	{name: "empty list", body: `[]`},
	{name: "empty list with space", body: ` [ ] `},
	{name: "null", body: `null`},
	{name: "list of null", body: `[null, null]`},
	{name: "one span", body: `[{"traceId":"1","id":"1","name":"test"}]`, spans: 1},
	{name: "a span and null", body: `[null,{"traceId":"1","id":"1"},null]`, spans: 1},
	{name: "white space in front", body: "\n [{\"traceId\":\"1\",\"id\":\"1\"}]\n", spans: 1},
	{name: "a byte order mark in front", body: "\uFEFF[{\"traceId\":\"1\",\"id\":\"1\"}]", spans: 1},
	{name: "a span without a list", body: `{"traceId":"1","id":"1"}`, spans: 1},
	{name: "white space everywhere", body: "[ { \"traceId\" :\t\"1\" ,\n\"id\" : \"1\" , \"tags\" : { \"a\" : \"b\" } , \"annotations\" : [ ] } ]", spans: 1},
	{name: "one span twice", body: `[{"traceId":"1","id":"1"},{"traceId":"1","id":"1"}]`, spans: 2},
	{name: "unknown field nested deep", body: `[` + with(`"x":`+strings.Repeat("[", 64)+strings.Repeat("]", 64)) + `]`, spans: 1},

	{name: "text", body: "hello", err: `malformed JSON at byte 0: expected a value, found 'h'`},
	{name: "a string", body: `"hello"`, err: `at byte 0: expected a list of spans`},
	{name: "a number", body: `7`, err: `expected a list of spans`},
	{name: "bytes of another format", body: "\x01\x02\x03\x04", err: "at byte 0"},
	{name: "protobuf", body: "\x0a\x1c\x0a\x08\x00\x00\x00\x00\x00\x00\x00\x01", err: "at byte"},
	{name: "gzip", body: "\x1f\x8b\x08\x00", err: "at byte 0"},
	{name: "garbage after the list", body: `[] x`, err: `at byte 3: expected the end after the list of spans, found 'x'`},
	{name: "garbage after a span", body: `{"traceId":"1","id":"1"},`, err: `expected the end`},
	{name: "two lists", body: `[][]`, err: `at byte 2`},
	{name: "list not closed", body: `[`, err: `ends at byte 1`},
	{name: "list not closed after a span", body: `[{"traceId":"1","id":"1"}`, err: `ends at byte 25, expected "," or "]"`},
	{name: "comma before the end of a list", body: `[{"traceId":"1","id":"1"},]`, err: `at byte 26: expected a value, found ']'`},
	{name: "comma before the end of an object", body: `[{"traceId":"1",}]`, err: `at byte 16: expected a field name, found '}'`},
	{name: "no comma between fields", body: `[{"traceId":"1" "id":"1"}]`, err: `at byte 16: expected "," or "}", found '"'`},
	{name: "no comma between spans", body: `[{"traceId":"1","id":"1"}{}]`, err: `expected "," or "]"`},
	{name: "no colon", body: `[{"traceId" "1"}]`, err: `at byte 12: expected ":"`},
	{name: "field name without quotes", body: `[{traceId:"1"}]`, err: `at byte 2: expected a field name, found 't'`},
	{name: "single quotes", body: `[{'traceId':'1'}]`, err: `expected a field name`},
	{name: "string not closed", body: `[{"traceId":"1`, err: `ends at byte 14, expected "\""`},
	{name: "string ends in a backslash", body: `["\`, err: `ends at byte 3`},
	{name: "unknown escape", body: `["\x41"]`, err: `expected an escape, found 'x'`},
	{name: "short unicode escape", body: `["\u12"]`, err: `expected four hexadecimal digits`},
	{name: "unicode escape at the end", body: `["\u12`, err: `expected four hexadecimal digits`},
	{name: "unicode escape not hexadecimal", body: `["\u12g4"]`, err: `expected four hexadecimal digits`},
	{name: "number with a leading zero", body: `[{"x":01}]`, err: `at byte 7: expected "," or "}"`},
	{name: "number without digits", body: `[{"x":-}]`, err: `expected a digit`},
	{name: "number that ends in a point", body: `[{"x":1.}]`, err: `expected a digit`},
	{name: "number that starts with a point", body: `[{"x":.5}]`, err: `expected a value`},
	{name: "number with an empty exponent", body: `[{"x":1e}]`, err: `expected a digit`},
	{name: "number NaN", body: `[{"x":NaN}]`, err: `expected a value`},
	{name: "literal cut short", body: `[nul`, err: `ends at byte 4`},
	{name: "literal misspelt", body: `[nulx]`, err: `expected a value`},
	{name: "comment", body: `[/* */]`, err: `expected a value`},
	{name: "nesting too deep", body: `[` + with(`"x":`+strings.Repeat("[", 65)+strings.Repeat("]", 65)) + `]`, err: `at most 64 levels`},
	{name: "hostile nesting of lists", body: strings.Repeat("[", 1<<20), err: `at most 64 levels`},
	{name: "hostile nesting of objects", body: `[{"tags":` + strings.Repeat(`{"a":`, 1<<18), err: `at most 64 levels`},
	{name: "truncated within a tag of the last span", body: `[` + with("") + `,{"traceId":"1","id":"2","tags":{"a":"b`, err: `ends at byte`},
	{name: "more invalid spans than are counted", body: `[` + strings.Repeat(`{},`, maxRejected) + `{}]`, err: `more than 65536 invalid spans, the first at index 0: invalid_trace_id`},
}

func TestBodies(t *testing.T) {
	for _, c := range bodyCases {
		t.Run(c.name, func(t *testing.T) {
			for _, v1 := range []bool{false, true} {
				spans, rejected, err := new(Decoder).JSON([]byte(c.body), v1)
				if len(spans) != c.spans || len(rejected) != 0 {
					t.Errorf("got %d spans, %v, want %d", len(spans), rejected, c.spans)
				}
				if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want %q", err, c.err)
				}
			}
		})
	}
}

func TestRejectionsNameIndexAndField(t *testing.T) {
	body := `[null,{"traceId":"1","id":"1"},{"traceId":"zz","id":"1"},7,{"traceId":"1","id":"2"}]`
	spans, rejected, err := new(Decoder).JSON([]byte(body), false)
	if err != nil || len(spans) != 2 {
		t.Fatal(spans, err)
	}
	want := []spandrel.Rejection{
		{Index: 2, Reason: ReasonTraceID, Err: errors.New(`traceId "zz" is not hexadecimal`)},
		{Index: 3, Reason: ReasonSpan, Err: errors.New(`the span is a number, expected an object`)},
	}
	sameText := gocmp.Comparer(func(a, b error) bool { return a.Error() == b.Error() })
	if diff := gocmp.Diff(rejected, want, sameText); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	if !errors.Is(rejected[0].Err, errHex) {
		t.Errorf("%v is not errHex", rejected[0].Err)
	}
}

func TestReasonsAreClosed(t *testing.T) {
	known := make(map[string]bool)
	for _, r := range Reasons() {
		known[r] = true
	}
	for _, c := range fieldCases {
		if c.reason != "" && !known[c.reason] {
			t.Errorf("%s: reason %q is not listed", c.name, c.reason)
		}
	}
	if len(known) != 10 {
		t.Errorf("%d reasons, want 10 distinct ones", len(known))
	}
}
