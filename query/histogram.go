package query

import "math/bits"

// subBuckets is how many buckets of a Histogram share a power of two: a bucket
// is at most 1/subBuckets of its values wide.
const subBuckets = 64

// Histogram counts durations in buckets that are at most 1.6 % wide. The zero
// value is empty.
type Histogram struct {
	Count, Sum, Max int64

	first  int // bucket of counts[0]
	counts []uint32
}

// bucketOf numbers the buckets: 0 and up.
func bucketOf(v int64) int {
	if v < subBuckets {
		return int(max(v, 0))
	}
	shift := bits.Len64(uint64(v)) - 7 // leaves 7 bits, the first of which is set
	return (shift+1)*subBuckets + int(v>>shift) - subBuckets
}

// bucketMiddle is the middle of a bucket.
func bucketMiddle(n int) int64 {
	if n < 2*subBuckets {
		return int64(n)
	}
	shift := n/subBuckets - 1
	low := int64(n%subBuckets+subBuckets) << shift
	return low + (int64(1)<<shift)/2
}

// Add counts a duration.
func (h *Histogram) Add(v int64) {
	h.Count++
	h.Sum += v
	h.Max = max(h.Max, v)
	n := bucketOf(v)
	switch {
	case len(h.counts) == 0:
		h.first, h.counts = n, make([]uint32, 1, 8)
	case n < h.first:
		h.counts = append(make([]uint32, h.first-n), h.counts...)
		h.first = n
	case n >= h.first+len(h.counts):
		h.counts = append(h.counts, make([]uint32, n-h.first-len(h.counts)+1)...)
	}
	h.counts[n-h.first]++
}

// Quantile is the duration that a share q of all do not exceed, to the width
// of a bucket; 0 if there is none.
func (h *Histogram) Quantile(q float64) int64 {
	rank := max(1, int64(q*float64(h.Count)+0.999999))
	for i, n := range h.counts {
		if rank -= int64(n); rank <= 0 {
			return min(bucketMiddle(h.first+i), h.Max)
		}
	}
	return h.Max
}
