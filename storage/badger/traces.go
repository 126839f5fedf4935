package badger

import (
	"context"
	"iter"

	"github.com/dgraph-io/badger/v4"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

const (
	maxChunk       = 1000 // spans given out at once
	maxOpenReaders = 16   // segments that one call of Traces keeps open
)

// Traces implements storage.Reader: segments from old to new, then heads.
func (s *Store) Traces(ctx context.Context, refs []storage.TraceRef) iter.Seq2[[]spandrel.Span, error] {
	return func(yield func([]spandrel.Span, error) bool) {
		v, err := s.acquire()
		if err != nil {
			yield(nil, err)
			return
		}
		defer v.release()
		t := tracesCall{store: s, ctx: ctx, view: v, heads: v.headViews(), yield: yield}
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
	readers map[segmentAt]*segmentReader
}

type segmentAt struct {
	part    *snapshot
	segment uint32
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
	r, err := t.reader(p, ref.segment)
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

func (t *tracesCall) reader(p *snapshot, segment uint32) (*segmentReader, error) {
	at := segmentAt{p, segment}
	if r := t.readers[at]; r != nil {
		return r, nil
	}
	r, err := openStored(p.txn, segment)
	if err != nil {
		return nil, err
	}
	if t.readers == nil || len(t.readers) >= maxOpenReaders {
		t.readers = make(map[segmentAt]*segmentReader)
	}
	t.readers[at] = r
	return r, nil
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

// readRefs appends the spans that refs name. Those that cannot be read are
// reported and left out.
func (s *Store) readRefs(txn *badger.Txn, dir string, id spandrel.TraceID, refs []rowsRef, spans []spandrel.Span) []spandrel.Span {
	for _, ref := range refs {
		r, err := openStored(txn, ref.segment)
		if err != nil {
			s.corrupt(dir, err)
			continue
		}
		for first, n := range ref.chunks() {
			if spans, err = r.spans(spans, id, first, n); err != nil {
				s.corrupt(dir, err)
			}
		}
	}
	return spans
}
