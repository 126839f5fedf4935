package storagetest

import (
	"fmt"

	"github.com/spandrel/spandrel"
)

// Large makes one trace of n spans: a root with as many calls one after the
// other, and those that follow from them, as that takes.
func (g *Generator) Large(n int) []spandrel.Span {
	g.trace, g.owners = make([]spandrel.Span, 0, n), g.owners[:0]
	id := spandrel.TraceID{High: g.randomID(), Low: g.randomID()}
	root := spandrel.SpanID(id.Low)
	c := call{trace: id, from: 0, parent: root, requestID: fmt.Sprintf("%08x-%04x-9%03x", g.rng.Uint32(), g.rng.IntN(1<<16), g.rng.IntN(1<<12)), user: "jason"}
	start := g.now
	end := start
	for len(g.trace) < n-1 {
		_, end = g.call(c, spandrel.SpanID(g.randomID()), end, min(400, n-1-len(g.trace)))
	}
	g.trace, g.owners = g.trace[:max(0, n-1)], g.owners[:max(0, n-1)]
	c.parent, c.status, c.flags, c.path = 0, "200", "-", "/"
	c.to = g.services[0].calls[0]
	g.add(c, spandrel.KindClient, root, start, end)
	g.now = end
	return g.trace
}
