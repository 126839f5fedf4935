package query

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
	"sync/atomic"
)

// pipe says how far a producer may be ahead of its consumer.
type pipe[T any] struct {
	items int         // ready at a time
	total int         // of the sizes of those, and of that in the consumer's hands
	size  func(T) int // of an item
}

// ahead yields what of yields, from a goroutine that gets it ready while the
// consumer is at work. At and above the total it waits for the consumer to come
// back. A panic in of is one in the consumer's goroutine.
func (b pipe[T]) ahead(ctx context.Context, of func(context.Context) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		p := &producer[T]{pipe: b, of: of, out: make(chan produced[T], b.items), wake: make(chan struct{}, 1)}
		inner, cancel := context.WithCancel(ctx)
		go p.run(inner)
		defer func() {
			cancel()
			for range p.out { // until it has let go of the store
			}
			if p.fault != "" {
				panic(p.fault)
			}
		}()
		for o := range p.out {
			if !yield(o.item, o.err) || o.err != nil {
				return
			}
			p.sizes.Add(-o.size)
			select {
			case p.wake <- struct{}{}:
			default:
			}
		}
		if err := ctx.Err(); err != nil {
			var none T
			yield(none, err)
		}
	}
}

type produced[T any] struct {
	item T
	err  error
	size int64
}

// producer is the goroutine's side of a pipe.
type producer[T any] struct {
	pipe[T]
	of    func(context.Context) iter.Seq2[T, error]
	out   chan produced[T] // closed at the end
	sizes atomic.Int64     // of what the consumer has not done with
	wake  chan struct{}    // there is less
	fault string           // of a panic; to be read after the end
}

func (p *producer[T]) run(ctx context.Context) {
	defer close(p.out)
	defer func() {
		if fault := recover(); fault != nil {
			p.fault = fmt.Sprintf("%v\n%s", fault, debug.Stack())
		}
	}()
	for item, err := range p.of(ctx) {
		o := produced[T]{item: item, err: err}
		if err == nil {
			o.size = int64(p.size(item))
		}
		p.sizes.Add(o.size)
		select {
		case p.out <- o:
		case <-ctx.Done():
			return
		}
		for p.sizes.Load() >= int64(p.total) {
			select {
			case <-p.wake:
			case <-ctx.Done():
				return
			}
		}
	}
}
