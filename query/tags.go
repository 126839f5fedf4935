package query

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// Bounds of what is looked at to complete a word.
const (
	keySpans    = 20_000
	valueSpans  = 300_000
	maxWord     = 256    // bytes of a key or value that can be completed
	maxDistinct = 20_000 // words that are counted at a time
)

// ScanInfo says what statistics are about: Spans spans, which began from From
// to the end of the range asked for. Complete: that is all of the range.
type ScanInfo struct {
	Spans    int     `json:"spans"`
	From     Instant `json:"from"`
	Complete bool    `json:"complete"`
}

// Word is a tag's key or value and how many spans have it.
type Word struct {
	Text  string
	Spans int
}

// Words is an answer to what there is to complete, most frequent first.
type Words struct {
	Words []Word
	More  bool
	Scan  ScanInfo
}

// WordQuery says what is to be completed.
type WordQuery struct {
	From, To int64  // of spans' starts, inclusive
	Service  string // "" = any
	Prefix   string // in any case
	Limit    int
}

// scan tells begin where what is looked at begins, and calls do for each span.
// Texts of spans live as long as somebody holds them.
func (s *Service) scan(ctx context.Context, r storage.ScanRange, o storage.Outline, begin func(from int64), do func(*spandrel.Span)) (info ScanInfo, err error) {
	scan, err := s.store.Scan(ctx, r, o)
	if err != nil {
		return info, err
	}
	info = ScanInfo{From: Instant(scan.From), Complete: scan.From <= r.From}
	begin(scan.From)
	for chunk, err := range scan.Chunks {
		if err != nil {
			return info, err
		}
		info.Spans += len(chunk)
		for i := range chunk {
			do(&chunk[i])
		}
	}
	return info, nil
}

// TagKeys lists the keys of tags.
func (s *Service) TagKeys(ctx context.Context, q WordQuery) (*Words, error) {
	c := newWordCounter(q.Prefix)
	refs, err := s.recent(ctx, q)
	if err != nil {
		return nil, err
	}
	words := &Words{}
	words.Scan.Complete = true
	for chunk, err := range s.store.Traces(ctx, refs) {
		if err != nil {
			return nil, err
		}
		if words.Scan.Spans >= keySpans {
			words.Scan.Complete = false
			break
		}
		for i := range chunk {
			span := &chunk[i]
			if q.Service != "" && span.Service() != q.Service {
				continue
			}
			words.Scan.Spans++
			words.Scan.From = earlier(words.Scan.From, span.Start)
			for k := range span.Tags {
				if k == 0 || span.Tags[k].Key != span.Tags[k-1].Key {
					c.add(span.Tags[k].Key)
				}
			}
			for k := range span.Resource {
				c.add(span.Resource[k].Key)
			}
		}
	}
	words.Scan.Complete = words.Scan.Complete && len(refs) < maxKeyTraces
	words.Words, words.More = c.list(q.Limit)
	return words, nil
}

// maxKeyTraces is of how many traces the keys are read.
const maxKeyTraces = 500

func earlier(t Instant, start int64) Instant {
	if t == 0 || start < int64(t) {
		return Instant(start)
	}
	return t
}

// recent lists the newest traces of a range.
func (s *Service) recent(ctx context.Context, q WordQuery) (refs []storage.TraceRef, err error) {
	search := spandrel.Query{Service: q.Service, MinStart: q.From, MaxStart: q.To, Limit: maxKeyTraces}
	for ref, err := range s.store.Search(ctx, search) {
		if err != nil {
			return nil, err
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// TagValues lists the values of the tags with the key, or the names of
// services or operations.
func (s *Service) TagValues(ctx context.Context, key string, q WordQuery) (*Words, error) {
	c := newWordCounter(q.Prefix)
	info, err := s.scan(ctx, storage.ScanRange{From: q.From, To: q.To, MaxSpans: valueSpans}, storage.Outline{Tags: []string{key, "error"}}, func(int64) {}, func(span *spandrel.Span) {
		if q.Service != "" && span.Service() != q.Service {
			return
		}
		switch key {
		case "service":
			c.add(span.Service())
		case "operation":
			c.add(span.Name)
		}
		found := false
		for i := range span.Tags {
			if span.Tags[i].Key == key {
				c.add(span.Tags[i].Value.String())
				found = true
			}
		}
		if text, ok := span.FieldTag(key); ok && !found {
			c.add(text)
		}
	})
	words := &Words{Scan: info}
	words.Words, words.More = c.list(q.Limit)
	return words, err
}

// wordCounter counts words that begin with a prefix.
type wordCounter struct {
	prefix string // in lower case
	counts map[string]int
	full   bool
}

func newWordCounter(prefix string) *wordCounter {
	return &wordCounter{prefix: strings.ToLower(prefix), counts: make(map[string]int)}
}

func (c *wordCounter) add(word string) {
	if _, ok := c.counts[word]; !ok {
		if word == "" || len(word) > maxWord || !strings.HasPrefix(strings.ToLower(word), c.prefix) {
			return
		}
		if len(c.counts) >= maxDistinct {
			c.full = true
			return
		}
		word = strings.Clone(word)
	}
	c.counts[word]++
}

func (c *wordCounter) list(limit int) (words []Word, more bool) {
	for _, word := range slices.Sorted(maps.Keys(c.counts)) {
		words = append(words, Word{word, c.counts[word]})
	}
	slices.SortStableFunc(words, func(a, b Word) int { return cmp.Compare(b.Spans, a.Spans) })
	if len(words) > limit {
		return words[:limit], true
	}
	return words, c.full
}
