package peers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything that should happen soon is waited for.
const patience = 30 * time.Second

// process is a program that runs until the test ends.
type process struct {
	name   string
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has ended

	mu    sync.Mutex
	lines []string // what it wrote, guarded by mu
}

// starter is a thread that starts every process and never ends: the kernel
// kills a child whose Pdeathsig is set when the thread that made it is gone.
var starter = func() func(*exec.Cmd) error {
	type job struct {
		cmd  *exec.Cmd
		done chan error
	}
	jobs := make(chan job)
	go func() {
		runtime.LockOSThread()
		for j := range jobs {
			j.done <- j.cmd.Start()
		}
	}()
	return func(cmd *exec.Cmd) error {
		j := job{cmd, make(chan error)}
		jobs <- j
		return <-j.done
	}
}()

// start runs a program in the background and ends it with the test. What it
// wrote is shown if the test failed.
func start(t *testing.T, name string, env []string, program string, args ...string) *process {
	t.Helper()
	p := &process{name: name, cmd: exec.Command(program, args...), exited: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := starter(p.cmd); err != nil {
		t.Fatalf("%s does not start: %v", name, err)
	}
	w.Close()
	go p.read(r)
	t.Cleanup(func() { p.end(t) })
	return p
}

func (p *process) read(r io.ReadCloser) {
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, 16<<20)
	for scan.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, scan.Text())
		p.mu.Unlock()
	}
	r.Close()
	_ = p.cmd.Wait()
	close(p.exited)
}

// output is what the process has written so far, line by line.
func (p *process) output() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lines[:len(p.lines):len(p.lines)]
}

// end asks the process to end and makes it, if it does not within 10 s.
func (p *process) end(t *testing.T) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	if lines := p.output(); t.Failed() {
		t.Logf("%s wrote, at the end:\n%s", p.name, strings.Join(lines[max(0, len(lines)-30):], "\n"))
	}
}

// waitFor polls until ready gives nil, and fails the test when it does not in
// time or the process ends before.
func (p *process) waitFor(t *testing.T, ready func() error) {
	t.Helper()
	err := poll(func() error {
		select {
		case <-p.exited:
			return permanent{fmt.Errorf("%s has ended", p.name)}
		default:
			return ready()
		}
	})
	if err != nil {
		t.Fatalf("%s is not ready: %v", p.name, err)
	}
}

// permanent is an error that waiting will not mend.
type permanent struct{ error }

// poll calls f until it gives nil, at most for patience.
func poll(f func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		var p permanent
		if err == nil || errors.As(err, &p) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %v: %w", patience, err)
		case <-tick.C:
		}
	}
}

// eventually is poll for tests.
func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	if err := poll(f); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// ports hands out addresses for programs that cannot choose their own. They
// lie below the range that the kernel takes for outgoing connections, and none
// is handed out twice.
var ports = struct {
	sync.Mutex
	used map[int]bool
}{used: map[int]bool{}}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	for range 1000 {
		port := 10000 + rand.IntN(22000)
		address := fmt.Sprintf("127.0.0.1:%d", port)
		if ports.used[port] {
			continue
		}
		if ln, err := net.Listen("tcp", address); err == nil {
			ln.Close()
			ports.used[port] = true
			return address
		}
	}
	t.Fatal("no free port between 10000 and 32000")
	return ""
}
