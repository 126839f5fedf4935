package query

import (
	"context"
	"errors"
	"iter"
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
	for trace, err := range ahead(t.Context(), yielding(&begun, broken, 1, heavyTrace, 2, heavyTrace, heavyTrace)) {
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

// TestAheadIsOneTraceAhead: but not while the consumer has a heavy one.
func TestAheadIsOneTraceAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := 0
		wants := []int{2, 2, 4, 4} // begun when the consumer has the n-th
		for trace := range ahead(t.Context(), yielding(&begun, nil, 1, heavyTrace, 1, 1)) {
			synctest.Wait()
			if want := wants[trace.ID.Low-1]; begun != want {
				t.Errorf("%d begun at trace %v, want %d", begun, trace.ID, want)
			}
		}
	})
}

// TestAheadEndsWithItsConsumer: synctest fails if the goroutine stays.
func TestAheadEndsWithItsConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := 0
		for range ahead(t.Context(), yielding(&begun, nil, heavyTrace, 1, 1)) {
			break
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var last error
		for _, err := range ahead(ctx, yielding(&begun, nil, 1, 1, 1)) {
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
	for range ahead(t.Context(), func(context.Context) iter.Seq2[*Trace, error] {
		return func(func(*Trace, error) bool) { panic("as it happens") }
	}) {
		t.Error("got a trace")
	}
}
