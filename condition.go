package spandrel

import (
	"regexp"
	"strconv"
	"strings"
)

// Condition asks more of a span than a [TagCondition] can. It holds if some
// value that the span has under the key passes the test, or, negated, if none
// does.
type Condition struct {
	Field  Field
	Key    string // of a tag, for FieldTags as for others
	Op     Op
	Text   string         // OpEqual: the value; OpText: in lower case
	Number float64        // for the comparisons
	Regexp *regexp.Regexp // OpMatch
	Negate bool
}

// Field is what a Condition is about.
type Field uint8

// The fields. A tag is one of the span, of its resource or of one of its
// events, or one of the FieldTags, as for [Span.HasTag].
const (
	InTag Field = iota
	InService
	InOperation
	InAll // all texts of the span; only for OpText
)

// Op is how a Condition looks at a value.
type Op uint8

// The ops. The comparisons pass texts that are numbers.
const (
	OpHas Op = iota // passes anything
	OpEqual
	OpMatch // the regular expression is found in it
	OpLess
	OpAtMost
	OpMore
	OpAtLeast
	OpText // of InAll: it is found, in any case, in any text, in key=value, or is the span's id
)

// Passes reports whether the value passes the test.
func (c *Condition) Passes(value string) bool {
	switch c.Op {
	case OpHas:
		return true
	case OpEqual:
		return value == c.Text
	case OpMatch:
		return c.Regexp.MatchString(value)
	case OpText:
		return strings.Contains(strings.ToLower(value), c.Text)
	}
	n, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return false
	}
	switch c.Op {
	case OpLess:
		return n < c.Number
	case OpAtMost:
		return n <= c.Number
	case OpMore:
		return n > c.Number
	default:
		return n >= c.Number
	}
}

// Holds reports whether the span meets the condition.
func (c *Condition) Holds(s *Span) bool { return c.found(s) != c.Negate }

func (c *Condition) found(s *Span) bool {
	switch c.Field {
	case InService:
		return c.Passes(s.Service())
	case InOperation:
		return c.Passes(s.Name)
	case InAll:
		return c.Passes(s.Service()) || c.Passes(s.Name) || c.Text == s.ID.String() || c.inTags(s, "")
	}
	if c.inTags(s, c.Key) {
		return true
	}
	v, ok := s.FieldTag(c.Key)
	return ok && c.Passes(v)
}

// inTags looks at the values that the key has; "" = at all, and at the keys.
func (c *Condition) inTags(s *Span, key string) bool {
	if c.inList(s.Tags, key) || c.inList(s.Resource, key) {
		return true
	}
	for i := range s.Events {
		e := &s.Events[i]
		if (key == "event" || key == "") && e.Name != "" && c.Passes(e.Name) || c.inList(e.Fields, key) {
			return true
		}
	}
	return false
}

func (c *Condition) inList(tags []Tag, key string) bool {
	for i := range tags {
		t := &tags[i]
		if key == "" {
			text := t.Value.String()
			if c.Passes(t.Key) || c.Passes(text) || strings.Contains(c.Text, "=") && c.Passes(t.Key+"="+text) {
				return true
			}
		} else if t.Key == key && c.Passes(t.Value.String()) {
			return true
		}
	}
	return false
}

func (s *Span) holdAll(conditions []Condition) bool {
	for i := range conditions {
		if !conditions[i].Holds(s) {
			return false
		}
	}
	return true
}
