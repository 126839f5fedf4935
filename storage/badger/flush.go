package badger

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

const (
	// maxFlushTraces and maxFlushRows bound one transaction; a head rarely
	// needs more than one.
	maxFlushTraces = 10_000
	maxFlushRows   = 50_000

	// outlier is how far from now spans start that go to a segment of their
	// own, so that one wrong clock does not widen all segments.
	outlier = time.Hour
)

// flushHead moves a head to segments of the open partition. It can be tried
// again after an error: spans that are stored already are not stored twice.
func (s *Store) flushHead(h *head) error {
	began := s.o.Now()
	p, err := s.partitionForFlush(began)
	if err != nil {
		return err
	}
	v := h.view()
	todo := v.traces()
	for first := true; first || len(todo) > 0; first = false {
		n, rows := 0, 0
		for n < len(todo) && n < maxFlushTraces && (n == 0 || rows+len(todo[n].rows) <= maxFlushRows) {
			rows += len(todo[n].rows)
			n++
		}
		f := &flush{
			store: s, p: p, view: &v, now: began, minutes: make(map[callKey]callCount),
			outliner: outliner{o: storage.Outline{Tags: []string{errorTerm.key}}}, others: make(map[*partition]*badger.Txn),
		}
		if n == len(todo) {
			f.applied = h.lastLSN
		}
		if err := f.run(todo[:n]); err != nil {
			return err
		}
		todo = todo[n:]
	}
	s.publish(func(parts []*snapshot, heads []*head) ([]*snapshot, []*head) {
		heads = slices.DeleteFunc(heads, func(o *head) bool { return o == h })
		return replaceSnapshot(parts, p.snapshot()), heads
	})
	s.catalog.drop(h)
	s.applied.Store(h.lastLSN)
	s.m.flushed(s.o.Now().Sub(began))
	return nil
}

// flush is one transaction that stores some traces of a head.
type flush struct {
	store   *Store
	p       *partition
	view    *headView
	now     time.Time
	applied uint64 // 0 = more of the head is to come

	txn      *badger.Txn
	builders [2]*segmentBuilder // normal, outliers
	segments [2]uint32          // their ids
	readers  readers
	outliner outliner
	others   map[*partition]*badger.Txn // of the other partitions, as far as they were asked
	minutes  map[callKey]callCount

	spans  []spandrel.Span // these are reused
	tags   []decoder
	ids    []spandrel.SpanID
	places []place
}

func (f *flush) run(traces []headTrace) error {
	f.txn = f.p.db.NewTransaction(true)
	defer f.txn.Discard()
	defer func() {
		f.readers.forget() // while its transactions last
		for _, txn := range f.others {
			txn.Discard()
		}
	}()
	next := uint32(0)
	if n := len(f.p.segments); n > 0 {
		next = f.p.segments[n-1].id + 1
	}
	for i := range f.builders {
		f.builders[i], f.segments[i] = newSegmentBuilder(), next+uint32(i)
	}
	for _, t := range traces {
		if err := f.addTrace(t); err != nil {
			return err
		}
	}
	infos, ops, err := f.setSegments()
	if err != nil {
		return err
	}
	if err := f.setMinutes(); err != nil {
		return err
	}
	if err := f.p.reserve(infos, len(traces)); err != nil {
		return err
	}
	applied := max(f.applied, f.p.applied)
	if err := f.txn.Set([]byte{keyMeta}, appendMeta(applied, f.now)); err != nil {
		return err
	}
	if err := f.p.commit(f.txn); err != nil {
		return fmt.Errorf("committing a segment: %w", err)
	}
	f.p.forget(infos)
	f.p.segments = append(f.p.segments, infos...)
	f.p.applied, f.p.newest, f.p.newestAt = applied, f.now, f.store.o.elapsed()
	f.store.catalog.add(f.p, ops)
	return nil
}

// setSegments puts the segments that have rows into the transaction.
func (f *flush) setSegments() (infos []segmentInfo, fresh []opKey, err error) {
	for i, b := range f.builders {
		if b.rows() == 0 {
			continue
		}
		seg, span, err := b.finish()
		if err != nil {
			return nil, nil, err
		}
		info := segmentInfo{f.segments[i], span, b.foot.rows, b.foot.traces, int64(len(seg)), new(segmentFilter)}
		ops := f.store.catalog.unknown(f.p, b.listed())
		if err := f.txn.Set(segmentKey(keySegment, info.id), seg); err != nil {
			return nil, nil, err
		}
		if err := f.txn.Set(segmentKey(keyRegistry, info.id), appendRegistry(info, ops)); err != nil {
			return nil, nil, err
		}
		infos, fresh = append(infos, info), append(fresh, ops...)
	}
	for i := range fresh {
		fresh[i].service, fresh[i].name = cloneText(fresh[i].service), cloneText(fresh[i].name)
	}
	return infos, fresh, nil
}

// setMinutes adds the calls to what the partition has of their minutes.
func (f *flush) setMinutes() error {
	byMinute := make(map[int64]map[callKey]callCount)
	for k, n := range f.minutes {
		if byMinute[k.minute] == nil {
			byMinute[k.minute] = make(map[callKey]callCount)
		}
		byMinute[k.minute][k] = n
	}
	for minute, calls := range byMinute {
		b, err := get(f.txn, minuteKey(minute))
		if err != nil {
			return err
		}
		if err := eachCall(b, minute, func(k callKey, n callCount) { calls[k] = calls[k].plus(n) }); err != nil {
			f.store.corrupt(f.p.dir, err)
		}
		if err := f.txn.Set(minuteKey(minute), appendCalls(nil, calls)); err != nil {
			return err
		}
	}
	if len(byMinute) == 0 {
		return nil
	}
	return f.txn.Set([]byte{keyNames}, appendDictionary(nil, f.p.names.names))
}

// appendCalls appends, for each pair of services: parent, child, calls, errors.
func appendCalls(b []byte, calls map[callKey]callCount) []byte {
	for k, n := range calls {
		b = binary.AppendUvarint(b, uint64(k.parent))
		b = binary.AppendUvarint(b, uint64(k.child))
		b = binary.AppendVarint(b, n.calls)
		b = binary.AppendVarint(b, n.errors)
	}
	return b
}

// eachCall reads what appendCalls wrote.
func eachCall(b []byte, minute int64, yield func(callKey, callCount)) error {
	d := decoder{b: b}
	for len(d.b) > 0 {
		k := callKey{minute, uint32(d.size()), uint32(d.size())}
		n := callCount{d.varint(), d.varint()}
		if d.bad {
			return corruption("minute", errRow)
		}
		yield(k, n)
	}
	return nil
}
