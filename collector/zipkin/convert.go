package zipkin

import (
	"fmt"

	"github.com/spandrel/spandrel"
)

// converter makes spans of a span of version 1. There, one span could tell of
// both sides of a call: annotations of two letters say when a side began and
// ended, and with it that there was such a side,
//
//	cs ├────────────────────────────┤ cr   client     ms ├───┤ ws         producer
//	       sr ├──────────────┤ ss          server               wr ├───┤ mr   consumer
//
// and the endpoint of an annotation says whose it is. Each service gets a span
// of its own, all of one id; the callee's are marked as shared. The rules are
// those of OpenZipkin's converter.
type converter struct {
	source spandrel.Span // ids, name, times and flags as sent
	parts  []part        // at least one

	cs, cr, sr, ss, ms, ws, wr, mr *annotationV1
}

// part is one span in the making.
type part struct {
	span     spandrel.Span
	hasLocal bool
	events   []spandrel.Event
	tags     []spandrel.Tag
}

func (p *part) note(a *annotationV1) { p.events = append(p.events, a.Event) }

// set gives the part the time from one instant to another, which 0 leaves open.
func (p *part) set(from, to int64) {
	p.span.Start, p.span.Duration = max(from, 0), 0
	if to != 0 && p.span.Start != 0 {
		p.span.Duration = max(to-from, 0)
	}
}

// end is when the annotation happened, 0 if it did not.
func end(a *annotationV1) int64 {
	if a == nil {
		return 0
	}
	return a.Time
}

// maxServices is how many services one span of version 1 may tell of; two are
// usual, and each costs a comparison at each annotation.
const maxServices = 32

var errServices = &fieldError{ReasonEndpoint, fmt.Errorf("one span of more than %d services", maxServices)}

// convert makes the parts.
func (c *converter) convert(annotations []annotationV1, binaries []binaryV1) ([]part, *fieldError) {
	c.add(nil)
	c.sort(annotations)
	c.completeStarts()
	c.call()
	c.message()
	c.binaries(binaries)
	if len(c.parts) > maxServices {
		return nil, errServices
	}
	return c.parts, nil
}

// add makes a part for the endpoint and returns its place.
func (c *converter) add(e *spandrel.Endpoint) int {
	p := part{span: c.source}
	p.span.Start, p.span.Duration = 0, 0
	if e != nil {
		p.span.Local, p.hasLocal = *e, true
	}
	c.parts = append(c.parts, p)
	return len(c.parts) - 1
}

// at is the part of the endpoint's service. What has no endpoint belongs to the
// first part. It is valid until the next call of at or add.
func (c *converter) at(e *spandrel.Endpoint) *part {
	if e == nil {
		return &c.parts[0]
	}
	for i := range c.parts {
		p := &c.parts[i]
		if !p.hasLocal {
			p.span.Local, p.hasLocal = *e, true
		}
		if sameService(p.span.Local, *e) {
			return p
		}
	}
	if len(c.parts) > maxServices {
		return &c.parts[0] // too many already, the span will be rejected
	}
	return &c.parts[c.add(e)]
}

// of is the part of the endpoint's service that has the kind, if there is one:
// a service that calls itself has two.
func (c *converter) of(kind spandrel.Kind, e *spandrel.Endpoint) *part {
	for i := range c.parts {
		if p := &c.parts[i]; p.span.Kind == kind && sameService(p.span.Local, *e) {
			return p
		}
	}
	return c.at(e)
}

// sort puts the annotations that mark a side's begin or end in their fields, if
// they have an endpoint, and makes events of all others.
func (c *converter) sort(annotations []annotationV1) {
	for i := range annotations {
		a := &annotations[i]
		p := c.at(a.endpoint)
		mark, kind := c.mark(a.Name)
		if mark == nil || a.endpoint == nil {
			p.note(a)
			continue
		}
		*mark = a
		if kind != spandrel.KindNone {
			p.span.Kind = kind
		}
	}
}

// mark is the field for annotations of the name, and the kind of span they
// mark; nil for all other names.
func (c *converter) mark(name string) (**annotationV1, spandrel.Kind) {
	switch name {
	case "cs":
		return &c.cs, spandrel.KindClient
	case "cr":
		return &c.cr, spandrel.KindClient
	case "sr":
		return &c.sr, spandrel.KindServer
	case "ss":
		return &c.ss, spandrel.KindServer
	case "ms":
		return &c.ms, spandrel.KindProducer
	case "mr":
		return &c.mr, spandrel.KindConsumer
	case "ws":
		return &c.ws, spandrel.KindNone
	case "wr":
		return &c.wr, spandrel.KindNone
	}
	return nil, spandrel.KindNone
}

// completeStarts makes up the begin of a side whose end is just where the
// span's own times end: such spans come from bridges between formats.
func (c *converter) completeStarts() {
	start := func(begin, finish *annotationV1) *annotationV1 {
		s := &c.source
		if begin != nil || finish == nil || s.Start == 0 || s.Duration == 0 || s.Start+s.Duration != finish.Time {
			return begin
		}
		return &annotationV1{spandrel.Event{Time: s.Start}, finish.endpoint}
	}
	c.cs, c.sr = start(c.cs, c.cr), start(c.sr, c.ss)
}

// call sets the times of the two sides of a call.
func (c *converter) call() {
	switch {
	case c.cs != nil && c.sr != nil:
		c.side(c.cs, c.cr) // the client owns the span's own times
		server := c.other(c.cs, c.sr, spandrel.KindClient, spandrel.KindServer)
		server.set(c.sr.Time, end(c.ss))
		server.span.Flags |= spandrel.FlagShared
	case c.cs != nil && c.cr != nil:
		c.side(c.cs, c.cr)
	case c.sr != nil && c.ss != nil:
		c.side(c.sr, c.ss)
	default:
		c.incompleteCall()
	}
	// Version 1 has no flag for sharing. A server that does not know when the
	// span began, or how long it took though it sent an answer, was not the one
	// to start it.
	if c.cs == nil && c.sr != nil && (c.source.Start == 0 || c.ss != nil && c.source.Duration == 0) {
		c.at(c.sr.endpoint).span.Flags |= spandrel.FlagShared
	}
}

// side gives the part where begin happened the span's own times, or else those
// of the annotations.
func (c *converter) side(begin, finish *annotationV1) {
	p := c.at(begin.endpoint)
	if c.source.Start != 0 && c.source.Duration != 0 {
		p.span.Start, p.span.Duration = c.source.Start, c.source.Duration
		return
	}
	p.set(begin.Time, end(finish))
}

// other is the part of the second side of an exchange. If both are of the same
// service, which then has but one part, it is a new part.
func (c *converter) other(one, two *annotationV1, kind1, kind2 spandrel.Kind) *part {
	if !sameService(*one.endpoint, *two.endpoint) {
		return c.at(two.endpoint)
	}
	c.at(one.endpoint).span.Kind = kind1
	p := &c.parts[c.add(two.endpoint)]
	p.span.Kind = kind2
	return p
}

// incompleteCall keeps the kinds; an end without a begin is an event.
func (c *converter) incompleteCall() {
	for i := range c.parts {
		p := &c.parts[i]
		begin, finish := c.cs, c.cr
		switch p.span.Kind {
		case spandrel.KindClient:
		case spandrel.KindServer:
			begin, finish = c.sr, c.ss
		default:
			continue
		}
		if begin != nil {
			p.set(begin.Time, 0)
		}
		if finish != nil {
			p.note(finish)
		}
	}
	if c.source.Start != 0 {
		c.parts[0].span.Start, c.parts[0].span.Duration = c.source.Start, c.source.Duration
	}
}

// message sets the times of the two sides of a message.
func (c *converter) message() {
	switch {
	case c.ms != nil && c.mr != nil:
		c.at(c.ms.endpoint).set(c.ms.Time, end(c.ws))
		consumer := c.other(c.ms, c.mr, spandrel.KindProducer, spandrel.KindConsumer)
		consumer.set(c.mr.Time, 0)
		if c.wr != nil {
			consumer.set(c.wr.Time, c.mr.Time)
		}
		consumer.span.Flags |= spandrel.FlagShared
	case c.ms != nil:
		c.side(c.ms, c.ws)
	case c.mr != nil && c.wr != nil:
		c.side(c.wr, c.mr)
	case c.mr != nil:
		c.side(c.mr, nil)
	default:
		for _, a := range []*annotationV1{c.ws, c.wr} {
			if a != nil {
				c.at(a.endpoint).note(a)
			}
		}
	}
}

// binaries makes tags and remote endpoints of the binary annotations.
func (c *converter) binaries(all []binaryV1) {
	var ca, sa, ma *spandrel.Endpoint
	for i := range all {
		b := &all[i]
		isAddress := b.key == "ca" || b.key == "sa" || b.key == "ma"
		switch {
		case isAddress && b.endpoint == nil && b.value.text == "true":
			// The address of nobody.
		case isAddress && b.endpoint != nil:
			// Its value is true, from old clients the text 1.
			switch b.key {
			case "ca":
				ca = b.endpoint
			case "sa":
				sa = b.endpoint
			case "ma":
				ma = b.endpoint
			}
		case b.key == "lc" && b.value.text == "":
			c.at(b.endpoint) // only says where
		default:
			p := c.at(b.endpoint)
			p.tags = append(p.tags, spandrel.Tag{Key: b.key, Value: spandrel.StringValue(b.value.text)})
		}
	}
	c.addresses(ca, sa, ma)
}

// addresses sets the remote endpoints: the client's address, the server's and
// the message broker's.
func (c *converter) addresses(ca, sa, ma *spandrel.Endpoint) {
	if c.cs == nil && c.cr == nil && c.sr == nil && c.ss == nil {
		switch {
		case ca != nil && sa != nil:
			c.at(ca).span.Remote = *sa
		case sa != nil: // no sign of a call: the default for any remote address
			c.parts[0].span.Remote = *sa
		case ca != nil:
			c.parts[0].span.Kind, c.parts[0].span.Remote = spandrel.KindServer, *ca
		}
	} else {
		c.callAddresses(ca, sa)
	}
	if ma != nil {
		if c.ms != nil {
			c.of(spandrel.KindProducer, c.ms.endpoint).span.Remote = *ma
		}
		if c.mr != nil {
			c.of(spandrel.KindConsumer, c.mr.endpoint).span.Remote = *ma
		}
	}
}

// callAddresses sets the remote endpoints of a call's two sides. A client's
// address that bears the server's own name, as Finagle sent it, loses the name:
// it would look like a service that calls itself.
func (c *converter) callAddresses(ca, sa *spandrel.Endpoint) {
	server, client := c.sr, c.cs
	if server == nil {
		server = c.ss
	}
	if client == nil {
		client = c.cr
	}
	if ca != nil && server != nil && *ca != *server.endpoint {
		remote := *ca
		if sameService(remote, *server.endpoint) {
			remote.Service = ""
		}
		c.of(spandrel.KindServer, server.endpoint).span.Remote = remote
	}
	if sa != nil && client != nil {
		c.of(spandrel.KindClient, client.endpoint).span.Remote = *sa
	}
}
