package collector

import (
	"errors"
	"sync"
)

var (
	errBusy     = errors.New("too much is under way")
	errDraining = errors.New("shutting down")
)

// gate bounds the posts under way, by number and by the memory they hold.
type gate struct {
	maxPosts int

	mu       sync.Mutex // guards the rest
	maxBytes int64
	bytes    int64
	posts    int
	draining bool
	idle     chan struct{} // closed once draining with no posts left
}

func newGate(maxBytes int64, maxPosts int) *gate {
	return &gate{maxBytes: maxBytes, maxPosts: maxPosts, idle: make(chan struct{})}
}

// fit makes room for posts of n bytes, before the first enters.
func (g *gate) fit(n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.maxBytes = max(g.maxBytes, n)
}

// enter admits a post that will hold n bytes at first. It never waits: it fails
// with errBusy or errDraining. Whoever entered must leave.
func (g *gate) enter(n int64) (ticket, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.draining {
		return ticket{}, errDraining
	}
	if g.posts >= g.maxPosts || g.bytes+n > g.maxBytes {
		return ticket{}, errBusy
	}
	g.posts++
	g.bytes += n
	return ticket{g, n}, nil
}

// drain closes the gate. The channel is closed once nobody is inside.
func (g *gate) drain() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.draining {
		g.draining = true
		if g.posts == 0 {
			close(g.idle)
		}
	}
	return g.idle
}

// held is how many posts are under way, and their bytes.
func (g *gate) held() (posts int, bytes int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.posts, g.bytes
}

// ticket is one post's share of a gate.
type ticket struct {
	gate  *gate
	bytes int64
}

// grow asks for n more bytes; it fails with errBusy.
func (t *ticket) grow(n int64) error {
	t.gate.mu.Lock()
	defer t.gate.mu.Unlock()
	if t.gate.bytes+n > t.gate.maxBytes {
		return errBusy
	}
	t.gate.bytes += n
	t.bytes += n
	return nil
}

// charge adds n bytes that are there already, whatever the bound: it keeps
// others out.
func (t *ticket) charge(n int64) {
	t.gate.mu.Lock()
	defer t.gate.mu.Unlock()
	t.gate.bytes += n
	t.bytes += n
}

// leave gives back what the ticket holds.
func (t *ticket) leave() {
	g := t.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	g.posts--
	g.bytes -= t.bytes
	if g.draining && g.posts == 0 {
		close(g.idle)
	}
}
