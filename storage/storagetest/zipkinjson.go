package storagetest

import (
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spandrel/spandrel"
)

// AppendZipkinJSON appends the spans as a list in Zipkin's v2 JSON, as a body
// to post. Only what that format has room for is written: times in whole
// microseconds, tags as text, names of events.
func AppendZipkinJSON(b []byte, spans []spandrel.Span) []byte {
	b = append(b, '[')
	for i := range spans {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendZipkinSpan(b, &spans[i])
	}
	return append(b, ']')
}

func appendZipkinSpan(b []byte, s *spandrel.Span) []byte {
	b = append(b, `{"traceId":"`...)
	b = s.TraceID.AppendText(b)
	if s.ParentID != 0 {
		b = append(b, `","parentId":"`...)
		b = s.ParentID.AppendText(b)
	}
	b = append(b, `","id":"`...)
	b = s.ID.AppendText(b)
	b = append(b, '"')
	if s.Kind > spandrel.KindInternal {
		b = appendJSONField(b, "kind", strings.ToUpper(s.Kind.String()))
	}
	b = appendJSONField(b, "name", s.Name)
	if s.Flags&spandrel.FlagNoStart == 0 {
		b = append(b, `,"timestamp":`...)
		b = strconv.AppendInt(b, s.Start/1000, 10)
	}
	if s.Duration >= 1000 {
		b = append(b, `,"duration":`...)
		b = strconv.AppendInt(b, s.Duration/1000, 10)
	}
	b = appendZipkinEndpoint(b, "localEndpoint", s.Local)
	b = appendZipkinEndpoint(b, "remoteEndpoint", s.Remote)
	b = appendZipkinAnnotations(b, s.Events)
	b = appendZipkinTags(b, s.Tags)
	if s.Flags&spandrel.FlagDebug != 0 {
		b = append(b, `,"debug":true`...)
	}
	if s.Flags&spandrel.FlagShared != 0 {
		b = append(b, `,"shared":true`...)
	}
	return append(b, '}')
}

func appendZipkinEndpoint(b []byte, key string, e spandrel.Endpoint) []byte {
	if e.IsZero() {
		return b
	}
	b = append(b, `,"`...)
	b = append(b, key...)
	b = append(b, `":{"port":`...)
	b = strconv.AppendUint(b, uint64(e.Port), 10)
	b = appendJSONField(b, "serviceName", e.Service)
	for i, ip := range [...]netip.Addr{e.IPv4, e.IPv6} {
		if ip.IsValid() {
			b = appendJSONField(b, [...]string{"ipv4", "ipv6"}[i], ip.String())
		}
	}
	return append(b, '}')
}

func appendZipkinAnnotations(b []byte, events []spandrel.Event) []byte {
	if len(events) == 0 {
		return b
	}
	b = append(b, `,"annotations":[`...)
	for i := range events {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"timestamp":`...)
		b = strconv.AppendInt(b, events[i].Time/1000, 10)
		b = append(b, `,"value":`...)
		b = append(appendJSONString(b, events[i].Name), '}')
	}
	return append(b, ']')
}

func appendZipkinTags(b []byte, tags []spandrel.Tag) []byte {
	if len(tags) == 0 {
		return b
	}
	b = append(b, `,"tags":{`...)
	for i := range tags {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendJSONString(b, tags[i].Key), ':')
		b = appendJSONString(b, tags[i].Value.String())
	}
	return append(b, '}')
}

// appendJSONField appends a comma, the key and the value, unless that is empty.
func appendJSONField(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, `,"`...)
	b = append(b, key...)
	return appendJSONString(append(b, `":`...), value)
}

func appendJSONString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // cannot fail
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
