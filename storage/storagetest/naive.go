package storagetest

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// naive is a store that asks the oracle about all spans ever written. It is
// for one goroutine.
type naive struct{ spans []spandrel.Span }

func (n *naive) Write(_ context.Context, spans []spandrel.Span) error {
	for i := range spans {
		n.spans = append(n.spans, spans[i].Clone())
	}
	return nil
}

func (n *naive) Search(_ context.Context, q spandrel.Query) iter.Seq2[storage.TraceRef, error] {
	return func(yield func(storage.TraceRef, error) bool) {
		for _, ref := range Oracle(n.spans).Search(q) {
			if !yield(ref, nil) {
				return
			}
		}
	}
}

func (n *naive) Traces(_ context.Context, refs []storage.TraceRef) iter.Seq2[[]spandrel.Span, error] {
	return func(yield func([]spandrel.Span, error) bool) {
		traces := byTrace(n.spans)
		for _, ref := range refs {
			for chunk := range slices.Chunk(traces[ref.ID], MaxChunk) {
				if !yield(chunk, nil) {
					return
				}
			}
		}
	}
}

func (n *naive) Outlines(ctx context.Context, refs []storage.TraceRef, o storage.Outline) iter.Seq2[[]spandrel.Span, error] {
	return func(yield func([]spandrel.Span, error) bool) {
		for chunk, err := range n.Traces(ctx, refs) {
			if !yield(outlined(chunk, o), err) {
				return
			}
		}
	}
}

func (n *naive) Spans(_ context.Context, id spandrel.TraceID, ids []spandrel.SpanID) iter.Seq2[[]spandrel.Span, error] {
	return func(yield func([]spandrel.Span, error) bool) {
		spans := slices.DeleteFunc(byTrace(n.spans)[id], func(s spandrel.Span) bool { return !slices.Contains(ids, s.ID) })
		if len(spans) > 0 {
			yield(spans, nil)
		}
	}
}

func (n *naive) Matching(_ context.Context, id spandrel.TraceID, q *spandrel.Query) iter.Seq2[[]spandrel.Span, error] {
	return func(yield func([]spandrel.Span, error) bool) {
		if spans := matching(byTrace(n.spans)[id], q); len(spans) > 0 {
			yield(spans, nil)
		}
	}
}

func (n *naive) Revision(_ context.Context, id spandrel.TraceID) (uint64, error) {
	return uint64(len(byTrace(n.spans)[id])), nil
}

func (n *naive) Scan(_ context.Context, r storage.ScanRange, o storage.Outline) (*storage.Scan, error) {
	spans := slices.DeleteFunc(slices.Clone(n.spans), func(s spandrel.Span) bool { return s.Start < r.From || s.Start > r.To })
	return &storage.Scan{From: r.From, Chunks: func(yield func([]spandrel.Span, error) bool) {
		for chunk := range slices.Chunk(outlined(spans, o), MaxChunk) {
			if !yield(chunk, nil) {
				return
			}
		}
	}}, nil
}

func (n *naive) Services(context.Context) ([]string, error) { return Oracle(n.spans).Services(), nil }

func (n *naive) Operations(_ context.Context, service string) ([]storage.Operation, error) {
	return Oracle(n.spans).Operations(service), nil
}

func (n *naive) Dependencies(_ context.Context, from, to time.Time) ([]spandrel.Dependency, error) {
	return Oracle(n.spans).Dependencies(from, to), nil
}

func (n *naive) Healthy() error { return nil }
func (n *naive) Close() error   { return nil }
