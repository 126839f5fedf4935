package memory

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// Outlines implements [storage.Reader].
func (s *Store) Outlines(ctx context.Context, refs []storage.TraceRef, o storage.Outline) iter.Seq2[[]spandrel.Span, error] {
	return func(yield func([]spandrel.Span, error) bool) {
		for spans, err := range s.Traces(ctx, refs) {
			for i := range spans {
				spans[i] = outline(&spans[i], o)
			}
			if !yield(spans, err) {
				return
			}
		}
	}
}

// outline is as much of the span as o says.
func outline(s *spandrel.Span, o storage.Outline) spandrel.Span {
	out := spandrel.Span{
		TraceID: s.TraceID, ID: s.ID, ParentID: s.ParentID, Kind: s.Kind, Flags: s.Flags, Status: s.Status,
		Start: s.Start, Duration: s.Duration, Name: s.Name, Local: s.Local, Remote: s.Remote,
	}
	for _, t := range s.Tags {
		if slices.Contains(o.Tags, t.Key) {
			out.Tags = append(out.Tags, t)
		}
	}
	if o.Rare {
		out.Events, out.Links, out.Scope = s.Events, s.Links, s.Scope
		out.StatusMessage, out.TraceState = s.StatusMessage, s.TraceState
	}
	return out
}

// Spans implements [storage.Reader].
func (s *Store) Spans(ctx context.Context, id spandrel.TraceID, ids []spandrel.SpanID) iter.Seq2[[]spandrel.Span, error] {
	return s.some(ctx, id, func(s *spandrel.Span) bool { return slices.Contains(ids, s.ID) })
}

// Matching implements [storage.Reader].
func (s *Store) Matching(ctx context.Context, id spandrel.TraceID, q *spandrel.Query) iter.Seq2[[]spandrel.Span, error] {
	return s.some(ctx, id, q.Match)
}

// some yields the spans of a trace that are wanted, and copies no others.
func (s *Store) some(ctx context.Context, id spandrel.TraceID, wanted func(*spandrel.Span) bool) iter.Seq2[[]spandrel.Span, error] {
	return func(yield func([]spandrel.Span, error) bool) {
		for chunk := range slices.Chunk(s.spans(id), chunkSpans) {
			if ctx.Err() != nil {
				break
			}
			var found []spandrel.Span
			for i := range chunk {
				if wanted(&chunk[i]) {
					found = append(found, chunk[i])
				}
			}
			if len(found) > 0 && !yield(found, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// Revision implements [storage.Reader].
func (s *Store) Revision(ctx context.Context, id spandrel.TraceID) (uint64, error) {
	return uint64(len(s.spans(id))), ctx.Err()
}

// Scan implements [storage.Reader].
func (s *Store) Scan(ctx context.Context, r storage.ScanRange, o storage.Outline) (*storage.Scan, error) {
	var all []spandrel.Span
	s.each(func(span *spandrel.Span) {
		if span.Start >= r.From && span.Start <= r.To {
			all = append(all, outline(span, o))
		}
	})
	slices.SortStableFunc(all, func(a, b spandrel.Span) int {
		return cmp.Or(cmp.Compare(b.Start, a.Start), a.TraceID.Compare(b.TraceID))
	})
	scan := &storage.Scan{From: r.From}
	if n := r.MaxSpans; n > 0 && len(all) > n {
		scan.From = all[n-1].Start
		for n < len(all) && all[n].Start == scan.From {
			n++
		}
		all = all[:n]
	}
	scan.Chunks = func(yield func([]spandrel.Span, error) bool) {
		for chunk := range slices.Chunk(all, chunkSpans) {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			if !yield(chunk, nil) {
				return
			}
		}
	}
	return scan, ctx.Err()
}
