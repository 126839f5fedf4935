package badger

import (
	"maps"
	"slices"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"github.com/spandrel/spandrel"
)

// maxOpenReaders bounds the segments that readers keep open, maxOpenBytes what
// has been read of them when one more is opened.
const (
	maxOpenReaders = 16
	maxOpenBytes   = 4 << 20
)

// readers keeps the segments open that one call has used, since traces of one
// time lie in few of them. The zero value is ready to use, and keeps what it
// has read to itself.
type readers struct {
	cache *segmentCache
	kept  map[segmentAt]*segmentReader
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
	get := lendStored(txn, segment)
	if rs.cache != nil {
		get = p.lend(txn, segment)
	}
	r, err := rs.cache.open(at, get)
	if err != nil {
		return nil, err
	}
	if rs.kept == nil || rs.full() {
		rs.forget()
		rs.kept = make(map[segmentAt]*segmentReader)
	}
	rs.kept[at] = r
	return r, nil
}

func (rs *readers) full() bool {
	bytes := int64(0)
	for _, r := range rs.kept {
		bytes += r.size.Load()
	}
	return len(rs.kept) >= maxOpenReaders || bytes >= maxOpenBytes
}

// forget ends the use of all segments.
func (rs *readers) forget() {
	rs.cache.close(slices.Collect(maps.Values(rs.kept)))
	rs.kept = nil
}

// cacheBytes bounds what is kept of segments that nobody reads.
const cacheBytes = 24 << 20

// segmentCache keeps what calls have read and decoded of segments for those
// that come after them: a search for the traces that it has found, and people
// for what they look at next. Its zero value is ready to use; a nil one keeps
// nothing.
type segmentCache struct {
	mu    sync.Mutex // guards all below
	kept  map[segmentAt]*segmentData
	bytes int64  // that kept counts for
	uses  uint64 // how often segments were closed
}

// open gives a reader of a segment.
func (c *segmentCache) open(at segmentAt, get func(func([]byte) error) error) (*segmentReader, error) {
	if c == nil {
		return openSegment(get)
	}
	c.mu.Lock()
	known := c.kept[at]
	c.mu.Unlock()
	if known != nil {
		return known.reader(get), nil
	}
	r, err := openSegment(get)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.kept[at]; known != nil {
		return known.reader(get), nil
	}
	if c.kept == nil {
		c.kept = make(map[segmentAt]*segmentData)
	}
	r.cachedAt, r.used = at, c.uses+1
	c.kept[at] = r.segmentData
	return r, nil
}

// close is told that readers are no longer used. It drops the segments that
// were not used for longest if there is too much.
func (c *segmentCache) close(used []*segmentReader) {
	for _, r := range used {
		r.forget()
	}
	if c == nil || len(used) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uses++
	for _, r := range used {
		if c.kept[r.cachedAt] == r.segmentData {
			size := r.size.Load()
			c.bytes += size - r.counted
			r.counted, r.used = size, c.uses
		}
	}
	for c.bytes > cacheBytes {
		c.dropOldest()
	}
}

func (c *segmentCache) dropOldest() {
	var oldest segmentAt
	for at, known := range c.kept {
		if before := c.kept[oldest]; before == nil || known.used < before.used {
			oldest = at
		}
	}
	c.bytes -= c.kept[oldest].counted
	delete(c.kept, oldest)
}

// drop keeps nothing of what nobody reads.
func (c *segmentCache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept, c.bytes = nil, 0
}

// useCount is how often segments were closed.
func (c *segmentCache) useCount() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.uses
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
