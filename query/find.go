package query

import (
	"context"
	"slices"
	"sync"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// Find lists the rows of the trace's skeleton whose spans q matches. Spans
// that came in parts are found by any part.
func (s *Service) Find(ctx context.Context, id spandrel.TraceID, q *spandrel.Query) ([]int32, error) {
	order, err := s.rowsOf(ctx, id)
	if err != nil {
		return nil, err
	}
	var rows []int32
	for spans, err := range s.store.Matching(ctx, id, q) {
		if err != nil {
			return nil, err
		}
		for i := range spans {
			if row, ok := order.of(&spans[i]); ok {
				rows = append(rows, row)
			}
		}
	}
	slices.Sort(rows)
	return slices.Compact(rows), nil
}

// rowOrder says in which rows of a skeleton spans are.
type rowOrder struct {
	trace    spandrel.TraceID
	revision uint64
	size     int
	rows     map[spandrel.SpanID]int32 // of those whose id no other row has
	twins    map[spandrel.SpanID][]twin
}

// twin is one of several rows with one span id.
type twin struct {
	row             int32
	kind            spandrel.Kind
	shared          bool
	service         string
	start, duration int64
}

func newRowOrder(b *skeletonBuilder) *rowOrder {
	o := &rowOrder{trace: b.trace.ID, size: len(b.order), rows: make(map[spandrel.SpanID]int32, len(b.order)), twins: make(map[spandrel.SpanID][]twin)}
	add := func(row int32) {
		s := b.trace.Spans[b.order[row]]
		o.twins[s.ID] = append(o.twins[s.ID], twin{row, s.Kind, s.Flags&spandrel.FlagShared != 0, s.Local.Service, s.Start, s.Duration})
	}
	for row, i := range b.order {
		id := b.trace.Spans[i].ID
		switch first, ok := o.rows[id]; {
		case len(o.twins[id]) > 0:
			add(int32(row))
		case ok:
			delete(o.rows, id)
			add(first)
			add(int32(row))
		default:
			o.rows[id] = int32(row)
		}
	}
	return o
}

// of finds a stored span's row: that of its id or, of several, the one that is
// most like it.
func (o *rowOrder) of(s *spandrel.Span) (row int32, ok bool) {
	if row, ok := o.rows[s.ID]; ok {
		return row, true
	}
	best := -1
	for _, t := range o.twins[s.ID] {
		like := 0
		for weight, same := range []bool{t.duration == s.Duration, t.start == s.Start, t.service == s.Local.Service, t.kind == s.Kind, t.shared == (s.Flags&spandrel.FlagShared != 0)} {
			if same {
				like += 1 << weight
			}
		}
		if like > best {
			best, row, ok = like, t.row, true
		}
	}
	return row, ok
}

// Bounds of the row orders that are kept for the next letter that is typed.
const (
	maxOrders    = 4
	maxOrderRows = 2_000_000 // of all together
)

// orders keeps row orders, that used last in front.
type orders struct {
	mu   sync.Mutex
	list []*rowOrder
}

func (c *orders) get(id spandrel.TraceID, revision uint64) *rowOrder {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, o := range c.list {
		if o.trace == id && o.revision == revision {
			c.list = slices.Insert(slices.Delete(c.list, i, i+1), 0, o)
			return o
		}
	}
	return nil
}

func (c *orders) put(o *rowOrder) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = slices.DeleteFunc(c.list, func(old *rowOrder) bool { return old.trace == o.trace })
	c.list = slices.Insert(c.list, 0, o)
	rows := 0
	for i := range c.list {
		if rows += c.list[i].size; i > 0 && (i == maxOrders || rows > maxOrderRows) {
			clear(c.list[i:])
			c.list = c.list[:i]
			return
		}
	}
}

// rowsOf gives the order of a trace's rows as it is now.
func (s *Service) rowsOf(ctx context.Context, id spandrel.TraceID) (*rowOrder, error) {
	revision, err := s.Revision(ctx, id)
	if err != nil {
		return nil, err
	}
	if o := s.orders.get(id, revision); o != nil {
		return o, nil
	}
	trace, revision, err := s.outlined(ctx, id, storage.Outline{Tags: factTags, Rare: true})
	if err != nil {
		return nil, err
	}
	b := &skeletonBuilder{trace: trace}
	b.walk()
	o := newRowOrder(b)
	o.revision = revision
	s.orders.put(o)
	return o, nil
}
