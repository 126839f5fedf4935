package badger

import (
	"bytes"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"golang.org/x/sys/unix"
)

// TestReadAheadIsAdvised looks at the flags of the value log's mapping.
func TestReadAheadIsAdvised(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	p, err := s.createPartition(1, s.o.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer p.db.Close()
	log, err := p.newestFile(".vlog")
	if err != nil {
		t.Fatal(err)
	}
	for _, wanted := range []bool{false, true} {
		readAhead(log, wanted)
		if flags := mapping(t, log, "VmFlags:"); flags == "" || strings.Contains(" "+flags, " rr") == wanted {
			t.Errorf("read-ahead wanted: %v, flags %q", wanted, flags)
		}
	}
}

// TestFlusherGivesWay looks at the flusher's thread; no other may be like it once
// the store is closed.
func TestFlusherGivesWay(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	s.onFlusher(func() {
		got, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
		if nice := 20 - got; err != nil || nice != flusherNice { // as the system call returns it
			t.Errorf("nice value %d, error %v", nice, err)
		}
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); nicer(t) > 0; time.Sleep(time.Millisecond) { // a thread ends after its goroutine
		if time.Since(began) > 10*time.Second {
			t.Fatalf("%d threads still give way", nicer(t))
		}
	}
}

// nicer counts the threads of this process that give way, but for the first:
// Go cannot end it, and has no other use for it.
func nicer(t *testing.T) (n int) {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		id, err := strconv.Atoi(task.Name())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := unix.Getpriority(unix.PRIO_PROCESS, id); err == nil && 20-got == flusherNice && id != os.Getpid() {
			n++
		}
	}
	return n
}

// TestMappingsAreForgotten has a segment in memory that nobody reads any more.
func TestMappingsAreForgotten(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	if err := s.Write(t.Context(), someSpans(rand.New(rand.NewPCG(79, 80)), pageRows)); err != nil {
		t.Fatal(err)
	}
	s.flushNow()
	log, err := s.open.newestFile(".vlog")
	if err != nil {
		t.Fatal(err)
	}
	var of []byte
	if err := s.open.db.View(func(txn *badger.Txn) error {
		return lendStored(txn, s.open.segments[0].id)(func(seg []byte) error {
			of = append(of, seg...)
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
	if rss := mapping(t, log, "Rss:"); len(of) == 0 || rss == "0 kB" {
		t.Fatalf("a segment of %d bytes was read, and %q are in memory", len(of), rss)
	}
	forgetFiles(s.partitionsDir())
	if rss := mapping(t, log, "Rss:"); rss != "0 kB" {
		t.Errorf("%q are in memory", rss)
	}
}

// TestTablesAreForgottenAfterTheStart: all of them are read then.
func TestTablesAreForgottenAfterTheStart(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	write(t, s, someSpans(rand.New(rand.NewPCG(81, 82)), pageRows))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir, Options{})
	s.onFlusher(func() {
		table, err := s.open.newestFile(".sst")
		if err != nil {
			t.Error(err)
			return
		}
		if rss := mapping(t, table, "Rss:"); rss != "0 kB" {
			t.Errorf("%q are in memory", rss)
		}
		if err := s.open.db.VerifyChecksum(); err != nil {
			t.Error(err)
		}
		if rss := mapping(t, table, "Rss:"); rss == "0 kB" {
			t.Error("nothing of a table that was read is in memory")
		}
	})
}

// mapping is what /proc/self/smaps says of the file's first mapping. rr among its
// VmFlags says that reads are random.
func mapping(t *testing.T, path, field string) string {
	t.Helper()
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(smaps, []byte(path+"\n"))
	_, rest, _ = bytes.Cut(rest, []byte("\n"+field))
	value, _, _ := bytes.Cut(rest, []byte("\n"))
	return strings.TrimLeft(string(value), " ")
}
