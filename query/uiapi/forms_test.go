package uiapi

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"testing"

	"github.com/spandrel/spandrel/query"
	"github.com/spandrel/spandrel/storage/storagetest"
)

// BenchmarkSkeletonForms compares the skeleton of 100,000 spans with the same
// columns as JSON lists: what it takes to write, to read, and how many bytes
// there are, plain and gzipped as for the wire.
func BenchmarkSkeletonForms(b *testing.B) {
	spans := storagetest.NewGenerator(1, storagetest.GeneratorOptions{}).Large(100_000)
	s, err := newService(b, spans).Skeleton(b.Context(), spans[0].TraceID, nil)
	if err != nil {
		b.Fatal(err)
	}
	forms := []struct {
		name  string
		write func(*bytes.Buffer) error
		read  func([]byte)
	}{
		{"columns", func(w *bytes.Buffer) error { return writeSkeleton(w, s) }, func(data []byte) { decode(b, data) }},
		{"json", func(w *bytes.Buffer) error { return json.NewEncoder(w).Encode(jsonColumns(s)) }, func(data []byte) {
			var into map[string]any
			if err := json.Unmarshal(data, &into); err != nil {
				b.Fatal(err)
			}
		}},
	}
	for _, form := range forms {
		var buf bytes.Buffer
		b.Run(form.name+"/write", func(b *testing.B) {
			for b.Loop() {
				buf.Reset()
				if err := form.write(&buf); err != nil {
					b.Fatal(err)
				}
			}
			var zipped bytes.Buffer
			z, _ := gzip.NewWriterLevel(&zipped, 1)
			z.Write(buf.Bytes())
			z.Close()
			b.ReportMetric(float64(buf.Len()), "plain-B")
			b.ReportMetric(float64(zipped.Len()), "gzip-B")
		})
		b.Run(form.name+"/read", func(b *testing.B) {
			for b.Loop() {
				form.read(buf.Bytes())
			}
		})
	}
}

// jsonColumns are the columns of a skeleton as JSON would have them.
func jsonColumns(s *query.Skeleton) map[string]any {
	ids := make([]string, s.Rows)
	starts, durations := make([]query.Micros, s.Rows), make([]query.Micros, s.Rows)
	ints := func(b []uint8) []int {
		out := make([]int, len(b))
		for i := range b {
			out[i] = int(b[i])
		}
		return out
	}
	for i := range ids {
		ids[i], starts[i], durations[i] = s.IDs[i].String(), query.Micros(s.Starts[i]), query.Micros(s.Durations[i])
	}
	out := map[string]any{
		"id": ids, "start": starts, "duration": durations, "parent": s.Parent, "depth": s.Depth, "size": s.Size, "pair": s.Pair,
		"kind": ints(s.Kind), "flags": ints(s.Flags), "proxy": ints(s.Proxy),
	}
	for i := range s.Texts {
		if c := &s.Texts[i]; len(c.Dict) > 1 {
			out[c.Name], out[c.Name+"s"] = c.Values, c.Dict
		}
	}
	return out
}
