package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
)

// refusal is an answer other than success.
type refusal struct {
	status int
	reason string // why, from a closed set: a metric's label
	text   string // for the client
	err    error  // for the log, where there is more to say than the text
	path   string // the path's label, where that is what is wrong
}

// The reasons of refusals that more than one place gives.
const (
	reasonMalformed = "malformed"
	reasonBody      = "incomplete_body"
	reasonEncoding  = "encoding"
	reasonSize      = "too_large"
	reasonBusy      = "busy"
	reasonDraining  = "draining"
	reasonType      = "content_type"
	reasonRejected  = "rejected_spans"
)

// refuseRead says why a body, of at most limit bytes, could not be read, or not
// be admitted.
func refuseRead(err error, limit int64) *refusal {
	switch {
	case errors.Is(err, errDraining):
		return &refusal{status: http.StatusServiceUnavailable, reason: reasonDraining, text: "the collector is shutting down"}
	case errors.Is(err, errBusy):
		return &refusal{status: http.StatusServiceUnavailable, reason: reasonBusy, text: "the collector has too many posts under way, try again in a second"}
	case errors.Is(err, errTooLarge):
		return &refusal{status: http.StatusRequestEntityTooLarge, reason: reasonSize,
			text: fmt.Sprintf("the body has more than %d bytes, as sent or decompressed: post fewer spans at a time", limit)}
	case errors.Is(err, errFrame):
		return malformed(err, "")
	case errors.Is(err, errEncoding):
		return &refusal{status: http.StatusBadRequest, reason: reasonEncoding, text: clip(err.Error(), 200)}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &refusal{status: http.StatusRequestTimeout, reason: reasonBody, text: "the body did not come in time", err: err}
	}
	return &refusal{status: http.StatusBadRequest, reason: reasonBody, text: "the body ended early", err: err}
}

// refuseAccept says why Accept could not store the spans.
func refuseAccept(err error) *refusal {
	r := &refusal{status: http.StatusServiceUnavailable, reason: failure(err), err: err}
	switch r.reason {
	case "overloaded":
		r.text = "the store is overloaded, try again in a second"
	case "unavailable":
		r.text = "the store cannot write just now, try again"
	case "closed":
		r.text = "the collector is shutting down"
	case "timeout", "canceled":
		r.text = "the store did not answer in time, try again"
	default:
		r.status, r.text = http.StatusInternalServerError, "the spans could not be stored"
	}
	return r
}

// refuse answers with the refusal, counts it and logs it, sparingly.
func (c *Collector) refuse(w http.ResponseWriter, r *http.Request, in form, f *refusal) {
	c.metrics.refused.WithLabelValues(f.reason).Inc()
	in.refuse(w, f)

	level := slog.LevelWarn
	if f.status == http.StatusInternalServerError {
		level = slog.LevelError
	}
	c.log.write(r.Context(), level, "request failed", f.reason+" "+f.path, c.requestAttrs(r, f)...)
}

// requestAttrs tells who asked for what, and why that failed.
func (c *Collector) requestAttrs(r *http.Request, f *refusal) []slog.Attr {
	attrs := []slog.Attr{
		slog.Int("status", f.status), slog.String("reason", f.reason),
		slog.String("method", clip(r.Method, 20)), slog.String("path", clip(r.URL.Path, 200)),
		slog.String("answer", clip(f.text, 300)),
	}
	attrs = append(attrs, senderAttrs(r)...)
	if f.err != nil {
		attrs = append(attrs, slog.String("error", clip(f.err.Error(), 500)))
	}
	return attrs
}

// misdirected counts a request that does not suit its path and returns the
// path's label. What is taken all the same has its reason logged here.
func (c *Collector) misdirected(r *http.Request, reason string) string {
	label := c.metrics.paths.label(pathLabel(r.URL.Path))
	c.metrics.misdirected.WithLabelValues(reason, label).Inc()
	return label
}

// warn logs, sparingly, a request that is taken though something is wrong.
func (c *Collector) warn(ctx context.Context, msg, path string, r *http.Request) {
	attrs := append([]slog.Attr{slog.String("path", clip(r.URL.Path, 200))}, senderAttrs(r)...)
	c.log.write(ctx, slog.LevelWarn, msg, msg+" "+path, attrs...)
}

// senderAttrs tells where a request came from; Envoy gives no user agent, but
// its pod's address.
func senderAttrs(r *http.Request) []slog.Attr {
	attrs := []slog.Attr{slog.String("remote", r.RemoteAddr)}
	if v := r.UserAgent(); v != "" {
		attrs = append(attrs, slog.String("user_agent", clip(v, 200)))
	}
	if v := r.Header.Get("X-Forwarded-For"); v != "" {
		attrs = append(attrs, slog.String("forwarded_for", clip(v, 200)))
	}
	return attrs
}

// pathLabel is the path without what makes it one of many: segments that look
// like ids become {id}, and long paths are cut.
func pathLabel(path string) string {
	parts := strings.Split(clip(path, 200), "/")
	for i, part := range parts {
		if strings.Trim(part, "0123456789abcdefABCDEF-") == "" && strings.ContainsAny(part, "0123456789") {
			parts[i] = "{id}"
		}
	}
	return clip(strings.Join(parts, "/"), 100)
}
