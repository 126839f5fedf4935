package tests

import (
	"flag"
	"os"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

// TestAllRoutes wants every path of every port to be on a list that is read
// when it changes.
func TestAllRoutes(t *testing.T) {
	noticeFiles(t)
	cmd := exec.Command("go", "run", "./cmd/spandrel", "routes")
	cmd.Dir = ".."
	got, err := cmd.Output()
	if err != nil {
		t.Fatalf("spandrel routes: %v", err)
	}
	const golden = "testdata/routes.golden"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), string(want)); diff != "" {
		t.Errorf("routes (-served +%s, which go test ./tests -update writes):\n%s", golden, diff)
	}
}
