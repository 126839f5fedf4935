package badger

import (
	"bytes"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"
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
