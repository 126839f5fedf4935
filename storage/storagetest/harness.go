package storagetest

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// Harness is how the suite handles one kind of store. Fields that are nil name
// things that it cannot do.
type Harness struct {
	// Open gives an empty store that keeps everything: the spans of the suite
	// began at any time from 1970 to 2262. The suite closes it.
	Open func(t *testing.T) storage.Store
	// Reopen closes the store and gives one that was opened on its data.
	Reopen func(t *testing.T, s storage.Store) storage.Store
	// Flush moves all spans out of the place where new ones live.
	Flush func(t *testing.T, s storage.Store)
	// Seal does the same and begins a new partition.
	Seal func(t *testing.T, s storage.Store)
}

// Run holds a store that open makes to the contract. See [Harness.Run].
func Run(t *testing.T, open func(t *testing.T) storage.Store) {
	Harness{Open: open}.Run(t)
}

// Run holds the stores to the contract: one subtest a behaviour, which run in
// parallel.
func (h Harness) Run(t *testing.T) {
	groups := []struct {
		name       string
		behaviours []behaviour
	}{
		{"search", searchBehaviours()},
		{"window", windowBehaviours()},
		{"tags", tagBehaviours()},
		{"where", whereBehaviours()},
		{"order", orderBehaviours()},
		{"trace", traceBehaviours()},
		{"names", nameBehaviours()},
		{"dependencies", dependencyBehaviours()},
		{"volume", volumeBehaviours()},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, b := range g.behaviours {
				t.Run(b.name, func(t *testing.T) {
					t.Parallel()
					h.hold(t, b)
				})
			}
		})
	}
	t.Run("promises", func(t *testing.T) {
		for _, p := range promises {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				p.run(t, h)
			})
		}
	})
}

// behaviour is what a store answers about given spans, whatever happens to
// them inside. All spans are also read back, and names, operations and
// dependencies compared with the [Oracle]'s.
type behaviour struct {
	name  string
	given [][]spandrel.Span        // one Write each
	make  func() [][]spandrel.Span // instead of given, where that is large; fewer things are tried then
	want  []found
	check func(c *check) // what else must be true

	fixed bool // the spans cannot be moved in time
}

// found is the answer to a query: the low halves of the ids of the traces,
// newest first.
type found struct {
	name   string
	query  spandrel.Query
	traces []uint64
}

func (b *behaviour) batches() [][]spandrel.Span {
	if b.make != nil {
		return b.make()
	}
	return b.given
}

// hold checks b on spans as old as they say, then on spans of this minute, and
// last on spans whose writer had to retry.
func (h Harness) hold(t *testing.T, b behaviour) {
	t.Run("in order", func(t *testing.T) { h.inOrder(t, &b) })
	t.Run("in pieces", func(t *testing.T) { h.inPieces(t, &b) })
	if b.make == nil {
		t.Run("retried", func(t *testing.T) { h.retried(t, &b) })
	}
}

// inOrder writes the spans as given, lets the store move them, and does both
// again.
func (h Harness) inOrder(t *testing.T, b *behaviour) {
	given := b.batches()
	l := h.open(t)
	for _, round := range []string{"once", "twice"} {
		for _, batch := range given {
			write(t, l.store, batch)
		}
		c := check{store: l.store, spans: slices.Concat(given...)}
		t.Run("written "+round, func(t *testing.T) { c.all(t, b) })
		for _, s := range h.steps() {
			l.do(t, s)
			c.store = l.store
			if b.make == nil || round == "once" {
				t.Run(s.name+" "+round, func(t *testing.T) { c.all(t, b) })
			}
		}
	}
}

// inPieces writes the spans of a few minutes ago in any order, one by one as
// long as they are few, and lets the store move them in between.
func (h Harness) inPieces(t *testing.T, b *behaviour) {
	const most = 60 // writes
	rng := rand.New(rand.NewPCG(uint64(len(b.name)), 1))
	var shift time.Duration
	if !b.fixed {
		shift = time.Now().Truncate(time.Minute).Add(-10 * time.Minute).Sub(Epoch)
	}
	spans := shifted(slices.Concat(b.batches()...), shift)
	c := check{spans: slices.Clone(spans), shift: shift}
	rng.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
	l := h.open(t)
	steps := h.steps()
	pieces := slices.Collect(slices.Chunk(spans, 1+len(spans)/most))
	rng.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	for i, piece := range pieces {
		write(t, l.store, piece)
		for k := range steps {
			if i == (k+1)*len(pieces)/(len(steps)+1) {
				l.do(t, steps[k])
			}
		}
	}
	c.store = l.store
	c.all(t, b)
}

// retried writes the spans through a store that fails three of four writes.
func (h Harness) retried(t *testing.T, b *behaviour) {
	given := b.batches()
	l := h.open(t)
	outcomes := []Outcome{Lost, InPart, Persisted, Done}
	faulty := Faulty(l.store, func(call int) Outcome { return outcomes[call%len(outcomes)] })
	for _, batch := range given {
		for try := 1; ; try++ {
			err := faulty.Write(t.Context(), batch)
			if err == nil {
				break
			}
			if try == len(outcomes) {
				t.Fatalf("Write fails after %d tries: %v", try, err)
			}
		}
	}
	c := check{store: faulty, spans: slices.Concat(given...)}
	c.all(t, b)
}

// step is something that moves spans inside a store.
type step struct {
	name string
	do   func(t *testing.T, s storage.Store) storage.Store
}

// steps are the steps that the store can do.
func (h Harness) steps() []step {
	var steps []step
	inPlace := func(name string, do func(*testing.T, storage.Store)) {
		if do != nil {
			steps = append(steps, step{name, func(t *testing.T, s storage.Store) storage.Store {
				do(t, s)
				return s
			}})
		}
	}
	inPlace("flushed", h.Flush)
	inPlace("sealed", h.Seal)
	if h.Reopen != nil {
		steps = append(steps, step{"reopened", h.Reopen})
	}
	return steps
}

// life is a store from its opening to its closing.
type life struct {
	store  storage.Store
	closed bool
}

// open opens a store that is closed when the test ends.
func (h Harness) open(t *testing.T) *life {
	t.Helper()
	l := &life{store: h.Open(t)}
	t.Cleanup(func() {
		if !l.closed {
			l.close(t)
		}
	})
	return l
}

func (l *life) close(t *testing.T) {
	t.Helper()
	l.closed = true
	if err := l.store.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func (l *life) do(t *testing.T, s step) {
	t.Helper()
	l.closed = true // should the step fail half-way
	l.store = s.do(t, l.store)
	l.closed = false
}

func write(t *testing.T, s storage.Store, spans []spandrel.Span) {
	t.Helper()
	if err := s.Write(t.Context(), spans); err != nil {
		t.Fatalf("Write of %d spans: %v", len(spans), err)
	}
}
