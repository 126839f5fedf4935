package badger

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// Why partitions are dropped, as metrics have it.
const (
	reasonAge   = "age"
	reasonBytes = "bytes"
	reasonDisk  = "disk_full"
)

// ageGrace is how long after it was opened a store drops nothing for its age:
// the clock of a machine that has just started may still be wrong.
const ageGrace = 5 * time.Minute

const trashPrefix = ".trash-"

// excess picks a partition that retention does not allow; reason "" = there
// is none. The partitions are in order; the last is never picked, but for age.
func (s *Store) excess(partitions []*partition) (at int, reason string) {
	r := s.o.Retention
	for i, p := range partitions {
		if r.MaxAge > 0 && s.ageOf(p) > r.MaxAge && s.o.elapsed() >= ageGrace {
			return i, reasonAge
		}
	}
	if r.MaxBytes == 0 || len(partitions) < 2 {
		return 0, ""
	}
	sum := diskUsage(s.walDir()) + diskUsage(s.ballastPath())
	for _, p := range partitions {
		sum += p.bytes
	}
	switch {
	case sum > r.MaxBytes:
		return 0, reasonBytes
	case s.removing.Load() == 0 && s.tight(): // else wait what it gives back
		return 0, reasonDisk
	}
	return 0, ""
}

// ageOf is how long ago spans were flushed to a partition, 0 if that is not
// known. A clock that is set forward makes nothing older, nor does one that is
// set right after it was wrong.
func (s *Store) ageOf(p *partition) time.Duration {
	if p.newest.IsZero() {
		return 0
	}
	return min(s.o.elapsed()-p.newestAt, s.o.Now().Sub(p.newest))
}

// retain drops what retention does not allow.
func (s *Store) retain() {
	if s.open != nil {
		s.open.bytes = diskUsage(s.open.dir)
	}
	for {
		all := s.partitions()
		at, reason := s.excess(all)
		if reason == "" {
			return
		}
		p := all[at]
		if p == s.open {
			s.retire()
		}
		s.drop(p, reason)
	}
}

// drop takes the partition out of the view at once and removes it when its
// last reader has ended.
func (s *Store) drop(p *partition, reason string) {
	isIt := func(o *partition) bool { return o == p }
	s.sealed = slices.DeleteFunc(s.sealed, isIt)
	s.unsealed = slices.DeleteFunc(s.unsealed, isIt)
	s.publish(without(p))
	s.catalog.drop(p)
	s.removing.Add(1)
	s.removals.Go(func() {
		defer s.wakeFlusher()
		defer s.removing.Add(-1)
		for p.readers.Load() > 0 {
			<-p.idle
		}
		if err := p.db.Close(); err != nil {
			s.log.Error("closing a dropped partition", "partition", p.dir, "error", err)
		}
		if err := s.discard(p, reason); err != nil {
			s.log.Error("removing a partition", "partition", p.dir, "error", err)
		}
	})
}

// discard removes the directory of a partition that is not open. A crash
// leaves either all of it or only rubbish by another name.
func (s *Store) discard(p *partition, reason string) error {
	trash := filepath.Join(s.partitionsDir(), trashPrefix+filepath.Base(p.dir))
	if err := s.o.fs.rename(p.dir, trash); err != nil {
		return err
	}
	if err := s.o.fs.syncDir(s.partitionsDir()); err != nil {
		return err
	}
	s.m.dropped.WithLabelValues(reason).Inc()
	s.log.Info("dropped a partition", "partition", filepath.Base(p.dir), "reason", reason, "bytes", p.bytes)
	return s.o.fs.removeAll(trash)
}

// reserve is how many bytes of the disk are to stay free.
func (s *Store) reserve() uint64 {
	_, total, err := s.o.fs.space(s.dir)
	if err != nil {
		return 0
	}
	return s.o.reserveOf(total)
}

// tight reports whether the disk has so little left that retention must make
// room: more than the reserve, since the log needs some besides.
func (s *Store) tight() bool {
	free, total, err := s.o.fs.space(s.dir)
	return err == nil && free < s.o.reserveOf(total)+2*min(uint64(s.o.Sizes.WALFileBytes), total/16)
}

// spaceError says so when the disk has less free space than the reserve.
func (s *Store) spaceError() error {
	free, total, err := s.o.fs.space(s.dir)
	if err != nil {
		return err
	}
	reserve := s.o.reserveOf(total)
	s.m.free.Set(float64(free))
	s.m.reserve.Set(float64(reserve))
	if free < reserve {
		return fmt.Errorf("the disk of %s has %d MiB left, %d MiB are kept in reserve", s.dir, free>>20, reserve>>20)
	}
	return nil
}

// checkSpace is spaceError after old partitions were dropped, if they may be.
func (s *Store) checkSpace() error {
	err := s.spaceError()
	if err == nil {
		return nil
	}
	s.retain()
	return s.spaceError()
}

// measure brings the gauges up to date.
func (s *Store) measure() {
	wal := diskUsage(s.walDir())
	bytes, segments, oldest := wal+diskUsage(s.ballastPath()), 0, 0.0
	all := s.partitions()
	for _, p := range all {
		bytes += p.bytes
		segments += len(p.segments)
	}
	if len(all) > 0 {
		oldest = float64(all[0].born.UnixMilli()) / 1000
	}
	spans := 0
	s.mu.Lock()
	heads := s.current.heads
	s.mu.Unlock()
	for _, h := range heads {
		n, _ := h.size()
		spans += n
	}
	s.m.bytes.Set(float64(bytes))
	s.m.walBytes.Set(float64(wal))
	s.m.partitions.Set(float64(len(all)))
	s.m.segments.Set(float64(segments))
	s.m.oldest.Set(oldest)
	s.m.headSpans.Set(float64(spans))
	_ = s.spaceError()
}
