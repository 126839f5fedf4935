package spandrel

import "strconv"

// Query says which traces a search wants: those with at least one span that
// meets all conditions at once. A zero field is no condition.
type Query struct {
	Service   string // as [Span.Service] gives it, exact
	Operation string // Span.Name, exact
	Tags      []TagCondition
	Where     []Condition

	MinStart, MaxStart       int64 // of the matching span, inclusive
	MinDuration, MaxDuration int64 // of the matching span, inclusive

	// Limit is how many traces are wanted at most, 0 = all. It is applied
	// last: the answer is the newest Limit of all that match.
	Limit int
}

// TagCondition asks for a tag with the key and the value as text.
type TagCondition struct{ Key, Value string }

// Match reports whether one span meets every condition of q. It is the one
// definition of a match: stores may find candidates as they like but answer as
// if they had asked it about each span.
func (q *Query) Match(s *Span) bool {
	return (q.Service == "" || s.Service() == q.Service) &&
		(q.Operation == "" || s.Name == q.Operation) &&
		s.Start >= q.MinStart && (q.MaxStart == 0 || s.Start <= q.MaxStart) &&
		s.Duration >= q.MinDuration && (q.MaxDuration == 0 || s.Duration <= q.MaxDuration) &&
		s.meetsAll(q.Tags) && s.holdAll(q.Where)
}

func (s *Span) meetsAll(conditions []TagCondition) bool {
	for _, c := range conditions {
		if !s.HasTag(c.Key, c.Value) {
			return false
		}
	}
	return true
}

// HasTag reports whether a search for key=value finds the span: some tag of
// the span, of its resource or of one of its events has that key and that
// value as text, or the span's fields say the same (see [Span.FieldTag]).
func (s *Span) HasTag(key, value string) bool {
	if hasTag(s.Tags, key, value) || hasTag(s.Resource, key, value) {
		return true
	}
	for i := range s.Events {
		e := &s.Events[i]
		if key == "event" && e.Name == value && e.Name != "" || hasTag(e.Fields, key, value) {
			return true
		}
	}
	v, ok := s.FieldTag(key)
	return ok && v == value
}

func hasTag(tags []Tag, key, value string) bool {
	for i := range tags {
		if tags[i].Key == key && tags[i].Value.String() == value {
			return true
		}
	}
	return false
}

// FieldTags are the tags that Jaeger shows, and users search, for what a span
// holds in fields of its own.
var FieldTags = [...]string{
	"error", "span.kind", "peer.service",
	"net.host.ip", "net.host.port", "net.peer.ip", "net.peer.port",
	"otel.status_code", "otel.status_description",
	"otel.scope.name", "otel.scope.version", "w3c.tracestate",
}

// FieldTag is the text of one of the FieldTags, and false where the span has
// nothing to say. The names and texts are those of Jaeger 1.76
// (traces_to_jaegerproto.go of the OpenTelemetry translator it uses).
func (s *Span) FieldTag(key string) (string, bool) {
	text := ""
	switch key {
	case "error":
		if s.IsError() {
			text = "true"
		}
	case "span.kind":
		text = s.Kind.String()
	case "peer.service":
		text = s.Remote.Service
	case "net.host.ip":
		text = s.Local.ipText()
	case "net.host.port":
		text = s.Local.portText()
	case "net.peer.ip":
		text = s.Remote.ipText()
	case "net.peer.port":
		text = s.Remote.portText()
	case "otel.status_code":
		if s.IsError() {
			text = "ERROR"
		} else if s.Status == StatusOK {
			text = "OK"
		}
	case "otel.status_description":
		text = s.StatusMessage
	case "otel.scope.name":
		text = s.Scope.Name
	case "otel.scope.version":
		text = s.Scope.Version
	case "w3c.tracestate":
		text = s.TraceState
	}
	return text, text != ""
}

func (e Endpoint) ipText() string {
	if ip := e.IP(); ip.IsValid() {
		return ip.String()
	}
	return ""
}

func (e Endpoint) portText() string {
	if e.Port == 0 {
		return ""
	}
	return strconv.Itoa(int(e.Port))
}
