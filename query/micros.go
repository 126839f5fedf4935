package query

import (
	"strconv"
	"time"
)

// Micros is a duration in nanoseconds that JSON shows in microseconds, with a
// fraction if need be.
type Micros int64

// MarshalJSON implements json.Marshaler.
func (m Micros) MarshalJSON() ([]byte, error) { return m.AppendText(nil), nil }

// AppendText appends the number.
func (m Micros) AppendText(b []byte) []byte {
	if m%1000 == 0 {
		return strconv.AppendInt(b, int64(m)/1000, 10)
	}
	if m < 0 {
		return (-m).AppendText(append(b, '-'))
	}
	b = strconv.AppendInt(b, int64(m)/1000, 10)
	b = append(b, '.')
	digits := strconv.Itoa(1000 + int(m%1000))[1:]
	for digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	return append(b, digits...)
}

// Instant is a time in nanoseconds since the Unix epoch that JSON shows as the
// microsecond it lies in.
type Instant int64

// MarshalJSON implements json.Marshaler.
func (t Instant) MarshalJSON() ([]byte, error) {
	return strconv.AppendInt(nil, time.Unix(0, int64(t)).UnixMicro(), 10), nil
}
