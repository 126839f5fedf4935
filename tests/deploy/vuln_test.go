package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/vuln/scan"
)

// The Go vulnerability database as of a day. It is asked for by name, not
// required in go.mod: that would choose versions of what its own tools need for
// the rest of this module. To renew it: `go list -m golang.org/x/vulndb@latest`,
// put the version here, and the sum that the failing test tells.
const (
	vulnDB    = "golang.org/x/vulndb@v0.0.0-20261105234957-e22db6528018"
	vulnDBSum = "h1:mfngRv0Yoh0VApsXKEN82CjD99kl7mtparN3bs3JnqI="
)

// TestNoKnownVulnerabilityIsCalled by the product, its tests left out: no
// function that the database names, in no dependency and not in Go itself.
func TestNoKnownVulnerabilityIsCalled(t *testing.T) {
	for _, v := range vulnerabilities(t, "../..", vulnerabilityDB(t)) {
		t.Errorf("a vulnerability can be reached: %s", v)
	}
}

// TestCalledVulnerabilityIsFound where there is one: in the standard library or
// in a dependency; one that is not called is passed over.
func TestCalledVulnerabilityIsFound(t *testing.T) {
	db := t.TempDir()
	invented(t, db, "GO-1999-0001", "stdlib", "crypto/tls", "LoadX509KeyPair")
	invented(t, db, "GO-1999-0002", "github.com/spf13/cobra", "github.com/spf13/cobra", "Command.ExecuteC")
	invented(t, db, "GO-1999-0003", "github.com/klauspost/compress", "github.com/klauspost/compress/zstd", "Decoder.DecodeAll")
	invented(t, db, "GO-1999-0004", "github.com/spf13/cobra", "github.com/spf13/cobra", "Command.GenBashCompletionFile")
	got := vulnerabilities(t, "../..", db)
	for _, want := range []string{
		"GO-1999-0001: crypto/tls.LoadX509KeyPair",
		"GO-1999-0002: github.com/spf13/cobra.Command.ExecuteC",
		"GO-1999-0003: github.com/klauspost/compress/zstd.Decoder.DecodeAll",
	} {
		if !slices.ContainsFunc(got, func(v string) bool { return strings.HasPrefix(v, want) }) {
			t.Errorf("%s is called and was not found among\n%s", want, strings.Join(got, "\n"))
		}
	}
	for _, v := range got {
		if strings.HasPrefix(v, "GO-1999-0004") {
			t.Errorf("found, though nobody calls it: %s", v)
		}
	}
}

// invented adds a vulnerability of a function, whatever the version.
func invented(t *testing.T, db, id, module, pkg, symbol string) {
	t.Helper()
	entry, err := json.Marshal(map[string]any{
		"schema_version": "1.3.1", "id": id, "summary": "invented",
		"affected": []any{map[string]any{
			"package":            map[string]string{"name": module, "ecosystem": "Go"},
			"ranges":             []any{map[string]any{"type": "SEMVER", "events": []any{map[string]string{"introduced": "0"}}}},
			"ecosystem_specific": map[string]any{"imports": []any{map[string]any{"path": pkg, "symbols": []string{symbol}}}},
		}},
	})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(db, id+".json"), entry, 0o600))
}

// vulnerabilityDB is the folder of the database's entries, checked against its sum.
func vulnerabilityDB(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "mod", "download", "-json", vulnDB).Output()
	must(t, err)
	var module struct{ Dir, Sum string }
	must(t, json.Unmarshal(out, &module))
	if module.Sum != vulnDBSum {
		t.Fatalf("%s has the sum %s, want %s", vulnDB, module.Sum, vulnDBSum)
	}
	dir := filepath.Join(module.Dir, "data", "osv")
	entries, err := filepath.Glob(filepath.Join(dir, "GO-*.json"))
	must(t, err)
	if len(entries) < 4000 {
		t.Fatalf("got %d entries in %s, want the thousands that there are", len(entries), dir)
	}
	return dir
}

// vulnerabilities are those that the program in the module can reach when it is
// compiled by the Go that go.mod names, as "ID: package.function, …". An older
// Go that compiles nevertheless, since GOTOOLCHAIN=local, is logged.
func vulnerabilities(t *testing.T, module, db string) (found []string) {
	t.Helper()
	want := regexp.MustCompile(`(?m)^toolchain (go\S+)$`).FindStringSubmatch(read(t, filepath.Join(module, "go.mod")))
	if want == nil {
		t.Fatal("go.mod has no line toolchain")
	}
	if version.Compare(runtime.Version(), want[1]) < 0 {
		t.Logf("NOTE: what %s compiles here has its library's vulnerabilities; go.mod asks for %s", runtime.Version(), want[1])
	}
	out := new(bytes.Buffer)
	cmd := scan.Command(t.Context(), "-C", module, "-db", (&url.URL{Scheme: "file", Path: filepath.ToSlash(db)}).String(), "-format", "json", "./cmd/spandrel")
	cmd.Stdout, cmd.Env = out, append(os.Environ(), "CGO_ENABLED=0", "GOVERSION="+want[1])
	must(t, cmd.Start())
	must(t, cmd.Wait()) // with JSON findings are no error
	for decoder := json.NewDecoder(out); ; {
		var message struct {
			Finding *struct {
				OSV          string
				FixedVersion string `json:"fixed_version"`
				Trace        []struct{ Module, Package, Receiver, Function string }
			}
		}
		err := decoder.Decode(&message)
		if errors.Is(err, io.EOF) {
			return found
		}
		must(t, err)
		if f := message.Finding; f != nil && f.Trace[0].Function != "" { // else it is not called
			at := f.Trace[0]
			name := strings.Join(slices.DeleteFunc([]string{at.Package, strings.TrimPrefix(at.Receiver, "*"), at.Function}, func(s string) bool { return s == "" }), ".")
			found = append(found, fmt.Sprintf("%s: %s, in %s, fixed in %q", f.OSV, name, at.Module, f.FixedVersion))
		}
	}
}
