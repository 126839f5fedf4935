package badger

import (
	"errors"
	"os"
	"sync"
)

var errInjected = errors.New("injected fault")

// faultFS is the disk's file system, some of whose calls fail. Calls are
// counted from 1 over all kinds.
type faultFS struct {
	diskFS
	mu    sync.Mutex // guards all below
	calls int
	fails func(call int, what string) bool
	full  bool // the disk has no space left
}

func (f *faultFS) call(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.fails != nil && f.fails(f.calls, what) {
		return errInjected
	}
	return nil
}

// counted is how many calls there were up to now.
func (f *faultFS) counted() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

func (f *faultFS) setFails(fails func(call int, what string) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails = fails
}

func (f *faultFS) setFull(full bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.full = full
}

func (f *faultFS) create(path string) (walHandle, error) {
	if err := f.call("create"); err != nil {
		return nil, err
	}
	h, err := f.diskFS.create(path)
	if err != nil {
		return nil, err
	}
	return &faultFile{walHandle: h, fs: f, path: path}, nil
}

func (f *faultFS) reopen(path string) (walHandle, error) {
	if err := f.call("reopen"); err != nil {
		return nil, err
	}
	h, err := f.diskFS.reopen(path)
	if err != nil {
		return nil, err
	}
	return &faultFile{walHandle: h, fs: f, path: path}, nil
}

func (f *faultFS) mkdir(path string) error {
	if err := f.call("mkdir"); err != nil {
		return err
	}
	return f.diskFS.mkdir(path)
}

func (f *faultFS) rename(from, to string) error {
	if err := f.call("rename"); err != nil {
		return err
	}
	return f.diskFS.rename(from, to)
}

func (f *faultFS) remove(path string) error {
	if err := f.call("remove"); err != nil {
		return err
	}
	return f.diskFS.remove(path)
}

func (f *faultFS) removeAll(path string) error {
	if err := f.call("removeAll"); err != nil {
		return err
	}
	return f.diskFS.removeAll(path)
}

func (f *faultFS) syncDir(path string) error {
	if err := f.call("syncDir"); err != nil {
		return err
	}
	return f.diskFS.syncDir(path)
}

func (f *faultFS) space(path string) (free, total uint64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full {
		return 1 << 20, 1 << 40, nil
	}
	return 1 << 39, 1 << 40, nil
}

type faultFile struct {
	walHandle
	fs              *faultFS
	path            string
	written, synced int64
}

func (f *faultFile) allocate(n int64) error {
	if err := f.fs.call("allocate"); err != nil {
		return err
	}
	return f.walHandle.allocate(n)
}

// WriteAt fails after half of the bytes.
func (f *faultFile) WriteAt(b []byte, at int64) (int, error) {
	fault := f.fs.call("write")
	if fault != nil {
		b = b[:len(b)/2]
	}
	n, err := f.walHandle.WriteAt(b, at)
	f.written = at + int64(n)
	return n, errors.Join(fault, err)
}

// sync fails and throws away what was written since the last one that did
// not, as the page cache may: a sync that failed cannot be made good.
func (f *faultFile) sync() error {
	if err := f.fs.call("sync"); err != nil {
		return errors.Join(err, os.Truncate(f.path, f.synced))
	}
	f.synced = f.written
	return f.walHandle.sync()
}
