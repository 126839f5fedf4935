//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// usage is what the kernel says of a process.
type usage struct {
	cpu          time.Duration // user and system
	rss, peakRSS int64         // bytes
	written      int64         // bytes handed to the disk, pages of mapped files included
}

// tick is the unit of CPU time in /proc, fixed by Linux's ABI.
const tick = time.Second / 100

func usageOf(pid int) (usage, error) {
	var u usage
	dir := fmt.Sprintf("/proc/%d/", pid)
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		return u, err
	}
	// The name, in parentheses, may hold anything; utime and stime are the
	// 12th and 13th field after it.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 13 {
		return u, fmt.Errorf("%sstat has %d fields", dir, len(fields))
	}
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(n) * tick
	}
	for name, into := range map[string]*int64{"VmRSS": &u.rss, "VmHWM": &u.peakRSS} {
		n, err := valueIn(dir+"status", name)
		if err != nil {
			return u, err
		}
		*into = n << 10
	}
	u.written, err = valueIn(dir+"io", "write_bytes")
	return u, err
}

// valueIn is the number after "name:" in a file of lines.
func valueIn(file, name string) (int64, error) {
	text, err := fieldIn(file, name)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(text, "kB")), 10, 64)
}

func fieldIn(file, name string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	for scan := bufio.NewScanner(f); scan.Scan(); {
		if key, value, ok := strings.Cut(scan.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("%s does not tell %s", file, name)
}

// ownCPU is what this process has taken.
func ownCPU() time.Duration {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// diskUse is what the files below dir take of the disk; holes take nothing.
func diskUse(dir string) int64 {
	bytes := int64(0)
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir // it may have gone while we look
		}
		if info, err := e.Info(); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				bytes += st.Blocks * 512
			}
		}
		return nil
	})
	return bytes
}

// machine describes where this runs, in one line each.
func machine(dir string) []string {
	model, err := fieldIn("/proc/cpuinfo", "model name")
	if err != nil {
		model = runtime.GOARCH
	}
	memory, _ := valueIn("/proc/meminfo", "MemTotal")
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return []string{
		fmt.Sprintf("CPU: %s, %d cores", model, runtime.NumCPU()),
		fmt.Sprintf("memory: %.0f GiB", float64(memory)/(1<<20)),
		"disk: " + volume(dir),
		fmt.Sprintf("kernel: Linux %s; %s", strings.TrimSpace(string(release)), runtime.Version()),
		"load average before: " + loadAverage(),
	}
}

// loadAverage tells how busy the machine is or was with other things too.
func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(text))
	return strings.Join(fields[:min(3, len(fields))], " ")
}

// volume is the file system and the device that hold dir.
func volume(dir string) string {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "unknown"
	}
	best, found := "", "unknown"
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if len(f) < 3 || !strings.HasPrefix(dir+"/", strings.TrimSuffix(f[1], "/")+"/") || len(f[1]) < len(best) {
			continue
		}
		best, found = f[1], f[2]+" on "+f[0]
	}
	return found
}
