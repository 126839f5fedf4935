package badger

import (
	"context"
	"encoding/binary"
	"iter"
	"slices"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// outliner makes spans of parts of their columns. It is for one goroutine.
type outliner struct {
	o storage.Outline

	reader *segmentReader // what the rest is about
	wanted []int          // its columns of wanted tags
	page   *pageReader
	shapes map[uint32][]int // by shape of the page: which of wanted its rows have, in the order of their tags
	at     []int            // values of each of wanted in the rows of the page before row
	row    int
	shared map[string][]spandrel.Tag // tags of the page by the numbers of their values
	key    []byte
}

// of makes the spans of rows first … first+len(spans)-1 of the segment, which
// are on one page. Their TraceIDs are the caller's.
func (f *outliner) of(r *segmentReader, spans []spandrel.Span, first int) error {
	if first < 0 || first+len(spans) > r.foot.rows || first/pageRows != (first+len(spans)-1)/pageRows {
		return corruption("trace index", errNoRow)
	}
	return r.lend(func() error { return f.ofPage(r, r.pageAt(first/pageRows), spans, first%pageRows) })
}

// ofTrace makes the spans of n rows of a trace, likewise.
func (f *outliner) ofTrace(r *segmentReader, id spandrel.TraceID, first, n int) ([]spandrel.Span, error) {
	spans := make([]spandrel.Span, n)
	for i := range spans {
		spans[i].TraceID = id
	}
	return spans, f.of(r, spans, first)
}

// ofPage is of for rows a, a+1, … of a page.
func (f *outliner) ofPage(r *segmentReader, p *pageReader, spans []spandrel.Span, a int) error {
	if err := f.fixed(p, spans, a); err != nil {
		return err
	}
	if len(f.o.Tags) == 0 {
		return nil
	}
	if r != f.reader {
		f.choose(r)
	}
	if err := f.seek(p, a); err != nil {
		return err
	}
	return f.tags(spans)
}

// fixed fills in all but tags.
func (f *outliner) fixed(p *pageReader, spans []spandrel.Span, a int) error {
	if err := p.fillFixed(spans, a); err != nil {
		return err
	}
	for number := range colShape {
		if number == colResource || number == colRest && !f.o.Rare {
			continue
		}
		if err := p.fillColumn(spans, a, number); err != nil {
			return err
		}
	}
	if !f.o.Rare {
		return nil
	}
	return p.fillEventTimes(spans, a)
}

// choose finds the columns of the wanted tags.
func (f *outliner) choose(r *segmentReader) {
	f.reader, f.page, f.wanted = r, nil, nil
	for number := fixedColumns; number < len(r.foot.columns); number++ {
		if slices.Contains(f.o.Tags, r.foot.columns[number].key) {
			f.wanted = append(f.wanted, number)
		}
	}
}

// seek goes to a row of a page.
func (f *outliner) seek(p *pageReader, a int) error {
	if p == f.page && a == f.row {
		return nil
	}
	if p != f.page {
		f.page = p
		f.shapes, f.shared = make(map[uint32][]int), make(map[string][]spandrel.Tag)
	}
	f.row = a
	f.at = append(f.at[:0], make([]int, len(f.wanted))...)
	if a == 0 {
		return nil
	}
	shapes, err := p.column(colShape)
	if err != nil {
		return err
	}
	at, err := p.positions(shapes, a)
	if err != nil {
		return err
	}
	for k, number := range f.wanted {
		f.at[k] = at[number]
	}
	return nil
}

// tags gives the spans of the next rows their tags. Rows whose tags have the
// same values share them.
func (f *outliner) tags(spans []spandrel.Span) error {
	p := f.page
	shapes, err := p.column(colShape)
	if err != nil {
		return err
	}
	columns := make([]*pageColumn, len(f.wanted))
	for k, number := range f.wanted {
		if columns[k], err = p.column(number); err != nil {
			return err
		}
	}
	for i := range spans {
		has, err := f.shape(shapes, shapes.id(f.row))
		if err != nil {
			return err
		}
		f.row++
		if len(has) == 0 {
			continue
		}
		f.key = f.key[:0]
		for _, k := range has {
			if f.at[k] >= int(p.seg.foot.columns[f.wanted[k]].counts[p.number]) {
				return p.corrupt("too few values of " + p.seg.foot.columns[f.wanted[k]].key)
			}
			f.key = binary.LittleEndian.AppendUint32(append(f.key, byte(k)), columns[k].id(f.at[k]))
		}
		tags, ok := f.shared[string(f.key)]
		if !ok {
			tags = make([]spandrel.Tag, len(has))
			at := slices.Clone(f.at)
			for j, k := range has {
				about := &p.seg.foot.columns[f.wanted[k]]
				tags[j] = spandrel.Tag{Key: about.key, Value: spandrel.RawValue(about.kind, columns[k].value(at[k]))}
				at[k]++
			}
			f.shared[string(f.key)] = tags
		}
		for _, k := range has {
			f.at[k]++
		}
		spans[i].Tags = tags
	}
	return nil
}

// shape lists which of the wanted columns the rows of a shape have.
func (f *outliner) shape(shapes *pageColumn, id uint32) ([]int, error) {
	if has, ok := f.shapes[id]; ok {
		return has, nil
	}
	columns, err := f.page.shape(shapes, id)
	if err != nil {
		return nil, err
	}
	var has []int
	for _, number := range columns {
		if k, ok := slices.BinarySearch(f.wanted, number); ok {
			has = append(has, k)
		}
	}
	f.shapes[id] = has
	return has, nil
}

// ofRow is a head's row in outline.
func (f *outliner) ofRow(r row, s *spandrel.Span) {
	_ = r.decode(s) // rows were checked when they came
	kept := make([]spandrel.Tag, 0, len(f.o.Tags))
	for i := range s.Tags {
		if slices.Contains(f.o.Tags, s.Tags[i].Key) {
			kept = append(kept, s.Tags[i])
		}
	}
	s.Tags, s.Resource = slices.Clip(kept), nil
	if len(kept) == 0 {
		s.Tags = nil
	}
	if !f.o.Rare {
		s.Events, s.Links, s.Scope, s.StatusMessage, s.TraceState = nil, nil, spandrel.Scope{}, "", ""
	}
}

// Outlines implements storage.Reader.
func (s *Store) Outlines(ctx context.Context, refs []storage.TraceRef, o storage.Outline) iter.Seq2[[]spandrel.Span, error] {
	f := &outliner{o: o}
	rs := readers{cache: &s.segments}
	read := func(p *snapshot, id spandrel.TraceID, ref rowsRef, give func([]spandrel.Span) bool) bool {
		r, err := rs.open(p.p, p.txn, ref.segment)
		if err != nil {
			s.corrupt(p.p.dir, err)
			return true
		}
		for first, n := range ref.chunks() {
			if spans, err := f.ofTrace(r, id, first, n); err != nil {
				s.corrupt(p.p.dir, err)
			} else if !give(spans) {
				return false
			}
		}
		return true
	}
	fromHead := func(h *headView, rows []int32) []spandrel.Span {
		spans := make([]spandrel.Span, len(rows))
		for i, at := range rows {
			f.ofRow(h.rows[at], &spans[i])
		}
		return spans
	}
	return s.eachTrace(ctx, refs, &rs, read, fromHead)
}

// Spans implements storage.Reader.
func (s *Store) Spans(ctx context.Context, id spandrel.TraceID, ids []spandrel.SpanID) iter.Seq2[[]spandrel.Span, error] {
	wanted := make(map[spandrel.SpanID]struct{}, len(ids))
	for _, id := range ids {
		wanted[id] = struct{}{}
	}
	rs := readers{cache: &s.segments}
	read := func(p *snapshot, id spandrel.TraceID, ref rowsRef, give func([]spandrel.Span) bool) bool {
		r, err := rs.open(p.p, p.txn, ref.segment)
		if err != nil {
			s.corrupt(p.p.dir, err)
			return true
		}
		for first, n := range ref.chunks() {
			spans, err := r.spansWith(id, first, n, wanted)
			if err != nil {
				s.corrupt(p.p.dir, err)
			} else if len(spans) > 0 && !give(spans) {
				return false
			}
		}
		return true
	}
	fromHead := func(h *headView, rows []int32) []spandrel.Span {
		rows = slices.DeleteFunc(rows, func(at int32) bool {
			_, ok := wanted[h.rows[at].spanID()]
			return !ok
		})
		return h.spans(rows)
	}
	return s.eachTrace(ctx, []storage.TraceRef{{ID: id}}, &rs, read, fromHead)
}

// spansWith are those of the rows whose span ids are wanted.
func (r *segmentReader) spansWith(id spandrel.TraceID, first, n int, wanted map[spandrel.SpanID]struct{}) (spans []spandrel.Span, err error) {
	if first < 0 || n < 1 || first+n > r.foot.rows {
		return nil, corruption("trace index", errNoRow)
	}
	err = r.lend(func() error {
		p := r.pageAt(first / pageRows)
		if err := p.loadIDs(); err != nil {
			return err
		}
		for i := range n {
			if _, ok := wanted[p.id(first%pageRows+i)]; !ok {
				continue
			}
			if spans, err = r.spans(spans, id, first+i, 1); err != nil {
				return err
			}
		}
		return nil
	})
	return spans, err
}

// eachTrace goes to all places where spans of the traces are, segments from
// old to new, then heads. read gives out rows of a segment, none empty; it
// reports whether to go on. fromHead reads rows of a head.
// The readers that read uses are closed at the end.
func (s *Store) eachTrace(ctx context.Context, refs []storage.TraceRef, rs *readers,
	read func(p *snapshot, id spandrel.TraceID, ref rowsRef, give func([]spandrel.Span) bool) bool,
	fromHead func(h *headView, rows []int32) []spandrel.Span,
) iter.Seq2[[]spandrel.Span, error] {
	return func(yield func([]spandrel.Span, error) bool) {
		v, err := s.acquire()
		if err != nil {
			yield(nil, err)
			return
		}
		defer v.release()
		defer rs.forget()
		heads := v.headViews()
		give := func(spans []spandrel.Span) bool {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return false
			}
			return yield(spans, nil)
		}
		for _, ref := range refs {
			for p, at := range s.places(v, ref.ID) {
				if !read(p, ref.ID, at, give) {
					return
				}
			}
			for i := range heads {
				for rows := range slices.Chunk(heads[i].trace(ref.ID), maxChunk) {
					if spans := fromHead(&heads[i], rows); len(spans) > 0 && !give(spans) {
						return
					}
				}
			}
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// places are the rows of a trace in the view's segments.
func (s *Store) places(v *view, id spandrel.TraceID) iter.Seq2[*snapshot, rowsRef] {
	return func(yield func(*snapshot, rowsRef) bool) {
		for _, p := range v.parts {
			if !p.mayHave(id) {
				continue
			}
			refs, _, err := traceRefs(p.txn, id)
			if err != nil {
				s.corrupt(p.p.dir, err)
			}
			for _, ref := range refs {
				if !yield(p, ref) {
					return
				}
			}
		}
	}
}

// Revision implements storage.Reader: the number of rows, which only added
// spans and retention change.
func (s *Store) Revision(ctx context.Context, id spandrel.TraceID) (uint64, error) {
	v, err := s.acquire()
	if err != nil {
		return 0, err
	}
	defer v.release()
	rows := uint64(0)
	for _, ref := range s.places(v, id) {
		rows += uint64(ref.n)
	}
	for _, h := range v.headViews() {
		rows += uint64(len(h.trace(id)))
	}
	return rows, ctx.Err()
}
