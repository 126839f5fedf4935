package jaegerapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spandrel/spandrel"
)

const (
	defaultLimit    = 100
	maxLimit        = 10_000 // what Kiali asks for at most
	defaultLookback = 48 * time.Hour
)

// search is a request for traces, by conditions or by id.
type search struct {
	query spandrel.Query
	ids   []spandrel.TraceID // each once; none = search
	raw   bool
}

// searchParams are those that make a search without a service one: at least
// one of them must be given. The page's "lookback" means nothing to Jaeger.
var searchParams = []string{"service", "operation", "tag", "tags", "minDuration", "maxDuration", "start", "end", "limit", "traceID"}

// parseSearch reads the parameters of GET /api/traces. Messages and the order
// of checks are those of query_parser.go in Jaeger 1.76. An empty parameter is
// as good as none.
func parseSearch(v url.Values, now time.Time) (s search, err error) {
	q := &s.query
	q.Service, q.Operation = v.Get("service"), v.Get("operation")
	if q.MinStart, q.MaxStart, err = parseRange(v, now); err != nil {
		return s, err
	}
	if q.Tags, err = parseTags(v["tag"], v["tags"]); err != nil {
		return s, err
	}
	if q.Limit, err = parseLimit(v.Get("limit")); err != nil {
		return s, err
	}
	if q.MinDuration, err = parseDuration(v, "minDuration"); err != nil {
		return s, err
	}
	if q.MaxDuration, err = parseDuration(v, "maxDuration"); err != nil {
		return s, err
	}
	if s.raw, err = parseBool(v, "raw"); err != nil {
		return s, err
	}
	if s.ids, err = parseIDs(v["traceID"]); err != nil {
		return s, err
	}
	return s, s.check(v)
}

func (s *search) check(v url.Values) error {
	given := func(name string) bool {
		return slices.ContainsFunc(v[name], func(value string) bool { return value != "" })
	}
	q := &s.query
	switch {
	case !slices.ContainsFunc(searchParams, given):
		return badRequest("parameter 'service' is required")
	case q.MinDuration != 0 && q.MaxDuration != 0 && q.MaxDuration < q.MinDuration:
		return badRequest("'maxDuration' should be greater than 'minDuration'")
	case q.MinStart > q.MaxStart && len(s.ids) == 0:
		return badRequest("min start time is above max")
	}
	return nil
}

// parseRange reads start and end, both inclusive, as nanoseconds. Where only
// the end is given, the search begins as long before it as it does before now,
// or before now where the end is yet to come.
func parseRange(v url.Values, now time.Time) (from, to int64, err error) {
	to = now.UnixNano()
	if micros, ok, err := parseInt(v, "end"); err != nil {
		return 0, 0, err
	} else if ok {
		to = endOfMicro(micros)
	}
	const lookback = int64(defaultLookback)
	from = max(min(to, now.UnixNano()), math.MinInt64+lookback) - lookback
	if micros, ok, err := parseInt(v, "start"); err != nil {
		return 0, 0, err
	} else if ok {
		from = scale(micros, time.Microsecond)
	}
	return from, to, nil
}

// endOfMicro is the last nanosecond of a microsecond. It is never 0, which
// would mean no bound.
func endOfMicro(micros int64) int64 {
	return min(scale(micros, time.Microsecond), math.MaxInt64-999) + 999
}

// scale is n units in nanoseconds, at most what an int64 can hold.
func scale(n int64, unit time.Duration) int64 {
	limit := math.MaxInt64 / int64(unit)
	return min(max(n, -limit), limit) * int64(unit)
}

// parseInt reads an optional integer.
func parseInt(v url.Values, name string) (n int64, given bool, err error) {
	text := v.Get(name)
	if text == "" {
		return 0, false, nil
	}
	if n, err = strconv.ParseInt(text, 10, 64); err != nil {
		return 0, false, badParam(name, err)
	}
	return n, true, nil
}

func parseBool(v url.Values, name string) (bool, error) {
	text := v.Get(name)
	if text == "" {
		return false, nil
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		return false, badParam(name, err)
	}
	return b, nil
}

func parseDuration(v url.Values, name string) (int64, error) {
	text := v.Get(name)
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, badParam(name, err)
	}
	return int64(d), nil
}

func parseLimit(text string) (int, error) {
	if text == "" {
		return defaultLimit, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, badRequest(err.Error())
	}
	return boundLimit(int(n)), nil
}

// boundLimit makes a limit of what a client asked for.
func boundLimit(n int) int {
	if n <= 0 {
		return defaultLimit
	}
	return min(n, maxLimit)
}

// parseTags reads "tag=key:value" and "tags={…}", which takes precedence.
func parseTags(simple, objects []string) ([]spandrel.TagCondition, error) {
	tags := make(map[string]string)
	for _, text := range simple {
		if text == "" {
			continue
		}
		key, value, ok := strings.Cut(text, ":")
		if !ok {
			return nil, badRequest("malformed 'tag' parameter, expecting key:value, received: " + text)
		}
		tags[key] = value
	}
	for _, text := range objects {
		if text == "" {
			continue
		}
		var object map[string]string
		if err := json.Unmarshal([]byte(text), &object); err != nil {
			return nil, badRequest("malformed 'tags' parameter, cannot unmarshal JSON: " + err.Error())
		}
		maps.Copy(tags, object)
	}
	return tagConditions(tags), nil
}

// tagConditions lists the tags, sorted by key.
func tagConditions(tags map[string]string) []spandrel.TagCondition {
	list := make([]spandrel.TagCondition, 0, len(tags))
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, spandrel.TagCondition{Key: key, Value: tags[key]})
	}
	return list
}

func parseIDs(texts []string) ([]spandrel.TraceID, error) {
	var ids []spandrel.TraceID
	for _, text := range texts {
		if text == "" {
			continue
		}
		id, err := parseTraceID(text)
		if err != nil {
			return nil, badRequest("cannot parse traceID param: " + err.Error())
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// parseTraceID reads 1 to 32 hexadecimal digits of either case. Its errors are
// in Jaeger's words, and like Jaeger it takes zero for an id like any other.
func parseTraceID(s string) (id spandrel.TraceID, err error) {
	if len(s) > 32 {
		return id, fmt.Errorf("TraceID cannot be longer than 32 hex characters: %s", s)
	}
	low := s
	if len(s) > 16 {
		low = s[len(s)-16:]
		if id.High, err = strconv.ParseUint(s[:len(s)-16], 16, 64); err != nil {
			return id, err
		}
	}
	id.Low, err = strconv.ParseUint(low, 16, 64)
	return id, err
}

// callsRange reads endTs and lookback, both in milliseconds, of GET
// /api/dependencies: one day up to now unless told otherwise.
func callsRange(v url.Values, now time.Time) (from, to time.Time, err error) {
	end, ok, err := parseInt(v, "endTs")
	if err != nil {
		return from, to, err
	}
	to = now
	if ok {
		to = time.Unix(0, scale(end, time.Millisecond))
	}
	lookback, ok, err := parseInt(v, "lookback")
	switch {
	case err != nil:
		return from, to, err
	case !ok:
		lookback = (24 * time.Hour).Milliseconds()
	case lookback < 0:
		return from, to, badRequest("'lookback' should not be negative")
	}
	from = to.Add(-time.Duration(scale(lookback, time.Millisecond)))
	if first := time.Unix(0, 0); from.Before(first) {
		from = first
	}
	return from, to, nil
}
