package badger

import (
	"encoding/binary"
	"slices"

	"github.com/spandrel/spandrel"
)

// columnBuilder collects the values of a column.
type columnBuilder struct {
	key    string
	kind   spandrel.ValueKind
	values []string
	index  map[string]uint32 // of values
	ids    []uint32          // one a value, over all pages
	begin  []int             // where in ids each page begins, as far as pages have values
	last   uint32            // id of the value added last
	pairs  []uint64          // bits: which operations have which values, maxPairedValues each
	recent []uint32          // 1 + id of each operation's newest value, 0 = none
}

func newColumnBuilder(key string, kind spandrel.ValueKind) *columnBuilder {
	return &columnBuilder{key: key, kind: kind, index: make(map[string]uint32)}
}

func (c *columnBuilder) add(page int, value string) {
	if len(c.values) == 0 || c.values[c.last] != value {
		id, ok := c.index[value]
		if !ok {
			id = c.define(value)
		}
		c.last = id
	}
	c.push(page)
}

// addOf adds a value of a row of the operation, most of whose rows have the same.
func (c *columnBuilder) addOf(op, page int, value string) {
	if op < len(c.recent) && c.recent[op] != 0 && c.values[c.recent[op]-1] == value {
		c.last = c.recent[op] - 1
		c.push(page)
		return
	}
	c.add(page, value)
	c.pair(op)
	if op >= maxPairedOps {
		return
	}
	for len(c.recent) <= op {
		c.recent = append(c.recent, 0)
	}
	c.recent[op] = c.last + 1
}

// addBytes is add for a value in memory that will change.
func (c *columnBuilder) addBytes(page int, value []byte) {
	if len(c.values) == 0 || c.values[c.last] != string(value) {
		id, ok := c.index[string(value)]
		if !ok {
			id = c.define(string(value))
		}
		c.last = id
	}
	c.push(page)
}

func (c *columnBuilder) define(value string) uint32 {
	id := uint32(len(c.values))
	c.values = append(c.values, value)
	c.index[value] = id
	return id
}

func (c *columnBuilder) push(page int) {
	for len(c.begin) <= page {
		c.begin = append(c.begin, len(c.ids))
	}
	c.ids = append(c.ids, c.last)
}

// finish writes the column's pages to the segment.
func (c *columnBuilder) finish(b *segmentBuilder) column {
	out := column{key: c.key, kind: c.kind}
	switch {
	case len(c.values) <= 1:
		out.mode = modeConstant
	case len(c.values) <= maxShared:
		out.mode = modeShared
	default:
		out.mode = modePaged
	}
	if out.mode != modePaged {
		out.dict = b.page(appendDictionary(nil, c.values))
	}
	paged := pagedEncoder{values: c.values, local: make([]int32, len(c.values))}
	for p := range b.foot.pages() {
		ids := c.pageIDs(p)
		out.counts = append(out.counts, uint32(len(ids)))
		var raw []byte
		switch {
		case len(ids) == 0 || out.mode == modeConstant:
			out.pages = append(out.pages, pageRef{})
			continue
		case out.mode == modePaged:
			raw = paged.append(nil, ids)
		default:
			raw = appendShared(nil, ids, len(c.values))
		}
		out.pages = append(out.pages, b.page(raw))
	}
	return out
}

func (c *columnBuilder) pageIDs(page int) []uint32 {
	if page >= len(c.begin) {
		return nil
	}
	if page+1 < len(c.begin) {
		return c.ids[c.begin[page]:c.begin[page+1]]
	}
	return c.ids[c.begin[page]:]
}

// appendDictionary appends the number of values, their lengths, their bytes.
func appendDictionary(b []byte, values []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(values)))
	for _, v := range values {
		b = binary.AppendUvarint(b, uint64(len(v)))
	}
	for _, v := range values {
		b = append(b, v...)
	}
	return b
}

// appendShared appends ids of a dictionary with n values, a byte each or two.
func appendShared(b []byte, ids []uint32, n int) []byte {
	for _, id := range ids {
		if n <= 256 {
			b = append(b, byte(id))
		} else {
			b = binary.LittleEndian.AppendUint16(b, uint16(id))
		}
	}
	return b
}

// pagedEncoder writes pages that have dictionaries of their own.
type pagedEncoder struct {
	values []string
	local  []int32 // by id: 1 + its place among all local values so far, 0 = none
	before int32   // local values in the pages before
	own    []string
}

// append appends the page's dictionary, values in the order in which they
// first come, then for each id 0 if its value is the next one of them, else
// how many were new since it was: 1 = it was the last new one.
func (e *pagedEncoder) append(b []byte, ids []uint32) []byte {
	e.own = e.own[:0]
	codes := make([]byte, 0, len(ids)+len(ids)/4)
	for _, id := range ids {
		next := e.before + int32(len(e.own))
		if at := e.local[id]; at > e.before {
			codes = binary.AppendUvarint(codes, uint64(next-at+1))
			continue
		}
		e.local[id] = next + 1
		e.own = append(e.own, e.values[id])
		codes = append(codes, 0)
	}
	e.before += int32(len(e.own))
	b = appendDictionary(slices.Grow(b, len(codes)), e.own)
	return append(b, codes...)
}
