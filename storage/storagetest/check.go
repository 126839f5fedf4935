package storagetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// check is a store and what was written to it, so far later than the
// behaviour says.
type check struct {
	*testing.T
	store storage.Store
	spans []spandrel.Span
	shift time.Duration
}

// all checks what b says and what is true of all stores.
func (c check) all(t *testing.T, b *behaviour) {
	c.T = t
	c.readsBack()
	c.outlines()
	c.lists()
	c.links()
	for _, w := range b.want {
		got := c.search(w.query)
		if diff := cmp.Diff(w.traces, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: traces (-want +got):\n%s", w.name, diff)
		}
	}
	if b.check != nil {
		b.check(&c)
	}
}

// readsBack reads all traces by their ids alone.
func (c *check) readsBack() {
	c.Helper()
	var refs []storage.TraceRef
	for id := range byTrace(c.spans) {
		refs = append(refs, storage.TraceRef{ID: id})
	}
	if diff := Diff(c.spans, readTraces(c.T, c.store, refs)); diff != "" {
		c.Errorf("read back: %s", diff)
	}
}

// lists compares service and operation names with the oracle's.
func (c *check) lists() {
	c.Helper()
	want := Oracle(c.spans).Services()
	got, err := c.store.Services(c.Context())
	if err != nil {
		c.Errorf("Services: %v", err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		c.Errorf("services (-want +got):\n%s", diff)
	}
	for _, service := range got {
		c.operations(service)
	}
}

func (c *check) operations(service string) []storage.Operation {
	c.Helper()
	got, err := c.store.Operations(c.Context(), service)
	if err != nil {
		c.Errorf("Operations(%q): %v", service, err)
	}
	if diff := cmp.Diff(Oracle(c.spans).Operations(service), got, cmpopts.EquateEmpty()); diff != "" {
		c.Errorf("operations of %q (-want +got):\n%s", service, diff)
	}
	return got
}

// links compares the dependencies of all time with the oracle's.
func (c *check) links() {
	c.Helper()
	if len(c.spans) > 0 {
		c.dependencies(time.Unix(0, 0), time.Unix(1<<34, 0))
	}
}

// dependencies asks for a range of shifted time.
func (c *check) dependencies(from, to time.Time) []spandrel.Dependency {
	c.Helper()
	got, err := c.store.Dependencies(c.Context(), from, to)
	if err != nil {
		c.Errorf("Dependencies: %v", err)
	}
	want := Oracle(c.spans).Dependencies(from, to)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		c.Errorf("dependencies from %v to %v (-want +got):\n%s", from, to, diff)
	}
	return got
}

// search asks the query, moved in time, with and without limits, and compares
// with the oracle. It returns the low halves of the trace ids.
func (c *check) search(q spandrel.Query) []uint64 {
	c.Helper()
	q = shiftedQuery(q, c.shift)
	got := searchAll(c.T, c.store, q)
	want := Oracle(c.spans).Search(q)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		c.Errorf("search %+v (-want +got):\n%s", q, diff)
	}
	var low []uint64
	for _, ref := range got {
		low = append(low, ref.ID.Low)
	}
	for _, limit := range []int{1, len(want) - 1, len(want), len(want) + 1} {
		if limit < 1 || q.Limit != 0 {
			continue
		}
		q := q
		q.Limit = limit
		if diff := cmp.Diff(want[:min(limit, len(want))], searchAll(c.T, c.store, q), cmpopts.EquateEmpty()); diff != "" {
			c.Errorf("search %+v (-want +got):\n%s", q, diff)
		}
	}
	for ref, err := range c.store.Search(c.Context(), q) {
		if err != nil || ref != want[0] {
			c.Errorf("the first trace is %v, %v, want %v", ref, err, want[0])
		}
		break
	}
	return low
}

// searchAll is the whole answer to a query.
func searchAll(t *testing.T, s storage.Reader, q spandrel.Query) []storage.TraceRef {
	t.Helper()
	var refs []storage.TraceRef
	for ref, err := range s.Search(t.Context(), q) {
		if err != nil {
			t.Fatalf("Search(%+v): %v", q, err)
		}
		refs = append(refs, ref)
	}
	return refs
}

// MaxChunk is how many spans of a trace a store may give at once: a trace of
// any size must not need memory in proportion to it.
const MaxChunk = 32 << 10

// readTraces reads the traces and checks the shape of the answer: chunks
// within bounds, and traces in the order of refs.
func readTraces(t *testing.T, s storage.Reader, refs []storage.TraceRef) []spandrel.Span {
	t.Helper()
	var spans []spandrel.Span
	next := 0 // in refs
	for chunk, err := range s.Traces(t.Context(), refs) {
		if err != nil {
			t.Fatalf("Traces: %v", err)
		}
		if len(chunk) == 0 || len(chunk) > MaxChunk {
			t.Fatalf("a chunk has %d spans, want 1 to %d", len(chunk), MaxChunk)
		}
		id := chunk[0].TraceID
		for i := range chunk {
			if chunk[i].TraceID != id {
				t.Fatalf("a chunk holds spans of traces %v and %v", id, chunk[i].TraceID)
			}
		}
		at := slices.IndexFunc(refs[next:], func(r storage.TraceRef) bool { return r.ID == id })
		if at < 0 {
			t.Fatalf("trace %v is given out of order, or was not asked for", id)
		}
		next += at
		spans = append(spans, chunk...)
	}
	return spans
}

func shifted(spans []spandrel.Span, by time.Duration) []spandrel.Span {
	spans = slices.Clone(spans)
	for i := range spans {
		spans[i].Start += int64(by)
		spans[i].Events = slices.Clone(spans[i].Events)
		for k := range spans[i].Events {
			spans[i].Events[k].Time += int64(by)
		}
	}
	return spans
}

func shiftedQuery(q spandrel.Query, by time.Duration) spandrel.Query {
	if q.MinStart != 0 {
		q.MinStart += int64(by)
	}
	if q.MaxStart != 0 {
		q.MaxStart += int64(by)
	}
	return q
}
