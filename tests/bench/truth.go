//go:build linux

package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/spandrel/spandrel"
)

// truth remembers of every span posted what the questions of the mix ask for,
// in a few bytes each, and finds the right answers by looking at all of them.
// It shares no code with any store.
type truth struct {
	rows     []row
	traces   []traceFacts
	services names
	ops      names
	statuses names
	pods     names         // addresses
	podOf    map[int]int16 // the service of a pod
	byID     map[spandrel.TraceID]int32
}

// row is one span. Times are microseconds, as Envoy sends them.
type row struct {
	start    int64
	duration int32
	trace    int32
	op       int32
	service  int16
	status   int16
	caller   int16 // number of the peer's address in a callee's span, -1 in a caller's
	failed   bool
}

// traceFacts is what is known of a whole trace.
type traceFacts struct {
	id        spandrel.TraceID
	requestID string
	service   int16 // of one of its spans
	spans     int32
	start     int64
}

// names numbers strings.
type names struct {
	list   []string
	number map[string]int
}

func (n *names) of(s string) int {
	if i, ok := n.number[s]; ok {
		return i
	}
	if n.number == nil {
		n.number = map[string]int{}
	}
	n.number[s] = len(n.list)
	n.list = append(n.list, s)
	return len(n.list) - 1
}

// add notes all spans of the slice.
func (t *truth) add(s *slice) {
	if t.byID == nil {
		t.byID, t.podOf = map[spandrel.TraceID]int32{}, map[int]int16{}
	}
	for _, spans := range s.made {
		for i := range spans {
			t.addSpan(&spans[i])
		}
	}
}

func (t *truth) addSpan(s *spandrel.Span) {
	tag := func(key string) string { v, _ := s.Tag(key); return v.String() }
	service := int16(t.services.of(s.Service()))
	trace, ok := t.byID[s.TraceID]
	if !ok {
		trace = int32(len(t.traces))
		t.byID[s.TraceID] = trace
		t.traces = append(t.traces, traceFacts{id: s.TraceID, requestID: tag("guid:x-request-id"), service: service, start: s.Start / 1000})
	}
	t.podOf[t.pods.of(s.Local.IPv4.String())] = service
	caller := -1
	if s.Kind == spandrel.KindServer {
		caller = t.pods.of(tag("peer.address"))
	}
	facts := &t.traces[trace]
	facts.spans++
	facts.start = min(facts.start, s.Start/1000)
	t.rows = append(t.rows, row{
		start: s.Start / 1000, duration: int32(max(1, s.Duration/1000)), trace: trace, service: service,
		op: int32(t.ops.of(s.Name)), status: int16(t.statuses.of(tag("http.status_code"))),
		caller: int16(caller), failed: tag("error") == "true",
	})
}

// span is the time between the first and the last start of a span, inclusive.
func (t *truth) span() (first, last int64) {
	first = t.rows[0].start
	for i := range t.rows {
		first, last = min(first, t.rows[i].start), max(last, t.rows[i].start)
	}
	return first, last
}

// ask is a question of the search form. Conditions that are "" or 0 are none.
type ask struct {
	service, operation string
	status             string
	failed             bool
	requestID          string
	from, to           int64 // µs
	minDuration        time.Duration
	limit              int
}

// match is a trace that an answer may hold and when its newest matching span
// began.
type match struct {
	id    spandrel.TraceID
	start int64
}

// search gives the traces with a span that meets all conditions, newest first:
// the limit that are wanted, and after them those that are as old as the last
// of these.
func (t *truth) search(a ask) (right []match, wanted int) {
	newest := map[int32]int64{}
	least := int32(a.minDuration.Microseconds())
	service, operation, status := t.services.want(a.service), t.ops.want(a.operation), t.statuses.want(a.status)
	for i := range t.rows {
		r := &t.rows[i]
		if (service == anyName || int(r.service) == service) && (operation == anyName || int(r.op) == operation) &&
			(status == anyName || int(r.status) == status) && r.start >= a.from && r.start <= a.to && r.duration >= least &&
			(!a.failed || r.failed) && (a.requestID == "" || t.traces[r.trace].requestID == a.requestID) {
			newest[r.trace] = max(newest[r.trace], r.start)
		}
	}
	for trace, start := range newest {
		right = append(right, match{t.traces[trace].id, start})
	}
	slices.SortFunc(right, func(x, y match) int {
		return cmp.Or(cmp.Compare(y.start, x.start), x.id.Compare(y.id))
	})
	wanted = min(len(right), a.limit)
	end := wanted
	for end < len(right) && right[end].start == right[wanted-1].start {
		end++
	}
	return slices.Clone(right[:end]), wanted
}

// anyName is no condition on a name, noName one that nothing meets.
const (
	anyName = -1
	noName  = -2
)

func (n *names) want(s string) int {
	if s == "" {
		return anyName
	}
	if i, ok := n.number[s]; ok {
		return i
	}
	return noName
}

// edge is a call of one service by another.
type edge struct{ parent, child string }

// calls counts who called whom in the minutes that from and to (µs) touch. It
// goes by the address that the callee saw, not by parents.
func (t *truth) calls(from, to int64) map[edge]uint64 {
	const minute = int64(time.Minute / time.Microsecond)
	from, to = from/minute*minute, (to+minute-1)/minute*minute
	found := map[edge]uint64{}
	for i := range t.rows {
		if r := &t.rows[i]; r.caller >= 0 && r.start >= from && r.start < to {
			found[edge{t.services.list[t.podOf[int(r.caller)]], t.services.list[r.service]}]++
		}
	}
	return found
}

// operationsOf are the names of the service's spans.
func (t *truth) operationsOf(service string) map[string]bool {
	found, want := map[string]bool{}, t.services.want(service)
	for i := range t.rows {
		if int(t.rows[i].service) == want {
			found[t.ops.list[t.rows[i].op]] = true
		}
	}
	return found
}

// tracesOf gives up to n traces, spread over all that have from to to spans.
func (t *truth) tracesOf(from, to int32, n int) []traceFacts {
	var fit []traceFacts
	for _, f := range t.traces {
		if f.spans >= from && f.spans <= to {
			fit = append(fit, f)
		}
	}
	if len(fit) <= n {
		return fit
	}
	some := make([]traceFacts, 0, n)
	for i := range n {
		some = append(some, fit[i*len(fit)/n])
	}
	return some
}
