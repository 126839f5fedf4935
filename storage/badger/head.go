package badger

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/spandrel/spandrel"
)

// head holds the newest spans in memory, as rows, until they are flushed. It
// takes rows while it is the active one; frozen, it never changes again. Rows,
// meta and ops are append-only, so a headView needs no lock.
type head struct {
	born  time.Duration // by Options.elapsed
	calls headCalls     // between services, that its spans show

	mu      sync.RWMutex // guards all below while the head is active
	rows    []row
	meta    []rowMeta
	ops     []opKey
	last    map[spandrel.TraceID]int32 // a trace's newest row
	seen    map[uint64]int32           // a row by its hash
	opIDs   map[opKey]uint32
	bytes   int64
	lastLSN uint64      // of the newest record whose rows are here
	times   []timeRange // of each chunk of chunkRows rows
}

// chunkRows is how many rows of a head are searched at once.
const chunkRows = 1024

// rowMeta is what searches and lookups need of a row without decoding it.
type rowMeta struct {
	start, duration int64
	op              uint32 // index in ops
	previous        int32  // row of the same trace, -1 = none
}

// opKey is a service's operation, by the name under which it is listed.
type opKey struct {
	service, name string
	kind          spandrel.Kind
}

// timeRange is a range of span starts, inclusive; empty while min > max.
type timeRange struct{ min, max int64 }

var noTime = timeRange{math.MaxInt64, math.MinInt64}

func (r *timeRange) add(t int64) { r.min, r.max = min(r.min, t), max(r.max, t) }

// newHead makes a head for as many rows and traces as the one before had.
func newHead(now time.Duration, before *head) *head {
	rows, traces := 0, 0
	if before != nil {
		rows, traces = len(before.rows), len(before.last)
	}
	return &head{
		born: now,
		rows: make([]row, 0, rows), meta: make([]rowMeta, 0, rows), seen: make(map[uint64]int32, rows),
		last: make(map[spandrel.TraceID]int32, traces), opIDs: make(map[opKey]uint32),
	}
}

// insert adds the rows of a commit group, which the head keeps, but for those
// it already has. It returns how many it added and the operations that are
// new to it. Malformed rows end it with an error; those before them are in.
func (h *head) insert(lsn uint64, b []byte) (added int, fresh []opKey, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := len(h.ops)
	h.lastLSN = lsn
	for len(b) > 0 {
		var r row
		if r, b, err = nextRow(b); err != nil {
			return added, h.ops[known:], err
		}
		ok, err := h.insertRow(r)
		if err != nil {
			return added, h.ops[known:], err
		}
		if ok {
			added++
		}
	}
	return added, h.ops[known:], nil
}

func (h *head) insertRow(r row) (added bool, err error) {
	hash := r.hash()
	if at, ok := h.seen[hash]; ok && h.rows[at].equal(r) {
		return false, nil
	}
	duration, name, service, ok := r.summary()
	if !ok {
		return false, errRow
	}
	if service == "" {
		service = spandrel.MissingService
	}
	at := int32(len(h.rows))
	h.seen[hash] = at
	id := r.traceID()
	previous, ok := h.last[id]
	if !ok {
		previous = -1
	}
	h.last[id] = at
	h.rows = append(h.rows, r)
	h.meta = append(h.meta, rowMeta{r.start(), duration, h.opID(opKey{service, name, r.kind()}), previous})
	h.bytes += int64(len(r)) + 128 // the row and its share of the maps and slices
	if at%chunkRows == 0 {
		h.times = append(h.times, noTime)
	}
	h.times[len(h.times)-1].add(r.start())
	return true, nil
}

func (h *head) opID(k opKey) uint32 {
	id, ok := h.opIDs[k]
	if !ok {
		id = uint32(len(h.ops))
		h.ops = append(h.ops, k)
		h.opIDs[k] = id
	}
	return id
}

// headView is a head as it was at some instant.
type headView struct {
	head  *head
	rows  []row
	meta  []rowMeta
	ops   []opKey
	times []timeRange
}

func (h *head) view() headView {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return headView{h, h.rows, h.meta, h.ops, slices.Clone(h.times)}
}

// span is the range of the view's starts.
func (v *headView) span() timeRange {
	all := noTime
	for _, t := range v.times {
		all = timeRange{min(all.min, t.min), max(all.max, t.max)}
	}
	return all
}

func (h *head) size() (rows int, bytes int64) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.rows), h.bytes
}

// trace lists the view's rows of a trace, newest arrival first.
func (v *headView) trace(id spandrel.TraceID) []int32 {
	v.head.mu.RLock()
	at, ok := v.head.last[id]
	all := v.head.meta
	v.head.mu.RUnlock()
	if !ok {
		return nil
	}
	var rows []int32
	for ; at >= 0; at = all[at].previous {
		if int(at) < len(v.rows) {
			rows = append(rows, at)
		}
	}
	return rows
}

// appendSpans decodes rows into the memory beyond the end of into, which holds
// spans of earlier calls that are no longer needed.
func (v *headView) appendSpans(into []spandrel.Span, rows []int32) []spandrel.Span {
	for _, at := range rows {
		into = oneMore(into)
		_ = v.rows[at].decode(&into[len(into)-1])
	}
	return into
}

// oneMore makes spans one longer; what the new one has of earlier use is kept.
func oneMore(spans []spandrel.Span) []spandrel.Span {
	if len(spans) < cap(spans) {
		return spans[:len(spans)+1]
	}
	return append(spans, spandrel.Span{})
}

// outlines is appendSpans, but the spans have no tags: they are left to read in
// tags, for each span.
func (v *headView) outlines(into []spandrel.Span, tags []decoder, rows []int32) ([]spandrel.Span, []decoder) {
	for _, at := range rows {
		into = oneMore(into)
		d, _ := v.rows[at].outline(&into[len(into)-1])
		tags = append(tags, d)
	}
	return into, tags
}

// spans decodes rows. Rows were checked when they came, so none is malformed.
func (v *headView) spans(rows []int32) []spandrel.Span {
	spans := make([]spandrel.Span, len(rows))
	for i, at := range rows {
		_ = v.rows[at].decode(&spans[i])
	}
	return spans
}

// headTrace is one trace in a head.
type headTrace struct {
	id   spandrel.TraceID
	rows []int32 // by start
}

// traces lists the view's traces by their first start.
func (v *headView) traces() []headTrace {
	first := make([]int32, 0, len(v.rows)/4) // newest row of each trace
	isNewest := make([]bool, len(v.rows))
	for i := range isNewest {
		isNewest[i] = true
	}
	for i := range v.meta {
		if p := v.meta[i].previous; p >= 0 {
			isNewest[p] = false
		}
	}
	for i, newest := range isNewest {
		if newest {
			first = append(first, int32(i))
		}
	}
	all := make([]int32, 0, len(v.rows)) // one array for the lists of all traces
	traces := make([]headTrace, len(first))
	for i, at := range first {
		from := len(all)
		for ; at >= 0; at = v.meta[at].previous {
			all = append(all, at)
		}
		rows := all[from:len(all):len(all)]
		slices.Reverse(rows)
		slices.SortStableFunc(rows, func(a, b int32) int { return cmp.Compare(v.meta[a].start, v.meta[b].start) })
		traces[i] = headTrace{v.rows[rows[0]].traceID(), rows}
	}
	slices.SortFunc(traces, func(a, b headTrace) int {
		return cmp.Or(cmp.Compare(v.meta[a.rows[0]].start, v.meta[b.rows[0]].start), a.id.Compare(b.id))
	})
	return traces
}
