package storagetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// someOutlines are asked for of every store: nothing besides, some tags, all.
func someOutlines(spans []spandrel.Span) []storage.Outline {
	some := storage.Outline{Tags: []string{"no such key"}}
	all := storage.Outline{Rare: true}
	for i := range spans {
		for k := range spans[i].Tags {
			key := spans[i].Tags[k].Key
			if !slices.Contains(all.Tags, key) && len(all.Tags) < 50 {
				all.Tags = append(all.Tags, key)
				if len(all.Tags)%2 == 0 {
					some.Tags = append(some.Tags, key)
				}
			}
		}
	}
	return []storage.Outline{{}, some, all}
}

// outlined is what storage.Reader's Outlines must give of the spans.
func outlined(spans []spandrel.Span, o storage.Outline) []spandrel.Span {
	out := slices.Clone(spans)
	for i := range out {
		s := &out[i]
		s.Resource = nil
		s.Tags = slices.DeleteFunc(slices.Clone(s.Tags), func(t spandrel.Tag) bool { return !slices.Contains(o.Tags, t.Key) })
		if !o.Rare {
			s.Events, s.Links, s.Scope, s.StatusMessage, s.TraceState = nil, nil, spandrel.Scope{}, "", ""
		}
	}
	return out
}

// manySpans are too many to be compared in every way.
const manySpans = 5000

// outlines compares outlines, single spans, revisions and scans of all spans
// with what was written.
func (c *check) outlines() {
	c.Helper()
	traces := byTrace(c.spans)
	refs := make([]storage.TraceRef, 0, len(traces))
	for id := range traces {
		refs = append(refs, storage.TraceRef{ID: id})
	}
	outlines := someOutlines(c.spans)
	if len(c.spans) > manySpans {
		outlines = outlines[1:2]
	}
	for _, o := range outlines {
		var got []spandrel.Span
		for chunk, err := range c.store.Outlines(c.Context(), refs, o) {
			if err != nil || len(chunk) == 0 || len(chunk) > MaxChunk {
				c.Fatalf("Outlines: %d spans, %v", len(chunk), err)
			}
			got = append(got, chunk...)
		}
		if diff := Diff(outlined(c.spans, o), got); diff != "" {
			c.Errorf("outlines %+v: %s", o, diff)
		}
		c.scan(storage.ScanRange{To: math.MaxInt64}, o)
	}
	c.scanParts()
	c.single()
}

// matching are the spans that q matches.
func matching(spans []spandrel.Span, q *spandrel.Query) []spandrel.Span {
	return slices.DeleteFunc(slices.Clone(spans), func(s spandrel.Span) bool { return !q.Match(&s) })
}

// find asks for spans of a trace, of which it has some.
func (c *check) find(id spandrel.TraceID, spans []spandrel.Span) {
	c.Helper()
	rng := rand.New(rand.NewPCG(id.Low, uint64(len(spans))))
	some := &spans[rng.IntN(len(spans))]
	queries := []spandrel.Query{{}, {Service: some.Service(), MinStart: some.Start, MaxStart: some.Start}}
	for range 6 {
		queries = append(queries, RandomQuery(rng, spans))
	}
	for _, text := range []string{some.Name, some.ID.String(), "http", "e"} {
		queries = append(queries, spandrel.Query{Where: []spandrel.Condition{
			{Field: spandrel.InAll, Op: spandrel.OpText, Text: strings.ToLower(text), Negate: rng.IntN(3) == 0}}})
	}
	if len(some.Tags) > 0 {
		t := some.Tags[0]
		for _, text := range []string{t.Key, t.Value.String(), t.Key + "=" + t.Value.String()} {
			queries = append(queries, spandrel.Query{Where: []spandrel.Condition{{Field: spandrel.InAll, Op: spandrel.OpText, Text: strings.ToLower(text)}}})
		}
	}
	if len(spans) > 1000 {
		queries = queries[len(queries)-3:]
	}
	for _, q := range queries {
		var got []spandrel.Span
		for chunk, err := range c.store.Matching(c.Context(), id, &q) {
			if err != nil || len(chunk) == 0 || len(chunk) > MaxChunk {
				c.Fatalf("Matching: %d spans, %v", len(chunk), err)
			}
			got = append(got, chunk...)
		}
		if diff := Diff(matching(spans, &q), got); diff != "" {
			c.Errorf("spans of trace %v that match %+v: %s", id, q, diff)
		}
	}
}

// distinct counts spans that are not Equal.
func distinct(spans []spandrel.Span) int {
	n := 0
	seen := make(map[spandrel.SpanID][]int)
next:
	for i := range spans {
		for _, k := range seen[spans[i].ID] {
			if spans[i].Equal(&spans[k]) {
				continue next
			}
		}
		seen[spans[i].ID] = append(seen[spans[i].ID], i)
		n++
	}
	return n
}

// single reads some spans by their ids or conditions, and revisions.
func (c *check) single() {
	c.Helper()
	looked := 0
	for id, spans := range byTrace(c.spans) {
		if looked++; looked > 4 {
			break // which ones differs from time to time
		}
		ids := []spandrel.SpanID{spans[0].ID, spans[len(spans)/2].ID, math.MaxUint64}
		want := slices.DeleteFunc(slices.Clone(spans), func(s spandrel.Span) bool { return !slices.Contains(ids, s.ID) })
		var got []spandrel.Span
		for chunk, err := range c.store.Spans(c.Context(), id, ids) {
			if err != nil || len(chunk) == 0 {
				c.Fatalf("Spans: %d spans, %v", len(chunk), err)
			}
			got = append(got, chunk...)
		}
		if diff := Diff(want, got); diff != "" {
			c.Errorf("spans %v of trace %v: %s", ids, id, diff)
		}
		c.find(id, spans)
		if rev, err := c.store.Revision(c.Context(), id); rev < uint64(distinct(spans)) || err != nil {
			c.Errorf("revision of trace %v is %d, %v, want %d at least", id, rev, err, distinct(spans))
		}
	}
	if rev, err := c.store.Revision(c.Context(), spandrel.TraceID{High: 1, Low: 99}); rev != 0 || err != nil {
		c.Errorf("revision of an unknown trace is %d, %v, want 0", rev, err)
	}
}

// scan compares a scan with what was written.
func (c *check) scan(r storage.ScanRange, o storage.Outline) {
	c.Helper()
	scan, err := c.store.Scan(c.Context(), r, o)
	if err != nil {
		c.Fatalf("Scan: %v", err)
	}
	var got []spandrel.Span
	for chunk, err := range scan.Chunks {
		if err != nil || len(chunk) == 0 || len(chunk) > MaxChunk {
			c.Fatalf("Scan: %d spans, %v", len(chunk), err)
		}
		for i := range chunk {
			got = append(got, chunk[i].Clone()) // the chunk is not ours
		}
	}
	if r.MaxSpans == 0 && scan.From != r.From {
		c.Errorf("scan %+v begins at %d", r, scan.From)
	}
	want := slices.DeleteFunc(slices.Clone(c.spans), func(s spandrel.Span) bool { return s.Start < scan.From || s.Start > r.To })
	if diff := Diff(outlined(want, o), got); diff != "" {
		c.Errorf("scan %+v, which begins at %d: %s", r, scan.From, diff)
	}
}

// scanParts scans from, to and around some span, and bounded.
func (c *check) scanParts() {
	c.Helper()
	if len(c.spans) == 0 {
		return
	}
	middle := c.spans[len(c.spans)/2].Start
	ranges := []storage.ScanRange{
		{To: math.MaxInt64, MaxSpans: 1 + len(c.spans)/2}, {From: middle, To: middle}, {From: middle, To: math.MaxInt64}, {To: middle},
		{From: middle + 1, To: math.MaxInt64}, {To: math.MaxInt64, MaxSpans: 1},
	}
	if len(c.spans) > manySpans {
		ranges = ranges[:2]
	}
	for _, r := range ranges {
		c.scan(r, storage.Outline{})
	}
}

// randomWhere asks more of a span like s.
func randomWhere(n func(int) int, s *spandrel.Span) spandrel.Condition {
	c := spandrel.Condition{Key: "k", Negate: n(3) == 0}
	value := "v"
	switch about := n(12); {
	case about < 2:
		c.Field, value = spandrel.InService, s.Service()
	case about < 4:
		c.Field, value = spandrel.InOperation, s.Name
	case about < 8 && len(s.Tags) > 0:
		t := s.Tags[n(len(s.Tags))]
		c.Key, value = t.Key, t.Value.String()
	case about < 10:
		c.Key = spandrel.FieldTags[n(len(spandrel.FieldTags))]
		value, _ = s.FieldTag(c.Key)
	case len(s.Events) > 0:
		c.Key, value = "event", s.Events[n(len(s.Events))].Name
	}
	switch n(4) {
	case 0:
		c.Op = spandrel.OpHas
	case 1:
		c.Op, c.Text = spandrel.OpEqual, value
	case 2:
		c.Op, c.Regexp = spandrel.OpMatch, regexp.MustCompile(regexp.QuoteMeta(strings.ToValidUTF8(value[:len(value)/2], "")))
	default:
		c.Op = []spandrel.Op{spandrel.OpLess, spandrel.OpAtMost, spandrel.OpMore, spandrel.OpAtLeast}[n(4)]
		if _, err := fmt.Sscan(value, &c.Number); err != nil {
			c.Number = 1
		}
	}
	return c
}

// whereBehaviours are about conditions other than key=value.
func whereBehaviours() []behaviour {
	where := func(c ...spandrel.Condition) spandrel.Query { return spandrel.Query{Where: c} }
	has := func(key string) spandrel.Condition { return spandrel.Condition{Key: key} }
	number := func(op spandrel.Op, n float64) spandrel.Condition {
		return spandrel.Condition{Key: "code", Op: op, Number: n}
	}
	not := func(c spandrel.Condition) spandrel.Condition { c.Negate = true; return c }
	like := func(k, text string) spandrel.Condition {
		return spandrel.Condition{Key: k, Op: spandrel.OpMatch, Regexp: regexp.MustCompile(text)}
	}
	return []behaviour{
		{
			name: "values are compared as numbers or texts",
			given: batches(
				batch(span(1, 1, tag("code", "200"), tag("flag", "-"))),
				batch(span(2, 1, after(1), tag("code", "503"), tag("flag", "URX,UF"))),
				batch(span(3, 1, after(2), typed("code", spandrel.IntValue(504)), resource("flag", "UT"))),
				batch(span(4, 1, after(3), tag("code", "none"), event(ms, "e", text("flag", "UF"))), span(5, 1, after(4)))),
			want: []found{
				{"at least", where(number(spandrel.OpAtLeast, 503)), []uint64{3, 2}},
				{"more", where(number(spandrel.OpMore, 503)), []uint64{3}},
				{"less", where(number(spandrel.OpLess, 503)), []uint64{1}},
				{"at most", where(number(spandrel.OpAtMost, 503)), []uint64{2, 1}},
				{"not at least", where(not(number(spandrel.OpAtLeast, 503))), []uint64{5, 4, 1}},
				{"match", where(like("flag", "^U")), []uint64{4, 3, 2}},
				{"no match", where(not(like("flag", "U"))), []uint64{5, 1}},
				{"has", where(has("code")), []uint64{4, 3, 2, 1}},
				{"has not", where(not(has("code"))), []uint64{5}},
				{"two", where(number(spandrel.OpMore, 200), like("flag", "F")), []uint64{2}},
			},
		},
		{
			name: "fields are looked at like tags, services and names on their own",
			given: batches(batch(
				span(1, 1, service("reviews.default"), named("get"), tag("error", "false"), event(ms, "e")),
				span(2, 1, after(1), service("ratings.default"), named("GET"), tag("error", "true"), kind(spandrel.KindServer), event(ms, "")),
				span(3, 1, after(2), status(spandrel.StatusError), remote("db")))),
			want: []found{
				{"service", where(spandrel.Condition{Field: spandrel.InService, Op: spandrel.OpMatch, Regexp: regexp.MustCompile("^r.*default$")}), []uint64{2, 1}},
				{"no service", where(not(spandrel.Condition{Field: spandrel.InService, Op: spandrel.OpEqual, Text: "reviews.default"})), []uint64{3, 2}},
				{"name", where(spandrel.Condition{Field: spandrel.InOperation, Op: spandrel.OpMatch, Regexp: regexp.MustCompile("(?i)get")}), []uint64{2, 1}},
				{"kind", where(has("span.kind")), []uint64{2}},
				{"error", where(spandrel.Condition{Key: "error", Op: spandrel.OpEqual, Text: "true"}), []uint64{3, 2}},
				{"no error", where(not(spandrel.Condition{Key: "error", Op: spandrel.OpEqual, Text: "true"})), []uint64{1}},
				{"error in words", where(not(has("otel.status_code"))), []uint64{1}},
				{"peer", where(like("peer.service", "d")), []uint64{3}},
				{"any peer", where(has("peer.service")), []uint64{3}},
				{"no peer", where(not(has("peer.service"))), []uint64{2, 1}},
				{"no event", where(not(has("event"))), []uint64{3, 2}},
			},
		},
	}
}
