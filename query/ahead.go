package query

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
)

// ahead yields what of yields, from a goroutine that gets the next trace ready
// while the consumer is at work on one: reading traces and writing them take
// about as long. After a heavy trace it waits, since that one's turn ends when
// the next is asked for. A panic in of is one in the consumer's goroutine.
func ahead(ctx context.Context, of func(context.Context) iter.Seq2[*Trace, error]) iter.Seq2[*Trace, error] {
	return func(yield func(*Trace, error) bool) {
		p := &producer{of: of, traces: make(chan found), back: make(chan struct{})}
		inner, cancel := context.WithCancel(ctx)
		go p.run(inner)
		defer func() {
			cancel()
			for range p.traces { // until it has let go of the store
			}
			if p.fault != "" {
				panic(p.fault)
			}
		}()
		for f := range p.traces {
			if !yield(f.trace, f.err) || f.err != nil {
				return
			}
			if f.isHeavy() {
				select {
				case p.back <- struct{}{}:
				case <-ctx.Done():
				}
			}
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err)
		}
	}
}

type found struct {
	trace *Trace
	err   error
}

// isHeavy is true of every trace that may have taken a turn: two stored spans
// can have become one.
func (f found) isHeavy() bool { return f.trace != nil && len(f.trace.Spans) >= heavyTrace/2 }

// producer is the goroutine's side of ahead.
type producer struct {
	of     func(context.Context) iter.Seq2[*Trace, error]
	traces chan found    // closed at the end
	back   chan struct{} // the consumer has done with a heavy trace
	fault  string        // of a panic; to be read after the end
}

func (p *producer) run(ctx context.Context) {
	defer close(p.traces)
	defer func() {
		if fault := recover(); fault != nil {
			p.fault = fmt.Sprintf("%v\n%s", fault, debug.Stack())
		}
	}()
	for t, err := range p.of(ctx) {
		f := found{t, err}
		select {
		case p.traces <- f:
		case <-ctx.Done():
			return
		}
		if f.isHeavy() {
			select {
			case <-p.back:
			case <-ctx.Done():
				return
			}
		}
	}
}
