package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// gcPercent is how much garbage may gather, as a share of what is in use, unless
// GOGC says so: large answers take 20 MiB less than with Go's 100, for 3 % of the
// CPU of taking spans in.
const gcPercent = 80

// limitMemory tells the garbage collector how much memory there is: what was
// asked for, else GOMEMLIMIT (which the runtime has taken up already), else
// 90% of the container's limit. It gives the limit and where it comes from; 0
// where there is none. It sets the gcPercent too.
func limitMemory(asked byteSize) (limit int64, from string) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	switch cgroup := cgroupLimit(); {
	case asked > 0:
		limit, from = int64(asked), "--runtime.memory-limit"
	case os.Getenv("GOMEMLIMIT") != "":
		return debug.SetMemoryLimit(-1), "GOMEMLIMIT"
	case cgroup > 0:
		limit, from = cgroup/10*9, "90% of the container's limit"
	default:
		return 0, ""
	}
	debug.SetMemoryLimit(limit)
	return limit, from
}

// addProcessor lets Go run code on one thread more than there are CPUs for,
// unless GOMAXPROCS says how many: the one that syncs the log counts as running
// while the disk is at work. It gives a fifth more spans a second on two CPUs.
func addProcessor() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}

// cgroupLimit is the container's memory limit in bytes, 0 where there is none.
func cgroupLimit() int64 {
	for _, name := range []string{
		"/sys/fs/cgroup/memory.max",                   // version 2
		"/sys/fs/cgroup/memory/memory.limit_in_bytes", // version 1
	} {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err == nil && limit > 0 && limit < math.MaxInt64/2 { // version 1 says "none" with a huge number
			return limit
		}
	}
	return 0
}
