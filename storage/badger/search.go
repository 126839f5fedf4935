package badger

import (
	"context"
	"iter"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// Search implements storage.Reader. Heads and segments are sources of
// candidates, each with a bound, the newest start it can have. The source with
// the highest bound is searched when that bound is not below the newest
// candidate at hand; else no source can beat that candidate, so it is checked
// and given out. Sources that are not needed are never looked at.
func (s *Store) Search(ctx context.Context, q spandrel.Query) iter.Seq2[storage.TraceRef, error] {
	return func(yield func(storage.TraceRef, error) bool) {
		v, err := s.acquire()
		if err != nil {
			yield(storage.TraceRef{}, err)
			return
		}
		defer v.release()
		r := &search{store: s, q: &q, terms: termsOf(&q), seen: make(map[spandrel.TraceID]struct{})}
		r.needs = needsOf(&q, r.terms)
		r.plan(v)
		defer r.forget()
		for n := 0; q.Limit <= 0 || n < q.Limit; n++ {
			ref, ok, err := r.next(ctx)
			if err != nil {
				yield(storage.TraceRef{}, err)
				return
			}
			if !ok || !yield(ref, nil) {
				return
			}
		}
	}
}

type search struct {
	store   *Store
	q       *spandrel.Query
	terms   []term
	needs   needs
	waiting []*source // heap, highest bound first
	open    []*source // heap, newest candidate first
	seen    map[spandrel.TraceID]struct{}
	used    []*segmentReader
}

// source is a head, a segment or a page of one.
type source struct {
	bound int64
	// search lists all rows that may match, or sources that have them;
	// afterwards verify tells of a row that is not sure whether it does.
	search func() ([]candidate, []*source)
	verify func(row int32) bool
	found  []candidate // heap, newest first
}

// candidate is a row that may match.
type candidate struct {
	start int64
	trace spandrel.TraceID
	row   int32
	sure  bool // it does match
}

func newer(a, b candidate) bool {
	return a.start > b.start || a.start == b.start && a.trace.Compare(b.trace) < 0
}

func higherBound(a, b *source) bool { return a.bound > b.bound }
func newerTop(a, b *source) bool    { return newer(a.found[0], b.found[0]) }

func (r *search) forget() {
	r.store.segments.close(r.used)
}

// plan lists the sources whose times meet the query's.
func (r *search) plan(v *view) {
	for _, p := range v.parts {
		for _, info := range p.segments {
			if bound, ok := r.boundOf(info.span); ok {
				r.waiting = append(r.waiting, r.segmentSource(p, info, bound))
			}
		}
	}
	for _, h := range v.headViews() {
		r.planHead(h)
	}
	heapify(r.waiting, higherBound)
}

func (r *search) boundOf(span timeRange) (int64, bool) {
	bound := span.max
	if r.q.MaxStart != 0 {
		bound = min(bound, r.q.MaxStart)
	}
	return bound, bound >= r.q.MinStart && span.min <= bound
}

// next finds the next trace.
func (r *search) next(ctx context.Context) (ref storage.TraceRef, ok bool, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return ref, false, err
		}
		if len(r.waiting) > 0 && (len(r.open) == 0 || r.waiting[0].bound >= r.open[0].found[0].start) {
			src := heapPop(&r.waiting, higherBound)
			found, parts := src.search()
			for _, part := range parts {
				heapPush(&r.waiting, part, higherBound)
			}
			if src.found = found; len(found) > 0 {
				heapify(src.found, newer)
				heapPush(&r.open, src, newerTop)
			}
			continue
		}
		if len(r.open) == 0 {
			return ref, false, nil
		}
		src := r.open[0]
		c := heapPop(&src.found, newer)
		if len(src.found) == 0 {
			heapPop(&r.open, newerTop)
		} else {
			siftDown(r.open, 0, newerTop)
		}
		if _, ok := r.seen[c.trace]; ok || !c.sure && !src.verify(c.row) {
			continue
		}
		r.seen[c.trace] = struct{}{}
		return storage.TraceRef{ID: c.trace, Start: c.start}, true, nil
	}
}

// heapify, heapPush, heapPop and siftDown keep a slice a heap whose first
// element none is before.
func heapify[T any](h []T, before func(a, b T) bool) {
	for i := len(h)/2 - 1; i >= 0; i-- {
		siftDown(h, i, before)
	}
}

func siftDown[T any](h []T, i int, before func(a, b T) bool) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && before(h[child+1], h[child]) {
			child++
		}
		if !before(h[child], h[i]) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

func heapPush[T any](h *[]T, v T, before func(a, b T) bool) {
	*h = append(*h, v)
	for i := len(*h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !before((*h)[i], (*h)[parent]) {
			return
		}
		(*h)[i], (*h)[parent] = (*h)[parent], (*h)[i]
		i = parent
	}
}

func heapPop[T any](h *[]T, before func(a, b T) bool) T {
	s := *h
	top := s[0]
	n := len(s) - 1
	s[0] = s[n]
	*h = s[:n]
	siftDown(*h, 0, before)
	return top
}
