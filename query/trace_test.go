package query

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
)

var id1 = spandrel.TraceID{Low: 1}

func span(id, parent spandrel.SpanID, kind spandrel.Kind, service string, start, duration int64) spandrel.Span {
	return spandrel.Span{TraceID: id1, ID: id, ParentID: parent, Kind: kind, Start: start, Duration: duration,
		Local: spandrel.Endpoint{Service: service}}
}

func shared(s spandrel.Span) spandrel.Span {
	s.Flags |= spandrel.FlagShared
	return s
}

func TestSharedIDsAreSeparated(t *testing.T) {
	trace := Assemble([]spandrel.Span{
		span(5, 1, spandrel.KindClient, "front", 10, 100),
		shared(span(5, 1, spandrel.KindServer, "back", 20, 80)),
		span(6, 5, spandrel.KindClient, "back", 30, 10), // the server's child
		span(7, 5, spandrel.KindNone, "front", 30, 10),  // the client's own
	})
	client, server, viaServer, viaClient := trace.Spans[0], trace.Spans[1], trace.Spans[2], trace.Spans[3]
	if client.ViewID != 5 || client.ViewParentID != 1 || client.Parent != -1 {
		t.Errorf("client half is %v below %v (%d), want 5 below the missing 1", client.ViewID, client.ViewParentID, client.Parent)
	}
	if server.ViewID == 5 || server.ViewParentID != 5 || server.Parent != 0 {
		t.Errorf("server half is %v below %v, want another id below 5", server.ViewID, server.ViewParentID)
	}
	if viaServer.ViewParentID != server.ViewID || viaServer.Parent != 1 {
		t.Errorf("child of the server is below %v, want %v", viaServer.ViewParentID, server.ViewID)
	}
	if viaClient.ViewParentID != 5 || viaClient.Parent != 0 {
		t.Errorf("child of the client is below %v, want 5", viaClient.ViewParentID)
	}
}

func TestRetriedServersGetAnIDEach(t *testing.T) {
	trace := Assemble([]spandrel.Span{
		span(5, 0, spandrel.KindClient, "front", 10, 100),
		shared(span(5, 0, spandrel.KindServer, "back", 20, 10)),
		shared(span(5, 0, spandrel.KindServer, "back", 50, 10)),
	})
	if a, b := trace.Spans[1], trace.Spans[2]; a.ViewID == b.ViewID || a.ViewParentID != 5 || b.ViewParentID != 5 {
		t.Errorf("servers are %v below %v and %v below %v, want two ids below 5", a.ViewID, a.ViewParentID, b.ViewID, b.ViewParentID)
	}
}

func TestViewIDsStayWhenMoreSpansArrive(t *testing.T) {
	spans := []spandrel.Span{
		span(5, 0, spandrel.KindClient, "front", 10, 100),
		shared(span(5, 0, spandrel.KindServer, "back", 20, 0)),
	}
	before := Assemble(spans).Spans[1].ViewID
	finished := spans[1]
	finished.Duration = 80
	spans = append(spans, finished, // the late part of the same span
		shared(span(5, 0, spandrel.KindServer, "back", 15, 10)), // an earlier attempt
		span(9, 5, spandrel.KindClient, "back", 30, 1))
	after := Assemble(spans)
	if got := after.Spans[2]; got.Duration != 80 || got.ViewID != before {
		t.Errorf("server of duration %d has id %v, want 80 and still %v", got.Duration, got.ViewID, before)
	}
}

func TestALoneSharedSpanKeepsItsID(t *testing.T) {
	trace := Assemble([]spandrel.Span{shared(span(5, 1, spandrel.KindServer, "back", 20, 80))})
	if s := trace.Spans[0]; s.ViewID != 5 || s.ViewParentID != 1 || s.Warnings != nil {
		t.Errorf("got %v below %v, warnings %q; want 5 below 1 and none", s.ViewID, s.ViewParentID, s.Warnings)
	}
}

func TestParentsThatCannotBe(t *testing.T) {
	trace := Assemble([]spandrel.Span{
		span(1, 1, 0, "a", 1, 1), // its own parent
		span(2, 3, 0, "a", 2, 1), // a circle
		span(3, 2, 0, "a", 3, 1),
	})
	var got []string
	for _, s := range trace.Spans {
		got = append(got, fmt.Sprintf("%d<%d %q", s.ViewID, s.ViewParentID, s.Warnings))
	}
	want := []string{`1<0 []`,
		`2<0 ["parent 0000000000000003 not shown: it is a descendant of this span"]`, `3<2 []`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestEveryTraceIsAForestOfUniqueIDs tries traces in which ids collide in
// every way, each in two orders.
func TestEveryTraceIsAForestOfUniqueIDs(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 7))
		spans := collidingSpans(rng, 1+rng.IntN(40))
		want := Assemble(spans)
		checkForest(t, seed, want)
		other := slices.Clone(spans) // the trace shares them
		rng.Shuffle(len(other), func(i, j int) { other[i], other[j] = other[j], other[i] })
		if diff := cmp.Diff(outline(want), outline(Assemble(other))); diff != "" {
			t.Fatalf("seed %d: shuffled: %s", seed, diff)
		}
	}
}

func collidingSpans(rng *rand.Rand, n int) []spandrel.Span {
	spans := make([]spandrel.Span, n)
	for i := range spans {
		spans[i] = span(spandrel.SpanID(1+rng.IntN(6)), spandrel.SpanID(rng.IntN(8)), spandrel.Kind(rng.IntN(6)),
			string(rune('a'+rng.IntN(2))), int64(1+rng.IntN(3)), int64(rng.IntN(3)))
		spans[i].Flags = spandrel.Flags(rng.IntN(8))
		spans[i].Name = string(rune('a' + rng.IntN(3)))
	}
	return spans
}

func checkForest(t *testing.T, seed uint64, trace *Trace) {
	t.Helper()
	ids := map[spandrel.SpanID]int{0: -1}
	for i, s := range trace.Spans {
		if _, ok := ids[s.ViewID]; ok {
			t.Fatalf("seed %d: id %v twice or 0", seed, s.ViewID)
		}
		ids[s.ViewID] = i
	}
	for i, s := range trace.Spans {
		switch parent, known := ids[s.ViewParentID]; {
		case s.Parent >= len(trace.Spans) || s.Parent < -1:
			t.Fatalf("seed %d: span %d has parent %d of %d", seed, i, s.Parent, len(trace.Spans))
		case known && parent != s.Parent, !known && s.Parent >= 0:
			t.Fatalf("seed %d: span %d names parent %v, which is %d, not %d", seed, i, s.ViewParentID, parent, s.Parent)
		}
		steps := 0
		for at := i; at >= 0; at = trace.Spans[at].Parent {
			if steps++; steps > len(trace.Spans) {
				t.Fatalf("seed %d: span %d is its own ancestor", seed, i)
			}
		}
	}
}

func outline(trace *Trace) []string {
	var out []string
	for _, s := range trace.Spans {
		out = append(out, fmt.Sprintf("%v<%v(%d) %s %v %d+%d %q", s.ViewID, s.ViewParentID, s.Parent, s.Name, s.Kind, s.Start, s.Duration, s.Warnings))
	}
	return out
}
