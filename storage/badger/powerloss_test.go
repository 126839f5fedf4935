package badger

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestPowerLossTearsOnlyWhatWasNotAcknowledged cuts the power at a random
// moment: of each file of the log, what was synced last is there, and of what
// was written later any sectors are, or are as they were before, or make no
// sense. Everything acknowledged must be found, once, and nothing that was not
// written. Files are used again meanwhile, so that they have old records.
func TestPowerLossTearsOnlyWhatWasNotAcknowledged(t *testing.T) {
	rng := rand.New(rand.NewPCG(95, 96))
	reused := 0
	for range soak(80, 20_000) {
		dir := t.TempDir()
		fs := &faultFS{}
		if rng.IntN(3) == 0 { // and some syncs fail before
			fs.fails = func(_ int, what string) bool { return what == "sync" && rng.IntN(8) == 0 }
		}
		w := newTestWAL(dir, fs)
		w.size = 800
		acked := make(map[uint64]bool)
		last, applied := uint64(1+rng.IntN(80)), uint64(0)
		for lsn := uint64(1); lsn <= last; lsn++ {
			acked[lsn] = w.commit(newRecord(nil, lsn, payload(lsn)), true) == nil
			if rng.IntN(10) == 0 {
				before := w.spare
				applied += rng.Uint64N(lsn - applied + 1)
				if err := w.trim(applied, false); err != nil {
					t.Fatal(err)
				}
				if w.spare > before {
					reused++
				}
			}
		}
		torn := uint64(0)
		if w.file != nil { // the last sync did not fail
			torn = writeTorn(t, rng, w, last)
		}
		found := make(map[uint64]int)
		got, _ := replayed(t, dir, applied)
		for _, lsn := range got {
			found[lsn]++
		}
		for lsn := uint64(1); lsn <= last+torn; lsn++ {
			if found[lsn] > 1 || lsn > applied && acked[lsn] && found[lsn] == 0 {
				t.Fatalf("record %d of %d (acknowledged: %v) is found %d times", lsn, last, acked[lsn], found[lsn])
			}
		}
		if err := os.RemoveAll(filepath.Dir(walPath(dir, 1))); err != nil {
			t.Fatal(err)
		}
	}
	if reused < 30 {
		t.Errorf("only %d files were used again", reused)
	}
}

// writeTorn writes up to three records after last, which it does not sync, and
// tears them. It returns how many.
func writeTorn(t *testing.T, rng *rand.Rand, w *wal, last uint64) (n uint64) {
	t.Helper()
	path, synced := walPath(w.dir, w.next-1), w.at
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for most := uint64(rng.IntN(4)); n < most && w.at+200 < w.room; n++ {
		if err := w.write(newRecord(nil, last+n+1, payload(last+n+1))); err != nil {
			t.Fatal(err)
		}
	}
	tear(t, rng, path, before, synced, w.at)
	return n
}

// tear keeps, undoes or scrambles each sector of what was written after synced.
func tear(t *testing.T, rng *rand.Rand, path string, before []byte, synced, written int64) {
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
			copy(b[at:end], before[min(at, int64(len(before))):])
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
