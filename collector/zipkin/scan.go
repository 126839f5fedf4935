package zipkin

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// maxDepth is how deep a value may nest below a span's field.
const maxDepth = 64

// scanner reads JSON from valid UTF-8 in one pass without recursion but for
// nested values. After a failure it stands at the end of its input, so that
// every later step fails too and loops end; err keeps the first failure.
//
// It is RFC 8259 with two leniencies of OpenZipkin's reader: null, true and
// false in any case, and control characters unescaped in strings.
type scanner struct {
	src []byte
	pos int
	err error
}

// kind is the type of a JSON value.
type kind uint8

const (
	absent kind = iota // null, or no such field
	text
	number
	boolean
	list
	object
)

var kindNames = [...]string{"null", "a string", "a number", "a boolean", "a list", "an object"}

// value is a JSON value: a string unescaped, a number as written, "true" or
// "false", a list or an object as written but for white space between tokens.
type value struct {
	kind kind
	text string
}

// fail records what was wanted where the scanner stands.
func (s *scanner) fail(wanted string) {
	if s.err != nil {
		return
	}
	if s.pos >= len(s.src) {
		s.err = fmt.Errorf("malformed JSON: ends at byte %d, expected %s", len(s.src), wanted)
	} else {
		r, _ := utf8.DecodeRune(s.src[s.pos:])
		s.err = fmt.Errorf("malformed JSON at byte %d: expected %s, found %q", s.pos, wanted, r)
	}
	s.pos = len(s.src)
}

// next skips white space and returns the byte after it, 0 at the end.
func (s *scanner) next() byte {
	if s.pos < len(s.src) && s.src[s.pos] > ' ' {
		return s.src[s.pos]
	}
	return s.space()
}

func (s *scanner) space() byte {
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// key moves into an object and on to its next field, whose name it returns;
// s.pos stands at the value. At the first call, s.pos stands at the brace.
func (s *scanner) key(first *bool) (string, bool) {
	if !s.more(first, '}', `"," or "}"`) {
		return "", false
	}
	if s.next() != '"' {
		s.fail("a field name")
		return "", false
	}
	name := s.str()
	if s.next() != ':' {
		s.fail(`":"`)
		return "", false
	}
	s.pos++
	return name, true
}

// elem moves into a list and on to its next element.
func (s *scanner) elem(first *bool) bool {
	return s.more(first, ']', `"," or "]"`)
}

// more passes the opening bracket or a comma, or the closing bracket.
func (s *scanner) more(first *bool, closing byte, wanted string) bool {
	if *first {
		*first = false
		s.pos++
		if s.next() != closing {
			return true
		}
		s.pos++
		return false
	}
	switch s.next() {
	case ',':
		s.pos++
		return true
	case closing:
		s.pos++
	default:
		s.fail(wanted)
	}
	return false
}

// peek is the kind of the value that comes next; what is no value is absent,
// and scanning it fails.
func (s *scanner) peek() kind {
	switch s.next() {
	case '"':
		return text
	case '{':
		return object
	case '[':
		return list
	case 't', 'f', 'T', 'F':
		return boolean
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return number
	}
	return absent
}

// value reads any value.
func (s *scanner) value() value {
	v := value{kind: s.peek()}
	switch v.kind {
	case text:
		v.text = s.str()
	case number:
		v.text = s.number()
	case boolean:
		v.text = "false"
		if s.src[s.pos]|0x20 == 't' {
			v.text = "true"
		}
		s.literal(v.text)
	case list, object:
		start := s.pos
		s.skip(maxDepth)
		v.text = compact(s.src[start:s.pos])
	default:
		s.literal("null")
	}
	return v
}

// skip passes any value that nests no deeper than depth.
func (s *scanner) skip(depth int) {
	k := s.peek()
	if depth == 0 && k >= list {
		s.fail("nesting of at most " + strconv.Itoa(maxDepth) + " levels")
		return
	}
	first := true
	switch k {
	case text:
		s.skipStr()
	case number:
		s.number()
	case boolean:
		if s.src[s.pos]|0x20 == 't' {
			s.literal("true")
		} else {
			s.literal("false")
		}
	case list:
		for s.elem(&first) {
			s.skip(depth - 1)
		}
	case object:
		for _, ok := s.key(&first); ok; _, ok = s.key(&first) {
			s.skip(depth - 1)
		}
	default:
		s.literal("null")
	}
}

// literal passes the word in any case.
func (s *scanner) literal(word string) {
	if end := s.pos + len(word); end <= len(s.src) {
		for i := range len(word) {
			if s.src[s.pos+i]|0x20 != word[i] {
				s.fail("a value")
				return
			}
		}
		s.pos = end
		return
	}
	if s.pos < len(s.src) && s.src[s.pos]|0x20 == word[0] {
		s.pos = len(s.src)
	}
	s.fail("a value")
}

// number passes a number and returns it as written.
func (s *scanner) number() string {
	start := s.pos
	if s.src[s.pos] == '-' {
		s.pos++
	}
	if s.pos < len(s.src) && s.src[s.pos] == '0' {
		s.pos++
	} else if !s.digits() {
		return ""
	}
	if s.pos < len(s.src) && s.src[s.pos] == '.' {
		s.pos++
		if !s.digits() {
			return ""
		}
	}
	if s.pos < len(s.src) && s.src[s.pos]|0x20 == 'e' {
		s.pos++
		if s.pos < len(s.src) && (s.src[s.pos] == '+' || s.src[s.pos] == '-') {
			s.pos++
		}
		if !s.digits() {
			return ""
		}
	}
	return alias(s.src[start:s.pos])
}

// digits passes one or more digits.
func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.src) && s.src[s.pos]-'0' < 10 {
		s.pos++
	}
	if s.pos == start {
		s.fail("a digit")
		return false
	}
	return true
}

// str reads a string, whose opening quote s.pos stands at. Where nothing is
// escaped, it aliases the input.
func (s *scanner) str() string {
	start := s.pos + 1
	i := quoteOrBackslash(s.src, start)
	if i < len(s.src) && s.src[i] == '"' {
		s.pos = i + 1
		return alias(s.src[start:i])
	}
	return s.escaped(start, i)
}

// skipStr passes a string without unescaping it.
func (s *scanner) skipStr() {
	i := quoteOrBackslash(s.src, s.pos+1)
	if i < len(s.src) && s.src[i] == '"' {
		s.pos = i + 1
		return
	}
	s.escaped(s.pos+1, i)
}

// escaped reads the rest of a string that starts at start and has its first
// backslash, or the input its end, at i.
func (s *scanner) escaped(start, i int) string {
	buf := append([]byte(nil), s.src[start:i]...)
	for i < len(s.src) {
		if s.src[i] == '"' {
			s.pos = i + 1
			return alias(buf)
		}
		s.pos = i + 1
		if buf = s.escape(buf); s.err != nil {
			return ""
		}
		i = quoteOrBackslash(s.src, s.pos)
		buf = append(buf, s.src[s.pos:i]...)
	}
	s.pos = len(s.src)
	s.fail(`"\""`)
	return ""
}

// escape appends what the escape after a backslash stands for. A surrogate
// without its other half is U+FFFD.
func (s *scanner) escape(buf []byte) []byte {
	if s.pos >= len(s.src) {
		s.fail("an escape")
		return buf
	}
	switch c := s.src[s.pos]; c {
	case '"', '\\', '/':
		buf = append(buf, c)
	case 'b':
		buf = append(buf, '\b')
	case 'f':
		buf = append(buf, '\f')
	case 'n':
		buf = append(buf, '\n')
	case 'r':
		buf = append(buf, '\r')
	case 't':
		buf = append(buf, '\t')
	case 'u':
		r, ok := s.unicode(s.pos + 1)
		if !ok {
			s.fail(`four hexadecimal digits after "\u"`)
			return buf
		}
		s.pos += 4
		if utf16.IsSurrogate(r) {
			low, ok := s.unicode(s.pos + 3)
			if pair := utf16.DecodeRune(r, low); ok && s.src[s.pos+1] == '\\' && s.src[s.pos+2] == 'u' && pair != utf8.RuneError {
				r = pair
				s.pos += 6
			}
		}
		buf = utf8.AppendRune(buf, r)
	default:
		s.fail("an escape")
		return buf
	}
	s.pos++
	return buf
}

// unicode reads four hexadecimal digits at i.
func (s *scanner) unicode(i int) (rune, bool) {
	if i+4 > len(s.src) {
		return 0, false
	}
	v, ok := parseHex(alias(s.src[i : i+4]))
	return rune(v), ok
}

// quoteOrBackslash finds the first of either in src from i on, else len(src).
// It looks at eight bytes at a time: a byte of x is zero where src has the
// character, and subtracting one from each byte borrows into its high bit.
func quoteOrBackslash(src []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(src); i += 8 {
		w := binary.LittleEndian.Uint64(src[i:])
		q, b := w^('"'*ones), w^('\\'*ones)
		if m := ((q-ones)&^q | (b-ones)&^b) & highs; m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for ; i < len(src); i++ {
		if src[i] == '"' || src[i] == '\\' {
			return i
		}
	}
	return len(src)
}

// compact is well-formed JSON without white space between tokens; it aliases
// src where there is none.
func compact(src []byte) string {
	var out strings.Builder
	from, quoted := 0, false
	for i := 0; i < len(src); i++ {
		switch c := src[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			out.Write(src[from:i])
			from = i + 1
		}
	}
	if from == 0 {
		return alias(src)
	}
	out.Write(src[from:])
	return out.String()
}

// alias is b as a string that shares its memory.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
