package peers

import (
	"slices"
	"testing"
)

// TestDifferences holds the comparison itself against answers that differ in
// known ways: nothing may be overlooked.
func TestDifferences(t *testing.T) {
	at := func(id, operation, parent, tag string) *jsonSpan {
		s := &jsonSpan{TraceID: "t", SpanID: id, OperationName: operation, StartTime: "1", Duration: "2",
			Tags: []jsonTag{{"k", "string", tag}}, Logs: []jsonLog{}, References: []jsonReference{}, Process: &jsonProcess{"svc", []jsonTag{}}}
		if parent != "" {
			s.References = append(s.References, jsonReference{"CHILD_OF", "t", parent})
		}
		return s
	}
	answer := func(spans ...*jsonSpan) tree {
		all := traces{}
		for _, s := range spans {
			all.add(s.TraceID, tree{"warnings": "null"}, s.span(false))
		}
		return tree{"status": "200", "body": all}
	}
	nothing := []string(nil)
	for name, row := range map[string]struct {
		jaeger, ours tree
		want         []string
	}{
		"equal":          {answer(at("1", "a", "", "x")), answer(at("1", "a", "", "x")), nothing},
		"another order":  {answer(at("1", "a", "", "x"), at("2", "b", "1", "y")), answer(at("2", "b", "1", "y"), at("1", "a", "", "x")), nothing},
		"another status": {tree{"status": "200"}, tree{"status": "404"}, []string{"status | 200 | 404"}},
		"a field less":   {tree{"a": "1", "b": tree{"c": "2"}}, tree{"a": "1"}, []string{"b | {c} | -"}},
		"another value":  {answer(at("1", "a", "", "x")), answer(at("1", "a", "", "y")), []string{`body.trace{t}.span{a}.tags{k} | string "x" | string "y"`}},
		"a span less":    {answer(at("1", "a", "", "x"), at("2", "b", "1", "y")), answer(at("1", "a", "", "x")), []string{"body.trace{t}.span{b} | there | -"}},
		"a span more":    {answer(at("1", "a", "", "x")), answer(at("1", "a", "", "x"), at("2", "b", "1", "y")), []string{"body.trace{t}.span{b} | - | there"}},
		"other ids": {answer(at("1", "a", "", "x"), at("2", "b", "1", "y")), answer(at("7", "a", "", "x"), at("2", "b", "7", "y")),
			[]string{"body.trace{t}.span{a}.spanID | 1 | 7"}},
		"another parent": {answer(at("1", "a", "", "x"), at("2", "b", "1", "y"), at("3", "c", "1", "z")), answer(at("1", "a", "", "x"), at("2", "b", "1", "y"), at("3", "c", "2", "z")),
			[]string{"body.trace{t}.span{c}.references[0] | CHILD_OF t a | CHILD_OF t b"}},
		"a trace less": {answer(at("1", "a", "", "x")), tree{"status": "200", "body": traces{}}, []string{"body.trace{t} | 1 spans | -"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := differ{difference: difference{store: "memory", request: "r"}}
			d.compare("", row.jaeger, row.ours)
			var got []string
			for _, x := range d.found {
				got = append(got, x.path+" | "+x.jaeger+" | "+x.ours)
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestGlobStaysInItsPart(t *testing.T) {
	p := glob("* | GET /a* | x | - | b?d")
	for text, want := range map[string]bool{
		"memory | GET /a | x | - | bcd":       true,
		"memory | GET /a?q=||1 | x | - | bcd": true,
		"memory | GET /a | y | x | - | bcd":   false,
		"memory | GET /a | x | - | bccd":      false,
		"memory | GET /b | x | - | bcd":       false,
	} {
		if got := p.MatchString(text); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
