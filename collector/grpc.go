package collector

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// gRPC is spoken here on net/http's HTTP/2: of a protocol with one call and one
// message each way, that is a frame before the body and trailers after the
// answer, and posts are admitted and bounded as all others are.

var errFrame = errors.New("not a gRPC message")

// isGRPC reports whether the request says that it is a call.
func isGRPC(r *http.Request) bool {
	t := mediaType(r.Header)
	return t == "application/grpc" || strings.HasPrefix(t, "application/grpc+") // and not grpc-web
}

// grpcForm is that of the answer to a call; without HTTP/2 it was none.
func grpcForm(r *http.Request) form {
	if r.ProtoMajor < 2 {
		return inText
	}
	return inGRPC
}

// openGRPC is the one message of a call, of at most limit bytes.
func openGRPC(w http.ResponseWriter, r *http.Request, limit int64) (message, *refusal) {
	if r.ProtoMajor < 2 {
		return message{}, &refusal{status: http.StatusBadRequest, reason: reasonMalformed, text: "gRPC needs HTTP/2"}
	}
	var head [5]byte // a flag for compression and the length
	if _, err := io.ReadFull(r.Body, head[:]); err != nil {
		if atEnd(err) {
			err = fmt.Errorf("%w: the call has none", errFrame)
		}
		return message{}, refuseRead(err, limit)
	}
	m := message{size: int64(binary.BigEndian.Uint32(head[1:])), limit: limit}
	m.src = &frame{r.Body, m.size}
	switch head[0] {
	case 0:
		return m, nil
	case 1:
	default:
		return m, refuseRead(fmt.Errorf("%w: it begins with %#x", errFrame, head[0]), limit)
	}
	var err error
	if m.codings, err = codings(r.Header["Grpc-Encoding"]); err != nil {
		w.Header().Set("Grpc-Accept-Encoding", "gzip,zstd,deflate,identity")
		return m, &refusal{status: http.StatusUnsupportedMediaType, reason: reasonEncoding, text: err.Error()}
	}
	if len(m.codings) == 0 {
		return m, refuseRead(fmt.Errorf("%w: it is compressed, and no grpc-encoding says how", errFrame), limit)
	}
	return m, nil
}

// frame is the rest of a stream that has left bytes and then an end.
type frame struct {
	io.Reader
	left int64
}

func (f *frame) Read(p []byte) (int, error) {
	if f.left == 0 {
		var one [1]byte
		n, err := f.Reader.Read(one[:])
		if n > 0 {
			err = fmt.Errorf("%w: there is more than one", errFrame)
		}
		return 0, err
	}
	n, err := f.Reader.Read(p[:min(int64(len(p)), f.left)])
	f.left -= int64(n)
	if atEnd(err) && f.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
