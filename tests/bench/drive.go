//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// load says how posts are sent.
type load struct {
	conns int
	rate  float64       // spans a second, each post at its due time; 0 = as fast as they are answered
	again time.Duration // after which a refused post is sent again; 0 = never
}

// outcome is what became of the posts.
type outcome struct {
	spans, accepted int             // posted, and answered 202
	posts, tries    int             // tries are the requests
	refused         int             // requests that were answered otherwise
	status          map[int]int     // how often each other answer was given
	acked           []bool          // by post
	latencies       []time.Duration // of accepted posts; from the due time where there is one
	elapsed         time.Duration
	cpu             time.Duration // of this process
}

// add sums up what is counted.
func (o *outcome) add(p *outcome) {
	o.spans, o.accepted = o.spans+p.spans, o.accepted+p.accepted
	o.posts, o.tries, o.refused = o.posts+p.posts, o.tries+p.tries, o.refused+p.refused
	o.elapsed, o.cpu = o.elapsed+p.elapsed, o.cpu+p.cpu
	if o.status == nil {
		o.status = map[int]int{}
	}
	for code, n := range p.status {
		o.status[code] += n
	}
}

// conn is one keep-alive connection, made when there is something to send:
// servers close those on which nothing comes.
type conn struct {
	fd     int // -1 = not made yet
	post   int // being sent or waiting for its answer, -1 = idle
	sent   int // bytes of it
	since  time.Time
	answer []byte
}

// driver sends posts over a few connections from one thread, with one write
// and one read a post, for it must cost little beside the server it measures.
type driver struct {
	load
	address string
	posts   []post
	conns   []conn
	polls   []unix.PollFd
	start   time.Time
	next    int
	offered int // spans of the posts before next
	waiting []retry
	done    int
	out     outcome
}

type retry struct {
	post int
	at   time.Time
}

// stuck is how long the driver waits for anything to happen: Badger may make
// Jaeger wait while it compacts.
const stuck = 5 * time.Minute

// drive sends the posts to the address and waits for all answers.
func drive(address string, posts []post, l load) (*outcome, error) {
	d := &driver{load: l, address: address, posts: posts, conns: make([]conn, l.conns)}
	d.out = outcome{posts: len(posts), status: map[int]int{}, acked: make([]bool, len(posts)), latencies: make([]time.Duration, 0, len(posts))}
	for i := range posts {
		d.out.spans += posts[i].spans
	}
	for i := range d.conns {
		d.conns[i] = conn{fd: -1, post: -1, answer: make([]byte, 0, 4096)}
	}
	defer func() {
		for i := range d.conns {
			d.conns[i].close()
		}
	}()
	cpu := ownCPU()
	d.start = time.Now()
	if err := d.run(); err != nil {
		return nil, fmt.Errorf("posting to %s: %w", address, err)
	}
	d.out.elapsed, d.out.cpu = time.Since(d.start), ownCPU()-cpu
	return &d.out, nil
}

func dial(address string) (int, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = errors.Join(
		unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.SetNonblock(fd, true))
	if err != nil {
		unix.Close(fd) //nolint:errcheck // the first error counts
		return -1, err
	}
	return fd, nil
}

func (d *driver) run() error {
	for d.done < len(d.posts) {
		now := time.Now()
		for i := range d.conns {
			if c := &d.conns[i]; c.post < 0 {
				if !d.take(c, now) {
					break
				}
				if err := d.write(c); err != nil {
					return err
				}
			}
		}
		if err := d.wait(now); err != nil {
			return err
		}
	}
	return nil
}

// take gives the idle connection the next post that is due.
func (d *driver) take(c *conn, now time.Time) bool {
	if len(d.waiting) > 0 && !now.Before(d.waiting[0].at) {
		c.post, c.sent, c.since = d.waiting[0].post, 0, now
		d.waiting = d.waiting[1:]
		return true
	}
	if d.next == len(d.posts) || now.Before(d.due()) {
		return false
	}
	c.post, c.sent, c.since = d.next, 0, now
	if d.rate > 0 {
		c.since = d.due() // what waits for its turn waits for the server
	}
	d.offered += d.posts[d.next].spans
	d.next++
	return true
}

// due is when the next post may be sent.
func (d *driver) due() time.Time {
	if d.rate == 0 {
		return d.start
	}
	return d.start.Add(time.Duration(float64(d.offered) / d.rate * float64(time.Second)))
}

// wait sleeps until a connection is ready or a post is due, and handles what
// has happened.
func (d *driver) wait(now time.Time) error {
	timeout, idle := stuck, false
	d.polls = d.polls[:0]
	for i := range d.conns {
		c := &d.conns[i]
		p := unix.PollFd{Fd: int32(c.fd)}
		if c.post < 0 {
			idle = true
		} else {
			p.Events = unix.POLLIN
			if c.sent < len(d.posts[c.post].raw) {
				p.Events |= unix.POLLOUT
			}
		}
		d.polls = append(d.polls, p)
	}
	if idle && d.next < len(d.posts) {
		timeout = min(timeout, d.due().Sub(now))
	}
	if idle && len(d.waiting) > 0 {
		timeout = min(timeout, d.waiting[0].at.Sub(now))
	}
	ts := unix.NsecToTimespec(int64(max(0, timeout)))
	n, err := unix.Ppoll(d.polls, &ts, nil)
	if errors.Is(err, unix.EINTR) {
		return nil
	} else if err != nil {
		return err
	} else if n == 0 && timeout == stuck {
		return fmt.Errorf("no answer within %v", stuck)
	}
	for i := range d.polls {
		if err := d.handle(&d.conns[i], d.polls[i].Revents); err != nil {
			return err
		}
	}
	return nil
}

func (d *driver) handle(c *conn, events int16) error {
	if c.post < 0 || events == 0 {
		return nil
	}
	if events&unix.POLLOUT != 0 {
		if err := d.write(c); err != nil {
			return err
		}
	}
	if events&^unix.POLLOUT == 0 {
		return nil
	}
	if err := c.read(); err != nil {
		return err
	}
	a, err := parseAnswer(c.answer)
	if err != nil || !a.complete {
		return err
	}
	d.answered(c, a.status)
	c.post, c.answer = -1, c.answer[:0]
	if a.last {
		c.close()
	}
	if d.take(c, time.Now()) {
		return d.write(c)
	}
	return nil
}

// answered counts the answer to the connection's post.
func (d *driver) answered(c *conn, status int) {
	now := time.Now()
	d.out.tries++
	if status == 202 {
		d.out.accepted += d.posts[c.post].spans
		d.out.acked[c.post] = true
		d.out.latencies = append(d.out.latencies, now.Sub(c.since))
		d.done++
		return
	}
	d.out.refused++
	d.out.status[status]++
	if d.again == 0 {
		d.done++
		return
	}
	d.waiting = append(d.waiting, retry{c.post, now.Add(d.again)})
}

// write sends as much of the connection's post as the kernel takes.
func (d *driver) write(c *conn) (err error) {
	if c.fd < 0 {
		if c.fd, err = dial(d.address); err != nil {
			return err
		}
	}
	raw := d.posts[c.post].raw
	n, err := unix.Write(c.fd, raw[c.sent:])
	if errors.Is(err, unix.EAGAIN) {
		return nil
	} else if err != nil {
		return err
	}
	c.sent += n
	return nil
}

func (c *conn) read() error {
	c.answer = slices.Grow(c.answer, 1024)
	n, err := unix.Read(c.fd, c.answer[len(c.answer):cap(c.answer)])
	if errors.Is(err, unix.EAGAIN) {
		return nil
	} else if err != nil {
		return err
	} else if n == 0 {
		return errors.New("the server closed the connection")
	}
	c.answer = c.answer[:len(c.answer)+n]
	return nil
}

func (c *conn) close() {
	if c.fd >= 0 {
		unix.Close(c.fd) //nolint:errcheck // nothing is left to be done about it
		c.fd = -1
	}
}

// response is an HTTP/1.1 response, as far as it is there.
type response struct {
	status   int
	complete bool
	last     bool // the server closes the connection, as Jaeger does each time
}

// parseAnswer reads a response.
func parseAnswer(b []byte) (r response, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return r, nil
	}
	if len(b) < 12 || !bytes.HasPrefix(b, []byte("HTTP/1.1 ")) {
		return r, fmt.Errorf("not an HTTP response: %.40q", b)
	}
	if r.status, err = strconv.Atoi(string(b[9:12])); err != nil {
		return r, fmt.Errorf("not an HTTP status: %.40q", b)
	}
	body := b[end+4:]
	length, chunked := 0, false
	for line := range bytes.SplitSeq(b[:end], []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch value = bytes.TrimSpace(value); {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return r, fmt.Errorf("bad Content-Length %q", value)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		case bytes.EqualFold(name, []byte("Connection")):
			r.last = bytes.EqualFold(value, []byte("close"))
		}
	}
	r.complete = len(body) >= length
	if chunked {
		r.complete = bytes.HasSuffix(body, []byte("0\r\n\r\n"))
	}
	return r, nil
}
