package query

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage/memory"
)

// tailed is a service whose writes a Tail sees.
func tailed() (*Service, *Tail) {
	store := memory.New(memory.Options{})
	return New(store, Options{}), NewTail(store)
}

func follow(t *testing.T, svc *Service, tail *Tail, cursor string, q spandrel.Query) *TailResult {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 10
	}
	result, err := svc.TailSummaries(t.Context(), tail, cursor, 20*time.Second, q, Any)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func write(t *testing.T, tail *Tail, low uint64, name string) {
	t.Helper()
	s := span(1, 0, spandrel.KindServer, "a", time.Now().UnixNano(), 5)
	s.TraceID.Low, s.Name = low, name
	if err := tail.Write(t.Context(), []spandrel.Span{s, s}); err != nil {
		t.Fatal(err)
	}
}

func TestTailGivesWhatCameSinceTheCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc, tail := tailed()
		write(t, tail, 1, "before")
		first := follow(t, svc, tail, "", spandrel.Query{})
		if first.Cursor == "" || len(first.Traces) != 0 || first.Reset {
			t.Fatalf("without a cursor: %+v", first)
		}
		go func() {
			time.Sleep(5 * time.Second)
			write(t, tail, 2, "x")
			time.Sleep(100 * time.Millisecond)
			write(t, tail, 3, "y")
		}()
		began := time.Now()
		second := follow(t, svc, tail, first.Cursor, spandrel.Query{})
		if took := time.Since(began); took != 5*time.Second+tailSettle {
			t.Errorf("answered after %v", took)
		}
		if len(second.Traces) != 2 || second.Traces[0].Root.Operation != "y" || second.Changed != 2 || second.Dropped != 0 {
			t.Errorf("got %+v, want traces 3 and 2", second)
		}
		if third := follow(t, svc, tail, first.Cursor, spandrel.Query{Operation: "x"}); len(third.Traces) != 1 || third.Traces[0].ID != second.Traces[1].ID {
			t.Errorf("with a condition: %+v, want trace 2", third)
		}
		if failed, err := svc.TailSummaries(t.Context(), tail, first.Cursor, 0, spandrel.Query{Limit: 5}, ErrorsInSpan); err != nil || len(failed.Traces) != 0 {
			t.Errorf("with errors: %+v, %v, want none", failed, err)
		}
		if none := follow(t, svc, tail, second.Cursor, spandrel.Query{}); len(none.Traces) != 0 || none.Cursor != second.Cursor {
			t.Errorf("after the wait: %+v, want nothing", none)
		}
		if foreign := follow(t, svc, tail, "zzz.1", spandrel.Query{}); !foreign.Reset || foreign.Cursor != second.Cursor {
			t.Errorf("with another run's cursor: %+v", foreign)
		}
	})
}

func TestTailForgetsAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc, tail := tailed()
		first := follow(t, svc, tail, "", spandrel.Query{})
		for i := range uint64(maxTailed + 10) {
			write(t, tail, i+1, "x")
		}
		got := follow(t, svc, tail, first.Cursor, spandrel.Query{Limit: 3})
		if len(got.Traces) != 3 || got.Changed != maxTailed || got.Dropped != maxTailed+10-3 {
			t.Errorf("%d traces, %d changed, %d dropped", len(got.Traces), got.Changed, got.Dropped)
		}
		time.Sleep(2 * tailIdle)
		write(t, tail, 1, "nobody asks")
		if tail.until.Load() != 0 {
			t.Error("still remembering for nobody")
		}
		write(t, tail, 1, "nobody asks")
		if again := follow(t, svc, tail, got.Cursor, spandrel.Query{}); again.Cursor != got.Cursor {
			t.Errorf("cursor %s after %s", again.Cursor, got.Cursor)
		}
	})
}

func TestTailServesABoundedNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc, tail := tailed()
		first := follow(t, svc, tail, "", spandrel.Query{})
		ctx, cancel := context.WithCancel(t.Context())
		for range maxWaiting {
			go svc.TailSummaries(ctx, tail, first.Cursor, time.Hour, spandrel.Query{Limit: 1}, Any)
		}
		synctest.Wait()
		_, err := svc.TailSummaries(ctx, tail, first.Cursor, time.Hour, spandrel.Query{Limit: 1}, Any)
		if !errors.Is(err, ErrTooManyWaiting) {
			t.Errorf("one more gets %v", err)
		}
		cancel()
		synctest.Wait()
		follow(t, svc, tail, first.Cursor, spandrel.Query{})
	})
}
