package badger

import (
	"runtime/debug"
	"time"
)

// restTime is for how long nothing must have happened before memory is given
// back.
const restTime = time.Minute

// rest notices when there is nothing to do any more.
type rest struct {
	uses    uint64        // of segments, so far
	applied uint64        // the last record in a segment
	since   time.Duration // when those were new
	given   bool          // since then
}

// due reports, once after each activity, that there was none for restTime.
func (r *rest) due(now time.Duration, uses, applied uint64) bool {
	if uses != r.uses || applied != r.applied {
		*r = rest{uses: uses, applied: applied, since: now}
		return false
	}
	if r.given || now-r.since < restTime {
		return false
	}
	r.given = true
	return true
}

// giveBack gives back the memory that questions and posts have left behind once
// there are none for some time. It runs on the flusher goroutine.
func (s *Store) giveBack() {
	if s.rest.due(s.o.elapsed(), s.segments.useCount(), s.applied.Load()) {
		s.release()
	}
}

// release gives back what was read, what is mapped of Badger's files, and the
// heap.
func (s *Store) release() {
	s.segments.drop()
	forgetFiles(s.partitionsDir())
	debug.FreeOSMemory() // else it stays ours for long when nothing else happens
}
