package storagetest

import (
	"fmt"
	"math"
	"math/bits"
	"net/netip"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// traceBehaviours are about reading traces back. That all spans are read back
// is checked everywhere.
func traceBehaviours() []behaviour {
	return append(whichTraces(), wholeSpans()...)
}

// shape lists the traces read in order, each once.
func (c *check) shape(refs ...storage.TraceRef) []spandrel.TraceID {
	c.Helper()
	var ids []spandrel.TraceID
	for _, s := range readTraces(c.T, c.store, refs) {
		if len(ids) == 0 || ids[len(ids)-1] != s.TraceID {
			ids = append(ids, s.TraceID)
		}
	}
	return ids
}

// equal reports a difference between two of whatever go-cmp can compare.
func equal(c *check, what string, want, got any) {
	c.Helper()
	if diff := cmp.Diff(want, got, CompareSpans); diff != "" {
		c.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func whichTraces() []behaviour {
	id := func(high, low uint64) spandrel.TraceID { return spandrel.TraceID{High: high, Low: low} }
	return []behaviour{
		{
			name:  "unknown traces and no traces give nothing",
			given: batches(storedTrace(1)),
			check: func(c *check) {
				equal(c, "no traces", []spandrel.TraceID(nil), c.shape())
				equal(c, "unknown traces", []spandrel.TraceID(nil), c.shape(storage.TraceRef{ID: id(0, 99)}, storage.TraceRef{ID: id(1, 1), Start: at(0)}))
			},
		},
		{
			name:  "an empty store has no trace",
			check: func(c *check) { equal(c, "traces", []spandrel.TraceID(nil), c.shape(storage.TraceRef{ID: id(0, 1)})) },
		},
		{
			name: "a trace is found by all bits of its id only",
			given: batches(batch(span(7, 1, high(9), named("long"))), batch(span(9, 1, high(7), named("swapped"))),
				batch(span(math.MaxUint64, 1, high(math.MaxUint64), named("last")))),
			check: func(c *check) {
				equal(c, "low half", []spandrel.TraceID(nil), c.shape(storage.TraceRef{ID: id(0, 7)}))
				equal(c, "high half", []spandrel.TraceID(nil), c.shape(storage.TraceRef{ID: id(9, 0)}))
				equal(c, "both halves", []spandrel.TraceID{id(9, 7)}, c.shape(storage.TraceRef{ID: id(9, 7)}))
				equal(c, "last id", []spandrel.TraceID{id(math.MaxUint64, math.MaxUint64)}, c.shape(storage.TraceRef{ID: id(math.MaxUint64, math.MaxUint64)}))
			},
		},
		{
			name: "every bit of an id tells traces apart",
			given: func() [][]spandrel.Span {
				var spans []spandrel.Span
				for i := range 64 {
					bit := bits.RotateLeft64(1, i)
					spans = append(spans, span(1<<32, 1, high(bit)), span(bit, 1, high(1<<32)), span(5, bit))
				}
				return batches(spans)
			}(),
		},
		{
			name:  "traces are given in the order asked for, without those that are not there",
			given: batches(batch(span(1, 1), span(2, 1), span(3, 1), span(4, 1)), batch(span(3, 2), span(1, 2))),
			check: func(c *check) {
				equal(c, "traces", []spandrel.TraceID{id(0, 3), id(0, 1), id(0, 4)},
					c.shape(storage.TraceRef{ID: id(0, 3)}, storage.TraceRef{ID: id(0, 8)}, storage.TraceRef{ID: id(0, 1)}, storage.TraceRef{ID: id(0, 4)}))
			},
		},
		{
			name:  "the start of a reference is only a hint",
			given: batches(batch(span(1, 1), span(1, 2, after(ms))), batch(span(1, 3, after(-1e18)))),
			check: func(c *check) {
				for _, hint := range []int64{0, 1, at(0), at(ms), at(-1e18), at(1e18), math.MaxInt64} {
					got := readTraces(c.T, c.store, []storage.TraceRef{{ID: id(0, 1), Start: hint}})
					if diff := Diff(c.spans, got); diff != "" {
						c.Errorf("with the hint %d: %s", hint, diff)
					}
				}
			},
		},
		{
			name:  "what a search found can be read",
			given: batches(storedTrace(1), storedTrace(2), batch(span(3, 1, service("db")))),
			check: func(c *check) {
				got := readTraces(c.T, c.store, searchAll(c.T, c.store, spandrel.Query{Service: "frontend"}))
				if diff := Diff(shifted(append(storedTrace(1), storedTrace(2)...), c.shift), got); diff != "" {
					c.Error(diff)
				}
			},
		},
		{
			name:  "reading may stop after any chunk",
			given: batches(batch(span(1, 1), span(2, 1), span(3, 1))),
			check: func(c *check) {
				refs := []storage.TraceRef{{ID: id(0, 1)}, {ID: id(0, 2)}, {ID: id(0, 3)}}
				for stop := 1; stop <= 3; stop++ {
					n := 0
					for _, err := range c.store.Traces(c.Context(), refs) {
						if n++; err != nil || n == stop {
							break
						}
					}
					if n != stop {
						c.Errorf("stopped after %d chunks, want %d", n, stop)
					}
				}
			},
		},
	}
}

func wholeSpans() []behaviour {
	return []behaviour{
		{
			name:  "every field survives",
			given: batches(batch(full(1, 1), span(1, 2, lasting(0))), batch(full(2, 1))),
			check: func(c *check) {
				for _, want := range c.spans {
					got := readTraces(c.T, c.store, []storage.TraceRef{{ID: want.TraceID}})
					for i := range got {
						if got[i].ID == want.ID {
							equal(c, fmt.Sprintf("span %v of trace %v", want.ID, want.TraceID), want, got[i])
						}
					}
				}
			},
		},
		{name: "typed values survive", given: batches(batch(span(1, 1,
			typed("a", spandrel.BoolValue(true)), typed("a", spandrel.BoolValue(false)), typed("a", spandrel.IntValue(math.MinInt64)),
			typed("a", spandrel.IntValue(0)), typed("a", spandrel.FloatValue(math.SmallestNonzeroFloat64)), typed("a", spandrel.FloatValue(math.NaN())),
			typed("a", spandrel.FloatValue(math.Float64frombits(0xfff8000000000123))), typed("a", spandrel.FloatValue(math.Copysign(0, -1))),
			typed("a", spandrel.FloatValue(0)), typed("a", spandrel.BytesValue([]byte("\x00\xff"))), typed("a", spandrel.BytesValue(nil)),
			tag("a", ""), tag("a", "true"), tag("a", "0")),
			span(1, 2, tag("a", "1")), span(1, 3, typed("a", spandrel.IntValue(1))), span(1, 4, typed("a", spandrel.BytesValue([]byte("1")))),
			span(1, 5, typed("a", spandrel.FloatValue(1)))))},
		{name: "tags keep their order and repetitions", given: batches(batch(
			span(1, 1, tag("z", "1"), tag("a", "2"), tag("z", "1"), resource("y", "1"), resource("b", "2"), resource("y", "1")),
			span(1, 2, tag("a", "2"), tag("z", "1")), span(1, 3, tag("z", "1"), tag("a", "2"))))},
		{name: "events and links keep their order", given: batches(batch(
			span(1, 1, event(3*ms, "c"), event(ms, "a"), event(3*ms, "c"), event(-ms, "b"), func(s *spandrel.Span) {
				s.Links = []spandrel.Link{{ID: 2}, {ID: 1}, {ID: 2}, {TraceID: spandrel.TraceID{High: math.MaxUint64}, TraceState: "a=b"}}
			}), span(1, 2, event(ms, "a"), event(ms, "b")), span(1, 3, event(ms, "b"), event(ms, "a"))))},
		{name: "odd bytes survive everywhere", given: batches(batch(func() spandrel.Span {
			const odd = "\x00\xff\xc3\x28\n\"\\\u2028💩"
			s := span(1, 1, service(odd), remote(odd+"r"), named(odd), tag(odd, odd), resource(odd, odd), event(ms, odd, text(odd, odd)))
			s.StatusMessage, s.TraceState = odd, odd
			s.Scope = spandrel.Scope{Name: odd, Version: odd, Tags: []spandrel.Tag{text(odd, odd)}}
			s.Links = []spandrel.Link{{TraceState: odd, Tags: []spandrel.Tag{text(odd, odd)}}}
			return s
		}()))},
		{name: "addresses survive", given: batches(batch(
			withAddresses(1, "192.0.2.1", "", 1), withAddresses(2, "", "2001:db8::1", 65535), withAddresses(3, "", "::ffff:192.0.2.1", 0),
			withAddresses(4, "0.0.0.0", "::", 0), withAddresses(5, "255.255.255.255", "::1", 80), withAddresses(6, "", "fe80::1%eth0", 0),
			withAddresses(7, "", "", 443)))},
		{name: "numbers survive at their limits", given: batches(batch(
			span(1, 1, starting(1), lasting(math.MaxInt64)), span(1, math.MaxUint64, parent(math.MaxUint64), starting(math.MaxInt64)),
			span(1, 3, starting(1<<40), lasting(-1), func(s *spandrel.Span) {
				s.Events = []spandrel.Event{{Time: math.MinInt64}, {Time: 0}, {Time: math.MaxInt64}}
			}),
			span(1, 4, kind(255), flags(255), status(255), func(s *spandrel.Span) { s.Links = []spandrel.Link{{Type: 255}} }))), fixed: true},
		{name: "shared halves and debug spans are kept apart", given: batches(batch(
			span(1, 1, kind(spandrel.KindClient), flags(spandrel.FlagDebug), service("a")),
			span(1, 1, kind(spandrel.KindServer), flags(spandrel.FlagShared), service("b"))), storedTrace(2))},
		{name: "spans that differ in one field only are all kept", given: batches(variants(1))},
		{name: "spans without a start keep when they arrived", given: batches(batch(span(1, 1, flags(spandrel.FlagNoStart), after(5)))),
			check: func(c *check) {
				got := readTraces(c.T, c.store, []storage.TraceRef{{ID: c.spans[0].TraceID}})
				if got[0].Start != c.spans[0].Start {
					c.Errorf("Start = %d, want %d", got[0].Start, c.spans[0].Start)
				}
			}},
		{name: "spans that make no tree are kept", given: batches(batch(
			span(1, 1, parent(1)), span(1, 2, parent(3)), span(1, 3, parent(2)), span(1, 4, parent(99)), span(1, 5), span(1, 6)))},
		{name: "a span of many small things survives", given: func() [][]spandrel.Span {
			s := span(1, 1, service("a"), named(strings.Repeat("n", 3000)))
			for i := range 3000 {
				tag(fmt.Sprint("key", i), fmt.Sprint(i))(&s)
				event(ms, fmt.Sprint("event", i%7), text("i", fmt.Sprint(i)))(&s)
			}
			return batches(batch(s))
		}(), want: []found{{"last", with("key2999", "2999", "i", "2999", "event", "event3"), []uint64{1}}}},
	}
}

func withAddresses(id uint64, v4, v6 string, port uint16) spandrel.Span {
	var e spandrel.Endpoint
	if v4 != "" {
		e.IPv4 = netip.MustParseAddr(v4)
	}
	if v6 != "" {
		e.IPv6 = netip.MustParseAddr(v6)
	}
	e.Port = port
	return span(1, id, func(s *spandrel.Span) { s.Local, s.Remote = e, e })
}

// variants are spans of one id, no two of which are equal.
func variants(trace uint64) []spandrel.Span {
	spans := []spandrel.Span{full(trace, 1)}
	for _, change := range []option{
		parent(78), kind(spandrel.KindClient), flags(spandrel.FlagNoStart), status(spandrel.StatusOK), after(ms), lasting(1),
		named("x"), service("x"), remote("x"), tag("x", ""), resource("x", ""), event(0, ""),
		func(s *spandrel.Span) { s.Flags &^= spandrel.FlagShared },
		func(s *spandrel.Span) { s.Flags &^= spandrel.FlagDebug },
		func(s *spandrel.Span) { s.Local.IPv4 = netip.Addr{} },
		func(s *spandrel.Span) { s.Local.IPv6 = netip.Addr{} },
		func(s *spandrel.Span) { s.Local.Port = 0 },
		func(s *spandrel.Span) { s.Remote = spandrel.Endpoint{} },
		func(s *spandrel.Span) { s.Tags = nil },
		func(s *spandrel.Span) { s.Tags = s.Tags[1:] },
		func(s *spandrel.Span) { s.Tags[1].Value = spandrel.StringValue("7") },
		func(s *spandrel.Span) { s.Resource = nil },
		func(s *spandrel.Span) { s.Events = nil },
		func(s *spandrel.Span) { s.Events[0].Time++ },
		func(s *spandrel.Span) { s.Events[0].Name = "" },
		func(s *spandrel.Span) { s.Events[0].Fields = nil },
		func(s *spandrel.Span) { s.Links = nil },
		func(s *spandrel.Span) { s.Links[0].TraceID.High = 0 },
		func(s *spandrel.Span) { s.Links[0].ID = 0 },
		func(s *spandrel.Span) { s.Links[0].Type = spandrel.LinkFollowsFrom },
		func(s *spandrel.Span) { s.Links[0].TraceState = "" },
		func(s *spandrel.Span) { s.Links[0].Tags = nil },
		func(s *spandrel.Span) { s.Scope.Name = "" },
		func(s *spandrel.Span) { s.Scope.Version = "" },
		func(s *spandrel.Span) { s.Scope.Tags = nil },
		func(s *spandrel.Span) { s.StatusMessage = "" },
		func(s *spandrel.Span) { s.TraceState = "" },
	} {
		s := full(trace, 1)
		change(&s)
		spans = append(spans, s)
	}
	return spans
}
