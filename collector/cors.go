package collector

import (
	"net/http"
	"slices"
	"strings"
)

// cors lets web pages of other origins post spans.
type cors struct {
	any     bool
	origins []string // may have * in them
	headers string   // Access-Control-Allow-Headers
}

// newCORS allows the origins, none if there are none; each may be "*" or have
// one in it (http://*.example.com). Content-Type is allowed in any case.
func newCORS(origins, headers []string) cors {
	c := cors{headers: "Content-Type"}
	for _, o := range origins {
		if o = strings.ToLower(strings.TrimSpace(o)); o != "" {
			c.any = c.any || o == "*"
			c.origins = append(c.origins, o)
		}
	}
	for _, h := range headers {
		if h = strings.TrimSpace(h); h != "" && !strings.EqualFold(h, "Content-Type") {
			c.headers += ", " + h
		}
	}
	return c
}

// allows reports whether pages of the origin may post. A star stands for any
// part of a host's name.
func (c *cors) allows(origin string) bool {
	origin = strings.ToLower(origin)
	return c.any || slices.ContainsFunc(c.origins, func(o string) bool {
		if o == origin {
			return true
		}
		before, after, ok := strings.Cut(o, "*")
		return ok && len(origin) > len(before)+len(after) &&
			strings.HasPrefix(origin, before) && strings.HasSuffix(origin, after)
	})
}

// mark sets the headers by which a browser lets the page see the answer.
func (c *cors) mark(h http.Header, r *http.Request) {
	origin := r.Header.Get("Origin")
	if len(c.origins) == 0 || origin == "" || !c.allows(origin) {
		return
	}
	if c.any {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Add("Vary", "Origin")
	}
	h.Set("Access-Control-Allow-Headers", c.headers)
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "GET, POST")
		h.Set("Access-Control-Max-Age", "600")
	}
}
