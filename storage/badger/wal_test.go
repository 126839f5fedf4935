package badger

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// newTestWAL makes a WAL of small files in dir.
func newTestWAL(dir string, fs fsys) *wal {
	return &wal{fs: fs, dir: dir, size: 4096, next: 1, reserve: func() uint64 { return 0 }, onError: func(error) {}}
}

// replayed is what a replay gives: LSNs, and the damage it met.
func replayed(t *testing.T, dir string, applied uint64) (lsns []uint64, damages []damage) {
	t.Helper()
	_, _, err := replay(dir, applied, func(lsn uint64, rows []byte) error {
		if !bytes.Equal(rows, payload(lsn)) {
			t.Errorf("record %d has other rows than were written", lsn)
		}
		lsns = append(lsns, lsn)
		return nil
	}, func(d damage) { damages = append(damages, d) })
	if err != nil {
		t.Fatal(err)
	}
	return lsns, damages
}

func payload(lsn uint64) []byte {
	return bytes.Repeat([]byte(fmt.Sprint("rows of ", lsn, " ")), int(lsn%7)+1)
}

func commitAll(t *testing.T, w *wal, lsns ...uint64) {
	t.Helper()
	for _, lsn := range lsns {
		if err := w.commit(newRecord(nil, lsn, payload(lsn)), true); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReplayGivesWhatWasCommitted(t *testing.T) {
	dir := t.TempDir()
	w := newTestWAL(dir, diskFS{})
	var want []uint64
	for lsn := uint64(1); lsn <= 200; lsn++ {
		want = append(want, lsn)
	}
	commitAll(t, w, want...)
	if len(w.files) < 2 {
		t.Fatal("the files were to be many")
	}
	if got, damages := replayed(t, dir, 0); !cmp.Equal(got, want) || damages != nil {
		t.Errorf("got %v, damage %v", got, damages)
	}
	if got, _ := replayed(t, dir, 150); !cmp.Equal(got, want[150:]) {
		t.Errorf("beyond 150: got %v", got)
	}
	first := w.files[1].lastLSN
	if err := w.trim(first, false); err != nil {
		t.Fatal(err)
	}
	if got, _ := replayed(t, dir, 0); !cmp.Equal(got, want[first:]) {
		t.Errorf("after trimming up to %d: got %v", first, got)
	}
}

func TestReplayContainsDamage(t *testing.T) {
	// Three records of 8-byte aligned sizes in one file.
	var ends []int
	at := len(walMagic)
	for lsn := uint64(1); lsn <= 3; lsn++ {
		at += int(newRecord(nil, lsn, payload(lsn)).size())
		ends = append(ends, at)
	}
	tests := []struct {
		name   string
		change func(b []byte) []byte
		want   []uint64
		damage []damage
	}{
		{"none", func(b []byte) []byte { return b }, []uint64{1, 2, 3}, nil},
		{"empty file", func(b []byte) []byte { return nil }, nil, nil},
		{"no tail of zeros", func(b []byte) []byte { return b[:ends[2]] }, []uint64{1, 2, 3}, nil},
		{"cut within the last header", func(b []byte) []byte { return b[:ends[1]+9] }, []uint64{1, 2},
			[]damage{{offset: int64(ends[1]), bytes: 9, tail: true}}},
		{"cut within the last payload", func(b []byte) []byte { return b[:ends[2]-9] }, []uint64{1, 2},
			[]damage{{offset: int64(ends[1]), bytes: int64(ends[2] - 9 - ends[1]), tail: true}}},
		{"last payload half zeros", func(b []byte) []byte { clear(b[ends[1]+30:]); return b }, []uint64{1, 2},
			[]damage{{offset: int64(ends[1]), bytes: 30, tail: true}}},
		{"a bit of the middle header", func(b []byte) []byte { b[ends[0]+5] ^= 4; return b }, []uint64{1, 3},
			[]damage{{offset: int64(ends[0]), bytes: int64(ends[1] - ends[0])}}},
		{"a bit of the middle payload", func(b []byte) []byte { b[ends[0]+recordHeader+2] ^= 1; return b }, []uint64{1, 3},
			[]damage{{offset: int64(ends[0]), bytes: int64(ends[1] - ends[0])}}},
		{"the middle record zeros", func(b []byte) []byte { clear(b[ends[0]:ends[1]]); return b }, []uint64{1, 3},
			[]damage{{offset: int64(ends[0]), bytes: int64(ends[1] - ends[0])}}},
		{"the magic", func(b []byte) []byte { b[3] ^= 1; return b }, []uint64{1, 2, 3}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			commitAll(t, newTestWAL(dir, diskFS{}), 1, 2, 3)
			b, err := os.ReadFile(walPath(dir, 1))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(walPath(dir, 1), tt.change(b), 0o600); err != nil {
				t.Fatal(err)
			}
			got, damages := replayed(t, dir, 0)
			if !cmp.Equal(got, tt.want) {
				t.Errorf("got records %v, want %v", got, tt.want)
			}
			for i := range damages {
				damages[i].file = ""
			}
			if diff := cmp.Diff(damages, tt.damage, cmp.AllowUnexported(damage{})); diff != "" {
				t.Errorf("damage: got (-), want (+):\n%s", diff)
			}
		})
	}
}

// TestFilesUsedAgainShowNothingOld writes files over others that are no longer
// needed, and reads them back at any moment.
func TestFilesUsedAgainShowNothingOld(t *testing.T) {
	dir := t.TempDir()
	w := newTestWAL(dir, diskFS{})
	w.size = 800
	reused := 0
	for lsn, applied := uint64(1), uint64(0); lsn <= 300; lsn++ {
		commitAll(t, w, lsn)
		if lsn%20 == 0 {
			applied = lsn - 15
			if err := w.trim(applied, false); err != nil {
				t.Fatal(err)
			}
			if w.spare > 0 {
				reused++
			}
		}
		got, damages := replayed(t, dir, applied)
		if len(got) != int(lsn-applied) || got[0] != applied+1 || damages != nil {
			t.Fatalf("after record %d: got %v, damage %v", lsn, got, damages)
		}
	}
	if reused < 5 {
		t.Errorf("only %d files were used again", reused)
	}
	if err := w.trim(300, true); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); len(left) > 0 || err != nil {
		t.Errorf("%v is left in the end, %v", left, err)
	}
}

func TestReplayRefusesALaterVersion(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(walPath(dir, 1), []byte("\x03"+walMagic[1:]), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := replay(dir, 0, nil, nil); err == nil {
		t.Error("got no error")
	}
}

// TestWALNeverLosesWhatItAcknowledged fails each call to the file system in
// turn, once and from then on, with every commit synced and with none.
func TestWALNeverLosesWhatItAcknowledged(t *testing.T) {
	for _, sync := range []bool{true, false} {
		for _, sticky := range []bool{false, true} {
			for nth := 1; ; nth++ {
				if calls := failNth(t, nth, sticky, sync); calls < nth {
					break
				}
			}
		}
	}
}

func failNth(t *testing.T, nth int, sticky, sync bool) (calls int) {
	t.Helper()
	dir := t.TempDir()
	fs := &faultFS{fails: func(call int, _ string) bool { return call == nth || sticky && call > nth }}
	w := newTestWAL(dir, fs)
	var acked []uint64
	commit := func(lsn uint64) {
		if w.commit(newRecord(nil, lsn, payload(lsn)), sync) == nil {
			acked = append(acked, lsn)
		}
	}
	for lsn := uint64(1); lsn <= 60; lsn++ {
		commit(lsn)
	}
	calls = fs.counted()
	fs.setFails(nil)
	commit(61)
	if len(acked) == 0 || acked[len(acked)-1] != 61 {
		t.Fatalf("call %d: the log does not work after the fault is gone", nth)
	}
	if err := w.syncPending(); err != nil {
		t.Fatal(err)
	}
	got, _ := replayed(t, dir, 0)
	found := make(map[uint64]int)
	for _, lsn := range got {
		found[lsn]++
	}
	for _, lsn := range acked {
		if found[lsn] != 1 {
			t.Fatalf("call %d (sticky %v, sync %v): acknowledged record %d is found %d times", nth, sticky, sync, lsn, found[lsn])
		}
	}
	return calls
}

// TestReplayReadsVersion1 opens a store with a log that a program of version 1
// left: the example that FORMAT.md had then. The same span sent again is none.
func TestReplayReadsVersion1(t *testing.T) {
	log, err := hex.DecodeString("01737064" + "57414c0a" + "7377616c" + "57000000" + "0700000000000000" + "51a47be8" + "702e5272" +
		"6a44660000000100002a36fe9c97170002006f003a010000010d1000020d0038" +
		"0380897a036765740463617274040a053e90011068747470" + "2e7374617475735f" +
		"636f64650003323030" + "01c08d87e4c6bfce972f0273730000" + strings.Repeat("00", recordHeader))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "wal"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(walPath(filepath.Join(dir, "wal"), 1), log, 0o600); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, dir, Options{})
	want := exampleSpan()
	if err := s.Write(t.Context(), []spandrel.Span{want}); err != nil {
		t.Fatal(err)
	}
	got := slices.Concat(collect(t, s.Traces(t.Context(), []storage.TraceRef{{ID: want.TraceID}}))...)
	if diff := cmp.Diff(got, []spandrel.Span{want}, spanCompare); diff != "" {
		t.Errorf("got (-), want (+):\n%s", diff)
	}
}
