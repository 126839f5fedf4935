package badger

import (
	"slices"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// view is what one reader sees: heads and partitions at one instant, in which
// every span is in a head or in a segment, and none half moved.
type view struct {
	parts []*snapshot // oldest first
	heads []*head     // oldest first; the last is the active one
	refs  atomic.Int32
}

// snapshot is a partition as it was after some flush.
type snapshot struct {
	p        *partition
	txn      *badger.Txn
	segments []segmentInfo
	filter   *fuse        // of trace ids, nil = any may be there
	refs     atomic.Int32 // views that have it
}

// acquire gives the current view, to be released.
func (s *Store) acquire() (*view, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return nil, storage.ErrClosed
	}
	s.current.refs.Add(1)
	return s.current, nil
}

// publish replaces the current view by what change makes of its parts and
// heads, which it is given as copies.
func (s *Store) publish(change func(parts []*snapshot, heads []*head) ([]*snapshot, []*head)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publishLocked(change)
}

func (s *Store) publishLocked(change func(parts []*snapshot, heads []*head) ([]*snapshot, []*head)) {
	old := s.current
	next := &view{}
	next.refs.Store(1)
	next.parts, next.heads = change(slices.Clone(old.parts), slices.Clone(old.heads))
	for _, p := range next.parts {
		p.refs.Add(1)
	}
	s.current = next
	old.release()
}

// release gives the view back.
func (v *view) release() {
	if v.refs.Add(-1) > 0 {
		return
	}
	for _, p := range v.parts {
		if p.refs.Add(-1) == 0 {
			p.txn.Discard()
			p.p.doneReading()
		}
	}
}

// snapshot is the partition as it is now, for a view.
func (p *partition) snapshot() *snapshot {
	p.readers.Add(1)
	return &snapshot{p: p, txn: p.db.NewTransaction(false), segments: slices.Clip(p.segments), filter: p.filter}
}

// doneReading is told when a snapshot has ended.
func (p *partition) doneReading() {
	if p.readers.Add(-1) == 0 {
		select {
		case p.idle <- struct{}{}:
		default:
		}
	}
}

// replaceSnapshot puts a new snapshot in the place of the partition's old one.
func replaceSnapshot(parts []*snapshot, with *snapshot) []*snapshot {
	for i := range parts {
		if parts[i].p == with.p {
			parts[i] = with
			return parts
		}
	}
	return append(parts, with)
}

func (v *view) headViews() []headView {
	views := make([]headView, len(v.heads))
	for i, h := range v.heads {
		views[i] = h.view()
	}
	return views
}

// mayHave reports whether the trace may be in the partition.
func (p *snapshot) mayHave(id spandrel.TraceID) bool {
	return p.filter == nil || p.filter.Contains(hashID(id))
}
