//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage/storagetest"
)

// post is one request of a sidecar.
type post struct {
	raw   []byte // the request, ready for the wire
	body  []byte // its JSON, within raw
	spans int
}

// slice is what a server gets at one turn.
type slice struct {
	posts []post
	spans int
	bytes int               // of JSON
	made  [][]spandrel.Span // the spans of each post
}

// traffic makes slices. It keeps nothing of them.
type traffic struct {
	gen *storagetest.Generator
	rng *rand.Rand // for the order of fields
}

// spansPerTrace is about what the generator's traces have on average; it only
// decides how many traces fit into a window of time.
const spansPerTrace = 8.3

// newTraffic spreads spans over the window that begins at start.
func newTraffic(seed uint64, spans, maxBatch int, start time.Time, window time.Duration) *traffic {
	interval := time.Duration(float64(window) * spansPerTrace / float64(spans))
	return &traffic{
		gen: storagetest.NewGenerator(seed, storagetest.GeneratorOptions{
			Services: 40, Pods: 3, MaxSpans: 2200, Tail: 1.6, MaxBatch: maxBatch, Varied: true, Start: start, Interval: interval,
		}),
		rng: rand.New(rand.NewPCG(seed, 0x9e3779b9)),
	}
}

// next makes a slice of at least n spans. Its spans are the caller's.
func (t *traffic) next(n int) *slice {
	s := &slice{}
	for s.spans < n {
		s.add(t.rng, t.gen.NextBatch())
	}
	return s
}

// rest is what the sidecars still hold.
func (t *traffic) rest() *slice {
	s := &slice{}
	for _, spans := range t.gen.Rest() {
		s.add(t.rng, spans)
	}
	return s
}

// add makes the request that posts the spans, to the byte as Envoy 1.40 does:
// one chunk.
func (s *slice) add(rng *rand.Rand, spans []spandrel.Span) {
	const head = "POST /api/v2/spans HTTP/1.1\r\nhost: zipkin\r\ncontent-type: application/json\r\n" +
		"x-envoy-internal: true\r\nx-forwarded-for: 192.0.2.2\r\nx-envoy-expected-rq-timeout-ms: 5000\r\n" +
		"transfer-encoding: chunked\r\n\r\n"
	body := storagetest.AppendEnvoyJSON(nil, spans, rng)
	raw := fmt.Appendf(make([]byte, 0, len(head)+len(body)+16), "%s%x\r\n", head, len(body))
	at := len(raw)
	raw = append(append(raw, body...), "\r\n0\r\n\r\n"...)
	s.posts = append(s.posts, post{raw: raw, body: raw[at : at+len(body)], spans: len(spans)})
	s.made = append(s.made, spans)
	s.spans += len(spans)
	s.bytes += len(body)
}
