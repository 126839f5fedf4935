package query

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// ErrTooManyWaiting says that more clients wait for new traces than are served.
var ErrTooManyWaiting = errors.New("too many clients are waiting")

// Bounds of a Tail.
const (
	maxTailed  = 4096 // changes that are remembered
	maxWaiting = 64
	tailIdle   = time.Minute            // after which nothing is remembered for nobody
	tailSettle = 250 * time.Millisecond // for more spans to come before an answer
)

// Tail remembers which traces got spans of late, as long as somebody asks. It
// is a writer that tells what it is given once another writer has stored it.
// While nobody asks it costs a look at a flag.
type Tail struct {
	next  storage.Writer
	now   func() time.Time
	run   string       // tells this Tail's cursors from others'
	until atomic.Int64 // the time up to which it remembers, ns

	mu      sync.Mutex
	changes []spandrel.TraceID // a ring: change n is at n % maxTailed
	count   uint64             // of changes
	woken   chan struct{}      // closed at the next change
	waiting int
}

// NewTail makes a Tail of what next stores.
func NewTail(next storage.Writer) *Tail {
	return &Tail{
		next: next, now: time.Now, run: strconv.FormatInt(time.Now().UnixNano(), 36),
		changes: make([]spandrel.TraceID, maxTailed), woken: make(chan struct{}),
	}
}

// Write implements [storage.Writer].
func (t *Tail) Write(ctx context.Context, spans []spandrel.Span) error {
	if err := t.next.Write(ctx, spans); err != nil {
		return err
	}
	if until := t.until.Load(); until != 0 && len(spans) > 0 {
		t.note(spans, until)
	}
	return nil
}

func (t *Tail) note(spans []spandrel.Span, until int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now().UnixNano() > until && t.waiting == 0 {
		t.until.CompareAndSwap(until, 0)
		return
	}
	for i := range spans {
		id := spans[i].TraceID
		if i > 0 && id == spans[i-1].TraceID {
			continue
		}
		t.changes[t.count%maxTailed] = id
		t.count++
	}
	close(t.woken)
	t.woken = make(chan struct{})
}

// TailResult says which traces got spans.
type TailResult struct {
	Cursor  string    `json:"cursor"`
	Traces  []Summary `json:"traces"`
	Changed int       `json:"changed"`
	Dropped int       `json:"dropped"`
	Reset   bool      `json:"reset,omitempty"`
}

// changed gives the traces that got spans since a cursor, newest last, and how
// many changes are forgotten. An empty or a foreign cursor gives none.
func (t *Tail) changed(cursor string) (next string, ids []spandrel.TraceID, forgotten int, reset bool, woken chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.until.Store(t.now().Add(tailIdle).UnixNano())
	next = t.run + "." + strconv.FormatUint(t.count, 36)
	run, text, _ := strings.Cut(cursor, ".")
	since, err := strconv.ParseUint(text, 36, 64)
	if err != nil || run != t.run || since > t.count {
		return next, nil, 0, cursor != "", nil
	}
	if t.count-since > maxTailed {
		forgotten = int(t.count - since - maxTailed)
		since = t.count - maxTailed
	}
	last := make(map[spandrel.TraceID]uint64)
	for n := since; n < t.count; n++ {
		last[t.changes[n%maxTailed]] = n
	}
	for id := range last {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b spandrel.TraceID) int { return int(int64(last[a]) - int64(last[b])) })
	return next, ids, forgotten, false, t.woken
}

// enter notes one more client.
func (t *Tail) enter() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting >= maxWaiting {
		return ErrTooManyWaiting
	}
	t.waiting++
	return nil
}

func (t *Tail) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting--
}

// TailSummaries waits, at most that long, for traces that got spans since the
// cursor and have a span that q matches, and gives the newest q.Limit of them.
func (s *Service) TailSummaries(ctx context.Context, t *Tail, cursor string, wait time.Duration, q spandrel.Query, errorsIn ErrorsIn, columns ...string) (*TailResult, error) {
	if err := t.enter(); err != nil {
		return nil, err
	}
	defer t.leave()
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	result := &TailResult{Traces: []Summary{}}
	for {
		next, ids, forgotten, reset, woken := t.changed(cursor)
		result.Cursor, result.Reset = next, reset
		result.Changed += len(ids)
		result.Dropped += forgotten
		cursor = next
		if err := s.tailed(ctx, result, ids, q, errorsIn, columns); err != nil {
			return nil, err
		}
		if woken == nil || len(result.Traces) > 0 {
			return result, nil
		}
		select {
		case <-woken:
		case <-deadline.C:
			return result, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		select { // a trace comes in several posts
		case <-time.After(tailSettle):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// tailed adds the summaries of those of the traces that q wants, newest first.
func (s *Service) tailed(ctx context.Context, result *TailResult, ids []spandrel.TraceID, q spandrel.Query, errorsIn ErrorsIn, columns []string) error {
	if errorsIn == ErrorsInSpan {
		q.Tags = append(slices.Clip(q.Tags), isError)
	}
	examine := min(len(ids), 4*q.Limit)
	result.Dropped += len(ids) - examine
	ids = ids[len(ids)-examine:]
	slices.Reverse(ids)
	refs := make([]storage.TraceRef, 0, len(ids))
	for _, id := range ids {
		ok, err := s.wants(ctx, id, &q)
		if err != nil {
			return err
		}
		if ok {
			refs = append(refs, storage.TraceRef{ID: id})
		}
	}
	return s.summaries(ctx, refs, columns, func(summary Summary) bool {
		switch {
		case errorsIn == ErrorsInTrace && summary.Errors == 0:
		case len(result.Traces) == q.Limit:
			result.Dropped++
		default:
			result.Traces = append(result.Traces, summary)
		}
		return true
	})
}

// wants reports whether a span of the trace meets q.
func (s *Service) wants(ctx context.Context, id spandrel.TraceID, q *spandrel.Query) (bool, error) {
	if q.Service == "" && q.Operation == "" && len(q.Tags)+len(q.Where) == 0 && q.MinDuration == 0 && q.MaxDuration == 0 {
		return true, nil
	}
	for _, err := range s.store.Matching(ctx, id, q) {
		return err == nil, err
	}
	return false, nil
}
