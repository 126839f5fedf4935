package badger

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"github.com/spandrel/spandrel"
)

// rowVersion is the first byte of every row; FORMAT.md draws the rest. Rows of
// version 1 are read from logs that an older program left.
const (
	rowVersion    = 2
	oldRowVersion = 1
)

// Offsets of a row's fixed part.
const (
	rowStart  = 1  // i64 little-endian
	rowFlags  = 9  // flags, kind, status: a byte each
	rowMask   = 12 // u16 little-endian: which optional parts follow
	rowTrace  = 14 // 16 bytes big-endian
	rowSpanID = 30 // 8 bytes big-endian
	rowFixed  = 38
)

// Bits of the mask, in the order in which the parts follow, but that tags come
// last, where they are skipped or read alone. A part is there if and only if it
// is not empty, so that equal spans are equal bytes.
const (
	hasParent = 1 << iota
	hasDuration
	hasName
	hasLocal
	hasRemote
	hasTags
	hasEvents
	hasLinks
	hasResource
	hasScope
	hasStatusMessage
	hasTraceState
	maskEnd
)

var errRow = errors.New("malformed row")

// row is one span in canonical bytes: spans are Equal if and only if their
// rows are the same, but for the start of those that came without one.
type row []byte

// appendRow appends a row, preceded by its length as u32 little-endian.
func appendRow(b []byte, s *spandrel.Span) []byte {
	at := len(b)
	b = append(b, 0, 0, 0, 0, rowVersion)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.Start))
	b = append(b, byte(s.Flags), byte(s.Kind), byte(s.Status))
	mask := maskOf(s)
	b = binary.LittleEndian.AppendUint16(b, mask)
	b = binary.BigEndian.AppendUint64(b, s.TraceID.High)
	b = binary.BigEndian.AppendUint64(b, s.TraceID.Low)
	b = binary.BigEndian.AppendUint64(b, uint64(s.ID))
	b = appendParts(b, s, mask)
	binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

func maskOf(s *spandrel.Span) uint16 {
	var mask uint16
	for i, has := range [...]bool{
		s.ParentID != 0, s.Duration != 0, s.Name != "", !s.Local.IsZero(), !s.Remote.IsZero(),
		len(s.Tags) > 0, len(s.Events) > 0, len(s.Links) > 0, len(s.Resource) > 0,
		s.Scope.Name != "" || s.Scope.Version != "" || len(s.Scope.Tags) > 0,
		s.StatusMessage != "", s.TraceState != "",
	} {
		if has {
			mask |= 1 << i
		}
	}
	return mask
}

func appendParts(b []byte, s *spandrel.Span, mask uint16) []byte {
	if mask&hasParent != 0 {
		b = binary.BigEndian.AppendUint64(b, uint64(s.ParentID))
	}
	if mask&hasDuration != 0 {
		b = binary.AppendUvarint(b, uint64(s.Duration))
	}
	if mask&hasName != 0 {
		b = appendText(b, s.Name)
	}
	if mask&hasLocal != 0 {
		b = appendAddress(appendText(b, s.Local.Service), &s.Local)
	}
	if mask&hasRemote != 0 {
		b = appendAddress(appendText(b, s.Remote.Service), &s.Remote)
	}
	b = appendRare(b, s, mask, true)
	if mask&hasTags != 0 {
		b = appendRowTags(b, s.Tags)
	}
	return b
}

// appendRare appends the parts that few spans have, events with their times or
// without.
func appendRare(b []byte, s *spandrel.Span, mask uint16, times bool) []byte {
	if mask&hasEvents != 0 {
		b = binary.AppendUvarint(b, uint64(len(s.Events)))
		for i := range s.Events {
			e := &s.Events[i]
			if times {
				b = binary.AppendVarint(b, e.Time)
			}
			b = appendTags(appendText(b, e.Name), e.Fields)
		}
	}
	if mask&hasLinks != 0 {
		b = binary.AppendUvarint(b, uint64(len(s.Links)))
		for i := range s.Links {
			l := &s.Links[i]
			b = binary.BigEndian.AppendUint64(b, l.TraceID.High)
			b = binary.BigEndian.AppendUint64(b, l.TraceID.Low)
			b = binary.BigEndian.AppendUint64(b, uint64(l.ID))
			b = append(b, byte(l.Type))
			b = appendTags(appendText(b, l.TraceState), l.Tags)
		}
	}
	if mask&hasResource != 0 {
		b = appendTags(b, s.Resource)
	}
	if mask&hasScope != 0 {
		b = appendText(appendText(b, s.Scope.Name), s.Scope.Version)
		b = appendTags(b, s.Scope.Tags)
	}
	if mask&hasStatusMessage != 0 {
		b = appendText(b, s.StatusMessage)
	}
	if mask&hasTraceState != 0 {
		b = appendText(b, s.TraceState)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	if len(s) < 0x80 { // most are short
		return append(append(b, byte(len(s))), s...)
	}
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendAddress appends an endpoint without its service.
func appendAddress(b []byte, e *spandrel.Endpoint) []byte {
	b = appendIP(b, e.IPv4)
	b = appendIP(b, e.IPv6)
	return binary.AppendUvarint(b, uint64(e.Port))
}

func appendIP(b []byte, ip netip.Addr) []byte {
	if ip.Zone() == "" {
		b = append(b, byte(ip.BitLen()/8))
		b, _ = ip.AppendBinary(b)
		return b
	}
	text, _ := ip.MarshalBinary()
	return appendText(b, string(text))
}

func appendTags(b []byte, tags []spandrel.Tag) []byte {
	b = binary.AppendUvarint(b, uint64(len(tags)))
	for i := range tags {
		t := &tags[i]
		b = append(appendText(b, t.Key), byte(t.Value.Kind()))
		b = appendText(b, t.Value.Raw())
	}
	return b
}

// nextRow cuts the first row off b.
func nextRow(b []byte) (r row, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, errRow
	}
	n := uint64(binary.LittleEndian.Uint32(b))
	if n < rowFixed || n > uint64(len(b)-4) || b[4] != rowVersion && b[4] != oldRowVersion {
		return nil, nil, errRow
	}
	return b[4 : 4+n : 4+n], b[4+n:], nil
}

func (r row) start() int64          { return int64(binary.LittleEndian.Uint64(r[rowStart:])) }
func (r row) flags() spandrel.Flags { return spandrel.Flags(r[rowFlags]) }
func (r row) kind() spandrel.Kind   { return spandrel.Kind(r[rowFlags+1]) }
func (r row) mask() uint16          { return binary.LittleEndian.Uint16(r[rowMask:]) }
func (r row) noStart() bool         { return r.flags()&spandrel.FlagNoStart != 0 }

func (r row) traceID() spandrel.TraceID {
	return spandrel.TraceID{High: binary.BigEndian.Uint64(r[rowTrace:]), Low: binary.BigEndian.Uint64(r[rowTrace+8:])}
}

func (r row) spanID() spandrel.SpanID {
	return spandrel.SpanID(binary.BigEndian.Uint64(r[rowSpanID:]))
}

// identity is the part of the row that Equal spans share.
func (r row) identity() []byte {
	if r.noStart() {
		return r[rowFlags:]
	}
	return r[rowStart:]
}

func (r row) hash() uint64 { return xxhash.Sum64(r.identity()) }

func (r row) equal(o row) bool { return string(r.identity()) == string(o.identity()) }

// summary reads what a head keeps of each row: duration, name, service.
func (r row) summary() (duration int64, name, service string, ok bool) {
	mask := r.mask()
	d := decoder{b: r[rowFixed:]}
	if mask&hasParent != 0 {
		d.bytes(8)
	}
	if mask&hasDuration != 0 {
		duration = int64(d.uvarint())
	}
	if mask&hasName != 0 {
		name = d.text()
	}
	if mask&hasLocal != 0 {
		service = d.text()
	}
	return duration, name, service, !d.bad
}

// decode fills s, reusing the memory of its slices. Texts point into the row,
// which must never change.
func (r row) decode(s *spandrel.Span) error {
	d, err := r.outline(s)
	if err != nil {
		return err
	}
	if r[0] == rowVersion && r.mask()&hasTags != 0 {
		s.Tags = d.rowTags(s.Tags)
	}
	if d.bad || len(d.b) > 0 {
		return errRow
	}
	return nil
}

// outline is decode without the tags, which are what is left to read.
func (r row) outline(s *spandrel.Span) (decoder, error) {
	if len(r) < rowFixed || r.mask() >= maskEnd {
		return decoder{}, errRow
	}
	reset(s)
	s.TraceID, s.Start, s.Flags, s.Kind = r.traceID(), r.start(), r.flags(), r.kind()
	s.Status = spandrel.Status(r[rowFlags+2])
	s.ID = r.spanID()
	mask := r.mask()
	d := decoder{b: r[rowFixed:]}
	if mask&hasParent != 0 {
		s.ParentID = spandrel.SpanID(d.uint64())
	}
	if mask&hasDuration != 0 {
		s.Duration = int64(d.uvarint())
	}
	if mask&hasName != 0 {
		s.Name = d.text()
	}
	if mask&hasLocal != 0 {
		s.Local.Service = d.text()
		d.address(&s.Local)
	}
	if mask&hasRemote != 0 {
		s.Remote.Service = d.text()
		d.address(&s.Remote)
	}
	if r[0] == oldRowVersion && mask&hasTags != 0 {
		s.Tags = d.tags(s.Tags)
	}
	d.rare(s, mask, true)
	if d.bad {
		return d, errRow
	}
	return d, nil
}

// reset empties s but keeps its slices' memory.
func reset(s *spandrel.Span) {
	*s = spandrel.Span{Tags: s.Tags[:0], Events: s.Events[:0], Links: s.Links[:0], Resource: s.Resource[:0]}
}

// decoder reads the parts of a row; bad sticks once anything was malformed.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) uint8() byte {
	if b := d.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v := d.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (d *decoder) text() string {
	if b := d.b; len(b) > 0 && b[0] < 0x80 && int(b[0]) < len(b) { // most are short
		n := 1 + int(b[0])
		d.b = b[n:]
		return alias(b[1:n])
	}
	return alias(d.bytes(d.uvarint()))
}

// alias is a string on the memory of b, which must never change.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// count reads a number of things that take at least size bytes each.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.b)/size) {
		d.bad, d.b = true, nil
		return 0
	}
	return int(n)
}

func (d *decoder) ip() netip.Addr {
	var ip netip.Addr
	if err := ip.UnmarshalBinary(d.bytes(d.uvarint())); err != nil {
		d.bad = true
	}
	return ip
}

func (d *decoder) address(e *spandrel.Endpoint) {
	e.IPv4, e.IPv6 = d.ip(), d.ip()
	port := d.uvarint()
	e.Port = uint16(port)
	d.bad = d.bad || port > 0xffff
}

// tags appends to into[:0]; with nothing to append it keeps into's memory.
func (d *decoder) tags(into []spandrel.Tag) []spandrel.Tag {
	n := d.count(3)
	into = into[:0]
	if cap(into) < n {
		into = make([]spandrel.Tag, 0, n)
	}
	for range n {
		key := d.text()
		kind := spandrel.ValueKind(d.uint8())
		value := spandrel.RawValue(kind, d.text())
		d.bad = d.bad || value.Kind() != kind
		into = append(into, spandrel.Tag{Key: key, Value: value})
	}
	return into
}

// rare reads what appendRare wrote.
func (d *decoder) rare(s *spandrel.Span, mask uint16, times bool) {
	if mask&hasEvents != 0 {
		for range d.count(2) {
			var at int64
			if times {
				at = d.varint()
			}
			s.Events = append(s.Events, spandrel.Event{Time: at, Name: d.text(), Fields: d.tags(nil)})
		}
	}
	if mask&hasLinks != 0 {
		for range d.count(27) {
			l := spandrel.Link{TraceID: spandrel.TraceID{High: d.uint64(), Low: d.uint64()}}
			l.ID, l.Type = spandrel.SpanID(d.uint64()), spandrel.LinkType(d.uint8())
			l.TraceState = d.text()
			l.Tags = d.tags(nil)
			s.Links = append(s.Links, l)
		}
	}
	if mask&hasResource != 0 {
		s.Resource = d.tags(s.Resource)
	}
	if mask&hasScope != 0 {
		s.Scope.Name, s.Scope.Version = d.text(), d.text()
		s.Scope.Tags = d.tags(nil)
	}
	if mask&hasStatusMessage != 0 {
		s.StatusMessage = d.text()
	}
	if mask&hasTraceState != 0 {
		s.TraceState = d.text()
	}
}
