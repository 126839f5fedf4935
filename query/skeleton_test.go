package query

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage/memory"
)

func serve(t *testing.T, o Options, spans ...spandrel.Span) *Service {
	t.Helper()
	store := memory.New(memory.Options{})
	for i := range spans {
		spans[i].Start = max(spans[i].Start, 1)
	}
	if err := store.Write(t.Context(), spans); err != nil {
		t.Fatal(err)
	}
	return New(store, o)
}

func skeleton(t *testing.T, svc *Service, tags ...string) *Skeleton {
	t.Helper()
	s, err := svc.Skeleton(t.Context(), id1, tags)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSkeletonsAreForestsInOrder tries traces in which ids collide in every way.
func TestSkeletonsAreForestsInOrder(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 9))
		spans := collidingSpans(rng, 1+rng.IntN(40))
		trace := Assemble(spans)
		s := newSkeleton(trace, nil).Skeleton
		if s.Rows != len(trace.Spans) {
			t.Fatalf("seed %d: %d rows of %d spans", seed, s.Rows, len(trace.Spans))
		}
		index := make(map[spandrel.SpanID]int)
		for i := range trace.Spans {
			index[trace.Spans[i].ViewID] = i
		}
		roots := 0
		for row, p := range s.Parent {
			span := &trace.Spans[index[s.ViewIDs[row]]]
			if int(p) >= row {
				t.Fatalf("seed %d: row %d below %d", seed, row, p)
			}
			if p < 0 {
				roots++
				if span.Parent >= 0 || s.Depth[row] != 0 {
					t.Fatalf("seed %d: row %d has no parent", seed, row)
				}
				continue
			}
			if s.ViewIDs[p] != trace.Spans[span.Parent].ViewID || s.Depth[row] != s.Depth[p]+1 || row >= int(p)+int(s.Size[p]) {
				t.Fatalf("seed %d: row %d of depth %d below %d of depth %d and size %d", seed, row, s.Depth[row], p, s.Depth[p], s.Size[p])
			}
			if next := row + int(s.Size[row]); next < s.Rows && s.Parent[next] == p && s.Starts[next] < s.Starts[row] {
				t.Fatalf("seed %d: siblings %d and %d are not by start", seed, row, next)
			}
		}
		if s.Roots+s.Orphans != roots {
			t.Errorf("seed %d: %d roots and %d orphans, want %d", seed, s.Roots, s.Orphans, roots)
		}
		for row, pair := range s.Pair {
			if pair >= 0 && s.Parent[row] != pair && s.Parent[pair] != int32(row) {
				t.Errorf("seed %d: rows %d and %d are no pair", seed, row, pair)
			}
		}
	}
}

func TestSkeletonSaysWhatItKnows(t *testing.T) {
	tag := func(key, value string) spandrel.Tag {
		return spandrel.Tag{Key: key, Value: spandrel.StringValue(value)}
	}
	client := span(5, 9, spandrel.KindClient, "front", 1000, 500)
	client.Tags = []spandrel.Tag{tag("component", "proxy"), tag("error", "true"), tag("http.status_code", "503"), tag("mine", "x"), tag("response_flags", "UH")}
	client.Events = []spandrel.Event{{Name: "cr"}}
	server := shared(span(5, 9, spandrel.KindServer, "back", 1100, 300))
	server.Events, server.Links = []spandrel.Event{{Name: "other"}}, []spandrel.Link{{ID: 3}}
	retried := shared(span(5, 9, spandrel.KindServer, "back", 1450, 10))
	retried.Flags |= spandrel.FlagDebug | spandrel.FlagNoStart
	svc := serve(t, Options{}, server, client, retried, client)
	s := skeleton(t, svc, "mine", "nothing")
	if diff := cmp.Diff([]uint8{RowError | RowOrphan, RowShared | RowEvents | RowLinks, RowShared | RowDebug | RowNoStart}, s.Flags); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int32{2, 0, 0}, s.Pair); diff != "" {
		t.Error(diff)
	}
	texts := map[string]string{}
	for _, c := range s.Texts {
		for _, n := range c.Values {
			texts[c.Name] += c.Dict[n] + ";"
		}
	}
	for name, want := range map[string]string{"service": "front;back;back;", "status": "503;;;", "response": "UH;;;", "tag:mine": "x;;;", "tag:nothing": ";;;"} {
		if texts[name] != want {
			t.Errorf("%s: %q, want %q", name, texts[name], want)
		}
	}
	if s.Errors != 1 || s.Orphans != 1 || s.Roots != 0 || s.MaxDepth != 1 || s.Start != 1000 || s.Duration != 500 || s.Proxy[0] != 1 || s.Shift != nil {
		t.Errorf("%+v", s)
	}
	details, missing, err := svc.Details(t.Context(), id1, []spandrel.SpanID{5, 6})
	if err != nil || len(details) != 3 || len(missing) != 1 {
		t.Fatalf("details %+v, %v, %v", details, missing, err)
	}
	known := map[spandrel.SpanID]bool{}
	for _, d := range details {
		known[d.ViewID] = true
	}
	for _, id := range s.ViewIDs {
		if !known[id] {
			t.Errorf("no details are of %v", id)
		}
	}
}

func TestSkeletonShiftsAsJaegerDoes(t *testing.T) {
	on := func(host string, s spandrel.Span) spandrel.Span {
		s.Local.IPv4 = netip.MustParseAddr(host)
		return s
	}
	spans := []spandrel.Span{
		on("10.0.0.1", span(1, 0, spandrel.KindClient, "a", 1000, 100)),
		on("10.0.0.2", span(2, 1, spandrel.KindServer, "b", 1200, 50)),
		on("10.0.0.2", span(3, 2, spandrel.KindClient, "b", 1210, 5)),
	}
	if s := skeleton(t, serve(t, Options{}, spans...)); s.Shift != nil {
		t.Errorf("shifted by %v though that is off", s.Shift)
	}
	s := skeleton(t, serve(t, Options{MaxClockSkew: time.Second}, spans...))
	if diff := cmp.Diff([]int64{0, -175, -175}, s.Shift); diff != "" || s.Warnings != nil {
		t.Errorf("%s%v", diff, s.Warnings)
	}
	if s.Starts[1] != 200 {
		t.Errorf("the start itself was changed to %d", s.Starts[1])
	}
}

func TestDeepAndWideTraces(t *testing.T) {
	const n = 100_000
	for name, parent := range map[string]func(i int) spandrel.SpanID{
		"chain":    func(i int) spandrel.SpanID { return spandrel.SpanID(i) },
		"siblings": func(i int) spandrel.SpanID { return spandrel.SpanID(min(i, 1)) },
	} {
		spans := make([]spandrel.Span, n)
		for i := range spans {
			spans[i] = span(spandrel.SpanID(i+1), parent(i), spandrel.KindNone, "a", int64(1+i), 1)
		}
		s := newSkeleton(Assemble(spans), nil).Skeleton
		depth := map[string]int{"chain": n - 1, "siblings": 1}[name]
		if s.Rows != n || s.MaxDepth != depth || s.Size[0] != n || s.Roots != 1 {
			t.Errorf("%s: %d rows of depth %d, the first of size %d", name, s.Rows, s.MaxDepth, s.Size[0])
		}
	}
}

func TestSummariesOfHugeTracesAreOfAPart(t *testing.T) {
	spans := make([]spandrel.Span, maxSummarySpans+5000)
	for i := range spans {
		spans[i] = span(spandrel.SpanID(i+1), 0, spandrel.KindNone, "a", int64(1+i), 1)
	}
	svc := serve(t, Options{}, spans...)
	result, err := svc.SearchSummaries(t.Context(), spandrel.Query{Limit: 1}, Any)
	if err != nil {
		t.Fatal(err)
	}
	if s := result.Traces[0]; s.Spans != len(spans) || !s.Partial {
		t.Errorf("%d spans, partial %v", s.Spans, s.Partial)
	}
}

// TestSummariesOfLargeTracesAreRemembered until they change, in their place.
func TestSummariesOfLargeTracesAreRemembered(t *testing.T) {
	store := memory.New(memory.Options{})
	svc := New(store, Options{})
	add := func(trace uint64, first, n int) {
		spans := make([]spandrel.Span, n)
		for i := range spans {
			spans[i] = span(spandrel.SpanID(first+i), 0, spandrel.KindNone, "a", int64(1000*trace)+int64(i), 1)
			spans[i].TraceID.Low = trace
		}
		if err := store.Write(t.Context(), spans); err != nil {
			t.Fatal(err)
		}
	}
	add(1, 1, 3)
	add(2, 1, largeTrace)
	add(3, 1, 4)
	add(4, 1, largeTrace+1)
	counts := func() (n []int) {
		t.Helper()
		result, err := svc.SearchSummaries(t.Context(), spandrel.Query{Limit: 10, MaxStart: 4000}, Any)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range result.Traces {
			n = append(n, s.Spans)
			if s.Matched == 0 {
				t.Errorf("trace %s matched nowhere", s.ID)
			}
		}
		return n
	}
	for round := range 3 {
		if diff := cmp.Diff([]int{largeTrace, largeTrace + 1, 4, 3}, counts()); diff != "" {
			t.Errorf("round %d: %s", round, diff)
		}
	}
	if len(svc.large.list) != 2 {
		t.Errorf("%d summaries are remembered", len(svc.large.list))
	}
	add(2, 90_000, 1)
	if diff := cmp.Diff([]int{largeTrace + 1, largeTrace + 1, 4, 3}, counts()); diff != "" {
		t.Error(diff)
	}
}

// TestSummariesHaveColumns also of traces whose summaries are remembered
// without, or with others.
func TestSummariesHaveColumns(t *testing.T) {
	long := strings.Repeat("é", maxColumnBytes)
	spans := make([]spandrel.Span, largeTrace)
	for i := range spans {
		spans[i] = spandrel.Span{TraceID: spandrel.TraceID{Low: 7}, ID: spandrel.SpanID(i + 1), Start: int64(i + 1), Tags: []spandrel.Tag{
			{Key: "n", Value: spandrel.IntValue(int64(i))}, {Key: "same", Value: spandrel.StringValue("x")}, {Key: "long", Value: spandrel.StringValue(long)},
		}}
	}
	svc := serve(t, Options{}, spans...)
	for _, columns := range [][]string{nil, {"n"}, {"same", "n", "none"}, nil, {"long"}} {
		var want map[string][]string
		for _, key := range columns {
			if values := map[string][]string{"n": {"0", "1", "2", "3", "4"}, "same": {"x"}, "long": {long[:maxColumnBytes] + "…"}}[key]; values != nil {
				if want == nil {
					want = map[string][]string{}
				}
				want[key] = values
			}
		}
		result, err := svc.SearchSummaries(t.Context(), spandrel.Query{Limit: 1}, Any, columns...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, result.Traces[0].Columns); diff != "" {
			t.Errorf("%v: %s", columns, diff)
		}
	}
}

// TestErrorsAnywhereInTheTrace tries both ways in which they are found.
func TestErrorsAnywhereInTheTrace(t *testing.T) {
	for _, failing := range []int{5, fewErrors + 50} {
		t.Run(fmt.Sprint(failing), func(t *testing.T) {
			var spans []spandrel.Span
			for i := range 2 * failing {
				a, b := span(1, 0, spandrel.KindServer, "a", int64(1000+i), 5), span(2, 1, spandrel.KindServer, "b", int64(1000+i), 5)
				a.TraceID.Low, b.TraceID.Low = uint64(1+i), uint64(1+i)
				if i%2 == 0 {
					b.Status = spandrel.StatusError
				}
				spans = append(spans, a, b)
			}
			svc := serve(t, Options{}, spans...)
			for limit, more := range map[int]bool{3: true, failing: false} {
				got, err := svc.SearchSummaries(t.Context(), spandrel.Query{Service: "a", Limit: limit}, ErrorsInTrace)
				if err != nil {
					t.Fatal(err)
				}
				if len(got.Traces) != limit || got.More != more || !got.Complete {
					t.Errorf("limit %d: %d traces, more %v, complete %v", limit, len(got.Traces), got.More, got.Complete)
				}
				for _, s := range got.Traces {
					if s.Errors != 1 {
						t.Errorf("trace %s has %d errors", s.ID, s.Errors)
					}
				}
			}
			none, err := svc.SearchSummaries(t.Context(), spandrel.Query{Service: "a", Limit: 3}, ErrorsInSpan)
			if err != nil || len(none.Traces) != 0 {
				t.Errorf("spans of a with errors: %+v, %v", none, err)
			}
		})
	}
}
