package badger

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// TestReopenedPartitionKnowsItsTraces adds to traces that were flushed before
// the store was closed: they are whole, and of other traces the set of those
// seen says that there are none.
func TestReopenedPartitionKnowsItsTraces(t *testing.T) {
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(5, 6))
	spans := someSpans(rng, 2000)
	for i := range spans {
		spans[i].TraceID = spandrel.TraceID{High: 1, Low: uint64(i%1000 + 1)}
	}
	s := openStore(t, dir, Options{})
	write(t, s, spans[:1000])
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir, Options{})
	write(t, s, spans[1000:])
	s.flushNow()
	for i := range 1000 {
		id := spandrel.TraceID{High: 1, Low: uint64(i + 1)}
		n := 0
		for _, chunk := range collect(t, s.Traces(context.Background(), []storage.TraceRef{{ID: id}})) {
			n += len(chunk)
		}
		if n != 2 {
			t.Fatalf("trace %v has %d of 2 spans", id, n)
		}
	}
	s.onFlusher(func() {
		known := 0
		for range 1000 {
			if s.open.seen.add(rng.Uint64()) {
				known++
			}
		}
		if known > 10 {
			t.Errorf("%d of 1000 traces that nobody sent were seen", known)
		}
	})
}

// TestDamagedTableHidesNoTraces: where Badger's tables cannot all be read, any
// trace may have been seen.
func TestDamagedTableHidesNoTraces(t *testing.T) {
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(7, 8))
	s := openStore(t, dir, Options{})
	spans := someSpans(rng, 1000)
	for i := range spans {
		spans[i].TraceID = spandrel.TraceID{High: 1, Low: uint64(i + 1)}
	}
	write(t, s, spans)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(dir, "partitions", "*", "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("there are no tables: %v", err)
	}
	for _, table := range tables {
		b, err := os.ReadFile(table)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) < 16<<10 {
			t.Fatalf("%s has but %d bytes", table, len(b))
		}
		b[6000] ^= 1 // neither in the first block nor in the last, which are read at the start
		if err := os.WriteFile(table, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = openStore(t, dir, Options{})
	s.onFlusher(func() {}) // the start is over
	if told := valueOf(t, s.m.corruptions); told != 1 {
		t.Errorf("%v corruptions were told of, want 1", told)
	}
	write(t, s, someSpans(rng, 10))
	s.flushNow()
	s.onFlusher(func() {
		for range 100 {
			if !s.open.seen.add(rng.Uint64()) {
				t.Error("a trace was not seen, though nobody knows")
			}
		}
	})
}
