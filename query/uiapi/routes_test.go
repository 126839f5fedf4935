package uiapi

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryRouteIsDocumentedAndPlayed holds docs/ui-api.md and the scripts to
// the list of routes.
func TestEveryRouteIsDocumentedAndPlayed(t *testing.T) {
	doc, err := os.ReadFile("../../docs/ui-api.md")
	if err != nil {
		t.Fatal(err)
	}
	headings := strings.Join(regexp.MustCompile(`(?m)^##.*`).FindAllString(string(doc), -1), "\n")
	files, err := filepath.Glob("testdata/api/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var scripts strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f) //nolint:gosec // a file of this package
		if err != nil {
			t.Fatal(err)
		}
		scripts.Write(text)
	}
	for _, r := range Routes() {
		path := strings.TrimPrefix(r, "GET "+Prefix+"/")
		if !strings.Contains(headings, "`"+path+"`") {
			t.Errorf("%s has no section in docs/ui-api.md", path)
		}
		played := regexp.MustCompile(`(?m)^(?:[A-Z]+ )?` + strings.ReplaceAll(regexp.QuoteMeta("/"+path), `\{id\}`, `[^/\s]+`) + `(\?|\s|$)`)
		if !played.MatchString(scripts.String()) {
			t.Errorf("no script asks for %s", path)
		}
	}
}
