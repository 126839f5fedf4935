package badger

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
	"github.com/spandrel/spandrel/storage/storagetest"
)

var (
	storedSpans = flag.Int("stored.spans", 300_000, "how many spans BenchmarkStored asks about")
	storedDir   = flag.String("stored.dir", "", "where BenchmarkStored keeps them from run to run; empty: nowhere")
)

// BenchmarkStored asks a store of many spans, a day of a mesh of 40 services,
// each kind of question: how long the median and the slowest of twenty take,
// warm, to search, and to search and read the traces found. It is run as
//
//	go test ./storage/badger -run '^$' -bench Stored -timeout 1h -stored.dir DIR -stored.spans 10000000
//
// The first run fills the directory.
func BenchmarkStored(b *testing.B) {
	dir := *storedDir
	if dir == "" {
		dir = b.TempDir()
	}
	fillStored(b, dir)
	began := time.Now()
	s := openStore(b, dir, Options{Sizes: Sizes{HeadSpans: 20_000}})
	b.Run("open", func(b *testing.B) {
		for range b.N {
		}
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "ready-ms")
		b.ReportMetric(float64(diskUsage(dir))/float64(*storedSpans), "disk-B/span")
		reportRSS(b)
	})
	models := storedModels(b, dir)
	for _, kind := range questionKinds {
		b.Run(kind.name, func(b *testing.B) { askStored(b, s, models, kind.of) })
	}
	b.Run("dependencies", func(b *testing.B) {
		now := time.Now()
		for b.Loop() {
			if deps, err := s.Dependencies(context.Background(), now.Add(-48*time.Hour), now); err != nil || len(deps) == 0 {
				b.Fatal(len(deps), err)
			}
		}
	})
	b.Run("trace", func(b *testing.B) {
		var took []time.Duration
		for i := 0; b.Loop(); i++ {
			m := &models[i%len(models)]
			began := time.Now()
			if len(collect(b, s.Traces(context.Background(), []storage.TraceRef{{ID: m.TraceID}}))) == 0 {
				b.Fatal("no such trace")
			}
			took = append(took, time.Since(began))
		}
		reportTimes(b, "", took)
		reportRSS(b)
	})
}

// storedOptions are those of the mesh: a day of it, which ends now.
func storedOptions(start time.Time) storagetest.GeneratorOptions {
	return storagetest.GeneratorOptions{Start: start, Interval: 24 * time.Hour * 14 / time.Duration(*storedSpans)}
}

// fillStored makes the store unless the directory has it already.
func fillStored(b *testing.B, dir string) {
	b.Helper()
	mark := filepath.Join(dir, "filled")
	if text, err := os.ReadFile(mark); err == nil {
		if n, _ := strconv.Atoi(string(text)); n != *storedSpans {
			b.Fatalf("%s has %d spans", dir, n)
		}
		return
	}
	s, err := Open(dir, Options{SyncInterval: time.Second, Sizes: Sizes{HeadSpans: 20_000}})
	if err != nil {
		b.Fatal(err)
	}
	began, cpu := time.Now(), cpuTime()
	g := storagetest.NewGenerator(1, storedOptions(began.Add(-24*time.Hour)))
	var models []byte
	for n := 0; n < *storedSpans; {
		var batch []spandrel.Span
		for len(batch) < 500 {
			batch = append(batch, g.Next()...)
		}
		write(b, s, batch)
		if n*2000 / *storedSpans < (n+len(batch))*2000 / *storedSpans {
			models = appendRow(models, &batch[n%len(batch)])
		}
		n += len(batch)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.Logf("filled with %d spans in %v, %v of CPU", *storedSpans, time.Since(began).Round(time.Second), (cpuTime() - cpu).Round(time.Second))
	if err := os.WriteFile(filepath.Join(dir, "models"), models, 0o600); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(mark, []byte(strconv.Itoa(*storedSpans)), 0o600); err != nil {
		b.Fatal(err)
	}
}

// storedModels are some spans of the store, from its whole time, as it was
// filled.
func storedModels(b *testing.B, dir string) (models []spandrel.Span) {
	rows, err := os.ReadFile(filepath.Join(dir, "models"))
	if err != nil {
		b.Fatal(err)
	}
	for len(rows) > 0 {
		var s spandrel.Span
		r, rest, err := nextRow(rows)
		if err != nil || r.decode(&s) != nil {
			b.Fatal("malformed model")
		}
		rows, models = rest, append(models, s)
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(models), func(i, j int) { models[i], models[j] = models[j], models[i] })
	return models
}

// questionKinds make queries like one who knows a span and looks for more.
var questionKinds = []struct {
	name string
	of   func(s *spandrel.Span) spandrel.Query
}{
	{"service", func(s *spandrel.Span) spandrel.Query { return spandrel.Query{Service: s.Local.Service} }},
	{"operation", func(s *spandrel.Span) spandrel.Query {
		return spandrel.Query{Service: s.Local.Service, Operation: s.Name}
	}},
	{"status-503", func(s *spandrel.Span) spandrel.Query {
		return spandrel.Query{Service: s.Local.Service, Tags: conditions("http.status_code", "503")}
	}},
	{"tag", func(s *spandrel.Span) spandrel.Query {
		t := s.Tags[uint64(s.ID)%uint64(len(s.Tags))]
		return spandrel.Query{Tags: conditions(t.Key, t.Value.String())}
	}},
	{"url", func(s *spandrel.Span) spandrel.Query {
		v, _ := s.Tag("http.url")
		return spandrel.Query{Service: s.Local.Service, Tags: conditions("http.url", v.String(), "my_tag_header", "jason")}
	}},
	{"request-id", func(s *spandrel.Span) spandrel.Query {
		v, _ := s.Tag("guid:x-request-id")
		return spandrel.Query{Tags: conditions("guid:x-request-id", v.String())}
	}},
	{"error", func(s *spandrel.Span) spandrel.Query {
		return spandrel.Query{Service: s.Local.Service, Tags: conditions("error", "true")}
	}},
	{"duration", func(s *spandrel.Span) spandrel.Query {
		return spandrel.Query{Service: s.Local.Service, MinDuration: int64(50 * time.Millisecond)}
	}},
	{"all-of-them", func(s *spandrel.Span) spandrel.Query {
		return spandrel.Query{Service: s.Local.Service, Operation: s.Name, MinDuration: int64(20 * time.Millisecond), Tags: conditions("error", "true")}
	}},
	{"old-hour", func(s *spandrel.Span) spandrel.Query {
		end := time.Now().Add(-10 * time.Hour)
		return spandrel.Query{Service: s.Local.Service, MinStart: end.Add(-time.Hour).UnixNano(), MaxStart: end.UnixNano()}
	}},
	{"nothing", func(s *spandrel.Span) spandrel.Query { return spandrel.Query{Tags: conditions("no", "such")} }},
}

// askStored asks for 20 traces like each of some models.
func askStored(b *testing.B, s *Store, models []spandrel.Span, of func(*spandrel.Span) spandrel.Query) {
	runtime.LockOSThread() // for threadTime
	defer runtime.UnlockOSThread()
	var search, both, cpu []time.Duration
	traces, asked := 0, 0
	for range b.N {
		q := of(&models[asked%min(200, len(models))])
		asked++
		q.Limit = 20
		began, busy := time.Now(), threadTime()
		refs := collect(b, s.Search(context.Background(), q))
		search = append(search, time.Since(began))
		collect(b, s.Traces(context.Background(), refs))
		both, cpu = append(both, time.Since(began)), append(cpu, threadTime()-busy)
		traces += len(refs)
	}
	reportTimes(b, "search-", search)
	reportTimes(b, "", both)
	reportTimes(b, "cpu-", cpu)
	b.ReportMetric(float64(traces)/float64(asked), "traces")
}

// threadTime is the CPU time of the thread: unlike the clock it does not count
// what other processes take.
func threadTime() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func reportTimes(b *testing.B, prefix string, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, prefix+"p50-ms")
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, prefix+"p95-ms")
}

// reportRSS reports what memory the process has, with and without the pages of
// files, after a garbage collection.
func reportRSS(b *testing.B) {
	runtime.GC()
	for key, name := range map[string]string{"VmRSS:": "rss-MB", "RssAnon:": "anon-MB"} {
		text, _ := os.ReadFile("/proc/self/status")
		_, rest, _ := strings.Cut(string(text), key)
		var kb float64
		_, _ = fmt.Sscan(rest, &kb)
		b.ReportMetric(kb/1024, name)
	}
}
