package peers

import (
	"bufio"
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// differencesFile is for whoever reviews them.
var differencesFile = flag.String("differences", "", "write all differences from Jaeger to this file")

// difference is one value that two servers do not give alike.
type difference struct {
	store   string // of Jaeger: memory or badger
	request string
	path    string // of the value in the answer
	jaeger  string // "-" = not there
	ours    string
}

func (d difference) String() string {
	text := strings.Join([]string{d.store, d.request, d.path, d.jaeger, d.ours}, " | ")
	return strings.ReplaceAll(text, "\n", "↵")
}

// differ collects the differences of two answers.
type differ struct {
	difference // store and request are those of all
	found      []difference
}

func (d *differ) add(path, jaeger, ours string) {
	x := d.difference
	x.path, x.jaeger, x.ours = path, jaeger, ours
	d.found = append(d.found, x)
}

func (d *differ) compare(path string, jaeger, ours any) {
	switch j := jaeger.(type) {
	case tree:
		if o, ok := ours.(tree); ok {
			d.trees(path, j, o)
			return
		}
	case traces:
		if o, ok := ours.(traces); ok {
			d.traces(path, j, o)
			return
		}
	}
	if j, o := short(jaeger), short(ours); j != o {
		d.add(path, j, o)
	}
}

// short is a value as the list of differences shows it.
func short(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case string:
		return v
	case tree:
		if len(v) == 0 {
			return "empty"
		}
		return "{" + strings.Join(slices.Sorted(maps.Keys(v)), " ") + "}"
	case traces:
		return fmt.Sprintf("%d traces", len(v))
	default:
		return fmt.Sprint(v)
	}
}

func (d *differ) trees(path string, jaeger, ours tree) {
	for _, key := range keysOfBoth(jaeger, ours) {
		below := path + "." + key
		if path == "" || strings.HasPrefix(key, "{") || strings.HasPrefix(key, "[") {
			below = path + key
		}
		d.compare(below, jaeger[key], ours[key])
	}
}

func keysOfBoth[M ~map[string]V, V any](a, b M) []string {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(keys)
	return slices.Compact(keys)
}

func (d *differ) traces(path string, jaeger, ours traces) {
	for _, id := range keysOfBoth(jaeger, ours) {
		j, o := jaeger[id], ours[id]
		below := path + ".trace{" + id + "}"
		switch {
		case j == nil:
			d.add(below, "-", fmt.Sprintf("%d spans", len(o.spans)))
		case o == nil:
			d.add(below, fmt.Sprintf("%d spans", len(j.spans)), "-")
		default:
			d.trees(below, j.fields, o.fields)
			d.spans(below, j.spans, o.spans)
		}
	}
}

// spans compares the spans of one trace that are the same by what they say,
// for ids may have been changed.
func (d *differ) spans(path string, jaeger, ours []*span) {
	theirNames, ourNames := spanNames(jaeger), spanNames(ours)
	for _, p := range pairUp(jaeger, ours) {
		switch j, o := p[0], p[1]; {
		case j == nil:
			d.add(path+".span{"+o.operation+"}", "-", "there")
		case o == nil:
			d.add(path+".span{"+j.operation+"}", "there", "-")
		default:
			below := path + ".span{" + o.operation + "}"
			d.trees(below, j.fields, o.fields)
			for i := range max(len(j.references), len(o.references)) {
				d.compare(fmt.Sprintf("%s.references[%d]", below, i), j.reference(i, theirNames), o.reference(i, ourNames))
			}
		}
	}
}

// spanNames says for each id which span has it, or its own text where that is
// not one alone.
func spanNames(spans []*span) map[string]string {
	names := map[string]string{}
	for _, s := range spans {
		name := strings.TrimSpace(s.operation + " " + s.kind)
		if other, ok := names[s.id]; ok && other != name {
			name = s.id
		}
		names[s.id] = name
	}
	return names
}

// reference is the ith reference in words, nil if there is none.
func (s *span) reference(i int, names map[string]string) any {
	if i >= len(s.references) {
		return nil
	}
	r := s.references[i]
	return r.RefType + " " + r.TraceID + " " + cmp.Or(names[r.SpanID], r.SpanID)
}

// pairUp finds for each span the one that is most likely the same.
func pairUp(jaeger, ours []*span) (pairs [][2]*span) {
	order := func(a, b *span) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.id, b.id), cmp.Compare(a.operation, b.operation), cmp.Compare(a.kind, b.kind),
			cmp.Compare(a.service, b.service), cmp.Compare(short(a.fields["duration"]), short(b.fields["duration"])))
	}
	slices.SortFunc(jaeger, order)
	slices.SortFunc(ours, order)
	taken := map[*span]bool{}
	for _, key := range []func(*span) string{
		func(s *span) string { return s.id + s.operation + s.start + s.service + s.kind },
		func(s *span) string { return s.operation + s.start + s.service + s.kind },
		func(s *span) string { return s.id + s.operation + s.service },
		func(s *span) string { return s.id + s.operation },
		func(s *span) string { return s.operation + s.start },
		func(s *span) string { return s.operation },
		func(s *span) string { return s.id },
	} {
		for _, j := range jaeger {
			i := slices.IndexFunc(ours, func(o *span) bool { return !taken[j] && !taken[o] && key(o) == key(j) })
			if i >= 0 {
				taken[j], taken[ours[i]] = true, true
				pairs = append(pairs, [2]*span{j, ours[i]})
			}
		}
	}
	for _, s := range jaeger {
		if !taken[s] {
			pairs = append(pairs, [2]*span{s, nil})
		}
	}
	for _, s := range ours {
		if !taken[s] {
			pairs = append(pairs, [2]*span{nil, s})
		}
	}
	return pairs
}

// reviewed is a line of testdata/jaeger/differences.txt.
type reviewed struct {
	line    int
	text    string
	pattern *regexp.Regexp
	seen    bool
}

// readReviewed reads the list of differences that are on purpose or Jaeger's
// fault: STORE | REQUEST | PATH | JAEGER'S VALUE | OURS, where * is any text and
// ? any character. Lines that begin with # say why for those that follow.
func readReviewed(t *testing.T) []*reviewed {
	t.Helper()
	f, err := os.Open("testdata/jaeger/differences.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []*reviewed
	why := false
	scan := bufio.NewScanner(f)
	for n := 1; scan.Scan(); n++ {
		switch text := scan.Text(); {
		case text == "":
			why = false
		case text[0] == '#':
			why = true
		case strings.Count(text, " | ") != 4 || !why:
			t.Fatalf("differences.txt:%d: a difference has five parts and, above it, a reason", n)
		default:
			list = append(list, &reviewed{line: n, text: text, pattern: glob(text)})
		}
	}
	if err := scan.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// glob makes a pattern of five parts, each of which * does not leave.
func glob(text string) *regexp.Regexp {
	parts := strings.Split(text, " | ")
	for i := range parts {
		parts[i] = strings.NewReplacer(`\*`, `(?:[^|]|\|[^ ])*`, `\?`, `.`).Replace(regexp.QuoteMeta(parts[i]))
	}
	return regexp.MustCompile(`(?s)^` + strings.Join(parts, ` \| `) + `$`)
}

// review fails the test for differences that are not on the list, and for what
// is on the list and has not been found.
func review(t *testing.T, list []*reviewed, found []difference) {
	t.Helper()
	const shown = 200
	unknown := 0
	var all strings.Builder
	for _, d := range found {
		text, known := d.String(), false
		fmt.Fprintln(&all, text)
		for _, r := range list {
			if r.pattern.MatchString(text) {
				r.seen, known = true, true
			}
		}
		if !known {
			if unknown++; unknown <= shown {
				t.Errorf("not on the list: %.600s", text)
			}
		}
	}
	if unknown > shown {
		t.Errorf("and %d more that are not on the list", unknown-shown)
	}
	for _, r := range list {
		if !r.seen {
			t.Errorf("differences.txt:%d does not occur any more: %s", r.line, r.text)
		}
	}
	if *differencesFile != "" {
		if err := os.WriteFile(*differencesFile, []byte(all.String()), 0o644); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d differences, all but %d of them on a list of %d", len(found), unknown, len(list))
}
