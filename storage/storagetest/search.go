package storagetest

import (
	"time"

	"github.com/spandrel/spandrel"
)

const ms = time.Millisecond

// nothingKnown are queries that a span of which only ids, start and duration
// are known does not match.
var nothingKnown = []found{
	{name: "service", query: spandrel.Query{Service: "frontend"}},
	{name: "remote service", query: of("frontend", with("peer.service", "backend"))},
	{name: "operation", query: spandrel.Query{Service: "frontend", Operation: "get"}},
	{name: "operation alone", query: spandrel.Query{Operation: "get"}},
	{name: "event", query: with("event", "custom")},
	{name: "tag", query: with("BAH", "BEH")},
	{name: "empty tag", query: with("", "")},
	{name: "error", query: with("error", "true")},
	{name: "kind", query: with("span.kind", "")},
}

// searchBehaviours are about services and operations, and what one span has to
// meet.
func searchBehaviours() []behaviour {
	return []behaviour{
		{
			name: "an empty store answers every question with nothing",
			want: append([]found{{name: "all", query: spandrel.Query{}}}, nothingKnown...),
		},
		{
			name:  "a span that says nothing is found by searches that ask nothing",
			given: batches(batch(span(1, 1, lasting(0)))),
			want: append([]found{
				{"all", spandrel.Query{}, []uint64{1}},
				{"no service", spandrel.Query{Service: spandrel.MissingService}, []uint64{1}},
			}, nothingKnown...),
		},
		{
			name: "spans of one trace in several writes are one trace",
			given: batches(
				batch(span(1, 1, named("A1"))), batch(span(2, 1, named("B1"), after(ms))),
				batch(span(1, 2, named("A2"), after(2*ms))), batch(span(2, 2, named("B2"), after(3*ms)))),
			want: []found{
				{"all", spandrel.Query{}, []uint64{2, 1}},
				{"first span", spandrel.Query{Operation: "A1"}, []uint64{1}},
				{"last span", spandrel.Query{Operation: "B2"}, []uint64{2}},
			},
		},
		{
			name: "all 128 bits of a trace id count",
			given: batches(batch(span(7, 1, tag("foo", "1")), span(7, 1, high(9), tag("foo", "2")),
				span(7, 1, high(1), tag("foo", "3")))),
			want: []found{
				{"64 bits", with("foo", "1"), []uint64{7}},
				{"128 bits", with("foo", "2"), []uint64{7}},
				{"padded", with("foo", "3"), []uint64{7}},
				{"all", spandrel.Query{}, []uint64{7, 7, 7}},
			},
		},
		{
			name: "a twin with a short id and other services does not interfere",
			given: batches(storedTrace(5), batch(span(5, 1, service("other"), named("get")),
				span(5, 2, service("else"), tag("http.path", "/api")))),
			want: []found{
				{"long", of("frontend", with("http.path", "/api")), []uint64{5}},
				{"short", of("else", with("http.path", "/api")), []uint64{5}},
				{"mixed", of("other", with("http.path", "/api")), nil},
			},
		},
		{
			name:  "a service is found by its whole name in its case",
			given: batches(storedTrace(1)),
			want: []found{
				{"right", spandrel.Query{Service: "frontend"}, []uint64{1}},
				{"of the shared half", spandrel.Query{Service: "backend"}, []uint64{1}},
				{"only called", spandrel.Query{Service: "db"}, nil},
				{"other case", spandrel.Query{Service: "Frontend"}, nil},
				{"beginning", spandrel.Query{Service: "front"}, nil},
				{"longer", spandrel.Query{Service: "frontends"}, nil},
				{"wrong", spandrel.Query{Service: "frontend2"}, nil},
			},
		},
		{
			name:  "a remote service is found as peer.service",
			given: batches(storedTrace(1)),
			want: []found{
				{"right", of("frontend", with("peer.service", "backend")), []uint64{1}},
				{"without service", with("peer.service", "db"), []uint64{1}},
				{"of another span", of("frontend", with("peer.service", "db")), nil},
				{"own name", of("frontend", with("peer.service", "frontend")), nil},
				{"other case", with("peer.service", "Backend"), nil},
			},
		},
		{
			name:  "an operation is found with or without its service",
			given: batches(storedTrace(1), batch(span(2, 1, service("backend"), named("put"), after(ms)))),
			want: []found{
				{"with service", spandrel.Query{Service: "backend", Operation: "get"}, []uint64{1}},
				{"alone", spandrel.Query{Operation: "put"}, []uint64{2}},
				{"of another service", spandrel.Query{Service: "frontend", Operation: "put"}, nil},
				{"wrong", spandrel.Query{Operation: "gets"}, nil},
				{"other case", spandrel.Query{Operation: "GET"}, nil},
			},
		},
		{
			name: "service and operation are those of one span",
			given: batches(batch(span(1, 1, service("a"), named("x")), span(1, 2, service("b"), named("y"))),
				batch(span(2, 1, service("a"), named("y"), after(ms)))),
			want: []found{
				{"one span", spandrel.Query{Service: "a", Operation: "y"}, []uint64{2}},
				{"no span", spandrel.Query{Service: "b", Operation: "x"}, nil},
			},
		},
		{
			name: "service and tag are those of one span",
			given: batches(
				batch(span(1, 1, service("frontend"), kind(spandrel.KindClient), tag("local", "web"), tag("web-b", "1"), event(ms, "web")),
					span(1, 1, service("backend"), kind(spandrel.KindServer), flags(spandrel.FlagShared))),
				batch(span(2, 1, service("frontend"), kind(spandrel.KindClient)),
					span(2, 1, service("backend"), kind(spandrel.KindServer), flags(spandrel.FlagShared), after(ms),
						tag("local", "web"), tag("web-b", "1"), event(ms, "web")))),
			want: []found{
				{"event in front", of("frontend", with("event", "web")), []uint64{1}},
				{"event behind", of("backend", with("event", "web")), []uint64{2}},
				{"tag in front", of("frontend", with("local", "web")), []uint64{1}},
				{"tag behind", of("backend", with("web-b", "1")), []uint64{2}},
				{"anywhere", with("local", "web"), []uint64{2, 1}},
			},
		},
		{
			name:  "an operation name with odd characters is found",
			given: batches(batch(span(1, 1, service("a"), named(`{"foo":"bar"}`)), span(1, 2, service("a"), named("GET /*?a=b&c=%2F")))),
			want: []found{
				{"JSON", spandrel.Query{Service: "a", Operation: `{"foo":"bar"}`}, []uint64{1}},
				{"URL", spandrel.Query{Operation: "GET /*?a=b&c=%2F"}, []uint64{1}},
				{"star is no pattern", spandrel.Query{Operation: "GET /*"}, nil},
			},
		},
		{
			name: "names that begin alike are not confused",
			given: batches(batch(span(1, 1, service("a"), named("b"))), batch(span(2, 1, service("ab"), after(1*ms))),
				batch(span(3, 1, service("a\x00"), named("b"), after(2*ms))), batch(span(4, 1, service("a\x00b"), after(3*ms)))),
			want: []found{
				{"a", spandrel.Query{Service: "a"}, []uint64{1}},
				{"ab", spandrel.Query{Service: "ab"}, []uint64{2}},
				{"a, b", spandrel.Query{Service: "a", Operation: "b"}, []uint64{1}},
				{"a NUL", spandrel.Query{Service: "a\x00"}, []uint64{3}},
				{"a NUL b", spandrel.Query{Service: "a\x00b"}, []uint64{4}},
				{"a NUL b, b", spandrel.Query{Service: "a\x00b", Operation: "b"}, nil},
			},
		},
		{
			name: "spans without a service are found under one name",
			given: batches(batch(span(1, 1, named("x")), span(1, 2, service("a"), after(ms))),
				batch(span(2, 1, service(spandrel.MissingService), named("x"), after(2*ms)))),
			want: []found{
				{"both", spandrel.Query{Service: spandrel.MissingService}, []uint64{2, 1}},
				{"with operation", spandrel.Query{Service: spandrel.MissingService, Operation: "x"}, []uint64{2, 1}},
				{"other", spandrel.Query{Service: "a", Operation: "x"}, nil},
			},
		},
		{
			name: "debug and shared halves are found by what each says",
			given: batches(batch(span(1, 1, service("a"), kind(spandrel.KindClient), flags(spandrel.FlagDebug)),
				span(1, 1, service("b"), kind(spandrel.KindServer), flags(spandrel.FlagShared), after(ms)))),
			want: []found{
				{"caller", of("a", with("span.kind", "client")), []uint64{1}},
				{"callee", of("b", with("span.kind", "server")), []uint64{1}},
				{"crossed", of("a", with("span.kind", "server")), nil},
			},
		},
		{
			name: "spans that share an id and nothing else are all searched",
			given: batches(batch(span(1, 1, service("a"), tag("n", "1"))), batch(span(1, 1, service("a"), tag("n", "2"))),
				batch(span(1, 1, service("b"), named("x")))),
			want: []found{
				{"first", with("n", "1"), []uint64{1}},
				{"second", with("n", "2"), []uint64{1}},
				{"third", spandrel.Query{Service: "b", Operation: "x"}, []uint64{1}},
				{"no span is both", with("n", "1", "n", "2"), nil},
			},
		},
		{
			name: "all conditions at once are met by one span",
			given: batches(
				batch(span(1, 1, service("a"), named("x"), tag("k", "v"), lasting(10*ms))),
				batch(span(2, 1, service("b"), named("x"), tag("k", "v"), lasting(10*ms))),
				batch(span(3, 1, service("a"), named("y"), tag("k", "v"), lasting(10*ms))),
				batch(span(4, 1, service("a"), named("x"), tag("k", "w"), lasting(10*ms))),
				batch(span(5, 1, service("a"), named("x"), tag("k", "v"), lasting(9*ms))),
				batch(span(6, 1, service("a"), named("x"), tag("k", "v"), lasting(11*ms))),
				batch(span(7, 1, service("a"), named("x"), tag("k", "v"), lasting(10*ms), after(-1))),
				batch(span(8, 1, service("a"), named("x"), tag("k", "v"), lasting(10*ms), after(1))),
				batch(span(9, 1, service("a"), named("x"), tag("k", "v")), span(9, 2, service("a"), named("x"), lasting(10*ms)))),
			want: []found{{"all", spandrel.Query{Service: "a", Operation: "x", Tags: []spandrel.TagCondition{{Key: "k", Value: "v"}},
				MinStart: at(0), MaxStart: at(0), MinDuration: int64(10 * ms), MaxDuration: int64(10 * ms)}, []uint64{1}}},
		},
	}
}
