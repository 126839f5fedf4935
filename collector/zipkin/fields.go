package zipkin

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spandrel/spandrel"
)

// maxMicros is the last microsecond an int64 of nanoseconds can name, in 2262.
const maxMicros = math.MaxInt64 / 1000

// fieldError is what is wrong with a field of a span: the reason of its
// rejection, and the same for people.
type fieldError struct {
	reason string
	err    error
}

func (e *fieldError) reject(index int) spandrel.Rejection {
	return spandrel.Rejection{Index: index, Reason: e.reason, Err: e.err}
}

// badValue says of the field's value, cut where it is long, what is wrong.
func badValue(reason, field, val string, err error) *fieldError {
	return &fieldError{reason, fmt.Errorf("%s %.60q %w", field, val, err)}
}

// badKind says that the field is of the wrong type.
func badKind(reason, field string, k kind, wanted string) *fieldError {
	return &fieldError{reason, fmt.Errorf("%s is %s, expected %s", field, kindNames[k], wanted)}
}

// The errors of missing ids are values, not made anew, because a hostile body
// can have very many of them.
var (
	noTraceID = &fieldError{ReasonTraceID, fmt.Errorf("traceId %w", errMissing)}
	noSpanID  = &fieldError{ReasonSpanID, fmt.Errorf("id %w", errMissing)}
)

// traceID reads an id of 1 to 32 hexadecimal digits in any case. Longer ones
// may have zeros in front, as strconv would read them.
func traceID(v value) (spandrel.TraceID, *fieldError) {
	var id spandrel.TraceID
	s := v.text
	if s == "" {
		return id, noTraceID
	}
	for len(s) > 32 && s[0] == '0' {
		s = s[1:]
	}
	if len(s) > 32 {
		return id, badValue(ReasonTraceID, "traceId", v.text, errLong)
	}
	cut := max(0, len(s)-16)
	high, ok1 := parseHex(s[:cut])
	low, ok2 := parseHex(s[cut:])
	id = spandrel.TraceID{High: high, Low: low}
	if !ok1 || !ok2 {
		return id, badValue(ReasonTraceID, "traceId", v.text, errHex)
	}
	if id.IsZero() {
		return id, badValue(ReasonTraceID, "traceId", v.text, errZero)
	}
	return id, nil
}

// spanID reads an id of 1 to 16 hexadecimal digits likewise; where v1 is set,
// the last 16 of more count, as in v1 JSON. It may be zero.
func spanID(s string, v1 bool) (spandrel.SpanID, error) {
	for len(s) > 16 && (v1 || s[0] == '0') {
		s = s[1:]
	}
	if len(s) > 16 {
		return 0, errLong
	}
	id, ok := parseHex(s)
	if !ok {
		return 0, errHex
	}
	return spandrel.SpanID(id), nil
}

// ids sets the three ids of a span. A parent that is missing, zero or the span
// itself is none.
func ids(span *spandrel.Span, trace, id, parent value, v1 bool) *fieldError {
	var bad *fieldError
	if span.TraceID, bad = traceID(trace); bad != nil {
		return bad
	}
	if id.text == "" {
		return noSpanID
	}
	var err error
	if span.ID, err = spanID(id.text, v1); err == nil && span.ID == 0 {
		err = errZero
	}
	if err != nil {
		return badValue(ReasonSpanID, "id", id.text, err)
	}
	if span.ParentID, err = spanID(parent.text, v1); err != nil {
		return badValue(ReasonParentID, "parentId", parent.text, err)
	}
	if span.ParentID == span.ID {
		span.ParentID = 0
	}
	return nil
}

// parseHex reads up to 16 hexadecimal digits of any case; none are 0.
func parseHex(s string) (uint64, bool) {
	var v uint64
	var bad byte
	for i := range len(s) {
		d := hexDigits[s[i]]
		bad |= d
		v = v<<4 | uint64(d)
	}
	return v, bad < 16
}

// hexDigits has the value of each digit, 0xff for other characters.
var hexDigits = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range []byte("0123456789abcdef") {
		t[c] = byte(i)
	}
	for i, c := range []byte("ABCDEF") {
		t[c] = byte(10 + i)
	}
	return t
}()

// times sets start and duration from microseconds; where they are missing,
// zero or negative, they are unknown.
func times(span *spandrel.Span, timestamp, duration value) *fieldError {
	start, ok := nanos(timestamp)
	if !ok {
		return badTime(ReasonTimestamp, "timestamp", timestamp)
	}
	length, ok := nanos(duration)
	if !ok {
		return badTime(ReasonDuration, "duration", duration)
	}
	span.Start, span.Duration = max(start, 0), max(length, 0)
	if span.Start > math.MaxInt64-span.Duration {
		return badTime(ReasonDuration, "timestamp + duration", duration)
	}
	return nil
}

func badTime(reason, field string, v value) *fieldError {
	return badValue(reason, field, v.text, fmt.Errorf("is no number of microseconds up to %d", int64(maxMicros)))
}

// nanos is a number of microseconds, or text that spells one, in nanoseconds.
// Fractions are rounded. What is missing is 0.
func nanos(v value) (int64, bool) {
	if v.kind == absent || v.text == "" {
		return 0, true
	}
	n, _, ok := integer(v)
	if !ok || n > maxMicros || n < -maxMicros {
		return 0, false
	}
	return n * 1000, true
}

// integer is a number, or text that spells one in JSON's notation, rounded;
// whole tells that there was nothing to round.
func integer(v value) (n int64, whole, ok bool) {
	if v.kind != number && v.kind != text {
		return 0, false, false
	}
	if n, err := strconv.ParseInt(v.text, 10, 64); err == nil {
		return n, true, true
	}
	if strings.Trim(v.text, "+-.0123456789eE") != "" {
		return 0, false, false // names, hexadecimal and underscores are Go's
	}
	f, err := strconv.ParseFloat(v.text, 64)
	if err != nil || math.Abs(f) >= math.MaxInt64 {
		return 0, false, false
	}
	rounded := math.Round(f)
	if before, after, _ := strings.Cut(v.text, "."); !strings.ContainsAny(v.text, "eE") {
		// A float64 has no room for all digits of the time and of its fraction.
		if n, err := strconv.ParseInt(before, 10, 64); err == nil && (after == "" || after[0] < '5') {
			return n, strings.Trim(after, "0") == "", true
		}
	}
	return int64(rounded), f == rounded, true
}

// scalar is a name as text; numbers and booleans are their text. Lists and
// objects are no names.
func scalar(v value) (string, bool) { return v.text, v.kind < list }

// truth reads a flag: true, "true", 1 or "1".
func truth(v value) bool { return v.text == "true" || v.text == "1" }

// spanKind reads a kind in any case; what is none of ours is none.
func spanKind(v value) spandrel.Kind {
	switch v.text {
	case "CLIENT":
		return spandrel.KindClient
	case "SERVER":
		return spandrel.KindServer
	}
	return spandrel.ParseKind(v.text)
}

// rawEndpoint is an endpoint as sent.
type rawEndpoint struct {
	kind                      kind // absent, object, or what is sent in its place
	service, ipv4, ipv6, port value
}

// endpoint gives the raw endpoint its meaning. An address counts by its own
// family, whichever field it came in; what is no address is ignored.
func (raw *rawEndpoint) endpoint(field string) (spandrel.Endpoint, *fieldError) {
	var e spandrel.Endpoint
	if raw.kind != absent && raw.kind != object {
		return e, badKind(ReasonEndpoint, field, raw.kind, "an object")
	}
	var ok bool
	if e.Service, ok = scalar(raw.service); !ok {
		return e, badKind(ReasonEndpoint, field+".serviceName", raw.service.kind, "a string")
	}
	if ip, ok := parseIP(raw.ipv4); ok {
		setIP(&e, ip, true)
	}
	if ip, ok := parseIP(raw.ipv6); ok {
		setIP(&e, ip, false)
	}
	if raw.port.text == "" || raw.port.text == "0" {
		return e, nil
	}
	port, whole, ok := integer(raw.port)
	if !ok || !whole || port > math.MaxUint16 {
		return e, badValue(ReasonEndpoint, field+".port", raw.port.text, errPort)
	}
	e.Port = uint16(max(port, 0))
	return e, nil
}

var errPort = fmt.Errorf("is no port from 0 to %d", math.MaxUint16)

// parseIP reads an address. The older form of IPv4 in IPv6, ::1.2.3.4, is IPv4.
// Zones, brackets, ports and host names make it no address.
func parseIP(v value) (netip.Addr, bool) {
	if v.kind != text || v.text == "" {
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(v.text)
	if err != nil || ip.Zone() != "" {
		return netip.Addr{}, false
	}
	if b := ip.As16(); ip.Is6() && [12]byte(b[:12]) == [12]byte{} && strings.IndexByte(v.text, '.') >= 0 {
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	return ip, true
}

// setIP puts an address where its family belongs. IPv4 mapped into IPv6 is
// IPv4. Where the endpoint already has one, the one from the field of its own
// family counts.
func setIP(e *spandrel.Endpoint, ip netip.Addr, fieldV4 bool) {
	ip = ip.Unmap()
	if ip.Is4() && (fieldV4 || !e.IPv4.IsValid()) {
		e.IPv4 = ip
	} else if ip.Is6() && (!fieldV4 || !e.IPv6.IsValid()) {
		e.IPv6 = ip
	}
}
