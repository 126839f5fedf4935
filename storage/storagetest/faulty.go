package storagetest

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// Outcome is what becomes of one Write to a faulty store.
type Outcome int

// The outcomes. All but Done return an error that wraps
// storage.ErrUnavailable.
const (
	Done      Outcome = iota // written
	Lost                     // failed, nothing is stored
	InPart                   // failed, the first half of the spans is stored
	Persisted                // failed, all is stored nevertheless
)

// Faulty is s, except that decide says what becomes of its writes, which it is
// told to count from 0. It may be called from several goroutines at once.
func Faulty(s storage.Store, decide func(call int) Outcome) storage.Store {
	return &faulty{Store: s, decide: decide}
}

type faulty struct {
	storage.Store
	decide func(call int) Outcome
	calls  atomic.Int64
}

func (f *faulty) Write(ctx context.Context, spans []spandrel.Span) error {
	call := int(f.calls.Add(1) - 1)
	outcome := f.decide(call)
	switch outcome {
	case Lost:
		spans = nil
	case InPart:
		spans = spans[:len(spans)/2]
	}
	if err := f.Store.Write(ctx, spans); err != nil {
		return err
	}
	if outcome != Done {
		return fmt.Errorf("write %d fails on purpose: %w", call, storage.ErrUnavailable)
	}
	return nil
}
