package badger

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// damagedKinds are the kinds of files that a store has, and which of their
// spans a flipped bit may cost: those of the file's partition, or those of one
// record of the log.
var damagedKinds = []struct {
	pattern string
	loses   string // part of the paths whose spans may be lost
}{
	{"partitions/p-00000001-*/*.vlog", "sealed"},
	{"partitions/p-00000001-*/*.sst", "sealed"},
	{"partitions/p-00000001-*/MANIFEST", "sealed"},
	{"partitions/p-00000001-*/KEYREGISTRY", "sealed"},
	{"partitions/p-00000001-*/DISCARD", "sealed"},
	{"partitions/p-00000002-*/*.vlog", "open"},
	{"partitions/p-00000002-*/*.mem", "open"},
	{"partitions/p-00000002-*/MANIFEST", "open"},
	{"wal/*.wal", "log"},
}

// TestFlippedBitsAreContained flips one bit of a store that was not closed, in
// each kind of file, and opens it. Nothing may be answered that was not
// written, what lies elsewhere must be there, and what is lost must be counted
// or, where the store refuses to start, named.
func TestFlippedBitsAreContained(t *testing.T) {
	original := t.TempDir()
	s := openStore(t, original, Options{})
	rng := rand.New(rand.NewPCG(91, 92))
	sent := make(map[string][]spandrel.Span)
	for i, where := range []string{"sealed", "open", "log"} {
		spans := someSpans(rng, 300)
		for k := range spans {
			spans[k].TraceID = spandrel.TraceID{High: uint64(i + 1), Low: uint64(k/3 + 1)}
		}
		for part := range slices.Chunk(spans, 50) {
			write(t, s, part)
		}
		sent[where] = spans
		switch where {
		case "sealed":
			s.sealNow()
		case "open":
			s.flushNow()
		}
	}
	crashed := t.TempDir()
	copyTree(t, original, crashed) // as kill -9 would leave it
	for _, kind := range damagedKinds {
		t.Run(kind.pattern, func(t *testing.T) {
			for range soak(4, 100) {
				dir := t.TempDir()
				copyTree(t, crashed, dir)
				what := flipBit(t, rng, dir, kind.pattern)
				checkDamaged(t, dir, what, sent, kind.loses)
			}
		})
	}
}

// copyTree copies the files of a store, holes included.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, path)
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o750)
		}
		if d.Name() == "BALLAST" || d.Name() == "LOCK" {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b := make([]byte, min(info.Size(), 2<<20)) // what is beyond was never written
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := f.ReadAt(b, 0); err != nil {
			return err
		}
		if err := os.WriteFile(target, b, 0o640); err != nil {
			return err
		}
		return os.Truncate(target, info.Size())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// flipBit flips one bit of the part of a file that was written.
func flipBit(t *testing.T, rng *rand.Rand, dir, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no %s: %v", pattern, err)
	}
	path := files[rng.IntN(len(files))]
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	used := len(bytes.TrimRight(b[:min(len(b), 2<<20)], "\x00"))
	if used == 0 {
		used = len(b)
	}
	at, bit := rng.IntN(used), rng.IntN(8)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{b[at] ^ 1<<bit}, int64(at)); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("bit %d of byte %d of %s (%d used)", bit, at, filepath.Base(path), used)
}

func checkDamaged(t *testing.T, dir, what string, sent map[string][]spandrel.Span, loses string) {
	t.Helper()
	var log bytes.Buffer
	s, err := Open(dir, Options{Sizes: small, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		if !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: the store says %v, but not where", what, err)
		}
		return
	}
	defer s.Close()
	s.onFlusher(s.verifyNext)
	for where, spans := range sent {
		var refs []storage.TraceRef
		want := make(map[spandrel.SpanID]*spandrel.Span)
		for i := range spans {
			refs = append(refs, storage.TraceRef{ID: spans[i].TraceID})
			want[spans[i].ID] = &spans[i]
		}
		found := make(map[spandrel.SpanID]bool)
		for _, chunk := range collect(t, s.Traces(context.Background(), slices.Compact(refs))) {
			for i := range chunk {
				if w := want[chunk[i].ID]; w == nil || !w.Equal(&chunk[i]) {
					t.Errorf("%s: got a span that nobody sent: %+v", what, chunk[i])
				}
				found[chunk[i].ID] = true
			}
		}
		switch lost := len(want) - len(found); {
		case lost > 0 && where != loses:
			t.Errorf("%s: %d of the %d spans %s are lost", what, lost, len(want), where)
		case lost > 50 && where == "log":
			t.Errorf("%s: %d spans of the log are lost, a record has 50", what, lost)
		case lost > 0 && valueOf(t, s.m.corruptions)+valueOf(t, s.m.walDamage) == 0:
			t.Errorf("%s: %d spans are lost and nobody is told; the log says:\n%s", what, lost, log.String())
		}
	}
}
