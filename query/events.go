package query

import (
	"cmp"
	"context"
	"slices"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// RowEvent is an event of the span in a row of the trace's skeleton.
type RowEvent struct {
	Row    int32
	At     int64 // ns after the skeleton's Start
	Name   string
	Fields []spandrel.Tag
}

// Events lists the events of all spans of a trace in order of time, those of
// one time by row, at most limit of them, and says how many there are.
func (s *Service) Events(ctx context.Context, id spandrel.TraceID, limit int) (events []RowEvent, count int, err error) {
	// the outline of the skeleton, so that the rows are the same
	trace, _, err := s.outlined(ctx, id, storage.Outline{Tags: factTags, Rare: true})
	if err != nil {
		return nil, 0, err
	}
	b := &skeletonBuilder{trace: trace}
	b.walk()
	for row, i := range b.order {
		list := trace.Spans[i].Events
		for k := range list {
			e := &list[k]
			events = append(events, RowEvent{int32(row), e.Time - trace.Spans[0].Start, e.Name, e.Fields})
		}
	}
	slices.SortStableFunc(events, func(x, y RowEvent) int { return cmp.Compare(x.At, y.At) })
	return slices.Clip(events[:min(limit, len(events))]), len(events), nil
}
