package badger

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestPowerLossTearsOnlyWhatWasNotAcknowledged cuts the power at a random
// moment: of each file of the log, what was synced last is there, and of what
// was written later any sectors are, or were, or are zeros. Everything
// acknowledged must be found, once, and nothing that was not written.
func TestPowerLossTearsOnlyWhatWasNotAcknowledged(t *testing.T) {
	rng := rand.New(rand.NewPCG(95, 96))
	for range soak(100, 20_000) {
		dir := t.TempDir()
		fs := &faultFS{}
		if rng.IntN(3) == 0 { // and some syncs fail before
			fs.fails = func(_ int, what string) bool { return what == "sync" && rng.IntN(8) == 0 }
		}
		w := newTestWAL(dir, fs)
		acked := make(map[uint64]bool)
		last := uint64(1 + rng.IntN(40))
		for lsn := uint64(1); lsn <= last; lsn++ {
			acked[lsn] = w.commit(newRecord(nil, lsn, payload(lsn)), true) == nil
		}
		synced := w.at
		torn := uint64(rng.IntN(4)) // written, but not synced
		for lsn := last + 1; lsn <= last+torn && w.file != nil && w.at+200 < w.room; lsn++ {
			if err := w.write(newRecord(nil, lsn, payload(lsn))); err != nil {
				t.Fatal(err)
			}
		}
		if w.file != nil {
			tear(t, rng, walPath(dir, w.next-1), synced, w.at)
		}
		found := make(map[uint64]int)
		got, _ := replayed(t, dir, 0)
		for _, lsn := range got {
			found[lsn]++
		}
		for lsn := uint64(1); lsn <= last+torn; lsn++ {
			if found[lsn] > 1 || acked[lsn] && found[lsn] == 0 {
				t.Fatalf("record %d of %d (acknowledged: %v) is found %d times", lsn, last, acked[lsn], found[lsn])
			}
		}
		if err := os.RemoveAll(filepath.Dir(walPath(dir, 1))); err != nil {
			t.Fatal(err)
		}
	}
}

// tear keeps, zeroes or scrambles each sector of what was written after synced.
func tear(t *testing.T, rng *rand.Rand, path string, synced, written int64) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const sector = 512
	for at := synced; at < written; {
		end := min((at/sector+1)*sector, written)
		switch rng.IntN(3) {
		case 0:
			clear(b[at:end])
		case 1:
			for i := at; i < end; i++ {
				b[i] = byte(rng.Uint32())
			}
		}
		at = end
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
