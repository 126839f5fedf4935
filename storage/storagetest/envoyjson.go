package storagetest

import (
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/spandrel/spandrel"
)

// AppendEnvoyJSON appends the spans as an Envoy posts them: Zipkin's v2 JSON
// whose fields and tags come in another order in every span, for Envoy keeps
// them in hash maps, with a port of 0. Like [AppendZipkinJSON] it writes only
// what Envoy has: whole microseconds, text, one endpoint of version 4.
func AppendEnvoyJSON(b []byte, spans []spandrel.Span, rng *rand.Rand) []byte {
	e := envoyJSON{rng: rng}
	b = append(b, '[')
	for i := range spans {
		if i > 0 {
			b = append(b, ',')
		}
		b = e.span(b, &spans[i])
	}
	return append(b, ']')
}

// envoyJSON writes objects in random order.
type envoyJSON struct {
	rng   *rand.Rand
	order []int
}

// object writes the fields of order, which it shuffles. What upTo gave is in
// use until it returns: only a span, whose order is its own, holds objects.
func (e *envoyJSON) object(b []byte, order []int, field func([]byte, int) []byte) []byte {
	e.rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	b = append(b, '{')
	for i, f := range order {
		if i > 0 {
			b = append(b, ',')
		}
		b = field(b, f)
	}
	return append(b, '}')
}

// upTo is 0, 1 … n-1 in memory that the next call takes again.
func (e *envoyJSON) upTo(n int) []int {
	e.order = e.order[:0]
	for i := range n {
		e.order = append(e.order, i)
	}
	return e.order
}

func (e *envoyJSON) span(b []byte, s *spandrel.Span) []byte {
	fields := [...]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	n := len(fields)
	if s.ParentID == 0 {
		n--
	}
	return e.object(b, fields[:n], func(b []byte, field int) []byte {
		switch field {
		case 0:
			return append(s.TraceID.AppendText(append(b, `"traceId":"`...)), '"')
		case 1:
			return append(s.ID.AppendText(append(b, `"id":"`...)), '"')
		case 2:
			return appendJSONString(append(b, `"name":`...), s.Name)
		case 3:
			return appendJSONString(append(b, `"kind":`...), strings.ToUpper(s.Kind.String()))
		case 4:
			return strconv.AppendInt(append(b, `"timestamp":`...), s.Start/1000, 10)
		case 5:
			return strconv.AppendInt(append(b, `"duration":`...), max(1, s.Duration/1000), 10)
		case 6:
			return e.endpoint(append(b, `"localEndpoint":`...), &s.Local)
		case 7:
			return e.events(append(b, `"annotations":`...), s.Events)
		case 8:
			return e.object(append(b, `"tags":`...), e.upTo(len(s.Tags)), func(b []byte, i int) []byte {
				b = append(appendJSONString(b, s.Tags[i].Key), ':')
				return appendJSONString(b, s.Tags[i].Value.String())
			})
		default:
			return append(s.ParentID.AppendText(append(b, `"parentId":"`...)), '"')
		}
	})
}

func (e *envoyJSON) endpoint(b []byte, p *spandrel.Endpoint) []byte {
	return e.object(b, e.upTo(3), func(b []byte, field int) []byte {
		switch field {
		case 0:
			return appendJSONString(append(b, `"serviceName":`...), p.Service)
		case 1:
			return appendJSONString(append(b, `"ipv4":`...), p.IPv4.String())
		default:
			return strconv.AppendUint(append(b, `"port":`...), uint64(p.Port), 10)
		}
	})
}

func (e *envoyJSON) events(b []byte, events []spandrel.Event) []byte {
	b = append(b, '[')
	for i := range events {
		if i > 0 {
			b = append(b, ',')
		}
		b = e.object(b, e.upTo(2), func(b []byte, field int) []byte {
			if field == 0 {
				return strconv.AppendInt(append(b, `"timestamp":`...), events[i].Time/1000, 10)
			}
			return appendJSONString(append(b, `"value":`...), events[i].Name)
		})
	}
	return append(b, ']')
}
