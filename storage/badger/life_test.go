package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
	"github.com/spandrel/spandrel/storage/memory"
)

func someSpans(rng *rand.Rand, n int) []spandrel.Span {
	spans := make([]spandrel.Span, n)
	for i := range spans {
		spans[i] = wildSpan(rng)
		spans[i].ID = spandrel.SpanID(rng.Uint64() | 1)
		spans[i].Duration = max(0, spans[i].Duration) // else no search finds them
	}
	return spans
}

func write(t testing.TB, s storage.Writer, spans []spandrel.Span) {
	t.Helper()
	if err := s.Write(context.Background(), spans); err != nil {
		t.Fatal(err)
	}
}

// count is how many distinct spans a store has.
func count(t testing.TB, s storage.Reader) int {
	t.Helper()
	n := 0
	for _, spans := range traces(t, s, collect(t, s.Search(context.Background(), spandrel.Query{}))) {
		n += len(spans)
	}
	return n
}

func TestOpenKeepsOthersOut(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	if _, err := Open(s.dir, Options{}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("got %v", err)
	}
}

func TestOpenNamesWhatIsNotWritable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(path, "store") // beneath a file nobody can write, not even root
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%s as uid %d", dir, os.Getuid())) {
		t.Errorf("got %v", err)
	}
}

func TestOpenLeavesJaegersFilesAlone(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "data", "000001.vlog")
	if err := errors.Join(os.Mkdir(filepath.Dir(old), 0o700), os.WriteFile(old, make([]byte, 5000), 0o600)); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	reopen(t, openStore(t, dir, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}))
	if !strings.Contains(log.String(), "another program's Badger files") {
		t.Errorf("the log says nothing of them: %s", log.String())
	}
	if _, err := os.Stat(old); err != nil {
		t.Error(err)
	}
}

func TestCloseLeavesNoGoroutineAndNoLog(t *testing.T) {
	before := runtime.NumGoroutine()
	s := openStore(t, t.TempDir(), Options{})
	write(t, s, someSpans(rand.New(rand.NewPCG(1, 1)), 100))
	s.sealNow()
	write(t, s, someSpans(rand.New(rand.NewPCG(1, 2)), 100))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 1000 { // goroutines of Badger may still be on their last line
		if runtime.NumGoroutine() <= before {
			break
		}
		runtime.Gosched()
	}
	if after := runtime.NumGoroutine(); after > before {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines before, %d after:\n%s", before, after, buf[:runtime.Stack(buf, true)])
	}
	if files, _ := filepath.Glob(filepath.Join(s.walDir(), "*")); len(files) > 0 {
		t.Errorf("files are left: %v", files)
	}
	if err := s.Write(context.Background(), someSpans(rand.New(rand.NewPCG(1, 3)), 1)); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("writing afterwards: %v", err)
	}
	if err := s.Healthy(); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("Healthy afterwards: %v", err)
	}
}

func TestRetentionByAgeDropsWholePartitions(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 42))
	now := time.Unix(1_800_000_000, 0)
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	o := Options{Retention: Retention{MaxAge: 24 * time.Hour}, Now: clock, Sizes: small}
	s := openStore(t, t.TempDir(), o)
	for hour := range 60 {
		span := someSpans(rng, 1)[0]
		span.TraceID, span.Local.Service = spandrel.TraceID{Low: uint64(1 + hour)}, fmt.Sprint("service-", hour)
		write(t, s, []spandrel.Span{span})
		s.freeze()
		s.onFlusher(s.maintain)
		mu.Lock()
		now = now.Add(time.Hour)
		mu.Unlock()
	}
	s.onFlusher(s.maintain)
	if n := count(t, s); n < 24 || n > 26 {
		t.Errorf("%d hours are kept, want 24 and at most a partition more", n)
	}
	services := must(s.Services(context.Background()))(t)
	for _, name := range services {
		if name == "service-0" || name == "service-30" {
			t.Errorf("%s is listed, but all its spans are gone", name)
		}
	}
	before := count(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, s.dir, o)
	if n := count(t, s); n != before {
		t.Errorf("after reopening there are %d spans, before %d", n, before)
	}
	mu.Lock()
	now = now.Add(100 * time.Hour)
	mu.Unlock()
	s.onFlusher(s.maintain)
	s.removals.Wait()
	if n := count(t, s); n != 0 {
		t.Errorf("after a long time there are %d spans", n)
	}
	if dirs, _ := os.ReadDir(s.partitionsDir()); len(dirs) != 0 {
		t.Errorf("directories are left: %v", dirs)
	}
}

func TestRetentionByBytesKeepsToTheQuota(t *testing.T) {
	rng := rand.New(rand.NewPCG(43, 44))
	const quota, partition = 12 << 20, 2 << 20
	sizes := Sizes{WALFileBytes: 1 << 20, PartitionBytes: partition}
	s := openStore(t, t.TempDir(), Options{Retention: Retention{MaxBytes: quota}, Sizes: sizes})
	var newest spandrel.Span
	for range 40 {
		spans := someSpans(rng, 300)
		for i := range spans {
			noise := make([]byte, 2000)
			for k := range noise {
				noise[k] = byte(rng.Uint32())
			}
			spans[i].TraceID.Low = rng.Uint64()
			spans[i].Tags = []spandrel.Tag{{Key: "noise", Value: spandrel.BytesValue(noise)}}
		}
		newest = spans[len(spans)-1]
		write(t, s, spans)
		s.flushNow()
		s.removals.Wait()
		// A flush may add one segment and what Badger's own files grow by.
		if used := diskUsage(s.dir); used > quota+2*partition {
			t.Fatalf("%d bytes are used, the quota is %d", used, quota)
		}
	}
	if n := count(t, s); n < 1000 || n > 11000 {
		t.Errorf("%d spans are kept", n)
	}
	if got := collect(t, s.Traces(context.Background(), []storage.TraceRef{{ID: newest.TraceID}})); len(got) == 0 {
		t.Error("the newest trace is gone")
	}
	if n := valueOf(t, s.m.dropped.WithLabelValues(reasonBytes).(prometheus.Collector)); n < 3 {
		t.Errorf("%v partitions were dropped", n)
	}
}

func TestOpenFinishesADropThatACrashCutShort(t *testing.T) {
	rng := rand.New(rand.NewPCG(45, 46))
	s := openStore(t, t.TempDir(), Options{})
	write(t, s, someSpans(rng, 50))
	s.sealNow()
	write(t, s, someSpans(rng, 50))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	oldest := s.sealed[0].dir
	trash := filepath.Join(s.partitionsDir(), trashPrefix+filepath.Base(oldest))
	if err := os.Rename(oldest, trash); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, s.dir, Options{})
	if n := count(t, s); n != 50 {
		t.Errorf("got %d spans, want 50", n)
	}
	if _, err := os.Stat(trash); !os.IsNotExist(err) {
		t.Errorf("the rubbish is still there: %v", err)
	}
}

func TestFullDiskRefusesWritesAndRecovers(t *testing.T) {
	rng := rand.New(rand.NewPCG(47, 48))
	fs := &faultFS{}
	s := openStore(t, t.TempDir(), Options{fs: fs, Sizes: Sizes{HeadSpans: 50, WALFileBytes: 1 << 20}})
	want := memory.New(memory.Options{})
	writeBoth(t, s, want, someSpans(rng, 120))
	s.flushNow()
	fs.setFull(true)
	var refused error
	for range 100 {
		batch := someSpans(rng, 20)
		if refused = s.Write(context.Background(), batch); refused != nil {
			break
		}
		write(t, want, batch)
	}
	if !errors.Is(refused, storage.ErrUnavailable) {
		t.Fatalf("writes on a full disk end with %v", refused)
	}
	if err := s.Healthy(); err == nil || !strings.Contains(err.Error(), "kept in reserve") {
		t.Errorf("Healthy says %v", err)
	}
	compareReads(t, s, want)
	fs.setFull(false)
	s.onFlusher(s.maintain)
	writeBoth(t, s, want, someSpans(rng, 120))
	if err := s.Healthy(); err != nil {
		t.Errorf("Healthy says %v", err)
	}
	compareReads(t, s, want)
	compareReads(t, reopen(t, s), want)
}

func TestFullDiskDropsOldPartitionsIfThereIsAQuota(t *testing.T) {
	rng := rand.New(rand.NewPCG(49, 50))
	fs := &faultFS{}
	s := openStore(t, t.TempDir(), Options{fs: fs, Sizes: small, Retention: Retention{MaxBytes: 1 << 40}})
	for range 3 {
		write(t, s, someSpans(rng, 50))
		s.sealNow()
	}
	fs.setFull(true)
	s.onFlusher(func() { s.retain(); s.removals.Wait() })
	if n := count(t, s); n != 100 {
		t.Errorf("%d spans are left, want those of two partitions, 100", n)
	}
	fs.setFull(false)
}

// TestStoreSurvivesEveryFault fails each call to the file system of the store
// in turn, once and from then on, and looks whether what was acknowledged is
// there after the fault and after a restart.
func TestStoreSurvivesEveryFault(t *testing.T) {
	for _, sticky := range []bool{false, true} {
		for nth := 1; ; nth++ {
			if failStoreNth(t, nth, sticky) < nth {
				break
			}
		}
	}
}

func failStoreNth(t *testing.T, nth int, sticky bool) (calls int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(51, uint64(nth)))
	fs := &faultFS{fails: func(call int, _ string) bool { return call == nth || sticky && call > nth }}
	s := openStore(t, t.TempDir(), Options{fs: fs, Sizes: Sizes{WALFileBytes: 4 << 10}})
	sent := memory.New(memory.Options{})
	acked := make(map[spandrel.SpanID]bool)
	for step := range 8 {
		batch := someSpans(rng, 5)
		write(t, sent, batch)
		err := s.Write(context.Background(), batch)
		if err != nil && !errors.Is(err, storage.ErrUnavailable) {
			t.Fatal(err)
		}
		for i := range batch {
			acked[batch[i].ID] = acked[batch[i].ID] || err == nil
		}
		if step == 3 {
			s.sealNow()
		}
	}
	calls = fs.counted()
	fs.setFails(nil)
	s.flushNow()
	more := someSpans(rng, 1)
	if err := s.Write(context.Background(), more); err != nil {
		t.Fatalf("call %d: the store does not work after the fault is gone: %v", nth, err)
	}
	write(t, sent, more)
	acked[more[0].ID] = true
	for range 2 {
		checkAll(t, s, sent, acked)
		s = reopen(t, s)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return calls
}

// checkAll checks that the store has all acknowledged spans and only sent ones.
func checkAll(t *testing.T, s *Store, sent *memory.Store, acked map[spandrel.SpanID]bool) {
	t.Helper()
	refs := collect(t, sent.Search(context.Background(), spandrel.Query{}))
	got, want := traces(t, s, refs), traces(t, sent, refs)
	for id, spans := range want {
		found := make(map[spandrel.SpanID]bool)
		for _, span := range got[id] {
			found[span.ID] = true
		}
		for _, span := range spans {
			if acked[span.ID] && !found[span.ID] {
				t.Fatalf("acknowledged span %v is not there", span.ID)
			}
			delete(found, span.ID)
		}
		if len(found) > 0 {
			t.Fatalf("there are spans that nobody sent: %v", found)
		}
	}
}

func TestOverloadIsRefused(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{Sizes: Sizes{QueueBytes: 1000}})
	rng := rand.New(rand.NewPCG(53, 54))
	s.insertMu.Lock() // the committer gets stuck
	results := make(chan error)
	for range 20 {
		batch := someSpans(rng, 5)
		go func() { results <- s.Write(context.Background(), batch) }()
	}
	var overloaded int
	for range 10 {
		if err := <-results; errors.Is(err, storage.ErrOverloaded) {
			overloaded++
		} else {
			t.Errorf("got %v", err)
		}
	}
	s.insertMu.Unlock()
	for range 10 {
		if err := <-results; err != nil && !errors.Is(err, storage.ErrOverloaded) {
			t.Error(err)
		}
	}
	if n := valueOf(t, s.m.overloads); n < 10 {
		t.Errorf("%v overloads were counted", n)
	}
}

func TestMetricsCanBeRegisteredAgainAfterClose(t *testing.T) {
	registry := prometheus.NewRegistry()
	dir := t.TempDir()
	for range 2 {
		s, err := Open(dir, Options{Registerer: registry, Sizes: small})
		if err != nil {
			t.Fatal(err)
		}
		write(t, s, someSpans(rand.New(rand.NewPCG(55, 56)), 30))
		if families, err := registry.Gather(); err != nil || len(families) < 15 {
			t.Errorf("%d metrics, %v", len(families), err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// valueOf is the value of a counter.
func valueOf(t testing.TB, c prometheus.Collector) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil || len(families) != 1 {
		t.Fatalf("%d metrics, %v", len(families), err)
	}
	return families[0].Metric[0].Counter.GetValue()
}
