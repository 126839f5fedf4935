package uiapi

import (
	"encoding/base64"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/query"
)

// spanJSON is everything about a span.
type spanJSON struct {
	ID            string        `json:"id"`
	View          string        `json:"view"`
	Parent        string        `json:"parent,omitempty"`
	Service       string        `json:"service"`
	Operation     string        `json:"operation"`
	Kind          string        `json:"kind,omitempty"`
	Start         query.Instant `json:"start"`
	StartNs       string        `json:"startNs"`
	Duration      query.Micros  `json:"duration"`
	Error         bool          `json:"error"`
	Status        string        `json:"status,omitempty"`
	StatusMessage string        `json:"statusMessage,omitempty"`
	Shared        bool          `json:"shared,omitempty"`
	Debug         bool          `json:"debug,omitempty"`
	NoStart       bool          `json:"noStart,omitempty"`
	Tags          []tagJSON     `json:"tags"`
	Events        []eventJSON   `json:"events"`
	Links         []linkJSON    `json:"links,omitempty"`
	Process       []tagJSON     `json:"process,omitempty"`
	Local         *endpointJSON `json:"local,omitempty"`
	Remote        *endpointJSON `json:"remote,omitempty"`
	Scope         *scopeJSON    `json:"scope,omitempty"`
	TraceState    string        `json:"traceState,omitempty"`
	Warnings      []string      `json:"warnings,omitempty"`
}

type tagJSON struct {
	Key   string `json:"key"`
	Type  string `json:"type"`
	Value any    `json:"value"`
}

type eventJSON struct {
	Time   query.Instant `json:"time"`
	Name   string        `json:"name"`
	Fields []tagJSON     `json:"fields,omitempty"`
}

type linkJSON struct {
	TraceID    string    `json:"traceId"`
	SpanID     string    `json:"spanId"`
	Type       string    `json:"type"`
	TraceState string    `json:"traceState,omitempty"`
	Tags       []tagJSON `json:"tags,omitempty"`
}

type endpointJSON struct {
	Service string `json:"service,omitempty"`
	IP      string `json:"ip,omitempty"`
	IPv6    string `json:"ipv6,omitempty"`
	Port    uint16 `json:"port,omitempty"`
}

type scopeJSON struct {
	Name    string    `json:"name"`
	Version string    `json:"version,omitempty"`
	Tags    []tagJSON `json:"tags,omitempty"`
}

func newSpanJSON(s *query.Span) spanJSON {
	out := spanJSON{
		ID: s.ID.String(), View: s.ViewID.String(), Service: s.Service(), Operation: s.Name, Kind: s.Kind.String(),
		Start: query.Instant(s.Start), StartNs: strconv.FormatInt(s.Start, 10), Duration: query.Micros(s.Duration),
		Error: s.IsError(), StatusMessage: s.StatusMessage,
		Shared: s.Flags&spandrel.FlagShared != 0, Debug: s.Flags&spandrel.FlagDebug != 0, NoStart: s.Flags&spandrel.FlagNoStart != 0,
		Tags: tagsJSON(s.Tags), Events: make([]eventJSON, len(s.Events)), Process: tagsJSON(s.Resource),
		Local: newEndpointJSON(s.Local), Remote: newEndpointJSON(s.Remote),
		TraceState: s.TraceState, Warnings: slices.Clone(s.Warnings),
	}
	if s.ParentID != 0 {
		out.Parent = s.ParentID.String()
	}
	out.Status = [...]string{"", "ok", "error"}[min(s.Status, spandrel.StatusError)]
	for i, e := range s.Events {
		out.Events[i] = eventJSON{query.Instant(e.Time), e.Name, tagsJSON(e.Fields)}
	}
	for i := range s.Links {
		l := &s.Links[i]
		out.Links = append(out.Links, linkJSON{l.TraceID.String(), l.ID.String(), linkType(l.Type), l.TraceState, tagsJSON(l.Tags)})
		if l.TraceID.IsZero() {
			out.Warnings = append(out.Warnings, fmt.Sprintf("a link names span %v of no trace", l.ID))
		}
	}
	if s.Scope.Name != "" || s.Scope.Version != "" || len(s.Scope.Tags) > 0 {
		out.Scope = &scopeJSON{s.Scope.Name, s.Scope.Version, tagsJSON(s.Scope.Tags)}
	}
	if out.NoStart {
		out.Warnings = append(out.Warnings, "the span came without a start time; the one shown is when it arrived")
	}
	return out
}

func linkType(t spandrel.LinkType) string {
	if t == spandrel.LinkChildOf {
		return "child_of"
	}
	return "follows_from"
}

func newEndpointJSON(e spandrel.Endpoint) *endpointJSON {
	if e.IsZero() {
		return nil
	}
	text := func(ip netip.Addr) string {
		if ip.IsValid() {
			return ip.String()
		}
		return ""
	}
	return &endpointJSON{e.Service, text(e.IPv4), text(e.IPv6), e.Port}
}

func tagsJSON(tags []spandrel.Tag) []tagJSON {
	out := make([]tagJSON, len(tags))
	for i := range tags {
		kind, value := jsonValue(tags[i].Value)
		out[i] = tagJSON{tags[i].Key, kind, value}
	}
	return out
}

// maxSafeInt is the largest integer that JavaScript's numbers can hold.
const maxSafeInt = 1<<53 - 1

// jsonValue is a tag's value as JSON can have it, and its type.
func jsonValue(v spandrel.Value) (kind string, value any) {
	switch v.Kind() {
	case spandrel.ValueBool:
		return "bool", v.Bool()
	case spandrel.ValueInt:
		if n := v.Int(); n > maxSafeInt || n < -maxSafeInt {
			return "int64", strconv.FormatInt(n, 10)
		}
		return "int64", v.Int()
	case spandrel.ValueFloat:
		return "float64", jsonFloat(v.Float())
	case spandrel.ValueBytes:
		return "binary", base64.StdEncoding.EncodeToString([]byte(v.Raw()))
	}
	return "string", v.Raw()
}

// jsonFloat is a number, or the text that protobuf's JSON has for one that
// JSON lacks.
func jsonFloat(f float64) any {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return f
}
