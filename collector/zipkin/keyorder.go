package zipkin

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"
	"unsafe"

	"github.com/spandrel/spandrel"
)

// Bounds of a keyOrder: as many keys as bits in a word, each no longer than
// tags' keys are.
const (
	maxKnownKeys   = 64
	maxKnownKeyLen = 64
)

// keyOrder knows the keys of the tags that came before, in their order: spans of
// one sender have the same few keys, though Envoy's come in another order each
// time. A span all of whose keys are known is sorted without comparing any. The
// zero value knows none.
type keyOrder struct {
	keys []string                // sorted, in memory of their own
	slot [4 * maxKnownKeys]uint8 // 1 + place in keys, from where the key's hash is on; 0 = none
	at   [maxKnownKeys]int32     // scratch: which tag has each key
}

// place finds a key.
func (o *keyOrder) place(key string) (at int, known bool) {
	for h := keyHash(key); ; h++ {
		switch n := o.slot[h%uint32(len(o.slot))]; {
		case n == 0:
			return 0, false
		case o.keys[n-1] == key:
			return int(n - 1), true
		}
	}
}

// keyHash mixes what tells most keys apart: length, beginning and end.
func keyHash(key string) uint32 {
	if len(key) < 8 {
		return uint32(len(key))*0x9e37>>2 ^ uint32(keyPrefix(key)>>32*0x9e3779b1>>16)
	}
	b := unsafe.Slice(unsafe.StringData(key), len(key))
	h := (binary.LittleEndian.Uint64(b) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(b[len(b)-8:]), 23) ^ uint64(len(b))) * 0x9e3779b97f4a7c15
	return uint32(h >> 40)
}

// learn adds a key, if there is room. Places found before are no longer right.
func (o *keyOrder) learn(key string) {
	if len(o.keys) == maxKnownKeys || len(key) > maxKnownKeyLen {
		return
	}
	at, known := slices.BinarySearch(o.keys, key)
	if known {
		return
	}
	o.keys = slices.Insert(o.keys, at, strings.Clone(key))
	clear(o.slot[:])
	for i, k := range o.keys {
		h := keyHash(k)
		for o.slot[h%uint32(len(o.slot))] != 0 {
			h++
		}
		o.slot[h%uint32(len(o.slot))] = uint8(i + 1)
	}
}

// sort appends the tags to into by key, the last of those with one key only. It
// fails when a key was not known; all are the next time, if there is room.
func (o *keyOrder) sort(into, tags []spandrel.Tag) ([]spandrel.Tag, bool) {
	var seen uint64
	for i := range tags {
		at, known := o.place(tags[i].Key)
		if !known {
			for ; i < len(tags); i++ {
				o.learn(tags[i].Key)
			}
			return into, false
		}
		seen |= 1 << at
		o.at[at] = int32(i)
	}
	for ; seen != 0; seen &= seen - 1 {
		into = append(into, tags[o.at[bits.TrailingZeros64(seen)]])
	}
	return into, true
}
