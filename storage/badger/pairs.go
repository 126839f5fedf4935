package badger

import (
	"cmp"
	"encoding/binary"
	"maps"
	"math/bits"
	"slices"
	"sort"

	"github.com/spandrel/spandrel"
)

// A segment of a busy mesh has nearly every service, every status and some
// error, so single terms rule few segments out. Its filter therefore also
// holds pairs: which terms the spans of a service have, and which those of an
// operation. Beside it a table says how long the longest of them took, also of
// those that failed. A rare combination is then looked for only where it is.
//
// Columns with very many values have no pairs, nor does a column with the same
// value in every row need any; such keys are marked as unpaired.
const termUnpaired = "\x00unpaired" // text: a key, or "" when nothing has pairs

var errorTerm = term{"error", "true"}

// maxPairedOps and maxPairedValues bound the pairs of a column.
const (
	maxPairedOps    = 1024
	maxPairedValues = maxShared
)

// pairHash is the hash of a pair of terms.
func pairHash(a, b uint64) uint64 {
	return (a ^ bits.RotateLeft64(b, 29)) * 0x9e3779b97f4a7c15
}

func unpaired(key string) uint64 { return term{termUnpaired, key}.hash() }

// operationFacts are what pairs need to know of an operation of a service.
type operationFacts struct {
	service, name string
	longest       int64     // duration of any span
	longestFailed int64     // of one that failed, -1 = none did
	kinds         [4]uint64 // bits: which kinds its spans have
}

// addOperation notes the row's operation, whose columns have been added, and
// returns its number.
func (b *segmentBuilder) addOperation(s *spandrel.Span) int {
	key := uint64(b.columns[colService].last)<<32 | uint64(b.columns[colName].last)
	op, ok := b.operations[key]
	if !ok {
		op = len(b.facts)
		b.operations[key] = op
		b.facts = append(b.facts, operationFacts{service: s.Service(), name: s.Name, longestFailed: -1})
	}
	f := &b.facts[op]
	f.kinds[s.Kind/64] |= 1 << (s.Kind % 64)
	f.longest = max(f.longest, s.Duration)
	return op
}

// noteFailure notes of the row, whose operation it is, how long it took to fail.
func (b *segmentBuilder) noteFailure(op int, s *spandrel.Span) {
	if f := &b.facts[op]; s.Duration > f.longestFailed && s.HasTag(errorTerm.key, errorTerm.text) {
		f.longestFailed = s.Duration
	}
}

// listed are the operations as they are listed.
func (b *segmentBuilder) listed() (ops []opKey) {
	for _, f := range b.facts {
		for i, word := range f.kinds {
			for ; word != 0; word &= word - 1 {
				ops = append(ops, opKey{f.service, f.name, spandrel.Kind(64*i + bits.TrailingZeros64(word))})
			}
		}
	}
	return ops
}

// pair notes that a row of the operation has the column's newest value.
func (c *columnBuilder) pair(op int) {
	if op >= maxPairedOps || c.last >= maxPairedValues {
		return
	}
	at := op*maxPairedValues/64 + int(c.last/64)
	for at >= len(c.pairs) {
		c.pairs = append(c.pairs, 0)
	}
	c.pairs[at] |= 1 << (c.last % 64)
}

// owners are the hashes of the services and of the operations.
func (b *segmentBuilder) owners() (services, operations []uint64) {
	for i := range b.facts {
		s := term{termService, b.facts[i].service}.hash()
		services = append(services, s)
		operations = append(operations, pairHash(s, term{termOperation, b.facts[i].name}.hash()))
	}
	return services, operations
}

// pairTerms appends the hashes of all pairs to those of the single terms.
func (b *segmentBuilder) pairTerms(hashes, services, operations []uint64) []uint64 {
	hashes = append(hashes, operations...)
	if len(b.facts) > maxPairedOps {
		return append(hashes, unpaired(""))
	}
	for number, c := range b.columns {
		switch number {
		case colService, colName, colShape:
			continue
		}
		always := len(c.values) == 1 && len(c.ids) == b.foot.rows
		if len(c.values) <= maxPairedValues && !always {
			hashes = c.pairHashes(hashes, number, services, operations)
			continue
		}
		last := "" // for most columns the only key
		for _, value := range c.values {
			eachTerm(number, c.key, c.kind, value, func(t term) {
				if t.key != last || last == "" {
					last, hashes = t.key, append(hashes, unpaired(t.key))
				}
			})
		}
	}
	return hashes
}

// pairHashes appends the hashes of the column's pairs.
func (c *columnBuilder) pairHashes(hashes []uint64, number int, services, operations []uint64) []uint64 {
	terms := make([][]uint64, len(c.values))
	for i, value := range c.values {
		eachTerm(number, c.key, c.kind, value, func(t term) { terms[i] = append(terms[i], t.hash()) })
	}
	for at, word := range c.pairs {
		op, first := at*64/maxPairedValues, at*64%maxPairedValues
		for ; word != 0; word &= word - 1 {
			for _, h := range terms[first+bits.TrailingZeros64(word)] {
				hashes = append(hashes, pairHash(services[op], h), pairHash(operations[op], h))
			}
		}
	}
	return hashes
}

// longest makes the table of the longest durations: hashes in order, u32 each,
// then for each its duration, u64.
func (b *segmentBuilder) longest(services, operations []uint64) []byte {
	longest := make(map[uint32]int64)
	add := func(owner uint64, d int64) {
		if before, ok := longest[uint32(owner)]; !ok || d > before {
			longest[uint32(owner)] = d
		}
	}
	for i := range b.facts {
		for _, owner := range [2]uint64{services[i], operations[i]} {
			add(owner, b.facts[i].longest)
			if d := b.facts[i].longestFailed; d >= 0 {
				add(pairHash(owner, errorTerm.hash()), d)
			}
		}
	}
	hashes := slices.Sorted(maps.Keys(longest))
	var table []byte
	for _, h := range hashes {
		table = binary.LittleEndian.AppendUint32(table, h)
	}
	for _, h := range hashes {
		table = binary.LittleEndian.AppendUint64(table, uint64(longest[h]))
	}
	return table
}

// longestOf looks up an owner's longest duration; it has no spans if not found.
func longestOf(table []byte, owner uint64) (d int64, found bool) {
	n := len(table) / 12
	at, found := sort.Find(n, func(i int) int {
		return cmp.Compare(uint32(owner), binary.LittleEndian.Uint32(table[4*i:]))
	})
	if !found {
		return 0, false
	}
	return int64(binary.LittleEndian.Uint64(table[4*n+8*at:])), true
}

// need is a hash that the filter of a segment must hold, unless it holds one
// of two others, if it is to have what a query asks for.
type need struct {
	hash   uint64
	unless [2]uint64 // 0 = none
}

// needs are what a query needs of a segment: that its filter holds some
// hashes, and that its table has durations of at least so much for some owners.
type needs struct {
	terms    []need
	owners   []uint64
	duration int64
}

// needsOf is what a query needs.
func needsOf(q *spandrel.Query, terms []term) (n needs) {
	for _, t := range terms {
		n.terms = append(n.terms, need{hash: t.hash()})
	}
	if q.Service == "" {
		return n
	}
	owner := term{termService, q.Service}.hash()
	if q.Operation != "" {
		owner = pairHash(owner, term{termOperation, q.Operation}.hash())
		n.terms = append(n.terms, need{hash: owner})
	}
	for _, c := range q.Tags {
		t := term{c.Key, c.Value}
		n.terms = append(n.terms, need{pairHash(owner, t.hash()), [2]uint64{unpaired(""), unpaired(t.key)}})
	}
	if n.duration = q.MinDuration; n.duration > 0 {
		n.owners = append(n.owners, owner)
		if slices.Contains(q.Tags, spandrel.TagCondition{Key: errorTerm.key, Value: errorTerm.text}) {
			n.owners = append(n.owners, pairHash(owner, errorTerm.hash()))
		}
	}
	return n
}

// meets reports whether the filter allows that its segment has what is needed.
func (n *need) meets(f *fuse) bool {
	return f.Contains(n.hash) || n.unless[0] != 0 && f.Contains(n.unless[0]) || n.unless[1] != 0 && f.Contains(n.unless[1])
}

// meet reports whether a segment may have what is needed.
func (n *needs) meet(f *fuse, longest []byte) bool {
	return !slices.ContainsFunc(n.terms, func(n need) bool { return !n.meets(f) }) &&
		!slices.ContainsFunc(n.owners, func(owner uint64) bool {
			d, found := longestOf(longest, owner)
			return !found || d < n.duration
		})
}
