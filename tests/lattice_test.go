// Package tests looks at the product from outside: how its packages hang
// together, what the built program serves.
package tests

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// lattice says which packages of ours each package may import. Imports point
// to the left: towards the vocabulary, which is called spandrel here.
const lattice = `
spandrel:
storage:             spandrel
storage/memory:      spandrel storage
storage/badger:      spandrel storage
storage/storagetest: spandrel storage
collector/protobuf:
collector/protobuf/prototest:
collector/zipkin:    spandrel collector/protobuf
collector/otlp:      spandrel collector/protobuf
collector:           spandrel storage collector/zipkin collector/otlp
query:               spandrel storage
query/apitest:
query/jaegerapi:     spandrel storage query collector/otlp
query/uiapi:         spandrel storage query
ui:
cmd/spandrel:        storage storage/memory storage/badger collector query query/jaegerapi query/uiapi ui
tests:
tests/bench:         spandrel storage/storagetest
`

// inTests is what every package's test files may import besides: itself, what
// it may import, and these.
const inTests = `spandrel storage storage/memory storage/storagetest collector/zipkin collector/otlp collector/protobuf/prototest query/apitest`

// outside names what only some packages may import of what is not ours.
var outside = []struct {
	path string   // and all below it
	only []string // the packages that may
}{
	{"go.yaml.in/yaml", []string{"cmd/spandrel"}},
	{"github.com/dgraph-io/badger", []string{"storage/badger"}},
	{"github.com/jaegertracing", []string{"query/jaegerapi"}},
	{"google.golang.org/grpc", []string{"query/jaegerapi", "cmd/spandrel"}},
	{"github.com/spf13", []string{"cmd/spandrel"}},
	{"net/http", []string{"collector", "query/apitest", "query/jaegerapi", "query/uiapi", "ui", "cmd/spandrel", "tests/bench"}},
	{"os", []string{"collector", "query/apitest", "storage/badger", "cmd/spandrel", "tests/bench"}},
	{"os/exec", []string{"tests/bench"}},
	{"unsafe", []string{"collector", "collector/otlp", "collector/protobuf", "collector/zipkin", "storage/badger", "storage/storagetest"}},
}

const module = "github.com/spandrel/spandrel"

// listed is one package as go list tells it.
type listed struct {
	ImportPath                         string
	Standard                           bool
	Imports, TestImports, XTestImports []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	noticeFiles(t)
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p listed
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// noticeFiles looks at every source file, so that go test does not take a
// result from its cache after one has changed: it cannot see what go list reads.
func noticeFiles(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") {
			_, err = os.Stat(path)
		}
		if err == nil && e.IsDir() && strings.HasPrefix(e.Name(), ".") && len(e.Name()) > 2 {
			return filepath.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// allowed is the lattice by package.
func allowed() map[string][]string {
	rows := map[string][]string{}
	for line := range strings.Lines(lattice) {
		if name, imports, ok := strings.Cut(line, ":"); ok {
			rows[name] = strings.Fields(imports)
		}
	}
	return rows
}

// short is the name of one of our packages in the lattice.
func short(path string) (name string, ours bool) {
	if path == module {
		return "spandrel", true
	}
	return strings.CutPrefix(path, module+"/")
}

func TestImportsPointOneWay(t *testing.T) {
	may := allowed()
	for _, p := range packages(t) {
		name, _ := short(p.ImportPath)
		imports, known := may[name]
		if !known {
			t.Errorf("package %s has no place in the lattice yet", name)
			continue
		}
		for _, path := range p.Imports {
			if dep, ours := short(path); ours && !slices.Contains(imports, dep) {
				t.Errorf("%s must not import %s", name, dep)
			}
		}
		besides := append(strings.Fields(inTests), name)
		for _, path := range slices.Concat(p.TestImports, p.XTestImports) {
			if dep, ours := short(path); ours && !slices.Contains(imports, dep) && !slices.Contains(besides, dep) {
				t.Errorf("tests of %s must not import %s", name, dep)
			}
		}
	}
}

func TestVocabularyImportsOnlyTheStandardLibrary(t *testing.T) {
	for _, p := range packages(t) {
		if p.ImportPath != module && p.ImportPath != module+"/storage" {
			continue
		}
		for _, path := range p.Imports {
			first, _, _ := strings.Cut(path, "/")
			if _, ours := short(path); !ours && strings.Contains(first, ".") {
				t.Errorf("%s imports %s", p.ImportPath, path)
			}
		}
	}
}

func TestOutsidePackagesStayWhereTheyBelong(t *testing.T) {
	for _, p := range packages(t) {
		name, _ := short(p.ImportPath)
		for _, path := range p.Imports {
			for _, o := range outside {
				if (path == o.path || strings.HasPrefix(path, o.path+"/")) && !slices.Contains(o.only, name) {
					t.Errorf("%s must not import %s: only %v may", name, path, o.only)
				}
			}
		}
	}
}

func TestNothingImportsTests(t *testing.T) {
	for name, imports := range allowed() {
		if name == "tests/bench" {
			continue // is one itself
		}
		if slices.Contains(imports, "tests") || slices.Contains(imports, "tests/bench") || slices.Contains(imports, "storage/storagetest") {
			t.Errorf("the lattice lets %s import what is for tests", name)
		}
	}
}
