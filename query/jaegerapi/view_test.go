package jaegerapi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/query"
)

// show writes tags as key=value, with the type where it is not text.
func show(tags []spandrel.Tag) string {
	var b strings.Builder
	for _, t := range tags {
		kind := [...]string{"", "bool ", "int ", "float ", "binary "}[t.Value.Kind()]
		fmt.Fprintf(&b, "%s=%s%q ", t.Key, kind, t.Value.String())
	}
	return strings.TrimSuffix(b.String(), " ")
}

func TestSpanTags(t *testing.T) {
	errorTag := func(v string) spandrel.Span { return spandrel.Span{Tags: []spandrel.Tag{tag("error", v)}} }
	tests := []struct {
		name string
		span spandrel.Span
		want string
	}{
		{"error true", errorTag("true"), `error=bool "true" otel.status_code="ERROR"`},
		{"error empty", errorTag(""), `error=bool "true" otel.status_code="ERROR"`},
		{"error text", errorTag("boom"), `error="boom" error=bool "true" otel.status_code="ERROR"`},
		{"error false", errorTag("false"), `error=bool "false"`},
		{"error false, but the status says otherwise", spandrel.Span{Status: spandrel.StatusError, Tags: []spandrel.Tag{tag("error", "false")}},
			`error="false" error=bool "true" otel.status_code="ERROR"`},
		{"error true, but the status says otherwise", spandrel.Span{Status: spandrel.StatusOK, Tags: []spandrel.Tag{tag("error", "true")}},
			`error="true" otel.status_code="OK"`},
		{"error as a bool", spandrel.Span{Tags: []spandrel.Tag{{Key: "error", Value: spandrel.BoolValue(true)}}}, `error=bool "true" otel.status_code="ERROR"`},
		{"status error", spandrel.Span{Status: spandrel.StatusError, StatusMessage: "no"}, `error=bool "true" otel.status_code="ERROR" otel.status_description="no"`},
		{"kind", spandrel.Span{Kind: spandrel.KindProducer}, `span.kind="producer"`},
		{"kind, sent as a tag too", spandrel.Span{Kind: spandrel.KindClient, Tags: []spandrel.Tag{tag("span.kind", "client")}}, `span.kind="client"`},
		{"kind, sent as another tag too", spandrel.Span{Kind: spandrel.KindClient, Tags: []spandrel.Tag{tag("span.kind", "server")}}, `span.kind="client" span.kind="server"`},
		{"kind as a tag alone", spandrel.Span{Tags: []spandrel.Tag{tag("span.kind", "internal")}}, `span.kind="internal"`},
		{"endpoints", spandrel.Span{Local: endpoint("a", "10.0.0.1", 80), Remote: endpoint("b", "10.0.0.2", 0)},
			`net.host.ip="10.0.0.1" net.host.port=int "80" net.peer.ip="10.0.0.2" peer.service="b"`},
		{"a port sent as a tag too has its type once", spandrel.Span{Local: endpoint("a", "", 80), Tags: []spandrel.Tag{tag("net.host.port", "80")}}, `net.host.port=int "80"`},
		{"sorted by key, type, value; exact duplicates once", spandrel.Span{Tags: []spandrel.Tag{
			{Key: "k", Value: spandrel.IntValue(10)}, {Key: "k", Value: spandrel.IntValue(-9)}, {Key: "k", Value: spandrel.FloatValue(2)},
			{Key: "k", Value: spandrel.FloatValue(-10)}, {Key: "k", Value: spandrel.BoolValue(true)}, tag("k", "b"), tag("k", "a"), tag("k", "b"), tag("a", "")}},
			`a="" k="a" k="b" k=bool "true" k=int "-9" k=int "10" k=float "-10" k=float "2"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, show(appendSpanTags(nil, &tt.span))); diff != "" {
				t.Error(diff)
			}
			kept := []spandrel.Tag{tag("z", "kept")}
			if got := appendSpanTags(kept, &tt.span); got[0] != kept[0] || show(got[1:]) != tt.want {
				t.Errorf("appended to others: %s", show(got))
			}
		})
	}
}

func TestEveryFieldThatIsSearchedIsShown(t *testing.T) {
	for _, s := range bookinfo() {
		shown := appendSpanTags(nil, &s)
		for _, key := range spandrel.FieldTags {
			text, ok := s.FieldTag(key)
			found := false
			for _, t := range shown {
				found = found || t.Key == key && t.Value.String() == text
			}
			if ok && !found {
				t.Errorf("%s: search finds %s=%s, which is not among %s", s.Name, key, text, show(shown))
			}
		}
	}
}

func TestLogFields(t *testing.T) {
	tests := []struct {
		name  string
		event spandrel.Event
		want  string
	}{
		{"a name alone", spandrel.Event{Name: "a|b|c"}, `event="a|b|c"`},
		{"name first, fields sorted", spandrel.Event{Name: "z", Fields: []spandrel.Tag{tag("b", "2"), tag("a", "1")}}, `event="z" a="1" b="2"`},
		{"the name among the fields", spandrel.Event{Name: "z", Fields: []spandrel.Tag{tag("event", "z"), tag("event", "y")}}, `event="z" event="y"`},
		{"no name", spandrel.Event{Fields: []spandrel.Tag{tag("message", "m"), tag("level", "l")}}, `level="l" message="m"`},
		{"nothing", spandrel.Event{}, ``},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, show(appendLogFields(nil, &tt.event))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReferences(t *testing.T) {
	const follows, child = spandrel.LinkFollowsFrom, spandrel.LinkChildOf
	link := func(trace uint64, id spandrel.SpanID, kind spandrel.LinkType) spandrel.Link {
		return spandrel.Link{TraceID: spandrel.TraceID{Low: trace}, ID: id, Type: kind}
	}
	tests := []struct {
		name   string
		parent spandrel.SpanID
		links  []spandrel.Link
		want   string
	}{
		{"none", 0, nil, ""},
		{"the parent first", 7, []spandrel.Link{link(2, 9, follows), link(1, 8, child)}, "child 1/7, follows 2/9, child 1/8"},
		{"the parent once", 7, []spandrel.Link{link(1, 7, child), link(1, 7, follows)}, "child 1/7, follows 1/7"},
		{"without a parent, a child-of of the trace first", 0, []spandrel.Link{link(2, 9, child), link(1, 9, follows), link(1, 8, child)}, "child 1/8, follows 1/9, child 2/9"},
		{"or another one of the trace", 0, []spandrel.Link{link(2, 9, child), link(1, 9, follows)}, "follows 1/9, child 2/9"},
		{"links to no trace go", 0, []spandrel.Link{link(0, 9, child)}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			trace := query.AsStored([]spandrel.Span{{TraceID: spandrel.TraceID{Low: 1}, ID: 1, ParentID: tt.parent, Links: tt.links}})
			var got []string
			for _, r := range appendReferences(nil, &trace.Spans[0]) {
				got = append(got, fmt.Sprintf("%s %d/%d", map[spandrel.LinkType]string{follows: "follows", child: "child"}[r.kind], r.traceID.Low, r.spanID))
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, ", ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}
