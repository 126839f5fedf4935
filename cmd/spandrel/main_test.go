package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/pflag"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"spandrel": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir+"/home")
			for _, name := range []string{"KUBERNETES_SERVICE_HOST", "GOMEMLIMIT", "XDG_DATA_HOME"} {
				env.Setenv(name, "")
			}
			addon, err := os.ReadFile("testdata/istio-1.29.yaml")
			if err != nil {
				return err
			}
			addon = bytes.ReplaceAll(addon, []byte(`"/badger/`), []byte(`"`+env.WorkDir+`/badger/`))
			return os.WriteFile(filepath.Join(env.WorkDir, "istio-1.29.yaml"), addon, 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"up":    up,
			"down":  down,
			"http":  httpCommand,
			"certs": certs,
			"inuse": inUse,
		},
	})
}

// process is a running spandrel.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when all it logged was read

	mu    sync.Mutex // guards what follows
	log   bytes.Buffer
	urls  map[string]string // where it listens, by what for
	await map[string]chan struct{}
}

// ports are the flags of all addresses and the names under which scripts find
// where they are.
var ports = []struct{ flag, logged, env string }{
	{"collector.zipkin.host-port", "zipkin collector", "ZIPKIN"},
	{"collector.otlp.grpc.host-port", "OTLP collector, gRPC", "OTLPGRPC"},
	{"collector.otlp.http.host-port", "OTLP collector, HTTP", "OTLPHTTP"},
	{"query.http-server.host-port", "query API and page", "QUERY"},
	{"query.grpc-server.host-port", "query gRPC", "GRPC"},
	{"admin.http.host-port", "health, metrics, pprof", "ADMIN"},
	{"healthcheck.http.host-port", "health", "HEALTH"},
	{"metrics.http.host-port", "metrics", "METRICS"},
}

// spawn starts spandrel on free loopback ports, but for those that the
// arguments or the environment name.
func spawn(dir string, env, args []string) (*process, error) {
	for _, p := range ports {
		given := func(s string) bool {
			return strings.HasPrefix(s, "--"+p.flag) || strings.HasPrefix(s, envName(p.flag)+"=")
		}
		if !slices.ContainsFunc(args, given) && !slices.ContainsFunc(env, given) {
			args = append(args, "--"+p.flag+"=127.0.0.1:0")
		}
	}
	p := &process{cmd: exec.Command("spandrel", args...), ended: make(chan struct{}), urls: map[string]string{}, await: map[string]chan struct{}{}}
	p.cmd.Dir, p.cmd.Env = dir, env
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			p.read(lines.Bytes())
		}
	}()
	return p, p.until("ready")
}

// read takes in a line of the log.
func (p *process) read(line []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log.Write(append(line, '\n'))
	var event struct{ Msg, For, At string }
	if json.Unmarshal(line, &event) != nil {
		return
	}
	if event.Msg == "listening" {
		p.urls[event.For] = event.At
	}
	p.seen(event.Msg)
}

// seen is a channel that is closed once the event was logged; it wants mu held.
func (p *process) seen(msg string) {
	if p.await[msg] == nil {
		p.await[msg] = make(chan struct{})
	}
	select {
	case <-p.await[msg]:
	default:
		close(p.await[msg])
	}
}

// until waits for an event in the log.
func (p *process) until(msg string) error {
	p.mu.Lock()
	if p.await[msg] == nil {
		p.await[msg] = make(chan struct{})
	}
	c := p.await[msg]
	p.mu.Unlock()
	select {
	case <-c:
		return nil
	case <-p.ended:
		return fmt.Errorf("it ended before %q: %s", msg, p.text())
	}
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// url is where the port is that is logged under that name.
func (p *process) url(logged string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.urls[logged]
}

// term asks it to end and waits until it has.
func (p *process) term() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	<-p.ended
	return p.cmd.Wait()
}

// up starts spandrel with the arguments: up [args…]. Where it listens goes to
// $ZIPKIN, $OTLPGRPC, $OTLPHTTP, $QUERY, $GRPC, $ADMIN, $HEALTH and $METRICS.
func up(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("use ! exec spandrel")
	}
	p, err := spawn(ts.MkAbs("."), scriptEnv(ts), args)
	ts.Check(err)
	services.Store(ts.Getenv("WORK"), p)
	ts.Defer(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill() // it may be gone already
			_ = p.cmd.Wait()
		}
	})
	for _, port := range ports {
		ts.Setenv(port.env, p.url(port.logged))
		_, address, _ := strings.Cut(p.url(port.logged), "://")
		ts.Setenv(port.env+"_ADDRESS", address)
	}
}

// services are the processes that scripts started, by the script's directory.
var services sync.Map

// scriptEnv is the environment of the script, as far as spandrel looks at it.
func scriptEnv(ts *testscript.TestScript) (env []string) {
	_, flags := newConfig()
	names := []string{"HOME", "PATH", "TMPDIR", "XDG_DATA_HOME", "KUBERNETES_SERVICE_HOST", "GOMEMLIMIT", "GOCOVERDIR", basicVariable, tokenVariable}
	for _, s := range settings {
		if !s.isFamily() {
			names = append(names, s.env())
		}
	}
	flags.VisitAll(func(f *pflag.Flag) { names = append(names, envName(f.Name)) })
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// down ends spandrel by SIGTERM, wants exit code 0 and leaves its log in the
// file log.
func down(ts *testscript.TestScript, neg bool, _ []string) {
	v, ok := services.Load(ts.Getenv("WORK"))
	if !ok || neg {
		ts.Fatalf("nothing is up")
	}
	p := v.(*process)
	ts.Check(p.term())
	ts.Check(os.WriteFile(ts.MkAbs("log"), []byte(p.text()), 0o600))
}
