// Package badger is the default store: spans survive kill -9 and power loss
// once Write has returned, searches are exact and newest first, and old spans
// go by age or by bytes.
//
// A span goes through four places, each readable in its own file:
//
//	Write   encodes spans as rows and queues them          (commit.go, row.go)
//	wal     one record per commit group, then fdatasync    (wal.go)
//	head    rows in memory, searchable before Write returns (head.go)
//	segment columns of some 20,000 spans, one Badger value  (segment*.go, flush.go)
//
// Segments live in partitions, one Badger directory per window of arrival
// time; dropping old spans is removing the oldest directory (partition.go,
// retention.go). Readers work on a view, an immutable snapshot of heads and
// partitions in which no span is missing and no flush half done (view.go,
// search.go, traces.go, deps.go). terms.go and pairs.go say what a segment can be
// asked without reading it. FORMAT.md draws every byte on disk.
package badger
