package spandrel

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// TraceID is a 64 or 128 bit trace id. A 64 bit id has High 0: the two widths
// share one space, as they do in Jaeger and in Zipkin with strict trace ids.
type TraceID struct{ High, Low uint64 }

// SpanID is a 64 bit span id; 0 means none.
type SpanID uint64

var (
	errIDEmpty = errors.New("is empty")
	errIDZero  = errors.New("is all zeros")
	errIDHex   = errors.New("is not hexadecimal")
)

// ParseTraceID reads 1 to 32 hexadecimal digits of either case. Shorter ids
// are padded with zeros on the left. It fails on an id of zeros.
func ParseTraceID(s string) (TraceID, error) {
	var id TraceID
	if len(s) > 32 {
		return id, fmt.Errorf("trace id %.40q is longer than 32 hexadecimal digits", s)
	}
	low := s
	var err error
	if len(s) > 16 {
		low = s[len(s)-16:]
		if id.High, err = parseHex(s[:len(s)-16]); err != nil {
			return TraceID{}, fmt.Errorf("trace id %q %w", s, err)
		}
	}
	if id.Low, err = parseHex(low); err != nil {
		return TraceID{}, fmt.Errorf("trace id %q %w", s, err)
	}
	if id.IsZero() {
		return id, fmt.Errorf("trace id %q %w", s, errIDZero)
	}
	return id, nil
}

// ParseSpanID reads 1 to 16 hexadecimal digits of either case. It fails on an
// id of zeros.
func ParseSpanID(s string) (SpanID, error) {
	if len(s) > 16 {
		return 0, fmt.Errorf("span id %.40q is longer than 16 hexadecimal digits", s)
	}
	v, err := parseHex(s)
	if err == nil && v == 0 {
		err = errIDZero
	}
	if err != nil {
		return 0, fmt.Errorf("span id %q %w", s, err)
	}
	return SpanID(v), nil
}

// parseHex reads up to 16 hexadecimal digits.
func parseHex(s string) (uint64, error) {
	if s == "" {
		return 0, errIDEmpty
	}
	var v uint64
	for i := range len(s) {
		d := hexDigit[s[i]]
		if d == 0xff {
			return 0, errIDHex
		}
		v = v<<4 | uint64(d)
	}
	return v, nil
}

// hexDigit maps a character to its value, 0xff where it is no digit.
var hexDigit = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i := range byte(10) {
		t['0'+i] = i
	}
	for i := range byte(6) {
		t['a'+i], t['A'+i] = 10+i, 10+i
	}
	return t
}()

// IsZero reports whether id is no id.
func (id TraceID) IsZero() bool { return id == TraceID{} }

// Compare orders ids as their 128 bit numbers.
func (id TraceID) Compare(o TraceID) int {
	return cmp.Or(cmp.Compare(id.High, o.High), cmp.Compare(id.Low, o.Low))
}

// String is the id in lower-case hexadecimal: 16 digits when High is 0, else
// 32, as Jaeger and Zipkin print it.
func (id TraceID) String() string {
	return string(id.AppendText(make([]byte, 0, 32)))
}

// AppendText appends what String returns.
func (id TraceID) AppendText(b []byte) []byte {
	if id.High != 0 {
		b = appendHex(b, id.High)
	}
	return appendHex(b, id.Low)
}

// String is the id as 16 lower-case hexadecimal digits.
func (id SpanID) String() string {
	return string(id.AppendText(make([]byte, 0, 16)))
}

// AppendText appends what String returns.
func (id SpanID) AppendText(b []byte) []byte { return appendHex(b, uint64(id)) }

func appendHex(b []byte, v uint64) []byte {
	return hex.AppendEncode(b, binary.BigEndian.AppendUint64(make([]byte, 0, 8), v))
}
