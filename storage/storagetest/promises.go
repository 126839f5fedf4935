package storagetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// promises are what a store does beside answering.
var promises = []struct {
	name string
	run  func(t *testing.T, h Harness)
}{
	{"a write keeps no memory of its caller", keepsNoMemory},
	{"an empty write is nothing", emptyWrite},
	{"a closed store refuses writes", refusesWhenClosed},
	{"reads end with their context", endsWithContext},
	{"a write whose context ended may be repeated", repeatsCancelledWrite},
	{"a loop over answers may write and move spans", changesInLoop},
	{"every write is visible when it returns", visibleAtOnce},
	{"a store may be reopened again and again", reopensOften},
	{"readers and writers do not disturb one another", readsAndWrites},
	{"what was acknowledged before closing is there", closesUnderLoad},
	{"random histories agree with the oracle", agreesWithOracle},
}

// borrowed copies spans into memory that spoil overwrites.
func borrowed(spans []spandrel.Span) (copies []spandrel.Span, spoil func()) {
	var arena [][]byte
	text := func(s string) string {
		if s == "" {
			return ""
		}
		b := []byte(s)
		arena = append(arena, b)
		return unsafe.String(&b[0], len(b))
	}
	tags := func(tags []spandrel.Tag) []spandrel.Tag {
		tags = slices.Clone(tags)
		for i, t := range tags {
			tags[i] = spandrel.Tag{Key: text(t.Key), Value: spandrel.RawValue(t.Value.Kind(), text(t.Value.Raw()))}
		}
		return tags
	}
	copies = slices.Clone(spans)
	for i := range copies {
		s := &copies[i]
		for _, field := range []*string{&s.Name, &s.Local.Service, &s.Remote.Service, &s.StatusMessage, &s.TraceState, &s.Scope.Name, &s.Scope.Version} {
			*field = text(*field)
		}
		s.Tags, s.Resource, s.Scope.Tags = tags(s.Tags), tags(s.Resource), tags(s.Scope.Tags)
		s.Events, s.Links = slices.Clone(s.Events), slices.Clone(s.Links)
		for k := range s.Events {
			s.Events[k].Name, s.Events[k].Fields = text(s.Events[k].Name), tags(s.Events[k].Fields)
		}
		for k := range s.Links {
			s.Links[k].TraceState, s.Links[k].Tags = text(s.Links[k].TraceState), tags(s.Links[k].Tags)
		}
	}
	return copies, func() {
		for _, b := range arena {
			for i := range b {
				b[i] = '#'
			}
		}
		for i := range copies {
			s := &copies[i]
			clear(s.Tags)
			clear(s.Resource)
			clear(s.Scope.Tags)
			clear(s.Events)
			clear(s.Links)
		}
		clear(copies)
	}
}

func keepsNoMemory(t *testing.T, h Harness) {
	spans := slices.Concat(storedTrace(2), variants(1), NewGenerator(3, GeneratorOptions{}).Next())
	l := h.open(t)
	for part := range slices.Chunk(spans, 7) {
		copies, spoil := borrowed(part)
		write(t, l.store, copies)
		spoil()
	}
	want := []found{
		{"service", of("frontend", with("peer.service", "backend")), []uint64{2}},
		{"tag", with("http.path", "/api"), []uint64{2}},
		{"event", with("event", "foo"), []uint64{2}},
	}
	c := check{store: l.store, spans: spans}
	c.all(t, &behaviour{want: want})
	for _, s := range h.steps() {
		l.do(t, s)
		c.store = l.store
		c.all(t, &behaviour{want: want})
	}
}

func emptyWrite(t *testing.T, h Harness) {
	l := h.open(t)
	write(t, l.store, nil)
	write(t, l.store, []spandrel.Span{})
	for _, s := range h.steps() {
		l.do(t, s)
	}
	c := check{store: l.store}
	c.all(t, &behaviour{want: []found{{name: "all"}}})
}

func refusesWhenClosed(t *testing.T, h Harness) {
	l := h.open(t)
	write(t, l.store, storedTrace(1))
	if err := l.store.Healthy(); err != nil {
		t.Errorf("Healthy while open: %v", err)
	}
	l.close(t)
	if err := l.store.Write(t.Context(), storedTrace(2)); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("Write after Close: %v, want %v", err, storage.ErrClosed)
	}
	if err := l.store.Healthy(); err == nil {
		t.Error("Healthy after Close: nil, want an error")
	}
}

// count counts the pairs of an answer before its error; more pairs after the
// error are a mistake.
func count[T any](t *testing.T, answer iter.Seq2[T, error], each func(n int)) (n int, err error) {
	t.Helper()
	for _, e := range answer {
		if err != nil {
			t.Error("something follows an error")
		}
		if err = e; err == nil {
			n++
			each(n)
		}
	}
	return n, err
}

func endsWithContext(t *testing.T, h Harness) {
	l := h.open(t)
	var refs []storage.TraceRef
	for i := range uint64(300) {
		write(t, l.store, batch(span(1+i, 1, after(time.Duration(i)))))
		refs = append(refs, storage.TraceRef{ID: spandrel.TraceID{Low: 1 + i}})
		if i == 150 && h.Flush != nil {
			h.Flush(t, l.store)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	nothing := func(int) {}
	if n, err := count(t, l.store.Search(ended, spandrel.Query{}), nothing); n > 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("Search in an ended context: %d traces, %v", n, err)
	}
	if n, err := count(t, l.store.Traces(ended, refs), nothing); n > 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("Traces in an ended context: %d chunks, %v", n, err)
	}
	for _, last := range []int{1, 100} {
		ctx, cancel := context.WithCancel(t.Context())
		stop := func(n int) {
			if n == last {
				cancel()
			}
		}
		if n, err := count(t, l.store.Search(ctx, spandrel.Query{}), stop); n != last || !errors.Is(err, context.Canceled) {
			t.Errorf("Search until its context ends after %d: %d traces, %v", last, n, err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		if n, err := count(t, l.store.Traces(ctx, refs), stop); n != last || !errors.Is(err, context.Canceled) {
			t.Errorf("Traces until its context ends after %d: %d chunks, %v", last, n, err)
		}
		cancel()
	}
}

func repeatsCancelledWrite(t *testing.T, h Harness) {
	l := h.open(t)
	ended, end := context.WithCancel(t.Context())
	end()
	if err := l.store.Write(ended, storedTrace(1)); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Write in an ended context: %v", err)
	}
	write(t, l.store, storedTrace(1))
	c := check{store: l.store, spans: storedTrace(1)}
	c.all(t, &behaviour{want: []found{{name: "all", traces: []uint64{1}}}})
}

func changesInLoop(t *testing.T, h Harness) {
	l := h.open(t)
	var spans []spandrel.Span
	for i := range uint64(40) {
		spans = append(spans, span(1+i, 1, service("a"), after(time.Duration(i))))
	}
	write(t, l.store, spans)
	change := func(n int) {
		if n > 3 {
			return
		}
		write(t, l.store, batch(span(uint64(100+n), 1, service("b"))))
		if n == 2 && h.Flush != nil {
			h.Flush(t, l.store)
		}
		if n == 3 && h.Seal != nil {
			h.Seal(t, l.store)
		}
	}
	want := Oracle(spans).Search(spandrel.Query{Service: "a"})
	var got []storage.TraceRef
	for ref, err := range l.store.Search(t.Context(), spandrel.Query{Service: "a"}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, ref)
		change(len(got))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("search (-want +got):\n%s", diff)
	}
	if n, err := count(t, l.store.Traces(t.Context(), want), change); n != len(want) || err != nil {
		t.Errorf("%d chunks, %v, want one for each of %d traces", n, err, len(want))
	}
}

func visibleAtOnce(t *testing.T, h Harness) {
	l := h.open(t)
	steps := h.steps()
	var c check
	for i := range uint64(20) {
		if len(steps) > 0 && i%4 == 3 {
			l.do(t, steps[int(i/4)%len(steps)])
		}
		c.spans = append(c.spans, span(1+i/2, 1+i, service(fmt.Sprint("s", i)), named(fmt.Sprint("o", i)), tag("n", fmt.Sprint(i)), after(time.Duration(i))))
		write(t, l.store, c.spans[i:])
		c.store = l.store
		c.all(t, &behaviour{want: []found{{"newest", with("n", fmt.Sprint(i)), []uint64{1 + i/2}}}})
	}
}

func reopensOften(t *testing.T, h Harness) {
	l := h.open(t)
	var c check
	for i := range uint64(5) {
		c.spans = append(c.spans, storedTrace(1+i)...)
		write(t, l.store, storedTrace(1+i))
		if h.Reopen != nil {
			l.do(t, step{"reopened", h.Reopen})
			l.do(t, step{"reopened", h.Reopen})
		}
		c.store = l.store
		c.all(t, &behaviour{})
	}
}

func agreesWithOracle(t *testing.T, h Harness) {
	for seed := range uint64(6) {
		l := h.open(t)
		run := newHistory(t, seed, &naive{}, l.store)
		steps := h.steps()
		for i := range historySteps {
			run.step()
			if len(steps) > 0 && i%20 == 19 {
				l.do(t, steps[run.rng.IntN(len(steps))])
				run.b = l.store
			}
		}
	}
}
