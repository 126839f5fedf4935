// Package memory keeps spans in memory: the reference to which every other
// store is compared, and a store for tests and demonstrations. It is meant to
// be obviously correct rather than fast: every read looks at every span and
// asks [spandrel.Query.Match] or [spandrel.Calls].
package memory

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// Options says how much a Store keeps.
type Options struct {
	// MaxTraces is how many traces are kept, 0 = all. One more makes the store
	// forget the trace whose first span was written longest ago, whole; spans
	// of it that come later begin it anew.
	MaxTraces int
}

// Store is a [storage.Store] that lives as long as the process. Its methods
// may be called from any goroutine.
type Store struct {
	maxTraces int

	mu     sync.RWMutex // guards what follows
	traces map[spandrel.TraceID]*trace
	order  []spandrel.TraceID // the keys of traces, oldest first
	closed bool
}

var _ storage.Store = (*Store)(nil)

// New makes an empty Store.
func New(o Options) *Store {
	return &Store{maxTraces: o.MaxTraces, traces: map[spandrel.TraceID]*trace{}}
}

// trace is what was written of one trace. Spans are appended and never
// changed, so that readers may keep a part of the slice.
type trace struct {
	spans []spandrel.Span
	seen  map[likeness][]int // indices of spans
}

// likeness is what Equal spans have in common; it makes finding duplicates
// in huge traces cheap.
type likeness struct {
	id, parent      spandrel.SpanID
	kind            spandrel.Kind
	flags           spandrel.Flags
	start, duration int64
	service, name   string
}

func likenessOf(s *spandrel.Span) likeness {
	l := likeness{s.ID, s.ParentID, s.Kind, s.Flags, s.Start, s.Duration, s.Local.Service, s.Name}
	if s.Flags&spandrel.FlagNoStart != 0 {
		l.start = 0
	}
	return l
}

// add appends a copy of s, unless it is there already.
func (t *trace) add(s *spandrel.Span) {
	for _, i := range t.seen[likenessOf(s)] {
		if t.spans[i].Equal(s) {
			return
		}
	}
	c := s.Clone()
	l := likenessOf(&c)
	t.seen[l] = append(t.seen[l], len(t.spans))
	t.spans = append(t.spans, c)
}

// Write implements [storage.Writer]. It takes all spans or none.
func (s *Store) Write(ctx context.Context, spans []spandrel.Span) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return storage.ErrClosed
	}
	for i := range spans {
		s.traceFor(spans[i].TraceID).add(&spans[i])
	}
	return nil
}

// traceFor finds or begins a trace; s.mu is held.
func (s *Store) traceFor(id spandrel.TraceID) *trace {
	if t, ok := s.traces[id]; ok {
		return t
	}
	if s.maxTraces > 0 && len(s.traces) >= s.maxTraces {
		delete(s.traces, s.order[0])
		s.order = s.order[1:]
	}
	t := &trace{seen: map[likeness][]int{}}
	s.traces[id] = t
	s.order = append(s.order, id)
	return t
}

// Search implements [storage.Reader].
func (s *Store) Search(ctx context.Context, q spandrel.Query) iter.Seq2[storage.TraceRef, error] {
	return func(yield func(storage.TraceRef, error) bool) {
		for i, ref := range s.search(q) {
			if q.Limit > 0 && i >= q.Limit {
				return
			}
			if ctx.Err() != nil {
				break
			}
			if !yield(ref, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(storage.TraceRef{}, err)
		}
	}
}

// search lists all traces that match, newest first.
func (s *Store) search(q spandrel.Query) []storage.TraceRef {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []storage.TraceRef
	for id, t := range s.traces {
		ref, ok := storage.TraceRef{ID: id}, false
		for i := range t.spans {
			if span := &t.spans[i]; q.Match(span) && (!ok || span.Start > ref.Start) {
				ref.Start, ok = span.Start, true
			}
		}
		if ok {
			found = append(found, ref)
		}
	}
	slices.SortFunc(found, func(a, b storage.TraceRef) int {
		return cmp.Or(cmp.Compare(b.Start, a.Start), a.ID.Compare(b.ID))
	})
	return found
}

// chunkSpans is how many spans Traces gives at once.
const chunkSpans = 1000

// Traces implements [storage.Reader].
func (s *Store) Traces(ctx context.Context, refs []storage.TraceRef) iter.Seq2[[]spandrel.Span, error] {
	return func(yield func([]spandrel.Span, error) bool) {
		for _, ref := range refs {
			for chunk := range slices.Chunk(s.spans(ref.ID), chunkSpans) {
				if err := ctx.Err(); err != nil {
					yield(nil, err)
					return
				}
				if !yield(slices.Clone(chunk), nil) {
					return
				}
			}
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// spans is what is there of one trace now.
func (s *Store) spans(id spandrel.TraceID) []spandrel.Span {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t, ok := s.traces[id]; ok {
		return slices.Clip(t.spans)
	}
	return nil
}

// Services implements [storage.Reader].
func (s *Store) Services(ctx context.Context) ([]string, error) {
	names := map[string]bool{}
	s.each(func(span *spandrel.Span) { names[span.Service()] = true })
	return slices.Sorted(maps.Keys(names)), ctx.Err()
}

// Operations implements [storage.Reader].
func (s *Store) Operations(ctx context.Context, service string) ([]storage.Operation, error) {
	found := map[storage.Operation]bool{}
	s.each(func(span *spandrel.Span) {
		if span.Service() == service {
			found[storage.Operation{Name: span.Name, Kind: span.Kind}] = true
		}
	})
	return slices.SortedFunc(maps.Keys(found), func(a, b storage.Operation) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	}), ctx.Err()
}

func (s *Store) each(do func(*spandrel.Span)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.traces {
		for i := range t.spans {
			do(&t.spans[i])
		}
	}
}

// Dependencies implements [storage.Reader].
func (s *Store) Dependencies(ctx context.Context, from, to time.Time) ([]spandrel.Dependency, error) {
	type pair struct{ parent, child string }
	first, last := minuteOf(from), minuteOf(to.Add(time.Minute-time.Nanosecond)) // last is exclusive
	sums := map[pair]spandrel.Dependency{}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.traces {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, c := range spandrel.Calls(t.spans) {
			if m := minuteOf(time.Unix(0, c.Start)); m < first || m >= last {
				continue
			}
			d := sums[pair{c.Parent, c.Child}]
			d.Parent, d.Child = c.Parent, c.Child
			d.Calls++
			if c.Error {
				d.Errors++
			}
			sums[pair{c.Parent, c.Child}] = d
		}
	}
	return slices.SortedFunc(maps.Values(sums), func(a, b spandrel.Dependency) int {
		return cmp.Or(cmp.Compare(a.Parent, b.Parent), cmp.Compare(a.Child, b.Child))
	}), nil
}

// minuteOf counts whole minutes since the Unix epoch, rounded down. Unlike
// nanoseconds they are defined for every time.
func minuteOf(t time.Time) int64 {
	seconds := t.Unix()
	m := seconds / 60
	if seconds%60 < 0 {
		m--
	}
	return m
}

// Healthy implements [storage.Store].
func (s *Store) Healthy() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return storage.ErrClosed
	}
	return nil
}

// Close implements [storage.Store]. What was written can still be read.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// Size is how many spans and traces there are.
func (s *Store) Size() (spans, traces int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.traces {
		spans += len(t.spans)
	}
	return spans, len(s.traces)
}
