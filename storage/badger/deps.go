package badger

import (
	"cmp"
	"context"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/spandrel/spandrel"
)

// callKey is a pair of services, numbered, in a minute since the epoch.
type callKey struct {
	minute        int64
	parent, child uint32
}

// callCount may be negative: it is a difference.
type callCount struct{ calls, errors int64 }

func (c callCount) plus(o callCount) callCount {
	return callCount{c.calls + o.calls, c.errors + o.errors}
}

func cloneText(s string) string { return strings.Clone(s) }

// addCallDelta adds the calls that the trace has with fresh spans and without
// them has not, and subtracts those that it had only without.
func addCallDelta(to map[callKey]callCount, stored, fresh []spandrel.Span, id func(name string) uint32) {
	all := fresh
	if len(stored) > 0 {
		all = slices.Concat(stored, fresh)
		addCalls(to, spandrel.Calls(stored), -1, id)
	}
	addCalls(to, spandrel.Calls(all), 1, id)
}

func addCalls(to map[callKey]callCount, calls []spandrel.Call, sign int64, id func(name string) uint32) {
	for i := range calls {
		c := &calls[i]
		k := callKey{minuteOf(c.Start), id(c.Parent), id(c.Child)}
		n := callCount{calls: sign}
		if c.Error {
			n.errors = sign
		}
		if sum := to[k].plus(n); sum == (callCount{}) {
			delete(to, k)
		} else {
			to[k] = sum
		}
	}
}

// minuteOf rounds ns since the epoch down to minutes.
func minuteOf(ns int64) int64 {
	m := ns / int64(time.Minute)
	if ns%int64(time.Minute) < 0 {
		m--
	}
	return m
}

// Dependencies implements storage.Reader. What segments say was summed up
// minute by minute when they were made; what heads add is worked out now, once.
func (s *Store) Dependencies(ctx context.Context, from, to time.Time) ([]spandrel.Dependency, error) {
	v, err := s.acquire()
	if err != nil {
		return nil, err
	}
	defer v.release()
	first, last := minuteRange(from, to)
	names, sums := nameTable{}, make(map[callKey]callCount)
	for _, p := range v.parts {
		if err := s.addStoredMinutes(sums, &names, p, first, last); err != nil {
			return nil, err
		}
	}
	if err := s.addHeadMinutes(ctx, sums, &names, v, first, last); err != nil {
		return nil, err
	}
	return listDependencies(sums, names.names), nil
}

// minuteRange is the first and the last minute of a range of times whose end
// is rounded up.
func minuteRange(from, to time.Time) (first, last int64) {
	last = minuteOf(unixNano(to))
	if last*int64(time.Minute) == unixNano(to) {
		last--
	}
	return minuteOf(unixNano(from)), last
}

// unixNano is t.UnixNano, but far times do not wrap around.
func unixNano(t time.Time) int64 {
	switch {
	case t.Year() < 1678:
		return math.MinInt64
	case t.Year() > 2261:
		return math.MaxInt64
	}
	return t.UnixNano()
}

// addStoredMinutes adds the minutes of a partition. The sums are over all
// minutes: their keys' minute is 0.
func (s *Store) addStoredMinutes(sums map[callKey]callCount, names *nameTable, p *snapshot, first, last int64) error {
	own, err := readNames(p.txn)
	if err != nil {
		return err
	}
	number := make([]uint32, len(own))
	for i, name := range own {
		number[i] = names.id(name)
	}
	local := make(map[uint64]*callCount) // by the partition's numbers
	it := p.txn.NewIterator(badger.IteratorOptions{Prefix: []byte{keyMinute}, PrefetchValues: true, PrefetchSize: 100})
	defer it.Close()
	for it.Seek(minuteKey(first)); it.Valid(); it.Next() {
		minute := int64(binary.BigEndian.Uint64(it.Item().Key()[1:]) ^ 1<<63)
		if minute > last {
			break
		}
		err := it.Item().Value(func(b []byte) error {
			return eachCall(b, minute, func(k callKey, n callCount) {
				pair := uint64(k.parent)<<32 | uint64(k.child)
				sum := local[pair]
				if sum == nil {
					sum = new(callCount)
					local[pair] = sum
				}
				sum.calls, sum.errors = sum.calls+n.calls, sum.errors+n.errors
			})
		})
		if err != nil {
			s.corrupt(p.p.dir, err)
		}
	}
	for pair, n := range local {
		parent, child := pair>>32, pair&0xffffffff
		if parent < uint64(len(number)) && child < uint64(len(number)) {
			k := callKey{0, number[parent], number[child]}
			sums[k] = sums[k].plus(*n)
		}
	}
	return nil
}

// headCalls is what a head's spans add to the calls of all spans before them,
// as far as it has been asked for. Spans before them are those of earlier heads
// and of segments, where a flush moves the former without changing what they
// are: so it stays true until a partition is dropped.
type headCalls struct {
	mu    sync.Mutex // guards all below
	done  int        // how many of the head's rows are counted
	sums  map[callKey]callCount
	names nameTable    // of sums
	parts []*partition // that the spans before them were in
}

// addHeadMinutes adds what the traces in the heads add to what is stored. Only
// rows that came after the last question are looked at.
func (s *Store) addHeadMinutes(ctx context.Context, sums map[callKey]callCount, names *nameTable, v *view, first, last int64) error {
	heads := v.headViews()
	rs := readers{cache: &s.segments}
	defer rs.forget()
	for i := range heads {
		if err := s.addHead(ctx, sums, names, &rs, v, heads[:i+1], first, last); err != nil {
			return err
		}
	}
	return nil
}

// addHead is addHeadMinutes for the last of heads.
func (s *Store) addHead(ctx context.Context, sums map[callKey]callCount, names *nameTable, rs *readers, v *view, heads []headView, first, last int64) error {
	c := &heads[len(heads)-1].head.calls
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgetDropped(v.parts)
	if err := s.countCalls(ctx, c, rs, v, heads); err != nil {
		return err
	}
	for k, n := range c.sums {
		if k.minute >= first && k.minute <= last {
			sum := callKey{0, names.id(c.names.names[k.parent]), names.id(c.names.names[k.child])}
			sums[sum] = sums[sum].plus(n)
		}
	}
	return nil
}

// forgetDropped begins anew if a partition that counted has been dropped.
func (c *headCalls) forgetDropped(parts []*snapshot) {
	for _, p := range c.parts {
		if !slices.ContainsFunc(parts, func(o *snapshot) bool { return o.p == p }) {
			c.done, c.sums, c.names = 0, nil, nameTable{}
			break
		}
	}
	c.parts = c.parts[:0]
	for _, p := range parts {
		c.parts = append(c.parts, p.p)
	}
}

// countCalls counts the rows of the last of heads that are not counted yet, all
// or none of them.
func (s *Store) countCalls(ctx context.Context, c *headCalls, rs *readers, v *view, heads []headView) error {
	earlier, h := heads[:len(heads)-1], &heads[len(heads)-1]
	if len(h.rows) <= c.done {
		return nil
	}
	isNewest := make([]bool, len(h.rows)) // of its trace
	for i := c.done; i < len(h.rows); i++ {
		isNewest[i] = true
		if p := h.meta[i].previous; p >= 0 {
			isNewest[p] = false
		}
	}
	delta := make(map[callKey]callCount)
	var rows []int32 // reused, as is
	var fresh []spandrel.Span
	for i := c.done; i < len(h.rows); i++ {
		if !isNewest[i] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rows = rows[:0]
		at := int32(i)
		for ; int(at) >= c.done; at = h.meta[at].previous {
			rows = append(rows, at)
		}
		fresh = h.appendSpans(fresh[:0], rows)
		before := s.viewSpans(v, rs, h.rows[i].traceID())
		for k := range earlier {
			before = append(before, earlier[k].spans(earlier[k].trace(h.rows[i].traceID()))...)
		}
		for ; at >= 0; at = h.meta[at].previous {
			before = h.appendSpans(before, []int32{at})
		}
		addCallDelta(delta, before, fresh, c.names.id)
	}
	if c.sums == nil {
		c.sums = make(map[callKey]callCount)
	}
	for k, n := range delta {
		c.sums[k] = c.sums[k].plus(n)
	}
	c.done = len(h.rows)
	return nil
}

// viewSpans reads a trace's spans from the view's segments.
func (s *Store) viewSpans(v *view, rs *readers, id spandrel.TraceID) (spans []spandrel.Span) {
	for _, p := range v.parts {
		if !p.mayHave(id) {
			continue
		}
		refs, _, err := traceRefs(p.txn, id)
		if err != nil {
			s.corrupt(p.p.dir, err)
		}
		spans = rs.spans(s, p.p, p.txn, id, refs, spans)
	}
	return spans
}

func listDependencies(sums map[callKey]callCount, names []string) []spandrel.Dependency {
	list := []spandrel.Dependency{}
	for k, n := range sums {
		// Below 0 when a trace lost its older spans to retention.
		if n.calls > 0 {
			list = append(list, spandrel.Dependency{
				Parent: names[k.parent], Child: names[k.child],
				Calls: uint64(n.calls), Errors: uint64(min(max(n.errors, 0), n.calls)),
			})
		}
	}
	slices.SortFunc(list, func(a, b spandrel.Dependency) int {
		return cmp.Or(cmp.Compare(a.Parent, b.Parent), cmp.Compare(a.Child, b.Child))
	})
	return list
}
