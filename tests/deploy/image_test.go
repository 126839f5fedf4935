package deploy

import (
	"debug/elf"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const dockerfile = "../../Dockerfile"

// stages are the RUN commands of the Dockerfile by its stages' names, and its
// text with lines joined.
func stages(t *testing.T) (runs map[string][]string, text string) {
	t.Helper()
	text = strings.ReplaceAll(regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(read(t, dockerfile), ""), "\\\n", " ")
	runs = map[string][]string{}
	stage := ""
	for line := range strings.Lines(text) {
		if m := regexp.MustCompile(`^FROM \S.* AS (\w+)\n`).FindStringSubmatch(line); m != nil {
			stage = m[1]
		} else if command, ok := strings.CutPrefix(line, "RUN "); ok {
			runs[stage] = append(runs[stage], strings.TrimSpace(command))
		}
	}
	if len(runs) != 2 {
		t.Fatalf("got the stages %v, want page and program", runs)
	}
	return runs, text
}

// buildContext is a copy of what .dockerignore lets into the image's build.
func buildContext(t *testing.T) string {
	t.Helper()
	var kept, dropped []string
	for line := range strings.Lines(read(t, "../../.dockerignore")) {
		line = strings.TrimSpace(line)
		if in, ok := strings.CutPrefix(line, "!"); ok {
			kept = append(kept, in)
		} else if line != "*" && line != "" && !strings.HasPrefix(line, "#") {
			dropped = append(dropped, line)
		}
	}
	matches := func(pattern, name string) bool {
		if anywhere, ok := strings.CutPrefix(pattern, "**/"); ok {
			pattern, name = anywhere, path.Base(name)
		}
		ok, err := path.Match(pattern, name)
		must(t, err)
		return ok
	}
	to := t.TempDir()
	must(t, filepath.WalkDir("../..", func(from string, d fs.DirEntry, err error) error {
		if err != nil || from == "../.." {
			return err
		}
		name := strings.TrimPrefix(from, "../../")
		top, _, _ := strings.Cut(name, "/")
		out := !slices.ContainsFunc(kept, func(p string) bool { return matches(p, top) }) ||
			slices.ContainsFunc(dropped, func(p string) bool { return matches(p, name) })
		switch {
		case out && d.IsDir():
			return filepath.SkipDir
		case out:
			return nil
		case d.IsDir():
			return os.Mkdir(filepath.Join(to, name), 0o755)
		}
		copyFile(t, from, filepath.Join(to, name))
		return nil
	}))
	return to
}

// runStage runs a stage's commands in the directory, with another place for /volumes.
func runStage(t *testing.T, dir, volumes string, commands []string, env ...string) {
	t.Helper()
	for _, command := range commands {
		cmd := exec.Command("sh", "-ec", strings.ReplaceAll(command, "/volumes", volumes))
		cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("RUN %s: %v\n%s", command, err, out)
		}
	}
}

// TestImageIsBuilt by the Dockerfile's own commands from what .dockerignore lets
// in, for each platform that it names, and put together by buildah: the images
// that the first stages begin with are not there, this machine's Node and Go are.
func TestImageIsBuilt(t *testing.T) {
	runs, _ := stages(t)
	src := buildContext(t)
	runStage(t, src, "", runs["page"])
	if page := read(t, filepath.Join(src, "ui/dist/index.html")); !strings.Contains(page, "<script") {
		t.Errorf("the page has not been built: %s", page)
	}
	platforms := regexp.MustCompile(`--platform (\S+)`).FindStringSubmatch(read(t, dockerfile))
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	for platform := range strings.SplitSeq(platforms[1], ",") {
		goos, goarch, _ := strings.Cut(platform, "/")
		runStage(t, src, t.TempDir(), runs["program"], "TARGETOS="+goos, "TARGETARCH="+goarch, "VERSION=v1.2.3")
		f, err := elf.Open(filepath.Join(src, "bin/spandrel"))
		must(t, err)
		if f.Machine != machines[goarch] || slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
			t.Errorf("%s: got a program for %v that may not be static", platform, f.Machine)
		}
		must(t, f.Close())
	}
	volumes := filepath.Join(src, "root-of-program/volumes") // the stage as it would be: /src and /volumes
	must(t, os.MkdirAll(filepath.Dir(volumes), 0o755))
	runStage(t, src, volumes, runs["program"], "TARGETOS=linux", "TARGETARCH="+runtime.GOARCH, "VERSION=v1.2.3")
	program := filepath.Dir(volumes)
	must(t, os.MkdirAll(filepath.Join(program, "src"), 0o755))
	must(t, os.Rename(filepath.Join(src, "bin"), filepath.Join(program, "src/bin")))
	info, err := os.Stat(filepath.Join(program, "src/bin/spandrel"))
	must(t, err)
	stated := number(t, regexp.MustCompile(`The image has \d+ MB`).FindString(read(t, "../../docs/install.md")))
	if got := float64(info.Size()) / 1e6; got > stated || got < 0.8*stated {
		t.Errorf("the program has %.1f MB, docs/install.md says %v", got, stated)
	}
	checkImage(t, buildah(t, src, program), filepath.Join(program, "src/bin/spandrel"))
}

// image is what buildah says of one, as far as it is used here.
type image struct {
	Docker struct {
		Config struct {
			User         string
			Env          []string
			Entrypoint   []string
			Cmd          []string
			Volumes      map[string]struct{}
			ExposedPorts map[string]struct{}
			Labels       map[string]string
			Healthcheck  struct{ Test []string }
		} `json:"config"`
	}
}

// buildah builds the last stage on top of the stage program as it was made here.
func buildah(t *testing.T, src, program string) (i image) {
	t.Helper()
	at := []string{"--storage-driver", "vfs", "--root", t.TempDir(), "--runroot", t.TempDir()}
	build := append(slices.Clone(at), "build", "--isolation", "chroot", "--format", "docker", "--build-context", "program="+program,
		"--build-arg", "VERSION=v1.2.3", "--build-arg", "REVISION=abc", "-t", "spandrel:test", "-f", dockerfile, src)
	if out, err := exec.Command("buildah", build...).CombinedOutput(); err != nil {
		t.Fatalf("buildah (Debian's package) cannot build the image: %v\n%s", err, out)
	}
	out, err := exec.Command("buildah", append(at, "inspect", "--type", "image", "spandrel:test")...).Output()
	must(t, err)
	must(t, json.Unmarshal(out, &i))
	return i
}

// checkImage holds the image to what the manifests count on and to what a
// registry shows.
func checkImage(t *testing.T, i image, program string) {
	t.Helper()
	c := i.Docker.Config
	ports, volumes := map[string]struct{}{}, map[string]struct{}{"/badger": {}, "/data": {}}
	for _, p := range containerPorts(podTemplate(t, decode(t, read(t, istio+"spandrel.yaml"))).Spec.Containers[0]) {
		ports[fmt.Sprintf("%d/tcp", p)] = struct{}{}
	}
	if diff := cmp.Diff(c.ExposedPorts, ports); diff != "" {
		t.Errorf("ports (-image +manifest):\n%s", diff)
	}
	if diff := cmp.Diff(c.Volumes, volumes); diff != "" {
		t.Errorf("volumes (-image +want):\n%s", diff)
	}
	if c.User != "10001:10001" || len(c.Cmd) != 0 || !slices.Equal(c.Entrypoint, []string{"/spandrel"}) ||
		!slices.Equal(c.Healthcheck.Test, []string{"CMD", "/spandrel", "status"}) || !slices.Contains(c.Env, "XDG_DATA_HOME=/data") {
		t.Errorf("got %+v", c)
	}
	for label, want := range map[string]string{"title": "Spandrel", "version": "v1.2.3", "revision": "abc", "source": "https://github.com/spandrel/spandrel"} {
		if got := c.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("label %s: got %q, want %q", label, got, want)
		}
	}
	if out, err := exec.Command(program, "version").CombinedOutput(); err != nil || !strings.Contains(string(out), "v1.2.3") {
		t.Errorf("spandrel version: %v, %s", err, out)
	}
}
