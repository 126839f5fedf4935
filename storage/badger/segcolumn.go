package badger

import (
	"encoding/binary"
	"math"
	"slices"
)

// texts are the values of a dictionary, which are parts of one text: strings of
// their own would take four times the memory, all of it pointers.
type texts struct {
	all  string
	ends []uint32
}

func (t texts) len() int { return len(t.ends) }

func (t texts) at(i int) string {
	from := uint32(0)
	if i > 0 {
		from = t.ends[i-1]
	}
	return t.all[from:t.ends[i]]
}

// pageColumn is a column's values in a page.
type pageColumn struct {
	dict texts
	// One of these has the values' places in dict; none = all are 0.
	narrow []byte   // one byte each
	wide   []byte   // two, little-endian
	ids    []uint32 // of a row with very many values of one key
}

func (c *pageColumn) id(i int) uint32 {
	switch {
	case c.narrow != nil:
		return uint32(c.narrow[i])
	case c.wide != nil:
		return uint32(binary.LittleEndian.Uint16(c.wide[2*i:]))
	case c.ids != nil:
		return c.ids[i]
	}
	return 0
}

// count adds up how often the first n values have each place in dict.
func (c *pageColumn) count(n int) []int {
	uses := make([]int, c.dict.len())
	switch {
	case c.narrow != nil:
		for _, id := range c.narrow[:n] {
			uses[id]++
		}
	case c.wide == nil && c.ids == nil:
		uses[0] = n
	default:
		for i := range n {
			uses[c.id(i)]++
		}
	}
	return uses
}

func (c *pageColumn) value(i int) string { return c.dict.at(int(c.id(i))) }

func (d *decoder) dictionary(column int) texts {
	t := texts{ends: make([]uint32, d.count(1))}
	total := uint64(0)
	for i := range t.ends {
		n := d.uvarint()
		d.bad = d.bad || n > math.MaxUint32 || column == colFacts && n != 3
		total += n
		t.ends[i] = uint32(total)
	}
	d.bad = d.bad || total > math.MaxUint32
	t.all = alias(d.bytes(total))
	return t
}

// decodeShared reads n places in a shared dictionary; b becomes the column's.
func (c *pageColumn) decodeShared(b []byte, n int) bool {
	size := c.dict.len()
	if size <= 256 {
		c.narrow = b
		return len(b) == n && (size == 256 || int(slices.Max(b)) < size)
	}
	c.wide = b
	if len(b) != 2*n {
		return false
	}
	highest := uint16(0)
	for ; len(b) > 0; b = b[2:] {
		highest = max(highest, binary.LittleEndian.Uint16(b))
	}
	return int(highest) < size
}

// decodePaged reads a page's own dictionary and n places in it.
func (c *pageColumn) decodePaged(b []byte, n, column int) bool {
	d := decoder{b: b}
	c.dict = d.dictionary(column)
	size := c.dict.len()
	switch {
	case size <= 1<<8:
		c.narrow = make([]byte, n)
	case size <= 1<<16:
		c.wide = make([]byte, 2*n)
	default:
		c.ids = make([]uint32, n)
	}
	next := 0
	for i := range n {
		back := d.uvarint()
		if back > uint64(next) || next-int(back) >= size {
			return false
		}
		id := next - int(back)
		switch {
		case c.narrow != nil:
			c.narrow[i] = byte(id)
		case c.wide != nil:
			binary.LittleEndian.PutUint16(c.wide[2*i:], uint16(id))
		default:
			c.ids[i] = uint32(id)
		}
		if back == 0 {
			next++
		}
	}
	return !d.bad && len(d.b) == 0 && next == size
}
