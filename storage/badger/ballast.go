package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Badger writes through mappings of its files: on a disk without a free block
// it dies of SIGBUS, also while it is opened or closed. The store stops
// flushing before that, but others may take what is left. So it keeps a file
// that is good for nothing but to be removed then.

// maxBallast is the file's size, at most an eighth of the disk's and a
// sixteenth of the quota.
const maxBallast = 32 << 20

func (s *Store) ballastPath() string { return filepath.Join(s.dir, "BALLAST") }

// keepBallast makes the file if it is not there and there is room.
func (s *Store) keepBallast() {
	if _, err := os.Stat(s.ballastPath()); err == nil {
		return
	}
	free, total, err := s.o.fs.space(s.dir)
	size := min(total/8, maxBallast)
	if quota := s.o.Retention.MaxBytes; quota > 0 {
		size = min(size, uint64(quota)/16)
	}
	if err != nil || free < s.o.reserveOf(total)+size {
		return
	}
	f, err := s.o.fs.create(s.ballastPath())
	if err != nil {
		return
	}
	if err := errors.Join(f.allocate(int64(size)), f.Close()); err != nil {
		_ = s.o.fs.remove(s.ballastPath())
	}
}

// makeRoom says whether Badger may open or close what it writes to; if need be
// it gives up the ballast for that.
func (s *Store) makeRoom() error {
	if s.spaceError() == nil {
		return nil
	}
	_ = s.o.fs.remove(s.ballastPath())
	free, total, err := s.o.fs.space(s.dir)
	if err != nil {
		return err
	}
	if need := min(total/16, maxBallast/2); free < need {
		return fmt.Errorf("the disk of %s has %d MiB left, opening or closing the store takes %d", s.dir, free>>20, need>>20)
	}
	return nil
}
