package query

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// Skeleton is a trace without its details, in columns. Its rows are the spans
// in depth-first order: parents before their children, siblings by start.
type Skeleton struct {
	ID              spandrel.TraceID
	Start, Duration int64 // from the first start to the last end
	Errors          int
	Roots, Orphans  int
	MaxDepth        int
	Rows            int

	Parent    []int32 // row, -1 = none
	Depth     []uint32
	Size      []uint32 // rows of the subtree
	Starts    []int64  // after Start
	Durations []int64
	Kind      []uint8
	Flags     []uint8 // bits below
	Proxy     []uint8
	Pair      []int32 // row of the other half of the call, -1 = none
	Shift     []int64 // to be added to the start to undo clock skew
	IDs       []spandrel.SpanID
	ViewIDs   []spandrel.SpanID
	Texts     []TextColumn
	Warnings  []RowWarning
}

// Bits of Skeleton.Flags.
const (
	RowError = 1 << iota
	RowShared
	RowDebug
	RowNoStart
	RowOrphan
	RowEvents
	RowLinks
	RowWarned
)

// TextColumn has a text for each row, by its number in Dict. Number 0 is the
// empty one, but for services and operations.
type TextColumn struct {
	Name   string
	Dict   []string
	Values []uint32
	index  map[string]uint32
}

// RowWarning is something that people should know about a row.
type RowWarning struct {
	Row  int    `json:"row"`
	Text string `json:"text"`
}

func (c *TextColumn) number(text string) uint32 {
	if text == "" && len(c.Dict) > 0 && c.Dict[0] == "" {
		return 0 // most texts of most traces
	}
	n, ok := c.index[text]
	if !ok {
		n = uint32(len(c.Dict))
		c.Dict = append(c.Dict, text)
		c.index[text] = n
	}
	return n
}

// factColumns are the columns made of Facts, in the order of factTexts.
var factColumns = [...]string{
	"status", "grpc", "response", "method", "path", "host", "upstream", "peer",
	"node", "app", "revision", "namespace", "retries", "request",
}

func factTexts(f *Facts) [len(factColumns)]string {
	return [...]string{
		f.Status, f.GRPC, f.Response, f.Method, f.Path, f.Host, f.Upstream, f.Peer,
		f.Node, f.App, f.Revision, f.Namespace, f.Retries, f.Request,
	}
}

// Revision is a number that changes with the trace, ErrNotFound where none of
// it is stored.
func (s *Service) Revision(ctx context.Context, id spandrel.TraceID) (uint64, error) {
	rev, err := s.store.Revision(ctx, id)
	if err == nil && rev == 0 {
		err = ErrNotFound
	}
	return rev, err
}

// Skeleton makes the skeleton of a trace, ErrNotFound where none of it is
// stored, with columns for tags besides those that all have.
func (s *Service) Skeleton(ctx context.Context, id spandrel.TraceID, tags []string) (*Skeleton, error) {
	outline := storage.Outline{Tags: slices.Concat(factTags, tags), Rare: true}
	trace, _, err := s.outlined(ctx, id, outline)
	if err != nil {
		return nil, err
	}
	b := newSkeleton(trace, tags)
	if s.maxSkew > 0 {
		b.shift(s)
	}
	return &b.Skeleton, nil
}

// ErrTooLarge says that a trace has more spans than can be shown.
var ErrTooLarge = errors.New("trace too large")

const defaultMaxRows = 2_000_000

// outlined makes a trace of outlines, as it is at least at the revision.
func (s *Service) outlined(ctx context.Context, id spandrel.TraceID, o storage.Outline) (t *Trace, revision uint64, err error) {
	if revision, err = s.Revision(ctx, id); err != nil {
		return nil, 0, err
	}
	spans := make([]spandrel.Span, 0, min(revision, uint64(s.maxRows)))
	for chunk, err := range s.store.Outlines(ctx, []storage.TraceRef{{ID: id}}, o) {
		if err != nil {
			return nil, 0, err
		}
		if len(spans)+len(chunk) > s.maxRows {
			return nil, 0, fmt.Errorf("%w: it has more than %d spans", ErrTooLarge, s.maxRows)
		}
		spans = append(spans, chunk...)
	}
	if len(spans) == 0 {
		return nil, 0, ErrNotFound
	}
	return Assemble(spans), revision, nil
}

// skeletonBuilder makes a Skeleton of a trace.
type skeletonBuilder struct {
	Skeleton
	trace *Trace
	order []int32 // of Trace.Spans, by row
	row   []int32 // by index in Trace.Spans
	facts map[*spandrel.Tag]factNumbers
}

// factNumbers are the numbers of one set of tags in the text columns.
type factNumbers struct {
	texts []uint32
	proxy uint8
}

func newSkeleton(t *Trace, tags []string) *skeletonBuilder {
	n := len(t.Spans)
	b := &skeletonBuilder{trace: t, facts: make(map[*spandrel.Tag]factNumbers)}
	b.ID, b.Rows = t.ID, n
	b.Start = t.Spans[0].Start
	b.walk()
	b.Starts, b.Durations = make([]int64, n), make([]int64, n)
	b.Kind, b.Flags, b.Proxy = make([]uint8, n), make([]uint8, n), make([]uint8, n)
	b.IDs, b.ViewIDs = make([]spandrel.SpanID, n), make([]spandrel.SpanID, n)
	for _, name := range slices.Concat([]string{"service", "operation"}, factColumns[:], tagColumns(tags)) {
		c := TextColumn{Name: name, Values: make([]uint32, n), index: make(map[string]uint32)}
		if len(b.Texts) >= 2 {
			c.number("")
		}
		b.Texts = append(b.Texts, c)
	}
	for row, i := range b.order {
		b.fill(row, &t.Spans[i], tags)
	}
	b.pair()
	return b
}

func tagColumns(tags []string) []string {
	names := make([]string, len(tags))
	for i, key := range tags {
		names[i] = "tag:" + key
	}
	return names
}

// walk puts the spans in order and fills in the columns of the tree.
func (b *skeletonBuilder) walk() {
	spans := b.trace.Spans
	n := len(spans)
	first, next := make([]int32, n+1), make([]int32, n) // child, sibling; -1 = none; the last is above all roots
	for i := range first {
		first[i] = -1
	}
	for i := n - 1; i >= 0; i-- {
		parent := spans[i].Parent
		if parent < 0 {
			parent = n
		}
		next[i] = first[parent]
		first[parent] = int32(i)
	}
	b.order, b.row = make([]int32, 0, n), make([]int32, n)
	b.Parent, b.Depth, b.Size = make([]int32, n), make([]uint32, n), make([]uint32, n)
	for at := first[n]; at >= 0; {
		row := int32(len(b.order))
		b.order, b.row[at] = append(b.order, at), row
		b.Parent[row], b.Size[row] = -1, 1
		if parent := spans[at].Parent; parent >= 0 {
			b.Parent[row] = b.row[parent]
			b.Depth[row] = b.Depth[b.Parent[row]] + 1
			b.MaxDepth = max(b.MaxDepth, int(b.Depth[row]))
		}
		if first[at] >= 0 {
			at = first[at]
			continue
		}
		for at >= 0 && next[at] < 0 {
			at = int32(spans[at].Parent)
		}
		if at >= 0 {
			at = next[at]
		}
	}
	for row := n - 1; row >= 0; row-- {
		if p := b.Parent[row]; p >= 0 {
			b.Size[p] += b.Size[row]
		}
	}
}

// fill fills in what a span says of itself.
func (b *skeletonBuilder) fill(row int, s *Span, tags []string) {
	b.Starts[row], b.Durations[row] = s.Start-b.Start, s.Duration
	b.Duration = max(b.Duration, b.Starts[row]+s.Duration)
	b.Kind[row], b.IDs[row], b.ViewIDs[row] = uint8(s.Kind), s.ID, s.ViewID
	b.Texts[0].Values[row] = b.Texts[0].number(s.Service())
	b.Texts[1].Values[row] = b.Texts[1].number(s.Name)
	if len(s.Tags) > 0 {
		numbers := b.numbers(s.Tags, tags)
		for i, n := range numbers.texts {
			b.Texts[2+i].Values[row] = n
		}
		b.Proxy[row] = numbers.proxy
	}
	b.Flags[row] = b.rowFlags(s)
	for _, w := range s.Warnings {
		if len(b.Warnings) < maxRowWarnings {
			b.Warnings = append(b.Warnings, RowWarning{row, w})
		}
	}
}

const maxRowWarnings = 1000

func (b *skeletonBuilder) rowFlags(s *Span) (flags uint8) {
	if s.IsError() {
		flags |= RowError
		b.Errors++
	}
	if s.Flags&spandrel.FlagShared != 0 {
		flags |= RowShared
	}
	if s.Flags&spandrel.FlagDebug != 0 {
		flags |= RowDebug
	}
	if s.Flags&spandrel.FlagNoStart != 0 {
		flags |= RowNoStart
	}
	if s.Parent < 0 {
		if s.ViewParentID != 0 {
			flags |= RowOrphan
			b.Orphans++
		} else {
			b.Roots++
		}
	}
	if slices.ContainsFunc(s.Events, func(e spandrel.Event) bool { return e.Name != "cr" && e.Name != "ss" }) {
		flags |= RowEvents
	}
	if len(s.Links) > 0 {
		flags |= RowLinks
	}
	if len(s.Warnings) > 0 {
		flags |= RowWarned
	}
	return flags
}

// numbers are those of the tags' texts. Spans often share their tags.
func (b *skeletonBuilder) numbers(list []spandrel.Tag, tags []string) factNumbers {
	if known, ok := b.facts[&list[0]]; ok && len(known.texts) > 0 {
		return known
	}
	facts := FactsOf(list)
	f := factNumbers{texts: make([]uint32, 0, len(factColumns)+len(tags))}
	for i, text := range factTexts(&facts) {
		f.texts = append(f.texts, b.Texts[2+i].number(text))
	}
	for i, key := range tags {
		text := ""
		for k := range list {
			if list[k].Key == key {
				text = list[k].Value.String()
				break
			}
		}
		f.texts = append(f.texts, b.Texts[2+len(factColumns)+i].number(text))
	}
	if facts.Proxy {
		f.proxy = 1
	}
	if len(b.facts) < maxSharedTags {
		b.facts[&list[0]] = f
	}
	return f
}

// maxSharedTags bounds the sets of tags whose numbers are remembered.
const maxSharedTags = 1 << 16

// pair finds the two halves of calls.
func (b *skeletonBuilder) pair() {
	b.Pair = make([]int32, b.Rows)
	for row := range b.Pair {
		b.Pair[row] = -1
	}
	for row, kind := range b.Kind {
		parent := b.Parent[row]
		if parent < 0 || !isAnswer(spandrel.Kind(kind), spandrel.Kind(b.Kind[parent])) {
			continue
		}
		b.Pair[row] = parent
		b.Pair[parent] = int32(row) // the last to start wins
	}
}

func isAnswer(child, parent spandrel.Kind) bool {
	return child == spandrel.KindServer && parent == spandrel.KindClient ||
		child == spandrel.KindConsumer && parent == spandrel.KindProducer
}

// shift notes how the clocks of hosts differ, if they do. It changes the
// trace, of which all else has been read.
func (b *skeletonBuilder) shift(s *Service) {
	AdjustClockSkew(b.trace, s.maxSkew)
	for row, i := range b.order {
		by := b.trace.Spans[i].Start - b.Start - b.Starts[row]
		if by != 0 && b.Shift == nil {
			b.Shift = make([]int64, b.Rows)
		}
		if by != 0 {
			b.Shift[row] = by
		}
	}
}

// maxDetails bounds the spans of which details are given at a time.
const maxDetails = 2000

// Details gives the spans of a trace with the ids that were sent, whole and
// assembled, and which ids have none. Where very many have these ids, it leaves
// some out.
func (s *Service) Details(ctx context.Context, id spandrel.TraceID, ids []spandrel.SpanID) (spans []Span, missing []spandrel.SpanID, err error) {
	left := maxDetails
	byID := make(map[spandrel.SpanID][]spandrel.Span, len(ids))
	for chunk, err := range s.store.Spans(ctx, id, ids) {
		if err != nil {
			return nil, nil, err
		}
		if left == 0 {
			break
		}
		chunk = chunk[:min(left, len(chunk))]
		left -= len(chunk)
		for i := range chunk {
			byID[chunk[i].ID] = append(byID[chunk[i].ID], chunk[i])
		}
	}
	for _, id := range ids {
		group := byID[id]
		if len(group) == 0 {
			missing = append(missing, id)
			continue
		}
		spans = append(spans, Assemble(group).Spans...)
	}
	return spans, missing, nil
}
