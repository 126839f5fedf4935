package badger

import (
	"encoding/binary"
	"slices"

	"github.com/spandrel/spandrel"
)

// segmentBuilder turns spans into a segment. The spans of a trace must be
// added one after another; texts of spans and tags must live until finish.
type segmentBuilder struct {
	foot    footer
	out     []byte
	trace   spandrel.TraceID
	counts  []uint32 // rows of each trace
	traces  []byte   // ids of the traces
	inTrace int      // rows of the current trace in the current page

	// the current page
	ids       []spandrel.SpanID
	parents   []byte
	starts    []int64
	durations []int64
	events    []int64 // times, from the starts of their spans
	span      timeRange
	raw       []byte // scratch

	operations map[uint64]int // places in facts by ids of service and name
	facts      []operationFacts

	columns []*columnBuilder
	tags    map[tagColumn]int // place in columns
	shapes  shapeNode
	local   lastEndpoint
	remote  lastEndpoint
	scratch []byte
}

type tagColumn struct {
	key  string
	kind spandrel.ValueKind
}

// shapeNode is a node of the trie of tag key lists: most spans walk a path
// that was walked before, without any hashing.
type shapeNode struct {
	tagColumn
	number int // as in rowTag
	column int
	shape  string // the value of colShape that ends here, "" = none did
	next   []*shapeNode
}

// lastEndpoint remembers an endpoint's bytes.
type lastEndpoint struct {
	endpoint spandrel.Endpoint
	value    string
}

// maxParentDistance is how far back, in rows, a parent is looked for.
const maxParentDistance = 64

func newSegmentBuilder() *segmentBuilder {
	b := &segmentBuilder{out: []byte(segmentMagic), tags: make(map[tagColumn]int), operations: make(map[uint64]int)}
	b.foot.span, b.foot.duration, b.span = noTime, noTime, noTime
	for range fixedColumns {
		b.columns = append(b.columns, newColumnBuilder("", 0))
	}
	return b
}

func (b *segmentBuilder) rows() int { return b.foot.rows }

// add appends a row and returns its number. The span comes without tags, which
// are in tags as appendRowTags wrote them, and leaves with those alone that tell
// whether it failed.
func (b *segmentBuilder) add(s *spandrel.Span, tags decoder) int {
	if b.foot.rows > 0 && b.foot.rows%pageRows == 0 {
		b.cutPage()
	}
	if s.TraceID != b.trace || b.foot.rows == 0 {
		b.trace = s.TraceID
		b.traces = binary.BigEndian.AppendUint64(b.traces, s.TraceID.High)
		b.traces = binary.BigEndian.AppendUint64(b.traces, s.TraceID.Low)
		b.counts = append(b.counts, 0)
		b.inTrace = 0
	}
	b.counts[len(b.counts)-1]++
	b.addNumbers(s)
	b.addColumns(s, tags)
	b.inTrace++
	b.foot.rows++
	b.foot.span.add(s.Start)
	b.span.add(s.Start)
	b.foot.duration.add(s.Duration)
	return b.foot.rows - 1
}

func (b *segmentBuilder) addNumbers(s *spandrel.Span) {
	b.parents = b.appendParent(b.parents, s.ParentID)
	b.ids = append(b.ids, s.ID)
	b.starts = append(b.starts, s.Start)
	b.durations = append(b.durations, s.Duration)
	for i := range s.Events {
		b.events = append(b.events, s.Events[i].Time-s.Start)
	}
}

// appendParent appends 0 for none, 1 and the id, or 1 + the distance to a row
// before in the same page and trace that has the id.
func (b *segmentBuilder) appendParent(to []byte, parent spandrel.SpanID) []byte {
	if parent == 0 {
		return append(to, 0)
	}
	n := len(b.ids)
	for d := 1; d <= min(b.inTrace, maxParentDistance); d++ {
		if b.ids[n-d] == parent {
			return append(to, byte(1+d))
		}
	}
	return binary.BigEndian.AppendUint64(append(to, 1), uint64(parent))
}

func (b *segmentBuilder) addColumns(s *spandrel.Span, tags decoder) {
	page := b.foot.rows / pageRows
	facts := [3]byte{byte(s.Kind), byte(s.Flags), byte(s.Status)}
	b.columns[colFacts].addBytes(page, facts[:])
	b.columns[colService].add(page, s.Local.Service)
	b.columns[colName].add(page, s.Name)
	op := b.addOperation(s)
	b.columns[colFacts].pair(op)
	b.columns[colLocal].addOf(op, page, b.local.bytesOf(&s.Local))
	b.columns[colRemoteService].addOf(op, page, s.Remote.Service)
	b.columns[colRemote].addOf(op, page, b.remote.bytesOf(&s.Remote))
	b.scratch = b.scratch[:0]
	if len(s.Resource) > 0 {
		b.scratch = appendTags(b.scratch, s.Resource)
	}
	b.columns[colResource].addBytes(page, b.scratch)
	b.scratch = b.scratch[:0]
	if mask := maskOf(s) &^ (hasEvents - 1) &^ hasResource; mask != 0 {
		b.scratch = appendRare(binary.LittleEndian.AppendUint16(b.scratch, mask), s, mask, false)
	}
	b.columns[colRest].addBytes(page, b.scratch)
	b.columns[colResource].pair(op)
	b.columns[colRest].pair(op)
	b.columns[colShape].add(page, b.addTags(page, op, s, tags))
	b.noteFailure(op, s)
}

// addTags adds the tags to their columns and returns the shape: the columns'
// numbers in order, counted from the first tag column, as uvarints.
func (b *segmentBuilder) addTags(page, op int, s *spandrel.Span, tags decoder) string {
	node := &b.shapes
	left := tags
	for range left.tagCount() {
		t := left.rowTag()
		node = node.step(&t, b)
		b.columns[node.column].addOf(op, page, t.value)
		if t.isError() {
			s.Tags = append(s.Tags, spandrel.Tag{Key: t.key, Value: spandrel.RawValue(t.kind, t.value)})
		}
	}
	if node.shape == "" && node != &b.shapes {
		var shape []byte
		for range tags.tagCount() {
			t := tags.rowTag()
			shape = binary.AppendUvarint(shape, uint64(b.tags[t.tagColumn]-fixedColumns))
		}
		node.shape = string(shape)
	}
	return node.shape
}

func (n *shapeNode) step(t *rowTag, b *segmentBuilder) *shapeNode {
	for i, next := range n.next {
		if next.number == t.number && (t.number >= 0 || next.tagColumn == t.tagColumn) {
			if i > 0 { // the likely ones go first
				n.next[i], n.next[i-1] = n.next[i-1], n.next[i]
			}
			return next
		}
	}
	at, ok := b.tags[t.tagColumn]
	if !ok {
		at = len(b.columns)
		b.tags[t.tagColumn] = at
		b.columns = append(b.columns, newColumnBuilder(t.key, t.kind))
	}
	next := &shapeNode{tagColumn: t.tagColumn, number: t.number, column: at}
	n.next = append(n.next, next)
	return next
}

func (l *lastEndpoint) bytesOf(e *spandrel.Endpoint) string {
	if l.value == "" || l.endpoint.IPv4 != e.IPv4 || l.endpoint.IPv6 != e.IPv6 || l.endpoint.Port != e.Port {
		l.endpoint, l.value = *e, string(appendAddress(nil, e))
	}
	return l.value
}

// cutPage ends the current page of the numbers.
func (b *segmentBuilder) cutPage() {
	f := &b.foot
	b.raw = b.raw[:0]
	for _, id := range b.ids {
		b.raw = binary.BigEndian.AppendUint64(b.raw, uint64(id))
	}
	f.ids = append(f.ids, b.page(b.raw))
	f.parents = append(f.parents, b.page(b.parents))
	f.starts = append(f.starts, b.page(appendStarts(b.raw[:0], b.starts)))
	f.durations = append(f.durations, b.page(appendDurations(b.raw[:0], b.durations)))
	f.eventTimes = append(f.eventTimes, b.page(appendEventTimes(b.raw[:0], b.events)))
	f.spans, f.longest = append(f.spans, b.span), append(f.longest, slices.Max(b.durations))
	b.ids, b.parents, b.starts, b.durations, b.events = b.ids[:0], b.parents[:0], b.starts[:0], b.durations[:0], b.events[:0]
	b.inTrace, b.span = 0, noTime
}

func (b *segmentBuilder) page(raw []byte) (ref pageRef) {
	b.out, ref = appendPage(b.out, raw)
	return ref
}

// appendStarts appends the unit in ns, then each start as the difference from
// the one before, in units.
func appendStarts(b []byte, starts []int64) []byte {
	unit := unitOf(starts)
	b = binary.AppendUvarint(b, uint64(unit))
	var before int64
	for _, t := range starts {
		b = binary.AppendVarint(b, t/unit-before)
		before = t / unit
	}
	return b
}

// appendDurations appends the unit in ns, then each duration in units.
func appendDurations(b []byte, durations []int64) []byte {
	unit := unitOf(durations)
	b = binary.AppendUvarint(b, uint64(unit))
	for _, d := range durations {
		b = binary.AppendUvarint(b, uint64(d/unit))
	}
	return b
}

// appendEventTimes appends the unit in ns, then each time in units.
func appendEventTimes(b []byte, times []int64) []byte {
	if len(times) == 0 {
		return b
	}
	unit := unitOf(times)
	b = binary.AppendUvarint(b, uint64(unit))
	for _, t := range times {
		b = binary.AppendVarint(b, t/unit)
	}
	return b
}

// unitOf is 1000 if all values are whole microseconds, as most senders' are.
func unitOf(values []int64) int64 {
	for _, v := range values {
		if v%1000 != 0 {
			return 1
		}
	}
	return 1000
}

// finish returns the segment and what it covers.
func (b *segmentBuilder) finish() ([]byte, timeRange, error) {
	f := &b.foot
	b.cutPage()
	f.traces = len(b.counts)
	table := b.traces
	for _, n := range b.counts {
		table = binary.AppendUvarint(table, uint64(n))
	}
	f.traceTable = b.page(table)
	var terms []uint64
	for i, c := range b.columns {
		f.columns = append(f.columns, c.finish(b))
		for _, value := range c.values {
			eachTerm(i, c.key, c.kind, value, func(t term) { terms = append(terms, t.hash()) })
		}
	}
	services, operations := b.owners()
	filter, err := newFuse(b.pairTerms(terms, services, operations))
	if err != nil {
		return nil, timeRange{}, err
	}
	b.out, f.terms = appendStored(b.out, appendFuse(nil, filter)) // searches read both where they are
	b.out, f.longestOf = appendStored(b.out, b.longest(services, operations))
	return appendFooter(b.out, f), f.span, nil
}
