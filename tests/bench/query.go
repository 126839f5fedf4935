//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/spandrel/spandrel"
)

// question is one kind of query of the mix, with variants that take turns.
type question struct {
	name     string
	variants []variant
}

// variant is a request and how its answer differs from the right one.
type variant struct {
	path  string
	check func(body []byte, v *verdict) error
}

// verdict compares answers with the truth.
type verdict struct {
	got, want  int // traces, spans, names, edges or calls
	wrong      int // of got that should not be there
	unsorted   int // answers not in the right order
	unit       string
	refused    int // status, if the server does not answer this at all
	incomplete int // traces with too few spans
}

// String is short, for the table.
func (v verdict) String() string {
	if v.refused != 0 {
		return fmt.Sprintf("refused: %d", v.refused)
	}
	if v.unit == "" {
		return ""
	}
	s := fmt.Sprintf("%d/%d %s", v.got, v.want, v.unit)
	if v.wrong > 0 {
		s += fmt.Sprintf(", %d wrong", v.wrong)
	}
	if v.unsorted > 0 {
		s += fmt.Sprintf(", %d unsorted", v.unsorted)
	}
	if v.incomplete > 0 {
		s += fmt.Sprintf(", %d incomplete", v.incomplete)
	}
	return s
}

// answer is what a question cost one server.
type answer struct {
	question string
	verdict
	times []time.Duration
	bytes int           // of the largest answer
	cpu   time.Duration // of the server, on average
}

// budget bounds what one question may take.
type budget struct {
	requests int
	time     time.Duration
}

// put asks all variants in turn. The first answer of each is checked; each is
// asked at least once, and three requests at least are timed, after one that
// is not.
func (s *server) put(q question, b budget) (*answer, error) {
	client := &http.Client{Timeout: 5 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 1, DisableCompression: true, ReadBufferSize: 64 << 10}}
	defer client.CloseIdleConnections()
	var body bytes.Buffer
	a := &answer{question: q.name}
	base := "http://" + s.query
	if status, err := fetch(client, base+q.variants[0].path, &body); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", s.name, q.name, err)
	} else if status != http.StatusOK && status != http.StatusNotFound {
		a.refused = status
		return a, nil
	}
	before, err := s.usage()
	if err != nil {
		return nil, err
	}
	checking, least := time.Duration(0), max(3, len(q.variants))
	for began := time.Now(); len(a.times) < b.requests && (len(a.times) < least || time.Since(began)-checking < b.time); {
		v := q.variants[len(a.times)%len(q.variants)]
		sent := time.Now()
		status, err := fetch(client, base+v.path, &body)
		took := time.Since(sent)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d: %.200s", status, body.Bytes())
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %s: %w", s.name, q.name, v.path, err)
		}
		if len(a.times) < len(q.variants) {
			if err := v.check(body.Bytes(), &a.verdict); err != nil {
				return nil, fmt.Errorf("%s: %s: %s: %w", s.name, q.name, v.path, err)
			}
			checking += time.Since(sent) - took
		}
		a.times = append(a.times, took)
		a.bytes = max(a.bytes, body.Len())
	}
	after, err := s.usage()
	a.cpu = (after.cpu - before.cpu) / time.Duration(len(a.times))
	return a, err
}

// mix is the questions, made from what is true.
type mix struct {
	*truth
	first, last int64 // µs, of all spans
}

func newMix(t *truth) *mix {
	m := &mix{truth: t}
	m.first, m.last = t.span()
	return m
}

const hour = int64(time.Hour / time.Microsecond)

// questions is the whole mix.
func (m *mix) questions() []question {
	services := m.someServices(8)
	hourAgo := max(m.first, m.last-hour)
	each := func(name string, make func(service string) ask) question {
		q := question{name: name}
		for _, s := range services {
			q.variants = append(q.variants, m.search(make(s)))
		}
		return q
	}
	plain := func(from int64, limit int) func(string) ask {
		return func(s string) ask { return ask{service: s, from: from, to: m.last, limit: limit} }
	}
	with := func(f func(a *ask, service string)) func(string) ask {
		return func(s string) ask {
			a := ask{service: s, from: hourAgo, to: m.last, limit: 20}
			f(&a, s)
			return a
		}
	}
	unique := m.tracesOf(1, 1<<30, 8)
	byRequest := func(name string, withService bool) question {
		q := question{name: name}
		for _, f := range unique {
			a := ask{requestID: f.requestID, from: m.first, to: m.last, limit: 20}
			if withService {
				a.service = m.services.list[f.service]
			}
			q.variants = append(q.variants, m.search(a))
		}
		return q
	}
	all := []question{
		m.whole("trace by id, 6-12 spans", 6, 12), m.whole("trace by id, about 200 spans", 150, 300), m.whole("trace by id, about 2,000 spans", 1500, 1<<30),
		each("service, 1 h, limit 20", plain(hourAgo, 20)), each("service, 1 h, limit 100", plain(hourAgo, 100)),
		each("service, 1 h, limit 1500", plain(hourAgo, 1500)), each("service, all time, limit 20", plain(m.first, 20)),
		each("service + operation, 1 h", with(func(a *ask, s string) { a.operation = m.busiest(s) })),
		each("service + operation, all time", with(func(a *ask, s string) { a.operation, a.from = m.busiest(s), m.first })),
		each("service + status=503, 1 h", with(func(a *ask, _ string) { a.status = "503" })),
		each("service + status=503, all time", with(func(a *ask, _ string) { a.status, a.from = "503", m.first })),
		each("service + status=200, 1 h", with(func(a *ask, _ string) { a.status = "200" })),
		each("service + error=true, 1 h", with(func(a *ask, _ string) { a.failed = true })),
		byRequest("service + x-request-id, all time", true), byRequest("x-request-id, no service, all time", false),
		each("service + minDuration=150ms, 1 h", with(func(a *ask, _ string) { a.minDuration = 150 * time.Millisecond })),
		each("service + operation + error + minDuration=20ms, all time", with(func(a *ask, s string) {
			a.operation, a.failed, a.minDuration, a.from = m.busiest(s), true, 20*time.Millisecond, m.first
		})),
		{"services", []variant{{"/api/services", m.checkNames(m.services.list)}}},
		m.operations("operations", services),
		m.dependencies("dependencies, 1 h", hour), m.dependencies("dependencies, 24 h", 24*hour),
	}
	// A short run may have no large trace.
	return slices.DeleteFunc(all, func(q question) bool { return len(q.variants) == 0 })
}

// someServices gives n of them, busy and quiet ones.
func (m *mix) someServices(n int) []string {
	spans := make([]int, len(m.services.list))
	for i := range m.rows {
		spans[m.rows[i].service]++
	}
	order := make([]int, len(spans))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return spans[b] - spans[a] })
	n = min(n, len(order))
	some := make([]string, 0, n)
	for i := range n {
		some = append(some, m.services.list[order[i*len(order)/n]])
	}
	return some
}

// busiest is the operation with the most spans of the service.
func (m *mix) busiest(service string) string {
	count, want := map[int32]int{}, m.services.want(service)
	for i := range m.rows {
		if int(m.rows[i].service) == want {
			count[m.rows[i].op]++
		}
	}
	best := int32(0)
	for op, n := range count {
		if n > count[best] || n == count[best] && op < best {
			best = op
		}
	}
	return m.ops.list[best]
}

// search asks the search form's question over Jaeger's API.
func (m *mix) search(a ask) variant {
	p := url.Values{"start": {strconv.FormatInt(a.from, 10)}, "end": {strconv.FormatInt(a.to, 10)}, "limit": {strconv.Itoa(a.limit)}}
	tags := map[string]string{}
	set := func(key, value string) {
		if value != "" {
			tags[key] = value
		}
	}
	set("http.status_code", a.status)
	set("guid:x-request-id", a.requestID)
	if a.failed {
		tags["error"] = "true"
	}
	if len(tags) > 0 {
		text, _ := json.Marshal(tags) // cannot fail
		p.Set("tags", string(text))
	}
	for key, value := range map[string]string{"service": a.service, "operation": a.operation} {
		if value != "" {
			p.Set(key, value)
		}
	}
	if a.minDuration > 0 {
		p.Set("minDuration", a.minDuration.String())
	}
	right, wanted := m.truth.search(a)
	return variant{"/api/traces?" + p.Encode(), func(body []byte, v *verdict) error {
		v.want += wanted
		return m.checkTraces(body, right, v)
	}}
}

// found is Jaeger's answer with traces.
type found struct {
	Data []struct {
		TraceID string `json:"traceID"`
		Spans   []struct {
			SpanID string `json:"spanID"`
		} `json:"spans"`
	} `json:"data"`
}

// spanIDs are the ids of the spans of the one trace in the answer.
func spanIDs(body []byte) (map[string]bool, error) {
	var f found
	if err := json.Unmarshal(body, &f); err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for _, t := range f.Data {
		for _, s := range t.Spans {
			ids[s.SpanID] = true
		}
	}
	return ids, nil
}

// parseTraces gives the traces of an answer and how many spans each has.
func parseTraces(body []byte) (ids []spandrel.TraceID, spans []int, err error) {
	var f found
	if err := json.Unmarshal(body, &f); err != nil {
		return nil, nil, err
	}
	for _, t := range f.Data {
		id, err := spandrel.ParseTraceID(t.TraceID)
		if err != nil {
			return nil, nil, err
		}
		distinct := map[string]bool{}
		for _, s := range t.Spans {
			distinct[s.SpanID] = true
		}
		ids, spans = append(ids, id), append(spans, len(distinct))
	}
	return ids, spans, nil
}

// checkTraces compares with the right ones, newest first.
func (m *mix) checkTraces(body []byte, right []match, v *verdict) error {
	ids, spans, err := parseTraces(body)
	if err != nil {
		return err
	}
	v.unit = "traces"
	v.got += len(ids)
	starts := make(map[spandrel.TraceID]int64, len(right))
	for _, r := range right {
		starts[r.id] = r.start
	}
	inOrder, last := true, m.last
	for i, id := range ids {
		start, ok := starts[id]
		if !ok {
			v.wrong++
			continue
		}
		inOrder = inOrder && start <= last
		last = start
		if spans[i] < int(m.traces[m.byID[id]].spans) {
			v.incomplete++
		}
	}
	if !inOrder {
		v.unsorted++
	}
	return nil
}

// whole asks for traces by id.
func (m *mix) whole(name string, from, to int32) question {
	q := question{name: name}
	for _, f := range m.tracesOf(from, to, 8) {
		q.variants = append(q.variants, variant{"/api/traces/" + f.id.String(), func(body []byte, v *verdict) error {
			_, spans, err := parseTraces(body)
			if err == nil && len(spans) != 1 {
				err = errors.New("not one trace")
			}
			if err != nil {
				return err
			}
			v.unit = "spans"
			v.got, v.want = v.got+spans[0], v.want+int(f.spans)
			return nil
		}})
	}
	return q
}

// checkNames compares with a list of names, in any order.
func (m *mix) checkNames(want []string) func([]byte, *verdict) error {
	return func(body []byte, v *verdict) error {
		var got struct {
			Data []string `json:"data"`
		}
		if err := json.Unmarshal(body, &got); err != nil {
			return err
		}
		v.unit = "names"
		v.got, v.want = v.got+len(got.Data), v.want+len(want)
		for _, name := range got.Data {
			if !slices.Contains(want, name) {
				v.wrong++
			}
		}
		return nil
	}
}

func (m *mix) operations(name string, services []string) question {
	q := question{name: name}
	for _, s := range services {
		want := slices.Sorted(maps.Keys(m.operationsOf(s)))
		q.variants = append(q.variants, variant{"/api/services/" + url.PathEscape(s) + "/operations", m.checkNames(want)})
	}
	return q
}

// dependencies asks for the calls within lookback (µs) before the end.
func (m *mix) dependencies(name string, lookback int64) question {
	const minute = int64(time.Minute / time.Microsecond)
	end := (m.last + minute) / minute * minute
	want := m.calls(end-lookback, end)
	path := fmt.Sprintf("/api/dependencies?endTs=%d&lookback=%d", end/1000, lookback/1000)
	return question{name, []variant{{path, func(body []byte, v *verdict) error {
		var got struct {
			Data []struct {
				Parent, Child string
				CallCount     uint64
			} `json:"data"`
		}
		if err := json.Unmarshal(body, &got); err != nil {
			return err
		}
		v.unit = "calls"
		for _, n := range want {
			v.want += int(n)
		}
		for _, d := range got.Data {
			v.got += int(d.CallCount)
			if want[edge{d.Parent, d.Child}] != d.CallCount {
				v.wrong++
			}
		}
		return nil
	}}}}
}
