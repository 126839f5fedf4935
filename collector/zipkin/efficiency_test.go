package zipkin

import (
	"bytes"
	"runtime"
	"testing"
)

// TestEfficiency holds a Decoder to what it allocates for posts like those
// before, which does not depend on how busy the machine is: nothing but its
// first arrays.
func TestEfficiency(t *testing.T) {
	const mostAllocs, mostBytes = 0.05, 30 // a span
	var d Decoder
	for _, tt := range []struct {
		posts  string
		decode func(body []byte) error
	}{
		{"bookinfo", func(b []byte) error { _, _, err := d.JSON(b, false); return err }},
		{"protobuf", func(b []byte) error { _, _, err := d.Proto(b); return err }},
	} {
		t.Run(tt.posts, func(t *testing.T) {
			bodies := postBodies(t, tt.posts)
			spans := 0
			for _, body := range bodies {
				spans += bytes.Count(body, []byte("guid:x-request-id"))
			}
			const rounds = 20
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range rounds {
				for _, body := range bodies {
					if err := tt.decode(body); err != nil {
						t.Fatal(err)
					}
				}
			}
			runtime.ReadMemStats(&after)
			n := float64(rounds * spans)
			allocs, size := float64(after.Mallocs-before.Mallocs)/n, float64(after.TotalAlloc-before.TotalAlloc)/n
			t.Logf("%.2f allocations and %.0f bytes a span", allocs, size)
			if allocs > mostAllocs || size > mostBytes {
				t.Errorf("%.2f allocations and %.0f bytes a span, the bounds are %v and %v", allocs, size, mostAllocs, mostBytes)
			}
		})
	}
}
