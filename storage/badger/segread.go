package badger

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/spandrel/spandrel"
)

// segmentReader reads a segment page by page. It is for one goroutine; what it
// has read may be shared with others.
type segmentReader struct {
	*segmentData
	get   func(use func(seg []byte) error) error // lends the segment's bytes
	lent  []byte                                 // while lend runs
	pages map[int]*pageReader
}

// segmentData is what readers have read of a segment. Nothing in it changes
// once it is there.
type segmentData struct {
	foot *footer
	size atomic.Int64 // about the memory it takes

	mu    sync.Mutex    // held by the reader that has the segment lent; guards all below
	dicts map[int]texts // shared dictionaries, by column
	read  map[int]*pageData
	table *traceTable

	// The segmentCache's:
	cachedAt segmentAt
	counted  int64  // of size
	used     uint64 // the greater, the later
}

func openSegment(get func(use func(seg []byte) error) error) (*segmentReader, error) {
	d := &segmentData{dicts: make(map[int]texts), read: make(map[int]*pageData)}
	err := get(func(seg []byte) (err error) {
		d.foot, err = parseFooter(seg)
		return err
	})
	if err != nil {
		return nil, err
	}
	d.size.Store(32 * int64(len(d.foot.columns)*d.foot.pages()))
	return d.reader(get), nil
}

// reader is a reader for one goroutine.
func (d *segmentData) reader(get func(use func(seg []byte) error) error) *segmentReader {
	return &segmentReader{segmentData: d, get: get, pages: make(map[int]*pageReader)}
}

// lend runs use with the segment's bytes at hand. All that reads pages runs in
// it.
func (r *segmentReader) lend(use func() error) error {
	if r.lent != nil {
		return use()
	}
	return r.get(func(seg []byte) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.lent = seg
		defer func() { r.lent = nil }()
		return use()
	})
}

// forget takes the segment out of the process's memory, where Badger's mapping
// of its files would keep all that was ever read.
func (r *segmentReader) forget() {
	_ = r.get(func(seg []byte) error {
		forgetSegment(seg)
		return nil
	})
}

// forgetSegment is forget for the bytes that Badger lends.
func forgetSegment(seg []byte) {
	if isMapped(seg) {
		forget(seg)
	}
}

// isMapped reports whether the bytes that Badger lends are a file's. Values
// that large are in its value log, which it maps; TestSegmentsAreLentFromTheFile
// would notice if it lent them from elsewhere.
func isMapped(seg []byte) bool { return len(seg) >= 8*valueThreshold }

// bytes reads a page, in memory of its own; page is its number or -1.
func (r *segmentReader) bytes(ref pageRef, page int, what string) (b []byte, err error) {
	err = r.lend(func() (err error) {
		b, err = readPage(r.lent, ref)
		return err
	})
	switch {
	case err == nil:
		r.size.Add(int64(len(b)))
		return b, nil
	case page >= 0:
		what = fmt.Sprintf("page %d, %s", page, what)
	}
	return nil, corruption(what, err)
}

// traceTable tells which trace a row belongs to.
type traceTable struct {
	ids []byte   // 16 bytes each
	end []uint32 // row after the trace's last
}

func (t *traceTable) id(trace int) spandrel.TraceID {
	b := t.ids[16*trace:]
	return spandrel.TraceID{High: binary.BigEndian.Uint64(b), Low: binary.BigEndian.Uint64(b[8:])}
}

func (r *segmentReader) traces() (*traceTable, error) {
	if r.table != nil {
		return r.table, nil
	}
	b, err := r.bytes(r.foot.traceTable, -1, "trace table")
	if err != nil {
		return nil, err
	}
	d := decoder{b: b}
	t := &traceTable{ids: d.bytes(16 * uint64(r.foot.traces))}
	t.end = make([]uint32, 0, len(t.ids)/16)
	row := 0
	for range r.foot.traces {
		if row += d.size(); d.bad || row > r.foot.rows {
			break
		}
		t.end = append(t.end, uint32(row))
	}
	if d.bad || len(d.b) > 0 || row != r.foot.rows {
		return nil, corruption("trace table", errRow)
	}
	r.table = t
	return t, nil
}

// pageReader reads a page.
type pageReader struct {
	*pageData
	seg *segmentReader
}

// pageData holds what has been read of a page.
type pageData struct {
	number, n int
	ids       []byte // 8 bytes each, big-endian
	parents   []byte // as they are stored: few of them are asked for
	starts    []int64
	durations []int64
	events    []byte           // times of the page's events from the starts of their spans, as stored
	eventUnit int64            // of events
	columns   []*pageColumn    // by number, nil = not read yet
	shapes    map[uint32][]int // columns of a shape's tags, by its id in the page
}

// maxOpenPages bounds the pages of a segment that are kept.
const maxOpenPages = 32

func (r *segmentReader) pageAt(number int) *pageReader {
	p := r.pages[number]
	if p == nil {
		if len(r.pages) >= maxOpenPages {
			clear(r.pages)
		}
		p = &pageReader{r.data(number), r}
		r.pages[number] = p
	}
	return p
}

func (d *segmentData) data(number int) *pageData {
	p := d.read[number]
	if p == nil {
		if len(d.read) >= maxOpenPages {
			clear(d.read)
		}
		p = &pageData{
			number: number, n: d.foot.pageLen(number),
			columns: make([]*pageColumn, len(d.foot.columns)), shapes: make(map[uint32][]int),
		}
		d.read[number] = p
	}
	return p
}

func (p *pageReader) bytes(ref pageRef, what string) ([]byte, error) {
	return p.seg.bytes(ref, p.number, what)
}

func (p *pageReader) corrupt(what string) error {
	return corruption(fmt.Sprintf("page %d, %s", p.number, what), errRow)
}

// column reads a column's values in the page.
func (p *pageReader) column(number int) (*pageColumn, error) {
	if c := p.columns[number]; c != nil {
		return c, nil
	}
	about := &p.seg.foot.columns[number]
	n := int(about.counts[p.number])
	if number < fixedColumns && n != p.n {
		return nil, p.corrupt("fixed column of the wrong length")
	}
	c := &pageColumn{}
	var err error
	if about.mode != modePaged {
		if c.dict, err = p.seg.dictionary(number); err != nil {
			return nil, err
		}
	}
	if about.mode != modeConstant && n > 0 {
		b, err := p.bytes(about.pages[p.number], cmp.Or(about.key, "fixed column"))
		if err != nil {
			return nil, err
		}
		var ok bool
		if about.mode == modePaged {
			ok = c.decodePaged(b, n, number)
			p.seg.size.Add(int64(4*c.dict.len() + len(c.narrow) + len(c.wide) + 4*len(c.ids)))
		} else {
			ok = c.decodeShared(b, n)
		}
		if !ok {
			return nil, p.corrupt(about.key)
		}
	}
	p.columns[number] = c
	return c, nil
}

func (r *segmentReader) dictionary(number int) (texts, error) {
	if dict, ok := r.dicts[number]; ok {
		return dict, nil
	}
	b, err := r.bytes(r.foot.columns[number].dict, -1, "dictionary")
	if err != nil {
		return texts{}, err
	}
	d := decoder{b: b}
	dict := d.dictionary(number)
	if d.bad || len(d.b) > 0 || dict.len() == 0 || r.foot.columns[number].mode == modeConstant && dict.len() != 1 {
		return texts{}, corruption("dictionary", errRow)
	}
	r.size.Add(int64(4 * dict.len()))
	r.dicts[number] = dict
	return dict, nil
}

// loadStarts reads the starts of the page's rows.
func (p *pageReader) loadStarts() error {
	if p.starts != nil {
		return nil
	}
	b, err := p.bytes(p.seg.foot.starts[p.number], "starts")
	if err != nil {
		return err
	}
	d := decoder{b: b}
	unit, before := int64(d.uvarint()), int64(0)
	starts := make([]int64, p.n)
	for i := range starts {
		before += d.varint()
		starts[i] = before * unit
	}
	if d.bad || len(d.b) > 0 {
		return p.corrupt("starts")
	}
	p.seg.size.Add(int64(8 * p.n))
	p.starts = starts
	return nil
}

// loadDurations reads the durations of the page's rows.
func (p *pageReader) loadDurations() error {
	if p.durations != nil {
		return nil
	}
	b, err := p.bytes(p.seg.foot.durations[p.number], "durations")
	if err != nil {
		return err
	}
	d := decoder{b: b}
	unit := int64(d.uvarint())
	durations := make([]int64, p.n)
	for i := range durations {
		durations[i] = int64(d.uvarint()) * unit
	}
	if d.bad || len(d.b) > 0 {
		return p.corrupt("durations")
	}
	p.seg.size.Add(int64(8 * p.n))
	p.durations = durations
	return nil
}

// loadEvents reads the times of the page's events.
func (p *pageReader) loadEvents() error {
	if p.events != nil {
		return nil
	}
	b, err := p.bytes(p.seg.foot.eventTimes[p.number], "event times")
	if err != nil {
		return err
	}
	d := decoder{b: b}
	unit := int64(1)
	if len(b) > 0 {
		unit = int64(d.uvarint())
	}
	times := d.b
	for len(d.b) > 0 {
		d.varint()
	}
	if d.bad {
		return p.corrupt("event times")
	}
	if p.events, p.eventUnit = times, unit; times == nil {
		p.events = []byte{}
	}
	return nil
}

// eventsFrom reads the times of events from the n-th on.
func (p *pageReader) eventsFrom(n int) decoder {
	at := 0
	for ; n > 0 && at < len(p.events); at++ {
		if p.events[at] < 0x80 { // a varint's last byte
			n--
		}
	}
	return decoder{b: p.events[at:]}
}

// loadIDs reads the ids of the page's spans and of their parents.
func (p *pageReader) loadIDs() error {
	if p.ids != nil {
		return nil
	}
	ids, err := p.bytes(p.seg.foot.ids[p.number], "ids")
	if err != nil {
		return err
	}
	if len(ids) != 8*p.n {
		return p.corrupt("ids")
	}
	parents, err := p.bytes(p.seg.foot.parents[p.number], "parents")
	if err != nil {
		return err
	}
	d := decoder{b: parents}
	for i := range p.n {
		switch code := int(d.uint8()); {
		case code == 1:
			d.uint64()
		case code > i+1:
			return p.corrupt("parents")
		}
	}
	if d.bad || len(d.b) > 0 {
		return p.corrupt("parents")
	}
	p.ids, p.parents = ids, parents
	return nil
}

func (p *pageReader) id(i int) spandrel.SpanID {
	return spandrel.SpanID(binary.BigEndian.Uint64(p.ids[8*i:]))
}

// fillIDs gives spans the ids of the page's rows a, a+1, … and their parents':
// a code is 0 for none, 1 before an id, or one more than how many rows above.
func (p *pageReader) fillIDs(spans []spandrel.Span, a int) {
	d := decoder{b: p.parents}
	for range a {
		if d.uint8() == 1 {
			d.uint64()
		}
	}
	for i := range spans {
		s := &spans[i]
		s.ID = p.id(a + i)
		switch code := int(d.uint8()); code {
		case 0:
		case 1:
			s.ParentID = spandrel.SpanID(d.uint64())
		default:
			s.ParentID = p.id(a + i - (code - 1))
		}
	}
}

// fillFixed gives spans what each row has: ids and times.
func (p *pageReader) fillFixed(spans []spandrel.Span, a int) error {
	for _, load := range []func() error{p.loadIDs, p.loadStarts, p.loadDurations} {
		if err := load(); err != nil {
			return err
		}
	}
	p.fillIDs(spans, a)
	for i := range spans {
		spans[i].Start, spans[i].Duration = p.starts[a+i], p.durations[a+i]
	}
	return nil
}

// shape lists the columns of the tags of the rows that have a shape, by its
// id in the page.
func (p *pageReader) shape(column *pageColumn, id uint32) ([]int, error) {
	if columns, ok := p.shapes[id]; ok {
		return columns, nil
	}
	d := decoder{b: []byte(column.dict.at(int(id)))}
	var columns []int
	for len(d.b) > 0 {
		at := d.size() + fixedColumns
		if d.bad || at >= len(p.seg.foot.columns) {
			return nil, p.corrupt("shape")
		}
		columns = append(columns, at)
	}
	p.shapes[id] = columns
	return columns, nil
}

var errNoRow = errors.New("row beyond the end")

// spans appends the spans of rows first … first+n-1 of the segment, which must
// be of one trace and one page.
func (r *segmentReader) spans(into []spandrel.Span, id spandrel.TraceID, first, n int) ([]spandrel.Span, error) {
	if n < 1 || first < 0 || first+n > r.foot.rows || first/pageRows != (first+n-1)/pageRows {
		return into, corruption("trace index", errNoRow)
	}
	from := len(into)
	into = slices.Grow(into, n)
	for range n {
		into = append(into, spandrel.Span{TraceID: id})
	}
	if err := r.lend(func() error { return r.pageAt(first/pageRows).fill(into[from:], first%pageRows) }); err != nil {
		return into[:from], err
	}
	return into, nil
}
