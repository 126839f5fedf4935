package badger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/s2"
)

// damage is a stretch of a WAL file that could not be read.
type damage struct {
	file   string
	offset int64 // of the first byte that makes no sense
	bytes  int64 // up to the next good record, or the last byte that is not zero
	tail   bool  // nothing good comes after it: a write that a crash cut short
}

// replay reads the WAL files in dir in order and gives each record beyond
// applied to use, once; use may answer errRecord. Damaged stretches are passed
// to report and skipped.
// It returns the files, the last LSN seen and any error of reading or use.
func replay(dir string, applied uint64, use func(lsn uint64, rows []byte) error, report func(damage)) ([]walFile, uint64, error) {
	seqs, err := walSeqs(dir)
	if err != nil {
		return nil, 0, err
	}
	var files []walFile
	last := applied
	for _, seq := range seqs {
		path := walPath(dir, seq)
		inFile, err := replayFile(path, last, func(lsn uint64, payload []byte) error {
			rows, err := s2.Decode(nil, payload)
			if err != nil {
				return errRecord
			}
			last = lsn
			return use(lsn, rows)
		}, report)
		if err != nil {
			return nil, 0, err
		}
		files = append(files, walFile{seq: seq, lastLSN: inFile})
	}
	return files, last, nil
}

func walSeqs(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var seqs []uint64
	for _, e := range entries {
		name, isWAL := strings.CutSuffix(e.Name(), ".wal")
		if seq, err := strconv.ParseUint(name, 16, 64); isWAL && err == nil {
			seqs = append(seqs, seq)
		}
	}
	slices.Sort(seqs)
	return seqs, nil
}

// replayFile gives use every good record of a file with an LSN above last and
// above those before, and returns the last LSN. The others were written twice,
// after a sync that failed, or are left from when the file had another number.
func replayFile(path string, last uint64, use func(lsn uint64, payload []byte) error, report func(damage)) (inFile uint64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if err := checkMagic(f); err != nil {
		return 0, err
	}
	for at := int64(len(walMagic)); ; {
		lsn, payload, next, err := readRecord(f, at)
		if err == nil && lsn <= last {
			inFile, at = max(inFile, lsn), next
			continue
		}
		if err == nil {
			err = use(lsn, payload)
		}
		if err == nil {
			last, inFile, at = lsn, lsn, next
			continue
		}
		if !errors.Is(err, errRecord) && !errors.Is(err, io.EOF) {
			return 0, err
		}
		next, found := resync(f, at, last)
		if !found && errors.Is(err, io.EOF) {
			return inFile, nil
		}
		report(damage{filepath.Base(path), at, next - at, !found})
		if !found {
			return inFile, nil
		}
		at = next
	}
}

// checkMagic refuses files of later versions. A magic that makes no sense is
// damage, or a crash while the file was made; what follows may be good.
func checkMagic(f *os.File) error {
	magic := make([]byte, len(walMagic))
	if _, err := f.ReadAt(magic, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if string(magic[1:]) == walMagic[1:] && magic[0] > walMagic[0] {
		return fmt.Errorf("%s has version %d of the write-ahead log, this program knows %d", f.Name(), magic[0], walMagic[0])
	}
	return nil
}

var errRecord = errors.New("malformed record")

// readRecord reads the record at an offset and tells where the next one is.
// io.EOF means that nothing was written there.
func readRecord(f io.ReaderAt, at int64) (lsn uint64, payload []byte, next int64, err error) {
	var h [recordHeader]byte
	n, err := f.ReadAt(h[:], at)
	if h == [recordHeader]byte{} && (err == nil || errors.Is(err, io.EOF)) {
		return 0, nil, 0, io.EOF
	}
	if n < recordHeader || !goodHeader(h[:]) {
		return 0, nil, 0, errRecord
	}
	size := int64(binary.LittleEndian.Uint32(h[4:]))
	payload, err = io.ReadAll(io.NewSectionReader(f, at+recordHeader, size))
	if err != nil || int64(len(payload)) < size || crc32.Checksum(payload, castagnoli) != binary.LittleEndian.Uint32(h[16:]) {
		return 0, nil, 0, errRecord
	}
	end := at + recordHeader + size
	return binary.LittleEndian.Uint64(h[8:]), payload, (end + recordAlign - 1) / recordAlign * recordAlign, nil
}

func goodHeader(h []byte) bool {
	return binary.LittleEndian.Uint32(h) == recordMagic &&
		crc32.Checksum(h[:20], castagnoli) == binary.LittleEndian.Uint32(h[20:])
}

// resync finds the first good record after an offset that has an LSN above
// last. If there is none, it finds the end of what may have been written: the
// first record with another LSN, or the last byte that is not zero.
func resync(f io.ReaderAt, after int64, last uint64) (at int64, found bool) {
	const window = 1 << 20
	b := make([]byte, window+recordHeader)
	end, old := after, false
	for base := after; ; base += window {
		n, err := f.ReadAt(b, base)
		if used := len(bytes.TrimRight(b[:min(n, window)], "\x00")); used > 0 && !old {
			end = base + int64(used)
		}
		for i := 0; i+recordHeader <= n && i < window; i += recordAlign {
			if binary.LittleEndian.Uint32(b[i:]) != recordMagic || !goodHeader(b[i:i+recordHeader]) || base+int64(i) == after {
				continue
			}
			if lsn, _, _, err := readRecord(f, base+int64(i)); err != nil {
				continue
			} else if lsn > last {
				return base + int64(i), true
			}
			if !old {
				end, old = base+int64(i), true
			}
		}
		if err != nil {
			return end, false
		}
	}
}
