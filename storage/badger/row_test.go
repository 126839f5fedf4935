package badger

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spandrel/spandrel"
)

var spanCompare = cmp.Options{
	cmpopts.EquateEmpty(),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b spandrel.Value) bool { return a == b }),
}

func TestRowRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var again spandrel.Span
	for range 2000 {
		s := wildSpan(rng)
		r, rest, err := nextRow(appendRow(nil, &s))
		if err != nil || len(rest) != 0 {
			t.Fatalf("nextRow: %d bytes left, %v", len(rest), err)
		}
		if err := r.decode(&again); err != nil {
			t.Fatalf("decode %+v: %v", s, err)
		}
		if diff := cmp.Diff(again, s, spanCompare); diff != "" {
			t.Fatalf("got (-), want (+):\n%s", diff)
		}
	}
}

func TestRowsAreEqualExactlyWhenSpansAre(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		a := wildSpan(rng)
		b := a.Clone()
		mutate(rng, &b)
		ra, rb := rowOf(&a), rowOf(&b)
		if got, want := ra.equal(rb), a.Equal(&b); got != want {
			t.Fatalf("rows equal: %v, spans equal: %v\n%+v\n%+v", got, want, a, b)
		}
		if ra.equal(rb) && ra.hash() != rb.hash() {
			t.Fatal("equal rows have different hashes")
		}
	}
}

func FuzzRow(f *testing.F) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		s := wildSpan(rng)
		f.Add(appendRow(nil, &s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, _, err := nextRow(b)
		if err != nil {
			return
		}
		r.summary()
		var s, again spandrel.Span
		if r.decode(&s) != nil {
			return
		}
		if err := rowOf(&s).decode(&again); err != nil {
			t.Fatalf("what was decoded does not decode again: %v", err)
		}
		if diff := cmp.Diff(again, s, spanCompare); diff != "" {
			t.Fatalf("got (-), want (+):\n%s", diff)
		}
	})
}

func rowOf(s *spandrel.Span) row {
	r, _, err := nextRow(appendRow(nil, s))
	if err != nil {
		panic(err)
	}
	return r
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

// wildSpan is a span with any field filled or not, from small sets of values
// so that spans have much in common.
func wildSpan(rng *rand.Rand) spandrel.Span {
	s := spandrel.Span{
		TraceID:  spandrel.TraceID{High: pick[uint64](rng, 0, 0, 1<<63), Low: 1 + rng.Uint64N(30)},
		ID:       spandrel.SpanID(1 + rng.Uint64N(40)),
		ParentID: spandrel.SpanID(rng.Uint64N(40)),
		Kind:     spandrel.Kind(rng.IntN(6)),
		Flags:    spandrel.Flags(pick(rng, 0, 0, 0, 1, 2, 4, 7)),
		Status:   spandrel.Status(pick(rng, 0, 0, 0, 1, 2)),
		Start:    1_700_000_000_000_000_000 + rng.Int64N(100)*pick[int64](rng, 1, 1000, 1e9, 1e10),
		Duration: pick[int64](rng, 0, 1, 1000, 5_000_000, 1<<62, -7),
		Name:     pick(rng, "", "get", "GET /", "put"),
		Local:    wildEndpoint(rng), Remote: wildEndpoint(rng),
		Tags:          wildTags(rng),
		StatusMessage: pick(rng, "", "", "", "it broke"),
		TraceState:    pick(rng, "", "", "", "a=b"),
	}
	if rng.IntN(3) == 0 {
		for range rng.IntN(3) {
			s.Events = append(s.Events, spandrel.Event{Time: s.Start + rng.Int64N(1000) - 300, Name: pick(rng, "", "ws", "wr"), Fields: wildTags(rng)})
		}
	}
	if rng.IntN(4) == 0 {
		s.Links = append(s.Links, spandrel.Link{TraceID: spandrel.TraceID{Low: rng.Uint64()}, ID: 7, Type: spandrel.LinkType(rng.IntN(2)), TraceState: pick(rng, "", "x"), Tags: wildTags(rng)})
	}
	if rng.IntN(4) == 0 {
		s.Resource = wildTags(rng)
		s.Scope = spandrel.Scope{Name: pick(rng, "", "lib"), Version: pick(rng, "", "2"), Tags: wildTags(rng)}
	}
	return s
}

func wildEndpoint(rng *rand.Rand) spandrel.Endpoint {
	return spandrel.Endpoint{
		Service: pick(rng, "", "a", "b", "cart", "cart-eu"),
		IPv4:    pick(rng, netip.Addr{}, netip.Addr{}, netip.MustParseAddr("10.0.0.1")),
		IPv6:    pick(rng, netip.Addr{}, netip.Addr{}, netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("::ffff:1.2.3.4")),
		Port:    pick[uint16](rng, 0, 80, 65535),
	}
}

func wildTags(rng *rand.Rand) []spandrel.Tag {
	var tags []spandrel.Tag
	for range rng.IntN(5) {
		tags = append(tags, spandrel.Tag{
			Key: pick(rng, "", "error", "http.status_code", "event", "span.kind", "x"),
			Value: pick(rng, spandrel.Value{}, spandrel.StringValue("true"), spandrel.StringValue("false"), spandrel.StringValue("200"),
				spandrel.StringValue("ws"), spandrel.IntValue(200), spandrel.IntValue(-1), spandrel.BoolValue(true),
				spandrel.BoolValue(false), spandrel.FloatValue(1.5), spandrel.BytesValue([]byte{0, 255})),
		})
	}
	return tags
}

// mutate changes nothing or one thing.
func mutate(rng *rand.Rand, s *spandrel.Span) {
	switch rng.IntN(8) {
	case 0:
		s.Start++
	case 1:
		s.Flags ^= spandrel.FlagDebug
	case 2:
		s.Tags = append(s.Tags, spandrel.Tag{Key: "new"})
	case 3:
		s.Local.Port++
	case 4:
		s.Events = append(s.Events, spandrel.Event{})
	case 5:
		s.Scope.Version += "x"
	}
}
