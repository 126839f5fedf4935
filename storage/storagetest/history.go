package storagetest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// RunHistory does the same random things to two empty stores, which must agree
// about every answer. The seed decides what is done. It leaves the stores
// open.
func RunHistory(t *testing.T, seed uint64, a, b storage.Store) {
	h := newHistory(t, seed, a, b)
	for range historySteps {
		h.step()
	}
}

const historySteps = 150

// history is what has been done to two stores.
type history struct {
	*testing.T
	rng   *rand.Rand
	a, b  storage.Store
	gen   *Generator
	wrote [][]spandrel.Span
	spans []spandrel.Span // all of wrote
	seed  uint64
	n     int // steps done
}

func newHistory(t *testing.T, seed uint64, a, b storage.Store) *history {
	rng := rand.New(rand.NewPCG(seed, 3))
	return &history{T: t, rng: rng, a: a, b: b, seed: seed,
		gen: NewGenerator(seed, GeneratorOptions{Services: 2 + rng.IntN(8), MaxSpans: 60, Errors: 0.2, Shared: rng.IntN(2) == 0, Late: 0.1, Duplicates: 0.1})}
}

// step does one random thing.
func (h *history) step() {
	h.n++
	switch n := h.rng.IntN(20); {
	case n < 4:
		h.write(h.gen.NextBatch())
	case n < 7:
		h.write(h.oddSpans())
	case n < 8 && len(h.wrote) > 0:
		h.write(h.wrote[h.rng.IntN(len(h.wrote))])
	case n < 14:
		h.search()
	case n < 17:
		h.traces()
	case n < 19:
		h.names()
	default:
		h.dependencies()
	}
}

func (h *history) fail(what, diff string) {
	h.Helper()
	if diff != "" {
		h.Fatalf("seed %d, step %d: %s: the stores differ (-a +b):\n%s", h.seed, h.n, what, diff)
	}
}

func (h *history) write(spans []spandrel.Span) {
	h.Helper()
	for _, s := range []storage.Store{h.a, h.b} {
		write(h.T, s, spans)
	}
	h.wrote = append(h.wrote, spans)
	h.spans = append(h.spans, spans...)
}

// oddSpans are spans of which many agree in much.
func (h *history) oddSpans() []spandrel.Span {
	spans := make([]spandrel.Span, h.rng.IntN(8))
	for i := range spans {
		few := func(n int) uint64 { return uint64(h.rng.IntN(n)) }
		s := span(1+few(12), 1+few(6), high(few(2)), parent(few(6)), kind(spandrel.Kind(few(6))), status(spandrel.Status(few(3))),
			service([]string{"", "a", "ab", "b"}[few(4)]), named([]string{"", "x", "xy"}[few(3)]),
			after(time.Duration(few(4))*time.Duration([]int{0, 1, int(ms), int(time.Minute)}[few(4)])), lasting(time.Duration(few(3))))
		for range few(3) {
			tag([]string{"", "k", "error", "event"}[few(4)], []string{"", "v", "false", "true"}[few(4)])(&s)
		}
		if few(3) == 0 {
			event(time.Duration(few(3)), []string{"", "v", "⻩"}[few(3)], text("k", fmt.Sprint(few(3))))(&s)
		}
		if few(4) == 0 {
			remote([]string{"a", "b", "db"}[few(3)])(&s)
		}
		switch few(8) {
		case 0: // equal spans without a start may differ in it: make it unlike any other
			s.ID, s.Flags = spandrel.SpanID(1000+h.n*10+i), spandrel.FlagNoStart
		case 1:
			s.Flags = spandrel.FlagShared
		}
		spans[i] = s
	}
	return spans
}

func (h *history) search() {
	q := RandomQuery(h.rng, h.spans)
	h.fail(fmt.Sprintf("search %+v", q), cmp.Diff(searchAll(h.T, h.a, q), searchAll(h.T, h.b, q), cmpopts.EquateEmpty()))
}

func (h *history) traces() {
	refs := searchAll(h.T, h.a, RandomQuery(h.rng, h.spans))
	if h.rng.IntN(3) == 0 {
		refs = append(refs, storage.TraceRef{ID: spandrel.TraceID{High: 7, Low: h.rng.Uint64()}})
	}
	h.rng.Shuffle(len(refs), func(i, j int) { refs[i], refs[j] = refs[j], refs[i] })
	for i := range refs {
		if h.rng.IntN(2) == 0 {
			refs[i].Start = 0
		}
	}
	h.fail(fmt.Sprintf("traces %v", refs), Diff(readTraces(h.T, h.a, refs), readTraces(h.T, h.b, refs)))
}

func (h *history) names() {
	services, err := h.a.Services(h.Context())
	other, err2 := h.b.Services(h.Context())
	if err != nil || err2 != nil {
		h.Fatalf("Services: %v, %v", err, err2)
	}
	h.fail("services", cmp.Diff(services, other, cmpopts.EquateEmpty()))
	for _, service := range append(services, "nobody") {
		operations, err := h.a.Operations(h.Context(), service)
		other, err2 := h.b.Operations(h.Context(), service)
		if err != nil || err2 != nil {
			h.Fatalf("Operations: %v, %v", err, err2)
		}
		h.fail("operations of "+service, cmp.Diff(operations, other, cmpopts.EquateEmpty()))
	}
}

func (h *history) dependencies() {
	from := Epoch.Add(time.Duration(h.rng.Int64N(int64(4*time.Minute)) - int64(time.Minute)))
	to := from.Add(time.Duration(h.rng.Int64N(int64(4 * time.Minute))))
	links, err := h.a.Dependencies(h.Context(), from, to)
	other, err2 := h.b.Dependencies(h.Context(), from, to)
	if err != nil || err2 != nil {
		h.Fatalf("Dependencies: %v, %v", err, err2)
	}
	h.fail(fmt.Sprintf("dependencies from %v to %v", from, to), cmp.Diff(links, other, cmpopts.EquateEmpty()))
}
