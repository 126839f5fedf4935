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

	mu    sync.Mutex       // held by the reader that has the segment lent; guards all below
	dicts map[int][]string // shared dictionaries, by column
	read  map[int]*pageData
	table *traceTable

	// The segmentCache's:
	cachedAt segmentAt
	counted  int64  // of size
	used     uint64 // the greater, the later
}

func openSegment(get func(use func(seg []byte) error) error) (*segmentReader, error) {
	d := &segmentData{dicts: make(map[int][]string), read: make(map[int]*pageData)}
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
		r.size.Add(2 * int64(len(b))) // as it is or decoded
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
	ids       []spandrel.SpanID
	parents   []spandrel.SpanID
	starts    []int64
	durations []int64
	events    []int64          // times of the page's events, from the starts of their spans
	columns   []*pageColumn    // by number, nil = not read yet
	shapes    map[uint32][]int // columns of a shape's tags, by its id in the page
}

// pageColumn is a column's values in a page.
type pageColumn struct {
	dict []string
	// One of these has the values' places in dict; none = all are 0.
	narrow []byte
	ids    []uint32
}

func (c *pageColumn) id(i int) uint32 {
	switch {
	case c.narrow != nil:
		return uint32(c.narrow[i])
	case c.ids != nil:
		return c.ids[i]
	}
	return 0
}

// count adds up how often the first n values have each place in dict.
func (c *pageColumn) count(n int) []int {
	uses := make([]int, len(c.dict))
	switch {
	case c.narrow != nil:
		for _, id := range c.narrow[:n] {
			uses[id]++
		}
	case c.ids != nil:
		for _, id := range c.ids[:n] {
			uses[id]++
		}
	default:
		uses[0] = n
	}
	return uses
}

func (c *pageColumn) value(i int) string { return c.dict[c.id(i)] }

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
			c.dict, c.ids, ok = decodePaged(b, n, number)
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

func (r *segmentReader) dictionary(number int) ([]string, error) {
	if dict, ok := r.dicts[number]; ok {
		return dict, nil
	}
	b, err := r.bytes(r.foot.columns[number].dict, -1, "dictionary")
	if err != nil {
		return nil, err
	}
	d := decoder{b: b}
	dict := d.dictionary(number)
	if d.bad || len(d.b) > 0 || len(dict) == 0 || r.foot.columns[number].mode == modeConstant && len(dict) != 1 {
		return nil, corruption("dictionary", errRow)
	}
	r.dicts[number] = dict
	return dict, nil
}

func (d *decoder) dictionary(column int) []string {
	n := d.count(1)
	lengths := make([]uint64, n)
	for i := range lengths {
		lengths[i] = d.uvarint()
	}
	dict := make([]string, n)
	for i := range dict {
		dict[i] = alias(d.bytes(lengths[i]))
		d.bad = d.bad || column == colFacts && len(dict[i]) != 3
	}
	return dict
}

// decodeShared reads n places in a shared dictionary; b becomes the column's.
func (c *pageColumn) decodeShared(b []byte, n int) bool {
	if len(c.dict) <= 256 {
		c.narrow = b
		return len(b) == n && (len(c.dict) == 256 || int(slices.Max(b)) < len(c.dict))
	}
	if len(b) != 2*n {
		return false
	}
	c.ids = make([]uint32, n)
	for i := range c.ids {
		c.ids[i] = uint32(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return int(slices.Max(c.ids)) < len(c.dict)
}

func decodePaged(b []byte, n, column int) ([]string, []uint32, bool) {
	d := decoder{b: b}
	dict := d.dictionary(column)
	ids := make([]uint32, n)
	next := uint64(0)
	for i := range ids {
		back := d.uvarint()
		if back > next {
			return nil, nil, false
		}
		ids[i] = uint32(next - back)
		if back == 0 {
			next++
		}
	}
	return dict, ids, !d.bad && len(d.b) == 0 && next == uint64(len(dict))
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
	times := make([]int64, 0, len(b)/2)
	for len(d.b) > 0 {
		times = append(times, d.varint()*unit)
	}
	if d.bad {
		return p.corrupt("event times")
	}
	p.events = times
	return nil
}

// loadIDs reads the ids of the page's spans and of their parents.
func (p *pageReader) loadIDs() error {
	if p.ids != nil {
		return nil
	}
	b, err := p.bytes(p.seg.foot.ids[p.number], "ids")
	if err != nil {
		return err
	}
	if len(b) != 8*p.n {
		return p.corrupt("ids")
	}
	ids := make([]spandrel.SpanID, p.n)
	for i := range ids {
		ids[i] = spandrel.SpanID(binary.BigEndian.Uint64(b[8*i:]))
	}
	if b, err = p.bytes(p.seg.foot.parents[p.number], "parents"); err != nil {
		return err
	}
	d := decoder{b: b}
	parents := make([]spandrel.SpanID, p.n)
	for i := range parents {
		switch code := int(d.uint8()); {
		case code == 1:
			parents[i] = spandrel.SpanID(d.uint64())
		case code > 1 && code-1 <= i:
			parents[i] = ids[i-(code-1)]
		case code != 0:
			return p.corrupt("parents")
		}
	}
	if d.bad || len(d.b) > 0 {
		return p.corrupt("parents")
	}
	p.ids, p.parents = ids, parents
	return nil
}

// shape lists the columns of the tags of the rows that have a shape, by its
// id in the page.
func (p *pageReader) shape(column *pageColumn, id uint32) ([]int, error) {
	if columns, ok := p.shapes[id]; ok {
		return columns, nil
	}
	d := decoder{b: []byte(column.dict[id])}
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
