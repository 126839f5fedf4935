package spandrel

// Parents gives for each span of an assembled trace the index of its parent,
// -1 where it has none or the parent is not there. Following parents always
// ends: a cycle is cut at its first span.
//
// Where several spans have one id, as the client and the server half of a call
// with Zipkin's shared ids, the server half is the child of the client half,
// and children that name the id belong to the half of their own service, else
// to the server half (Zipkin's SpanNode.java finds the same parents).
func Parents(spans []*Span) []int {
	ids := groupIDs(spans)
	parents := make([]int, len(spans))
	for i, s := range spans {
		parents[i] = -1
		switch own := ids[s.ID]; {
		case own.isServerHalf(spans, i):
			parents[i] = own.owner()
		case s.ParentID != 0 && s.ParentID != s.ID:
			if g := ids[s.ParentID]; g != nil {
				parents[i] = g.parentFor(s)
			}
		}
	}
	cutCycles(parents)
	return parents
}

// idGroup is the spans that have one id, by index; -1 is none.
type idGroup struct {
	caller, server, first int
	byService             map[string]int // only in groups of several
}

// groupIDs finds who has which id. Spans must be in a canonical order, for the
// first of several alike wins.
func groupIDs(spans []*Span) map[SpanID]*idGroup {
	ids := make(map[SpanID]*idGroup, len(spans))
	groups := make([]idGroup, 0, len(spans))
	for i, s := range spans {
		g := ids[s.ID]
		if g == nil {
			groups = append(groups, idGroup{-1, -1, -1, nil})
			g = &groups[len(groups)-1]
			ids[s.ID] = g
		}
		shared := s.Flags&FlagShared != 0
		switch {
		case isCaller(s.Kind) && !shared && g.caller < 0:
			g.caller = i
		case (shared || isCallee(s.Kind)) && g.server < 0:
			g.server = i
		}
		if !shared && g.first < 0 {
			g.first = i
		}
	}
	for i := range spans {
		if g := ids[spans[i].ID]; i != g.caller && i != g.server && i != g.first || g.isPair() {
			g.addService(spans, i)
		}
	}
	return ids
}

func (g *idGroup) isPair() bool { return g.caller >= 0 && g.server >= 0 }

// addService notes that the service of span i has a span of this id; its
// server half takes precedence.
func (g *idGroup) addService(spans []*Span, i int) {
	if g.byService == nil {
		g.byService = make(map[string]int)
	}
	service := spans[i].Local.Service
	if old, ok := g.byService[service]; !ok || isCaller(spans[old].Kind) && !isCaller(spans[i].Kind) {
		g.byService[service] = i
	}
}

// owner is the span the id was made for: the caller, or the first unshared.
func (g *idGroup) owner() int {
	if g.caller >= 0 {
		return g.caller
	}
	return g.first
}

// isServerHalf reports whether span i is the callee's half of a call whose
// caller's half is there too.
func (g *idGroup) isServerHalf(spans []*Span, i int) bool {
	s := spans[i]
	if o := g.owner(); o < 0 || o == i {
		return false
	}
	return s.Flags&FlagShared != 0 || g.caller >= 0 && isCallee(s.Kind)
}

// parentFor is the span of the group that s, which names the id, belongs to.
func (g *idGroup) parentFor(s *Span) int {
	if i, ok := g.byService[s.Local.Service]; ok {
		return i
	}
	if g.server >= 0 {
		return g.server
	}
	return g.owner()
}

// cutCycles makes a forest of parents.
func cutCycles(parents []int) {
	const unseen, onPath, done = 0, 1, 2
	state := make([]byte, len(parents))
	var path []int
	for i := range parents {
		path = path[:0]
		at := i
		for at >= 0 && state[at] == unseen {
			state[at] = onPath
			path = append(path, at)
			at = parents[at]
		}
		if at >= 0 && state[at] == onPath {
			parents[at] = -1
		}
		for _, p := range path {
			state[p] = done
		}
	}
}

// parentsFirst lists all indices so that parents come before their children.
func parentsFirst(parents []int) []int {
	order := make([]int, 0, len(parents))
	placed := make([]bool, len(parents))
	var path []int
	for i := range parents {
		path = path[:0]
		for at := i; at >= 0 && !placed[at]; at = parents[at] {
			placed[at] = true
			path = append(path, at)
		}
		for k := len(path) - 1; k >= 0; k-- {
			order = append(order, path[k])
		}
	}
	return order
}
