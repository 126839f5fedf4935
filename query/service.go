// Package query turns stored spans into traces that can be looked at: whole,
// each span once, under an id of its own and with its parent. It knows no
// protocol; the packages below it speak those.
package query

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"time"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// ErrNotFound says that no span of the trace is stored.
var ErrNotFound = errors.New("trace not found")

// Options are the settings of a Service.
type Options struct {
	// MaxClockSkew is by how much a span may be shifted to undo the difference
	// between two hosts' clocks. 0 = spans are shown as they were sent, and
	// nothing is said about their clocks.
	MaxClockSkew time.Duration
	// MaxRows bounds the spans of a trace of which a skeleton is made, which
	// takes about a kilobyte of memory each. 0 = 2,000,000.
	MaxRows int
}

// Service answers questions about traces. Its methods may be called at any
// time from many goroutines. Errors are the store's, or ErrNotFound.
type Service struct {
	store   storage.Reader
	maxSkew time.Duration
	maxRows int
	raw     bool
	orders  *orders
	large   *summaryCache
	turns   chan struct{} // of large traces
}

// New makes a Service that reads from r.
func New(r storage.Reader, o Options) *Service {
	return &Service{store: r, maxSkew: o.MaxClockSkew, maxRows: cmp.Or(o.MaxRows, defaultMaxRows), orders: &orders{}, large: &summaryCache{},
		turns: make(chan struct{}, maxHeavy)}
}

// Raw is the same service without any of its work on traces: it gives spans as
// they are stored, duplicates and shared ids included.
func (s *Service) Raw() *Service {
	raw := *s
	raw.raw = true
	return &raw
}

// Trace gives the whole trace, ErrNotFound where none of it is stored. Who will
// take a while over it should range over Traces, so that its turn lasts.
func (s *Service) Trace(ctx context.Context, id spandrel.TraceID) (*Trace, error) {
	for t, err := range s.Traces(ctx, []spandrel.TraceID{id}) {
		return t, err
	}
	return nil, ErrNotFound
}

// Traces yields the whole traces in the order of ids, and nothing for those of
// which nothing is stored. An error ends it.
func (s *Service) Traces(ctx context.Context, ids []spandrel.TraceID) iter.Seq2[*Trace, error] {
	refs := make([]storage.TraceRef, len(ids))
	for i, id := range ids {
		refs[i].ID = id
	}
	return s.load(ctx, refs)
}

// maxBatch bounds how many traces a search asks the store for at a time.
const maxBatch = 32

// Search yields the whole traces that have a span that q matches, newest first
// (see [storage.Reader]). The first come before the last have been looked for:
// it asks the store for one trace, then two, four and so on. An error ends it.
func (s *Service) Search(ctx context.Context, q spandrel.Query) iter.Seq2[*Trace, error] {
	return tracesAhead.ahead(ctx, func(ctx context.Context) iter.Seq2[*Trace, error] { return s.search(ctx, q) })
}

// Finding traces, reading them and writing them take about as long, but not for
// each: they go on side by side.
var (
	refsAhead = pipe[storage.TraceRef]{items: maxBatch, total: maxBatch, size: func(storage.TraceRef) int { return 1 }}
	// After a trace that may have taken a turn nothing is read until the consumer
	// has done with it: two stored spans can have become one.
	tracesAhead = pipe[*Trace]{items: maxBatch, total: heavyTrace / 2, size: func(t *Trace) int { return len(t.Spans) }}
)

func (s *Service) search(ctx context.Context, q spandrel.Query) iter.Seq2[*Trace, error] {
	return func(yield func(*Trace, error) bool) {
		batch, size := make([]storage.TraceRef, 0, maxBatch), 1
		flush := func() bool {
			for t, err := range s.load(ctx, batch) {
				if !yield(t, err) || err != nil {
					return false
				}
			}
			batch, size = batch[:0], min(2*size, maxBatch)
			return true
		}
		found := refsAhead.ahead(ctx, func(ctx context.Context) iter.Seq2[storage.TraceRef, error] { return s.store.Search(ctx, q) })
		for ref, err := range found {
			if err != nil {
				if flush() {
					yield(nil, err)
				}
				return
			}
			if batch = append(batch, ref); len(batch) == size && !flush() {
				return
			}
		}
		flush()
	}
}

// load yields the traces that refs name, assembled. A large one is yielded in
// its turn, which ends when the consumer comes back.
func (s *Service) load(ctx context.Context, refs []storage.TraceRef) iter.Seq2[*Trace, error] {
	return func(yield func(*Trace, error) bool) {
		if len(refs) == 0 {
			return
		}
		var chunks [][]spandrel.Span // of one trace
		spans := 0                   // in them
		turn := turn{turns: s.turns}
		defer turn.end()
		for chunk, err := range s.store.Traces(ctx, refs) {
			if err != nil {
				yield(nil, err)
				return
			}
			if len(chunks) > 0 && chunks[0][0].TraceID != chunk[0].TraceID {
				if !yield(s.trace(chunks), nil) {
					return
				}
				chunks, spans = nil, 0
				turn.end()
			}
			chunks = append(chunks, chunk)
			if spans += len(chunk); spans >= heavyTrace {
				if err := turn.begin(ctx); err != nil {
					yield(nil, err)
					return
				}
			}
		}
		if len(chunks) > 0 {
			yield(s.trace(chunks), nil)
		}
	}
}

func (s *Service) trace(chunks [][]spandrel.Span) *Trace {
	if s.raw {
		return AsStored(chunks...)
	}
	t := Assemble(chunks...)
	if s.maxSkew > 0 {
		AdjustClockSkew(t, s.maxSkew)
	}
	return t
}

// Services lists the names of all services, sorted.
func (s *Service) Services(ctx context.Context) ([]string, error) {
	return s.store.Services(ctx)
}

// Operations lists what the service does, sorted by name, then kind.
func (s *Service) Operations(ctx context.Context, service string) ([]storage.Operation, error) {
	return s.store.Operations(ctx, service)
}

// Dependencies adds up who called whom from one time to the other, sorted by
// parent, then child. Times are widened to whole minutes.
func (s *Service) Dependencies(ctx context.Context, from, to time.Time) ([]spandrel.Dependency, error) {
	return s.store.Dependencies(ctx, from, to)
}
