package badger

import (
	"testing"

	"github.com/spandrel/spandrel/storage/storagetest"
)

func TestStatsCountWhereSpansAre(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	g := storagetest.NewGenerator(5, storagetest.GeneratorOptions{})
	spans, oldest, newest := 0, int64(0), int64(0)
	write := func() {
		trace := g.Next()
		if err := s.Write(t.Context(), trace); err != nil {
			t.Fatal(err)
		}
		for i := range trace {
			if oldest == 0 || trace[i].Start < oldest {
				oldest = trace[i].Start
			}
			newest = max(newest, trace[i].Start)
		}
		spans += len(trace)
	}
	check := func(inHead, partitions, sealed int) {
		t.Helper()
		got, err := s.Stats()
		if err != nil {
			t.Fatal(err)
		}
		isSealed := 0
		for _, p := range got.Partitions {
			if p.Sealed {
				isSealed++
			}
			if p.Spans == 0 || p.Segments == 0 || p.Bytes == 0 || p.Oldest < oldest || p.Newest > newest {
				t.Errorf("partition %+v", p)
			}
		}
		if got.Spans != spans || got.HeadSpans != inHead || len(got.Partitions) != partitions || isSealed != sealed ||
			got.Oldest != oldest || got.Newest != newest {
			t.Errorf("got %+v, want %d spans from %d to %d, %d in memory, %d partitions, %d sealed", got, spans, oldest, newest, inHead, partitions, sealed)
		}
	}
	check(0, 0, 0)
	write()
	check(spans, 0, 0)
	s.flushNow()
	check(0, 1, 0)
	s.sealNow()
	flushed := spans
	write()
	check(spans-flushed, 1, 1)
}
