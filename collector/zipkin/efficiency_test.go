package zipkin

import (
	"bytes"
	"runtime"
	"testing"
)

// TestEfficiency holds the decoder to what it allocates, which does not depend
// on how busy the machine is. The bounds are about a tenth above what was
// measured.
func TestEfficiency(t *testing.T) {
	for _, tt := range []struct {
		posts         string
		decode        func(body []byte) error
		allocs, bytes float64 // a span
	}{
		{"bookinfo", func(b []byte) error { _, _, err := DecodeJSON(b, false); return err }, 1.2, 2550},
		{"protobuf", func(b []byte) error { _, _, err := DecodeProto(b); return err }, 1.05, 2300},
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
			if allocs > tt.allocs || size > tt.bytes {
				t.Errorf("%.2f allocations and %.0f bytes a span, the bounds are %v and %v", allocs, size, tt.allocs, tt.bytes)
			}
		})
	}
}
