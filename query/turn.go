package query

import (
	"context"
	"fmt"
	"time"

	"github.com/spandrel/spandrel/storage"
)

// A whole trace takes about two kilobytes of memory a span, as long as it is
// being answered. Large ones take turns, so that many who ask for them at once
// wait instead of taking what there is.
const (
	heavyTrace    = 5_000            // spans from which on a trace takes a turn
	maxHeavy      = 2                // turns at once
	heavyPatience = 30 * time.Second // for a turn to come
)

// errHeavy is told to who has waited for too long.
var errHeavy = fmt.Errorf("others look at large traces: %w", storage.ErrOverloaded)

// turn is one reader's: of one large trace at a time.
type turn struct {
	turns chan struct{} // holds a value for each that has come
	mine  bool
}

// begin waits for the turn unless it has come. Until then the caller should hold
// no more than heavyTrace spans.
func (t *turn) begin(ctx context.Context) error {
	if t.mine {
		return nil
	}
	patience := time.NewTimer(heavyPatience)
	defer patience.Stop()
	select {
	case t.turns <- struct{}{}:
		t.mine = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-patience.C:
		return errHeavy
	}
}

// end lets the next one begin.
func (t *turn) end() {
	if t.mine {
		t.mine = false
		<-t.turns
	}
}
