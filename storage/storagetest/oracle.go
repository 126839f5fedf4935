package storagetest

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// Oracle knows the right answers about spans, some of which may be equal. It
// looks at each of them for each question.
type Oracle []spandrel.Span

// Search is what storage.Reader's Search must yield.
func (o Oracle) Search(q spandrel.Query) []storage.TraceRef {
	newest := map[spandrel.TraceID]int64{}
	for i := range o {
		if s := &o[i]; q.Match(s) {
			newest[s.TraceID] = max(newest[s.TraceID], s.Start)
		}
	}
	refs := make([]storage.TraceRef, 0, len(newest))
	for id, start := range newest {
		refs = append(refs, storage.TraceRef{ID: id, Start: start})
	}
	slices.SortFunc(refs, func(a, b storage.TraceRef) int {
		if a.Start != b.Start {
			return cmp.Compare(b.Start, a.Start)
		}
		return a.ID.Compare(b.ID)
	})
	if q.Limit > 0 && len(refs) > q.Limit {
		refs = refs[:q.Limit]
	}
	return refs
}

// Services is what storage.Reader's Services must return.
func (o Oracle) Services() []string {
	names := map[string]struct{}{}
	for i := range o {
		names[o[i].Service()] = struct{}{}
	}
	return slices.Sorted(maps.Keys(names))
}

// Operations is what storage.Reader's Operations must return.
func (o Oracle) Operations(service string) []storage.Operation {
	var ops []storage.Operation
	for i := range o {
		if s := &o[i]; s.Service() == service {
			ops = append(ops, storage.Operation{Name: s.Name, Kind: s.Kind})
		}
	}
	slices.SortFunc(ops, func(a, b storage.Operation) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	return slices.Compact(ops)
}

// Dependencies is what storage.Reader's Dependencies must return.
func (o Oracle) Dependencies(from, to time.Time) []spandrel.Dependency {
	var sums []spandrel.Dependency
	from, to = from.Truncate(time.Minute), to.Add(time.Minute-1).Truncate(time.Minute)
	for _, spans := range byTrace(o) {
		for _, c := range spandrel.Calls(spans) {
			if at := time.Unix(0, c.Start); at.Before(from) || !at.Before(to) {
				continue
			}
			i, ok := slices.BinarySearchFunc(sums, c, func(d spandrel.Dependency, c spandrel.Call) int {
				return cmp.Or(cmp.Compare(d.Parent, c.Parent), cmp.Compare(d.Child, c.Child))
			})
			if !ok {
				sums = slices.Insert(sums, i, spandrel.Dependency{Parent: c.Parent, Child: c.Child})
			}
			sums[i].Calls++
			if c.Error {
				sums[i].Errors++
			}
		}
	}
	return sums
}

// byTrace sorts spans into traces.
func byTrace(spans []spandrel.Span) map[spandrel.TraceID][]spandrel.Span {
	traces := map[spandrel.TraceID][]spandrel.Span{}
	for i := range spans {
		traces[spans[i].TraceID] = append(traces[spans[i].TraceID], spans[i])
	}
	return traces
}
