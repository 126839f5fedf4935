package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// The defaults of Options.
const (
	DefaultMaxBodyBytes     = 20 << 20 // as OpenTelemetry's and Jaeger's receivers
	DefaultMaxInFlightBytes = 128 << 20
	DefaultMaxInFlightPosts = 4096
	DefaultWriteTimeout     = 10 * time.Second
)

// Options are what a Collector may be told; zero values are defaults.
type Options struct {
	Logger     *slog.Logger          // nil: logs nothing
	Registerer prometheus.Registerer // nil: counts for nobody

	// MaxBodyBytes bounds the body of a post, as sent and decompressed.
	MaxBodyBytes int64
	// MaxInFlightBytes bounds the memory of all posts under way. It is at
	// least MaxBodyBytes.
	MaxInFlightBytes int64
	// MaxInFlightPosts bounds how many posts may be read or wait for the store.
	MaxInFlightPosts int
	// MaxSpanBytes rejects spans whose names, tags and events have more bytes
	// of text; 0: no limit.
	MaxSpanBytes int
	// WriteTimeout bounds how long a post waits for the store.
	WriteTimeout time.Duration
	// Now tells the time, for spans that come without and for measuring.
	Now func() time.Time
}

// withDefaults fills in what is zero.
func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxBodyBytes <= 0 {
		o.MaxBodyBytes = DefaultMaxBodyBytes
	}
	if o.MaxInFlightBytes <= 0 {
		o.MaxInFlightBytes = DefaultMaxInFlightBytes
	}
	o.MaxInFlightBytes = max(o.MaxInFlightBytes, o.MaxBodyBytes)
	if o.MaxInFlightPosts <= 0 {
		o.MaxInFlightPosts = DefaultMaxInFlightPosts
	}
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = DefaultWriteTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Collector is what all receivers share: it admits, counts and writes.
type Collector struct {
	opts    Options // with its defaults
	writer  storage.Writer
	gate    *gate
	metrics *metrics
	log     *sparseLog
}

// New makes a Collector that writes to w.
func New(w storage.Writer, o Options) *Collector {
	o = o.withDefaults()
	g := newGate(o.MaxInFlightBytes, o.MaxInFlightPosts)
	return &Collector{
		opts:    o,
		writer:  w,
		gate:    g,
		metrics: newMetrics(o.Registerer, g),
		log:     &sparseLog{to: o.Logger, now: o.Now},
	}
}

// Batch is what one post or message brought.
type Batch struct {
	Format    Format
	Transport string // http or grpc
	Spans     []spandrel.Span
	Rejected  []spandrel.Rejection // by the decoder
}

// ReasonTooLarge is the reason of spans that exceed Options.MaxSpanBytes.
const ReasonTooLarge = "too_large"

// RejectedError says which spans of a batch are not taken; all others are
// stored.
type RejectedError struct {
	Stored   int
	Rejected []spandrel.Rejection
}

const (
	maxNamedRejections = 20
	maxRejectionText   = 160
)

// Error names the first 20 rejected spans, each in a line of its own.
func (e *RejectedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d spans rejected, %d stored", len(e.Rejected), len(e.Rejected)+e.Stored, e.Stored)
	for i, r := range e.Rejected {
		if i == maxNamedRejections {
			fmt.Fprintf(&b, "\n… and %d more", len(e.Rejected)-i)
			break
		}
		b.WriteString("\n")
		if r.Index >= 0 {
			fmt.Fprintf(&b, "span %d: ", r.Index)
		}
		b.WriteString(r.Reason)
		if r.Err != nil {
			b.WriteString(": " + clip(r.Err.Error(), maxRejectionText))
		}
	}
	return b.String()
}

// Accept stores the batch's spans and counts them. Those without a start get
// the time of arrival, in place. It returns nil when all are stored, a
// *RejectedError when all but some invalid ones are, and else the error of the
// store, which may have stored any of them.
//
// Neither the batch nor what it points to is used after Accept returned.
func (c *Collector) Accept(ctx context.Context, b Batch) error {
	c.arrive(b.Spans)
	if c.opts.MaxSpanBytes > 0 {
		c.refuseLarge(&b)
	}
	var err error
	if len(b.Spans) > 0 {
		err = c.writer.Write(ctx, b.Spans)
	}
	c.metrics.count(&b, err)
	if err != nil {
		return err
	}
	if len(b.Rejected) > 0 {
		return &RejectedError{Stored: len(b.Spans), Rejected: b.Rejected}
	}
	return nil
}

// arrive gives the spans without a start one.
func (c *Collector) arrive(spans []spandrel.Span) {
	var now int64
	for i := range spans {
		if spans[i].Start != 0 {
			continue
		}
		if now == 0 {
			now = c.opts.Now().UnixNano()
		}
		spans[i].Start = now
		spans[i].Flags |= spandrel.FlagNoStart
	}
}

// refuseLarge moves the spans that are too large to the rejected. Which place
// they had in the body is not known here.
func (c *Collector) refuseLarge(b *Batch) {
	kept := b.Spans[:0]
	for i := range b.Spans {
		span := &b.Spans[i]
		size := textSize(span)
		if size <= c.opts.MaxSpanBytes {
			kept = append(kept, *span)
			continue
		}
		b.Rejected = append(b.Rejected, spandrel.Rejection{Index: -1, Reason: ReasonTooLarge,
			Err: fmt.Errorf("span %v of trace %v has %d bytes, more than %d", span.ID, span.TraceID, size, c.opts.MaxSpanBytes)})
	}
	b.Spans = kept
}

// textSize adds up the lengths of the span's texts.
func textSize(s *spandrel.Span) int {
	n := len(s.Name) + len(s.Local.Service) + len(s.Remote.Service) + len(s.StatusMessage) + len(s.TraceState)
	n += tagsSize(s.Tags) + tagsSize(s.Resource) + tagsSize(s.Scope.Tags)
	for i := range s.Events {
		n += len(s.Events[i].Name) + tagsSize(s.Events[i].Fields)
	}
	for i := range s.Links {
		n += len(s.Links[i].TraceState) + tagsSize(s.Links[i].Tags)
	}
	return n
}

func tagsSize(tags []spandrel.Tag) int {
	n := 0
	for i := range tags {
		n += len(tags[i].Key) + len(tags[i].Value.Raw())
	}
	return n
}

// Drain refuses new posts with 503 and waits until those under way have been
// answered. It returns the context's error if that ends first.
func (c *Collector) Drain(ctx context.Context) error {
	select {
	case <-c.gate.drain():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// failure is the reason, a metric label, why spans could not be stored.
func failure(err error) string {
	switch {
	case errors.Is(err, storage.ErrOverloaded):
		return "overloaded"
	case errors.Is(err, storage.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, storage.ErrClosed):
		return "closed"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return "internal"
}
