package badger

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage/memory"
)

// fakeClock is a clock that can be set, and one that cannot.
type fakeClock struct {
	mu      sync.Mutex
	wall    time.Time
	elapsed time.Duration
}

func (c *fakeClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall, c.elapsed = c.wall.Add(d), c.elapsed+d
}

func (c *fakeClock) set(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall = c.wall.Add(by)
}

// options are those of a store with a day's retention.
func (c *fakeClock) options() Options {
	c.mu.Lock()
	defer c.mu.Unlock()
	opened := c.elapsed
	return Options{
		Sizes: small, Retention: Retention{MaxAge: 24 * time.Hour},
		Now:     func() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.wall },
		elapsed: func() time.Duration { c.mu.Lock(); defer c.mu.Unlock(); return c.elapsed - opened },
	}
}

const year = 365 * 24 * time.Hour

// TestClockJumpsLoseNothing sets the clock forth and back while spans come,
// half of them with starts by that clock, with restarts when it is right again.
// All must be found by time, and nothing may be dropped before a day has passed.
func TestClockJumpsLoseNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(71, 72))
	clock := &fakeClock{wall: time.Unix(1_750_000_000, 0)}
	s, want := openStore(t, t.TempDir(), clock.options()), memory.New(memory.Options{})
	for i, jump := range []time.Duration{0, year, -year, -year, year, 10 * time.Minute, -10 * time.Minute, 20 * year, -20 * year, -time.Second} {
		clock.set(jump)
		clock.pass(30 * time.Minute)
		batch := someSpans(rng, 60)
		for k := range batch {
			batch[k].TraceID.Low = rng.Uint64N(100) + 1
			if k%2 == 0 {
				batch[k].Start = clock.wall.UnixNano() + rng.Int64N(1e9)
			}
		}
		writeBoth(t, s, want, batch)
		s.freeze()
		s.onFlusher(s.maintain)
		compareReads(t, s, want)
		for range 30 {
			q := wildQuery(rng)
			if rng.IntN(2) == 0 {
				q.MinStart, q.MaxStart = batch[0].Start, batch[0].Start+1e9
			}
			compareSearch(t, s, want, q)
		}
		if i%3 == 2 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openStore(t, s.dir, clock.options())
		}
	}
	clock.pass(30 * time.Hour)
	s.onFlusher(s.maintain)
	s.removals.Wait()
	if n := count(t, s); n != 0 {
		t.Errorf("%d spans are kept for longer than a day", n)
	}
}

// TestStartWithAWrongClockLosesNothing opens the store while the clock is a
// year ahead, as that of a machine may be until it has asked others.
func TestStartWithAWrongClockLosesNothing(t *testing.T) {
	clock := &fakeClock{wall: time.Unix(1_750_000_000, 0)}
	s := openStore(t, t.TempDir(), clock.options())
	write(t, s, someSpans(rand.New(rand.NewPCG(73, 74)), 50))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	clock.set(year)
	s = openStore(t, s.dir, clock.options())
	clock.pass(time.Minute)
	s.onFlusher(s.maintain)
	clock.set(-year)
	clock.pass(time.Hour)
	s.onFlusher(s.maintain)
	if n := count(t, s); n != 50 {
		t.Errorf("%d spans are left of 50", n)
	}
}

// TestSpansOfAnyTimeAreFound stores spans that start when no span should.
func TestSpansOfAnyTimeAreFound(t *testing.T) {
	s, want := openStore(t, t.TempDir(), Options{}), memory.New(memory.Options{})
	now := time.Now().UnixNano()
	var spans []spandrel.Span
	for i, start := range []int64{1, now - int64(year), now - 3600e9, now - 1, now + 3600e9, now + int64(year), 1<<63 - 2, -5, -1 << 62} {
		span := exampleSpan()
		span.TraceID.Low, span.Start = uint64(i+1), start
		spans = append(spans, span)
	}
	writeBoth(t, s, want, spans)
	for _, step := range []func(){func() {}, s.flushNow, s.sealNow} {
		step()
		for _, q := range []spandrel.Query{{}, {Limit: 3}, {MinStart: now - 10}, {MinStart: 1, MaxStart: now}, {MinStart: -10, MaxStart: 10}, {MinStart: now + 1}} {
			compareSearch(t, s, want, q)
		}
	}
}
