package spandrel

// Dependency says how often one service called another.
type Dependency struct {
	Parent, Child string
	Calls, Errors uint64 // Errors ≤ Calls
}

// Call is one call of a service by another, found in one trace.
type Call struct {
	Parent, Child string // service names, never empty
	Start         int64  // of the span that shows the call, the callee's where there is one
	Error         bool
}

// Calls finds the calls between services in the spans of one trace, which it
// assembles first. The rules are those of Zipkin's DependencyLinker, which
// knows shared ids, remote endpoints and services that report nothing, with
// two additions: a client whose children are all its own is still a caller of
// its remote endpoint, and, as in Jaeger, a span of any kind whose parent is
// in another service was called by that service. A service that calls itself
// counts.
func Calls(spans []Span) []Call {
	all := Assemble(spans)
	l := linker{spans: all, parents: Parents(all), callers: make([]int, len(all)), answered: make([]bool, len(all)), calls: make([]Call, 0, len(all))}
	order := parentsFirst(l.parents)
	for _, i := range order {
		l.findCaller(i)
	}
	for _, i := range order {
		l.link(i)
	}
	return l.calls
}

type linker struct {
	spans    []*Span
	parents  []int
	callers  []int  // the nearest ancestor that is one side of a call, -1 = none
	answered []bool // someone else reports the call that this span made
	calls    []Call
}

// findCaller fills callers[i]; its ancestors have been done.
func (l *linker) findCaller(i int) {
	p := l.parents[i]
	if p >= 0 && !isCaller(l.spans[p].Kind) && !isCallee(l.spans[p].Kind) {
		p = l.callers[p]
	}
	l.callers[i] = p
	if p < 0 {
		return
	}
	s, caller := l.spans[i], l.spans[p]
	if isCallee(s.Kind) || s.Local.Service != "" && s.Local.Service != caller.Local.Service {
		l.answered[p] = true
	}
}

// link adds the calls that span i shows.
func (l *linker) link(i int) {
	s := l.spans[i]
	caller := &Span{}
	if l.callers[i] >= 0 {
		caller = l.spans[l.callers[i]]
	}
	switch {
	case isCallee(s.Kind):
		l.linkCallee(s, caller, l.parents[i] == l.callers[i])
	case isCaller(s.Kind), s.Local.Service != "" && s.Remote.Service != "":
		l.linkCaller(s, caller, l.answered[i])
	case l.parents[i] >= 0 && l.spans[l.parents[i]].Local.Service != s.Local.Service:
		l.add(l.spans[l.parents[i]].Local.Service, s.Local.Service, s.Start, s.IsError())
	}
}

// linkCallee adds the call that a server or consumer answered. A consumer's
// caller is the broker where one is named.
func (l *linker) linkCallee(s, caller *Span, direct bool) {
	parent := s.Remote.Service
	viaBroker := caller.Kind == KindProducer && caller.Remote.Service != ""
	if s.Kind == KindServer && caller.Local.Service != "" || parent == "" && !viaBroker {
		parent = caller.Local.Service
	}
	failed := s.IsError() || direct && isCaller(caller.Kind) && caller.IsError()
	l.add(parent, s.Local.Service, s.Start, failed)
}

// linkCaller adds the call that a client or producer made, unless somebody
// else reports it, and the call that it was part of, where its parent is in
// another service.
func (l *linker) linkCaller(s, caller *Span, answered bool) {
	from := s.Local.Service
	if from == "" {
		from = caller.Local.Service
	} else if caller.Local.Service != from {
		l.add(caller.Local.Service, from, s.Start, false)
	}
	if s.Kind == KindProducer || !answered {
		l.add(from, s.Remote.Service, s.Start, s.IsError())
	}
}

func (l *linker) add(parent, child string, start int64, failed bool) {
	if parent != "" && child != "" {
		l.calls = append(l.calls, Call{parent, child, start, failed})
	}
}
