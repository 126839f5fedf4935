package query

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
)

func TestEventsAreInOrderOfTimeThenRow(t *testing.T) {
	event := func(at int64, name string) spandrel.Event { return spandrel.Event{Time: at, Name: name} }
	svc := serve(t, Options{},
		spandrel.Span{TraceID: id1, ID: 1, Start: 1000, Duration: 100, Events: []spandrel.Event{event(1050, "b"), event(1010, "a")}},
		spandrel.Span{TraceID: id1, ID: 2, ParentID: 1, Start: 1020, Duration: 10, Events: []spandrel.Event{event(1050, "c"), event(990, "before")}},
		spandrel.Span{TraceID: id1, ID: 3, ParentID: 1, Start: 1030, Duration: 10})
	for _, limit := range []int{10, 2} {
		events, count, err := svc.Events(t.Context(), id1, limit)
		if err != nil {
			t.Fatal(err)
		}
		want := []RowEvent{{1, -10, "before", nil}, {0, 10, "a", nil}, {0, 50, "b", nil}, {1, 50, "c", nil}}
		if diff := cmp.Diff(want[:min(limit, len(want))], events); diff != "" || count != len(want) {
			t.Errorf("limit %d: count %d (-want +got):\n%s", limit, count, diff)
		}
	}
	if _, _, err := svc.Events(t.Context(), spandrel.TraceID{Low: 99}, 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such trace: %v", err)
	}
}
