package tests

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	code    = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	setting = regexp.MustCompile("(--[a-z]+[a-z-]*\\.[a-z][a-z.-]*[a-z])|`([A-Z]+(?:_[A-Z]+)+)")
	inShell = regexp.MustCompile(`(?m)(?:^|\s)(deploy/[A-Za-z0-9./_-]+)`)
)

// documents are all that people read, by path from the top.
func documents(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/adr/*.md", "deploy/*/*.md"} {
		names, err := filepath.Glob("../" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all[strings.TrimPrefix(name, "../")] = string(text)
		}
	}
	if len(all) < 12 {
		t.Fatalf("got %d documents", len(all))
	}
	return all
}

// anchor is GitHub's for a heading.
func anchor(heading string) string {
	kept := strings.Map(func(r rune) rune {
		if strings.ContainsRune("`*,.:?!()/", r) {
			return -1
		}
		return r
	}, strings.ToLower(heading))
	return strings.ReplaceAll(kept, " ", "-")
}

// TestLinksLeadSomewhere wants every link inside the repository to lead to a
// file and to a heading in it.
func TestLinksLeadSomewhere(t *testing.T) {
	all := documents(t)
	for name, text := range all {
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, want, _ := strings.Cut(m[1], "#")
			target := name
			if file != "" {
				target = filepath.Join(filepath.Dir(name), file)
			}
			if _, err := os.Stat("../" + target); err != nil {
				t.Errorf("%s: there is no %s", name, target)
			}
			if want == "" {
				continue
			}
			found := false
			for _, h := range heading.FindAllStringSubmatch(all[target], -1) {
				found = found || anchor(h[1]) == want
			}
			if !found {
				t.Errorf("%s: %s has no heading for #%s", name, target, want)
			}
		}
	}
}

// TestDocumentsNameWhatIsThere wants every file under deploy, every flag and
// every variable of ours that a document names to exist.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	all := documents(t)
	known := all["docs/reference.md"] + all["docs/compatibility.md"] + read(t, "cmd/spandrel/status.go") + read(t, "cmd/spandrel/demo.go")
	for name, text := range all {
		for _, m := range inShell.FindAllStringSubmatch(strings.ReplaceAll(text, "`", " "), -1) {
			if _, err := os.Stat("../" + strings.TrimRight(m[1], ".")); err != nil {
				t.Errorf("%s: there is no %s", name, m[1])
			}
		}
		if !strings.HasPrefix(name, "docs/") || strings.HasPrefix(name, "docs/adr/") {
			continue
		}
		for _, m := range setting.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(known, m[1]) || !strings.Contains(known, m[2]) {
				t.Errorf("%s: there is no setting %s%s", name, m[1], m[2])
			}
		}
	}
}
