package collector

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unsafe"

	"github.com/spandrel/spandrel"
)

// protocol is what the spans of a port come in.
type protocol interface {
	// route is which of the protocol's paths the request is for, "" for none.
	route(r *http.Request) string
	// form is how the request is answered.
	form(r *http.Request) form
	// stray says what to do instead of a request that is for no route, or not a POST.
	stray(r *http.Request, route string) string
	// open says how the request's body comes.
	open(w http.ResponseWriter, r *http.Request) (message, *refusal)
	// decode turns a body into spans that alias it, in memory that free gives
	// back once they are stored.
	decode(r *http.Request, route string, body []byte) (b Batch, free func(), bad *refusal)
	// taken answers a post whose spans are stored but for the rejected ones, if
	// any; or says why that is no success.
	taken(w http.ResponseWriter, r *http.Request, rejected *RejectedError) *refusal
}

// message is a body on its way in.
type message struct {
	src     io.Reader // with a bound of its own
	size    int64     // as sent; -1 = not known
	codings []string  // in the order in which they were applied
	limit   int64     // of its bytes, as sent and decoded
}

// port answers a port: it admits posts, has their bodies decoded by its
// protocol and stored, measures, and logs what fails.
type port struct {
	*Collector
	protocol
	cors     cors
	fallback http.Handler // for GET and HEAD, unless it is nil
	success  int          // the status that is measured for it
}

// ServeHTTP answers a request, measures how long that took and logs it if it
// failed.
func (p *port) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := p.opts.Now()
	p.cors.mark(w.Header(), r)
	if p.fallback != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		p.fallback.ServeHTTP(w, r)
		return
	}
	route, status := p.route(r), p.success
	if r.Method == http.MethodOptions && p.preflight(w, r, route) {
		status = http.StatusNoContent
		w.WriteHeader(status)
	} else if bad := p.answer(w, r, route); bad != nil {
		status = bad.status
		p.refuse(w, r, p.form(r), bad)
	}
	if route == "" {
		route = "other"
	}
	p.metrics.duration.WithLabelValues(route, methodLabel(r.Method), strconv.Itoa(status)).
		Observe(p.opts.Now().Sub(start).Seconds())
}

// methodLabel is the method if it is one of HTTP's.
func methodLabel(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE":
		return m
	}
	return "other"
}

// routeOf is the path that ends the request's, whatever stands before it.
func routeOf(path string, routes ...string) string {
	path = strings.TrimRight(path, "/")
	for _, route := range routes {
		if strings.HasSuffix(path, route) {
			return route
		}
	}
	return ""
}

// preflight reports whether OPTIONS may be answered: at our own paths, and
// where a browser asks for leave that it has.
func (p *port) preflight(w http.ResponseWriter, r *http.Request, route string) bool {
	if route != "" {
		w.Header().Set("Allow", "OPTIONS, POST")
		return true
	}
	return r.Header.Get("Access-Control-Request-Method") != "" && w.Header().Get("Access-Control-Allow-Origin") != ""
}

// answer takes a post's spans and says so, or gives the reason why not.
func (p *port) answer(w http.ResponseWriter, r *http.Request, route string) *refusal {
	switch {
	case r.Method == http.MethodTrace || route != "" && r.Method != http.MethodPost:
		w.Header().Set("Allow", "OPTIONS, POST")
		return &refusal{status: http.StatusMethodNotAllowed, reason: "method", path: p.misdirected(r, "method"), text: p.stray(r, route)}
	case route == "":
		return &refusal{status: http.StatusNotFound, reason: "path", path: p.misdirected(r, "path"), text: p.stray(r, route)}
	}
	m, bad := p.open(w, r)
	if bad != nil {
		return bad
	}
	rejected, bad := p.post(r, route, m)
	if bad != nil {
		return bad
	}
	return p.taken(w, r, rejected)
}

// post reads, decodes and stores a body.
func (p *port) post(r *http.Request, route string, m message) (*RejectedError, *refusal) {
	if m.size > m.limit {
		return nil, refuseRead(errTooLarge, m.limit)
	}
	size := m.firstSize()
	t, err := p.gate.enter(size)
	if err != nil {
		return nil, refuseRead(err, m.limit)
	}
	defer t.leave()
	buf := takeBuffer(&t, size)
	defer putBuffer(buf)
	if *buf, err = m.read(&t, *buf); err != nil {
		return nil, refuseRead(err, m.limit)
	}
	batch, free, bad := p.decode(r, route, *buf)
	defer free()
	if bad != nil || len(batch.Spans)+len(batch.Rejected) == 0 {
		return nil, bad
	}
	t.charge(memory(batch.Spans))
	// What has come whole is stored even if the client has gone meanwhile.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), p.opts.WriteTimeout)
	defer cancel()
	err = p.Accept(ctx, batch)
	var rejected *RejectedError
	if err != nil && !errors.As(err, &rejected) {
		return nil, refuseAccept(err)
	}
	return rejected, nil
}

// malformed is the refusal of a body that cannot be decoded; hint, if any, says
// where it may belong.
func malformed(err error, hint string) *refusal {
	return &refusal{status: http.StatusBadRequest, reason: reasonMalformed, text: clip(err.Error(), 300) + hint}
}

// mediaType is the request's content type without parameters, in lower case.
func mediaType(h http.Header) string {
	t, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// memory is what the spans take besides the body that they alias. Spans of one
// sender share its attributes.
func memory(spans []spandrel.Span) int64 {
	n := cap(spans) * int(unsafe.Sizeof(spandrel.Span{}))
	tags := func(t []spandrel.Tag) { n += len(t) * int(unsafe.Sizeof(spandrel.Tag{})) }
	var resource, scope *spandrel.Tag
	for i := range spans {
		s := &spans[i]
		tags(s.Tags)
		if first := unsafe.SliceData(s.Resource); first != resource {
			resource = first
			tags(s.Resource)
		}
		if first := unsafe.SliceData(s.Scope.Tags); first != scope {
			scope = first
			tags(s.Scope.Tags)
		}
		n += len(s.Events)*int(unsafe.Sizeof(spandrel.Event{})) + len(s.Links)*int(unsafe.Sizeof(spandrel.Link{}))
		for j := range s.Events {
			tags(s.Events[j].Fields)
		}
		for j := range s.Links {
			tags(s.Links[j].Tags)
		}
	}
	return int64(n)
}
