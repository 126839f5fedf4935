package badger

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func (f diskFile) sync() error {
	return ignoringEINTR(func() error { return unix.Fdatasync(int(f.Fd())) })
}

// allocate makes a full disk show now, as an error, and spares fdatasync the
// update of the file's size. File systems that cannot do it are written to as
// they come.
func (f diskFile) allocate(n int64) error {
	err := ignoringEINTR(func() error { return unix.Fallocate(int(f.Fd()), 0, 0, n) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return err
}

// preallocate reserves n bytes on disk behind what has been written of a sparse
// file that is written from its beginning.
func preallocate(path string, n int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	end, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_HOLE)
	if err == nil {
		err = ignoringEINTR(func() error { return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, end, n) })
	}
	// What others have read of the empty rest, such as a backup, would be
	// written in pieces as large as it was read.
	_ = unix.Fadvise(int(f.Fd()), end, n, unix.FADV_DONTNEED)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return err
}

func ignoringEINTR(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (diskFS) space(path string) (free, total uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, 0, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), nil
}

// diskUsage is how many bytes the files under path take on disk: blocks, not
// sizes, since Badger's files are sparse. What vanishes meanwhile is nothing.
func diskUsage(path string) int64 {
	var sum int64
	_ = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // what has gone takes no space
		}
		if info, err := d.Info(); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				sum += st.Blocks * 512
			}
		}
		return nil
	})
	return sum
}

// forget takes the whole pages of b, which must be part of a file's shared
// mapping, out of the process's memory. They stay in the kernel's cache as long
// as it has room for them; touching one brings it back.
func forget(b []byte) {
	size := uintptr(os.Getpagesize())
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (size - 1)
	if n := uintptr(len(b)); n >= skip+size {
		_ = unix.Madvise(b[skip:skip+(n-skip)&^(size-1)], unix.MADV_DONTNEED)
	}
}

// readAhead advises the kernel whether to read more of a file than is touched,
// where this process has it mapped. The mapping is looked for each time, since
// Badger maps a full file anew.
func readAhead(path string, wanted bool) {
	advice := unix.MADV_RANDOM
	if wanted {
		advice = unix.MADV_NORMAL
	}
	dir, name := filepath.Split(path)
	end := []byte("/" + filepath.Base(dir) + "/" + name + "\n")
	advise(func(line []byte) bool { return bytes.HasSuffix(line, end) }, advice)
}

// forgetFiles takes the shared mappings of all files below a directory out of
// the process's memory, as forget does.
func forgetFiles(dir string) {
	part := []byte("/" + filepath.Base(filepath.Dir(dir)) + "/" + filepath.Base(dir) + "/")
	shared := func(line []byte) bool {
		_, rights, _ := bytes.Cut(line, []byte(" "))
		return len(rights) > 3 && rights[3] == 's'
	}
	advise(func(line []byte) bool { return bytes.Contains(line, part) && shared(line) }, unix.MADV_DONTNEED)
}

// advise gives the kernel advice on those of this process's mappings whose line
// in /proc/self/maps is wanted: from-to, four letters of which the last is s for
// shared, offset, device, inode, path. Paths are matched by their last names,
// since symbolic links may lead there. Without the advice all is as right.
func advise(wanted func(line []byte) bool, advice int) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	for line := range bytes.Lines(maps) {
		var from, to uintptr
		if !wanted(line) {
			continue
		}
		if n, _ := fmt.Sscanf(string(line), "%x-%x", &from, &to); n == 2 {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, uintptr(advice))
		}
	}
}

// flusherNice is the nice value of a thread that gives way: it gets a tenth of a
// CPU that others want all of.
const flusherNice = 10

// giveWay gives the goroutine a thread to itself, which ends with it, and lets
// other threads run before it. A nice value is a thread's own on Linux, and anyone
// may raise it.
func giveWay() {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, flusherNice)
}

// lockFile takes the lock that keeps other processes out.
func lockFile(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
