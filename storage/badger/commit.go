package badger

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

const (
	// maxGroup bounds the rows of one WAL record, in bytes; a single larger
	// request makes a record of its own.
	maxGroup = 4 << 20
	// maxFrozen is how many heads may wait to be flushed before writes wait.
	maxFrozen = 2

	// A group waits for company, since each makes the disk write whole blocks
	// and sync them, however few its bytes: up to maxLinger, until as many
	// requests have come as the last group had, or enoughGroup bytes of rows.
	// The first after a pause of lingerPause is not kept waiting.
	maxLinger   = 4 * time.Millisecond
	lingerPause = 20 * time.Millisecond
	enoughGroup = 64 << 10
)

// request is one call of Write on its way to disk. It is the committer's from
// when it is queued until done says how it went.
type request struct {
	rows []byte
	done chan error // capacity 1
	at   time.Time
}

// requests are used again, for the memory of their rows.
var requests = sync.Pool{New: func() any { return &request{done: make(chan error, 1)} }}

// maxPooledRows is the largest memory for rows that is kept for later requests.
const maxPooledRows = 256 << 10

// queue holds the requests that the next commit groups will be made of.
type queue struct {
	mu      sync.Mutex // guards all below
	waiting []*request
	bytes   int64
	closed  bool

	wake chan struct{} // capacity 1: something has changed
}

// Write implements storage.Writer. All that arrives while the disk is busy
// with one commit group becomes the next.
func (s *Store) Write(ctx context.Context, spans []spandrel.Span) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(spans) == 0 {
		return nil
	}
	r := requests.Get().(*request)
	r.at, r.rows = time.Now(), r.rows[:0]
	for i := range spans {
		r.rows = appendRow(r.rows, &spans[i])
	}
	if err := s.enqueue(r); err != nil {
		return err
	}
	select {
	case err := <-r.done:
		if cap(r.rows) <= maxPooledRows {
			requests.Put(r)
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) enqueue(r *request) error {
	q := &s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return storage.ErrClosed
	}
	size := int64(len(r.rows))
	if q.bytes > 0 && q.bytes+size > s.o.Sizes.QueueBytes {
		s.m.overloads.Inc()
		return fmt.Errorf("%w: %d MiB of spans wait to be committed", storage.ErrOverloaded, q.bytes>>20)
	}
	q.bytes += size
	q.waiting = append(q.waiting, r)
	s.m.queueBytes.Set(float64(q.bytes))
	q.signal()
	return nil
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take removes the next group from the queue.
func (q *queue) take() (group []*request, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, bytes := 0, 0
	for n < len(q.waiting) && (n == 0 || bytes+len(q.waiting[n].rows) <= maxGroup) {
		bytes += len(q.waiting[n].rows)
		n++
	}
	group = q.waiting[:n:n]
	if q.waiting = q.waiting[n:]; len(q.waiting) == 0 {
		q.waiting = nil
	}
	return group, q.closed
}

// linger waits for a group of so many requests, or large enough, if that comes
// soon.
func (q *queue) linger(requests int) {
	timeout := time.NewTimer(maxLinger)
	defer timeout.Stop()
	for {
		q.mu.Lock()
		enough := len(q.waiting) >= requests || q.bytes >= enoughGroup || q.closed
		q.mu.Unlock()
		if enough {
			return
		}
		select {
		case <-q.wake:
		case <-timeout.C:
			return
		}
	}
}

// settle answers the group's requests.
func (s *Store) settle(group []*request, err error) {
	q := &s.queue
	q.mu.Lock()
	for _, r := range group {
		q.bytes -= int64(len(r.rows))
	}
	s.m.queueBytes.Set(float64(q.bytes))
	q.mu.Unlock()
	for _, r := range group {
		r.done <- err
	}
}

// commitLoop is the committer goroutine, the only one that uses the WAL. It
// ends when the queue is closed and empty.
func (s *Store) commitLoop() {
	defer close(s.committed)
	period := time.Second
	if s.o.SyncInterval > 0 {
		period = min(period, s.o.SyncInterval)
	}
	tick := time.NewTicker(period)
	defer tick.Stop()
	var committed time.Time // the last group
	var size int            // its requests
	for {
		select {
		case <-tick.C:
			s.tendWAL()
		default:
		}
		if s.o.SyncInterval == 0 && time.Since(committed) < lingerPause {
			s.queue.linger(size)
		}
		group, closed := s.queue.take()
		switch {
		case len(group) > 0:
			s.settle(group, s.commit(group))
			committed, size = time.Now(), len(group)
		case closed:
			return
		default:
			select {
			case <-s.queue.wake:
			case <-tick.C:
				s.tendWAL()
			}
		}
		if err := s.wal.trim(s.applied.Load(), false); err != nil {
			s.log.Warn("removing a write-ahead log file", "error", err)
		}
	}
}

// commit makes a group durable and visible.
func (s *Store) commit(group []*request) error {
	size := 0
	for _, r := range group {
		size += len(r.rows)
	}
	rows := make([]byte, 0, size) // which the head keeps
	for _, r := range group {
		rows = append(rows, r.rows...)
	}
	if err := s.waitForRoom(); err != nil {
		return err
	}
	s.lsn++ // also after an error: the record may be on disk
	r := newRecord(s.record, s.lsn, rows)
	s.m.bytesWritten.Add(float64(len(r.bytes)))
	err := s.wal.commit(r, s.o.SyncInterval == 0)
	if s.record = nil; len(s.wal.unsynced) == 0 && cap(r.bytes) <= 2*maxGroup {
		s.record = r.bytes // nobody else has it
	}
	if err != nil {
		s.health.set(troubleWAL, err)
		return err
	}
	s.health.set(troubleWAL, nil)
	added, err := s.insert(s.lsn, rows)
	s.m.spansStored.Add(float64(added))
	s.m.commitSeconds.Observe(time.Since(group[0].at).Seconds())
	return err
}

// insert puts rows into the active head and freezes that when it is full.
func (s *Store) insert(lsn uint64, rows []byte) (added int, err error) {
	s.insertMu.Lock()
	defer s.insertMu.Unlock()
	added, fresh, err := s.active.insert(lsn, rows)
	s.catalog.add(s.active, fresh)
	n, bytes := s.active.size()
	if n >= s.o.Sizes.HeadSpans || bytes >= s.o.Sizes.HeadBytes {
		s.freezeLocked()
	}
	return added, err
}

// freeze makes the active head ready to be flushed, if it has any spans.
func (s *Store) freeze() {
	s.insertMu.Lock()
	defer s.insertMu.Unlock()
	s.freezeLocked()
}

func (s *Store) freezeLocked() {
	if rows, _ := s.active.size(); rows == 0 {
		return
	}
	s.active = newHead(s.o.elapsed(), s.active)
	s.publish(func(parts []*snapshot, heads []*head) ([]*snapshot, []*head) { return parts, append(heads, s.active) })
	s.wakeFlusher()
}

// waitForRoom waits until few enough heads wait to be flushed.
func (s *Store) waitForRoom() error {
	for {
		if s.frozen() <= maxFrozen {
			return nil
		}
		if err := s.health.get(troubleFlush); err != nil {
			return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
		}
		<-s.room
	}
}

// frozen counts the heads that wait to be flushed.
func (s *Store) frozen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.current.heads) - 1
}

// tendWAL does what is due now and then: the sync of SyncInterval, and a try
// whether a WAL that failed works again.
func (s *Store) tendWAL() {
	var err error
	switch {
	case s.health.get(troubleWAL) != nil:
		err = s.wal.startOver()
	default:
		err = s.wal.syncPending()
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	}
	s.health.set(troubleWAL, err)
}
