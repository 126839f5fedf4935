package badger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// Store keeps spans in a directory. It implements storage.Store.
type Store struct {
	o       Options
	dir     string
	log     *slog.Logger
	m       *metrics
	catalog *catalog
	lock    *os.File

	queue  queue
	health health
	wal    *wal   // used by the committer only
	lsn    uint64 // of the last record, used by the committer only
	record []byte // memory for the next one, likewise

	insertMu sync.Mutex // guards active, and keeps it from being frozen while rows go in
	active   *head

	mu      sync.Mutex // guards current; held while a partition is reopened
	current *view      // nil = closed

	// The flusher goroutine's:
	open     *partition    // takes segments
	sealed   []*partition  // oldest first
	unsealed []*partition  // older than open, to be sealed
	applied  atomic.Uint64 // LSN up to which segments hold all; the committer reads it

	flush     chan struct{}  // capacity 1: there may be a head to flush
	room      chan struct{}  // capacity 1: the flusher has done something
	calls     chan func()    // to be run by the flusher
	committed chan struct{}  // closed when the committer has ended
	stop      chan struct{}  // closed to end the flusher
	flushed   chan struct{}  // closed when the flusher has ended
	removals  sync.WaitGroup // of dropped partitions
	removing  atomic.Int32   // how many

	segments  segmentCache
	rest      rest // the flusher goroutine's
	closeOnce sync.Once
	closeErr  error
}

var _ storage.Store = (*Store)(nil)

// Open opens the store in the directory, which it makes if need be. It brings
// back what a crash left in the write-ahead log. Only one process can have the
// store open.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{
		o: o.withDefaults(), dir: dir, catalog: newCatalog(),
		flush: make(chan struct{}, 1), room: make(chan struct{}, 1), calls: make(chan func()),
		committed: make(chan struct{}), stop: make(chan struct{}), flushed: make(chan struct{}),
	}
	s.log, s.queue.wake = s.o.Logger, make(chan struct{}, 1)
	s.health.log = s.log
	if err := s.prepareDir(); err != nil {
		return nil, err
	}
	s.m = newMetrics(s.o.Registerer)
	if err := s.load(); err != nil {
		_ = s.closePartitions() // the error that counts is the one below
		s.m.unregister()
		_ = s.lock.Close()
		return nil, fmt.Errorf("opening the store in %s: %w", dir, err)
	}
	go s.commitLoop()
	go s.flushLoop()
	return s, nil
}

func (s *Store) walDir() string        { return filepath.Join(s.dir, "wal") }
func (s *Store) partitionsDir() string { return filepath.Join(s.dir, "partitions") }

// prepareDir makes the directories, tries them and takes the lock.
func (s *Store) prepareDir() error {
	for _, dir := range []string{s.dir, s.walDir(), s.partitionsDir()} {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return unwritable(s.dir, err)
		}
	}
	lock, err := os.OpenFile(filepath.Join(s.dir, "LOCK"), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return unwritable(s.dir, err)
	}
	if err := lockFile(lock); err != nil {
		_ = lock.Close()
		return fmt.Errorf("the store in %s is in use by another process", s.dir)
	}
	s.lock = lock
	for _, dir := range []string{s.walDir(), s.partitionsDir()} {
		probe, err := os.CreateTemp(dir, ".probe-*")
		if err != nil {
			_ = lock.Close()
			return unwritable(dir, err)
		}
		_ = probe.Close()
		_ = os.Remove(probe.Name())
	}
	s.warnOfStrangers()
	return nil
}

func unwritable(dir string, err error) error {
	return fmt.Errorf("cannot write to the store's directory %s as uid %d: %w", dir, os.Getuid(), err)
}

// warnOfStrangers names files of a Jaeger that kept its spans here: they are
// neither read nor removed.
func (s *Store) warnOfStrangers() {
	var bytes int64
	for _, dir := range []string{".", "key", "keys", "data", "values"} {
		entries, _ := os.ReadDir(filepath.Join(s.dir, dir))
		for _, e := range entries {
			name := e.Name()
			if name == "MANIFEST" || strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".vlog") || strings.HasSuffix(name, ".mem") {
				bytes += diskUsage(filepath.Join(s.dir, dir, name))
			}
		}
	}
	if bytes > 0 {
		s.log.Warn("the directory holds another program's Badger files, which are left alone", "dir", s.dir, "bytes", bytes)
	}
}

// load opens the partitions and replays the write-ahead log.
func (s *Store) load() error {
	s.active = newHead(s.o.elapsed(), nil)
	s.current = &view{heads: []*head{s.active}}
	s.current.refs.Store(1)
	if err := s.openPartitions(); err != nil {
		return err
	}
	applied := uint64(0)
	for _, p := range s.partitions() {
		applied = max(applied, p.applied)
		s.publish(func(parts []*snapshot, heads []*head) ([]*snapshot, []*head) {
			return append(parts, p.snapshot()), heads
		})
	}
	s.applied.Store(applied)
	s.keepBallast()
	if err := s.replayWAL(applied); err != nil {
		return err
	}
	s.measure()
	return nil
}

func (s *Store) replayWAL(applied uint64) error {
	began, count := time.Now(), 0
	use := func(lsn uint64, rows []byte) error {
		rows, err := checkRows(rows)
		if err != nil {
			return err
		}
		added, err := s.insert(lsn, rows)
		count += added
		return err
	}
	files, last, err := replay(s.walDir(), applied, use, func(d damage) {
		s.m.walDamage.Add(float64(d.bytes))
		s.log.Warn("the write-ahead log has bytes that make no sense", "file", d.file, "offset", d.offset, "bytes", d.bytes, "at_the_end", d.tail)
	})
	if err != nil {
		return err
	}
	// A partition that could not be opened may have held a higher number.
	s.lsn = max(last, uint64(time.Now().UnixMicro()))
	_ = os.Remove(filepath.Join(s.walDir(), spareName)) // its size is not known
	s.wal = &wal{
		fs: s.o.fs, dir: s.walDir(), size: s.o.Sizes.WALFileBytes, files: files, next: 1, reserve: s.reserve,
		onError: func(err error) {
			s.m.fsyncErrors.Inc()
			s.log.Error("writing the write-ahead log", "error", err)
		},
	}
	if n := len(files); n > 0 {
		s.wal.next = files[n-1].seq + 1
	}
	s.m.replayed.Add(float64(count))
	if count > 0 {
		s.log.Info("recovered spans from the write-ahead log", "spans", count, "took", time.Since(began))
	}
	return nil
}

// checkRows decodes rows, so that later nobody needs to expect bad ones, and
// returns them as they are written now.
func checkRows(b []byte) ([]byte, error) {
	var span spandrel.Span
	var now []byte // as far as any row is of the old version
	for rest := b; len(rest) > 0; {
		r, after, err := nextRow(rest)
		if err != nil || r.decode(&span) != nil {
			return nil, errRecord
		}
		if r[0] != rowVersion && now == nil {
			now = slices.Clone(b[:len(b)-len(rest)])
		}
		if now != nil {
			now = appendRow(now, &span)
		}
		rest = after
	}
	if now != nil {
		return now, nil
	}
	return b, nil
}

// Healthy implements storage.Store.
func (s *Store) Healthy() error {
	s.mu.Lock()
	closed := s.current == nil
	s.mu.Unlock()
	if closed {
		return storage.ErrClosed
	}
	return errors.Join(s.health.get(troubleWAL), s.health.get(troubleFlush))
}

// Services implements storage.Reader.
func (s *Store) Services(ctx context.Context) ([]string, error) {
	if err := s.readable(ctx); err != nil {
		return nil, err
	}
	return s.catalog.listServices(), nil
}

// Operations implements storage.Reader.
func (s *Store) Operations(ctx context.Context, service string) ([]storage.Operation, error) {
	if err := s.readable(ctx); err != nil {
		return nil, err
	}
	return s.catalog.listOperations(service), nil
}

func (s *Store) readable(ctx context.Context) error {
	v, err := s.acquire()
	if err != nil {
		return err
	}
	v.release()
	return ctx.Err()
}

// corrupt counts and logs damage that a read met; the read goes on.
func (s *Store) corrupt(where string, err error) {
	s.m.corruptions.Inc()
	s.log.Error("damaged data was left out of an answer", "partition", filepath.Base(where), "error", err)
}

// Close implements storage.Store. What is in memory is flushed; if the disk
// does not allow that, the write-ahead log has it.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		s.queue.mu.Lock()
		s.queue.closed = true
		s.queue.mu.Unlock()
		s.queue.signal()
		<-s.committed
		s.freeze()
		close(s.stop)
		<-s.flushed
		s.mu.Lock()
		v := s.current
		s.current = nil
		s.mu.Unlock()
		flushedAll := len(v.heads) == 1
		v.release()
		s.removals.Wait()
		s.closeErr = errors.Join(s.closeWAL(flushedAll), s.closePartitions(), s.lock.Close())
		s.m.unregister()
	})
	return s.closeErr
}

// closeWAL makes the log durable or, if segments hold all of it, removes it.
func (s *Store) closeWAL(flushedAll bool) error {
	err := s.wal.syncPending()
	if flushedAll {
		return errors.Join(err, s.wal.trim(s.applied.Load(), true))
	}
	if s.wal.file != nil {
		err = errors.Join(err, s.wal.closeFile())
	}
	return err
}

func (s *Store) partitions() []*partition {
	all := slices.Concat(s.sealed, s.unsealed)
	if s.open != nil {
		all = append(all, s.open)
	}
	return all
}

func (s *Store) closePartitions() error {
	var err error
	full := s.makeRoom()
	for _, p := range s.partitions() {
		if !p.sealed && full != nil {
			// What a crash would leave is as good, and Badger would not survive.
			s.log.Error("a partition cannot be closed", "partition", filepath.Base(p.dir), "error", full)
			continue
		}
		err = errors.Join(err, p.db.Close())
	}
	if full == nil { // what was closed cleanly can be opened without
		_ = s.o.fs.remove(s.ballastPath())
	}
	return err
}
