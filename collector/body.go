package collector

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

var errTooLarge = errors.New("body too large")

// firstRead is how much memory a body of unknown length gets at first.
const firstRead = 16 << 10

// maxPooled is the largest buffer kept for later bodies.
const maxPooled = 256 << 10

// buffers holds bodies between posts: spans alias them until they are stored.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// takeBuffer gives a buffer with room for size bytes, which t holds already. If
// it has room for more, t holds that as well.
func takeBuffer(t *ticket, size int64) *[]byte {
	b := buffers.Get().(*[]byte)
	more := int64(cap(*b)) - size
	if more < 0 || more > 0 && t.grow(more) != nil {
		*b = make([]byte, 0, size)
	}
	return b
}

func putBuffer(b *[]byte) {
	if cap(*b) <= maxPooled {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}

// wire is a body as it comes from the network. It remembers how reading failed,
// which readers above it may tell in other words.
type wire struct {
	io.Reader
	err error
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// capped fails with errTooLarge after left bytes.
type capped struct {
	io.Reader
	left int64
	over *bool // set when it failed, whatever readers above it say
}

func (c *capped) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if c.left -= int64(n); c.left < 0 {
		*c.over = true
		return 0, errTooLarge
	}
	return n, err
}

// openHTTP is the message that a request's body is, of at most limit bytes.
func openHTTP(w http.ResponseWriter, r *http.Request, limit int64) (message, *refusal) {
	codings, err := codings(r.Header["Content-Encoding"])
	if err != nil {
		return message{}, &refusal{status: http.StatusUnsupportedMediaType, reason: reasonEncoding, text: err.Error()}
	}
	return message{http.MaxBytesReader(w, r.Body, limit), r.ContentLength, codings, limit}, nil
}

// firstSize is how much memory to ask for before reading.
func (m *message) firstSize() int64 {
	if m.size >= 0 && len(m.codings) == 0 {
		return m.size
	}
	return firstRead
}

// read appends the message, its codings undone, to dst, which has the room that
// t holds. Its errors wrap errTooLarge, errBusy, errEncoding, errFrame or else
// come from the network; what it read until then is returned as well.
func (m *message) read(t *ticket, dst []byte) ([]byte, error) {
	net := &wire{Reader: m.src}
	var src io.Reader = net
	var d decoders
	defer d.close()
	var over bool
	var err error
	for i := len(m.codings) - 1; i >= 0 && err == nil; i-- {
		if src, err = d.open(src, m.codings[i]); err == nil {
			src = &capped{src, m.limit, &over}
		}
	}
	if err == nil {
		dst, err = readAll(dst, src, t, m.limit)
	}
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return dst, nil
	case over || errors.As(net.err, &tooLarge):
		return dst, errTooLarge
	case net.err != nil:
		return dst, net.err
	}
	return dst, err
}

// readAll appends src to dst, for which t holds memory: the buffer doubles as
// needed, up to the largest body.
func readAll(dst []byte, src io.Reader, t *ticket, limit int64) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			// Often the end is all that is missing: that takes no more memory.
			var one [1]byte
			n, err := src.Read(one[:])
			if n == 0 && err == nil {
				continue
			}
			if n > 0 {
				size := min(max(2*int64(cap(dst)), firstRead), limit+1)
				if err := t.grow(size - int64(cap(dst))); err != nil {
					return dst, err
				}
				dst = append(append(make([]byte, 0, size), dst...), one[0])
			}
			if err != nil {
				return dst, noEOF(err)
			}
			continue
		}
		n, err := src.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if err != nil {
			return dst, noEOF(err)
		}
	}
}

func noEOF(err error) error {
	if atEnd(err) {
		return nil
	}
	return err
}

// atEnd tells a reader's end from its failures, one of which may wrap io.EOF.
func atEnd(err error) bool {
	return err == io.EOF //nolint:errorlint // see above
}
