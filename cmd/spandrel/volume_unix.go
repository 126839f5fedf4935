//go:build unix

package main

import (
	"io/fs"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// shareOfVolume is 80% of what the directory's volume has to give: what is
// free and what the directory holds already. 0 where that is not known.
func shareOfVolume(dir string) int64 {
	var v unix.Statfs_t
	for at := dir; unix.Statfs(at, &v) != nil; at = filepath.Dir(at) { // dir may have to be made yet
		if at == filepath.Dir(at) {
			return 0
		}
	}
	bytes := int64(v.Bavail) * int64(v.Bsize) //nolint:unconvert // the types differ from system to system
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil { // files may go while we look
			return nil //nolint:nilerr // what has gone takes no space
		}
		if info, err := e.Info(); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				bytes += st.Blocks * 512
			}
		}
		return nil
	})
	return bytes / 10 * 8
}
