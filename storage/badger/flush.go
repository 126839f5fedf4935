package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/spandrel/spandrel"
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
		f := &flush{store: s, p: p, view: &v, now: began, minutes: make(map[callKey]callCount), others: make(map[*partition]*badger.Txn)}
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
	ids      [2]uint32          // of the segments
	readers  readers
	others   map[*partition]*badger.Txn // of the other partitions, as far as they were asked
	minutes  map[callKey]callCount

	spans  []spandrel.Span // these three are reused
	tags   []decoder
	sorted []spandrel.SpanID
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
		f.builders[i], f.ids[i] = newSegmentBuilder(), next+uint32(i)
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
	if err := f.txn.Commit(); err != nil {
		return fmt.Errorf("committing a segment: %w", err)
	}
	f.p.forget(infos)
	f.p.segments = append(f.p.segments, infos...)
	f.p.applied, f.p.newest, f.p.newestAt = applied, f.now, f.store.o.elapsed()
	f.store.catalog.add(f.p, ops)
	return nil
}

// addTrace adds the spans of a trace that are not stored yet to the segments
// and the calls that they make to the minutes.
func (f *flush) addTrace(t headTrace) error {
	stored, refs, err := f.stored(t.id)
	if err != nil {
		return err
	}
	if len(stored) > 0 {
		t.rows = f.dropStored(t.rows, stored)
	}
	if len(t.rows) == 0 {
		return nil
	}
	f.spans, f.tags = f.view.outlines(f.spans[:0], f.tags[:0], t.rows)
	f.addCalls(t.rows, stored)
	for i, b := range f.builders {
		ref := rowsRef{segment: f.ids[i]}
		for k := range f.spans {
			if sp := &f.spans[k]; f.isOutlier(sp) == (i == 1) {
				if row := b.add(sp, f.tags[k]); ref.n == 0 {
					ref.first = row
				}
				ref.n++
			}
		}
		if ref.n > 0 {
			refs = appendRowsRef(refs, ref)
		}
	}
	return f.txn.Set(traceKey(t.id), refs)
}

// addCalls adds what the rows, whose outlines are in f.spans, add to the calls
// of what is stored of their trace. Outlines are enough to tell calls, unless
// spans have one id: then it takes all of them to tell parts from duplicates.
func (f *flush) addCalls(rows []int32, stored []spandrel.Span) {
	fresh := f.spans
	f.sorted = f.sorted[:0]
	for i := range stored {
		f.sorted = append(f.sorted, stored[i].ID)
	}
	for i := range fresh {
		f.sorted = append(f.sorted, fresh[i].ID)
	}
	slices.Sort(f.sorted)
	for i := 1; i < len(f.sorted); i++ {
		if f.sorted[i] == f.sorted[i-1] {
			fresh = f.view.spans(rows)
			break
		}
	}
	addCallDelta(f.minutes, stored, fresh, f.p.names.id)
}

func (f *flush) isOutlier(s *spandrel.Span) bool {
	now := f.now.UnixNano()
	return s.Start < now-int64(outlier) || s.Start > now+int64(outlier)
}

// dropStored removes the rows whose spans are Equal to a stored one.
func (f *flush) dropStored(rows []int32, stored []spandrel.Span) []int32 {
	byID := make(map[spandrel.SpanID][]*spandrel.Span, len(stored))
	for i := range stored {
		id := stored[i].ID
		byID[id] = append(byID[id], &stored[i])
	}
	var s spandrel.Span
	return slices.DeleteFunc(slices.Clone(rows), func(at int32) bool {
		alike := byID[f.view.rows[at].spanID()]
		if len(alike) == 0 {
			return false
		}
		_ = f.view.rows[at].decode(&s)
		return slices.ContainsFunc(alike, s.Equal)
	})
}

// stored reads all spans of a trace from segments, those of a flush before
// this one included, and its index entry in the open partition. Spans that
// cannot be read are left out.
func (f *flush) stored(id spandrel.TraceID) (spans []spandrel.Span, raw []byte, err error) {
	refs, raw, err := traceRefs(f.txn, id)
	if err != nil {
		if !errors.Is(err, errSegment) {
			return nil, nil, err
		}
		f.store.corrupt(f.p.dir, err)
	}
	spans = f.readers.spans(f.store, f.p, f.txn, id, refs, nil)
	for _, p := range f.store.partitions() {
		if p == f.p || p.filter != nil && !p.filter.Contains(hashID(id)) {
			continue
		}
		txn := f.others[p]
		if txn == nil {
			txn = p.db.NewTransaction(false)
			f.others[p] = txn
		}
		if refs, _, err := traceRefs(txn, id); err != nil {
			f.store.corrupt(p.dir, err)
		} else {
			spans = f.readers.spans(f.store, p, txn, id, refs, spans)
		}
	}
	return spans, raw, nil
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
		info := segmentInfo{f.ids[i], span, b.foot.rows, b.foot.traces, int64(len(seg)), new(segmentFilter)}
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
