package badger

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
	"github.com/spandrel/spandrel/storage/storagetest"
)

// meshBatches are n spans of a mesh as its sidecars send them, in posts.
func meshBatches(n int) (all [][]spandrel.Span) {
	g := storagetest.NewGenerator(1, storagetest.GeneratorOptions{Start: time.Now().Add(-30 * time.Minute), Interval: time.Millisecond})
	for n > 0 {
		batch := g.NextBatch()
		all = append(all, batch)
		n -= len(batch)
	}
	return all
}

// cpuTime is what the process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// writtenBytes is what the process has made the disk write.
func writtenBytes() (n int64) {
	text, _ := os.ReadFile("/proc/self/io")
	_, rest, _ := strings.Cut(string(text), "\nwrite_bytes: ")
	_, _ = fmt.Sscan(rest, &n)
	return n
}

// BenchmarkWrite stores spans with 8 writers and closes the store: CPU from
// span to segment, what a span takes on disk, and what was written for it. One
// iteration is one span.
func BenchmarkWrite(b *testing.B) {
	batches := meshBatches(min(b.N, 50_000))
	s := openStore(b, b.TempDir(), Options{Sizes: Sizes{HeadSpans: 20_000}})
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime()
	written := writtenBytes()
	n := 0
	for n < b.N {
		n += writeAll(b, s, batches)
		for _, batch := range batches { // the next round is of other traces
			for i := range batch {
				batch[i].TraceID.High++
			}
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/float64(n), "cpu-ns/span")
	b.StopTimer()
	b.ReportMetric(float64(writtenBytes()-written)/float64(n), "written-B/span")
	b.ReportMetric(valueOf(b, s.m.bytesWritten)/float64(n), "wal-B/span")
	b.ReportMetric(float64(diskUsage(s.dir))/float64(n), "disk-B/span")
	keys, segments := partitionSizes(b, s)
	b.ReportMetric(float64(keys)/float64(n), "keys/span")
	b.ReportMetric(float64(segments)/float64(n), "segment-B/span")
}

// writeAll writes with 8 writers and returns how many spans there were.
func writeAll(b *testing.B, s *Store, batches [][]spandrel.Span) (n int) {
	b.Helper()
	done := make(chan error, 8)
	for w := range 8 {
		go func() {
			var err error
			for i := w; i < len(batches) && err == nil; i += 8 {
				err = s.Write(context.Background(), batches[i])
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	for _, batch := range batches {
		n += len(batch)
	}
	return n
}

// partitionSizes counts the Badger keys and the bytes of segments.
func partitionSizes(b *testing.B, s *Store) (keys int, bytes int64) {
	b.Helper()
	dirs, _ := filepath.Glob(filepath.Join(s.partitionsDir(), partitionPrefix+"*"))
	for _, dir := range dirs {
		p, err := s.openPartition(1, time.Now(), dir, true)
		if err != nil {
			b.Fatal(err)
		}
		for _, info := range p.segments {
			bytes += info.bytes
		}
		err = p.db.View(func(txn *badger.Txn) error {
			it := txn.NewIterator(badger.IteratorOptions{})
			defer it.Close()
			for it.Rewind(); it.Valid(); it.Next() {
				keys++
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		if err := p.db.Close(); err != nil {
			b.Fatal(err)
		}
	}
	return keys, bytes
}

// BenchmarkRead asks a store of 300,000 spans, flushed.
func BenchmarkRead(b *testing.B) {
	s := openStore(b, b.TempDir(), Options{Sizes: Sizes{HeadSpans: 20_000}})
	batches := meshBatches(300_000)
	writeAll(b, s, batches)
	for _, where := range []string{"head", "segments"} {
		if where == "segments" {
			s.flushNow()
		}
		benchReads(b, s, where, batches)
	}
}

func benchReads(b *testing.B, s *Store, where string, batches [][]spandrel.Span) {
	some := batches[len(batches)/2][0]
	id, _ := some.Tag("guid:x-request-id")
	service := some.Local.Service
	tag := func(key, value string) []spandrel.TagCondition {
		return []spandrel.TagCondition{{Key: key, Value: value}}
	}
	for _, q := range []struct {
		name  string
		query spandrel.Query
	}{
		{"service", spandrel.Query{Service: service}},
		{"operation", spandrel.Query{Service: service, Operation: some.Name}},
		{"status", spandrel.Query{Service: service, Tags: tag("http.status_code", "503")}},
		{"error", spandrel.Query{Tags: tag("error", "true")}},
		{"request-id", spandrel.Query{Tags: tag("guid:x-request-id", id.String())}},
		{"duration", spandrel.Query{Service: service, MinDuration: 150_000_000}},
		{"nothing", spandrel.Query{Tags: tag("no", "such")}},
	} {
		q.query.Limit = 20
		var refs []storage.TraceRef
		b.Run(fmt.Sprintf("%s/search-%s", where, q.name), func(b *testing.B) {
			for b.Loop() {
				refs = collect(b, s.Search(context.Background(), q.query))
			}
			b.ReportMetric(float64(len(refs)), "traces")
		})
		if q.name == "service" {
			b.Run(where+"/20-traces", func(b *testing.B) {
				for b.Loop() {
					collect(b, s.Traces(context.Background(), refs))
				}
			})
		}
	}
	one := []storage.TraceRef{{ID: some.TraceID}}
	b.Run(where+"/trace", func(b *testing.B) {
		for b.Loop() {
			collect(b, s.Traces(context.Background(), one))
		}
		b.ReportMetric(float64(len(slices.Concat(collect(b, s.Traces(context.Background(), one))...))), "spans")
	})
	b.Run(where+"/dependencies", func(b *testing.B) {
		now := time.Now()
		for b.Loop() {
			if _, err := s.Dependencies(context.Background(), now.Add(-24*time.Hour), now); err != nil {
				b.Fatal(err)
			}
		}
	})
}
