package jaegerapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/spandrel/spandrel/query"
	"github.com/spandrel/spandrel/storage"
)

// failure is an error with its HTTP status and what the client is told.
type failure struct {
	status int
	msg    string
	cause  error // for the log; nil where msg says it all
}

func (f *failure) Error() string {
	if f.cause != nil {
		return f.msg + ": " + f.cause.Error()
	}
	return f.msg
}

func (f *failure) Unwrap() error { return f.cause }

func badRequest(msg string) error { return &failure{http.StatusBadRequest, msg, nil} }

// badParam is Jaeger's wording for a parameter that cannot be read.
func badParam(name string, err error) error {
	return badRequest("unable to parse param '" + name + "': " + err.Error())
}

// statusClientGone is nginx's number for clients that did not wait; nobody
// sees it but the metrics.
const statusClientGone = 499

// asFailure is where errors become statuses.
func asFailure(err error) *failure {
	var f *failure
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, query.ErrNotFound):
		return &failure{http.StatusNotFound, "trace not found", nil}
	case errors.Is(err, errClientGone), errors.Is(err, context.Canceled):
		return &failure{statusClientGone, "request canceled", err}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{http.StatusGatewayTimeout, "the store did not answer in time", err}
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, storage.ErrClosed), errors.Is(err, storage.ErrOverloaded):
		return &failure{http.StatusServiceUnavailable, "the store cannot answer now", err}
	default:
		return &failure{http.StatusInternalServerError, "the store failed to answer", err}
	}
}

var errClientGone = errors.New("client closed the connection")

// flushSize is how much of an answer is kept before it is sent on.
const flushSize = 128 << 10

// response collects an answer in buf and sends it in pieces, so that no answer
// is ever whole in memory. Until the first piece went out, it can still become
// an error. What sends more than a failure must end it.
//
//	{"data":…,"total":0,"limit":0,"offset":0,"errors":null}
type response struct {
	buf     []byte
	w       http.ResponseWriter
	out     io.Writer // w, perhaps through an indenter
	started bool
	sender  *sender // of all pieces but the first; nil = none yet
}

func newResponse(w http.ResponseWriter, r *http.Request) *response {
	resp := &response{w: w, out: w, buf: newPiece()}
	if p := r.URL.Query().Get("prettyPrint"); p != "" && p != "false" {
		resp.out = &indenter{w: w}
	}
	return resp
}

// flushFull sends what there is once it is worth it.
func (w *response) flushFull() error {
	if len(w.buf) < flushSize {
		return nil
	}
	return w.flush()
}

func (w *response) flush() error {
	if !w.started {
		w.started = true
		w.w.Header().Set("Content-Type", "application/json")
		w.w.WriteHeader(http.StatusOK)
		_, err := w.out.Write(w.buf)
		w.buf = w.buf[:0]
		return gone(err)
	}
	if w.sender == nil {
		w.sender = newSender(w.out)
	}
	var err error
	w.buf, err = w.sender.swap(w.buf)
	return err
}

// end waits until all that was flushed is sent, and says if it was not. It may
// be called again.
func (w *response) end() (err error) {
	if s := w.sender; s != nil {
		w.sender = nil
		err = s.end()
	}
	if w.buf != nil {
		keepPiece(w.buf)
		w.buf = nil
	}
	return err
}

// gone is how a failure to send is told to others.
func gone(err error) error {
	if err != nil {
		return errClientGone
	}
	return nil
}

func (w *response) open() { w.buf = append(w.buf, `{"data":`...) }

// apiError is one of the envelope's errors; 0 and "" are left out.
type apiError struct {
	code    int
	msg     string
	traceID string
}

// close ends the envelope and sends what is left.
func (w *response) close(total, limit int, errs ...apiError) error {
	w.appendEnd(total, limit, errs)
	return w.flush()
}

func (w *response) appendEnd(total, limit int, errs []apiError) {
	b := strconv.AppendInt(append(w.buf, `,"total":`...), int64(total), 10)
	b = strconv.AppendInt(append(b, `,"limit":`...), int64(limit), 10)
	b = append(b, `,"offset":0,"errors":`...)
	if len(errs) == 0 {
		w.buf = append(b, "null}"...)
		return
	}
	for i, e := range errs {
		if i == 0 {
			b = append(b, "[{"...)
		} else {
			b = append(b, ",{"...)
		}
		if e.code != 0 {
			b = strconv.AppendInt(append(b, `"code":`...), int64(e.code), 10)
			b = append(b, ',')
		}
		b = appendString(append(b, `"msg":`...), e.msg)
		if e.traceID != "" {
			b = appendString(append(b, `,"traceID":`...), e.traceID)
		}
		b = append(b, '}')
	}
	w.buf = append(b, "]}"...)
}

// fail makes the answer an error; nothing has been sent yet.
func (w *response) fail(f *failure) {
	w.started = true
	w.buf = append(w.buf[:0], `{"data":null`...)
	w.appendEnd(0, 0, []apiError{{f.status, f.msg, ""}})
	w.buf = append(w.buf, '\n')
	w.w.Header().Set("Content-Type", "application/json")
	w.w.Header().Set("X-Content-Type-Options", "nosniff")
	w.w.WriteHeader(f.status)
	_, _ = w.out.Write(w.buf) // the client may have gone
	_ = w.end()
}

// list sends a list of n elements that item appends one by one.
func (w *response) list(n int, item func(b []byte, i int) []byte) error {
	w.open()
	w.buf = append(w.buf, '[')
	for i := range n {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		w.buf = item(w.buf, i)
		if err := w.flushFull(); err != nil {
			return err
		}
	}
	w.buf = append(w.buf, ']')
	return w.close(n, 0)
}
