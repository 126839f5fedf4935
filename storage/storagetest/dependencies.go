package storagetest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spandrel/spandrel"
)

// dependencyBehaviours are about Dependencies: which calls a trace shows is
// for spandrel.Calls to say, here it must say the same however the trace got
// into the store.
func dependencyBehaviours() []behaviour {
	all := []behaviour{{name: "an empty store has no dependencies", check: linked("")}}
	for _, d := range dependencyTraces {
		all = append(all, behaviour{name: d.name, given: linkedSpans(d.traces), check: linked(d.links)})
	}
	return append(all, dependencyWindows()...)
}

// dependencyTraces are Zipkin's examples. A span is "id<parent KIND
// local->remote", "-" = no name, S = shared id, ! = error; ";" ends a span and
// "|" a trace. Links are "parent->child calls/errors", errors only if any.
var dependencyTraces = []struct{ name, traces, links string }{
	{"a server, a shared call and a database",
		"1 SERVER frontend; 2<1 CLIENT frontend->backend; 2<1 S SERVER backend; 3<2 CLIENT backend->db !", "backend->db 1/1, frontend->backend 1"},
	{"without the root", "2<1 CLIENT frontend->backend; 2<1 S SERVER backend; 3<2 CLIENT backend->db !", "backend->db 1/1, frontend->backend 1"},
	{"all instrumented", "10 SERVER one; 20<10 CLIENT one; 20<10 S SERVER two; 30<20 CLIENT two; 30<20 S SERVER three", "one->two 1, two->three 1"},
	{"halves with ids of their own", "1 CLIENT gateway; 2<1 SERVER web; 3<2 CLIENT web; 4<3 SERVER db", "gateway->web 1, web->db 1"},
	{"a service that calls itself", "1 SERVER frontend; 2<1 CLIENT frontend->frontend", "frontend->frontend 1"},
	{"a server called by a queue", "20 SERVER frontend->kafka; 21<20 CLIENT frontend; 21<20 S SERVER backend; 22<21 CLIENT backend->db",
		"backend->db 1, frontend->backend 1, kafka->frontend 1"},
	{"through a broker", "10 PRODUCER frontend->kafka; 11<10 CONSUMER backend->kafka", "frontend->kafka 1, kafka->backend 1"},
	{"a missing span between", "20 SERVER frontend; 22<21 CLIENT backend", ""},
	{"no kinds but both ends", "1 NONE kafka->frontend; 2<1 NONE frontend->backend; 3<2 NONE backend->db",
		"backend->db 1, frontend->backend 1, kafka->frontend 1"},
	{"local spans between", "1 SERVER frontend; 2<1 NONE frontend; 3<2 NONE frontend; 4<3 CLIENT frontend->backend; 4<3 S SERVER backend; 5<4 NONE backend; 6<5 CLIENT backend->db",
		"backend->db 1, frontend->backend 1"},
	{"a server whose client is only named", "1 SERVER backend->kafka; 2<1 NONE backend", "kafka->backend 1"},
	{"halves without a parent, callee first", "2 S SERVER link->arn; 2 CLIENT arn->link; 1 SERVER arn", "arn->link 1"},
	{"a consumer only", "1 PRODUCER producer; 2<1 CONSUMER consumer->kafka", "kafka->consumer 1"},
	{"a producer only", "1 PRODUCER producer->kafka; 2<1 CONSUMER consumer", "producer->kafka 1"},
	{"different brokers", "1 PRODUCER producer->kafka1; 2<1 CONSUMER consumer->kafka2", "kafka2->consumer 1, producer->kafka1 1"},
	{"a producer answered by a server", "1 PRODUCER producer; 2<1 SERVER server", "producer->server 1"},
	{"a root server that names its client", "1 SERVER server->client", "client->server 1"},
	{"a root client that names its server", "1 CLIENT client->server", "client->server 1"},
	{"clients without a name", "1 SERVER client; 2<1 CLIENT -->server; 3<1 CLIENT -->server", "client->server 2"},
	{"the same trace twice", "1 SERVER a; 2<1 CLIENT a->b | 1 SERVER a; 2<1 CLIENT a->b", "a->b 2"},
	{"an error of the caller", "1 CLIENT client !; 2<1 SERVER server", "client->server 1/1"},
	{"an error of the callee", "1 CLIENT client; 2<1 SERVER server !", "client->server 1/1"},
	{"an error of both is one", "1 CLIENT client !; 2<1 SERVER server !", "client->server 1/1"},
	{"one of two attempts fails", "1 CLIENT client->server; 2<1 SERVER server !; 3<1 SERVER server", "client->server 2/1"},
	{"clients below a span that says nothing", "1 SERVER foo; 2<1 NONE -; 3<2 CLIENT bar->baz !; 4<2 CLIENT bar->baz", "bar->baz 2/1, foo->bar 2"},
	{"names missing on either side", "1 SERVER a | 1 CLIENT a | 1 SERVER -->- | 1 CLIENT -->b", ""},
	{"orphans are strangers", "2<1 SERVER a; 3<1 SERVER b", ""},
	{"an orphan's child", "2<1 SERVER service1; 3<2 SERVER service2", "service1->service2 1"},
	{"a client called by a server", "1 SERVER web; 2<1 CLIENT app", "web->app 1"},
	{"no kinds, two services", "1 NONE a; 2<1 NONE b", "a->b 1"},
	{"nothing but ids", "1 NONE -; 2<1 NONE -", ""},
	{"a circle", "1<2 CLIENT a; 2<1 SERVER b", "a->b 1"},
}

// linkedSpans reads the notation of dependencyTraces: one Write a trace, of
// ids 1, 2 … Spans begin one millisecond after the other.
func linkedSpans(traces string) [][]spandrel.Span {
	var all [][]spandrel.Span
	for i, trace := range strings.Split(traces, "|") {
		var spans []spandrel.Span
		for k, text := range strings.Split(trace, ";") {
			spans = append(spans, linkedSpan(uint64(i+1), text, time.Duration(k)*ms))
		}
		all = append(all, spans)
	}
	return all
}

func linkedSpan(trace uint64, text string, start time.Duration) spandrel.Span {
	words := strings.Fields(text)
	ids := strings.Split(words[0], "<")
	s := span(trace, number(ids[0]), after(start))
	if len(ids) > 1 {
		s.ParentID = spandrel.SpanID(number(ids[1]))
	}
	for _, w := range words[1:] {
		switch w {
		case "S":
			s.Flags |= spandrel.FlagShared
		case "!":
			tag("error", "")(&s)
		case "SERVER", "CLIENT", "PRODUCER", "CONSUMER", "NONE":
			s.Kind = spandrel.ParseKind(w)
		default:
			local, remote, _ := strings.Cut(w, "->")
			s.Local.Service, s.Remote.Service = strings.Trim(local, "-"), strings.Trim(remote, "-")
		}
	}
	return s
}

func number(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// linked checks the dependencies of all time; that they are the oracle's is
// checked everywhere.
func linked(links string) func(*check) {
	return func(c *check) {
		c.Helper()
		if got := linkText(c.dependencies(time.Unix(0, 0), time.Unix(1<<34, 0))); got != links {
			c.Errorf("dependencies are %q, want %q", got, links)
		}
	}
}

func linkText(links []spandrel.Dependency) string {
	var texts []string
	for _, l := range links {
		text := fmt.Sprintf("%s->%s %d", l.Parent, l.Child, l.Calls)
		if l.Errors > 0 {
			text += fmt.Sprintf("/%d", l.Errors)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

// linkedWindow is the answer to a range of time after Epoch.
type linkedWindow struct {
	name     string
	from, to time.Duration
	links    string
}

func linkedWindows(windows ...linkedWindow) func(*check) {
	return func(c *check) {
		c.Helper()
		begin := Epoch.Add(c.shift)
		for _, w := range windows {
			if got := linkText(c.dependencies(begin.Add(w.from), begin.Add(w.to))); got != w.links {
				c.Errorf("%s: dependencies are %q, want %q", w.name, got, w.links)
			}
		}
	}
}

func dependencyWindows() []behaviour {
	const day, minute = 24 * time.Hour, time.Minute
	call := func(trace uint64, start time.Duration, from, to string) []spandrel.Span {
		return batch(span(trace, 1, kind(spandrel.KindClient), service(from), after(start-ms)),
			span(trace, 2, parent(1), kind(spandrel.KindServer), service(to), after(start)))
	}
	yesterday := storedTrace(2)
	for i := range yesterday {
		yesterday[i].Start -= int64(day)
	}
	return []behaviour{
		{
			name:  "two days are the sum of each",
			given: batches(storedTrace(1), yesterday),
			check: linkedWindows(
				linkedWindow{"today", 0, day, "backend->db 1/1, frontend->backend 1"},
				linkedWindow{"yesterday", -day, 0, "backend->db 1/1, frontend->backend 1"},
				linkedWindow{"both", -day, day, "backend->db 2/2, frontend->backend 2"},
				linkedWindow{"before", -3 * day, -day, ""},
				linkedWindow{"after", day, 3 * day, ""}),
		},
		{
			name: "ranges are whole minutes that touch the range",
			given: batches(call(1, -1, "a", "b"), call(2, 0, "a", "c"), call(3, minute-1, "a", "d"), call(4, minute, "a", "e"),
				call(5, 2*minute, "a", "f")),
			check: linkedWindows(
				linkedWindow{"a minute", 0, minute, "a->c 1, a->d 1"},
				linkedWindow{"its first moment", 0, 1, "a->c 1, a->d 1"},
				linkedWindow{"its last moment", minute - 1, minute, "a->c 1, a->d 1"},
				linkedWindow{"a moment in it", 5 * time.Second, 5*time.Second + 1, "a->c 1, a->d 1"},
				linkedWindow{"one more moment", 0, minute + 1, "a->c 1, a->d 1, a->e 1"},
				linkedWindow{"one earlier moment", -1, minute, "a->b 1, a->c 1, a->d 1"},
				linkedWindow{"no time", minute, minute, ""},
				linkedWindow{"upside down", 3 * minute, 0, ""},
				linkedWindow{"all", -minute, 3 * minute, "a->b 1, a->c 1, a->d 1, a->e 1, a->f 1"}),
		},
		{
			name: "halves in different minutes are one call, when it was answered",
			given: batches(batch(span(1, 1, kind(spandrel.KindClient), service("a"), after(-ms), tag("error", ""))),
				batch(span(1, 2, parent(1), kind(spandrel.KindServer), service("b"), after(ms)))),
			check: linkedWindows(
				linkedWindow{"before", -minute, 0, ""},
				linkedWindow{"then", 0, minute, "a->b 1/1"}),
		},
		{
			name: "parents that come late correct the dependencies",
			given: batches(batch(span(1, 3, parent(2), kind(spandrel.KindServer), service("c"), after(2*ms))),
				batch(span(1, 1, kind(spandrel.KindServer), service("a"))),
				batch(span(1, 2, parent(1), kind(spandrel.KindClient), service("a"), remote("b"), after(ms)))),
			check: linked("a->c 1"),
		},
		{
			name:  "duplicates are counted once",
			given: batches(storedTrace(1), storedTrace(1), storedTrace(1)[1:3], storedTrace(1)[3:]),
			check: linked("backend->db 1/1, frontend->backend 1"),
		},
		{
			name: "every pair of many services is counted",
			given: func() [][]spandrel.Span {
				var all []spandrel.Span
				for i := range uint64(256) {
					name := func(s string) string { return fmt.Sprint(s, "-", i) }
					all = append(all, span(1+i, 1, kind(spandrel.KindServer), service(name("web"))),
						span(1+i, 2, parent(1), kind(spandrel.KindServer), service(name("app")), after(ms)),
						span(1+i, 3, parent(2), kind(spandrel.KindClient), service(name("app")), remote(name("db")), after(2*ms)))
				}
				return batches(all)
			}(),
			check: func(c *check) {
				got := c.dependencies(Epoch.Add(c.shift), Epoch.Add(c.shift+minute))
				if len(got) != 512 {
					c.Errorf("%d dependencies, want 512", len(got))
				}
			},
		},
	}
}
