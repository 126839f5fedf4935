package uiapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/spandrel/spandrel/query"
	"github.com/spandrel/spandrel/storage"
)

// answer is what a handler gives: a value to be written as JSON, or something
// that writes itself.
type answer struct {
	json any
	// write writes what is no JSON value; it is not called for HEAD.
	write    func(w io.Writer) error
	kind     string // Content-Type of write
	etag     string // "" = not to be kept
	same     bool   // the client has it
	filename string // for people who keep it
	done     func() // called when the answer has been sent, or is not to be; nil = nothing
}

// failure is an error with its HTTP status and what the client is told.
type failure struct {
	status int
	msg    string
	param  string // which parameter is to blame, if one is
	cause  error  // for the log; nil where msg says it all
}

func (f *failure) Error() string {
	if f.cause != nil {
		return f.msg + ": " + f.cause.Error()
	}
	return f.msg
}

func (f *failure) Unwrap() error { return f.cause }

func badParam(param, msg string) error {
	return &failure{status: http.StatusBadRequest, msg: param + ": " + msg, param: param}
}

// statusClientGone is nginx's number for clients that did not wait.
const statusClientGone = 499

// asFailure is where errors become statuses.
func asFailure(err error) *failure {
	var f *failure
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, query.ErrNotFound):
		return &failure{status: http.StatusNotFound, msg: "trace not found"}
	case errors.Is(err, query.ErrTooLarge):
		return &failure{status: http.StatusUnprocessableEntity, msg: err.Error()}
	case errors.Is(err, context.Canceled):
		return &failure{status: statusClientGone, msg: "request canceled", cause: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{status: http.StatusGatewayTimeout, msg: "the store did not answer in time", cause: err}
	case errors.Is(err, query.ErrTooManyWaiting):
		return &failure{status: http.StatusTooManyRequests, msg: "too many clients are waiting"}
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, storage.ErrClosed), errors.Is(err, storage.ErrOverloaded):
		return &failure{status: http.StatusServiceUnavailable, msg: "the store cannot answer now", cause: err}
	}
	return &failure{status: http.StatusInternalServerError, msg: "the store failed to answer", cause: err}
}

// handle runs a route and writes its answer.
func (a *api) handle(do func(r *http.Request) (answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			a.fail(w, r, &failure{status: http.StatusMethodNotAllowed, msg: "this route takes GET only"})
			return
		}
		ans, err := do(r)
		if ans.done != nil {
			defer ans.done()
		}
		if err == nil {
			err = a.send(w, r, ans)
		}
		if err != nil {
			a.fail(w, r, asFailure(err))
		}
	}
}

// send writes an answer. An error is one of before the first byte.
func (a *api) send(w http.ResponseWriter, r *http.Request, ans answer) error {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if ans.etag != "" {
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", ans.etag)
	}
	if ans.same {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if ans.filename != "" {
		h.Set("Content-Disposition", `attachment; filename="`+ans.filename+`"`)
	}
	if ans.write != nil {
		h.Set("Content-Type", ans.kind)
		w.WriteHeader(http.StatusOK)
		if r.Method == http.MethodHead {
			return nil
		}
		if err := ans.write(w); err != nil {
			if r.Context().Err() == nil {
				a.logFailure(r, asFailure(err))
			}
			panic(http.ErrAbortHandler) // half an answer must not look whole
		}
		return nil
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(ans.json); err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body.Bytes()) // the client may have gone
	}
	return nil
}

// fail answers with an error.
func (a *api) fail(w http.ResponseWriter, r *http.Request, f *failure) {
	a.logFailure(r, f)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Del("ETag")
	h.Del("Content-Disposition")
	if f.status == http.StatusServiceUnavailable || f.status == http.StatusTooManyRequests {
		h.Set("Retry-After", "2")
	}
	w.WriteHeader(f.status)
	type wire struct {
		Status  int    `json:"status"`
		Message string `json:"message"`
		Param   string `json:"param,omitempty"`
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(map[string]wire{"error": {f.status, f.msg, f.param}}) // the client may have gone
}

// logFailure logs what went wrong on our side.
func (a *api) logFailure(r *http.Request, f *failure) {
	if f.status < 500 || f.cause == nil {
		return
	}
	a.log.LogAttrs(r.Context(), slog.LevelError, "query failed",
		slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.Int("status", f.status), slog.Any("error", f.cause))
}

// etag is a weak one of a trace's revision and what else the answer depends on.
func etag(r *http.Request, revision uint64) (tag string, same bool) {
	tag = `W/"` + strconv.FormatUint(revision, 36) + `"`
	for have := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if have = strings.TrimSpace(have); have == tag || have == "*" || `W/`+have == tag {
			return tag, true
		}
	}
	return tag, false
}
