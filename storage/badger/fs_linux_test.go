package badger

import (
	"bytes"
	"os"
	"strings"
	"testing"
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
		if flags := mappingFlags(t, log); flags == "" || strings.Contains(flags, " rr") == wanted {
			t.Errorf("read-ahead wanted: %v, flags %q", wanted, flags)
		}
	}
}

// mappingFlags are those of the file's first mapping, as /proc/self/smaps has
// them: rr says that reads are random.
func mappingFlags(t *testing.T, path string) string {
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(smaps, []byte(path+"\n"))
	_, rest, _ = bytes.Cut(rest, []byte("VmFlags:"))
	flags, _, _ := bytes.Cut(rest, []byte("\n"))
	return string(flags)
}
