// Package storage is the contract between those who bring spans and those who
// keep them. Two stores fulfil it, [memory] (the obviously correct reference)
// and [badger] (the default); one suite, [storagetest], holds them to it.
//
// # Durability
//
// When Write returns nil, the spans are as durable as the store promises: the
// badger store's survive kill -9 and, in its default mode, power loss; the
// memory store's live as long as the process. When Write fails, some or all of
// the spans may nevertheless be found later: writing them again is safe.
//
// # Visibility and order
//
// Spans are visible to every read that begins after Write returned. The order
// in which spans were written means nothing: late spans, spans of one trace in
// many writes and spans of many traces in one write are all ordinary.
//
// # Duplicates
//
// A span that [spandrel.Span.Equal] says was written before is the same span:
// reads may give it once or more often, but Search and Dependencies answer as
// if it had been written once. Spans that merely share an id are all kept.
//
// # Ownership
//
// Write keeps neither the slice nor any memory its spans point to. Readers own
// what they are given, but must not change it: stores may hand out shared
// strings and slices.
//
// [memory]: https://pkg.go.dev/github.com/spandrel/spandrel/storage/memory
// [badger]: https://pkg.go.dev/github.com/spandrel/spandrel/storage/badger
// [storagetest]: https://pkg.go.dev/github.com/spandrel/spandrel/storage/storagetest
package storage

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/spandrel/spandrel"
)

var (
	// ErrOverloaded says that the store has more to write than it can hold just now;
	// none of the spans were taken. Try again in a second.
	ErrOverloaded = errors.New("overloaded")
	// ErrUnavailable says that the store cannot commit now, because the disk is full or
	// failing. It goes on answering reads and takes writes again when it can.
	ErrUnavailable = errors.New("storage unavailable")
	// ErrClosed says that the store has been closed.
	ErrClosed = errors.New("storage closed")
)

// Writer takes spans.
type Writer interface {
	// Write stores the spans, all of which have a TraceID, an ID and a Start.
	// It blocks until they are durable. A context that ends while it waits
	// makes it return the context's error; the spans may be stored all the
	// same. Errors wrap ErrOverloaded, ErrUnavailable or ErrClosed.
	Write(ctx context.Context, spans []spandrel.Span) error
}

// Reader finds spans. Its methods may be called at any time, also while spans
// are written. Iterators yield at most one error, as their last pair; they
// stop early when the context ends (with its error) or the loop does.
type Reader interface {
	// Search yields the traces that have a span that q matches, each once,
	// newest first: by the start of the newest matching span, descending, then
	// by trace id, ascending. It stops after q.Limit traces, if that is not 0,
	// and does no more work than the consumer asks for.
	Search(ctx context.Context, q spandrel.Query) iter.Seq2[TraceRef, error]

	// Traces yields all stored spans of the traces, in the order of refs and
	// in any order within a trace. A trace comes in one or more chunks, none
	// empty, one after the other; no chunk holds spans of two traces. Traces
	// that are not stored yield nothing. Chunks are the caller's to keep.
	Traces(ctx context.Context, refs []TraceRef) iter.Seq2[[]spandrel.Span, error]

	// Outlines is Traces for readers that need little of each span: it yields
	// all spans of the traces, but only as much of them as o says.
	Outlines(ctx context.Context, refs []TraceRef, o Outline) iter.Seq2[[]spandrel.Span, error]

	// Spans yields the stored spans of a trace that have one of the ids, whole,
	// in any order and in chunks as Traces does.
	Spans(ctx context.Context, id spandrel.TraceID, ids []spandrel.SpanID) iter.Seq2[[]spandrel.Span, error]

	// Matching yields the stored spans of a trace that q matches, whole, as
	// Spans does. It goes by q.Match alone: q.Limit means nothing here.
	Matching(ctx context.Context, id spandrel.TraceID, q *spandrel.Query) iter.Seq2[[]spandrel.Span, error]

	// Revision is how many spans of the trace are stored, 0 = none; one that was
	// written more often may count more often. It changes whenever spans are
	// added or go by retention, and costs much less than reading.
	Revision(ctx context.Context, id spandrel.TraceID) (uint64, error)

	// Scan looks at the spans that began in a range of time, for statistics.
	Scan(ctx context.Context, r ScanRange, o Outline) (*Scan, error)

	// Services lists the names (Span.Service) of all stored spans, sorted.
	Services(ctx context.Context) ([]string, error)

	// Operations lists the distinct names and kinds of the service's spans,
	// sorted by name, then kind. An unknown service has none. Both lists may
	// still name what retention has just removed.
	Operations(ctx context.Context, service string) ([]Operation, error)

	// Dependencies adds up spandrel.Dependencies over all stored traces, for
	// the calls whose minute lies in the range: from is rounded down and to is
	// rounded up to whole minutes. Sorted by parent, then child.
	Dependencies(ctx context.Context, from, to time.Time) ([]spandrel.Dependency, error)
}

// TraceRef names a trace. Start is when its newest matching span began, as
// Search gives it; 0 where that is not known. It is a hint where to look.
type TraceRef struct {
	ID    spandrel.TraceID
	Start int64
}

// Outline says how much of spans a reader wants: their ids, kind, flags,
// status, times, name and endpoints always, all else only if it says so.
type Outline struct {
	Tags []string // keys of tags of the span
	Rare bool     // events, links, scope, status message and trace state
}

// ScanRange says which spans a Scan is about: those whose start lies in it.
type ScanRange struct {
	From, To int64 // inclusive, ns
	// MaxSpans bounds the work: a store may leave out the oldest part of the
	// range so as to look at not many more spans. 0 = all.
	MaxSpans int
}

// Scan is the spans of a range.
type Scan struct {
	// From is where what is looked at begins: that of the range, or later.
	From int64
	// Chunks yields the spans that began from From to the end of the range, in
	// any order, those of one trace in one place mostly together. A chunk and
	// its spans' tags are valid until the next. It can be used once and must be
	// used, if only to stop at once.
	Chunks iter.Seq2[[]spandrel.Span, error]
}

// Operation is something a service does.
type Operation struct {
	Name string
	Kind spandrel.Kind
}

// Store keeps spans.
type Store interface {
	Writer
	Reader

	// Healthy is nil while the store can take writes, else says why not.
	Healthy() error

	// Close waits for writes under way, refuses new ones with ErrClosed and
	// makes everything durable. Reads must have ended.
	Close() error
}
