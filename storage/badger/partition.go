package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/spandrel/spandrel"
)

// Keys of a partition's Badger; FORMAT.md draws their values.
const (
	keySegment  = 's' // + u32 segment: the segment
	keyTrace    = 't' // + 16 bytes trace id: where its rows are
	keyRegistry = 'r' // + u32 segment: what it covers, operations new with it
	keyMinute   = 'm' // + u64 minute: calls between services
	keyNames    = 'n' // the service names that minutes number
	keyFilter   = 'f' // of trace ids, in sealed partitions
	keyMeta     = 'x' // version, times, applied LSN
)

const partitionVersion = 1

// valueThreshold is the size from which on Badger keeps values in its value log.
const valueThreshold = 1 << 10

var errVersion = errors.New("has a later version")

// partition is a Badger directory with the segments of one window of arrival.
// The flusher goroutine owns it; readers use snapshots.
type partition struct {
	seq  uint64
	born time.Time
	dir  string

	db       *badger.DB
	sealed   bool // takes no more segments; open read-only unless that failed
	segments []segmentInfo
	names    nameTable
	applied  uint64        // LSN up to which its segments, with earlier ones, hold all
	newest   time.Time     // when spans were flushed to it last
	bornAt   time.Duration // born and newest by Options.elapsed; negative = before the store was opened
	newestAt time.Duration
	filter   *fuse    // of trace ids, nil = none yet
	seen     traceSet // of an open partition; nil until something is flushed to it
	bytes    int64    // on disk, when last measured

	verified bool          // its tables were read and found sound
	readers  atomic.Int32  // snapshots that are in use
	items    sync.Map      // of segments that were asked for, by id; for readers of snapshots
	idle     chan struct{} // gets a value when readers falls to 0
}

// segmentInfo is what is known of a segment without reading it.
type segmentInfo struct {
	id           uint32
	span         timeRange
	rows, traces int
	bytes        int64
	filter       *segmentFilter
}

// nameTable numbers service names; numbers never change.
type nameTable struct {
	names []string
	ids   map[string]uint32
}

func (t *nameTable) id(name string) uint32 {
	id, ok := t.ids[name]
	if !ok {
		if t.ids == nil {
			t.ids = make(map[string]uint32)
		}
		id = uint32(len(t.names))
		t.names = append(t.names, strings.Clone(name))
		t.ids[t.names[id]] = id
	}
	return id
}

const partitionPrefix = "p-"

func partitionName(seq uint64, born time.Time) string {
	return fmt.Sprintf("%s%08d-%d", partitionPrefix, seq, born.UnixMilli())
}

func parsePartitionName(name string) (seq uint64, born time.Time, ok bool) {
	rest, ok := strings.CutPrefix(name, partitionPrefix)
	number, millis, ok2 := strings.Cut(rest, "-")
	seq, err := strconv.ParseUint(number, 10, 64)
	ms, err2 := strconv.ParseInt(millis, 10, 64)
	return seq, time.UnixMilli(ms), ok && ok2 && err == nil && err2 == nil
}

func (s *Store) badgerOptions(dir string) badger.Options {
	return badger.DefaultOptions(dir).
		WithValueThreshold(valueThreshold).WithSyncWrites(true).WithDetectConflicts(false).
		WithCompression(options.None).WithMemTableSize(16 << 20).WithNumMemtables(2).
		WithNumCompactors(2).WithNumLevelZeroTables(2).WithNumLevelZeroTablesStall(8).
		WithValueLogFileSize(256 << 20).WithBlockCacheSize(1 << 20).WithIndexCacheSize(0).
		WithChecksumVerificationMode(options.OnBlockRead).WithNumVersionsToKeep(1).WithMetricsEnabled(false).WithCompactL0OnClose(true).
		WithLogger(badgerLogger{s.log, filepath.Base(dir)})
}

// createPartition makes and opens a new, empty partition.
func (s *Store) createPartition(seq uint64, born time.Time) (*partition, error) {
	dir := filepath.Join(s.partitionsDir(), partitionName(seq, born))
	if err := s.o.fs.mkdir(dir); err != nil {
		return nil, err
	}
	if err := s.o.fs.syncDir(s.partitionsDir()); err != nil {
		_ = os.Remove(dir)
		return nil, err
	}
	p, err := s.openPartition(seq, born, dir, false)
	if err == nil {
		p.setAges(s.o.Now(), s.o.elapsed())
	}
	return p, err
}

// openPartition opens what is in a directory. If it is to be sealed but was
// not closed cleanly, it is opened and closed for writing first.
func (s *Store) openPartition(seq uint64, born time.Time, dir string, sealed bool) (*partition, error) {
	p := &partition{seq: seq, born: born, dir: dir, sealed: sealed, idle: make(chan struct{}, 1)}
	if err := s.openDB(p); err != nil {
		return nil, err
	}
	ops, err := p.load()
	if err == nil && sealed && p.filter == nil {
		p.filter, err = p.buildFilter()
	}
	if err != nil {
		_ = p.db.Close()
		return nil, fmt.Errorf("partition %s: %w", dir, err)
	}
	s.catalog.add(p, ops)
	p.bytes = diskUsage(dir)
	return p, nil
}

// notBefore sees to it that the partition is no older than those before it,
// whatever the clock was when it was written, and returns its time.
func (p *partition) notBefore(before time.Time) time.Time {
	if p.newest.IsZero() {
		return before
	}
	if p.newest.Before(before) {
		p.newest = before
	}
	return p.newest
}

// setAges works out what the partition's times are by the clock that nobody
// sets. Times to come, by a clock that was wrong, become now.
func (p *partition) setAges(now time.Time, elapsed time.Duration) {
	if p.born.After(now) {
		p.born = now
	}
	if p.newest.After(now) {
		p.newest = now
	}
	p.bornAt, p.newestAt = elapsed-now.Sub(p.born), elapsed-now.Sub(p.newest)
}

func (s *Store) openDB(p *partition) (err error) {
	o := s.badgerOptions(p.dir)
	if p.sealed {
		if p.db, err = badger.Open(o.WithReadOnly(true)); err == nil {
			return nil
		}
		if full := s.makeRoom(); full != nil {
			return fmt.Errorf("partition %s: %w", p.dir, errors.Join(err, full))
		}
		db, err := badger.Open(o)
		if err != nil {
			return fmt.Errorf("partition %s: %w", p.dir, err)
		}
		if err := db.Close(); err != nil {
			return fmt.Errorf("partition %s: %w", p.dir, err)
		}
		o = o.WithReadOnly(true)
	}
	if p.db, err = badger.Open(o); err != nil {
		return fmt.Errorf("partition %s: %w", p.dir, err)
	}
	return nil
}

// load reads what is kept in memory of a partition.
func (p *partition) load() (ops []opKey, err error) {
	err = p.db.View(func(txn *badger.Txn) error {
		if err := p.loadMeta(txn); err != nil {
			return err
		}
		names, err := readNames(txn)
		if err != nil {
			return err
		}
		p.names = nameTable{}
		for _, name := range names {
			p.names.id(name)
		}
		if b, err := get(txn, []byte{keyFilter}); err != nil {
			return err
		} else if f, ok := parseFuse(b); ok {
			p.filter = &f
		}
		it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{keyRegistry}, PrefetchValues: true, PrefetchSize: 100})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			b, err := it.Item().ValueCopy(nil)
			if err != nil {
				return err
			}
			if len(it.Item().Key()) != 5 {
				return errors.New("malformed registry key")
			}
			info, fresh, ok := parseRegistry(b)
			if !ok {
				return errors.New("malformed registry entry")
			}
			info.id = binary.BigEndian.Uint32(it.Item().Key()[1:])
			info.filter = new(segmentFilter)
			p.segments = append(p.segments, info)
			ops = append(ops, fresh...)
		}
		return nil
	})
	return ops, err
}

func (p *partition) loadMeta(txn *badger.Txn) error {
	b, err := get(txn, []byte{keyMeta})
	if err != nil || len(b) == 0 {
		return err
	}
	if b[0] != partitionVersion {
		return fmt.Errorf("%w %d, this program knows %d", errVersion, b[0], partitionVersion)
	}
	if len(b) != 17 {
		return errors.New("malformed meta entry")
	}
	p.applied = binary.LittleEndian.Uint64(b[1:])
	p.newest = time.UnixMilli(int64(binary.LittleEndian.Uint64(b[9:])))
	return nil
}

func appendMeta(applied uint64, newest time.Time) []byte {
	b := binary.LittleEndian.AppendUint64([]byte{partitionVersion}, applied)
	return binary.LittleEndian.AppendUint64(b, uint64(newest.UnixMilli()))
}

// buildFilter makes the filter of the partition's trace ids, nil = it has none.
func (p *partition) buildFilter() (*fuse, error) {
	var hashes []uint64
	err := p.eachTrace(func(hash uint64) { hashes = append(hashes, hash) })
	if err != nil || len(hashes) == 0 {
		return nil, err
	}
	return newFuse(hashes)
}

// eachTrace calls yield with the hash of each trace that is in the index.
func (p *partition) eachTrace(yield func(hash uint64)) error {
	return p.db.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{keyTrace}})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			if key := it.Item().Key(); len(key) == 17 {
				yield(hashID(spandrel.TraceID{High: binary.BigEndian.Uint64(key[1:]), Low: binary.BigEndian.Uint64(key[9:])}))
			}
		}
		return nil
	})
}

func hashID(id spandrel.TraceID) uint64 { return id.High*0x9e3779b97f4a7c15 ^ id.Low }

// appendRegistry writes what load reads back: what the segment covers and the
// operations that no earlier segment of the partition has.
func appendRegistry(info segmentInfo, fresh []opKey) []byte {
	b := binary.AppendVarint(nil, info.span.min)
	b = binary.AppendVarint(b, info.span.max)
	for _, v := range []uint64{uint64(info.rows), uint64(info.traces), uint64(info.bytes), uint64(len(fresh))} {
		b = binary.AppendUvarint(b, v)
	}
	for _, k := range fresh {
		b = append(appendText(appendText(b, k.service), k.name), byte(k.kind))
	}
	return b
}

func parseRegistry(b []byte) (info segmentInfo, fresh []opKey, ok bool) {
	d := decoder{b: b}
	info.span = timeRange{d.varint(), d.varint()}
	info.rows, info.traces, info.bytes = d.size(), d.size(), int64(d.uvarint())
	for range d.count(3) {
		fresh = append(fresh, opKey{d.text(), d.text(), spandrel.Kind(d.uint8())})
	}
	return info, fresh, !d.bad && len(d.b) == 0
}

func readNames(txn *badger.Txn) ([]string, error) {
	b, err := get(txn, []byte{keyNames})
	if err != nil || b == nil {
		return nil, err
	}
	d := decoder{b: b}
	dict := d.dictionary(-1)
	if d.bad {
		return nil, errors.New("malformed names")
	}
	names := make([]string, dict.len())
	for i := range names {
		names[i] = dict.at(i)
	}
	return names, nil
}

// rowsRef says where rows of a trace are.
type rowsRef struct {
	segment  uint32
	first, n int
}

func appendRowsRef(b []byte, r rowsRef) []byte {
	b = binary.AppendUvarint(b, uint64(r.segment))
	b = binary.AppendUvarint(b, uint64(r.first))
	return binary.AppendUvarint(b, uint64(r.n))
}

// traceRefs looks up where a trace is in the partition.
func traceRefs(txn *badger.Txn, id spandrel.TraceID) (refs []rowsRef, raw []byte, err error) {
	raw, err = get(txn, traceKey(id))
	d := decoder{b: raw}
	for len(d.b) > 0 {
		refs = append(refs, rowsRef{uint32(d.size()), d.size(), d.size()})
	}
	if d.bad {
		return nil, nil, corruption("trace index", errRow)
	}
	return refs, raw, err
}

func traceKey(id spandrel.TraceID) []byte {
	key := binary.BigEndian.AppendUint64([]byte{keyTrace}, id.High)
	return binary.BigEndian.AppendUint64(key, id.Low)
}

func segmentKey(prefix byte, id uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{prefix}, id)
}

func minuteKey(minute int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{keyMinute}, uint64(minute)^1<<63)
}

// get copies a value, nil = there is none.
func get(txn *badger.Txn, key []byte) ([]byte, error) {
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return item.ValueCopy(nil)
}

// forget takes segments that were just written out of the process's memory.
func (p *partition) forget(segments []segmentInfo) {
	txn := p.db.NewTransaction(false)
	defer txn.Discard()
	for _, info := range segments {
		_ = lendStored(txn, info.id)(func(seg []byte) error {
			forgetSegment(seg)
			return nil
		})
	}
}

// reserve makes sure of the blocks that Badger will write a transaction to: it
// writes through mappings, where a disk that others fill meanwhile means SIGBUS.
// Segments go to the value log, all else to the memtable's log.
func (p *partition) reserve(segments []segmentInfo, traces int) error {
	const others = 1 << 20 // calls by minute, names, large indexes
	values, keys := int64(others), int64(others+128*traces)
	for _, info := range segments {
		values += info.bytes
	}
	for suffix, n := range map[string]int64{".vlog": values, ".mem": keys} {
		file, err := p.newestFile(suffix)
		if err != nil {
			return err
		}
		if err := preallocate(file, n); err != nil {
			return fmt.Errorf("reserving %d bytes in %s: %w", n, filepath.Base(p.dir), err)
		}
	}
	return nil
}

// commit commits a segment while the kernel does not read ahead in the value
// log. What it has read in one piece of memory, it writes in one piece, however
// little of it has changed, and again for each segment.
func (p *partition) commit(txn *badger.Txn) error {
	log, err := p.newestFile(".vlog")
	if err != nil {
		return err
	}
	readAhead(log, false)
	defer readAhead(log, true)
	return txn.Commit()
}

// newestFile is the file that Badger writes to, of those with a suffix.
func (p *partition) newestFile(suffix string) (string, error) {
	files, err := filepath.Glob(filepath.Join(p.dir, "*"+suffix))
	if err != nil || len(files) == 0 {
		return "", fmt.Errorf("no file *%s in %s: %w", suffix, p.dir, errors.Join(err, os.ErrNotExist))
	}
	return slices.Max(files), nil
}

// lendStored lends a segment's bytes as the transaction has them.
func lendStored(txn *badger.Txn, id uint32) func(func([]byte) error) error {
	return func(use func([]byte) error) error {
		item, err := txn.Get(segmentKey(keySegment, id))
		if err != nil {
			return corruption(fmt.Sprintf("segment %d", id), err)
		}
		return item.Value(use)
	}
}

// lend is lendStored for questions, which ask for the same segments again and
// again: Badger takes longer to find one than a filter takes to say that it is
// not wanted. Badger's items say where in its value log a value is, which never
// changes, and can be used by several at once once they have been used.
func (p *partition) lend(txn *badger.Txn, id uint32) func(func([]byte) error) error {
	return func(use func([]byte) error) error {
		if item, ok := p.items.Load(id); ok {
			return item.(*badger.Item).Value(use)
		}
		item, err := txn.Get(segmentKey(keySegment, id))
		if err != nil {
			return corruption(fmt.Sprintf("segment %d", id), err)
		}
		return item.Value(func(seg []byte) error {
			if isMapped(seg) {
				p.items.Store(id, item)
			}
			return use(seg)
		})
	}
}
