//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// The ceilings: what this machine gives to a server that does next to nothing
// with the same posts. They are this program, started once more.
const (
	discarding = "discard" // reads the body
	scanning   = "scan"    // and looks at every byte of it as JSON
)

// ceilingProgram is the server of that kind.
func ceilingProgram(kind string) (program, error) {
	self, err := os.Executable()
	return program{name: kind, path: self, args: func(a addresses, _ string) []string {
		return []string{"-ceiling", kind, "-listen", a.zipkin + "," + a.query}
	}}, err
}

// serveCeiling is that server's main: the first address takes posts, the
// second says that it is there.
func serveCeiling(kind string, addresses []string) error {
	buffers := sync.Pool{New: func() any { return new(bytes.Buffer) }}
	take := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := buffers.Get().(*bytes.Buffer)
		defer buffers.Put(b)
		b.Reset()
		if _, err := io.Copy(b, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if kind == scanning {
			if _, err := scan(b.Bytes()); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		}
		w.WriteHeader(http.StatusAccepted)
	})
	if len(addresses) != 2 || kind != discarding && kind != scanning {
		return errors.New("-ceiling is for this program's own use")
	}
	failed := make(chan error, 2)
	there := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for i, h := range []http.Handler{take, there} {
		s := &http.Server{Addr: addresses[i], Handler: h, ReadHeaderTimeout: time.Minute}
		go func() { failed <- s.ListenAndServe() }()
	}
	return <-failed
}

// counted is what a scan saw.
type counted struct{ values, strings int }

var errJSON = errors.New("not JSON")

// scan walks over a JSON text and counts. It copies, unescapes and keeps
// nothing, and accepts more than JSON: a floor for a decoder, not one.
func scan(b []byte) (counted, error) {
	var c counted
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			end := i + 1
			for {
				n := bytes.IndexByte(b[end:], '"')
				if n < 0 {
					return c, errJSON
				}
				end += n + 1
				if !escaped(b[i+1 : end-1]) {
					break
				}
			}
			c.strings++
			i = end - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return c, errJSON
			}
		case ':':
			c.values++
		}
	}
	if depth != 0 {
		return c, errJSON
	}
	return c, nil
}

// escaped reports whether the text ends in an odd number of backslashes.
func escaped(b []byte) bool {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// ceiling is a row of the second table.
type ceiling struct {
	name string
	rate float64       // spans a second
	cpu  time.Duration // a span; of the process that does it
	note string
}

// ceilings measures all of them with the posts of the slice.
func ceilings(s *slice, work string, conns int) ([]ceiling, error) {
	var all []ceiling
	for kind, name := range map[string]string{discarding: "HTTP handler that discards the body", scanning: "the same, with a bare scan of the JSON"} {
		c, err := serverCeiling(kind, s, work, conns)
		if err != nil {
			return nil, err
		}
		c.name = name
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b ceiling) int { return int(a.cpu - b.cpu) })
	return append(all, scanCeiling(s), writeCeiling(s, work), syncCeiling(s, work)), nil
}

func serverCeiling(kind string, s *slice, work string, conns int) (c ceiling, err error) {
	p, err := ceilingProgram(kind)
	if err != nil {
		return c, err
	}
	server, err := newServer(p, work)
	if err != nil {
		return c, err
	}
	if _, err := server.start(); err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, server.kill()) }()
	if _, err := drive(server.zipkin, s.posts, load{conns: conns}); err != nil { // warms it up
		return c, err
	}
	before, err := server.usage()
	if err != nil {
		return c, err
	}
	o, err := drive(server.zipkin, s.posts, load{conns: conns})
	if err != nil {
		return c, err
	}
	after, err := server.usage()
	if o.refused > 0 {
		err = fmt.Errorf("%s refused %d posts", kind, o.refused)
	}
	return ceiling{rate: float64(o.spans) / o.elapsed.Seconds(), cpu: (after.cpu - before.cpu) / time.Duration(o.spans),
		note: fmt.Sprintf("%d connections, generator %.2f cores", conns, o.cpu.Seconds()/o.elapsed.Seconds())}, err
}

// scanCeiling is the scan alone, in this process.
func scanCeiling(s *slice) ceiling {
	began, cpu := time.Now(), ownCPU()
	strings := 0
	for i := range s.posts {
		c, _ := scan(s.posts[i].body) // the server has shown that it is JSON
		strings += c.strings
	}
	took, n := time.Since(began), time.Duration(s.spans)
	return ceiling{"bare scan of the JSON, no HTTP", float64(s.spans) / took.Seconds(), (ownCPU() - cpu) / n,
		fmt.Sprintf("%.0f MB/s, %d strings a span", float64(s.bytes)/1e6/took.Seconds(), strings/s.spans)}
}

// writeCeiling is the bodies one after the other into a file, synced each MiB.
func writeCeiling(s *slice, work string) ceiling {
	c := ceiling{name: "the same bytes to a file, fdatasync each MiB"}
	var block []byte
	c.note = measured(&c, s.spans, work, func(f *os.File) error {
		for i := range s.posts {
			if block = append(block, s.posts[i].body...); len(block) < 1<<20 && i < len(s.posts)-1 {
				continue
			}
			if err := writeAndSync(f, block); err != nil {
				return err
			}
			block = block[:0]
		}
		return nil
	})
	return c
}

// syncCeiling is the least that durability costs a post that waits alone.
func syncCeiling(s *slice, work string) ceiling {
	const n = 500
	c := ceiling{name: "a post appended to a file and fdatasync, one by one"}
	var times []time.Duration
	spans := 0
	for _, p := range s.posts[:min(n, len(s.posts))] {
		spans += p.spans
	}
	failed := measured(&c, spans, work, func(f *os.File) error {
		for _, p := range s.posts[:min(n, len(s.posts))] {
			began := time.Now()
			if err := writeAndSync(f, p.body); err != nil {
				return err
			}
			times = append(times, time.Since(began))
		}
		return nil
	})
	if c.note = failed; failed == "" {
		c.note = "p50 / p95 / p99 " + percentiles(times) + " ms"
	}
	return c
}

// measured times f on a new file and says what went wrong.
func measured(c *ceiling, spans int, work string, f func(*os.File) error) string {
	file, err := os.Create(filepath.Join(work, "ceiling"))
	if err != nil {
		return err.Error()
	}
	defer os.Remove(file.Name()) //nolint:errcheck // the whole directory goes later
	defer file.Close()
	began, cpu := time.Now(), ownCPU()
	if err := f(file); err != nil {
		return err.Error()
	}
	c.rate, c.cpu = float64(spans)/time.Since(began).Seconds(), (ownCPU()-cpu)/time.Duration(spans)
	return ""
}
