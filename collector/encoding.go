package collector

import (
	"bufio"
	"compress/flate"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxCodings bounds how often a body may be compressed over.
const maxCodings = 2

// maxZstdWindow bounds what a zstd frame may make its reader remember; it is
// what RFC 9659 lets a sender of HTTP ask for.
const maxZstdWindow = 8 << 20

var errEncoding = errors.New("cannot be decoded")

// codings lists the codings that a header names in the order in which they were
// applied, identity left out.
func codings(values []string) ([]string, error) {
	if len(values) == 0 {
		return nil, nil
	}
	var all []string
	for name := range strings.SplitSeq(strings.Join(values, ","), ",") {
		switch name = strings.ToLower(strings.TrimSpace(name)); name {
		case "", "identity":
		case "x-gzip":
			all = append(all, "gzip")
		case "gzip", "zstd", "deflate", "zlib":
			all = append(all, name)
		default:
			return nil, fmt.Errorf("content encoding %q is not accepted: use gzip, zstd, deflate, zlib or identity", clip(name, 40))
		}
	}
	if len(all) > maxCodings {
		return nil, fmt.Errorf("%d content encodings one over another are not accepted: use at most %d", len(all), maxCodings)
	}
	return all, nil
}

// decoders undoes codings. Its readers are pooled: close gives them back.
type decoders struct{ release []func() }

func (d *decoders) close() {
	for _, f := range d.release {
		f()
	}
}

// open reads src, to which the coding was applied. An empty src is empty.
func (d *decoders) open(src io.Reader, coding string) (io.Reader, error) {
	in := bufio.NewReader(src)
	if head, _ := in.Peek(1); len(head) == 0 {
		return in, nil // reading it gives the end, or the error that Peek gave
	}
	r, err := d.reader(in, coding)
	if err != nil {
		return nil, fmt.Errorf("%s %w: %w", coding, errEncoding, err)
	}
	return &named{r, coding}, nil
}

func (d *decoders) reader(in *bufio.Reader, coding string) (io.Reader, error) {
	switch coding {
	case "gzip":
		r := gzipPool.Get().(*gzip.Reader)
		d.release = append(d.release, func() { gzipPool.Put(r) })
		return r, r.Reset(in)
	case "zstd":
		r := zstdPool.Get().(*zstd.Decoder)
		d.release = append(d.release, func() {
			if r.Reset(nil) == nil {
				zstdPool.Put(r)
			}
		})
		return r, r.Reset(in)
	}
	// Deflate is zlib's format by RFC 9110; many senders leave its frame out.
	if head, _ := in.Peek(2); coding == "deflate" && !zlibHead(head) {
		return flate.NewReader(in), nil
	}
	return zlib.NewReader(in)
}

// zlibHead reports whether b begins a zlib stream (RFC 1950): deflate with a
// window of at most 32 kB, and a multiple of 31.
func zlibHead(b []byte) bool {
	return len(b) == 2 && b[0]&15 == 8 && b[0]>>4 <= 7 && (int(b[0])<<8|int(b[1]))%31 == 0
}

// named says in errors which coding it undoes.
type named struct {
	io.Reader
	coding string
}

func (n *named) Read(p []byte) (int, error) {
	c, err := n.Reader.Read(p)
	if err != nil && !atEnd(err) {
		err = fmt.Errorf("%s %w: %w", n.coding, errEncoding, err)
	}
	return c, err
}

var (
	gzipPool = sync.Pool{New: func() any { return new(gzip.Reader) }}
	zstdPool = sync.Pool{New: func() any {
		r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			panic(err) // the options are wrong, which is our bug
		}
		return r
	}}
)
