package zipkin

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

// BenchmarkDecodeJSON decodes recorded posts of Envoy, most of five spans.
// BenchmarkScan is its ceiling: the same bytes scanned without making anything
// of them. BenchmarkEncodingJSON is its floor: the standard library filling
// structs that are not spans yet.
func BenchmarkDecodeJSON(b *testing.B) {
	var d Decoder
	run(b, "bookinfo", func(body []byte) {
		spans, rejected, err := d.JSON(body, false)
		if len(spans) == 0 || len(rejected) > 0 || err != nil {
			b.Fatal(len(spans), rejected, err)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	run(b, "bookinfo", func(body []byte) {
		s := scanner{src: body}
		s.skip(maxDepth)
		if s.err != nil || s.pos != len(body) {
			b.Fatal(s.err, s.pos)
		}
	})
}

// BenchmarkDecodeOverScan does both in turn, so that whatever else the machine
// is busy with slows both, and reports how many times longer decoding takes.
func BenchmarkDecodeOverScan(b *testing.B) {
	bodies := postBodies(b, "bookinfo")
	var d Decoder
	var decode, scan time.Duration
	for b.Loop() {
		began := time.Now()
		for _, body := range bodies {
			if _, _, err := d.JSON(body, false); err != nil {
				b.Fatal(err)
			}
		}
		between := time.Now()
		for _, body := range bodies {
			s := scanner{src: body}
			s.skip(maxDepth)
		}
		decode += between.Sub(began)
		scan += time.Since(between)
	}
	b.ReportMetric(float64(decode)/float64(scan), "decode/scan")
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
	run(b, "bookinfo", func(body []byte) {
		var spans []span
		if err := json.Unmarshal(body, &spans); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkDecodeProto(b *testing.B) {
	var d Decoder
	run(b, "protobuf", func(body []byte) {
		spans, rejected, err := d.Proto(body)
		if len(spans) == 0 || len(rejected) > 0 || err != nil {
			b.Fatal(len(spans), rejected, err)
		}
	})
}

// run decodes the recorded posts in turn and reports throughput and time a span.
func run(b *testing.B, posts string, decode func(body []byte)) {
	bodies := postBodies(b, posts)
	size, spans := 0, 0
	for _, body := range bodies {
		size += len(body)
		spans += bytes.Count(body, []byte("guid:x-request-id")) // Envoy's every span has one
	}
	b.SetBytes(int64(size / len(bodies)))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		decode(bodies[i])
		i = (i + 1) % len(bodies)
	}
	perPost := float64(spans) / float64(len(bodies))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/perPost, "ns/span")
}
