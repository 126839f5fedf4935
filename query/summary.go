package query

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// Bounds of what a Summary looks at and tells.
const (
	maxSummarySpans    = 100_000
	maxSummaryServices = 100
	maxColumnValues    = 5   // of a tag
	maxColumnBytes     = 256 // of a value
)

// Summary is what a list of traces shows of one.
type Summary struct {
	ID       string           `json:"id"`
	Start    Instant          `json:"start"`
	Duration Micros           `json:"duration"`
	Spans    int              `json:"spans"`
	Errors   int              `json:"errors"`
	Roots    int              `json:"roots"`
	Orphans  int              `json:"orphans"` // spans whose parent is not stored
	Root     SpanSummary      `json:"root"`
	Services []ServiceSummary `json:"services"`
	// MoreServices is how many are not listed.
	MoreServices int            `json:"moreServices,omitempty"`
	Statuses     map[string]int `json:"statuses,omitempty"`
	Flags        map[string]int `json:"flags,omitempty"`
	// Columns are the first few values of the tags that were asked for.
	Columns map[string][]string `json:"columns,omitempty"`
	Matched Instant             `json:"matched"`
	Partial bool                `json:"partial,omitempty"` // some spans were only counted
}

// SpanSummary is what a list of traces shows of the span that began one.
type SpanSummary struct {
	ID        string `json:"id"`
	Service   string `json:"service"`
	Operation string `json:"operation"`
	Kind      string `json:"kind,omitempty"`
	Duration  Micros `json:"duration"`
	Error     bool   `json:"error"`
	Status    string `json:"status,omitempty"`
	Flags     string `json:"flags,omitempty"`
	Method    string `json:"method,omitempty"`
	Path      string `json:"path,omitempty"`
	Host      string `json:"host,omitempty"`
}

// ServiceSummary is a service's part in a trace.
type ServiceSummary struct {
	Name      string   `json:"name"`
	Namespace string   `json:"namespace,omitempty"`
	Spans     int      `json:"spans"`
	Errors    int      `json:"errors"`
	Revisions []string `json:"revisions,omitempty"`
}

// summarise makes the summary of a trace of its spans, at least one, in
// outline with the factTags and the columns. more is how many there are besides.
func summarise(all []spandrel.Span, more int, columns []string) Summary {
	spans := spandrel.Assemble(all)
	s := Summary{ID: spans[0].TraceID.String(), Start: Instant(spans[0].Start), Spans: len(spans) + more, Partial: more > 0}
	root, end := -1, spans[0].Start
	services := make(map[string]int)
	for i, parent := range spandrel.Parents(spans) {
		span := spans[i]
		facts := FactsOf(span.Tags)
		end = max(end, span.Start+span.Duration)
		switch {
		case parent >= 0:
		case span.ParentID == 0 || span.ParentID == span.ID:
			if s.Roots++; s.Roots == 1 {
				root = i
			}
		default:
			if s.Orphans++; root < 0 {
				root = i
			}
		}
		s.add(services, span, &facts)
		if len(columns) > 0 {
			s.addColumns(span.Tags, columns)
		}
	}
	s.Duration = Micros(end - int64(s.Start))
	s.Root = spanSummary(spans[max(root, 0)])
	return s
}

// add counts a span.
func (s *Summary) add(services map[string]int, span *spandrel.Span, facts *Facts) {
	failed := span.IsError()
	if failed {
		s.Errors++
	}
	count(&s.Statuses, facts.Status, "")
	count(&s.Flags, facts.Response, "-")
	at, ok := services[span.Service()]
	if !ok {
		at = len(s.Services)
		services[span.Service()] = at
		if at >= maxSummaryServices {
			s.MoreServices++
			return
		}
		s.Services = append(s.Services, ServiceSummary{Name: span.Service()})
	}
	if at >= maxSummaryServices {
		return
	}
	service := &s.Services[at]
	service.Spans++
	if failed {
		service.Errors++
	}
	if service.Namespace == "" {
		service.Namespace = facts.Namespace
	}
	if r := facts.Revision; r != "" && !slices.Contains(service.Revisions, r) && len(service.Revisions) < 20 {
		service.Revisions = append(service.Revisions, r)
	}
}

// addColumns notes values of tags that were not there yet.
func (s *Summary) addColumns(tags []spandrel.Tag, columns []string) {
	for i := range tags {
		key := tags[i].Key
		values := s.Columns[key]
		if len(values) == maxColumnValues || !slices.Contains(columns, key) {
			continue
		}
		text := tags[i].Value.String()
		if len(text) > maxColumnBytes {
			text = strings.ToValidUTF8(text[:maxColumnBytes], "") + "…"
		}
		if slices.Contains(values, text) {
			continue
		}
		if s.Columns == nil {
			s.Columns = make(map[string][]string)
		}
		s.Columns[key] = append(values, strings.Clone(text))
	}
}

// maxCounted bounds the distinct values that are counted of a trace.
const maxCounted = 50

// count counts a value that says something.
func count(counts *map[string]int, value, nothing string) {
	if value == "" || value == nothing {
		return
	}
	if *counts == nil {
		*counts = make(map[string]int)
	}
	if _, ok := (*counts)[value]; ok || len(*counts) < maxCounted {
		(*counts)[value]++
	}
}

func spanSummary(s *spandrel.Span) SpanSummary {
	f := FactsOf(s.Tags)
	out := SpanSummary{
		ID: s.ID.String(), Service: s.Service(), Operation: s.Name, Kind: s.Kind.String(), Duration: Micros(s.Duration),
		Error: s.IsError(), Status: f.Status, Method: f.Method, Path: f.Path, Host: f.Host,
	}
	if f.Response != "-" {
		out.Flags = f.Response
	}
	return out
}

// summaries yields the summaries of the traces in the order of refs, and
// nothing for those of which nothing is stored. Those of large traces are
// remembered until the trace changes.
func (s *Service) summaries(ctx context.Context, refs []storage.TraceRef, columns []string, yield func(Summary) bool) error {
	revisions := make([]uint64, len(refs)) // before the traces are read: no summary is taken for a later one
	for i, ref := range refs {
		var err error
		if revisions[i], err = s.store.Revision(ctx, ref.ID); err != nil {
			return err
		}
	}
	for first := 0; first < len(refs); {
		n, known := first, Summary{}
		for ; n < len(refs) && known.ID == ""; n++ {
			known = s.large.get(refs[n].ID, columns, revisions[n])
		}
		unknown := n
		if known.ID != "" {
			unknown--
		}
		goOn, err := s.readSummaries(ctx, refs[first:unknown], revisions[first:unknown], columns, yield)
		if err != nil || !goOn {
			return err
		}
		if known.ID != "" {
			known.Matched = Instant(refs[unknown].Start)
			if !yield(known) {
				return nil
			}
		}
		first = n
	}
	return nil
}

// readSummaries is summaries of traces that have to be read; it reports
// whether to go on.
func (s *Service) readSummaries(ctx context.Context, refs []storage.TraceRef, revisions []uint64, columns []string, yield func(Summary) bool) (goOn bool, err error) {
	if len(refs) == 0 {
		return true, nil
	}
	var spans []spandrel.Span
	more, next := 0, 0 // not kept; in refs
	flush := func() bool {
		if len(spans) == 0 {
			return true
		}
		for refs[next].ID != spans[0].TraceID {
			next++
		}
		summary := summarise(spans, more, columns)
		if len(spans)+more >= largeTrace {
			s.large.put(refs[next].ID, columns, revisions[next], summary)
		}
		summary.Matched = Instant(refs[next].Start)
		spans, more = spans[:0], 0
		return yield(summary)
	}
	for chunk, err := range s.store.Outlines(ctx, refs, storage.Outline{Tags: withColumns(columns)}) {
		if err != nil {
			return false, err
		}
		if len(spans) > 0 && spans[0].TraceID != chunk[0].TraceID && !flush() {
			return false, nil
		}
		if len(spans) >= maxSummarySpans {
			more += len(chunk)
			continue
		}
		spans = append(spans, chunk...)
	}
	return flush(), nil
}

// withColumns are the keys to read, each once.
func withColumns(columns []string) []string {
	keys := slices.Clip(factTags)
	for _, key := range columns {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Bounds of the summaries that are remembered.
const (
	largeTrace    = 5_000 // spans
	maxRemembered = 64
)

// summaryCache remembers summaries of large traces at a revision.
type summaryCache struct {
	mu   sync.Mutex
	list map[summaryKey]cachedSummary
}

type summaryKey struct {
	id      spandrel.TraceID
	columns string // joined
}

func keyOf(id spandrel.TraceID, columns []string) summaryKey {
	return summaryKey{id, strings.Join(columns, ",")}
}

type cachedSummary struct {
	revision uint64
	summary  Summary
}

// get gives a summary, one without an ID if that of the revision is not there.
func (c *summaryCache) get(id spandrel.TraceID, columns []string, revision uint64) Summary {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cached, ok := c.list[keyOf(id, columns)]; ok && cached.revision == revision {
		return cached.summary
	}
	return Summary{}
}

// put remembers a summary.
func (c *summaryCache) put(id spandrel.TraceID, columns []string, revision uint64, s Summary) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.list == nil {
		c.list = make(map[summaryKey]cachedSummary)
	}
	key := keyOf(id, columns)
	if _, ok := c.list[key]; !ok && len(c.list) >= maxRemembered {
		for other := range c.list {
			delete(c.list, other) // any
			break
		}
	}
	c.list[key] = cachedSummary{revision, s}
}

// ErrorsIn says which span of a trace must be an error.
type ErrorsIn uint8

// Any says nothing of errors.
const (
	Any           ErrorsIn = iota
	ErrorsInSpan           // the one that matches
	ErrorsInTrace          // one, whichever
)

// SearchResult is an answer to a search for summaries.
type SearchResult struct {
	Traces   []Summary `json:"traces"`
	Limit    int       `json:"limit"`
	More     bool      `json:"more"`
	Examined int       `json:"examined"`
	Complete bool      `json:"complete"`
	Missing  []string  `json:"missing,omitempty"`
}

// SearchSummaries gives the summaries of the newest q.Limit traces that have a
// span that q matches, with values of the tags whose keys are columns. q.Limit
// is not 0.
func (s *Service) SearchSummaries(ctx context.Context, q spandrel.Query, errorsIn ErrorsIn, columns ...string) (*SearchResult, error) {
	result := &SearchResult{Traces: []Summary{}, Limit: q.Limit, Complete: true}
	refs, err := s.findTraces(ctx, q, errorsIn, result)
	if err != nil {
		return nil, err
	}
	err = s.summaries(ctx, refs, columns, func(summary Summary) bool {
		result.Traces = append(result.Traces, summary)
		return true
	})
	return result, err
}

// TraceSummaries gives the summaries of traces by their ids.
func (s *Service) TraceSummaries(ctx context.Context, ids []spandrel.TraceID, columns ...string) (*SearchResult, error) {
	result := &SearchResult{Traces: []Summary{}, Limit: len(ids), Complete: true, Examined: len(ids)}
	refs := make([]storage.TraceRef, len(ids))
	for i, id := range ids {
		refs[i].ID = id
	}
	found := make(map[string]bool, len(ids))
	err := s.summaries(ctx, refs, columns, func(summary Summary) bool {
		found[summary.ID] = true
		result.Traces = append(result.Traces, summary)
		return true
	})
	for _, id := range ids {
		if text := id.String(); !found[text] {
			result.Missing = append(result.Missing, text)
		}
	}
	return result, err
}

// findTraces searches, at most q.Limit, and says in the result how it went.
func (s *Service) findTraces(ctx context.Context, q spandrel.Query, errorsIn ErrorsIn, result *SearchResult) (refs []storage.TraceRef, err error) {
	limit := q.Limit
	keep := func(storage.TraceRef) (bool, error) { return true, nil }
	most := 0 // traces to look at
	switch errorsIn {
	case ErrorsInSpan:
		q.Tags = append(slices.Clip(q.Tags), isError)
		q.Limit++
	case ErrorsInTrace:
		q.Limit = 0
		if keep, most, err = s.withErrors(ctx, &q); err != nil {
			return nil, err
		}
	default:
		q.Limit++
	}
	for ref, err := range s.store.Search(ctx, q) {
		if err != nil {
			return nil, err
		}
		if most > 0 && result.Examined == most {
			result.Complete = false
			break
		}
		result.Examined++
		ok, err := keep(ref)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if len(refs) == limit {
			result.More = true
			break
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

var isError = spandrel.TagCondition{Key: "error", Value: "true"}

// Bounds of a search for errors anywhere in the trace.
const (
	fewErrors   = 2_000          // traces with errors that are listed
	maxExamined = 50_000         // traces that are looked at one by one
	errorSlack  = int64(3600e9)  // how far from the matching span the error may be
	never       = int64(1) << 62 // a start that none has
)

// withErrors makes a test for traces that have an error. If they are few they
// are listed beforehand; else each is looked at, most of them at most.
func (s *Service) withErrors(ctx context.Context, q *spandrel.Query) (keep func(storage.TraceRef) (bool, error), most int, err error) {
	failed := spandrel.Query{Tags: []spandrel.TagCondition{isError}, MinStart: q.MinStart - errorSlack, Limit: fewErrors + 1}
	if q.MaxStart > 0 && q.MaxStart < never {
		failed.MaxStart = q.MaxStart + errorSlack
	}
	list := make(map[spandrel.TraceID]bool)
	for ref, err := range s.store.Search(ctx, failed) {
		if err != nil {
			return nil, 0, err
		}
		list[ref.ID] = true
	}
	if len(list) <= fewErrors {
		return func(ref storage.TraceRef) (bool, error) { return list[ref.ID], nil }, 0, nil
	}
	return func(ref storage.TraceRef) (bool, error) {
		if list[ref.ID] {
			return true, nil
		}
		for spans, err := range s.store.Outlines(ctx, []storage.TraceRef{ref}, storage.Outline{Tags: []string{"error"}}) {
			if err != nil {
				return false, err
			}
			if slices.ContainsFunc(spans, func(s spandrel.Span) bool { return s.IsError() }) {
				return true, nil
			}
		}
		return false, nil
	}, maxExamined, nil
}
