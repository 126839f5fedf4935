package query

import (
	"context"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// standingSpans bounds the spans that are looked at for one: people ask often.
const standingSpans = 200_000

// StandingQuery asks where a span's duration stands among those of its like.
type StandingQuery struct {
	From, To           int64 // of spans' starts, inclusive
	Service, Operation string
	Kind               spandrel.Kind
	Duration           int64
}

// Standing is where a duration stands among those of spans of one service,
// operation and kind, the span itself included.
type Standing struct {
	Spans  int64    `json:"spans"`
	Faster int64    `json:"faster"` // took less
	Same   int64    `json:"same"`   // took as long
	P50    Micros   `json:"p50"`
	P95    Micros   `json:"p95"`
	Scan   ScanInfo `json:"scan"`
}

// Standing counts the spans of the range that are alike. The counts are exact,
// percentiles those of a Histogram.
func (s *Service) Standing(ctx context.Context, q StandingQuery) (*Standing, error) {
	var out Standing
	var all Histogram
	info, err := s.scan(ctx, storage.ScanRange{From: q.From, To: q.To, MaxSpans: standingSpans}, storage.Outline{}, func(int64) {}, func(span *spandrel.Span) {
		if span.Name != q.Operation || span.Kind != q.Kind || span.Service() != q.Service {
			return
		}
		all.Add(span.Duration)
		switch {
		case span.Duration < q.Duration:
			out.Faster++
		case span.Duration == q.Duration:
			out.Same++
		}
	})
	if err != nil {
		return nil, err
	}
	out.Spans, out.Scan = all.Count, info
	out.P50, out.P95 = Micros(all.Quantile(.5)), Micros(all.Quantile(.95))
	return &out, nil
}
