package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// sealPatience is how long readers may be kept waiting while a partition is
// to be reopened read-only.
const sealPatience = 500 * time.Millisecond

func (s *Store) wakeFlusher() {
	select {
	case s.flush <- struct{}{}:
	default:
	}
}

// flushLoop is the flusher goroutine, the only one that changes partitions. A
// flush computes for as long as a hundred acknowledgements take, so it gives way
// to them; should it fall behind, they wait for room.
func (s *Store) flushLoop() {
	defer close(s.flushed)
	giveWay()
	if s.open != nil {
		s.findSeen(s.open) // before there are spans that would wait for it
		s.release()
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-s.flush:
			s.flushAll()
		case <-tick.C:
			s.maintain()
		case call := <-s.calls:
			call()
		case <-s.stop:
			s.flushAll()
			return
		}
	}
}

// flushAll flushes the frozen heads, oldest first, until one cannot be.
func (s *Store) flushAll() {
	for s.frozen() > 0 {
		s.mu.Lock()
		h := s.current.heads[0]
		s.mu.Unlock()
		err := s.flushHead(h)
		s.health.set(troubleFlush, err)
		select {
		case s.room <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
		s.queue.signal() // the committer may remove WAL files
		s.seal()
		s.retain()
	}
}

// maintain does what time brings.
func (s *Store) maintain() {
	s.insertMu.Lock()
	if s.o.elapsed()-s.active.born >= s.o.Sizes.FlushInterval {
		s.freezeLocked()
	}
	s.insertMu.Unlock()
	s.flushAll()
	if s.open != nil && len(s.open.segments) > 0 && s.isOld(s.open) {
		s.retire()
	}
	s.seal()
	s.retain()
	s.keepBallast()
	s.giveBack()
	s.verifyNext()
	s.measure()
}

// verifyNext reads Badger's tables of one sealed partition that was not looked
// at since the start: Badger takes a damaged block for one that has no such key.
func (s *Store) verifyNext() {
	for _, p := range s.sealed {
		if p.verified {
			continue
		}
		p.verified = true
		if err := p.verify(); err != nil {
			s.corrupt(p.dir, err)
		}
		forgetFiles(p.dir)
		return
	}
}

// verify reads Badger's tables. Badger 4.9.6 panics where it means to return
// the error: it asks a block that it has not got for its offset.
func (p *partition) verify() (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("a table of Badger's has a damaged block: %v", fault)
		}
	}()
	return p.db.VerifyChecksum()
}

func (s *Store) isOld(p *partition) bool { return s.o.elapsed()-p.bornAt >= s.o.Sizes.PartitionAge }

// retire makes the open partition one to be sealed. The next flush makes a
// new one.
func (s *Store) retire() {
	s.open.seen = nil
	s.unsealed = append(s.unsealed, s.open)
	s.open = nil
}

// partitionForFlush is the open partition, a new one if need be. It fails if
// the disk has too little room for Badger to be safe.
func (s *Store) partitionForFlush(now time.Time) (*partition, error) {
	if err := s.checkSpace(); err != nil {
		return nil, err
	}
	if s.open != nil {
		s.open.bytes = diskUsage(s.open.dir)
		if s.open.bytes < s.o.Sizes.PartitionBytes && !s.isOld(s.open) {
			return s.open, nil
		}
		s.retire()
	}
	seq := uint64(1)
	for _, p := range s.partitions() {
		seq = max(seq, p.seq+1)
	}
	p, err := s.createPartition(seq, now)
	if err != nil {
		return nil, err
	}
	p.applied, p.seen = s.applied.Load(), newTraceSet(s.o.Sizes.PartitionBytes)
	s.open = p
	return p, nil
}

// seal reopens the partitions that take no more segments read-only, which
// costs little memory. Badger must close them for that: readers wait
// meanwhile, and if those that have them do not end soon, it is put off.
func (s *Store) seal() {
	for len(s.unsealed) > 0 && s.spaceError() == nil {
		p := s.unsealed[0]
		done, err := s.sealPartition(p)
		if err != nil {
			s.log.Error("sealing a partition", "partition", p.dir, "error", err)
		}
		if !done {
			return
		}
		s.unsealed = s.unsealed[1:]
		if p.db == nil {
			s.catalog.drop(p)
			continue
		}
		s.sealed = append(s.sealed, p)
	}
}

// sealPartition reports whether the partition is sealed now. If it cannot be
// opened again after it was closed, it is lost until the next start.
func (s *Store) sealPartition(p *partition) (done bool, err error) {
	if p.filter == nil {
		if err := p.saveFilter(); err != nil {
			return false, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publishLocked(without(p))
	timeout := time.NewTimer(sealPatience)
	defer timeout.Stop()
	for p.readers.Load() > 0 {
		select {
		case <-p.idle:
		case <-timeout.C:
			s.publishLocked(with(p))
			return false, nil
		}
	}
	err = p.db.Close()
	p.items.Clear() // they are of what was closed
	p.sealed = true
	if openErr := s.openDB(p); openErr != nil {
		return true, errors.Join(err, openErr)
	}
	p.bytes = diskUsage(p.dir)
	s.publishLocked(with(p))
	return true, err
}

func without(p *partition) func([]*snapshot, []*head) ([]*snapshot, []*head) {
	return func(parts []*snapshot, heads []*head) ([]*snapshot, []*head) {
		return slices.DeleteFunc(parts, func(o *snapshot) bool { return o.p == p }), heads
	}
}

func with(p *partition) func([]*snapshot, []*head) ([]*snapshot, []*head) {
	return func(parts []*snapshot, heads []*head) ([]*snapshot, []*head) {
		return replaceSnapshot(parts, p.snapshot()), heads
	}
}

// saveFilter makes the filter of trace ids and keeps it in the partition.
func (p *partition) saveFilter() error {
	f, err := p.buildFilter()
	if err != nil || f == nil {
		return err
	}
	txn := p.db.NewTransaction(true)
	defer txn.Discard()
	if err := txn.Set([]byte{keyFilter}, appendFuse(nil, f)); err != nil {
		return err
	}
	if err := txn.Commit(); err != nil {
		return err
	}
	p.filter = f
	return nil
}

// openPartitions opens all partitions, after it has made room: removal needs
// no Badger, and Badger must not meet a full disk. Retention by age follows
// when it is known when a partition was last written.
func (s *Store) openPartitions() error {
	found, err := s.findPartitions()
	if err != nil {
		return err
	}
	full := s.makeRoom()
	if full != nil {
		s.log.Error("the disk is full, so nothing can be written", "error", full)
	}
	var before time.Time // when the partitions before were last written
	for i, f := range found {
		newest := i == len(found)-1
		sealed := full != nil || !newest || s.o.Now().Sub(f.born) >= s.o.Sizes.PartitionAge
		p, err := s.openPartition(f.seq, f.born, f.dir, sealed)
		switch {
		case err != nil && full != nil: // it was not closed cleanly
			return errors.Join(full, err)
		case errors.Is(err, errVersion):
			return err
		case err != nil: // the others are still good
			s.m.corruptions.Inc()
			s.log.Error("a partition cannot be opened and is left out", "error", err)
		case sealed:
			s.sealed = append(s.sealed, p)
		default:
			s.open = p
		}
		if p != nil {
			before = p.notBefore(before)
			p.setAges(s.o.Now(), s.o.elapsed())
		}
	}
	return nil
}

// findPartitions lists the partitions' directories, oldest first, having
// removed rubbish and what retention does not allow.
func (s *Store) findPartitions() ([]*partition, error) {
	entries, err := os.ReadDir(s.partitionsDir())
	if err != nil {
		return nil, err
	}
	var found []*partition
	for _, e := range entries {
		dir := filepath.Join(s.partitionsDir(), e.Name())
		if strings.HasPrefix(e.Name(), trashPrefix) {
			if err := s.o.fs.removeAll(dir); err != nil {
				return nil, fmt.Errorf("removing what is left of a dropped partition: %w", err)
			}
			continue
		}
		if seq, born, ok := parsePartitionName(e.Name()); ok && e.IsDir() {
			found = append(found, &partition{seq: seq, born: born, dir: dir, bytes: diskUsage(dir)})
		}
	}
	slices.SortFunc(found, func(a, b *partition) int { return int(a.seq) - int(b.seq) })
	for {
		at, reason := s.excess(found)
		if reason == "" {
			return found, nil
		}
		if err := s.discard(found[at], reason); err != nil {
			return nil, err
		}
		found = slices.Delete(found, at, at+1)
	}
}
