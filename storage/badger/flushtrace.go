package badger

import (
	"errors"
	"math/bits"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/spandrel/spandrel"
)

// addTrace adds the spans of a trace that are not stored yet to the segments
// and the calls that they make to the minutes.
//
// Outlines of spans are enough for both, unless two have one id: then it takes
// all of them to tell parts of a span from duplicates.
func (f *flush) addTrace(t headTrace) error {
	refs, err := f.findStored(t.id)
	if err != nil {
		return err
	}
	stored := f.storedOutlines(t.id)
	f.spans, f.tags = f.view.outlines(f.spans[:0], f.tags[:0], t.rows)
	whole := f.haveSameID(stored)
	if whole && len(stored) > 0 {
		stored = f.storedSpans(t.id)
		if t.rows = f.dropStored(t.rows, stored); len(t.rows) == 0 {
			return nil
		}
		f.spans, f.tags = f.view.outlines(f.spans[:0], f.tags[:0], t.rows)
	}
	refs = f.addRows(refs)
	fresh := f.spans
	if whole {
		fresh = f.view.spans(t.rows)
	}
	addCallDelta(f.minutes, stored, fresh, f.p.names.id)
	return f.txn.Set(traceKey(t.id), refs)
}

// addRows adds the spans in f.spans to the segments and where they are to refs.
func (f *flush) addRows(refs []byte) []byte {
	for i, b := range f.builders {
		ref := rowsRef{segment: f.segments[i]}
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
	return refs
}

func (f *flush) isOutlier(s *spandrel.Span) bool {
	now := f.now.UnixNano()
	return s.Start < now-int64(outlier) || s.Start > now+int64(outlier)
}

// haveSameID reports whether any two of the stored spans and those in f.spans
// have one id.
func (f *flush) haveSameID(stored []spandrel.Span) bool {
	f.ids = f.ids[:0]
	for _, list := range [][]spandrel.Span{stored, f.spans} {
		for i := range list {
			f.ids = append(f.ids, list[i].ID)
		}
	}
	slices.Sort(f.ids)
	for i := 1; i < len(f.ids); i++ {
		if f.ids[i] == f.ids[i-1] {
			return true
		}
	}
	return false
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

// place is where spans of a trace are.
type place struct {
	p    *partition
	txn  *badger.Txn
	refs []rowsRef
}

// findStored lists in f.places where segments have spans of a trace, those of a
// flush before this one included, and returns its index entry in the open
// partition.
func (f *flush) findStored(id spandrel.TraceID) (raw []byte, err error) {
	f.places = f.places[:0]
	if f.p.seen.add(hashID(id)) {
		var refs []rowsRef
		refs, raw, err = traceRefs(f.txn, id)
		if err != nil {
			if !errors.Is(err, errSegment) {
				return nil, err
			}
			f.store.corrupt(f.p.dir, err)
		}
		if len(refs) > 0 {
			f.places = append(f.places, place{f.p, f.txn, refs})
		}
	}
	for _, p := range f.store.partitions() {
		if p == f.p || p.filter != nil && !p.filter.Contains(hashID(id)) {
			continue
		}
		txn := f.others[p]
		if txn == nil {
			txn = p.db.NewTransaction(false)
			f.others[p] = txn
		}
		refs, _, err := traceRefs(txn, id)
		if err != nil {
			f.store.corrupt(p.dir, err)
		}
		if len(refs) > 0 {
			f.places = append(f.places, place{p, txn, refs})
		}
	}
	return raw, nil
}

// storedOutlines reads what f.places have: of tags those alone that say whether
// a span failed. Spans that cannot be read are left out.
func (f *flush) storedOutlines(id spandrel.TraceID) (spans []spandrel.Span) {
	for _, at := range f.places {
		for _, ref := range at.refs {
			r, err := f.readers.open(at.p, at.txn, ref.segment)
			if err != nil {
				f.store.corrupt(at.p.dir, err)
				continue
			}
			for first, n := range ref.chunks() {
				more, err := f.outliner.ofTrace(r, id, first, n)
				if err != nil {
					f.store.corrupt(at.p.dir, err)
					continue
				}
				spans = append(spans, more...)
			}
		}
	}
	return spans
}

// storedSpans is storedOutlines with all that the spans have.
func (f *flush) storedSpans(id spandrel.TraceID) (spans []spandrel.Span) {
	for _, at := range f.places {
		spans = f.readers.spans(f.store, at.p, at.txn, id, at.refs, spans)
	}
	return spans
}

// traceSet is a Bloom filter of the traces of an open partition, three bits a
// trace in one word.
type traceSet []uint64

// newTraceSet has some 16 bits for each trace of ten spans, when the partition
// is full.
func newTraceSet(partitionBytes int64) traceSet {
	return make(traceSet, 1<<bits.Len64(uint64(partitionBytes)>>12))
}

// anyTrace is a set that may have all traces.
func anyTrace() traceSet { return traceSet{^uint64(0)} }

// add reports whether the set may have had the hash before.
func (s traceSet) add(hash uint64) bool {
	hash = (hash ^ hash>>29) * 0x9e3779b97f4a7c15
	mask := uint64(1)<<(hash>>8&63) | 1<<(hash>>14&63) | 1<<(hash>>20&63)
	word := &s[hash>>26&uint64(len(s)-1)]
	before := *word&mask == mask
	*word |= mask
	return before
}

// findSeen makes the set of a partition that was opened again. Tables that are
// damaged would hide traces, and the index entries of those be overwritten.
func (s *Store) findSeen(p *partition) {
	seen := newTraceSet(s.o.Sizes.PartitionBytes)
	err := p.verify()
	if err == nil {
		err = p.eachTrace(func(hash uint64) { seen.add(hash) })
	}
	if p.seen = seen; err != nil {
		s.corrupt(p.dir, err)
		p.seen = anyTrace()
	}
}
