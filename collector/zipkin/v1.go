package zipkin

import (
	"strings"

	"github.com/spandrel/spandrel"
)

// annotationV1 is an annotation of version 1: something that happened at an
// endpoint, nil where it does not say which.
type annotationV1 struct {
	spandrel.Event
	endpoint *spandrel.Endpoint
}

// binaryV1 is a binary annotation of version 1: a tag of one endpoint, or the
// address of one.
type binaryV1 struct {
	key      string
	value    value
	endpoint *spandrel.Endpoint
}

// spanV1 reads an object that is a span of version 1, converts it and adds the
// one or more spans it makes to the batch.
func (d *jsonDecoder) spanV1() *fieldError {
	var raw rawSpan
	var annotations []annotationV1
	var binaries []binaryV1
	var bad *fieldError
	first := true
	for key, ok := d.key(&first); ok; key, ok = d.key(&first) {
		switch key {
		case "traceId":
			raw.traceID = d.value()
		case "id":
			raw.id = d.value()
		case "parentId":
			raw.parentID = d.value()
		case "name":
			raw.name = d.value()
		case "timestamp":
			raw.timestamp = d.value()
		case "duration":
			raw.duration = d.value()
		case "debug":
			raw.debug = d.value()
		case "annotations":
			annotations, bad = d.annotationsV1(annotations, bad)
		case "binaryAnnotations":
			binaries, bad = d.binariesV1(binaries, bad)
		default:
			d.skip(maxDepth)
		}
	}
	var c converter
	if bad2 := raw.common(&c.source, true); bad2 != nil {
		return bad2
	}
	if bad != nil {
		return bad
	}
	parts, bad := c.convert(annotations, binaries)
	for i := range parts {
		p := &parts[i]
		d.reset()
		d.tagsNow = append(d.tagsNow, p.tags...)
		d.eventsNow = append(d.eventsNow, p.events...)
		d.finish(&p.span)
	}
	return bad
}

// objects reads a list whose elements are objects, at each of which it calls
// read; what is wrong with the list or an element is bad, unless it is already
// set.
func (d *jsonDecoder) objects(bad *fieldError, reason, name string, read func() *fieldError) *fieldError {
	note := func(b *fieldError) {
		if bad == nil {
			bad = b
		}
	}
	if k := d.peek(); k != list {
		if v := d.value(); k != absent && v.text != "{}" {
			note(badKind(reason, name, k, "a list"))
		}
		return bad
	}
	for first := true; d.elem(&first); {
		switch k := d.peek(); k {
		case object:
			note(read())
		case absent:
			d.literal("null")
		default:
			d.skip(maxDepth)
			note(badKind(reason, "an element of "+name, k, "an object"))
		}
	}
	return bad
}

// annotationsV1 appends the list of annotations.
func (d *jsonDecoder) annotationsV1(all []annotationV1, bad *fieldError) ([]annotationV1, *fieldError) {
	bad = d.objects(bad, ReasonAnnotation, "annotations", func() *fieldError {
		var raw rawAnnotation
		var caller rawEndpoint
		first := true
		for key, ok := d.key(&first); ok; key, ok = d.key(&first) {
			switch key {
			case "timestamp":
				raw.timestamp = d.value()
			case "value":
				raw.value = d.value()
			case "endpoint":
				caller = d.endpoint()
			default:
				d.skip(maxDepth)
			}
		}
		event, bad := raw.event()
		if bad != nil {
			return bad
		}
		endpoint, bad := caller.pointer()
		all = append(all, annotationV1{event, endpoint})
		return bad
	})
	return all, bad
}

// binariesV1 appends the list of binary annotations.
func (d *jsonDecoder) binariesV1(all []binaryV1, bad *fieldError) ([]binaryV1, *fieldError) {
	bad = d.objects(bad, ReasonTag, "binaryAnnotations", func() *fieldError {
		var b binaryV1
		var key value
		var caller rawEndpoint
		first := true
		for field, ok := d.key(&first); ok; field, ok = d.key(&first) {
			switch field {
			case "key":
				key = d.value()
			case "value":
				b.value = d.value()
			case "endpoint":
				caller = d.endpoint()
			default:
				d.skip(maxDepth)
			}
		}
		var ok bool
		if b.key, ok = scalar(key); !ok || key.kind == absent {
			return badKind(ReasonTag, "the key of a binary annotation", key.kind, "a string")
		}
		var bad *fieldError
		b.endpoint, bad = caller.pointer()
		all = append(all, b)
		return bad
	})
	return all, bad
}

// pointer is the endpoint, nil where there is none.
func (raw *rawEndpoint) pointer() (*spandrel.Endpoint, *fieldError) {
	if raw.kind == absent {
		return nil, nil
	}
	e, bad := raw.endpoint("endpoint")
	return &e, bad
}

// sameService reports whether both are the same service, whatever its case.
func sameService(a, b spandrel.Endpoint) bool { return strings.EqualFold(a.Service, b.Service) }
