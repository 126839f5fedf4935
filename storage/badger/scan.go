package badger

import (
	"cmp"
	"context"
	"slices"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// scanSource is a segment or a head that a Scan looks at.
type scanSource struct {
	span timeRange
	rows int
	part *snapshot // nil = head
	id   uint32    // of the segment
	head headView
}

// Scan implements storage.Reader. Which sources are needed is known
// beforehand: those with the newest spans, until they have enough.
func (s *Store) Scan(ctx context.Context, r storage.ScanRange, o storage.Outline) (*storage.Scan, error) {
	v, err := s.acquire()
	if err != nil {
		return nil, err
	}
	scan := &storage.Scan{From: r.From}
	sources := v.scanSources(r)
	if r.MaxSpans > 0 {
		rows := 0
		for i, src := range sources {
			rows += src.rows
			// Sources that overlap the newest one are wanted too, or next to
			// nothing would be looked at.
			if rows > r.MaxSpans && i > 0 && (src.span.max < sources[0].span.min || rows > 4*r.MaxSpans) {
				scan.From = max(r.From, src.span.max+1)
				sources = sources[:i]
				break
			}
		}
	}
	scan.Chunks = func(yield func([]spandrel.Span, error) bool) {
		defer v.release()
		c := scanCall{store: s, ctx: ctx, from: scan.From, to: r.To, yield: yield}
		c.outliner.o = o
		for i := range sources {
			if !c.source(&sources[i]) {
				return
			}
		}
	}
	return scan, nil
}

// scanSources are what may have spans of the range, that with the newest first.
func (v *view) scanSources(r storage.ScanRange) (sources []scanSource) {
	meets := func(span timeRange) bool { return span.max >= r.From && span.min <= r.To }
	for _, p := range v.parts {
		for _, info := range p.segments {
			if meets(info.span) {
				sources = append(sources, scanSource{span: info.span, rows: info.rows, part: p, id: info.id})
			}
		}
	}
	for _, h := range v.headViews() {
		if span := h.span(); meets(span) {
			sources = append(sources, scanSource{span: span, rows: len(h.rows), head: h})
		}
	}
	slices.SortStableFunc(sources, func(a, b scanSource) int { return cmp.Compare(b.span.max, a.span.max) })
	return sources
}

// scanCall is one use of a Scan; its methods report whether to go on.
type scanCall struct {
	store    *Store
	ctx      context.Context
	from, to int64
	yield    func([]spandrel.Span, error) bool
	outliner outliner
	spans    []spandrel.Span // memory of the chunks
}

func (c *scanCall) source(src *scanSource) bool {
	if src.part == nil {
		return c.head(&src.head)
	}
	r, err := openSegment(src.part.p.lend(src.part.txn, src.id))
	if err != nil {
		c.store.corrupt(src.part.p.dir, err)
		return true
	}
	defer r.forget()
	var table *traceTable
	err = r.lend(func() (err error) {
		table, err = r.traces()
		return err
	})
	if err != nil {
		c.store.corrupt(src.part.p.dir, err)
		return true
	}
	trace := 0
	for number := range r.foot.pages() {
		if !c.page(src, r, table, number, &trace) {
			return false
		}
		clear(r.pages) // pages are not visited again
		clear(r.read)
	}
	return true
}

// page gives out the rows of a page that are in the range. trace is that of
// its first row.
func (c *scanCall) page(src *scanSource, r *segmentReader, table *traceTable, number int, trace *int) bool {
	n := r.foot.pageLen(number)
	spans := c.take(n)
	err := c.outliner.of(r, spans, number*pageRows)
	for i := range spans {
		for int(table.end[*trace]) <= number*pageRows+i {
			*trace++
		}
		spans[i].TraceID = table.id(*trace)
	}
	if err != nil {
		c.store.corrupt(src.part.p.dir, err)
		return true
	}
	if src.span.min < c.from || src.span.max > c.to {
		spans = slices.DeleteFunc(spans, func(s spandrel.Span) bool { return s.Start < c.from || s.Start > c.to })
	}
	return c.give(spans)
}

func (c *scanCall) head(h *headView) bool {
	for first := 0; first < len(h.rows); first += pageRows {
		spans := c.take(0)
		for i := first; i < min(first+pageRows, len(h.rows)); i++ {
			if m := &h.meta[i]; m.start >= c.from && m.start <= c.to {
				spans = append(spans, spandrel.Span{})
				c.outliner.ofRow(h.rows[i], &spans[len(spans)-1])
			}
		}
		if !c.give(spans) {
			return false
		}
	}
	return true
}

// take gives memory for n spans, all zero.
func (c *scanCall) take(n int) []spandrel.Span {
	if c.spans == nil {
		c.spans = make([]spandrel.Span, pageRows)
	}
	clear(c.spans)
	return c.spans[:n:pageRows]
}

func (c *scanCall) give(spans []spandrel.Span) bool {
	if err := c.ctx.Err(); err != nil {
		c.yield(nil, err)
		return false
	}
	return len(spans) == 0 || c.yield(spans, nil)
}
