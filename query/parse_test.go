package query

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
)

func TestParseConditions(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""},
		{"  ", ""},
		{"http.status_code=503", `tag "http.status_code" = "503"`},
		{"a = b", `tag "a" = "b"`},
		{"a=", `tag "a" = ""`},
		{`a="x y" b='z'`, `tag "a" = "x y"; tag "b" = "'z'"`},
		{`"a key"="\"\\"`, `tag "a key" = "\"\\"`},
		{"a!=b", `tag "a" has ""; not tag "a" = "b"`},
		{"a ~ ^x.*y$", `tag "a" ~ "^x.*y$"`},
		{`a!~"x y"`, `tag "a" has ""; not tag "a" ~ "x y"`},
		{"a>=500 b<1.5 c>-1 d<=1e3", `tag "a" >= 500; tag "b" < 1.5; tag "c" > -1; tag "d" <= 1000`},
		{"a b", `tag "a" has ""; tag "b" has ""`},
		{"error !error -error=true", `tag "error" = "true"; not tag "error" = "true"; not tag "error" = "true"`},
		{`"error"`, `tag "error" has ""`},
		{"error !retry.count", `tag "error" = "true"; not tag "retry.count" has ""`},
		{"guid:x-request-id=5f-1", `tag "guid:x-request-id" = "5f-1"`},
		{"response_flags!=-", `tag "response_flags" has ""; not tag "response_flags" = "-"`},
		{"service=a operation~b", `service "service" = "a"; operation "operation" ~ "b"`},
		{`"service"=a`, `tag "service" = "a"`},
		{"duration>=1.5ms duration<2s", `[1500000, 1999999999]`},
		{"duration>100", `[100001, 0]`},
		{"!duration>100us", `[0, 100000]`},
		{"duration=1ms", `[1000000, 1000000]`},
		{"a=b=c", `tag "a" = "b=c"`},
		{"url=http://x/?a=b&c=d", `tag "url" = "http://x/?a=b&c=d"`},
	}
	for _, tt := range tests {
		var q spandrel.Query
		if err := ParseConditions(&q, tt.text, false); err != nil {
			t.Errorf("%q: %v", tt.text, err)
			continue
		}
		if diff := cmp.Diff(tt.want, describe(&q)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.text, diff)
		}
	}
}

// describe writes conditions down.
func describe(q *spandrel.Query) string {
	var all []string
	for _, c := range q.Where {
		text := []string{"tag ", "service ", "operation ", "any "}[c.Field] + fmt.Sprintf("%q", c.Key)
		switch c.Op {
		case spandrel.OpHas, spandrel.OpEqual, spandrel.OpText:
			text += map[spandrel.Op]string{spandrel.OpHas: " has ", spandrel.OpEqual: " = ", spandrel.OpText: " text "}[c.Op] + fmt.Sprintf("%q", c.Text)
		case spandrel.OpMatch:
			text += fmt.Sprintf(" ~ %q", c.Regexp)
		default:
			text += map[spandrel.Op]string{spandrel.OpLess: " < ", spandrel.OpAtMost: " <= ", spandrel.OpMore: " > ", spandrel.OpAtLeast: " >= "}[c.Op] + fmt.Sprint(c.Number)
		}
		if c.Negate {
			text = "not " + text
		}
		all = append(all, text)
	}
	if q.MinDuration != 0 || q.MaxDuration != 0 {
		all = append(all, fmt.Sprintf("[%d, %d]", q.MinDuration, q.MaxDuration))
	}
	return strings.Join(all, "; ")
}

func TestWhatCannotBeReadSaysWhere(t *testing.T) {
	for _, text := range []string{
		"=", "!", "- a", "a>", "a>x", "a>NaN", "a~(", `a="x`, `"a`, "!a!=b", "-a!~b", "duration~1", "duration!=1ms", "duration>x", "duration<0",
		"duration>2s duration<1s", "a>=b", "<5", strings.Repeat("a ", 21), strings.Repeat("a", 5000), "a~\xff\xfe(",
	} {
		var q spandrel.Query
		if err := ParseConditions(&q, text, false); err == nil {
			t.Errorf("%.40q is read as %s", text, describe(&q))
		}
	}
}

func TestFindWords(t *testing.T) {
	s := spandrel.Span{ID: 0xabc, Name: "GET /Cart", Local: spandrel.Endpoint{Service: "shop.default"},
		Tags:   []spandrel.Tag{{Key: "http.status_code", Value: spandrel.IntValue(503)}, {Key: "note", Value: spandrel.StringValue("Out of Memory")}},
		Events: []spandrel.Event{{Name: "Retry", Fields: []spandrel.Tag{{Key: "attempt", Value: spandrel.StringValue("zwei")}}}}}
	for text, want := range map[string]bool{
		"": true, "cart": true, "SHOP": true, `"of memory"`: true, "of memory": true, "note status": true, "503": true, "zwei": true, "retry": true, "attempt": true,
		"0000000000000abc": true, "abc": false, `"http.status_code=503"`: true, "http.status_code=503": true, "http.status_code=50": false, "http.status_code>=500": true,
		"cart nothing": false, "-nothing": true, "-cart": false, "!zwei": false, "note~Mem": true, "service=shop.default": true,
	} {
		var q spandrel.Query
		if err := ParseConditions(&q, text, true); err != nil {
			t.Errorf("%q: %v", text, err)
		} else if got := q.Match(&s); got != want {
			t.Errorf("%q: found %v, want %v", text, got, want)
		}
	}
}

func FuzzParseConditions(f *testing.F) {
	for _, text := range []string{`a="x\"" b!~c duration>5ms`, "!x -y", "a >= 5"} {
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, words bool) {
		var q spandrel.Query
		s := spandrel.Span{Name: text}
		if ParseConditions(&q, text, words) == nil {
			q.Match(&s)
		}
		if len(q.Where) > 2*maxConditions {
			t.Errorf("%d conditions", len(q.Where))
		}
	})
}
