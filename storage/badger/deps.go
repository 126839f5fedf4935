package badger

import (
	"cmp"
	"context"
	"encoding/binary"
	"math"
	"slices"
	"strings"
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
// minute by minute when they were made; traces in heads are worked out now.
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

// addHeadMinutes adds what the traces in the heads add to what is stored.
func (s *Store) addHeadMinutes(ctx context.Context, sums map[callKey]callCount, names *nameTable, v *view, first, last int64) error {
	heads := v.headViews()
	delta := make(map[callKey]callCount)
	var rs readers
	defer rs.forget()
	var fresh []spandrel.Span // reused
	for i := range heads {
		for _, t := range heads[i].traces() {
			if err := ctx.Err(); err != nil {
				return err
			}
			if slices.ContainsFunc(heads[:i], func(h headView) bool { return h.trace(t.id) != nil }) {
				continue // done with an earlier head
			}
			fresh = heads[i].appendSpans(fresh[:0], t.rows)
			for k := i + 1; k < len(heads); k++ {
				fresh = heads[k].appendSpans(fresh, heads[k].trace(t.id))
			}
			addCallDelta(delta, s.viewSpans(v, &rs, t.id), fresh, names.id)
		}
	}
	for k, n := range delta {
		if k.minute >= first && k.minute <= last {
			sum := callKey{0, k.parent, k.child}
			sums[sum] = sums[sum].plus(n)
		}
	}
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
