//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// program is one of the two that are compared.
type program struct {
	name string
	path string
	args func(a addresses, dir string) []string
	env  []string
}

// addresses are the ports a server listens on, the same after each restart.
type addresses struct{ zipkin, query, admin string }

// spandrelProgram is the product with its defaults, but for ports and the
// directory.
func spandrelProgram(path string) program {
	return program{name: "Spandrel", path: path, args: func(a addresses, dir string) []string {
		return []string{
			"--badger.directory-value", filepath.Join(dir, "data"),
			"--collector.zipkin.host-port", a.zipkin,
			"--collector.otlp.grpc.host-port", "127.0.0.1:0",
			"--collector.otlp.http.host-port", "127.0.0.1:0",
			"--query.http-server.host-port", a.query,
			"--query.grpc-server.host-port", "off",
			"--admin.http.host-port", a.admin,
			"--healthcheck.http.host-port", "off",
			"--metrics.http.host-port", "off",
		}
	}}
}

// jaegerProgram is Jaeger all-in-one with Badger on disk and its defaults. Its
// own spans, which would be among the answers, are switched off.
func jaegerProgram(path string) program {
	args := func(a addresses, dir string) []string {
		return []string{
			"--badger.ephemeral=false",
			"--badger.directory-key", filepath.Join(dir, "key"),
			"--badger.directory-value", filepath.Join(dir, "data"),
			"--collector.zipkin.host-port", a.zipkin,
			"--collector.http-server.host-port", "127.0.0.1:0",
			"--collector.grpc-server.host-port", "127.0.0.1:0",
			"--collector.otlp.grpc.host-port", "127.0.0.1:0",
			"--collector.otlp.http.host-port", "127.0.0.1:0",
			"--query.http-server.host-port", a.query,
			"--query.grpc-server.host-port", "127.0.0.1:0",
			"--admin.http.host-port", a.admin,
		}
	}
	return program{name: "Jaeger", path: path, args: args, env: []string{"SPAN_STORAGE_TYPE=badger", "OTEL_TRACES_SAMPLER=always_off"}}
}

// server is a program at work on its own directory.
type server struct {
	program
	addresses
	dir    string
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has ended
}

// children are the processes that must not outlive this one.
var children struct {
	sync.Mutex
	running map[*os.Process]bool
}

// endChildren kills them.
func endChildren() {
	children.Lock()
	defer children.Unlock()
	for p := range children.running {
		p.Kill() //nolint:errcheck // it may have ended already
	}
}

func newServer(p program, work string) (*server, error) {
	s := &server{program: p, dir: filepath.Join(work, p.name)}
	for _, a := range []*string{&s.zipkin, &s.query, &s.admin} {
		ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		*a = ln.Addr().String()
		defer ln.Close() // after all three are chosen
	}
	return s, os.MkdirAll(s.dir, 0o755)
}

// startPatience is for a large store after a crash.
const startPatience = 10 * time.Minute

// start runs the program and waits until it answers queries and takes posts;
// it says how long that took.
func (s *server) start() (time.Duration, error) {
	log, err := os.OpenFile(s.dir+".log", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	s.cmd = exec.Command(s.path, s.args(s.addresses, s.dir)...) //nolint:noctx // ended by stop, kill or Pdeathsig
	s.cmd.Env = append(os.Environ(), s.env...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	// The main goroutine is bound to the main thread, which lives as long as
	// this process: when that is gone, so are the servers.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return 0, err
	}
	children.Lock()
	if children.running == nil {
		children.running = map[*os.Process]bool{}
	}
	children.running[s.cmd.Process] = true
	children.Unlock()
	s.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) {
		defer close(exited)
		_ = cmd.Wait() // how it ended is for its log to say
		children.Lock()
		delete(children.running, cmd.Process)
		children.Unlock()
	}(s.cmd, s.exited)
	for time.Since(began) < startPatience {
		if s.ready() {
			return time.Since(began), nil
		}
		select {
		case <-s.exited:
			return 0, fmt.Errorf("%s ended while starting: %v", s.name, s.cmd.ProcessState)
		case <-time.After(5 * time.Millisecond):
		}
	}
	return 0, fmt.Errorf("%s is not ready after %v", s.name, startPatience)
}

func (s *server) ready() bool {
	c, err := net.DialTimeout("tcp", s.zipkin, time.Second) //nolint:noctx // has its timeout
	if err != nil {
		return false
	}
	_ = c.Close()
	status, err := fetch(http.DefaultClient, "http://"+s.query+"/api/services", new(bytes.Buffer))
	return err == nil && status == http.StatusOK
}

// pause stops the process where it is, resume lets it go on.
func (s *server) pause() error  { return s.cmd.Process.Signal(syscall.SIGSTOP) }
func (s *server) resume() error { return s.cmd.Process.Signal(syscall.SIGCONT) }

// stop ends the process as Kubernetes does, but with more patience, and says
// how long it took.
func (s *server) stop() (time.Duration, error) {
	began := time.Now()
	if err := errors.Join(s.cmd.Process.Signal(syscall.SIGTERM), s.resume()); err != nil {
		return 0, err
	}
	select {
	case <-s.exited:
		return time.Since(began), nil
	case <-time.After(5 * time.Minute):
		return 0, fmt.Errorf("%s does not end on SIGTERM", s.name)
	}
}

// kill ends the process with SIGKILL.
func (s *server) kill() error {
	if err := s.cmd.Process.Kill(); err != nil {
		return err
	}
	<-s.exited
	return nil
}

func (s *server) usage() (usage, error) { return usageOf(s.cmd.Process.Pid) }

// settlePatience bounds what a process may take to become quiet.
const settlePatience = time.Minute

// settle waits until the process has done nearly nothing for some time.
func (s *server) settle(quiet time.Duration) error {
	step := quiet / 3
	last, err := s.usage()
	for began, since := time.Now(), time.Now(); err == nil && time.Since(began) < settlePatience; {
		time.Sleep(step)
		var u usage
		if u, err = s.usage(); err != nil {
			return err
		}
		if u.cpu-last.cpu > max(tick, step/20) {
			since = time.Now()
		} else if time.Since(since) >= quiet {
			return nil
		}
		last = u
	}
	return err
}

// fetch gets the whole answer into a buffer, in place of what it holds: memory
// that only the client needs shall not count as the server's time.
func fetch(c *http.Client, url string, into *bytes.Buffer) (status int, err error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	into.Reset()
	_, err = into.ReadFrom(resp.Body)
	return resp.StatusCode, err
}
