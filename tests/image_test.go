package tests

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// read is a file at the top of the repository.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// instructions are those of the Dockerfile of that kind, their lines joined.
func instructions(t *testing.T, kind string) (all []string) {
	t.Helper()
	text := regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(read(t, "Dockerfile"), "")
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		if rest, ok := strings.CutPrefix(line, kind+" "); ok {
			all = append(all, strings.Join(strings.Fields(rest), " "))
		}
	}
	if len(all) == 0 {
		t.Fatalf("the Dockerfile has no %s", kind)
	}
	return all
}

func words(text, pattern string) (all []string) {
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// TestImageIsBuiltByTheMakefile wants every make in the Dockerfile to be of a
// target and of variables that the Makefile has, and the program to come from
// where that target puts it.
func TestImageIsBuiltByTheMakefile(t *testing.T) {
	makefile := read(t, "Makefile")
	targets, variables := words(makefile, `(?m)^([a-z/.-]+):`), words(makefile, `(?m)^([A-Z]+) *[:?]?=`)
	makes := 0
	for _, run := range instructions(t, "RUN") {
		for _, command := range strings.Split(run, "&&") {
			_, rest, ok := strings.Cut(command, "make ")
			if !ok {
				continue
			}
			makes++
			for _, word := range strings.Fields(rest) {
				name, _, isVariable := strings.Cut(word, "=")
				if isVariable && !slices.Contains(variables, name) || !isVariable && !slices.Contains(targets, name) {
					t.Errorf("RUN %s: the Makefile has no %s", run, name)
				}
			}
		}
	}
	if makes < 2 {
		t.Errorf("got %d makes, want one for the page and one for the program", makes)
	}
	bin := words(makefile, `(?m)^BIN *:= *(\S+)`)
	if want := "--from=program /src/" + strings.Join(bin, "") + " /spandrel"; !slices.Contains(instructions(t, "COPY"), want) {
		t.Errorf("no COPY %s", want)
	}
}

func TestImageHasTheCompilerThatTheModuleWants(t *testing.T) {
	mod := words(read(t, "go.mod"), `(?m)^toolchain go(\S+)`)
	image := words(strings.Join(instructions(t, "ARG"), "\n"), `GO_VERSION=(\S+)`)
	if diff := cmp.Diff(image, mod); diff != "" {
		t.Errorf("(-Dockerfile +go.mod):\n%s", diff)
	}
}

func TestImageSaysWhatTheProgramDoes(t *testing.T) {
	noticeFiles(t)
	routes, err := os.ReadFile("testdata/routes.golden")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(words(instructions(t, "EXPOSE")[0], `(\d+)`), words(string(routes), `(?m)^(\d+)`)); diff != "" {
		t.Errorf("ports (-Dockerfile +spandrel routes):\n%s", diff)
	}
	cmd := exec.Command("go", "run", "./cmd/spandrel", "env")
	cmd.Dir = ".."
	known, err := cmd.Output()
	if err != nil {
		t.Fatalf("spandrel env: %v", err)
	}
	for _, name := range words(instructions(t, "ENV")[0], `([A-Z_]+)=`) {
		if name != "XDG_DATA_HOME" && !slices.Contains(strings.Fields(string(known)), name) {
			t.Errorf("ENV %s is nothing that spandrel knows", name)
		}
	}
	user, _, _ := strings.Cut(instructions(t, "USER")[0], ":")
	if !regexp.MustCompile(`^[1-9]\d*$`).MatchString(user) {
		t.Errorf("USER %s: Kubernetes' runAsNonRoot wants a number that is not 0", user)
	}
}

// TestImageIsBuiltFromAllThatItNeeds wants no package of ours to be left out by
// .dockerignore.
func TestImageIsBuiltFromAllThatItNeeds(t *testing.T) {
	kept := words(read(t, ".dockerignore"), `(?m)^!(\S+)`)
	cmd := exec.Command("go", "list", "-deps", "-f", "{{if .Module}}{{if .Module.Main}}{{.ImportPath}}{{end}}{{end}}", "./cmd/spandrel")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for path := range strings.FieldsSeq(string(out)) {
		top, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, module), "/"), "/")
		if top == "" {
			top = "*.go"
		}
		if !slices.Contains(kept, top) {
			t.Errorf("%s is left out by .dockerignore, and %s is in it", top, path)
		}
	}
}
