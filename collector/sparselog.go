package collector

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	logEvery   = 10 * time.Second // between lines of one key
	maxLogKeys = 1000
)

// sparseLog writes the first event of each key at once and then at most one
// every 10 seconds, with how many were left out in between.
type sparseLog struct {
	to  *slog.Logger
	now func() time.Time

	mu   sync.Mutex // guards keys
	keys map[string]*logKey
}

type logKey struct {
	last    time.Time
	skipped int
}

// write logs the event unless it must be left out. Keys come from a bounded
// set; those beyond maxLogKeys share one.
func (l *sparseLog) write(ctx context.Context, level slog.Level, msg, key string, attrs ...slog.Attr) {
	skipped, ok := l.pass(key)
	if !ok {
		return
	}
	if skipped > 0 {
		attrs = append(attrs, slog.Int("similar_left_out", skipped))
	}
	l.to.LogAttrs(ctx, level, msg, attrs...)
}

// pass reports whether an event of the key may be logged, and how many have
// not been since the last.
func (l *sparseLog) pass(key string) (skipped int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keys == nil {
		l.keys = make(map[string]*logKey)
	}
	k := l.keys[key]
	if k == nil && len(l.keys) >= maxLogKeys {
		key = ""
		k = l.keys[key]
	}
	if k == nil {
		k = new(logKey)
		l.keys[key] = k
	}
	now := l.now()
	if !k.last.IsZero() && now.Sub(k.last) < logEvery {
		k.skipped++
		return 0, false
	}
	skipped = k.skipped
	k.last, k.skipped = now, 0
	return skipped, true
}

// labelSet lets the first max values through; all others become "other".
type labelSet struct {
	max  int
	mu   sync.Mutex // guards seen
	seen map[string]bool
}

func (s *labelSet) label(v string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[v] {
		return v
	}
	if len(s.seen) >= s.max {
		return "other"
	}
	if s.seen == nil {
		s.seen = make(map[string]bool)
	}
	s.seen[v] = true
	return v
}

// clip is valid UTF-8 of at most n bytes and an ellipsis.
func clip(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
