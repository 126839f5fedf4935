package spandrel

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parseSpans reads one span a field: "id<parent KIND local->remote", with S
// for a shared id and ! for an error tag; local and remote may be missing.
func parseSpans(t *testing.T, text string) []Span {
	t.Helper()
	var spans []Span
	for i, line := range strings.Split(text, ";") {
		s := Span{TraceID: TraceID{Low: 1}, Start: int64(i + 1), Duration: 1}
		words := strings.Fields(line)
		id, parent, _ := strings.Cut(words[0], "<")
		fmt.Sscan(id, &s.ID)
		fmt.Sscan(parent, &s.ParentID)
		for _, w := range words[1:] {
			switch {
			case w == "S":
				s.Flags |= FlagShared
			case w == "!":
				s.Tags = []Tag{{"error", StringValue("")}}
			case ParseKind(w) != KindNone && strings.ToUpper(w) == w:
				s.Kind = ParseKind(w)
			default:
				s.Local.Service, s.Remote.Service, _ = strings.Cut(w, "->")
			}
		}
		spans = append(spans, s)
	}
	return spans
}

// The rows are those of Zipkin's DependencyLinkerTest and ITDependencies,
// except where the name says ours.
func TestCalls(t *testing.T) {
	tests := []struct{ name, spans, want string }{
		{"Zipkin's test trace", "1 SERVER frontend; 2<1 CLIENT frontend->backend; 2<1 S SERVER backend; 3<2 CLIENT backend->db !", "backend>db 1/1 frontend>backend 1/0"},
		{"root missing", "2<1 CLIENT frontend->backend; 2<1 S SERVER backend; 3<2 CLIENT backend->db !", "backend>db 1/1 frontend>backend 1/0"},
		{"all instrumented, shared ids", "10 SERVER one; 20<10 CLIENT one; 20<10 S SERVER two; 30<20 CLIENT two; 30<20 S SERVER three", "one>two 1/0 two>three 1/0"},
		{"all instrumented, own ids", "10 CLIENT gw; 20<10 SERVER one; 30<20 CLIENT one; 40<30 SERVER two", "gw>one 1/0 one>two 1/0"},
		{"shared flag lost", "10 SERVER one; 20<10 CLIENT one; 20<10 SERVER two", "one>two 1/0"},
		{"loopback", "1 SERVER frontend; 2<1 CLIENT frontend->frontend", "frontend>frontend 1/0"},
		{"messaging upstream of a server", "20 SERVER frontend->kafka; 21<20 CLIENT frontend; 21<20 S SERVER backend; 22<21 CLIENT backend->db", "backend>db 1/0 frontend>backend 1/0 kafka>frontend 1/0"},
		{"producer and consumer name the broker", "10 PRODUCER frontend->kafka; 11<10 CONSUMER backend->kafka", "frontend>kafka 1/0 kafka>backend 1/0"},
		{"only the consumer names the broker", "10 PRODUCER producer; 11<10 CONSUMER consumer->kafka", "kafka>consumer 1/0"},
		{"only the producer names the broker", "10 PRODUCER producer->kafka; 11<10 CONSUMER consumer", "producer>kafka 1/0"},
		{"different brokers", "10 PRODUCER producer->kafka1; 11<10 CONSUMER consumer->kafka2", "kafka2>consumer 1/0 producer>kafka1 1/0"},
		{"nobody names the broker (ours: as Jaeger)", "10 PRODUCER producer; 11<10 CONSUMER consumer", "producer>consumer 1/0"},
		{"producer above a server", "10 PRODUCER a; 11<10 SERVER b", "a>b 1/0"},
		{"producer and server share an id", "10 PRODUCER a; 10 SERVER b", "a>b 1/0"},
		{"orphan client (ours: nobody knows who called it)", "20 SERVER frontend; 22<21 CLIENT backend", ""},
		{"local spans with both ends", "1 kafka->frontend; 2<1 frontend->backend; 3<2 backend->db", "backend>db 1/0 frontend>backend 1/0 kafka>frontend 1/0"},
		{"local spans between the calls", "1 SERVER frontend; 2<1 frontend; 3<2 frontend; 4<3 CLIENT frontend; 4<3 S SERVER backend; 5<4 backend; 6<5 CLIENT backend->db", "backend>db 1/0 frontend>backend 1/0"},
		{"root server with a remote client", "1 SERVER server->client", "client>server 1/0"},
		{"root client with a remote server", "1 CLIENT client->server", "client>server 1/0"},
		{"clients without a name of their own", "1 SERVER client; 2<1 CLIENT ->server; 3<1 CLIENT ->server", "client>server 2/0"},
		{"error on neither side", "1 CLIENT client; 2<1 SERVER server", "client>server 1/0"},
		{"error on the client", "1 CLIENT client !; 2<1 SERVER server", "client>server 1/1"},
		{"error on the server", "1 CLIENT client; 2<1 SERVER server !", "client>server 1/1"},
		{"error on both counts once", "1 CLIENT client !; 2<1 SERVER server !", "client>server 1/1"},
		{"one of two servers failed", "1 CLIENT client->server; 2<1 SERVER server !; 3<1 SERVER server", "client>server 2/1"},
		{"clients below local work, no server", "1 SERVER client; 2<1; 3<2 CLIENT server !; 4<2 CLIENT server !", "client>server 2/0"},
		{"clients of another service", "1 SERVER foo; 2<1; 3<2 CLIENT bar->baz !; 4<2 CLIENT bar->baz", "bar>baz 2/1 foo>bar 2/0"},
		{"lone server", "1 SERVER server", ""},
		{"lone client", "1 CLIENT client", ""},
		{"two orphan servers", "2<1 SERVER a; 3<1 SERVER b", ""},
		{"orphan server with a child server", "2<1 SERVER service1; 3<2 SERVER service2", "service1>service2 1/0"},
		{"client below a server, no remote", "1 SERVER web; 2<1 CLIENT app", "web>app 1/0"},
		{"client with local work only (ours)", "1 CLIENT app->db; 2<1 app", "app>db 1/0"},
		{"local work in another service (ours: as Jaeger)", "1 INTERNAL a; 2<1 INTERNAL b", "a>b 1/0"},
		{"two servers answered one client span", "1 CLIENT client; 2<1 SERVER server; 2<1 SERVER server", "client>server 2/0"},
		{"cycle", "1<2 SERVER a; 2<1 SERVER b", "a>b 1/0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spans := parseSpans(t, tt.spans)
			for range 2 {
				if got := sumCalls(Calls(spans)); got != tt.want {
					t.Errorf("calls = %q, want %q", got, tt.want)
				}
				slices.Reverse(spans)
			}
		})
	}
}

func TestCallsCountsDuplicatesOnce(t *testing.T) {
	spans := parseSpans(t, "1 SERVER frontend; 2<1 CLIENT frontend->backend; 2<1 S SERVER backend; 3<2 CLIENT backend->db !")
	if diff := cmp.Diff(Calls(spans), Calls(slices.Concat(spans, spans))); diff != "" {
		t.Error(diff)
	}
}

func sumCalls(calls []Call) string {
	sums := map[[2]string]*Dependency{}
	for _, c := range calls {
		d := sums[[2]string{c.Parent, c.Child}]
		if d == nil {
			d = &Dependency{Parent: c.Parent, Child: c.Child}
			sums[[2]string{c.Parent, c.Child}] = d
		}
		d.Calls++
		if c.Error {
			d.Errors++
		}
	}
	var out []string
	for _, d := range sums {
		out = append(out, fmt.Sprintf("%s>%s %d/%d", d.Parent, d.Child, d.Calls, d.Errors))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}
