package zipkin

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"github.com/spandrel/spandrel"
)

// Decoder decodes bodies one after another in the same memory: what it returns
// is valid until it is used again. The zero value is ready for use.
type Decoder struct{ batch }

// Bounds of what a Decoder keeps, about half a MiB.
const (
	maxKeptSpans  = 512
	maxKeptTags   = 1 << 13
	maxKeptEvents = 1 << 10
)

// batch gathers the spans of one body. The tags of all spans share one array,
// and so do their events: a span's slices are cut from it with their capacity
// limited, so that appending to them copies.
type batch struct {
	spans    []spandrel.Span
	rejected []spandrel.Rejection
	index    int // of the element being decoded

	left, total int // bytes of the body not yet decoded, and of all of it

	tags   arena[spandrel.Tag]
	events arena[spandrel.Event]

	// What the span being decoded has so far.
	tagsNow   []spandrel.Tag
	eventsNow []spandrel.Event
	order     []tagOrder
	known     keyOrder // of all bodies
}

// tagOrder stands for a tag while tags are sorted.
type tagOrder struct {
	prefix uint64 // the key's first 8 bytes, so that most comparisons are of integers
	at     int    // in tagsNow
}

// reject records why the current element is none of ours. It fails when there
// are too many of them.
func (b *batch) reject(bad *fieldError) error {
	b.rejected = append(b.rejected, bad.reject(b.index))
	if len(b.rejected) > maxRejected {
		return fmt.Errorf("more than %d invalid spans, the first at index %d: %s", maxRejected, b.rejected[0].Index, b.rejected[0].Reason)
	}
	return nil
}

// begin makes room for the spans of a body of so many bytes.
func (b *batch) begin(total int) {
	if cap(b.spans) > maxKeptSpans {
		b.spans = nil
	}
	b.spans, b.rejected, b.index, b.left, b.total = b.spans[:0], nil, 0, total, total
	b.tags.begin(maxKeptTags)
	b.events.begin(maxKeptEvents)
	if cap(b.tagsNow) > maxKeptTags || cap(b.eventsNow) > maxKeptEvents {
		b.tagsNow, b.eventsNow, b.order = nil, nil, nil
	}
}

// reset forgets the tags and events of the span before.
func (b *batch) reset() {
	b.tagsNow, b.eventsNow = b.tagsNow[:0], b.eventsNow[:0]
}

func (b *batch) addTag(key, val string) {
	b.tagsNow = append(b.tagsNow, spandrel.Tag{Key: key, Value: spandrel.StringValue(val)})
}

// finish gives the span the tags, sorted by key, and the events, sorted by time
// and name, that were added since reset, and adds it to the batch. Of tags with
// one key the last counts; of equal events, one.
func (b *batch) finish(span *spandrel.Span) {
	span.Tags, span.Events = b.takeTags(), b.takeEvents()
	if cap(b.spans) == 0 {
		b.spans = make([]spandrel.Span, 0, 1+min(guess(1, b.left, b.total), 1024))
	}
	b.spans = append(b.spans, *span)
}

func (b *batch) takeTags() []spandrel.Tag {
	n := len(b.tagsNow)
	if n == 0 {
		return nil
	}
	to := b.tags.take(n, b.left, b.total)
	if sorted, ok := b.known.sort(to, b.tagsNow); ok {
		return b.tags.keep(sorted)
	}
	b.sortTags()
	to = to[:n]
	kept := 0
	for i := range b.order {
		o := &b.order[i]
		if i > 0 && o.prefix == b.order[i-1].prefix && b.tagsNow[o.at].Key == to[kept-1].Key {
			kept-- // the same key again
		}
		to[kept] = b.tagsNow[o.at]
		kept++
	}
	return b.tags.keep(to[:kept])
}

// sortTags fills b.order with the order of tagsNow by key, then by age. Few
// tags are sorted by insertion, which for integers in one array is fastest.
func (b *batch) sortTags() {
	b.order = b.order[:0]
	for i := range b.tagsNow {
		o := tagOrder{keyPrefix(b.tagsNow[i].Key), i}
		b.order = append(b.order, o)
		if len(b.tagsNow) > 32 {
			continue
		}
		at := i
		for at > 0 && b.less(o, b.order[at-1]) {
			b.order[at] = b.order[at-1]
			at--
		}
		b.order[at] = o
	}
	if len(b.tagsNow) > 32 {
		slices.SortFunc(b.order, func(x, y tagOrder) int {
			return cmp.Or(cmp.Compare(x.prefix, y.prefix),
				strings.Compare(b.tagsNow[x.at].Key, b.tagsNow[y.at].Key), cmp.Compare(x.at, y.at))
		})
	}
}

// less orders by key; the older of two equal ones is not less, and stays first.
func (b *batch) less(x, y tagOrder) bool {
	if x.prefix != y.prefix {
		return x.prefix < y.prefix
	}
	return b.tagsNow[x.at].Key < b.tagsNow[y.at].Key
}

// keyPrefix orders like the key, as far as its first 8 bytes do: shorter keys
// are filled up with zeros.
func keyPrefix(key string) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(unsafe.Slice(unsafe.StringData(key), 8))
	}
	var p uint64
	for i := range len(key) {
		p |= uint64(key[i]) << (56 - 8*i)
	}
	return p
}

func (b *batch) takeEvents() []spandrel.Event {
	n := len(b.eventsNow)
	if n == 0 {
		return nil
	}
	to := append(b.events.take(n, b.left, b.total), b.eventsNow...)
	if n > 1 {
		slices.SortFunc(to, func(x, y spandrel.Event) int {
			return cmp.Or(cmp.Compare(x.Time, y.Time), strings.Compare(x.Name, y.Name))
		})
		to = slices.CompactFunc(to, func(x, y spandrel.Event) bool { return x.Time == y.Time && x.Name == y.Name })
	}
	return b.events.keep(to)
}

// arena hands out slices of a growing array.
type arena[T any] struct {
	array []T // the newest, with length 0
	free  []T // what is left of it, with length 0
	used  int // elements handed out
}

// begin takes back all that was handed out. An array of more than limit elements
// is not used again.
func (a *arena[T]) begin(limit int) {
	if cap(a.array) > limit {
		a.array = nil
	}
	a.free, a.used = a.array, 0
}

// maxGuess bounds how much room is made for elements not yet seen.
const maxGuess = 1 << 14

// take is an empty slice with room for n elements of the span just read, after
// which left of total bytes remain. A new array is made as large as the whole
// body should need if its rest is like what came before, for the next body.
func (a *arena[T]) take(n, left, total int) []T {
	if cap(a.free) < n {
		more := guess(a.used+n, left, total)
		a.array = make([]T, 0, a.used+n+more)
		a.free = a.array
	}
	return a.free[:0:n]
}

// keep takes the elements out of the arena and returns them for good.
func (a *arena[T]) keep(s []T) []T {
	a.used += len(s)
	a.free = a.free[len(s):cap(a.free)][:0]
	return slices.Clip(s)
}

// guess is how many elements the rest of a body should have, and some more,
// after n in its beginning.
func guess(n, left, total int) int {
	more := int(int64(n) * int64(left) / int64(max(total-left, 1)))
	return min(more+more/8, maxGuess)
}
