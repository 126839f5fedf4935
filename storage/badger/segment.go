package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/zstd"

	"github.com/spandrel/spandrel"
)

// A segment is the columns of some 20,000 spans, in pages of pageRows rows;
// the rows of a trace lie together, traces by their first start. FORMAT.md
// draws the bytes.
const (
	segmentMagic = "\x01spdSEG\n" // version byte first
	segmentTail  = 16             // footer length, its CRC, magic again
	pageRows     = 1024
)

// The columns that every row has a value in, by their place in the footer.
// Tag columns, one per key and kind of value, follow them.
const (
	colFacts         = iota // kind, flags, status: a byte each
	colService              // Local.Service as it is, maybe empty
	colName                 //
	colLocal                // Local's addresses and port
	colRemoteService        //
	colRemote               // Remote's addresses and port
	colResource             // Resource as a list of tags, empty for none
	colRest                 // u16 mask and the parts of a row's that appendRare writes, but the resource and times
	colShape                // the numbers of the row's tag columns in the order of its tags
	fixedColumns
)

// columnMode says where the values of a column are.
type columnMode uint8

const (
	modeConstant columnMode = iota // one value, in the footer's dictionary
	modeShared                     // one dictionary, ids in each page
	modePaged                      // a dictionary and ids in each page
)

// A column has a shared dictionary while that is small enough to be read for
// the sake of one trace.
const maxShared = 512

// pageRef says where a page lies and what it must be.
type pageRef struct {
	offset, length uint32 // of the stored bytes
	raw            uint32 // length when decompressed, 0 = stored as it is
	crc            uint32 // CRC-32C of the stored bytes
}

// column is what the footer says of a column.
type column struct {
	key    string // of a tag column
	kind   spandrel.ValueKind
	mode   columnMode
	dict   pageRef   // but modePaged
	counts []uint32  // values in each page
	pages  []pageRef // but modeConstant
}

// footer is a segment's table of contents.
type footer struct {
	rows, traces int
	span         timeRange // of starts
	duration     timeRange
	terms        pageRef // filter of search terms and their pairs
	longestOf    pageRef // table of the longest durations
	traceTable   pageRef
	spans        []timeRange // of each page, as are the next six
	longest      []int64     // duration
	ids          []pageRef
	parents      []pageRef
	starts       []pageRef
	durations    []pageRef
	eventTimes   []pageRef
	columns      []column
}

func (f *footer) pages() int { return (f.rows + pageRows - 1) / pageRows }

// pageLen is how many rows a page has.
func (f *footer) pageLen(page int) int { return min(pageRows, f.rows-page*pageRows) }

var errSegment = errors.New("malformed segment")

// corruption says which part of which segment is bad.
func corruption(what string, err error) error { return fmt.Errorf("%w: %s: %w", errSegment, what, err) }

// The coders are safe for concurrent use and keep nothing between calls.
var (
	zstdEncoder, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false),
		zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithSingleSegment(true))
	zstdDecoder, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(1<<30), zstd.WithDecoderLowmem(true))
)

// appendPage appends a page to the segment, compressed if that helps.
func appendPage(seg, raw []byte) ([]byte, pageRef) {
	ref := pageRef{offset: uint32(len(seg)), raw: uint32(len(raw))}
	if len(raw) >= 32 {
		seg = zstdEncoder.EncodeAll(raw, seg)
	}
	if n := len(seg) - int(ref.offset); n == 0 || n >= len(raw) {
		return appendStored(seg[:ref.offset], raw)
	}
	stored := seg[ref.offset:]
	ref.length, ref.crc = uint32(len(stored)), crc32.Checksum(stored, castagnoli)
	return seg, ref
}

// appendStored appends a page as it is.
func appendStored(seg, raw []byte) ([]byte, pageRef) {
	ref := pageRef{offset: uint32(len(seg)), length: uint32(len(raw)), crc: crc32.Checksum(raw, castagnoli)}
	return append(seg, raw...), ref
}

// readPage gives a page's bytes, which do not share memory with the segment.
func readPage(seg []byte, ref pageRef) ([]byte, error) {
	b, err := pageBytes(seg, ref)
	if err == nil && ref.raw == 0 {
		b = append([]byte(nil), b...)
	}
	return b, err
}

// pageBytes is readPage without a copy: the bytes may be the segment's.
func pageBytes(seg []byte, ref pageRef) ([]byte, error) {
	end := uint64(ref.offset) + uint64(ref.length)
	if end > uint64(len(seg)) {
		return nil, errors.New("page beyond the end")
	}
	stored := seg[ref.offset:end]
	if crc32.Checksum(stored, castagnoli) != ref.crc {
		return nil, errors.New("checksum differs")
	}
	if ref.raw == 0 {
		return stored, nil
	}
	if uint64(ref.raw) > 1<<16*uint64(ref.length) {
		return nil, errors.New("page is said to be impossibly large")
	}
	raw, err := zstdDecoder.DecodeAll(stored, make([]byte, 0, ref.raw))
	if err == nil && len(raw) != int(ref.raw) {
		err = errors.New("page has the wrong length")
	}
	return raw, err
}

// of is the page's stored bytes in a segment that was checked.
func (r pageRef) of(seg []byte) []byte { return seg[r.offset : uint64(r.offset)+uint64(r.length)] }

func appendRef(b []byte, r pageRef) []byte {
	b = binary.AppendUvarint(b, uint64(r.offset))
	b = binary.AppendUvarint(b, uint64(r.length))
	b = binary.AppendUvarint(b, uint64(r.raw))
	return binary.LittleEndian.AppendUint32(b, r.crc)
}

func (d *decoder) ref() pageRef {
	r := pageRef{offset: uint32(d.uvarint()), length: uint32(d.uvarint()), raw: uint32(d.uvarint())}
	if b := d.bytes(4); b != nil {
		r.crc = binary.LittleEndian.Uint32(b)
	}
	return r
}

// appendFooter closes the segment.
func appendFooter(seg []byte, f *footer) []byte {
	at := len(seg)
	seg = binary.AppendUvarint(seg, uint64(f.rows))
	seg = binary.AppendUvarint(seg, uint64(f.traces))
	seg = binary.AppendVarint(seg, f.span.min)
	seg = binary.AppendVarint(seg, f.span.max)
	seg = binary.AppendVarint(seg, f.duration.min)
	seg = binary.AppendVarint(seg, f.duration.max)
	seg = appendRef(seg, f.terms)
	seg = appendRef(seg, f.longestOf)
	seg = appendRef(seg, f.traceTable)
	for p := range f.pages() {
		seg = binary.AppendUvarint(seg, uint64(f.spans[p].min-f.span.min))
		seg = binary.AppendUvarint(seg, uint64(f.span.max-f.spans[p].max))
		seg = binary.AppendUvarint(seg, uint64(f.duration.max-f.longest[p]))
		for _, refs := range [][]pageRef{f.ids, f.parents, f.starts, f.durations, f.eventTimes} {
			seg = appendRef(seg, refs[p])
		}
	}
	seg = binary.AppendUvarint(seg, uint64(len(f.columns)))
	for i := range f.columns {
		seg = appendColumn(seg, &f.columns[i])
	}
	n := len(seg) - at
	seg = binary.LittleEndian.AppendUint32(seg, uint32(n))
	seg = binary.LittleEndian.AppendUint32(seg, crc32.Checksum(seg[at:at+n], castagnoli))
	return append(seg, segmentMagic...)
}

func appendColumn(b []byte, c *column) []byte {
	b = append(appendText(b, c.key), byte(c.kind), byte(c.mode))
	if c.mode != modePaged {
		b = appendRef(b, c.dict)
	}
	for p, n := range c.counts {
		b = binary.AppendUvarint(b, uint64(n))
		if c.mode != modeConstant && n > 0 {
			b = appendRef(b, c.pages[p])
		}
	}
	return b
}

// footerBytes checks a segment's frame and returns the footer in it.
func footerBytes(seg []byte) ([]byte, error) {
	n := len(seg)
	if n < len(segmentMagic)+segmentTail {
		return nil, corruption("frame", errors.New("too short"))
	}
	for _, magic := range []string{string(seg[:len(segmentMagic)]), string(seg[n-len(segmentMagic):])} {
		if magic[1:] == segmentMagic[1:] && magic[0] > segmentMagic[0] {
			return nil, fmt.Errorf("%w: version %d, this program knows %d", errSegment, magic[0], segmentMagic[0])
		}
		if magic != segmentMagic {
			return nil, corruption("frame", errors.New("wrong magic"))
		}
	}
	tail := seg[n-segmentTail:]
	length := uint64(binary.LittleEndian.Uint32(tail))
	if length > uint64(n-segmentTail-len(segmentMagic)) {
		return nil, corruption("footer", errors.New("length out of range"))
	}
	b := seg[n-segmentTail-int(length) : n-segmentTail]
	if crc32.Checksum(b, castagnoli) != binary.LittleEndian.Uint32(tail[4:]) {
		return nil, corruption("footer", errors.New("checksum differs"))
	}
	return b, nil
}

// parseTerms reads only where the filter of search terms and the table beside
// it are.
func parseTerms(seg []byte) (refs [2]pageRef, err error) {
	b, err := footerBytes(seg)
	if err != nil {
		return refs, err
	}
	d := decoder{b: b}
	for range 6 {
		d.uvarint()
	}
	refs[0], refs[1] = d.ref(), d.ref()
	if d.bad {
		return refs, corruption("footer", errRow)
	}
	return refs, nil
}

// parseFooter reads all of the footer into memory of its own.
func parseFooter(seg []byte) (*footer, error) {
	b, err := footerBytes(seg)
	if err != nil {
		return nil, err
	}
	d := decoder{b: append([]byte(nil), b...)}
	f := &footer{rows: d.size(), traces: d.size()}
	f.span, f.duration = timeRange{d.varint(), d.varint()}, timeRange{d.varint(), d.varint()}
	f.terms, f.longestOf, f.traceTable = d.ref(), d.ref(), d.ref()
	if f.pages() > len(d.b) {
		return nil, corruption("footer", errors.New("too many rows"))
	}
	for range f.pages() {
		f.spans = append(f.spans, timeRange{f.span.min + int64(d.uvarint()), f.span.max - int64(d.uvarint())})
		f.longest = append(f.longest, f.duration.max-int64(d.uvarint()))
		f.ids, f.parents = append(f.ids, d.ref()), append(f.parents, d.ref())
		f.starts, f.durations = append(f.starts, d.ref()), append(f.durations, d.ref())
		f.eventTimes = append(f.eventTimes, d.ref())
	}
	f.columns = make([]column, d.count(3))
	for i := range f.columns {
		d.column(&f.columns[i], f.pages())
	}
	if d.bad || len(d.b) > 0 || len(f.columns) < fixedColumns {
		return nil, corruption("footer", errRow)
	}
	return f, nil
}

// size reads a number that fits an int32.
func (d *decoder) size() int {
	v := d.uvarint()
	if v > 1<<31-1 {
		d.bad, d.b = true, nil
		return 0
	}
	return int(v)
}

func (d *decoder) column(c *column, pages int) {
	c.key, c.kind, c.mode = d.text(), spandrel.ValueKind(d.uint8()), columnMode(d.uint8())
	if c.mode != modePaged {
		c.dict = d.ref()
	}
	if pages > len(d.b) || c.mode > modePaged {
		d.bad = true
		return
	}
	c.counts, c.pages = make([]uint32, pages), make([]pageRef, pages)
	for p := range pages {
		c.counts[p] = uint32(d.size())
		if c.mode != modeConstant && c.counts[p] > 0 {
			c.pages[p] = d.ref()
		}
	}
}
