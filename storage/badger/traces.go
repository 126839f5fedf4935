package badger

import (
	"context"
	"iter"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

const maxChunk = 1000 // spans given out at once

// Traces implements storage.Reader: segments from old to new, then heads.
func (s *Store) Traces(ctx context.Context, refs []storage.TraceRef) iter.Seq2[[]spandrel.Span, error] {
	return func(yield func([]spandrel.Span, error) bool) {
		v, err := s.acquire()
		if err != nil {
			yield(nil, err)
			return
		}
		defer v.release()
		t := tracesCall{store: s, ctx: ctx, view: v, heads: v.headViews(), yield: yield, readers: readers{cache: &s.segments}}
		defer t.readers.forget()
		for _, ref := range refs {
			if !t.trace(ref.ID) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// tracesCall is one call of Traces; its methods report whether to go on.
type tracesCall struct {
	store   *Store
	ctx     context.Context
	view    *view
	heads   []headView
	yield   func([]spandrel.Span, error) bool
	readers readers
}

func (t *tracesCall) trace(id spandrel.TraceID) bool {
	if t.ctx.Err() != nil {
		return t.give(nil)
	}
	for _, p := range t.view.parts {
		if !p.mayHave(id) {
			continue
		}
		refs, _, err := traceRefs(p.txn, id)
		if err != nil {
			t.store.corrupt(p.p.dir, err)
		}
		for _, ref := range refs {
			if !t.rows(p, id, ref) {
				return false
			}
		}
	}
	for i := range t.heads {
		rows := t.heads[i].trace(id)
		for len(rows) > 0 {
			n := min(maxChunk, len(rows))
			if !t.give(t.heads[i].spans(rows[:n])) {
				return false
			}
			rows = rows[n:]
		}
	}
	return true
}

// rows gives out rows of a segment; those that cannot be read are left out.
func (t *tracesCall) rows(p *snapshot, id spandrel.TraceID, ref rowsRef) bool {
	r, err := t.readers.open(p.p, p.txn, ref.segment)
	if err != nil {
		t.store.corrupt(p.p.dir, err)
		return true
	}
	for first, n := range ref.chunks() {
		spans, err := r.spans(nil, id, first, n)
		if err != nil {
			t.store.corrupt(p.p.dir, err)
			continue
		}
		if !t.give(spans) {
			return false
		}
	}
	return true
}

func (t *tracesCall) give(spans []spandrel.Span) bool {
	if err := t.ctx.Err(); err != nil {
		t.yield(nil, err)
		return false
	}
	return t.yield(spans, nil)
}

// chunks cuts the rows into pieces that a reader can read at once.
func (ref rowsRef) chunks() iter.Seq2[int, int] {
	return func(yield func(first, n int) bool) {
		for first, end := ref.first, ref.first+ref.n; first < end; {
			n := min(end-first, pageRows-first%pageRows, maxChunk)
			if !yield(first, n) {
				return
			}
			first += n
		}
	}
}
