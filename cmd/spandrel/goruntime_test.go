package main

import (
	"runtime"
	"testing"
)

func TestOneProcessorMoreUnlessSet(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	for env, want := range map[string]int{"7": before, "": before + 1} {
		runtime.GOMAXPROCS(before)
		t.Setenv("GOMAXPROCS", env)
		if addProcessor(); runtime.GOMAXPROCS(0) != want {
			t.Errorf("GOMAXPROCS=%q: %d, want %d", env, runtime.GOMAXPROCS(0), want)
		}
	}
}
