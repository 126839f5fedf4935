package badger

import (
	"io"
	"os"
)

// fsys is what the store asks of the file system when it changes the WAL or
// the set of partitions, so that tests can make the N-th call fail.
type fsys interface {
	create(path string) (walHandle, error) // for writing; must not exist
	reopen(path string) (walHandle, error) // for writing over what is there
	mkdir(path string) error
	rename(from, to string) error
	remove(path string) error
	removeAll(path string) error
	syncDir(path string) error                         // makes creations, renames and removals in it durable
	space(path string) (free, total uint64, err error) // bytes
}

// walHandle is a file that is written from its beginning to its end.
type walHandle interface {
	io.WriterAt
	io.Closer
	allocate(n int64) error // reserves n bytes on disk, which read as zeros
	sync() error            // what was written is durable
}

type diskFS struct{}

type diskFile struct{ *os.File }

func (diskFS) create(path string) (walHandle, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (diskFS) reopen(path string) (walHandle, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (diskFS) mkdir(path string) error      { return os.Mkdir(path, 0o750) }
func (diskFS) rename(from, to string) error { return os.Rename(from, to) }
func (diskFS) remove(path string) error     { return os.Remove(path) }
func (diskFS) removeAll(path string) error  { return os.RemoveAll(path) }

func (diskFS) syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
