package collector

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/spandrel/spandrel"
)

// fixedNow is when all posts of these tests arrive.
func fixedNow() time.Time { return time.Unix(1_700_000_000, 0) }

// recorder is a storage.Writer that remembers, unless it is told to fail or to
// wait.
type recorder struct {
	err     error
	entered chan struct{} // told of each write, if not nil
	wait    chan struct{} // each write waits until it is closed, if not nil

	mu    sync.Mutex // guards spans
	spans []spandrel.Span
}

func (w *recorder) Write(ctx context.Context, spans []spandrel.Span) error {
	if w.entered != nil {
		w.entered <- struct{}{}
	}
	if w.wait != nil {
		select {
		case <-w.wait:
		case <-ctx.Done():
			return fmt.Errorf("waiting: %w", ctx.Err())
		}
	}
	if err := cmp.Or(w.err, ctx.Err()); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range spans {
		w.spans = append(w.spans, spans[i].Clone())
	}
	return nil
}

// writer is a storage.Writer that is a function.
type writer func([]spandrel.Span) error

func (f writer) Write(_ context.Context, spans []spandrel.Span) error { return f(spans) }

func (w *recorder) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.spans)
}

// show writes a span in one line, for people:
//
//	trace/id<parent kind "name" local>remote @start+duration flags key="value" [time "event"]
//
// Times are microseconds; @now is when the post arrived. What is missing is
// left out, and long texts are given by their length.
func show(s *spandrel.Span) string {
	var b strings.Builder
	trim := func(id fmt.Stringer) string { return strings.TrimLeft(id.String(), "0") }
	fmt.Fprintf(&b, "%s/%s", trim(s.TraceID), trim(s.ID))
	if s.ParentID != 0 {
		b.WriteString("<" + trim(s.ParentID))
	}
	if s.Kind != spandrel.KindNone {
		b.WriteString(" " + s.Kind.String())
	}
	if s.Name != "" {
		b.WriteString(" " + showText(s.Name))
	}
	if !s.Local.IsZero() || !s.Remote.IsZero() {
		b.WriteString(" " + showEndpoint(s.Local))
		if !s.Remote.IsZero() {
			b.WriteString(">" + showEndpoint(s.Remote))
		}
	}
	if s.Flags&spandrel.FlagNoStart != 0 && s.Start == fixedNow().UnixNano() {
		b.WriteString(" @now")
	} else {
		fmt.Fprintf(&b, " @%d", s.Start/1000)
	}
	if s.Duration != 0 {
		fmt.Fprintf(&b, "+%d", s.Duration/1000)
	}
	if s.Flags&spandrel.FlagShared != 0 {
		b.WriteString(" shared")
	}
	if s.Flags&spandrel.FlagDebug != 0 {
		b.WriteString(" debug")
	}
	for _, tag := range s.Tags {
		b.WriteString(" " + showText(tag.Key) + "=" + showText(tag.Value.String()))
	}
	for _, e := range s.Events {
		fmt.Fprintf(&b, " [%d %s]", e.Time/1000, showText(e.Name))
	}
	return b.String()
}

func showText(s string) string {
	if len(s) > 60 {
		return fmt.Sprintf("%.8q…%d", s, len(s))
	}
	return fmt.Sprintf("%q", s)
}

func showEndpoint(e spandrel.Endpoint) string {
	s := strings.ReplaceAll(showText(e.Service), `"`, "")
	if e.IPv4.IsValid() {
		s += "(" + e.IPv4.String() + ")"
	}
	if e.IPv6.IsValid() {
		s += "(" + e.IPv6.String() + ")"
	}
	if e.Port != 0 {
		s += fmt.Sprintf(":%d", e.Port)
	}
	return s
}

func newReader(b []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(b)) }

// sum adds up a counter's children that have all the labels given as key, value
// pairs; of a histogram it is how many were observed.
func sum(t testing.TB, g prometheus.Gatherer, name string, labels ...string) float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var total float64
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if hasLabels(m, labels) {
				total += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return total
}

func hasLabels(m *dto.Metric, labels []string) bool {
	for i := 0; i < len(labels); i += 2 {
		found := false
		for _, l := range m.GetLabel() {
			found = found || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
		}
		if !found {
			return false
		}
	}
	return true
}

// alias is b as a string that shares its memory, as decoders hand it out.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
