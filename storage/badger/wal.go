package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/s2"

	"github.com/spandrel/spandrel/storage"
)

// Sizes of the WAL's parts in bytes; FORMAT.md draws them.
const (
	walMagic     = "\x02spdWAL\n" // version byte first
	recordMagic  = 0x6c617773     // "swal"
	recordHeader = 24
	recordAlign  = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// wal is the write-ahead log: files of records, each the rows of one commit
// group. Only the committer goroutine uses it.
//
// One file that is no longer needed is kept to become the next: where blocks
// have been written before, fdatasync has no metadata to write. What is left
// in it of its former life has LSNs that tell.
type wal struct {
	fs      fsys
	dir     string
	size    int64         // of a file
	reserve func() uint64 // bytes of disk that must stay free when a file is made

	file  walHandle // nil = none open
	at    int64     // bytes written to file
	room  int64     // bytes that file was made for
	files []walFile // oldest first; the last is the open one
	next  uint64    // number of the next file
	spare int64     // size of the file that is kept, 0 = none

	// unsynced are the records written since the last fdatasync. When one
	// fails, nobody knows which of them are on disk: the file is given up,
	// never synced again, and they are written to a new one.
	unsynced []record
	onError  func(error) // told of each write or sync that failed
}

type walFile struct {
	seq     uint64
	lastLSN uint64
	size    int64 // if it may become the spare one, else 0
}

// record is a record and the end of what is written: a header of zeros, which
// the next record takes the place of.
type record struct {
	lsn   uint64
	bytes []byte
}

// size is without the end.
func (r record) size() int64 { return int64(len(r.bytes) - recordHeader) }

// spareName has no number, so that it is not read back.
const spareName = "spare"

func walPath(dir string, seq uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%016x.wal", seq))
}

// newRecord makes the record of a commit group out of its rows, in the memory
// of b if that is large enough.
func newRecord(b []byte, lsn uint64, rows []byte) record {
	b = slices.Grow(b[:0], 2*recordHeader+s2.MaxEncodedLen(len(rows))+recordAlign)
	b = b[:recordHeader+len(s2.Encode(b[recordHeader:cap(b)], rows))]
	payload := b[recordHeader:]
	binary.LittleEndian.PutUint32(b, recordMagic)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(payload)))
	binary.LittleEndian.PutUint64(b[8:], lsn)
	binary.LittleEndian.PutUint32(b[16:], crc32.Checksum(payload, castagnoli))
	binary.LittleEndian.PutUint32(b[20:], crc32.Checksum(b[:20], castagnoli))
	for len(b)%recordAlign != 0 {
		b = append(b, 0)
	}
	return record{lsn, append(b, make([]byte, recordHeader)...)}
}

// commit writes the record and, if sync is set, makes it and all before it
// durable. After an error the record may or may not be found again; records
// committed earlier without sync are kept and tried again with the next one.
func (w *wal) commit(r record, sync bool) error {
	err := w.makeRoom(int64(len(r.bytes)))
	w.unsynced = append(w.unsynced, r) // only now: makeRoom may have synced
	if err == nil {
		err = w.write(r)
	}
	if err == nil && sync {
		err = w.sync()
	}
	if err != nil {
		w.onError(err)
		err = w.startOver()
	}
	if err != nil {
		w.unsynced = slices.DeleteFunc(w.unsynced, func(u record) bool { return u.lsn == r.lsn })
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	}
	return nil
}

// syncPending makes durable what was committed without sync.
func (w *wal) syncPending() error {
	if len(w.unsynced) == 0 {
		return nil
	}
	err := w.sync()
	if err != nil {
		w.onError(err)
		err = w.startOver()
	}
	return err
}

// makeRoom sees to it that a file with room for n bytes is open.
func (w *wal) makeRoom(n int64) error {
	if w.file != nil && w.at+n > w.room {
		if err := w.closeFile(); err != nil {
			return err
		}
	}
	if w.file == nil {
		return w.create(n)
	}
	return nil
}

func (w *wal) write(r record) error {
	if _, err := w.file.WriteAt(r.bytes, w.at); err != nil {
		return err
	}
	w.at += r.size()
	w.files[len(w.files)-1].lastLSN = r.lsn
	return nil
}

func (w *wal) sync() error {
	if w.file == nil {
		return errors.New("no write-ahead log file is open")
	}
	if err := w.file.sync(); err != nil {
		return err
	}
	w.unsynced = w.unsynced[:0]
	return nil
}

// startOver gives up the open file and writes all unsynced records to a new
// one, which it syncs.
func (w *wal) startOver() error {
	if w.file != nil {
		_ = w.file.Close() // its state is unknown whatever this says
		w.file, w.files[len(w.files)-1].size = nil, 0
	}
	var need int64
	for _, r := range w.unsynced {
		need += int64(len(r.bytes))
	}
	err := w.create(need)
	for _, r := range w.unsynced {
		if err == nil {
			err = w.write(r)
		}
	}
	if err == nil {
		err = w.sync()
	}
	if err != nil && w.file != nil {
		_ = w.file.Close()
		w.file = nil
	}
	return err
}

// create begins a new file with room for at least need bytes of records, made
// of the spare one if that has the size.
func (w *wal) create(need int64) error {
	free, total, err := w.fs.space(w.dir)
	if err != nil {
		return err
	}
	usual := min(w.size, int64(total/16))
	room := max(usual, int64(len(walMagic))+need)
	path := walPath(w.dir, w.next)
	open := w.allocate
	switch keep := w.reserve(); {
	case w.spare == room:
		open = w.reuse
	case free < keep+uint64(room):
		return fmt.Errorf("disk of %s has %d MiB left, a write-ahead log file takes %d and %d are kept in reserve",
			w.dir, free>>20, room>>20, keep>>20)
	}
	w.next++ // also after an error: the file may be there
	f, err := open(path, room)
	if err == nil {
		_, err = f.WriteAt(append([]byte(walMagic), zeroHeader[:]...), 0)
	}
	if err == nil {
		err = w.fs.syncDir(w.dir)
	}
	if err != nil {
		if f != nil {
			_ = f.Close()
		}
		_ = w.fs.remove(path)
		return fmt.Errorf("making %s: %w", path, err)
	}
	w.file, w.at, w.room = f, int64(len(walMagic)), room
	made := walFile{seq: w.next - 1}
	if room == usual {
		made.size = room
	}
	w.files = append(w.files, made)
	return nil
}

var zeroHeader [recordHeader]byte

// allocate makes a file of zeros.
func (w *wal) allocate(path string, room int64) (walHandle, error) {
	f, err := w.fs.create(path)
	if err != nil {
		return nil, err
	}
	return f, f.allocate(room)
}

// reuse makes a file of the spare one, which it is no longer, whatever happens.
func (w *wal) reuse(path string, _ int64) (walHandle, error) {
	w.spare = 0
	if err := w.fs.rename(filepath.Join(w.dir, spareName), path); err != nil {
		return nil, err
	}
	return w.fs.reopen(path)
}

// closeFile syncs and closes the open file.
func (w *wal) closeFile() error {
	if len(w.unsynced) > 0 {
		if err := w.sync(); err != nil {
			return err
		}
	}
	err := w.file.Close()
	w.file = nil
	return err
}

// trim removes the files all of whose records are applied, but keeps one as
// the spare. If all is set, the open one and the spare are removed too.
func (w *wal) trim(applied uint64, all bool) error {
	for len(w.files) > 0 && w.files[0].lastLSN <= applied && (all || w.file == nil || len(w.files) > 1) {
		if len(w.files) == 1 && w.file != nil {
			_ = w.file.Close()
			w.file, w.unsynced = nil, nil
		}
		if err := w.discard(w.files[0], !all); err != nil {
			return err
		}
		w.files = w.files[1:]
	}
	if all && w.spare > 0 {
		w.spare = 0
		return w.fs.remove(filepath.Join(w.dir, spareName))
	}
	return nil
}

// discard removes a file or makes it the spare one.
func (w *wal) discard(f walFile, keep bool) error {
	path := walPath(w.dir, f.seq)
	if !keep || w.spare > 0 || f.size == 0 {
		return w.fs.remove(path)
	}
	if err := w.fs.rename(path, filepath.Join(w.dir, spareName)); err != nil {
		return err
	}
	w.spare = f.size
	return nil
}
