package badger

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
	"github.com/spandrel/spandrel/storage/memory"
)

func dependencies(t testing.TB, r storage.Reader) []spandrel.Dependency {
	t.Helper()
	from := time.Unix(1_700_000_000, 0)
	return must(r.Dependencies(context.Background(), from, from.Add(24*time.Hour)))(t)
}

// TestDependenciesAreCountedAsSpansCome asks after every few spans of traces
// that grow all the time, in segments, frozen heads and the active one.
func TestDependenciesAreCountedAsSpansCome(t *testing.T) {
	rng := rand.New(rand.NewPCG(61, 62))
	s, want := openStore(t, t.TempDir(), Options{}), memory.New(memory.Options{})
	more := func() {
		batch := make([]spandrel.Span, 10)
		for i := range batch {
			batch[i] = wildSpan(rng)
			batch[i].TraceID = spandrel.TraceID{Low: 1 + rng.Uint64N(20)}
		}
		writeBoth(t, s, want, batch)
	}
	check := func() {
		t.Helper()
		if diff := gocmp.Diff(dependencies(t, s), dependencies(t, want)); diff != "" {
			t.Fatalf("got (-), want (+):\n%s", diff)
		}
	}
	for round := range 60 {
		more()
		check()
		switch {
		case round%20 == 19:
			s.sealNow()
		case round%5 == 4:
			s.onFlusher(func() { // which cannot flush meanwhile
				s.freeze()
				check()
				more()
				check()
			})
			check()
		}
	}
}

func TestDependenciesForgetDroppedPartitions(t *testing.T) {
	rng := rand.New(rand.NewPCG(63, 64))
	s := openStore(t, t.TempDir(), Options{})
	batch := func() (spans []spandrel.Span) {
		for range 40 {
			span := wildSpan(rng)
			span.TraceID = spandrel.TraceID{Low: 1 + rng.Uint64N(5)}
			spans = append(spans, span)
		}
		return spans
	}
	write(t, s, batch())
	s.sealNow()
	write(t, s, batch())
	whole := dependencies(t, s)
	s.onFlusher(func() { s.drop(s.sealed[0], reasonBytes) })
	got := dependencies(t, s)
	if gocmp.Equal(got, whole) {
		t.Fatal("nothing was dropped")
	}
	s.active.calls = headCalls{}
	if diff := gocmp.Diff(got, dependencies(t, s)); diff != "" {
		t.Errorf("got (-), counted anew (+):\n%s", diff)
	}
}
