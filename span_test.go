package spandrel

import (
	"math"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTraceID(t *testing.T) {
	tests := []struct{ in, want string }{
		{"1", "0000000000000001"},
		{"00000000000000a1", "00000000000000a1"},
		{"A1", "00000000000000a1"},
		{"463ac35c9f6413ad48485a3953bb6124", "463ac35c9f6413ad48485a3953bb6124"},
		{"163ac35c9f6413ad48485a3953bb6124", "163ac35c9f6413ad48485a3953bb6124"},
		{"63ac35c9f6413ad48485a3953bb6124", "063ac35c9f6413ad48485a3953bb6124"},
		{"000000000000000048485a3953bb6124", "48485a3953bb6124"},
		{"", "error"}, {"0", "error"}, {strings.Repeat("0", 32), "error"},
		{strings.Repeat("1", 33), "error"}, {"0x1", "error"}, {"0e8b46e1-81b", "error"}, {"é", "error"},
	}
	for _, tt := range tests {
		id, err := ParseTraceID(tt.in)
		got := id.String()
		if err != nil {
			got = "error"
		}
		if got != tt.want {
			t.Errorf("ParseTraceID(%q) = %s (%v), want %s", tt.in, got, err, tt.want)
		}
	}
}

func TestParseSpanID(t *testing.T) {
	for in, want := range map[string]SpanID{"b3": 0xb3, "B3": 0xb3, "ffffffffffffffff": math.MaxUint64} {
		if got, err := ParseSpanID(in); got != want || err != nil {
			t.Errorf("ParseSpanID(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "0", "00000000000000001", "xyz"} {
		if got, err := ParseSpanID(in); err == nil {
			t.Errorf("ParseSpanID(%q) = %v, want an error", in, got)
		}
	}
}

func TestValuesKeepTypeAndText(t *testing.T) {
	tests := []struct {
		v    Value
		kind ValueKind
		text string
	}{
		{Value{}, ValueString, ""},
		{StringValue("x"), ValueString, "x"},
		{BoolValue(true), ValueBool, "true"},
		{BoolValue(false), ValueBool, "false"},
		{IntValue(math.MinInt64), ValueInt, "-9223372036854775808"},
		{FloatValue(1.5), ValueFloat, "1.5"},
		{BytesValue([]byte{0, 0xff}), ValueBytes, "00ff"},
		{RawValue(ValueInt, "short"), ValueBytes, "73686f7274"},
		{RawValue(99, "x"), ValueBytes, "78"},
	}
	for _, tt := range tests {
		if tt.v.Kind() != tt.kind || tt.v.String() != tt.text {
			t.Errorf("%#v: kind %d, text %q, want %d, %q", tt.v, tt.v.Kind(), tt.v.String(), tt.kind, tt.text)
		}
		if again := RawValue(tt.v.Kind(), tt.v.Raw()); again != tt.v {
			t.Errorf("raw value of %#v gives %#v", tt.v, again)
		}
	}
	if got := IntValue(-5).Int(); got != -5 {
		t.Errorf("Int = %d", got)
	}
	if got := FloatValue(-2.5).Float(); got != -2.5 {
		t.Errorf("Float = %g", got)
	}
	if StringValue("7").Int() != 0 || StringValue("7").Float() != 0 || StringValue("\x01").Bool() {
		t.Error("a string is taken for another kind")
	}
}

func TestIsError(t *testing.T) {
	tag := func(v Value) Span { return Span{Tags: []Tag{{"error", v}}} }
	status := func(s Span, c Status) Span { s.Status = c; return s }
	tests := []struct {
		name string
		span Span
		want bool
	}{
		{"plain", Span{}, false},
		{"empty tag", tag(StringValue("")), true},
		{"true", tag(StringValue("true")), true},
		{"text", tag(StringValue("boom")), true},
		{"false", tag(StringValue("false")), false},
		{"bool", tag(BoolValue(true)), true},
		{"bool false", tag(BoolValue(false)), false},
		{"status error", status(Span{}, StatusError), true},
		{"status ok wins over tag", status(tag(StringValue("true")), StatusOK), false},
	}
	for _, tt := range tests {
		if got := tt.span.IsError(); got != tt.want {
			t.Errorf("%s: IsError = %v", tt.name, got)
		}
	}
}

func TestMatch(t *testing.T) {
	s := Span{
		Name: "GET /", Kind: KindServer, Start: 1000, Duration: 50, Status: StatusOK, StatusMessage: "fine", TraceState: "a=b",
		Local:    Endpoint{Service: "Web.default", IPv4: netip.MustParseAddr("10.0.0.1"), Port: 80},
		Remote:   Endpoint{Service: "gw", IPv6: netip.MustParseAddr("::1")},
		Tags:     []Tag{{"http.status_code", StringValue("200")}, {"n", IntValue(5)}, {"error", StringValue("false")}, {"k", StringValue("a")}, {"k", StringValue("b")}},
		Resource: []Tag{{"host", StringValue("h1")}},
		Events:   []Event{{Time: 1, Name: "ss", Fields: []Tag{{"level", StringValue("info")}}}},
		Scope:    Scope{Name: "lib"},
	}
	tag := func(k, v string) Query { return Query{Tags: []TagCondition{{k, v}}} }
	tests := []struct {
		name string
		q    Query
		want bool
	}{
		{"no condition", Query{}, true},
		{"service", Query{Service: "Web.default"}, true},
		{"service in another case", Query{Service: "web.default"}, false},
		{"operation", Query{Operation: "GET /"}, true},
		{"operation prefix", Query{Operation: "GET"}, false},
		{"start inclusive", Query{MinStart: 1000, MaxStart: 1000}, true},
		{"too early", Query{MinStart: 1001}, false},
		{"too late", Query{MaxStart: 999}, false},
		{"duration inclusive", Query{MinDuration: 50, MaxDuration: 50}, true},
		{"too short", Query{MinDuration: 51}, false},
		{"too long", Query{MaxDuration: 49}, false},
		{"tag", tag("http.status_code", "200"), true},
		{"tag of another value", tag("http.status_code", "500"), false},
		{"number as text", tag("n", "5"), true},
		{"second value of a key", tag("k", "b"), true},
		{"all tags", Query{Tags: []TagCondition{{"k", "a"}, {"k", "c"}}}, false},
		{"error=false", tag("error", "false"), true},
		{"error=true", tag("error", "true"), false},
		{"resource", tag("host", "h1"), true},
		{"event", tag("event", "ss"), true},
		{"event field", tag("level", "info"), true},
		{"empty event name", tag("event", ""), false},
		{"kind", tag("span.kind", "server"), true},
		{"remote service", tag("peer.service", "gw"), true},
		{"local ip", tag("net.host.ip", "10.0.0.1"), true},
		{"local port", tag("net.host.port", "80"), true},
		{"remote ip", tag("net.peer.ip", "::1"), true},
		{"no remote port", tag("net.peer.port", ""), false},
		{"status", tag("otel.status_code", "OK"), true},
		{"status message", tag("otel.status_description", "fine"), true},
		{"scope", tag("otel.scope.name", "lib"), true},
		{"tracestate", tag("w3c.tracestate", "a=b"), true},
	}
	for _, tt := range tests {
		if got := tt.q.Match(&s); got != tt.want {
			t.Errorf("%s: Match = %v", tt.name, got)
		}
	}
	nameless := Span{}
	if q := (Query{Service: MissingService}); !q.Match(&nameless) {
		t.Error("a span without a service is not found under " + MissingService)
	}
}

func TestFieldTagKnowsEveryFieldTag(t *testing.T) {
	ip := netip.MustParseAddr("10.0.0.1")
	s := Span{Kind: KindClient, Status: StatusError, StatusMessage: "m", TraceState: "t", Scope: Scope{Name: "n", Version: "v"},
		Local: Endpoint{IPv4: ip, Port: 1}, Remote: Endpoint{Service: "s", IPv4: ip, Port: 2}}
	for _, key := range FieldTags {
		if v, ok := s.FieldTag(key); !ok {
			t.Errorf("%s: %q, %v", key, v, ok)
		}
	}
}

func TestCloneSharesNoMemory(t *testing.T) {
	s := Span{Name: "n", Local: Endpoint{Service: "s"}, Tags: []Tag{{"k", StringValue("v")}}, Resource: []Tag{{"r", StringValue("v")}},
		Events: []Event{{Time: 1, Name: "e", Fields: []Tag{{"k", StringValue("v")}}}},
		Links:  []Link{{ID: 1, Tags: []Tag{{"k", StringValue("v")}}}}, Scope: Scope{Tags: []Tag{{"k", StringValue("v")}}}}
	c := s.Clone()
	if !c.Equal(&s) {
		t.Fatal("the clone is another span")
	}
	c.Tags[0].Key, c.Events[0].Fields[0].Key, c.Links[0].Tags[0].Key = "x", "x", "x"
	c.Resource[0].Key, c.Scope.Tags[0].Key = "x", "x"
	want := Span{Name: "n", Local: Endpoint{Service: "s"}, Tags: []Tag{{"k", StringValue("v")}}, Resource: []Tag{{"r", StringValue("v")}},
		Events: []Event{{Time: 1, Name: "e", Fields: []Tag{{"k", StringValue("v")}}}},
		Links:  []Link{{ID: 1, Tags: []Tag{{"k", StringValue("v")}}}}, Scope: Scope{Tags: []Tag{{"k", StringValue("v")}}}}
	if diff := cmp.Diff(want, s, equalValues); diff != "" {
		t.Error(diff)
	}
}
