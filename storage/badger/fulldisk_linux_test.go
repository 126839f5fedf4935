package badger

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// mountTmpfs gives an empty disk of so many MiB.
func mountTmpfs(t *testing.T, mib int) string {
	t.Helper()
	dir := t.TempDir()
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+megabytes(mib))
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		t.Skipf("this process may not mount file systems (it needs CAP_SYS_ADMIN), so nothing is known about full disks: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	unmountAfter(t, dir)
	return dir
}

// mountExt4 gives an empty ext4 of so many MiB, on a loop device.
func mountExt4(t *testing.T, mib int) string {
	t.Helper()
	image, dir := filepath.Join(t.TempDir(), "image"), t.TempDir()
	for _, args := range [][]string{{"truncate", "-s", megabytes(mib), image}, {"mkfs.ext4", "-q", "-F", image}, {"mount", "-o", "loop", image, dir}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Skipf("there is no ext4 to fill, %v failed: %v: %s", args, err, out)
		}
	}
	unmountAfter(t, dir)
	return dir
}

func megabytes(n int) string { return strconv.Itoa(n) + "m" }

func unmountAfter(t *testing.T, dir string) {
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
}

// noise are spans that hardly compress, of ten kilobytes each.
func noise(rng *rand.Rand, n int) []spandrel.Span {
	spans := make([]spandrel.Span, n)
	for i := range spans {
		b := make([]byte, 10_000)
		for k := range b {
			b[k] = byte(rng.Uint32())
		}
		spans[i] = exampleSpan()
		spans[i].TraceID, spans[i].ID = spandrel.TraceID{Low: rng.Uint64() | 1}, spandrel.SpanID(rng.Uint64()|1)
		spans[i].Tags = []spandrel.Tag{{Key: "noise", Value: spandrel.BytesValue(b)}}
	}
	return spans
}

// fillFile takes all that is left of the disk.
func fillFile(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size >= 512; size /= 2 {
		for err == nil {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
		err = nil
	}
}

// TestRealDisksFillUp writes to small file systems until the store refuses
// more, goes on for a while, fills up the rest, opens the store on a disk
// without a byte left, and then makes room. A store that let Badger meet the
// full disk would die of SIGBUS.
func TestRealDisksFillUp(t *testing.T) {
	for name, mount := range map[string]func(*testing.T, int) string{"tmpfs": mountTmpfs, "ext4": mountExt4} {
		t.Run(name, func(t *testing.T) {
			fillAndRecover(t, mount(t, 160))
		})
	}
}

func fillAndRecover(t *testing.T, disk string) {
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(81, 82))
	ballast, dir := filepath.Join(disk, "ballast"), filepath.Join(disk, "store")
	if err := os.WriteFile(ballast, make([]byte, 40<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{Sizes: Sizes{WALFileBytes: 2 << 20, HeadSpans: 300}}
	s := openStore(t, dir, o)
	var acked []storage.TraceRef
	refused := 0
	writeUntilRefused := func() {
		t.Helper()
		well := 0
		for refused = 0; refused < soak(20, 1000); {
			batch := noise(rng, 10)
			switch err := s.Write(ctx, batch); {
			case err == nil && len(acked) > 50_000:
				t.Fatal("the disk holds more than it should")
			case err == nil:
				for i := range batch {
					acked = append(acked, storage.TraceRef{ID: batch[i].TraceID})
				}
			case !errors.Is(err, storage.ErrUnavailable):
				t.Fatal(err)
			default:
				refused++
				if s.Healthy() == nil {
					well++ // a file of the log has come free meanwhile
				}
				time.Sleep(10 * time.Millisecond) // as Retry-After asks for
			}
		}
		if well > refused/2 {
			t.Errorf("the store said that it was well after %d of %d refusals", well, refused)
		}
	}
	writeUntilRefused()
	checkTraces(t, s, acked)
	fillFile(t, filepath.Join(disk, "rest"))
	writeUntilRefused() // the log's file may have had room
	t.Logf("%d spans fit", len(acked))
	checkTraces(t, s, acked)
	_ = s.Close() // what was not flushed is in the log
	fillFile(t, filepath.Join(disk, "more"))
	s = openStore(t, dir, o)
	checkTraces(t, s, acked)
	writeUntilRefused()
	for _, file := range []string{"ballast", "rest", "more"} {
		if err := os.Remove(filepath.Join(disk, file)); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	for s.Write(ctx, noise(rng, 1)) != nil {
		if time.Since(began) > 5*time.Second {
			t.Fatal("no write is taken 5 s after there was room again")
		}
		time.Sleep(50 * time.Millisecond)
	}
	checkTraces(t, s, acked)
}

// checkTraces looks for traces of one span each.
func checkTraces(t *testing.T, s *Store, want []storage.TraceRef) {
	t.Helper()
	if got := len(collect(t, s.Traces(context.Background(), want))); got != len(want) {
		t.Fatalf("%d of %d acknowledged spans are there", got, len(want))
	}
}

// TestFullDiskWithAQuotaGoesOn writes more than the disk holds: retention makes
// room all the time.
func TestFullDiskWithAQuotaGoesOn(t *testing.T) {
	disk := mountTmpfs(t, 120)
	rng := rand.New(rand.NewPCG(83, 84))
	s := openStore(t, filepath.Join(disk, "store"), Options{
		Retention: Retention{MaxBytes: 100 << 20}, // more than there is
		Sizes:     Sizes{WALFileBytes: 2 << 20, HeadSpans: 300, PartitionBytes: 5 << 20},
	})
	var last []spandrel.Span
	for range soak(1000, 20_000) { // 100 kB each
		batch := noise(rng, 10)
		began := time.Now()
		for s.Write(context.Background(), batch) != nil {
			if time.Since(began) > 5*time.Second {
				t.Fatalf("no write was taken for 5 s: %v", s.Healthy())
			}
			time.Sleep(10 * time.Millisecond)
		}
		last = batch
	}
	if n := valueOf(t, s.m.dropped.WithLabelValues(reasonDisk).(prometheus.Collector)); n == 0 {
		t.Error("nothing was dropped because of the disk")
	}
	checkTraces(t, s, []storage.TraceRef{{ID: last[0].TraceID}})
}

// optimist takes no notice of what others do to the disk.
type optimist struct {
	diskFS
	trusting atomic.Bool
}

func (o *optimist) space(path string) (free, total uint64, err error) {
	if o.trusting.Load() {
		return 100 << 20, 160 << 20, nil
	}
	return o.diskFS.space(path)
}

// TestDiskThatOthersFillDuringAFlush has the disk full although it was not when
// the store last looked.
func TestDiskThatOthersFillDuringAFlush(t *testing.T) {
	disk, fs := mountTmpfs(t, 160), new(optimist)
	s := openStore(t, filepath.Join(disk, "store"), Options{Sizes: Sizes{WALFileBytes: 16 << 20, HeadSpans: 10_000}, fs: fs})
	rng := rand.New(rand.NewPCG(85, 86))
	var want []storage.TraceRef
	write := func(n int) {
		batch := noise(rng, n)
		if err := s.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		for i := range batch {
			want = append(want, storage.TraceRef{ID: batch[i].TraceID})
		}
	}
	write(1)
	s.freeze()
	eventually(t, func() bool { return s.frozen() == 0 }) // there is a partition
	write(200)
	fillFile(t, filepath.Join(disk, "rest"))
	fs.trusting.Store(true)
	s.freeze()
	eventually(t, func() bool { return errors.Is(s.health.get(troubleFlush), unix.ENOSPC) })
	checkTraces(t, s, want)
	if err := os.Remove(filepath.Join(disk, "rest")); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return s.Healthy() == nil && s.frozen() == 0 })
	checkTraces(t, s, want)
	fs.trusting.Store(false)
}

// eventually waits until a condition holds.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatal("nothing came of it in 10 s")
		}
	}
}
