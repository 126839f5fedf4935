package otlp

import (
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/spandrel/spandrel/collector/protobuf"
)

// BenchmarkDecodeProto decodes recorded posts of Envoy, most of five spans.
// BenchmarkScan is its ceiling: the same bytes walked over without making
// anything of them. BenchmarkGenerated is its floor: the types that protoc
// generates, which are not spans yet.
func BenchmarkDecodeProto(b *testing.B) {
	var d Decoder
	run(b, func(body []byte) {
		spans, rejected, err := d.Proto(body)
		if len(spans) == 0 || len(rejected) > 0 || err != nil {
			b.Fatal(len(spans), rejected, err)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	run(b, func(body []byte) {
		if n, err := scan(body); n == 0 || err != nil {
			b.Fatal(n, err)
		}
	})
}

func BenchmarkGenerated(b *testing.B) {
	run(b, func(body []byte) {
		var request tracepb.TracesData
		if err := proto.Unmarshal(body, &request); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkDecodeJSON decodes the same posts in JSON.
func BenchmarkDecodeJSON(b *testing.B) {
	var d Decoder
	bodies := postBodies(b, "envoy-http")
	for i, body := range bodies {
		var request tracepb.TracesData
		if err := proto.Unmarshal(body, &request); err != nil {
			b.Fatal(err)
		}
		bodies[i] = otlpJSON(b, &request, false)
	}
	runOn(b, bodies, func(body []byte) {
		spans, rejected, err := d.JSON(body)
		if len(spans) == 0 || len(rejected) > 0 || err != nil {
			b.Fatal(len(spans), rejected, err)
		}
	})
}

// BenchmarkDecodeOverScan does both in turn, so that whatever else the machine
// is busy with slows both, and reports how many times longer decoding takes.
func BenchmarkDecodeOverScan(b *testing.B) {
	bodies := postBodies(b, "envoy-http")
	var d Decoder
	var decode, walk time.Duration
	for b.Loop() {
		began := time.Now()
		for _, body := range bodies {
			if _, _, err := d.Proto(body); err != nil {
				b.Fatal(err)
			}
		}
		between := time.Now()
		for _, body := range bodies {
			if _, err := scan(body); err != nil {
				b.Fatal(err)
			}
		}
		decode += between.Sub(began)
		walk += time.Since(between)
	}
	b.ReportMetric(float64(decode)/float64(walk), "decode/scan")
}

// scan walks over all fields of a request down to those of attributes' values,
// and counts them.
func scan(body []byte) (n int, err error) {
	inside := [...]protowire.Number{1, 2, 2, 9, 2} // resource, scope, span, attribute, value
	var walk func(m protobuf.Message, depth int)
	walk = func(m protobuf.Message, depth int) {
		for ; m.Next(&err); n++ {
			if depth < len(inside) && m.IsBytes(inside[depth]) {
				walk(m.Inside(), depth+1)
			}
		}
	}
	walk(protobuf.Walk(body), 0)
	return n, err
}

func run(b *testing.B, decode func(body []byte)) { runOn(b, postBodies(b, "envoy-http"), decode) }

// runOn decodes the bodies in turn and reports throughput and time a span.
func runOn(b *testing.B, bodies [][]byte, decode func(body []byte)) {
	size := 0
	for _, body := range bodies {
		size += len(body)
	}
	b.SetBytes(int64(size / len(bodies)))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		decode(bodies[i])
		i = (i + 1) % len(bodies)
	}
	const spans = 92 // of all posts
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/spans*float64(len(bodies)), "ns/span")
}
