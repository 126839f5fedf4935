package badger

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage/memory"
)

// numbers are the segments below n that the cache has.
func (c *segmentCache) numbers(n uint32) (kept []uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for number := range n {
		if c.kept[segmentAt{nil, number}] != nil {
			kept = append(kept, number)
		}
	}
	return kept
}

func TestSegmentCacheIsBounded(t *testing.T) {
	seg, _ := buildSegment(t, someSpans(rand.New(rand.NewPCG(71, 72)), 10))
	var c segmentCache
	use := func(number uint32, more int64) {
		t.Helper()
		r, err := c.open(segmentAt{nil, number}, lend(seg))
		if err != nil {
			t.Fatal(err)
		}
		r.size.Add(more)
		c.close([]*segmentReader{r})
		if c.bytes > cacheBytes {
			t.Fatalf("%d bytes are kept", c.bytes)
		}
	}
	for number := range uint32(3) {
		use(number, cacheBytes/4)
	}
	use(0, 0)
	use(3, cacheBytes/4) // takes the place of the one that was not used for longest
	if got := c.numbers(4); len(got) != 3 || got[0] != 0 || got[1] != 2 || got[2] != 3 {
		t.Errorf("kept are %v, want 0, 2 and 3", got)
	}
	use(2, cacheBytes)
	if got := c.numbers(4); len(got) != 0 {
		t.Errorf("%v are kept beside what is too large by itself", got)
	}
}

// TestManyAskAtOnce has questions share what they read of the same pages while
// spans are flushed and partitions sealed.
func TestManyAskAtOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(75, 76))
	s, want := openStore(t, t.TempDir(), Options{}), memory.New(memory.Options{})
	for range 4 {
		writeBoth(t, s, want, someSpans(rng, pageRows+100))
		s.flushNow()
	}
	refs := collect(t, want.Search(context.Background(), spandrel.Query{}))
	sent := traces(t, want, refs)
	t.Run("at once", func(t *testing.T) {
		for i := range uint64(4) {
			t.Run("asker", func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(77, i))
				for range 30 {
					compareSearch(t, s, want, wildQuery(rng))
					at := rng.IntN(len(refs))
					for id, spans := range traces(t, s, refs[at:at+1]) {
						if len(spans) != len(sent[id]) {
							t.Errorf("trace %s has %d spans, want %d", id, len(spans), len(sent[id]))
						}
					}
				}
			})
		}
		t.Run("sealer", func(t *testing.T) {
			t.Parallel()
			s.sealNow()
		})
	})
	s.onFlusher(func() {
		s.giveBack() // which notices the last ones
		s.rest.since -= restTime
		s.giveBack()
	})
	if len(s.segments.kept) > 0 || s.segments.bytes != 0 {
		t.Errorf("%d segments, %d bytes are kept after the last question", len(s.segments.kept), s.segments.bytes)
	}
	compareReads(t, s, want)
}
