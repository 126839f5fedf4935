package badger

import (
	"path/filepath"
	"time"
)

// Stats says how much there is in the store.
type Stats struct {
	Spans     int // without those that wait to be committed; duplicates count
	HeadSpans int // of these, in memory only
	// Oldest and Newest are the starts of spans in ns, 0 = there are none.
	Oldest, Newest int64
	Partitions     []PartitionStats // oldest first
}

// PartitionStats says how much there is in a partition.
type PartitionStats struct {
	Name            string
	Born            time.Time
	Bytes           int64 // on disk
	Spans, Segments int
	Oldest, Newest  int64 // starts of spans in ns
	Sealed          bool
}

// Stats looks at what is there. It reads no spans.
func (s *Store) Stats() (Stats, error) {
	v, err := s.acquire()
	if err != nil {
		return Stats{}, err
	}
	defer v.release()
	var all Stats
	total := noTime
	for _, p := range v.parts {
		part := PartitionStats{
			Name: filepath.Base(p.p.dir), Born: p.p.born, Bytes: diskUsage(p.p.dir),
			Segments: len(p.segments), Sealed: p.filter != nil,
		}
		span := noTime
		for _, info := range p.segments {
			part.Spans += info.rows
			span.add(info.span.min)
			span.add(info.span.max)
		}
		if part.Spans > 0 {
			part.Oldest, part.Newest = span.min, span.max
			total.add(span.min)
			total.add(span.max)
		}
		all.Spans += part.Spans
		all.Partitions = append(all.Partitions, part)
	}
	for _, h := range v.headViews() {
		if len(h.rows) > 0 {
			all.HeadSpans += len(h.rows)
			total.add(h.span().min)
			total.add(h.span().max)
		}
	}
	if all.Spans += all.HeadSpans; all.Spans > 0 {
		all.Oldest, all.Newest = total.min, total.max
	}
	return all, nil
}
