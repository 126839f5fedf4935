//go:build linux

package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// probePeriod is how often the disk is probed.
const probePeriod = 10 * time.Millisecond

// probed runs f and says how long the disk takes meanwhile to write a block over
// another and sync it: a pause of the disk is not the server's.
func probed(dir string, f func() error) (times []time.Duration, err error) {
	file, err := os.Create(filepath.Join(dir, "probe"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	block := make([]byte, 4096)
	probe := func() error {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return writeAndSync(file, block)
	}
	if err := probe(); err != nil { // the first makes the block
		return nil, err
	}
	stop, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		for due := time.Now(); ; {
			select {
			case <-stop:
				failed <- nil
				return
			case <-time.After(time.Until(due)):
			}
			began := time.Now()
			if err := probe(); err != nil {
				failed <- err
				return
			}
			done := time.Now()
			times = append(times, done.Sub(began))
			for due = due.Add(probePeriod); due.Before(done); due = due.Add(probePeriod) { // a pause has kept those waiting, too
				times = append(times, done.Sub(due))
			}
		}
	}()
	err = f()
	close(stop)
	err = errors.Join(err, <-failed)
	return times, err // only now: the goroutine has ended
}

// writeAndSync writes the block where the file is.
func writeAndSync(f *os.File, block []byte) error {
	if _, err := f.Write(block); err != nil {
		return err
	}
	return unix.Fdatasync(int(f.Fd()))
}
