package query

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestBucketsFollowOneAnother(t *testing.T) {
	last := -1
	for v := range int64(1 << 14) {
		n := bucketOf(v)
		if n != last && n != last+1 {
			t.Fatalf("%d is in bucket %d, %d in %d", v-1, last, v, n)
		}
		if middle := bucketMiddle(n); math.Abs(float64(middle-v)) > float64(v)/subBuckets {
			t.Fatalf("the middle of %d's bucket is %d", v, middle)
		}
		last = n
	}
	if n := bucketOf(math.MaxInt64); bucketMiddle(n) < math.MaxInt64/100*98 {
		t.Errorf("the middle of the greatest bucket is %d", bucketMiddle(n))
	}
}

func TestQuantilesAreNear(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var h Histogram
	if h.Quantile(0.5) != 0 {
		t.Error("an empty histogram has a median")
	}
	all := make([]int64, 10_001)
	for i := range all {
		all[i] = int64(math.Exp(rng.NormFloat64()*3) * 1e6)
		h.Add(all[i])
	}
	slices.Sort(all)
	for _, q := range []float64{0, 0.5, 0.95, 0.99, 1} {
		got, want := h.Quantile(q), all[max(0, int(math.Ceil(q*float64(len(all))))-1)]
		if math.Abs(float64(got-want)) > float64(want)*0.016 {
			t.Errorf("quantile %v is %d, want %d", q, got, want)
		}
	}
}
