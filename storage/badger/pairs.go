package badger

import (
	"math/bits"
	"strconv"

	"github.com/spandrel/spandrel"
)

// A segment of a busy mesh has nearly every service, every status and some
// error, so single terms rule few segments out. Its filter therefore also
// holds pairs: which terms the spans of a service have, which those of an
// operation, and how long the longest of them took, also of those that failed.
// A rare combination is then looked for only where it is.
//
// Columns with very many values have no pairs, nor does a column with the same
// value in every row need any; such keys are marked as unpaired.
const (
	termUnpaired = "\x00unpaired" // text: a key, or "" when nothing has pairs
	termDuration = "\x00duration" // text: a level that some duration reaches
)

var errorTerm = term{"error", "true"}

const (
	// maxPairedOps and maxPairedValues bound the pairs of a column.
	maxPairedOps    = 1024
	maxPairedValues = maxShared

	firstLevel = 20 // of durations that reach 2^20 ns, about a millisecond
)

// pairHash is the hash of a pair of terms.
func pairHash(a, b uint64) uint64 {
	return (a ^ bits.RotateLeft64(b, 29)) * 0x9e3779b97f4a7c15
}

func unpaired(key string) uint64 { return term{termUnpaired, key}.hash() }

// durationLevel numbers durations from a millisecond on, two levels for each
// doubling; shorter ones are 0.
func durationLevel(d int64) int {
	if d < 1<<firstLevel {
		return 0
	}
	n := bits.Len64(uint64(d))
	return 2*(n-firstLevel) - 1 + int(d>>(n-2)&1)
}

func levelHash(level int) uint64 { return term{termDuration, strconv.Itoa(level)}.hash() }

// operationFacts are what pairs need to know of an operation of a service.
type operationFacts struct {
	service, name string
	longest       int // level of the longest span
	longestFailed int // level of the longest one that failed, -1 = none did
}

// addOperation notes the row's operation, whose columns have been added, and
// returns its number.
func (b *segmentBuilder) addOperation(s *spandrel.Span) int {
	key := uint64(b.columns[colService].last)<<32 | uint64(b.columns[colName].last)
	op, ok := b.operations[key]
	if !ok {
		op = len(b.facts)
		b.operations[key] = op
		b.facts = append(b.facts, operationFacts{s.Service(), s.Name, 0, -1})
	}
	f, level := &b.facts[op], durationLevel(s.Duration)
	f.longest = max(f.longest, level)
	if level > f.longestFailed && s.HasTag(errorTerm.key, errorTerm.text) {
		f.longestFailed = level
	}
	return op
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

// pairTerms appends the hashes of all pairs to those of the single terms.
func (b *segmentBuilder) pairTerms(hashes []uint64) []uint64 {
	services, operations := make([]uint64, len(b.facts)), make([]uint64, len(b.facts))
	for i := range b.facts {
		f := &b.facts[i]
		services[i] = term{termService, f.service}.hash()
		operations[i] = pairHash(services[i], term{termOperation, f.name}.hash())
		hashes = append(hashes, operations[i])
		for _, owner := range [2]uint64{services[i], operations[i]} {
			for level := 1; level <= f.longest; level++ {
				hashes = append(hashes, pairHash(owner, levelHash(level)))
			}
			for level := 1; level <= f.longestFailed; level++ {
				hashes = append(hashes, pairHash(pairHash(owner, errorTerm.hash()), levelHash(level)))
			}
		}
	}
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

// need is a hash that the filter of a segment must hold, unless it holds one
// of two others, if it is to have what a query asks for.
type need struct {
	hash   uint64
	unless [2]uint64 // 0 = none
}

// needsOf is what a query needs of a segment's filter.
func needsOf(q *spandrel.Query, terms []term) []need {
	needs := make([]need, 0, 2*len(terms)+2)
	for _, t := range terms {
		needs = append(needs, need{hash: t.hash()})
	}
	if q.Service == "" {
		return needs
	}
	owner := term{termService, q.Service}.hash()
	if q.Operation != "" {
		owner = pairHash(owner, term{termOperation, q.Operation}.hash())
		needs = append(needs, need{hash: owner})
	}
	level := levelHash(durationLevel(q.MinDuration))
	if q.MinDuration >= 1<<firstLevel {
		needs = append(needs, need{hash: pairHash(owner, level)})
	}
	for _, c := range q.Tags {
		t := term{c.Key, c.Value}
		needs = append(needs, need{pairHash(owner, t.hash()), [2]uint64{unpaired(""), unpaired(t.key)}})
		if t == errorTerm && q.MinDuration >= 1<<firstLevel {
			needs = append(needs, need{hash: pairHash(pairHash(owner, t.hash()), level)})
		}
	}
	return needs
}

// meets reports whether the filter allows that its segment has what is needed.
func (n *need) meets(f *fuse) bool {
	return f.Contains(n.hash) || n.unless[0] != 0 && f.Contains(n.unless[0]) || n.unless[1] != 0 && f.Contains(n.unless[1])
}
