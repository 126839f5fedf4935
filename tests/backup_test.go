package tests

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage/storagetest"
)

// copyOf copies a directory.
func copyOf(t *testing.T, dir, to string) string {
	t.Helper()
	if out, err := exec.Command("cp", "-a", dir, to).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, out)
	}
	return to
}

// now is what has been acknowledged up to now.
func (a *acked) now() *acked {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := &acked{spans: make(map[spandrel.TraceID]map[spandrel.SpanID]bool), count: a.count}
	for id, spans := range a.spans {
		b.spans[id] = maps.Clone(spans)
	}
	return b
}

// term asks the program to end and wants exit code 0.
func (s *server) term(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// TestBackupsAreRestored as docs/operate.md says: a snapshot of the volume at
// any time, here a copy while the process stands still under load, and a copy
// after SIGTERM, which comes under load too, as in an upgrade. Each is opened in
// another place when the original is gone.
func TestBackupsAreRestored(t *testing.T) {
	bin, home := build(t), t.TempDir()
	dir := filepath.Join(home, "data")
	all := &acked{spans: make(map[spandrel.TraceID]map[spandrel.SpanID]bool)}
	s := serve(t, bin, dir)
	enough, more := newCountdown(300), newCountdown(600)
	var wg sync.WaitGroup
	for i := range posters {
		g := storagetest.NewGenerator(uint64(i+1), storagetest.GeneratorOptions{Start: time.Now().Add(-time.Hour)})
		wg.Go(func() { all.post(t, s.zipkin, g, enough, more) })
	}
	<-enough.done
	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	atSnapshot := all.now()
	snapshot := copyOf(t, dir, filepath.Join(home, "snapshot"))
	if err := s.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	<-more.done
	s.term(t)
	wg.Wait()
	stopped := copyOf(t, dir, filepath.Join(home, "stopped"))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if atSnapshot.count < 300 || all.count <= atSnapshot.count {
		t.Fatalf("%d spans at the snapshot, %d at the end", atSnapshot.count, all.count)
	}
	for restored, want := range map[string]*acked{snapshot: atSnapshot, stopped: all} {
		s := serve(t, bin, restored)
		if wrong := want.missing(s.query); len(wrong) > 0 {
			t.Errorf("%s: %d faults among %d acknowledged spans: %s", filepath.Base(restored), len(wrong), want.count, wrong[0])
		}
		s.term(t)
	}
}
