package uiapi

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/spandrel/spandrel/query"
)

// skeletonMagic begins a skeleton; docs/ui-api.md draws what follows.
const skeletonMagic = "SPSKEL1\n"

// columnHead tells of a column of a skeleton.
type columnHead struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Offset int    `json:"offset"`
	Dict   string `json:"dict,omitempty"`

	write func(b []byte) []byte
}

// skeletonHead is a skeleton's header.
type skeletonHead struct {
	ID        string              `json:"id"`
	Start     query.Instant       `json:"start"`
	StartNs   string              `json:"startNs"`
	Duration  query.Micros        `json:"duration"`
	Rows      int                 `json:"rows"`
	Errors    int                 `json:"errors"`
	Depth     int                 `json:"depth"`
	Roots     int                 `json:"roots"`
	Orphans   int                 `json:"orphans"`
	Columns   []columnHead        `json:"columns"`
	Dicts     map[string][]string `json:"dicts"`
	Kinds     [6]string           `json:"kinds"`
	Upstreams []query.Upstream    `json:"upstreams,omitempty"`
	Nodes     []query.Node        `json:"nodes,omitempty"`
	Warnings  []query.RowWarning  `json:"warnings,omitempty"`

	size int // of all columns
}

// writeSkeleton writes a skeleton column by column.
func writeSkeleton(w io.Writer, s *query.Skeleton) error {
	h := newSkeletonHead(s)
	text, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("encoding a skeleton's header: %w", err)
	}
	for (12+len(text))%8 != 0 {
		text = append(text, ' ')
	}
	b := binary.LittleEndian.AppendUint32([]byte(skeletonMagic), uint32(len(text)))
	if _, err := w.Write(append(b, text...)); err != nil {
		return err
	}
	for i := range h.Columns {
		b = h.Columns[i].write(b[:0])
		for len(b)%8 != 0 {
			b = append(b, 0)
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

func newSkeletonHead(s *query.Skeleton) *skeletonHead {
	h := &skeletonHead{
		ID: s.ID.String(), Start: query.Instant(s.Start), StartNs: strconv.FormatInt(s.Start, 10), Duration: query.Micros(s.Duration),
		Rows: s.Rows, Errors: s.Errors, Depth: s.MaxDepth, Roots: s.Roots, Orphans: s.Orphans,
		Dicts: make(map[string][]string), Kinds: [6]string{"", "internal", "server", "client", "producer", "consumer"},
		Warnings: s.Warnings,
	}
	h.add("parent", "i32", 4*s.Rows, func(b []byte) []byte { return appendInt32s(b, s.Parent) })
	h.unsigned("depth", "", s.Depth, uint64(s.MaxDepth))
	h.unsigned("size", "", s.Size, uint64(maxOf(s.Size)))
	h.micros("start", s.Starts)
	h.micros("duration", s.Durations)
	h.bytes("kind", s.Kind)
	h.bytes("flags", s.Flags)
	for i := range s.Texts {
		c := &s.Texts[i]
		if i >= 2 && len(c.Dict) == 1 {
			continue // empty in all rows
		}
		h.Dicts[c.Name] = c.Dict
		h.unsigned(c.Name, c.Name, c.Values, uint64(len(c.Dict)-1))
		switch c.Name {
		case "upstream":
			for _, text := range c.Dict {
				h.Upstreams = append(h.Upstreams, query.ParseUpstream(text))
			}
		case "node":
			for _, text := range c.Dict {
				h.Nodes = append(h.Nodes, query.ParseNode(text))
			}
		}
	}
	h.rare(s)
	return h
}

// rare adds the columns that are left out when they say nothing, and the ids,
// which do not compress, last.
func (h *skeletonHead) rare(s *query.Skeleton) {
	if maxOf(s.Proxy) > 0 {
		h.bytes("proxy", s.Proxy)
	}
	for _, row := range s.Pair {
		if row >= 0 {
			h.add("pair", "i32", 4*s.Rows, func(b []byte) []byte { return appendInt32s(b, s.Pair) })
			break
		}
	}
	if s.Shift != nil {
		h.micros("shift", s.Shift)
	}
	h.add("id", "u64", 8*s.Rows, func(b []byte) []byte {
		for _, id := range s.IDs {
			b = binary.LittleEndian.AppendUint64(b, uint64(id))
		}
		return b
	})
	for row := range s.IDs {
		if s.IDs[row] != s.ViewIDs[row] {
			h.add("view", "u64", 8*s.Rows, func(b []byte) []byte {
				for _, id := range s.ViewIDs {
					b = binary.LittleEndian.AppendUint64(b, uint64(id))
				}
				return b
			})
			break
		}
	}
}

func (h *skeletonHead) add(name, kind string, size int, write func([]byte) []byte) {
	h.Columns = append(h.Columns, columnHead{Name: name, Type: kind, Offset: h.size, write: write})
	h.size += (size + 7) / 8 * 8
}

func (h *skeletonHead) bytes(name string, values []uint8) {
	h.add(name, "u8", len(values), func(b []byte) []byte { return append(b, values...) })
}

// unsigned adds numbers up to a greatest in the narrowest type.
func (h *skeletonHead) unsigned(name, dict string, values []uint32, greatest uint64) {
	switch {
	case greatest <= math.MaxUint8:
		h.add(name, "u8", len(values), func(b []byte) []byte {
			for _, v := range values {
				b = append(b, uint8(v))
			}
			return b
		})
	case greatest <= math.MaxUint16:
		h.add(name, "u16", 2*len(values), func(b []byte) []byte {
			for _, v := range values {
				b = binary.LittleEndian.AppendUint16(b, uint16(v))
			}
			return b
		})
	default:
		h.add(name, "u32", 4*len(values), func(b []byte) []byte {
			for _, v := range values {
				b = binary.LittleEndian.AppendUint32(b, v)
			}
			return b
		})
	}
	h.Columns[len(h.Columns)-1].Dict = dict
}

// micros adds nanoseconds as microseconds: whole and small ones as u32, others
// as f64.
func (h *skeletonHead) micros(name string, ns []int64) {
	for _, v := range ns {
		if v%1000 != 0 || v < 0 || v/1000 > math.MaxUint32 {
			h.add(name, "f64", 8*len(ns), func(b []byte) []byte {
				for _, v := range ns {
					b = binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(v)/1000))
				}
				return b
			})
			return
		}
	}
	h.add(name, "u32", 4*len(ns), func(b []byte) []byte {
		for _, v := range ns {
			b = binary.LittleEndian.AppendUint32(b, uint32(v/1000))
		}
		return b
	})
}

func appendInt32s(b []byte, values []int32) []byte {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	return b
}

func maxOf[T uint8 | uint32](values []T) (greatest T) {
	for _, v := range values {
		greatest = max(greatest, v)
	}
	return greatest
}
