package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
)

// defaultHost is where listeners without a host of their own listen: the host
// that was asked for, every interface in a Kubernetes pod, else loopback.
// "" is every interface.
func (c *config) defaultHost(lookup func(string) string) string {
	switch {
	case c.ListenHost != "":
		return c.ListenHost
	case lookup("KUBERNETES_SERVICE_HOST") != "":
		return ""
	default:
		return "127.0.0.1"
	}
}

// listen opens the listener, or gives nil where it is off.
func (l *listener) listen(ctx context.Context, defaultHost string) (net.Listener, error) {
	if l.Address == off {
		return nil, nil
	}
	at := string(l.Address)
	if !strings.Contains(at, ":") { // a default
		at = net.JoinHostPort(strings.Trim(defaultHost, "[]"), at)
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", at)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s for the %s: %w", at, l.Name, plainly(err))
	}
	return ln, nil
}

// plainly is what is wrong, without the layers that say where.
func plainly(err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return errors.New("the port is in use by another program")
	}
	if errors.Is(err, os.ErrPermission) {
		return errors.New("permission denied")
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// openTo says in words who can connect.
func openTo(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	switch {
	case ok && tcp.IP.IsLoopback():
		return "this machine only"
	case ok && tcp.IP.IsUnspecified():
		return "every network interface"
	default:
		return "whoever reaches that address"
	}
}

// reachable is an address that connects to the listener from this machine.
func reachable(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return a.String()
	}
	return net.JoinHostPort("127.0.0.1", fmt.Sprint(tcp.Port))
}
