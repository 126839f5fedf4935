package badger

import (
	"testing"
	"time"
)

func TestMemoryIsGivenBackOnceAfterEachActivity(t *testing.T) {
	var r rest
	at := time.Hour
	for _, step := range []struct {
		after         time.Duration
		uses, applied uint64
		want          bool
	}{
		{0, 0, 7, false}, // what was stored before
		{restTime - 1, 0, 7, false},
		{1, 0, 7, true}, // a start is an activity
		{restTime, 0, 7, false},
		{0, 1, 7, false},            // a question
		{restTime - 1, 1, 8, false}, // spans
		{restTime - 1, 1, 8, false},
		{1, 1, 8, true},
		{10 * restTime, 1, 8, false},
	} {
		at += step.after
		if got := r.due(at, step.uses, step.applied); got != step.want {
			t.Errorf("%v, %d uses, record %d: %v, want %v", at, step.uses, step.applied, got, step.want)
		}
	}
}
