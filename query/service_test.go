package query

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
	"github.com/spandrel/spandrel/storage/memory"
)

// newService has n traces of two spans; trace i starts at second i.
func newService(t *testing.T, n int, o Options) (*Service, *memory.Store) {
	t.Helper()
	store := memory.New(memory.Options{})
	for i := 1; i <= n; i++ {
		start := int64(i) * int64(time.Second)
		client, server := span(1, 0, spandrel.KindClient, "front", start, 10), shared(span(1, 0, spandrel.KindServer, "back", start+100, 10))
		client.TraceID.Low, server.TraceID.Low = uint64(i), uint64(i)
		if err := store.Write(t.Context(), []spandrel.Span{server, client, server}); err != nil {
			t.Fatal(err)
		}
	}
	return New(store, o), store
}

func lows(t *testing.T, traces iter.Seq2[*Trace, error]) (ids []uint64) {
	t.Helper()
	for trace, err := range traces {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, trace.ID.Low)
	}
	return ids
}

func TestSearchYieldsWholeTracesNewestFirst(t *testing.T) {
	s, _ := newService(t, 100, Options{})
	var want []uint64
	for i := uint64(100); i > 10; i-- {
		want = append(want, i)
	}
	if diff := cmp.Diff(want, lows(t, s.Search(t.Context(), spandrel.Query{Service: "back", Limit: 90}))); diff != "" {
		t.Error(diff)
	}
	for trace, err := range s.Search(t.Context(), spandrel.Query{Service: "back"}) {
		if err != nil || len(trace.Spans) != 2 {
			t.Errorf("got %d spans, error %v; want both halves", len(trace.Spans), err)
		}
		break // and stopping is fine
	}
}

func TestTraceIsFoundOrNot(t *testing.T) {
	s, _ := newService(t, 1, Options{})
	trace, err := s.Trace(t.Context(), id1)
	if err != nil || len(trace.Spans) != 2 || trace.ID != id1 {
		t.Errorf("got %+v, error %v", trace, err)
	}
	if _, err := s.Trace(t.Context(), spandrel.TraceID{Low: 9}); !errors.Is(err, ErrNotFound) {
		t.Errorf("got error %v, want ErrNotFound", err)
	}
}

func TestTracesKeepTheOrderOfTheIDs(t *testing.T) {
	s, _ := newService(t, 3, Options{})
	got := lows(t, s.Traces(t.Context(), []spandrel.TraceID{{Low: 2}, {Low: 7}, {Low: 3}, {Low: 1}}))
	if diff := cmp.Diff([]uint64{2, 3, 1}, got); diff != "" {
		t.Error(diff)
	}
}

func TestRawGivesSpansAsStored(t *testing.T) {
	s, _ := newService(t, 1, Options{MaxClockSkew: time.Hour})
	trace, err := s.Raw().Trace(t.Context(), id1)
	if err != nil {
		t.Fatal(err)
	}
	for _, span := range trace.Spans {
		if span.ViewID != 1 || span.ViewParentID != 0 || span.Parent != -1 || span.Warnings != nil {
			t.Errorf("got %+v, want the span as sent", span)
		}
	}
}

func TestClockSkewIsAdjustedOnlyWhenAskedFor(t *testing.T) {
	for limit, want := range map[time.Duration]int{0: 0, time.Second: 1} {
		s, _ := newService(t, 1, Options{MaxClockSkew: limit})
		trace, err := s.Trace(t.Context(), id1)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(trace.Spans[1].Warnings); got != want {
			t.Errorf("limit %v: %d warnings, want %d", limit, got, want)
		}
	}
}

// failing gives one reference, or one chunk of spans, and then fails.
type failing struct {
	*memory.Store
	search, traces error
}

func (f failing) Search(ctx context.Context, q spandrel.Query) iter.Seq2[storage.TraceRef, error] {
	return thenFail(f.Store.Search(ctx, q), f.search)
}

func (f failing) Traces(ctx context.Context, refs []storage.TraceRef) iter.Seq2[[]spandrel.Span, error] {
	return thenFail(f.Store.Traces(ctx, refs), f.traces)
}

func thenFail[T any](seq iter.Seq2[T, error], fail error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for v, err := range seq {
			if !yield(v, err) {
				return
			}
			if fail != nil {
				var none T
				yield(none, fail)
				return
			}
		}
	}
}

func TestErrorsOfTheStoreComeOnceAndLast(t *testing.T) {
	_, store := newService(t, 3, Options{})
	broken := errors.New("broken")
	for name, r := range map[string]failing{"search": {store, broken, nil}, "traces": {store, nil, broken}} {
		var got []error
		for _, err := range New(r, Options{}).Search(t.Context(), spandrel.Query{}) {
			got = append(got, err)
		}
		if len(got) == 0 || !errors.Is(got[len(got)-1], broken) {
			t.Errorf("%s: got %v, want the error last", name, got)
		}
		for _, err := range got[:len(got)-1] {
			if err != nil {
				t.Errorf("%s: got %v, want one error", name, got)
			}
		}
	}
	if _, err := New(failing{store, nil, broken}, Options{}).Trace(t.Context(), id1); !errors.Is(err, broken) {
		t.Errorf("Trace: got %v, want the store's error", err)
	}
}
