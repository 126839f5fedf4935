package storagetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// readsAndWrites lets writers check that they can read what they wrote while
// others write and read and the store moves spans.
func readsAndWrites(t *testing.T, h Harness) {
	const writers, posts = 4, 25
	l := h.open(t)
	wrote := make([][]spandrel.Span, writers)
	done, finish := context.WithCancel(t.Context())
	var writing, reading sync.WaitGroup
	for w := range writers {
		g := NewGenerator(uint64(w), GeneratorOptions{Services: 6, MaxSpans: 40})
		writing.Go(func() {
			for range posts {
				spans := g.NextBatch()
				if err := writeAndRead(t.Context(), l.store, spans); err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
				wrote[w] = append(wrote[w], spans...)
			}
		})
	}
	for range 2 {
		reading.Go(func() {
			for done.Err() == nil {
				if err := readAll(t.Context(), l.store); err != nil {
					t.Errorf("reader: %v", err)
					return
				}
			}
		})
	}
	for range 3 {
		for _, move := range []func(*testing.T, storage.Store){h.Flush, h.Seal} {
			if move != nil {
				move(t, l.store)
			}
		}
	}
	writing.Wait()
	finish()
	reading.Wait()
	c := check{store: l.store, spans: slices.Concat(wrote...)}
	c.all(t, &behaviour{check: func(c *check) { c.search(spandrel.Query{}) }})
}

// writeAndRead writes spans and looks for each of them.
func writeAndRead(ctx context.Context, s storage.Store, spans []spandrel.Span) error {
	if err := s.Write(ctx, spans); err != nil {
		return err
	}
	for i := range spans {
		sp := &spans[i]
		id, _ := sp.Tag("guid:x-request-id")
		q := spandrel.Query{Service: sp.Service(), Operation: sp.Name, MinStart: sp.Start, MaxStart: sp.Start,
			Tags: []spandrel.TagCondition{{Key: "guid:x-request-id", Value: id.String()}}}
		seen := false
		for ref, err := range s.Search(ctx, q) {
			if err != nil {
				return err
			}
			seen = seen || ref == storage.TraceRef{ID: sp.TraceID, Start: sp.Start}
		}
		if !seen {
			return fmt.Errorf("span %v of trace %v is not found", sp.ID, sp.TraceID)
		}
		seen = false
		for chunk, err := range s.Traces(ctx, []storage.TraceRef{{ID: sp.TraceID}}) {
			if err != nil {
				return err
			}
			seen = seen || slices.ContainsFunc(chunk, func(o spandrel.Span) bool { return o.Equal(sp) })
		}
		if !seen {
			return fmt.Errorf("span %v is not in trace %v", sp.ID, sp.TraceID)
		}
	}
	return nil
}

// readAll reads everything and checks what must be true at any moment.
func readAll(ctx context.Context, s storage.Store) error {
	var refs []storage.TraceRef
	for ref, err := range s.Search(ctx, spandrel.Query{Limit: 50}) {
		if err != nil {
			return err
		}
		if n := len(refs); n > 0 && refs[n-1].Start < ref.Start {
			return fmt.Errorf("a trace that began at %d comes after one that began at %d", ref.Start, refs[n-1].Start)
		}
		if slices.ContainsFunc(refs, func(r storage.TraceRef) bool { return r.ID == ref.ID }) {
			return fmt.Errorf("trace %v is found twice", ref.ID)
		}
		refs = append(refs, ref)
	}
	seen := map[spandrel.TraceID]bool{}
	for chunk, err := range s.Traces(ctx, refs) {
		if err != nil {
			return err
		}
		seen[chunk[0].TraceID] = true
	}
	if len(seen) != len(refs) {
		return fmt.Errorf("%d traces were found, %d could be read", len(refs), len(seen))
	}
	names, err := s.Services(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if ops, err := s.Operations(ctx, name); err != nil || len(ops) == 0 {
			return fmt.Errorf("service %s has operations %v, %w", name, ops, err)
		}
	}
	links, err := s.Dependencies(ctx, Epoch, Epoch.Add(1e12))
	for _, link := range links {
		if link.Errors > link.Calls {
			return fmt.Errorf("%+v has more errors than calls", link)
		}
	}
	return err
}

// closesUnderLoad closes the store while it is written to.
func closesUnderLoad(t *testing.T, h Harness) {
	const writers = 4
	l := h.open(t)
	s := l.store
	acknowledged := make([][]spandrel.Span, writers)
	var writing, begun sync.WaitGroup
	begun.Add(writers)
	for w := range writers {
		g := NewGenerator(uint64(10+w), GeneratorOptions{Services: 6, MaxSpans: 40})
		writing.Go(func() {
			started := sync.OnceFunc(begun.Done)
			defer started()
			for n := 0; ; n++ {
				if n == 3 {
					started()
				}
				spans := g.NextBatch()
				err := s.Write(t.Context(), spans)
				if err != nil {
					if !errors.Is(err, storage.ErrClosed) {
						t.Errorf("writer %d: %v, want %v", w, err, storage.ErrClosed)
					}
					return
				}
				acknowledged[w] = append(acknowledged[w], spans...)
			}
		})
	}
	begun.Wait()
	if h.Reopen != nil {
		l.do(t, step{"reopened", h.Reopen})
	} else {
		l.close(t)
	}
	writing.Wait()
	if h.Reopen == nil {
		return
	}
	all := slices.Concat(acknowledged...)
	var refs []storage.TraceRef
	for id := range byTrace(all) {
		refs = append(refs, storage.TraceRef{ID: id})
	}
	if lost := without(all, readTraces(t, l.store, refs)); len(lost) > 0 {
		t.Errorf("%d of %d acknowledged spans are lost, among them %v", len(lost), len(all), lost[0].ID)
	}
}
