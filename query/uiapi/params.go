package uiapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/query"
)

// Bounds and defaults of what can be asked for.
const (
	searchLookback   = 48 * time.Hour // as in Jaeger
	rangeLookback    = time.Hour
	defaultLimit     = 20
	maxSearchLimit   = 1500
	maxLookbackMicro = math.MaxInt64 / 1000
)

// rangeOf reads start, end and lookback as nanoseconds, both inclusive.
func (a *api) rangeOf(v url.Values, lookback time.Duration) (from, to int64, err error) {
	to = a.now().UnixNano()
	if text := v.Get("end"); text != "" {
		micros, err := parseMicros("end", text)
		if err != nil {
			return 0, 0, err
		}
		to = micros*1000 + 999
	}
	if text := v.Get("lookback"); text != "" {
		if lookback, err = parseLookback(text); err != nil {
			return 0, 0, badParam("lookback", err.Error())
		}
	}
	from = max(0, to-int64(lookback))
	if text := v.Get("start"); text != "" {
		micros, err := parseMicros("start", text)
		if err != nil {
			return 0, 0, err
		}
		from = micros * 1000
	}
	if from > to {
		return 0, 0, badParam("start", "is after end")
	}
	return from, to, nil
}

func parseMicros(name, text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n >= maxLookbackMicro {
		return 0, badParam(name, fmt.Sprintf("%q is no number of microseconds since 1970", text))
	}
	return n, nil
}

// parseLookback reads a duration, also in days and weeks.
func parseLookback(text string) (time.Duration, error) {
	unit := map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour}[text[len(text)-1]]
	if unit == 0 {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return 0, fmt.Errorf("%q is no duration such as 15m, 2h, 2d or 1w", text)
		}
		return d, nil
	}
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 16)
	if err != nil || time.Duration(n) > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is no duration such as 15m, 2h, 2d or 1w", text)
	}
	return time.Duration(n) * unit, nil
}

// conditions reads what search, tail and diff have in common, but times.
func conditions(v url.Values) (q spandrel.Query, errorsIn query.ErrorsIn, err error) {
	q.Service, q.Operation = v.Get("service"), v.Get("operation")
	if q.Tags, err = parseTags(v["tag"], v["tags"]); err != nil {
		return q, 0, err
	}
	for name, to := range map[string]*int64{"minDuration": &q.MinDuration, "maxDuration": &q.MaxDuration} {
		if text := v.Get(name); text != "" {
			d, err := time.ParseDuration(text)
			if err != nil || d < 0 {
				return q, 0, badParam(name, fmt.Sprintf("%q is no duration such as 1.2s, 100ms or 500us", text))
			}
			*to = int64(d)
		}
	}
	if q.MaxDuration != 0 && q.MaxDuration < q.MinDuration {
		return q, 0, badParam("maxDuration", "is less than minDuration")
	}
	if err := query.ParseConditions(&q, v.Get("q"), false); err != nil {
		return q, 0, badParam("q", err.Error())
	}
	switch text := v.Get("errors"); text {
	case "":
	case "trace":
		errorsIn = query.ErrorsInTrace
	case "span":
		errorsIn = query.ErrorsInSpan
	default:
		return q, 0, badParam("errors", fmt.Sprintf("%q is neither trace nor span", text))
	}
	return q, errorsIn, nil
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
			return nil, badParam("tag", fmt.Sprintf("%q is not key:value", text))
		}
		tags[key] = value
	}
	for _, text := range objects {
		if text == "" {
			continue
		}
		var object map[string]string
		if err := json.Unmarshal([]byte(text), &object); err != nil {
			return nil, badParam("tags", "is no JSON object of texts: "+err.Error())
		}
		maps.Copy(tags, object)
	}
	var list []spandrel.TagCondition
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, spandrel.TagCondition{Key: key, Value: tags[key]})
	}
	return list, nil
}

// number reads a number from 1 to most.
func number(v url.Values, name string, otherwise, most int) (int, error) {
	text := v.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, badParam(name, fmt.Sprintf("%q is no number from 1 to %d", text, most))
	}
	return n, nil
}

// traceID reads the id in the path.
func traceID(r *http.Request) (spandrel.TraceID, error) {
	id, err := spandrel.ParseTraceID(chi.URLParam(r, "id"))
	if err != nil {
		return id, badParam("id", err.Error())
	}
	return id, nil
}

// traceIDs reads a repeated parameter, each id once.
func traceIDs(v url.Values, name string, most int) (ids []spandrel.TraceID, err error) {
	seen := make(map[spandrel.TraceID]bool)
	for _, text := range v[name] {
		if text == "" {
			continue
		}
		id, err := spandrel.ParseTraceID(text)
		if err != nil {
			return nil, badParam(name, err.Error())
		}
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	if len(ids) > most {
		return nil, badParam(name, fmt.Sprintf("more than %d ids", most))
	}
	return ids, nil
}

// list reads a comma-separated list of texts, each once.
func list(v url.Values, name string, most int) ([]string, error) {
	var all []string
	for text := range strings.SplitSeq(v.Get(name), ",") {
		if text = strings.TrimSpace(text); text != "" && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	if len(all) > most {
		return nil, badParam(name, fmt.Sprintf("more than %d", most))
	}
	return all, nil
}
