package badger

import (
	"context"
	"runtime"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage/storagetest"
)

// TestEfficiency holds the store to what it costs, in things that can be
// counted: none of them depends on how busy the machine is. The bounds are about
// a tenth above what was measured. Where a change makes it better, lower them.
func TestEfficiency(t *testing.T) {
	const spans = 40_000
	g := storagetest.NewGenerator(3, storagetest.GeneratorOptions{})
	var batches [][]spandrel.Span
	n := 0
	for n < spans {
		var batch []spandrel.Span
		for len(batch) < 50 {
			batch = append(batch, g.NextBatch()...)
		}
		batches = append(batches, batch)
		n += len(batch)
	}
	s := openStore(t, t.TempDir(), Options{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, batch := range batches {
		if err := s.Write(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
	}
	s.flushNow()
	runtime.ReadMemStats(&after)
	keys, segments, filters := countKeys(t, s)
	wal := valueOf(t, s.m.bytesWritten)
	s.sealNow()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct {
		name       string
		got, limit float64
	}{
		{"allocations", float64(after.Mallocs - before.Mallocs), 6.1},
		{"allocated bytes", float64(after.TotalAlloc - before.TotalAlloc), 4000},
		{"bytes of log", wal, 94},
		{"bytes of segments", float64(segments), 26.5},
		{"of these, bytes of filters", float64(filters), 1.2},
		{"Badger keys", float64(keys), 0.09},
		{"bytes on disk after a clean stop", float64(diskUsage(s.dir)), 34},
	} {
		per := m.got / float64(n)
		t.Logf("%s: %.3f a span", m.name, per)
		if per > m.limit {
			t.Errorf("%s: %.3f a span, the bound is %v", m.name, per, m.limit)
		}
		if per < m.limit/3 {
			t.Errorf("%s: %.3f a span, the bound %v tests nothing", m.name, per, m.limit)
		}
	}
}

// countKeys counts the keys of the open partition, and the bytes of its
// segments and of their filters.
func countKeys(t *testing.T, s *Store) (keys int, segments, filters int64) {
	t.Helper()
	err := s.open.db.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			keys++
		}
		for _, info := range s.open.segments {
			segments += info.bytes
			err := lendStored(txn, info.id)(func(seg []byte) error {
				refs, err := checkFilter(seg)
				if err == nil {
					filters += int64(refs[0].length + refs[1].length)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys, segments, filters
}
