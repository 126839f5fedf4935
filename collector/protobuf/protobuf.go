// Package protobuf walks over the fields of protobuf messages, for decoders
// that need no generated types: a message is a sequence of fields, each a key
// (number<<3 | wire type) and a value. It does no I/O and copies nothing.
package protobuf

import (
	"bytes"
	"fmt"
	"unicode/utf8"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field is a field of a message: Num its number, Kind its wire type, N its
// value if that is a number, B if it is bytes, which begin at the offset At in
// the body.
type Field struct {
	Num  protowire.Number
	Kind protowire.Type
	N    uint64
	B    []byte
	At   int
}

// Message walks over the fields of a message.
type Message struct {
	Field        // the current one
	rest  []byte // after it
	at    int    // the offset of rest
}

// Walk begins at the start of a body.
func Walk(body []byte) Message { return Message{rest: body} }

// Inside is the message that the field is.
func (f *Field) Inside() Message { return Message{rest: f.B, at: f.At} }

// Next moves on to the next field, until the end or an error, which tells the
// offset of the field that is malformed. With *err set it ends at once.
func (m *Message) Next(err *error) bool {
	if len(m.rest) == 0 || *err != nil {
		return false
	}
	n := m.read()
	if n < 0 {
		*err = fmt.Errorf("malformed protobuf in the field at byte %d: %w", m.at, protowire.ParseError(n))
		return false
	}
	m.rest, m.at = m.rest[n:], m.at+n
	m.At = m.at - len(m.B)
	return true
}

// read reads the field at the start of rest and returns its length, negative for
// one of protowire's errors.
func (m *Message) read() int {
	var key, n int
	m.B = nil
	m.Num, m.Kind, key = protowire.ConsumeTag(m.rest)
	if key < 0 {
		return key
	}
	switch rest := m.rest[key:]; m.Kind {
	case protowire.VarintType:
		m.N, n = protowire.ConsumeVarint(rest)
	case protowire.Fixed64Type:
		m.N, n = protowire.ConsumeFixed64(rest)
	case protowire.BytesType:
		m.B, n = protowire.ConsumeBytes(rest)
	default:
		n = protowire.ConsumeFieldValue(m.Num, m.Kind, rest)
	}
	if n < 0 {
		return n
	}
	return key + n
}

// IsBytes reports whether the field has the number and is bytes.
func (f *Field) IsBytes(num protowire.Number) bool {
	return f.Num == num && f.Kind == protowire.BytesType
}

// IsFixed64 reports whether it has the number and is eight bytes long.
func (f *Field) IsFixed64(num protowire.Number) bool {
	return f.Num == num && f.Kind == protowire.Fixed64Type
}

// IsVarint reports whether it has the number and is a varint.
func (f *Field) IsVarint(num protowire.Number) bool {
	return f.Num == num && f.Kind == protowire.VarintType
}

// Text is the field's bytes as a string, which aliases them if they are UTF-8
// and is mended otherwise.
func (f *Field) Text() string {
	if utf8.Valid(f.B) {
		return unsafe.String(unsafe.SliceData(f.B), len(f.B))
	}
	return string(bytes.ToValidUTF8(f.B, []byte("\uFFFD")))
}
