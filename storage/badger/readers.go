package badger

import (
	"github.com/dgraph-io/badger/v4"

	"github.com/spandrel/spandrel"
)

// maxOpenReaders bounds the segments that readers keep open.
const maxOpenReaders = 16

// readers keeps the segments open that one call has used, since traces of one
// time lie in few of them. The zero value is ready to use.
type readers struct {
	kept map[segmentAt]*segmentReader
}

type segmentAt struct {
	p       *partition
	segment uint32
}

// open opens a segment as the transaction has it.
func (rs *readers) open(p *partition, txn *badger.Txn, segment uint32) (*segmentReader, error) {
	at := segmentAt{p, segment}
	if r := rs.kept[at]; r != nil {
		return r, nil
	}
	r, err := openSegment(lendStored(txn, segment))
	if err != nil {
		return nil, err
	}
	if rs.kept == nil || len(rs.kept) >= maxOpenReaders {
		rs.forget()
		rs.kept = make(map[segmentAt]*segmentReader)
	}
	rs.kept[at] = r
	return r, nil
}

// forget ends the use of all segments.
func (rs *readers) forget() {
	for _, r := range rs.kept {
		r.forget()
	}
	rs.kept = nil
}

// spans appends the spans that refs name. Those that cannot be read are
// reported and left out.
func (rs *readers) spans(s *Store, p *partition, txn *badger.Txn, id spandrel.TraceID, refs []rowsRef, spans []spandrel.Span) []spandrel.Span {
	for _, ref := range refs {
		r, err := rs.open(p, txn, ref.segment)
		if err != nil {
			s.corrupt(p.dir, err)
			continue
		}
		for first, n := range ref.chunks() {
			if spans, err = r.spans(spans, id, first, n); err != nil {
				s.corrupt(p.dir, err)
			}
		}
	}
	return spans
}
