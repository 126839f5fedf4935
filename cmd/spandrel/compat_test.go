package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "rewrite generated files")

// flagsOf are the flags of Jaeger all-in-one of that version, with Badger,
// memory and adaptive sampling, as its help lists them.
func flagsOf(t *testing.T, version string) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/jaeger-" + version + ".flags")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(text))
}

func TestTableHasEveryFlagOfJaegerOnce(t *testing.T) {
	for _, version := range []string{"1.35", "1.76"} {
		var got []string
		for _, s := range settings {
			if !s.isEnv() && !s.isFamily() && strings.Contains(s.In, version) {
				got = append(got, s.Name)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(got, flagsOf(t, version)); diff != "" {
			t.Errorf("flags of %s (-table +Jaeger):\n%s", version, diff)
		}
	}
}

func TestHonouredFlagsAreOursAndOthersAreAccepted(t *testing.T) {
	_, fs := newConfig()
	for _, s := range settings {
		if s.isEnv() || s.isFamily() || s.Name == "help" {
			continue
		}
		f := fs.Lookup(s.Name)
		if f == nil {
			t.Errorf("there is no flag --%s", s.Name)
		} else if ours := f.Annotations[group] != nil; ours != (s.Verdict == honoured) {
			t.Errorf("--%s is %s, but is it ours? %t", s.Name, s.Verdict, ours)
		}
	}
}

func TestEveryRefusalHasAReason(t *testing.T) {
	for _, s := range settings {
		if (s.Verdict == refused || s.Verdict == fatal) && s.Note == "" {
			t.Errorf("%s is %s without a reason", s.Name, s.Verdict)
		}
	}
}

func TestUnhonouredNamesWhatWasSet(t *testing.T) {
	tests := []struct {
		name string
		args []string
		env  map[string]string
		want []string
		err  string
	}{
		{name: "nothing"},
		{name: "honoured and harmless ones", args: []string{"--badger.span-store-ttl=1h", "--collector.queue-size=9"},
			env: map[string]string{"BADGER_DIRECTORY_KEY": "/k"}},
		{name: "a refused flag", args: []string{"--collector.tags=a=b"},
			want: []string{"--collector.tags (spans are stored as they were sent, without added tags)"}},
		{name: "a refused variable", env: map[string]string{"COLLECTOR_GRPC_TLS_ENABLED": "true"},
			want: []string{"COLLECTOR_GRPC_TLS_ENABLED (" + noThrift + ")"}},
		{name: "a bare bool flag", args: []string{"--collector.grpc.tls.enabled"}, want: []string{"--collector.grpc.tls.enabled (" + noThrift + ")"}},
		{name: "switched off", args: []string{"--collector.grpc.tls.enabled=false"}, env: map[string]string{"DOWNSAMPLING_RATIO": "1.0"}},
		{name: "the flag hides the variable", args: []string{"--collector.grpc.tls.enabled=false"},
			env: map[string]string{"COLLECTOR_GRPC_TLS_ENABLED": "true"}},
		{name: "a variable that others use too", env: map[string]string{"CONFIG_FILE": "x"},
			want: []string{"CONFIG_FILE (settings files of Jaeger 1 are not read; --config takes those of Jaeger 2)"}},
		{name: "a variable without a flag", env: map[string]string{"SAMPLING_CONFIG_TYPE": "adaptive"},
			want: []string{"SAMPLING_CONFIG_TYPE (" + noRates + ")"}},
		{name: "a dangerous one", env: map[string]string{"BADGER_READ_ONLY": "true"},
			err: "BADGER_READ_ONLY cannot be honoured: the store cannot be opened read-only"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, fs := newConfig()
			if err := fs.Parse(tt.args); err != nil {
				t.Fatal(err)
			}
			got, err := unhonoured(fs, func(name string) string { return tt.env[name] })
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Error(diff)
			}
			if (err != nil || tt.err != "") && fmt.Sprint(err) != tt.err {
				t.Errorf("got error %v, want %q", err, tt.err)
			}
		})
	}
}

// TestDocumentsHaveTheTables wants the tables of the documents to be what the
// program does; with -update it writes them.
func TestDocumentsHaveTheTables(t *testing.T) {
	for document, tables := range map[string]map[string]string{
		"../../docs/compatibility.md": {"settings": settingsTable(), "keys": keysTable(), "own": ownTable(), "ui": uiTable()},
		"../../docs/reference.md":     {"flags": flagsTable()},
	} {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		got := string(text)
		want := got
		for mark, table := range tables {
			want = between(t, want, mark, table)
		}
		if *update && got != want {
			if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%s is out of date, go test ./cmd/spandrel -update writes it (-document +program):\n%s", document, diff)
		}
	}
}

// between replaces what stands between two marks.
func between(t *testing.T, text, mark, table string) string {
	t.Helper()
	before, rest, ok := strings.Cut(text, "<!-- "+mark+": begin, generated -->\n")
	_, after, ok2 := strings.Cut(rest, "<!-- "+mark+": end -->")
	if !ok || !ok2 {
		t.Fatalf("the document has no marks for %s", mark)
	}
	return before + "<!-- " + mark + ": begin, generated -->\n" + table + "<!-- " + mark + ": end -->" + after
}

func settingsTable() string {
	var b strings.Builder
	b.WriteString("| flag | environment variable | Jaeger | here | |\n|---|---|---|---|---|\n")
	for _, s := range settings {
		flag, env, verdict := "`--"+s.Name+"`", "`"+s.env()+"`", string(s.Verdict)
		switch {
		case s.isEnv():
			flag = ""
		case s.Name == "help":
			env = ""
		}
		if s.Verdict == fatal {
			verdict = "refused, ends the start"
		}
		if s.Verdict == fatal && s.isFamily() {
			verdict = "refused" // the variables mean nothing while the store is another, in Jaeger as here
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", flag, env, s.In, verdict, s.Note)
	}
	return b.String()
}

// flagsTable lists all flags by group.
func flagsTable() string {
	var b strings.Builder
	_, fs := newConfig()
	for _, name := range []string{groupStore, groupCollect, groupQuery, groupHealth, groupRun, groupTLS} {
		fmt.Fprintf(&b, "\n## %s\n\n| flag | environment variable | default | |\n|---|---|---|---|\n", name)
		fs.VisitAll(func(f *pflag.Flag) {
			if f.Hidden || !slices.Equal(f.Annotations[group], []string{name}) {
				return
			}
			env, value := "`"+envName(f.Name)+"`", f.DefValue
			if f.Annotations[noEnv] != nil {
				env = ""
			}
			if value == "[]" {
				value = ""
			}
			fmt.Fprintf(&b, "| `--%s` | %s | %s | %s |\n", f.Name, env, value, strings.ReplaceAll(f.Usage, "`", ""))
		})
	}
	return b.String() + "\n"
}

// keysTable lists the keys of Jaeger 2's settings files.
func keysTable() string {
	var b strings.Builder
	b.WriteString("| key | here | |\n|---|---|---|\n")
	for _, k := range keys {
		verdict, note := string(k.Verdict), k.Note
		if k.Verdict == fatal {
			verdict = "refused, ends the start"
		}
		if k.Flag != "" {
			note = strings.TrimSuffix("`--"+k.Flag+"`; "+note, "; ")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", strings.Replace(k.Path, "backends.*.", "backends.NAME.", 1), verdict, note)
	}
	return b.String()
}

// uiTable lists the settings of the page.
func uiTable() string {
	var b strings.Builder
	b.WriteString("| key | here | |\n|---|---|---|\n")
	for _, k := range uiKeys {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.Path, k.Verdict, k.Note)
	}
	return b.String()
}

// ownTable lists the flags that Jaeger does not have.
func ownTable() string {
	var b strings.Builder
	b.WriteString("| flag | environment variable | default | |\n|---|---|---|---|\n")
	_, fs := newConfig()
	fs.VisitAll(func(f *pflag.Flag) {
		known := slices.ContainsFunc(settings, func(s setting) bool { return s.Name == f.Name || s.env() == envName(f.Name) })
		if known || f.Annotations[group] == nil || f.Annotations[noEnv] != nil {
			return
		}
		fmt.Fprintf(&b, "| `--%s` | `%s` | %s | %s |\n", f.Name, envName(f.Name), f.DefValue, strings.ReplaceAll(f.Usage, "`", ""))
	})
	return b.String()
}
