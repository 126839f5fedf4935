package jaegerapi

import (
	"encoding/base64"
	"math"
	"math/bits"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/query"
)

// encoder appends traces in the JSON of Jaeger's UI to a response, which
// flushes it span by span:
//
//	{"traceID":…,"spans":[…],"processes":{"p1":{"serviceName":…,"tags":[…]},…},"warnings":null}
//
// What it appends is what encoding/json would, down to the escapes.
type encoder struct {
	w         *response
	tags      []spandrel.Tag // scratch
	refs      []reference    // scratch
	key       []byte         // scratch
	numbers   map[string]int // of the trace's processes, by their JSON
	processes []string       // their JSON, by number from 1
}

func (e *encoder) trace(t *query.Trace) error {
	e.numbers, e.processes = make(map[string]int), e.processes[:0]
	b := &e.w.buf
	*b = append(*b, `{"traceID":"`...)
	*b = t.ID.AppendText(*b)
	*b = append(*b, `","spans":[`...)
	for i := range t.Spans {
		if i > 0 {
			*b = append(*b, ',')
		}
		*b = e.appendSpan(*b, &t.Spans[i])
		if err := e.w.flushFull(); err != nil {
			return err
		}
	}
	*b = append(*b, `],"processes":{`...)
	for i, p := range e.processes {
		if i > 0 {
			*b = append(*b, ',')
		}
		*b = append(*b, '"')
		*b = appendProcessID(*b, i+1)
		*b = append(*b, `":`...)
		*b = append(*b, p...)
	}
	*b = append(*b, `},"warnings":null}`...)
	return e.w.flushFull()
}

func (e *encoder) appendSpan(b []byte, s *query.Span) []byte {
	b = append(b, `{"traceID":"`...)
	b = s.TraceID.AppendText(b)
	b = append(b, `","spanID":"`...)
	b = s.ViewID.AppendText(b)
	b = append(b, '"')
	if f := flags(s.Span); f != 0 {
		b = append(b, `,"flags":`...)
		b = strconv.AppendUint(b, uint64(f), 10)
	}
	b = append(b, `,"operationName":`...)
	b = appendString(b, s.Name)
	b = append(b, `,"references":[`...)
	e.refs = appendReferences(e.refs[:0], s)
	for i, r := range e.refs {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendReference(b, r)
	}
	b = append(b, `],"startTime":`...)
	b = strconv.AppendInt(b, micros(s.Start), 10)
	b = append(b, `,"duration":`...)
	b = strconv.AppendInt(b, s.Duration/1000, 10)
	b = append(b, `,"tags":`...)
	e.tags = appendSpanTags(e.tags[:0], s.Span)
	b = appendTags(b, e.tags)
	b = e.appendLogs(append(b, `,"logs":[`...), s.Events)
	b = append(b, `],"processID":"`...)
	b = appendProcessID(b, e.processNumber(s.Span))
	b = append(b, `","warnings":`...)
	b = appendStrings(b, warnings(s))
	return append(b, '}')
}

func appendReference(b []byte, r reference) []byte {
	b = append(b, `{"refType":"`...)
	b = append(b, refType(r.kind)...)
	b = append(b, `","traceID":"`...)
	b = r.traceID.AppendText(b)
	b = append(b, `","spanID":"`...)
	b = r.spanID.AppendText(b)
	return append(b, `"}`...)
}

func (e *encoder) appendLogs(b []byte, events []spandrel.Event) []byte {
	for i := range events {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"timestamp":`...)
		b = strconv.AppendInt(b, micros(events[i].Time), 10)
		b = append(b, `,"fields":`...)
		e.tags = appendLogFields(e.tags[:0], &events[i])
		b = appendTags(b, e.tags)
		b = append(b, '}')
	}
	return b
}

// processNumber is the number of the span's process in its trace, from 1 in
// order of first appearance. Equal processes are one.
func (e *encoder) processNumber(s *spandrel.Span) int {
	e.tags = appendProcessTags(e.tags[:0], s)
	b := append(e.key[:0], `{"serviceName":`...)
	b = appendString(b, s.Service())
	b = append(b, `,"tags":`...)
	b = appendTags(b, e.tags)
	e.key = append(b, '}')
	n, ok := e.numbers[string(e.key)]
	if !ok {
		n = len(e.processes) + 1
		process := string(e.key)
		e.numbers[process] = n
		e.processes = append(e.processes, process)
	}
	return n
}

func appendProcessID(b []byte, n int) []byte {
	return strconv.AppendInt(append(b, 'p'), int64(n), 10)
}

// micros is the microsecond that a time in nanoseconds lies in.
func micros(ns int64) int64 { return time.Unix(0, ns).UnixMicro() }

func appendTags(b []byte, tags []spandrel.Tag) []byte {
	b = append(b, '[')
	for i := range tags {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"key":`...)
		b = appendString(b, tags[i].Key)
		b = appendValue(b, tags[i].Value)
		b = append(b, '}')
	}
	return append(b, ']')
}

// maxSafeInt is the largest integer that JavaScript's numbers can hold.
const maxSafeInt = 1<<53 - 1

func appendValue(b []byte, v spandrel.Value) []byte {
	switch v.Kind() {
	case spandrel.ValueBool:
		return strconv.AppendBool(append(b, `,"type":"bool","value":`...), v.Bool())
	case spandrel.ValueInt:
		b = append(b, `,"type":"int64","value":`...)
		if n := v.Int(); n > maxSafeInt || n < -maxSafeInt {
			return append(strconv.AppendInt(append(b, '"'), n, 10), '"')
		}
		return strconv.AppendInt(b, v.Int(), 10)
	case spandrel.ValueFloat:
		return appendFloat(append(b, `,"type":"float64","value":`...), v.Float())
	case spandrel.ValueBytes:
		b = append(b, `,"type":"binary","value":"`...)
		return append(base64.StdEncoding.AppendEncode(b, []byte(v.Raw())), '"')
	default:
		return appendString(append(b, `,"type":"string","value":`...), v.Raw())
	}
}

// appendFloat writes a float as encoding/json does, and NaN and the
// infinities, for which it has nothing, as the text protobuf's JSON has.
func appendFloat(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(b, `"-Infinity"`...)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	b = strconv.AppendFloat(b, f, format, -1, 64)
	if n := len(b); format == 'e' && n >= 4 && b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' {
		b[n-2] = b[n-1] // e-09 to e-9
		b = b[:n-1]
	}
	return b
}

// appendStrings appends a list of texts, null when there are none.
func appendStrings(b []byte, list []string) []byte {
	if len(list) == 0 {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

// appendString appends s as a JSON string that is safe inside HTML. Bytes that
// are not UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	done := 0
	for i := 0; i < len(s); {
		if len(s)-i >= 8 {
			if i += plain(s[i:]); i == len(s) {
				break
			}
		}
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				b = append(append(b, s[done:i]...), `\ufffd`...)
				done = i + size
			case r == '\u2028' || r == '\u2029':
				b = append(append(b, s[done:i]...), `\u202`...)
				b = append(b, digits[r&15])
				done = i + size
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' {
			i++
			continue
		}
		b = append(b, s[done:i]...)
		b = appendEscape(b, c)
		i++
		done = i
	}
	return append(append(b, s[done:]...), '"')
}

// plain is how many bytes at the beginning of s, which has at least eight,
// stand for themselves in a JSON string: those before the first that is a
// control, '"', '\\', '<', '>', '&' or not ASCII. It looks at eight at once: of a
// word x, (x − 0x01…) &^ x has bit 7 of its first byte that is 0, and of none
// before it.
func plain(s string) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for i := 0; ; i += 8 {
		i = min(i, len(s)-8)
		t := s[i : i+8]
		w := uint64(t[0]) | uint64(t[1])<<8 | uint64(t[2])<<16 | uint64(t[3])<<24 |
			uint64(t[4])<<32 | uint64(t[5])<<40 | uint64(t[6])<<48 | uint64(t[7])<<56
		quoteOrAnd := (w | 0x04*ones) ^ 0x26*ones // '"' is 0x22, '&' 0x26
		lessOrMore := (w | 0x02*ones) ^ 0x3e*ones // '<' is 0x3c, '>' 0x3e
		backslash := w ^ '\\'*ones
		odd := w | (w-' '*ones)&^w | (quoteOrAnd-ones)&^quoteOrAnd | (lessOrMore-ones)&^lessOrMore | (backslash-ones)&^backslash
		if odd&high != 0 {
			return i + bits.TrailingZeros64(odd&high)/8
		}
		if i == len(s)-8 {
			return len(s)
		}
	}
}

// appendEscape appends one ASCII character that needs it, escaped.
func appendEscape(b []byte, c byte) []byte {
	const digits = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	default:
		return append(append(b, `\u00`...), digits[c>>4], digits[c&15])
	}
}
