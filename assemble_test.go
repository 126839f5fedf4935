package spandrel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var equalValues = cmp.Options{cmp.AllowUnexported(Value{}), cmpopts.EquateComparable(Endpoint{})}

func TestAssembleDropsSpansSentTwice(t *testing.T) {
	a := Span{ID: 1, Start: 10, Duration: 5, Name: "a", Tags: []Tag{{"k", StringValue("v")}}}
	noStart := Span{ID: 2, Start: 11, Flags: FlagNoStart, Name: "b"}
	again := noStart
	again.Start = 99
	other := a
	other.Tags = []Tag{{"k", BoolValue(true)}}
	got := Assemble([]Span{a, noStart, a, other, again})
	if len(got) != 3 {
		t.Fatalf("got %d spans, want 3: %v", len(got), got)
	}
}

func TestAssembleMergesPartsOfOneSpan(t *testing.T) {
	begin := Span{ID: 1, ParentID: 7, Kind: KindClient, Start: 10, Name: "get", Local: Endpoint{Service: "a"},
		Tags: []Tag{{"k", StringValue("v")}}, Events: []Event{{Time: 20, Name: "later"}}}
	end := Span{ID: 1, Start: 500, Flags: FlagNoStart | FlagDebug, Duration: 5, Remote: Endpoint{Service: "b"},
		Tags: []Tag{{"k", StringValue("v")}, {"l", StringValue("w")}}, Events: []Event{{Time: 15, Name: "sooner"}}}
	want := []Span{{ID: 1, ParentID: 7, Kind: KindClient, Start: 10, Duration: 5, Flags: FlagDebug, Name: "get",
		Local: Endpoint{Service: "a"}, Remote: Endpoint{Service: "b"},
		Tags:   []Tag{{"k", StringValue("v")}, {"l", StringValue("w")}},
		Events: []Event{{Time: 15, Name: "sooner"}, {Time: 20, Name: "later"}}}}
	for _, spans := range [][]Span{{begin, end}, {end, begin}} {
		if diff := cmp.Diff(want, whole(Assemble(spans)), equalValues); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAssembleKeepsSpansThatOnlyShareAnID(t *testing.T) {
	client := Span{ID: 1, Kind: KindClient, Start: 10, Duration: 9, Local: Endpoint{Service: "a"}}
	tests := []struct {
		name  string
		other Span
	}{
		{"server half", Span{ID: 1, Kind: KindServer, Flags: FlagShared, Start: 11, Duration: 7, Local: Endpoint{Service: "b"}}},
		{"another kind without a duration", Span{ID: 1, Kind: KindServer, Start: 10, Local: Endpoint{Service: "a"}}},
		{"another service without a duration", Span{ID: 1, Kind: KindClient, Start: 10, Local: Endpoint{Service: "b"}}},
		{"whole, differs in a tag", Span{ID: 1, Kind: KindClient, Start: 10, Duration: 9, Local: Endpoint{Service: "a"}, Tags: []Tag{{"k", Value{}}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Assemble([]Span{tt.other, client}); len(got) != 2 {
				t.Errorf("got %d spans, want both", len(got))
			}
		})
	}
}

func TestAssembleDoesNotChangeItsInput(t *testing.T) {
	spans := randomTrace(rand.New(rand.NewPCG(1, 1)), 50)
	before := slices.Clone(spans)
	Assemble(spans)
	if diff := cmp.Diff(before, spans, equalValues); diff != "" {
		t.Error(diff)
	}
}

func TestAssemblyIsTheSameWhateverTheOrder(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 2))
		spans := randomTrace(rng, 1+rng.IntN(40))
		first := Assemble(spans)
		want, wantParents := whole(first), Parents(first)
		rng.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
		cut := rng.IntN(len(spans) + 1)
		got := Assemble(spans[:cut], spans[cut:])
		if diff := cmp.Diff(want, whole(got), equalValues); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
		if diff := cmp.Diff(wantParents, Parents(got)); diff != "" {
			t.Fatalf("seed %d: parents: %s", seed, diff)
		}
		for i := range got {
			steps := 0
			for at := i; at >= 0; at = wantParents[at] {
				if steps++; steps > len(got) {
					t.Fatalf("seed %d: span %d is its own ancestor", seed, i)
				}
			}
		}
		if again := Assemble(whole(got)); len(again) != len(got) {
			t.Fatalf("seed %d: assembling twice leaves %d of %d spans", seed, len(again), len(got))
		}
	}
}

// whole is what the pointers point to.
func whole(pointers []*Span) []Span {
	spans := make([]Span, len(pointers))
	for i, s := range pointers {
		spans[i] = *s
	}
	return spans
}

// randomTrace has few ids, so that they collide, and whole and partial spans.
func randomTrace(rng *rand.Rand, n int) []Span {
	var spans []Span
	for range n {
		s := Span{ID: SpanID(1 + rng.IntN(8)), ParentID: SpanID(rng.IntN(8)), Kind: Kind(rng.IntN(6)),
			Start: int64(1 + rng.IntN(3)), Duration: int64(rng.IntN(3)), Name: string(rune('a' + rng.IntN(2)))}
		s.Local.Service = string(rune('p' + rng.IntN(3)))
		if rng.IntN(3) == 0 {
			s.Flags |= FlagShared
		}
		if rng.IntN(4) == 0 {
			s.Tags = []Tag{{"k", IntValue(int64(rng.IntN(2)))}}
		}
		spans = append(spans, s)
	}
	return spans
}

func TestParents(t *testing.T) {
	tests := []struct{ name, spans, want string }{
		{"chain", "1 SERVER a; 2<1 CLIENT a; 3<2 SERVER b", "- 1a 2a"},
		{"orphan", "2<1 SERVER a; 3<2 CLIENT a", "- 2a"},
		{"own parent", "2<2 SERVER a", "-"},
		{"server half below client half", "1 SERVER a; 2<1 CLIENT a; 2<1 S SERVER b", "- 1a 2a"},
		{"shared flag lost", "1 SERVER a; 2<1 CLIENT a; 2<1 SERVER b", "- 1a 2a"},
		{"shared root pair", "1 CLIENT a; 1 S SERVER b", "- 1a"},
		{"server half alone", "1 SERVER a; 2<1 S SERVER b", "- 1a"},
		{"child of the server half's service", "2 CLIENT a; 2 S SERVER b; 3<2 CLIENT b", "- 2a 2b"},
		{"child of the client half's service", "2 CLIENT a; 2 S SERVER b; 3<2 a", "- 2a 2a"},
		{"child of a third service", "2 CLIENT a; 2 S SERVER b; 3<2 SERVER c", "- 2a 2b"},
		{"retried servers each have their children", "2 CLIENT a; 2 S SERVER b; 2 S SERVER c; 3<2 CLIENT c; 4<2 CLIENT b", "- 2a 2a 2c 2b"},
		{"two servers with one id are no pair", "1 SERVER a; 2<1 SERVER b; 2<1 SERVER c; 3<2 CLIENT c", "- 1a 1a 2c"},
		{"cycle is cut", "1<2 a; 2<1 b", "- 1a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spans := parseSpans(t, tt.spans)
			var got []string
			for _, p := range Parents(Pointers(spans)) {
				if p < 0 {
					got = append(got, "-")
				} else {
					got = append(got, fmt.Sprintf("%d%s", spans[p].ID, spans[p].Local.Service))
				}
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("parents = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestHostileTracesTakeLinearWork(t *testing.T) {
	const n = 20_000
	chain, same := make([]Span, n), make([]Span, n)
	for i := range n {
		chain[i] = Span{ID: SpanID(i + 1), ParentID: SpanID(i), Start: int64(i + 1)}
		same[i] = Span{ID: 1, ParentID: 1, Start: 1, Name: fmt.Sprint(i), Local: Endpoint{Service: fmt.Sprint(i % 100)}}
	}
	for _, spans := range [][]Span{chain, same} {
		if got := len(Assemble(spans)); got != n {
			t.Errorf("%d spans left of %d", got, n)
		}
		if got := Calls(spans); len(got) != 0 {
			t.Errorf("%d calls in spans that name no second service", len(got))
		}
	}
}
