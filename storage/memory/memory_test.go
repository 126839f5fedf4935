package memory

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

func TestTheTraceBegunFirstIsForgottenFirst(t *testing.T) {
	s := New(Options{MaxTraces: 2})
	for i, trace := range []uint64{1, 2, 1, 3, 3, 2} {
		span := spandrel.Span{TraceID: spandrel.TraceID{Low: trace}, ID: spandrel.SpanID(i + 1), Start: int64(100 - i)}
		if err := s.Write(t.Context(), []spandrel.Span{span}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]uint64{2, 3}, found(t, s)); diff != "" {
		t.Errorf("traces (-want +got):\n%s", diff)
	}
	batch := []spandrel.Span{{TraceID: spandrel.TraceID{Low: 7}, ID: 1, Start: 9}, {TraceID: spandrel.TraceID{Low: 8}, ID: 1, Start: 8},
		{TraceID: spandrel.TraceID{Low: 9}, ID: 1, Start: 7}, {TraceID: spandrel.TraceID{Low: 2}, ID: 1, Start: 6}}
	if err := s.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]uint64{9, 2}, found(t, s)); diff != "" {
		t.Errorf("traces after a batch of more than the store holds (-want +got):\n%s", diff)
	}
	for chunk := range s.Traces(t.Context(), []storage.TraceRef{{ID: spandrel.TraceID{Low: 7}}}) {
		t.Errorf("a forgotten trace has spans: %v", chunk)
	}
	for chunk := range s.Traces(t.Context(), []storage.TraceRef{{ID: spandrel.TraceID{Low: 2}}}) {
		if len(chunk) != 1 {
			t.Errorf("a trace begun anew has %d spans, want 1", len(chunk))
		}
	}
}

// found lists the low halves of the ids of all traces, newest first.
func found(t *testing.T, s *Store) []uint64 {
	t.Helper()
	var ids []uint64
	for ref, err := range s.Search(t.Context(), spandrel.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, ref.ID.Low)
	}
	return ids
}
