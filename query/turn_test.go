package query

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
	"github.com/spandrel/spandrel/storage/memory"
)

// largeStore has the small trace 1 and the large traces 2 to 5.
func largeStore(t *testing.T) *Service {
	t.Helper()
	store := memory.New(memory.Options{})
	for trace := uint64(1); trace <= 5; trace++ {
		spans := make([]spandrel.Span, 1)
		if trace > 1 {
			spans = make([]spandrel.Span, heavyTrace)
		}
		for i := range spans {
			spans[i] = span(spandrel.SpanID(i+1), 0, spandrel.KindServer, "s", int64(trace), 1)
			spans[i].TraceID = spandrel.TraceID{Low: trace}
		}
		if err := store.Write(t.Context(), spans); err != nil {
			t.Fatal(err)
		}
	}
	return New(store, Options{})
}

// TestLargeTracesTakeTurns: at most two are held at once, however they are asked
// for; small ones do not wait; who waits for too long or leaves is told.
func TestLargeTracesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := largeStore(t)
		release := make(chan struct{})
		held := make(chan uint64, 10)
		hold := func(id uint64) {
			for trace, err := range s.Traces(t.Context(), []spandrel.TraceID{{Low: 1}, {Low: id}}) {
				if err != nil {
					t.Error(err)
				} else if trace.ID.Low == id {
					held <- id
					<-release
				}
			}
		}
		go hold(2)
		go hold(3)
		synctest.Wait()
		if len(held) != maxHeavy {
			t.Fatalf("%d large traces are held, want %d", len(held), maxHeavy)
		}
		if _, err := s.Trace(t.Context(), spandrel.TraceID{Low: 1}); err != nil {
			t.Errorf("a small one: %v", err)
		}
		if _, err := s.Raw().Trace(t.Context(), spandrel.TraceID{Low: 4}); !errors.Is(err, storage.ErrOverloaded) {
			t.Errorf("who waits for too long gets %v, want ErrOverloaded", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error)
		go func() {
			for _, err := range s.Search(ctx, spandrel.Query{Service: "s"}) {
				left <- err
				return
			}
		}()
		synctest.Wait()
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("who leaves gets %v", err)
		}
		close(release)
		synctest.Wait()
		n := 0
		for _, err := range s.Search(t.Context(), spandrel.Query{Service: "s"}) {
			if err != nil {
				t.Fatal(err)
			}
			n++ // one after the other, each in its turn
		}
		if n != 5 || len(s.turns) != 0 {
			t.Errorf("got %d traces and %d turns that have not ended, want 5 and 0", n, len(s.turns))
		}
	})
}
