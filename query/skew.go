package query

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/spandrel/spandrel"
)

// AdjustClockSkew shifts spans that seem to lie outside their parents because
// the two hosts' clocks differ, by limit at most, and says so in warnings. It
// is Jaeger's algorithm (clockskew.go of its query service): a span of another
// host than its parent's, or of an unknown host, is moved into the middle of
// its parent, or, when it lasted longer, to its start; spans of the same host
// below it move along. A host is known by its address.
//
// It changes the Spans of t, not what they point to.
func AdjustClockSkew(t *Trace, limit time.Duration) {
	skews := make([]skew, len(t.Spans))
	for _, i := range t.parentsFirst() {
		s := &t.Spans[i]
		host := s.Local.IP()
		if s.Parent < 0 {
			skews[i] = skew{host: host}
			if s.ViewParentID != 0 {
				s.warn("invalid parent span IDs=%s; skipping clock skew adjustment", s.ViewParentID)
			}
			continue
		}
		skews[i] = skews[s.Parent]
		if host != skews[i].host || !host.IsValid() {
			skews[i] = skew{host, skewOf(s.Span, t.Spans[s.Parent].Span)}
		}
		s.shift(skews[i].delta, limit)
	}
}

// skew is how far a host's clock is behind.
type skew struct {
	host  netip.Addr
	delta time.Duration
}

// skewOf is by how much the child must be shifted to fit into its parent.
func skewOf(child, parent *spandrel.Span) time.Duration {
	if child.Duration > parent.Duration {
		return time.Duration(max(0, parent.Start-child.Start))
	}
	if child.Start >= parent.Start && child.Start+child.Duration <= parent.Start+parent.Duration {
		return 0
	}
	return time.Duration(parent.Start + (parent.Duration-child.Duration)/2 - child.Start)
}

// shift moves the span and its events, on a copy.
func (s *Span) shift(delta, limit time.Duration) {
	switch {
	case delta == 0:
		return
	case delta.Abs() > limit:
		s.warn("max clock skew adjustment delta of %v exceeded; not applying calculated delta of %v", limit, delta)
		return
	}
	moved := *s.Span
	moved.Start += int64(delta)
	moved.Events = slices.Clone(moved.Events)
	for i := range moved.Events {
		moved.Events[i].Time += int64(delta)
	}
	s.Span = &moved
	s.warn("This span's timestamps were adjusted by %v", delta)
}

func (s *Span) warn(format string, args ...any) {
	s.Warnings = append(s.Warnings, fmt.Sprintf(format, args...))
}

// parentsFirst lists all indices so that parents come before their children.
func (t *Trace) parentsFirst() []int {
	order := make([]int, 0, len(t.Spans))
	placed := make([]bool, len(t.Spans))
	var path []int
	for i := range t.Spans {
		path = path[:0]
		for at := i; at >= 0 && !placed[at]; at = t.Spans[at].Parent {
			placed[at] = true
			path = append(path, at)
		}
		for _, at := range slices.Backward(path) {
			order = append(order, at)
		}
	}
	return order
}
