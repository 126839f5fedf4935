package main

import (
	"log/slog"
	"net"
	"sync"
	"time"
)

// maxConnections are as many as a port keeps open at once: eight workers of two
// thousand Envoys. Further ones wait in the kernel's queue, so that a flood costs
// the port and not the process its memory and the store its files.
const maxConnections = 16_384

// limitedListener keeps a bounded number of connections open.
type limitedListener struct {
	net.Listener
	name  string
	log   *slog.Logger
	slots chan struct{} // one in it for each open connection
	done  chan struct{} // closed by Close
	once  sync.Once

	warned time.Time // Accept's own
}

func limitConnections(ln net.Listener, name string, n int, log *slog.Logger) *limitedListener {
	return &limitedListener{Listener: ln, name: name, log: log, slots: make(chan struct{}, n), done: make(chan struct{})}
}

// Accept waits for a slot before it takes a connection.
func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	default:
		if now := time.Now(); now.Sub(l.warned) > time.Minute {
			l.warned = now
			l.log.Warn("all connections of a port are taken, new ones wait", "port", l.name, "connections", cap(l.slots))
		}
		select {
		case l.slots <- struct{}{}:
		case <-l.done:
			return nil, net.ErrClosed
		}
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: c, release: sync.OnceFunc(func() { <-l.slots })}, nil
}

func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// limitedConn gives its slot back when it is closed.
type limitedConn struct {
	net.Conn
	release func()
}

func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
