package otlp

import (
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/spandrel/spandrel"
)

// TestEfficiency holds a Decoder to what it allocates for posts like those
// before, which does not depend on how busy the machine is: nothing but its
// first arrays.
func TestEfficiency(t *testing.T) {
	const mostAllocs, mostBytes = 0.05, 60 // a span
	var numbers strings.Builder
	for range 20 {
		numbers.WriteString(pspan(pbytes(9, pbytes(1, "i"), pbytes(2, pvarint(3, 7))), pbytes(9, pbytes(1, "f"), pbytes(2, pfixed64(4, 7))), pbytes(9, pbytes(1, "b"), pbytes(2, pvarint(2, 1))), pbytes(9, pbytes(1, "y"), pbytes(2, pbytes(7, "x"))),
			pbytes(11, pfixed64(1, 5), pbytes(2, "e"), pbytes(3, pbytes(1, "k"), pbytes(2, pbytes(1, "v")))), pbytes(13, pbytes(1, zeros8, id9), pbytes(2, id9))))
	}
	for _, tt := range []struct {
		name   string
		bodies [][]byte
	}{
		{"Envoy's", postBodies(t, "envoy-http")},
		{"numbers, events and links", [][]byte{[]byte(numbers.String())}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var d Decoder
			const rounds = 100
			spans := 0
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range rounds {
				for _, body := range tt.bodies {
					got, _, err := d.Proto(body)
					if err != nil {
						t.Fatal(err)
					}
					spans += len(got)
				}
			}
			runtime.ReadMemStats(&after)
			n := float64(spans)
			allocs, size := float64(after.Mallocs-before.Mallocs)/n, float64(after.TotalAlloc-before.TotalAlloc)/n
			t.Logf("%.3f allocations and %.0f bytes a span", allocs, size)
			if allocs > mostAllocs || size > mostBytes {
				t.Errorf("%.3f allocations and %.0f bytes a span, the bounds are %v and %v", allocs, size, mostAllocs, mostBytes)
			}
		})
	}
}

// TestHostileBodiesTakeMemoryInProportion: bodies of the smallest of everything.
func TestHostileBodiesTakeMemoryInProportion(t *testing.T) {
	const n = 20_000
	many := func(s string) string { return strings.Repeat(s, n) }
	var keys, keysJSON strings.Builder
	for i := range n {
		keys.WriteString(pbytes(1, pbytes(1, strconv.Itoa(i))))
		keysJSON.WriteString(`,{"key":"` + strconv.Itoa(i) + `"}`)
	}
	var d Decoder
	for _, c := range []struct {
		name, body string
		decode     func([]byte) ([]spandrel.Span, []spandrel.Rejection, error)
	}{
		{"resources", many(pbytes(1)), d.Proto},
		{"scopes", pbytes(1, many(pbytes(2))), d.Proto},
		{"spans", many(pspan()), d.Proto},
		{"invalid spans", pbytes(1, pbytes(2, many(pbytes(2)))), d.Proto},
		{"empty attributes", pspan(many(pbytes(9))), d.Proto},
		{"attributes", pspan(many(pbytes(9, pbytes(1, "k")))), d.Proto},
		{"numbers", pspan(many(pbytes(9, pbytes(2, pvarint(3, 1))))), d.Proto},
		{"empty events", pspan(many(pbytes(11))), d.Proto},
		{"events", pspan(many(pbytes(11, pbytes(2, "k")))), d.Proto},
		{"empty links", pspan(many(pbytes(13))), d.Proto},
		{"links", pspan(many(pbytes(13, pbytes(3, "k")))), d.Proto},
		{"an array", pspan(pbytes(9, pbytes(2, pbytes(5, many(pbytes(1)))))), d.Proto},
		{"arrays", pspan(many(pbytes(9, pbytes(2, pbytes(5))))), d.Proto},
		{"an array of arrays", pspan(pbytes(9, pbytes(2, pbytes(5, many(pbytes(1, pbytes(5))))))), d.Proto},
		{"an array of maps", pspan(pbytes(9, pbytes(2, pbytes(5, many(pbytes(1, pbytes(6))))))), d.Proto},
		{"a map", pspan(pbytes(9, pbytes(2, pbytes(6, keys.String())))), d.Proto},
		{"nested arrays", pspan(many(nested(maxDepth))), d.Proto},
		{"text that is not UTF-8", pspan(many(pbytes(9, pbytes(1, "\xff\xff\xff\xff")))), d.Proto},

		{"resources in JSON", `{"resourceSpans":[{}` + many(`,{}`) + `]}`, d.JSON},
		{"scopes in JSON", `{"resourceSpans":[{"scopeSpans":[{}` + many(`,{}`) + `]}]}`, d.JSON},
		{"invalid spans in JSON", `{"resourceSpans":[{"scopeSpans":[{"spans":[0` + many(`,0`) + `]}]}]}`, d.JSON},
		{"attributes in JSON", with(`,"attributes":[{}` + many(`,{}`) + `]`), d.JSON},
		{"events in JSON", with(`,"events":[{}` + many(`,{}`) + `]`), d.JSON},
		{"links in JSON", with(`,"links":[{}` + many(`,{}`) + `]`), d.JSON},
		{"an array in JSON", with(`,"attributes":[{"value":{"arrayValue":{"values":[0` + many(`,{}`) + `]}}}]`), d.JSON},
		{"a map in JSON", with(`,"attributes":[{"value":{"kvlistValue":{"values":[{}` + keysJSON.String() + `]}}}]`), d.JSON},
		{"keys in snake_case", `{"a_b":0` + many(`,"a_b":0`) + `}`, d.JSON},
		{"nested arrays in JSON", with(`,"attributes":[{}` + strings.Repeat(`,`+nestedJSON(maxDepth), 1000) + `]`), d.JSON},
	} {
		t.Run(c.name, func(t *testing.T) {
			d = Decoder{}
			body := []byte(c.body)
			var err error
			used := allocated(func() { _, _, err = c.decode(body) })
			t.Logf("%d bytes for each of %d, %v", int(used)/len(body), len(body), err)
			if got := int(used) / len(body); got > mostMemory {
				t.Errorf("allocated %d bytes for each of the body, want at most %d", got, mostMemory)
			}
		})
	}
}
