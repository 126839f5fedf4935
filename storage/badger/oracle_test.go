package badger

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
	"github.com/spandrel/spandrel/storage/memory"
)

// small makes the files of tests small.
var small = Sizes{WALFileBytes: 1 << 20}

func openStore(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	if o.Sizes == (Sizes{}) {
		o.Sizes = small
	}
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// onFlusher runs f on the flusher goroutine.
func (s *Store) onFlusher(f func()) {
	done := make(chan struct{})
	s.calls <- func() { f(); close(done) }
	<-done
}

// flushNow moves all spans to segments.
func (s *Store) flushNow() {
	s.freeze()
	s.onFlusher(s.flushAll)
}

// sealNow moves all spans to segments and seals the partition they are in.
func (s *Store) sealNow() {
	s.freeze()
	s.onFlusher(func() {
		s.flushAll()
		if s.open != nil {
			s.retire()
		}
		s.seal()
	})
}

// reopen closes the store and opens it again.
func reopen(t testing.TB, s *Store) *Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return openStore(t, s.dir, Options{})
}

// soak is how often a test does what it does: short times, or long ones in a
// soak (make soak), which sets SPANDREL_SOAK.
func soak(short, long int) int {
	if os.Getenv("SPANDREL_SOAK") != "" {
		return long
	}
	return short
}

// TestSearchAnswersAsANaiveScan asks random queries of a store whose spans are
// everywhere at once: in sealed and reopened partitions, in segments of the
// open one, in a head; late, sent twice, and in several places for one trace.
func TestSearchAnswersAsANaiveScan(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	s, want := openStore(t, t.TempDir(), Options{}), memory.New(memory.Options{})
	ask := func(n int) {
		t.Helper()
		for range n {
			compareSearch(t, s, want, wildQuery(rng))
		}
		compareReads(t, s, want)
	}
	var sent []spandrel.Span
	write := func(n int) {
		batch := make([]spandrel.Span, n)
		for i := range batch {
			batch[i] = wildSpan(rng)
			batch[i].TraceID.Low = 1 + rng.Uint64N(300)
			if len(sent) > 0 && rng.IntN(20) == 0 {
				batch[i] = sent[rng.IntN(len(sent))]
			}
		}
		sent = append(sent, batch...)
		writeBoth(t, s, want, batch)
	}
	n := soak(10_000, 200_000) / 12
	for _, step := range []func(){
		func() {},
		s.flushNow,
		s.flushNow,
		s.sealNow,
		func() { s = reopen(t, s) },
		func() {},
		func() { s.sealNow(); write(100); s.flushNow(); write(100) },
	} {
		write(150)
		ask(n)
		step()
		ask(n)
	}
}

// TestManyPagesAnswerAsANaiveScan has segments of several pages, columns with
// many values and a trace that spans pages.
func TestManyPagesAnswerAsANaiveScan(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	s, want := openStore(t, t.TempDir(), Options{}), memory.New(memory.Options{})
	for range 3 {
		batch := make([]spandrel.Span, pageRows)
		for i := range batch {
			batch[i] = wildSpan(rng)
			batch[i].TraceID = spandrel.TraceID{Low: 1 + rng.Uint64N(3000)}
			if i%4 == 0 {
				batch[i].TraceID.Low = 1
			}
			batch[i].ID = spandrel.SpanID(rng.Uint64() | 1)
			batch[i].Tags = append(batch[i].Tags, spandrel.Tag{Key: "guid:x-request-id", Value: spandrel.StringValue(fmt.Sprint("r", rng.IntN(5000)))})
		}
		writeBoth(t, s, want, batch)
	}
	s.flushNow()
	for range 60 {
		q := wildQuery(rng)
		if rng.IntN(2) == 0 {
			q = spandrel.Query{Tags: []spandrel.TagCondition{{Key: "guid:x-request-id", Value: fmt.Sprint("r", rng.IntN(6000))}}}
		}
		compareSearch(t, s, want, q)
	}
	compareReads(t, s, want)
}

func writeBoth(t testing.TB, a, b storage.Writer, batch []spandrel.Span) {
	t.Helper()
	for _, w := range []storage.Writer{a, b} {
		if err := w.Write(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
	}
}

// wildQuery asks for things that wildSpan makes.
func wildQuery(rng *rand.Rand) spandrel.Query {
	var q spandrel.Query
	if rng.IntN(2) == 0 {
		q.Service = pick(rng, "a", "b", "cart", "cart-eu", spandrel.MissingService, "nobody")
	}
	if rng.IntN(4) == 0 {
		q.Operation = pick(rng, "get", "GET /", "put", "nothing")
	}
	for range pick(rng, 0, 0, 1, 1, 2) {
		q.Tags = append(q.Tags, spandrel.TagCondition{
			Key: pick(rng, "error", "http.status_code", "event", "span.kind", "x", "", "net.host.ip", "net.peer.port",
				"peer.service", "otel.status_code", "otel.scope.name", "w3c.tracestate", "otel.status_description", "unknown"),
			Value: pick(rng, "true", "false", "200", "-1", "1.5", "00ff", "", "ws", "server", "client", "10.0.0.1", "80",
				"cart", "ERROR", "OK", "lib", "a=b", "it broke", "2001:db8::1", "unknown"),
		})
	}
	const base = 1_700_000_000_000_000_000
	if rng.IntN(3) == 0 {
		q.MinStart = base + rng.Int64N(100)*pick[int64](rng, 1000, 1e9, 1e10)
	}
	if rng.IntN(3) == 0 {
		q.MaxStart = base + rng.Int64N(100)*pick[int64](rng, 1000, 1e9, 1e10)
	}
	if rng.IntN(4) == 0 {
		q.MinDuration = pick[int64](rng, 1, 1000, 1001, 5_000_000)
	}
	if rng.IntN(4) == 0 {
		q.MaxDuration = pick[int64](rng, 1, 1000, 5_000_000, 1<<62)
	}
	q.Limit = pick(rng, 0, 0, 1, 5, 20)
	return q
}

func compareSearch(t testing.TB, got, want storage.Reader, q spandrel.Query) {
	t.Helper()
	g, w := collect(t, got.Search(context.Background(), q)), collect(t, want.Search(context.Background(), q))
	if diff := gocmp.Diff(g, w); diff != "" {
		t.Fatalf("search %+v: got (-), want (+):\n%s", q, diff)
	}
}

func collect[T any](t testing.TB, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var all []T
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// compareReads compares everything but searches for conditions.
func compareReads(t testing.TB, got, want storage.Reader) {
	t.Helper()
	ctx := context.Background()
	refs := collect(t, want.Search(ctx, spandrel.Query{}))
	if diff := gocmp.Diff(traces(t, got, refs), traces(t, want, refs), spanCompare); diff != "" {
		t.Fatalf("traces: got (-), want (+):\n%s", diff)
	}
	services := must(want.Services(ctx))(t)
	if diff := gocmp.Diff(must(got.Services(ctx))(t), services); diff != "" {
		t.Fatalf("services: got (-), want (+):\n%s", diff)
	}
	for _, service := range append(services, "nobody") {
		if diff := gocmp.Diff(must(got.Operations(ctx, service))(t), must(want.Operations(ctx, service))(t), spanCompare); diff != "" {
			t.Fatalf("operations of %q: got (-), want (+):\n%s", service, diff)
		}
	}
	from := time.Unix(1_700_000_000, 0)
	for _, to := range []time.Time{from.Add(time.Second), from.Add(50 * time.Second), from.Add(24 * time.Hour)} {
		g, w := must(got.Dependencies(ctx, from, to))(t), must(want.Dependencies(ctx, from, to))(t)
		if diff := gocmp.Diff(g, w, spanCompare); diff != "" {
			t.Fatalf("dependencies until %v: got (-), want (+):\n%s", to, diff)
		}
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// traces reads traces, without duplicates and in canonical order.
func traces(t testing.TB, r storage.Reader, refs []storage.TraceRef) map[string][]spandrel.Span {
	t.Helper()
	all := make(map[string][]spandrel.Span)
	for _, chunk := range collect(t, r.Traces(context.Background(), refs)) {
		if len(chunk) == 0 || len(chunk) > maxChunk {
			t.Fatalf("got a chunk of %d spans", len(chunk))
		}
		id := chunk[0].TraceID.String()
		all[id] = append(all[id], chunk...)
	}
	for id, spans := range all {
		slices.SortFunc(spans, func(a, b spandrel.Span) int {
			return cmp.Or(cmp.Compare(string(rowOf(&a).identity()), string(rowOf(&b).identity())), cmp.Compare(a.Start, b.Start))
		})
		all[id] = slices.CompactFunc(spans, func(a, b spandrel.Span) bool { return a.Equal(&b) })
	}
	return all
}

func conditions(keysAndValues ...string) (tags []spandrel.TagCondition) {
	for pair := range slices.Chunk(keysAndValues, 2) {
		tags = append(tags, spandrel.TagCondition{Key: pair[0], Value: pair[1]})
	}
	return tags
}
