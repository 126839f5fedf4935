package zipkin

import (
	"encoding/json"
	"testing"

	"github.com/spandrel/spandrel"
)

// BenchmarkDecodeJSON decodes recorded posts of Envoy, five spans each.
// BenchmarkScan is its ceiling: the same bytes scanned without making anything
// of them. BenchmarkEncodingJSON is its floor: the standard library filling
// structs that are not spans yet.
func BenchmarkDecodeJSON(b *testing.B) {
	overPosts(b, func(body []byte) {
		spans, rejected, err := DecodeJSON(body, false)
		if len(spans) == 0 || len(rejected) > 0 || err != nil {
			b.Fatal(len(spans), rejected, err)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	overPosts(b, func(body []byte) {
		s := scanner{src: body}
		s.skip(maxDepth)
		if s.err != nil || s.pos != len(body) {
			b.Fatal(s.err, s.pos)
		}
	})
}

func BenchmarkEncodingJSON(b *testing.B) {
	type endpoint struct {
		ServiceName, IPv4, IPv6 string
		Port                    int
	}
	type span struct {
		TraceID, ID, ParentID, Kind, Name string
		Timestamp, Duration               int64
		LocalEndpoint, RemoteEndpoint     endpoint
		Annotations                       []struct {
			Timestamp int64
			Value     string
		}
		Tags          map[string]string
		Debug, Shared bool
	}
	overPosts(b, func(body []byte) {
		var spans []span
		if err := json.Unmarshal(body, &spans); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkDecodeProto(b *testing.B) {
	bodies := postBodies(b, "protobuf")
	run(b, bodies, func(body []byte) []spandrel.Span {
		spans, _, _ := DecodeProto(body)
		return spans
	})
}

// overPosts runs f over the recorded Bookinfo posts in turn.
func overPosts(b *testing.B, f func(body []byte)) {
	run(b, postBodies(b, "bookinfo"), func(body []byte) []spandrel.Span {
		f(body)
		return nil
	})
}

// run reports the throughput of decode and its time a span, five to a post.
func run(b *testing.B, bodies [][]byte, decode func(body []byte) []spandrel.Span) {
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
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/5, "ns/span")
}
