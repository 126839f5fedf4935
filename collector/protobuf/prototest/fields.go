// Package prototest makes fields of protobuf messages for tests, to be joined
// to messages that no generated type would write.
package prototest

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// Bytes is a field of text, bytes or a message, which may come in parts.
func Bytes(num protowire.Number, parts ...string) string {
	b := protowire.AppendTag(nil, num, protowire.BytesType)
	return string(protowire.AppendString(b, strings.Join(parts, "")))
}

// Varint is a field of a number, a bool or an enum.
func Varint(num protowire.Number, n uint64) string {
	return string(protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), n))
}

// Fixed32 is a field of four bytes.
func Fixed32(num protowire.Number, n uint32) string {
	return string(protowire.AppendFixed32(protowire.AppendTag(nil, num, protowire.Fixed32Type), n))
}

// Fixed64 is a field of eight bytes.
func Fixed64(num protowire.Number, n uint64) string {
	return string(protowire.AppendFixed64(protowire.AppendTag(nil, num, protowire.Fixed64Type), n))
}

// Group is a group, which no message of today has.
func Group(num protowire.Number, inside string) string {
	b := append(protowire.AppendTag(nil, num, protowire.StartGroupType), inside...)
	return string(protowire.AppendTag(b, num, protowire.EndGroupType))
}
