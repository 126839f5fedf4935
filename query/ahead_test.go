package query

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/spandrel/spandrel"
)

// yielding yields traces of so many spans, and then an error if there is one.
// begun counts how often it was asked.
func yielding(begun *int, err error, sizes ...int) func(context.Context) iter.Seq2[*Trace, error] {
	return func(context.Context) iter.Seq2[*Trace, error] {
		return func(yield func(*Trace, error) bool) {
			for i, n := range sizes {
				*begun = i + 1
				if !yield(&Trace{ID: spandrel.TraceID{Low: uint64(i + 1)}, Spans: make([]Span, n)}, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
			}
		}
	}
}

func TestAheadYieldsAllInOrder(t *testing.T) {
	broken := errors.New("broken")
	begun, want := 0, uint64(1)
	var last error
	for trace, err := range tracesAhead.ahead(t.Context(), yielding(&begun, broken, 1, heavyTrace, 2, heavyTrace, heavyTrace)) {
		if last = err; err != nil {
			continue
		}
		if trace.ID.Low != want {
			t.Errorf("got trace %v, want %d", trace.ID, want)
		}
		want++
	}
	if want != 6 || !errors.Is(last, broken) {
		t.Errorf("got %d traces, then %v", want-1, last)
	}
}

// TestAheadKeepsItsBounds of spans and of traces, what the consumer has in hand
// included, and waits while that is a heavy one.
func TestAheadKeepsItsBounds(t *testing.T) {
	many := slices.Repeat([]int{1}, 3*maxBatch)
	for name, c := range map[string]struct{ sizes, wants []int }{ // wants: begun when the consumer has the n-th
		"heavy":  {[]int{1, heavyTrace, 1, 1}, []int{2, 2, 4, 4}},
		"spans":  {[]int{tracesAhead.total - 2, 1, 1, 1, tracesAhead.total - 1, 1}, []int{3, 5, 5, 5, 6, 6}},
		"traces": {many, []int{maxBatch + 2, maxBatch + 3, maxBatch + 4}},
	} {
		synctest.Test(t, func(t *testing.T) {
			begun := 0
			for trace := range tracesAhead.ahead(t.Context(), yielding(&begun, nil, c.sizes...)) {
				synctest.Wait()
				if n := int(trace.ID.Low - 1); n < len(c.wants) && begun != c.wants[n] {
					t.Errorf("%s: %d begun at trace %v, want %d", name, begun, n+1, c.wants[n])
				}
			}
			if begun != len(c.sizes) {
				t.Errorf("%s: %d begun of %d", name, begun, len(c.sizes))
			}
		})
	}
}

// TestAheadEndsWithItsConsumer: synctest fails if the goroutine stays.
func TestAheadEndsWithItsConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := 0
		for range tracesAhead.ahead(t.Context(), yielding(&begun, nil, heavyTrace, 1, 1)) {
			break
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var last error
		for _, err := range tracesAhead.ahead(ctx, yielding(&begun, nil, 1, 1, 1)) {
			synctest.Wait()
			cancel()
			last = err
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("a cancelled search ended with %v", last)
		}
	})
}

func TestAheadPassesOnPanics(t *testing.T) {
	defer func() {
		if fault, _ := recover().(string); !strings.HasPrefix(fault, "as it happens\n") || !strings.Contains(fault, "ahead_test.go") {
			t.Errorf("recovered %q", fault)
		}
	}()
	for range tracesAhead.ahead(t.Context(), func(context.Context) iter.Seq2[*Trace, error] {
		return func(func(*Trace, error) bool) { panic("as it happens") }
	}) {
		t.Error("got a trace")
	}
}
