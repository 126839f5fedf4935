package deploy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pod is a container as a kubelet would start it: the image's root read-only,
// volumes, a user without privileges, a network of its own.
type pod struct {
	Root    string            // the image's root directory
	Volumes map[string]string // directory outside by directory inside
	UID     int
	GID     int
	Env     []string
	Args    []string
	Join    int    // the process whose network is entered; 0 = a new one
	CA      string // whose certificate its ports show, PEM; "" = they have none
}

// podVariable asks this test program, started again in new namespaces, to
// become the container that the variable's JSON describes.
const podVariable = "SPANDREL_TEST_POD"

func TestMain(m *testing.M) {
	if spec := os.Getenv(podVariable); spec != "" {
		fmt.Fprintln(os.Stderr, become(spec))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// become turns the process into the container; it returns only if it cannot.
func become(spec string) error {
	var p pod
	if err := json.Unmarshal([]byte(spec), &p); err != nil {
		return err
	}
	runtime.LockOSThread() // a network belongs to a thread until exec
	network := loopbackUp
	if p.Join != 0 {
		network = func() error { return enterNetwork(p.Join) }
	}
	steps := []func() error{
		network,
		func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") },
		func() error { return unix.Mount(p.Root, p.Root, "", unix.MS_BIND, "") },
	}
	for inside, outside := range p.Volumes {
		steps = append(steps, func() error { return unix.Mount(outside, filepath.Join(p.Root, inside), "", unix.MS_BIND, "") })
	}
	steps = append(steps,
		func() error { return unix.Mount("", p.Root, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "") },
		func() error { return unix.Chroot(p.Root) },
		func() error { return os.Chdir("/") },
		func() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) },
		func() error { return syscall.Setgroups([]int{p.GID}) },
		func() error { return syscall.Setgid(p.GID) },
		func() error { return syscall.Setuid(p.UID) },
		func() error { return os.NewSyscallError("exec", syscall.Exec(p.Args[0], p.Args, p.Env)) },
	)
	for i, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("container, step %d: %w", i, err)
		}
	}
	return nil
}

// loopbackUp switches on the loopback interface of a new network.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}

// enterNetwork takes the thread into the network of a process.
func enterNetwork(pid int) error {
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return err
	}
	defer ns.Close()
	return unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
}

// command is what becomes the container, in namespaces of its own.
func (p pod) command(t *testing.T) *exec.Cmd {
	t.Helper()
	spec, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{podVariable + "=" + string(spec)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	return cmd
}

// running is a container at work.
type running struct {
	pod pod
	cmd *exec.Cmd
	log *bytes.Buffer // to be read after stop
	// http speaks to it from inside its network.
	http *http.Client
}

// start starts the container and waits until the URL, an address in its
// network, gives 200. It ends when the test does.
func start(t *testing.T, p pod, ready string) *running {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("a container with another user's uid needs root, which continuous integration has")
	}
	r := &running{pod: p, cmd: p.command(t), log: new(bytes.Buffer)}
	r.cmd.Stdout, r.cmd.Stderr = r.log, r.log
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = r.cmd.Wait(); close(ended) }() // stop looks at the state
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM([]byte(p.CA))
	r.http = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: r.dial, TLSClientConfig: &tls.Config{RootCAs: authorities}}}
	t.Cleanup(func() {
		r.http.CloseIdleConnections()
		_ = r.cmd.Process.Signal(syscall.SIGTERM) // it may be gone
		<-ended
		if !t.Failed() && r.cmd.ProcessState.ExitCode() != 0 {
			t.Errorf("it ended with %s", r.cmd.ProcessState)
		}
		if t.Failed() {
			t.Logf("its log:\n%s", r.log)
		}
	})
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case <-ended:
			t.Fatalf("it ended at once: %s", r.cmd.ProcessState)
		default:
		}
		if resp, err := r.http.Get(ready); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return r
			}
		}
	}
	t.Fatalf("%s has not become 200", ready)
	return nil
}

// dial connects from inside the container's network: a thread enters it, makes
// the socket, and is thrown away.
func (r *running) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked, so that it ends with the goroutine
		if err = enterNetwork(r.cmd.Process.Pid); err != nil {
			return
		}
		// Without a resolver or a second address family nothing leaves this thread.
		conn, err = (&net.Dialer{FallbackDelay: -1}).DialContext(ctx, network, address)
	}()
	<-done
	return conn, err
}

// listening are the TCP ports on which the container listens for everybody.
func (r *running) listening(t *testing.T) (ports []int) {
	t.Helper()
	for _, name := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", r.cmd.Process.Pid, name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			const listen = "0A"
			if len(fields) < 4 || fields[3] != listen {
				continue
			}
			host, hex, _ := strings.Cut(fields[1], ":")
			port, err := strconv.ParseUint(hex, 16, 16)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Trim(host, "0") == "" {
				ports = append(ports, int(port))
			}
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// exec runs another command in the container with further variables, as its
// health check would be.
func (r *running) exec(env []string, args ...string) (string, error) {
	p := r.pod
	p.Args, p.Join, p.Env = args, r.cmd.Process.Pid, slices.Concat(p.Env, env)
	spec, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{podVariable + "=" + string(spec)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	return string(out), err
}
