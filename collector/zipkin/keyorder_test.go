package zipkin

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/spandrel/spandrel"
)

// TestTagsAreSortedWhateverKeysCameBefore gives one Decoder's batch tags of few
// and of many keys, short and long ones, some twice, and compares with a map.
func TestTagsAreSortedWhateverKeysCameBefore(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	var keys []string
	for i := range 40 {
		keys = append(keys, fmt.Sprint("k", i), fmt.Sprintf("common.prefix.%d", i), strings.Repeat("long", 5*i)+"x")
	}
	var b batch
	sortedByRank := 0
	for round := range 3000 {
		b.begin(1000)
		pool := keys[:10]
		if round > 1000 {
			pool = keys
		}
		want := map[string]string{}
		b.reset()
		for range 1 + rng.IntN(40) {
			key, val := pool[rng.IntN(len(pool))], fmt.Sprint(rng.IntN(5))
			b.addTag(key, val)
			want[key] = val
		}
		if _, ok := b.known.sort(nil, b.tagsNow); ok {
			sortedByRank++
		}
		got := b.takeTags()
		if !slices.IsSortedFunc(got, func(x, y spandrel.Tag) int { return strings.Compare(x.Key, y.Key) }) {
			t.Fatalf("round %d: not sorted: %v", round, got)
		}
		m := map[string]string{}
		for _, tag := range got {
			m[tag.Key] = tag.Value.String()
		}
		if len(got) != len(want) || !maps.Equal(m, want) {
			t.Fatalf("round %d: got %v, want %v", round, got, want)
		}
	}
	if sortedByRank < 900 || sortedByRank > 2500 {
		t.Errorf("%d of 3000 lists had known keys only: the test is of one way alone", sortedByRank)
	}
}
