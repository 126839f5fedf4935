package query

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spandrel/spandrel"
)

// Bounds of what people may ask for in one query.
const (
	maxQueryBytes = 4 << 10
	maxConditions = 20
)

// ParseConditions adds what the text asks for to q. Its conditions are
// separated by spaces, all of them must hold; docs/ui-api.md has the grammar.
// With words, conditions without an operator are about any text of the span,
// else about the presence of a tag.
func ParseConditions(q *spandrel.Query, text string, words bool) error {
	if len(text) > maxQueryBytes {
		return fmt.Errorf("the query is longer than %d bytes", maxQueryBytes)
	}
	p := parser{text: text, words: words, q: q}
	for n := 0; ; n++ {
		p.spaces()
		if p.at == len(p.text) {
			return nil
		}
		if n == maxConditions {
			return fmt.Errorf("the query has more than %d conditions", maxConditions)
		}
		if err := p.condition(); err != nil {
			return err
		}
	}
}

type parser struct {
	text  string
	at    int
	words bool
	q     *spandrel.Query
}

func (p *parser) fail(what string) error {
	return fmt.Errorf("%s at position %d, after %q", what, p.at+1, p.text[max(0, p.at-20):p.at])
}

func (p *parser) spaces() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

func (p *parser) condition() error {
	var c spandrel.Condition
	if b := p.text[p.at]; b == '!' || b == '-' {
		c.Negate = true
		p.at++
	}
	key, quoted, err := p.word(" \t\r\n=!~<>")
	if err != nil {
		return err
	}
	if key == "" && !quoted {
		return p.fail("a key is expected")
	}
	c.Key = key
	before := p.at
	p.spaces()
	op := p.operator()
	if op == "" {
		p.at = before
		return p.bare(c, quoted)
	}
	p.spaces()
	value, valueQuoted, err := p.word(" \t\r\n")
	if err != nil {
		return err
	}
	if value == "" && !valueQuoted && op != "=" && op != "!=" {
		return p.fail("a value is expected")
	}
	if !quoted {
		switch key {
		case "duration":
			return p.duration(op, value, c.Negate)
		case "service":
			c.Field = spandrel.InService
		case "operation":
			c.Field = spandrel.InOperation
		}
	}
	return p.compare(c, op, value)
}

// word reads up to one of the bytes or, quoted, up to the quote.
func (p *parser) word(end string) (word string, quoted bool, err error) {
	if p.at == len(p.text) || p.text[p.at] != '"' {
		from := p.at
		for p.at < len(p.text) && strings.IndexByte(end, p.text[p.at]) < 0 {
			p.at++
		}
		return p.text[from:p.at], false, nil
	}
	var b strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return b.String(), true, nil
		case c == '\\' && p.at+1 < len(p.text):
			p.at++
			b.WriteByte(p.text[p.at])
		default:
			b.WriteByte(c)
		}
	}
	return "", true, p.fail("a quote is not closed")
}

var operators = [...]string{"!=", "!~", ">=", "<=", "=", "~", ">", "<"}

func (p *parser) operator() string {
	for _, op := range operators {
		if strings.HasPrefix(p.text[p.at:], op) {
			p.at += len(op)
			return op
		}
	}
	return ""
}

// bare adds a condition without an operator.
func (p *parser) bare(c spandrel.Condition, quoted bool) error {
	switch {
	case p.words:
		c.Field, c.Op, c.Text = spandrel.InAll, spandrel.OpText, strings.ToLower(c.Key)
	case c.Key == "error" && !quoted:
		c.Op, c.Text = spandrel.OpEqual, "true"
	default:
		c.Op = spandrel.OpHas
	}
	p.q.Where = append(p.q.Where, c)
	return nil
}

// compare adds a condition with an operator. That something is not equal is
// two conditions: there is a value, and it is not that.
func (p *parser) compare(c spandrel.Condition, op, value string) error {
	if op == "!=" || op == "!~" {
		if c.Negate {
			return p.fail("a condition is negated twice")
		}
		has := c
		has.Op = spandrel.OpHas
		p.q.Where = append(p.q.Where, has)
		c.Negate, op = true, op[1:]
	}
	var err error
	switch op {
	case "=":
		c.Op, c.Text = spandrel.OpEqual, value
	case "~":
		c.Op = spandrel.OpMatch
		if c.Regexp, err = regexp.Compile(value); err != nil {
			return p.fail(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
	default:
		c.Op = map[string]spandrel.Op{">": spandrel.OpMore, ">=": spandrel.OpAtLeast, "<": spandrel.OpLess, "<=": spandrel.OpAtMost}[op]
		if c.Number, err = strconv.ParseFloat(value, 64); err != nil || math.IsNaN(c.Number) {
			return p.fail("a number is expected")
		}
	}
	p.q.Where = append(p.q.Where, c)
	return nil
}

// duration narrows the query's durations.
func (p *parser) duration(op, value string, negate bool) error {
	d, err := parseMicros(value)
	if err != nil {
		return p.fail("a duration such as 150ms is expected")
	}
	if negate {
		op = map[string]string{">": "<=", ">=": "<", "<": ">=", "<=": ">"}[op]
	}
	low, high := p.q.MinDuration, p.q.MaxDuration
	if high == 0 {
		high = math.MaxInt64
	}
	switch op {
	case "=":
		low, high = max(low, d), min(high, d)
	case ">":
		low = max(low, d+1)
	case ">=":
		low = max(low, d)
	case "<":
		high = min(high, d-1)
	case "<=":
		high = min(high, d)
	default:
		return p.fail("durations can be compared with =, <, <=, > and >=")
	}
	if high <= 0 || low > high {
		return p.fail("no duration can be that")
	}
	p.q.MinDuration = low
	if high < math.MaxInt64 {
		p.q.MaxDuration = high
	}
	return nil
}

var errDuration = errors.New("not a duration")

// parseMicros reads a duration in Go's form, or a number of microseconds.
func parseMicros(text string) (int64, error) {
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		if n < 0 || n > math.MaxInt64/2000 || math.IsNaN(n) {
			return 0, errDuration
		}
		return int64(n * 1000), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, errDuration
	}
	return int64(d), nil
}
