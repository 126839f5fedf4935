package collector

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestGateBoundsPostsAndBytes(t *testing.T) {
	g := newGate(100, 2)
	first, err := g.enter(60)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.enter(41); !errors.Is(err, errBusy) {
		t.Errorf("41 bytes more: got %v", err)
	}
	second, err := g.enter(10)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.enter(0); !errors.Is(err, errBusy) {
		t.Errorf("a third post: got %v", err)
	}
	if err := second.grow(31); !errors.Is(err, errBusy) {
		t.Errorf("growing too much: got %v", err)
	}
	if err := second.grow(30); err != nil {
		t.Errorf("growing: got %v", err)
	}
	second.charge(500)
	first.leave()
	if _, err := g.enter(1); !errors.Is(err, errBusy) {
		t.Errorf("while more is charged than there is: got %v", err)
	}
	second.leave()
	if posts, bytes := g.held(); posts != 0 || bytes != 0 {
		t.Errorf("left behind: %d posts, %d bytes", posts, bytes)
	}
}

func TestDrainWaitsForThoseInside(t *testing.T) {
	c := New(&recorder{}, Options{})
	inside, err := c.gate.enter(1)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Drain(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("with somebody inside: got %v", err)
	}
	if _, err := c.gate.enter(1); !errors.Is(err, errDraining) {
		t.Errorf("entering while draining: got %v", err)
	}
	inside.leave()
	if err := c.Drain(t.Context()); err != nil {
		t.Errorf("with nobody inside: got %v", err)
	}
}

func TestSparseLog(t *testing.T) {
	now := time.Unix(0, 0)
	l := sparseLog{now: func() time.Time { return now }}
	check := func(key string, wantSkipped int, want bool) {
		t.Helper()
		if skipped, ok := l.pass(key); ok != want || skipped != wantSkipped {
			t.Errorf("%s at %v: got %d %v, want %d %v", key, now.Unix(), skipped, ok, wantSkipped, want)
		}
	}
	check("a", 0, true)
	check("b", 0, true)
	check("a", 0, false)
	check("a", 0, false)
	now = now.Add(logEvery)
	check("a", 2, true)
	check("b", 0, true)
	check("a", 0, false)
	for i := range 2 * maxLogKeys {
		l.pass(string(rune('А' + i)))
	}
	if len(l.keys) > maxLogKeys+1 {
		t.Errorf("%d keys", len(l.keys))
	}
}

func TestPathLabels(t *testing.T) {
	for _, test := range []struct{ name, path, want string }{
		{"as it is", "/api/v3/spans", "/api/v3/spans"},
		{"numbers and ids", "/trace/5af7183fb1d4cf5f/12/spans", "/trace/{id}/{id}/spans"},
		{"a UUID", "/x/0e8b46e1-81b0-4f2e-9a01-1234567890ab", "/x/{id}"},
		{"words of hexadecimal letters", "/cafe/dead", "/cafe/dead"},
		{"long", "/" + string(make([]byte, 500)), "/" + string(make([]byte, 99)) + "…"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := pathLabel(test.path); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
