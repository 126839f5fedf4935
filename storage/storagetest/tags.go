package storagetest

import (
	"math"
	"net/netip"
	"strings"

	"github.com/spandrel/spandrel"
)

// tagBehaviours are about key=value conditions.
func tagBehaviours() []behaviour {
	return append(plainTagBehaviours(), fieldBehaviours()...)
}

func plainTagBehaviours() []behaviour {
	manyEvents := batches(
		batch(span(1, 1, event(ms, "foo"))),
		batch(span(2, 1, after(1), event(ms, "bar"), event(ms, "foo"))),
		batch(span(3, 1, after(2), event(ms, "foo"), tag("baz", "qux"))),
		batch(span(4, 1, after(3), event(ms, "bar"), event(ms, "foo"), tag("baz", "qux"))))
	return []behaviour{
		{
			name:  "all tags asked for are on one span",
			given: batches(storedTrace(1), batch(span(2, 1, tag("http.path", "/api")), span(2, 2, tag("clnt/finagle.version", "6.45.0")))),
			want: []found{
				{"unknown", with("foo", "bar"), nil},
				{"both", with("clnt/finagle.version", "6.45.0", "http.path", "/api"), []uint64{1}},
				{"one twice", with("http.path", "/api", "http.path", "/api"), []uint64{1, 2}},
				{"one is missing", with("http.path", "/api", "foo", "bar"), nil},
				{"value of another key", with("http.path", "6.45.0"), nil},
				{"beginning of a value", with("http.path", "/ap"), nil},
				{"other case of a key", with("HTTP.path", "/api"), nil},
			},
		},
		{
			name:  "more conditions find less",
			given: manyEvents,
			want: []found{
				{"foo", with("event", "foo"), []uint64{4, 3, 2, 1}},
				{"foo and bar", with("event", "foo", "event", "bar"), []uint64{4, 2}},
				{"foo, bar and baz", with("event", "foo", "event", "bar", "baz", "qux"), []uint64{4}},
				{"baz", with("baz", "qux"), []uint64{4, 3}},
			},
		},
		{
			name: "every value of a repeated key is found",
			given: batches(batch(span(1, 1, tag("k", "1"), tag("k", "2"), tag("k", "1"))),
				batch(span(2, 1, tag("k", "2"), resource("k", "3"), event(ms, "", text("k", "4")), after(ms)))),
			want: []found{
				{"first", with("k", "1"), []uint64{1}},
				{"second", with("k", "2"), []uint64{2, 1}},
				{"both", with("k", "2", "k", "1"), []uint64{1}},
				{"in three places", with("k", "2", "k", "3", "k", "4"), []uint64{2}},
				{"of two spans", with("k", "1", "k", "3"), nil},
			},
		},
		{
			name: "keys that begin alike are not confused",
			given: batches(batch(span(1, 1, named("a"), tag("http.path", "/api"), tag("http.path.morepath", "/api/api"))),
				batch(span(2, 1, tag("ab", "c"), after(1))), batch(span(3, 1, tag("a", "bc"), after(2))),
				batch(span(4, 1, tag("a=b", "c"), after(3))), batch(span(5, 1, tag("a", "b=c"), after(4))),
				batch(span(6, 1, tag("a\x00b", "c"), after(5))), batch(span(7, 1, tag("a", "b\x00c"), after(6)))),
			want: []found{
				{"path", with("http.path", "/api"), []uint64{1}},
				{"more path", with("http.path.morepath", "/api/api"), []uint64{1}},
				{"crossed", with("http.path", "/api/api"), nil},
				{"ab, c", with("ab", "c"), []uint64{2}},
				{"a, bc", with("a", "bc"), []uint64{3}},
				{"a=b, c", with("a=b", "c"), []uint64{4}},
				{"a, b=c", with("a", "b=c"), []uint64{5}},
				{"a NUL b, c", with("a\x00b", "c"), []uint64{6}},
				{"a, b NUL c", with("a", "b\x00c"), []uint64{7}},
			},
		},
		{
			name: "keys and values are any bytes",
			given: batches(batch(span(1, 1, service("\xff\xfe"), named("\x00"), tag("\xc3\x28", "\xa0\xa1"), tag("\x00", "\x00\x00"),
				tag("", "no key"), tag("no value", ""), tag("", ""), event(ms, "\xf0\x28", text("\n", "\xff")), tag("⻩", "💩")))),
			want: []found{
				{"invalid UTF-8", with("\xc3\x28", "\xa0\xa1"), []uint64{1}},
				{"not its replacement", with("\ufffd(", "\ufffd\ufffd"), nil},
				{"NUL", with("\x00", "\x00\x00"), []uint64{1}},
				{"less NUL", with("\x00", "\x00"), nil},
				{"no key", with("", "no key"), []uint64{1}},
				{"no value", with("no value", ""), []uint64{1}},
				{"neither", with("", ""), []uint64{1}},
				{"event", with("event", "\xf0\x28"), []uint64{1}},
				{"field", with("\n", "\xff"), []uint64{1}},
				{"unicode", with("⻩", "💩"), []uint64{1}},
				{"service and operation", spandrel.Query{Service: "\xff\xfe", Operation: "\x00"}, []uint64{1}},
			},
		},
		{
			name: "values of all types are found by their text",
			given: batches(
				batch(span(1, 1, typed("k", spandrel.BoolValue(true)), typed("off", spandrel.BoolValue(false)))),
				batch(span(2, 1, after(1), typed("k", spandrel.IntValue(-42)), typed("max", spandrel.IntValue(math.MaxInt64)))),
				batch(span(3, 1, after(2), typed("k", spandrel.FloatValue(0.1)), typed("nan", spandrel.FloatValue(math.NaN())),
					typed("inf", spandrel.FloatValue(math.Inf(-1))), typed("zero", spandrel.FloatValue(math.Copysign(0, -1))))),
				batch(span(4, 1, after(3), typed("k", spandrel.BytesValue([]byte{0, 0xab})), typed("none", spandrel.BytesValue(nil)))),
				batch(span(5, 1, after(4), tag("k", "-42"))), batch(span(6, 1, after(5), tag("k", "true")))),
			want: []found{
				{"bool and text", with("k", "true"), []uint64{6, 1}},
				{"false", with("off", "false"), []uint64{1}},
				{"int and text", with("k", "-42"), []uint64{5, 2}},
				{"int padded", with("k", "-042"), nil},
				{"largest int", with("max", "9223372036854775807"), []uint64{2}},
				{"float", with("k", "0.1"), []uint64{3}},
				{"not a number", with("nan", "NaN"), []uint64{3}},
				{"infinite", with("inf", "-Inf"), []uint64{3}},
				{"negative zero", with("zero", "-0"), []uint64{3}},
				{"bytes", with("k", "00ab"), []uint64{4}},
				{"no bytes", with("none", ""), []uint64{4}},
			},
		},
		{
			name: "large values are found and intact",
			given: batches(batch(span(1, 1, tag("1 KiB", strings.Repeat("a", 1<<10))), span(1, 2, tag("64 KiB", strings.Repeat("b", 1<<16)))),
				batch(span(2, 1, after(1), tag("1 MiB", strings.Repeat("c", 1<<20)), event(ms, strings.Repeat("e", 1<<17)))),
				batch(span(3, 1, after(2), tag("1 MiB", strings.Repeat("c", 1<<20-1)+"d"), tag(strings.Repeat("k", 1<<16), "")))),
			want: []found{
				{"1 KiB", with("1 KiB", strings.Repeat("a", 1<<10)), []uint64{1}},
				{"64 KiB", with("64 KiB", strings.Repeat("b", 1<<16)), []uint64{1}},
				{"1 MiB", with("1 MiB", strings.Repeat("c", 1<<20)), []uint64{2}},
				{"another MiB", with("1 MiB", strings.Repeat("c", 1<<20-1)+"d"), []uint64{3}},
				{"a byte less", with("1 MiB", strings.Repeat("c", 1<<20-1)), nil},
				{"large event", with("event", strings.Repeat("e", 1<<17)), []uint64{2}},
				{"large key", with(strings.Repeat("k", 1<<16), ""), []uint64{3}},
			},
		},
	}
}

// full is a span that holds something in every field.
func full(trace, id uint64) spandrel.Span {
	s := span(trace, id, parent(77), kind(spandrel.KindServer), flags(spandrel.FlagDebug|spandrel.FlagShared),
		status(spandrel.StatusError), named("GET /Orders"), after(123456789), lasting(987654321),
		tag("http.method", "GET"), typed("n", spandrel.IntValue(7)), typed("f", spandrel.FloatValue(2.5)),
		typed("b", spandrel.BoolValue(true)), typed("raw", spandrel.BytesValue([]byte{1, 0})), tag("http.method", "PUT"),
		resource("host.name", "node-1"), resource("host.name", "node-2"),
		event(ms, "exception", text("exception.type", "io"), spandrel.Tag{Key: "fatal", Value: spandrel.BoolValue(false)}),
		event(ms, "", text("level", "warn")), event(-ms, "early"))
	s.Local = spandrel.Endpoint{Service: "Orders", IPv4: netip.MustParseAddr("10.0.0.1"), IPv6: netip.MustParseAddr("2001:db8::1"), Port: 9080}
	s.Remote = spandrel.Endpoint{Service: "Cart", IPv4: netip.MustParseAddr("10.0.0.2"), Port: 65535}
	s.Links = []spandrel.Link{
		{TraceID: spandrel.TraceID{High: 1, Low: 2}, ID: 3, Type: spandrel.LinkChildOf, TraceState: "l=1", Tags: []spandrel.Tag{text("link", "tag")}},
		{TraceID: spandrel.TraceID{Low: trace}, ID: 9, Type: spandrel.LinkFollowsFrom},
	}
	s.Scope = spandrel.Scope{Name: "net/http", Version: "1.26", Tags: []spandrel.Tag{text("scope", "tag")}}
	s.StatusMessage, s.TraceState = "deadline", "vendor=1,other=2"
	return s
}

func fieldBehaviours() []behaviour {
	var fields []found
	for _, f := range [][2]string{{"error", "true"}, {"span.kind", "server"}, {"peer.service", "Cart"}, {"net.host.ip", "2001:db8::1"},
		{"net.host.port", "9080"}, {"net.peer.ip", "10.0.0.2"}, {"net.peer.port", "65535"}, {"otel.status_code", "ERROR"},
		{"otel.status_description", "deadline"}, {"otel.scope.name", "net/http"}, {"otel.scope.version", "1.26"},
		{"w3c.tracestate", "vendor=1,other=2"}} {
		fields = append(fields, found{f[0], of("Orders", with(f[0], f[1])), []uint64{1}}, found{"wrong " + f[0], with(f[0], f[1]+"0"), nil},
			found{"empty " + f[0], with(f[0], ""), nil})
	}
	kinds := make([]found, 0, 6)
	var ofKinds []spandrel.Span
	for k := range spandrel.KindConsumer + 1 {
		ofKinds = append(ofKinds, span(10+uint64(k), 1, kind(k)))
		if k != spandrel.KindNone {
			kinds = append(kinds, found{k.String(), with("span.kind", k.String()), []uint64{10 + uint64(k)}})
		}
	}
	return []behaviour{
		{name: "fields are found by the tags that Jaeger shows for them", given: batches(batch(full(1, 1)), batch(span(2, 1))), want: fields},
		{name: "every kind is found by its name", given: batches(ofKinds), want: append(kinds, found{"none", with("span.kind", ""), nil})},
		{
			name: "an error is a status or a tag",
			given: batches(batch(span(1, 1, service("a"), kind(spandrel.KindClient), tag("error", ""))),
				batch(span(2, 1, after(1), tag("error", "false"))), batch(span(3, 1, after(2), typed("error", spandrel.BoolValue(false)))),
				batch(span(4, 1, after(3), status(spandrel.StatusError))), batch(span(5, 1, after(4), tag("error", "💩"))),
				batch(span(6, 1, after(5), status(spandrel.StatusOK), tag("error", "true"))),
				batch(span(7, 1, after(6), status(spandrel.StatusError), tag("error", "false"))),
				batch(span(8, 1, after(7), event(ms, "error"))), batch(span(9, 1, after(8), resource("error", "true")))),
			want: []found{
				{"true", with("error", "true"), []uint64{9, 7, 6, 5, 4, 1}},
				{"false", with("error", "false"), []uint64{7, 3, 2}},
				{"empty", with("error", ""), []uint64{1}},
				{"1", with("error", "1"), nil},
				{"text", with("error", "💩"), []uint64{5}},
				{"both", with("error", "true", "error", "false"), []uint64{7}},
				{"status", with("otel.status_code", "ERROR"), []uint64{7, 5, 4, 1}},
				{"ok", with("otel.status_code", "OK"), []uint64{6}},
			},
		},
		{
			name: "a tag named like a field is found beside it",
			given: batches(batch(span(1, 1, kind(spandrel.KindServer), tag("span.kind", "special"), tag("peer.service", "x"), remote("y"))),
				batch(span(2, 1, tag("span.kind", "server"), after(1)))),
			want: []found{
				{"field", with("span.kind", "server"), []uint64{2, 1}},
				{"tag", with("span.kind", "special"), []uint64{1}},
				{"both", with("span.kind", "special", "span.kind", "server", "peer.service", "x", "peer.service", "y"), []uint64{1}},
			},
		},
		{
			name: "events are found by name and fields",
			given: batches(batch(span(1, 1, event(ms, "retry", text("cause", "timeout"), spandrel.Tag{Key: "try", Value: spandrel.IntValue(2)}))),
				batch(span(2, 1, after(1), event(ms, ""), tag("event", "tagged"))), batch(span(3, 1, after(2), event(ms, "⻩ a|b|c")))),
			want: []found{
				{"name", with("event", "retry"), []uint64{1}},
				{"field", with("cause", "timeout"), []uint64{1}},
				{"typed field", with("try", "2", "event", "retry"), []uint64{1}},
				{"no name", with("event", ""), nil},
				{"tag", with("event", "tagged"), []uint64{2}},
				{"odd name", with("event", "⻩ a|b|c"), []uint64{3}},
			},
		},
		{
			name:  "resource tags are found, those of scopes and links are not",
			given: batches(batch(full(1, 1))),
			want: []found{
				{"resource", with("host.name", "node-1", "host.name", "node-2"), []uint64{1}},
				{"scope", with("scope", "tag"), nil},
				{"link", with("link", "tag"), nil},
			},
		},
	}
}
