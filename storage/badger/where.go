package badger

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// This file finds candidates for Query.Where, of which there are no terms: its
// conditions are tried on the values in dictionaries, then rows are looked at.

// termKey is the key of terms that a condition is about, "" for all texts.
func termKey(c *spandrel.Condition) string {
	switch c.Field {
	case spandrel.InService:
		return termService
	case spandrel.InOperation:
		return termOperation
	case spandrel.InAll:
		return ""
	}
	return c.Key
}

// isOverpromised: terms of these keys may say what the span does not, such as
// an empty peer.service or event.
func isOverpromised(key string) bool {
	switch key {
	case "error", "otel.status_code", "peer.service", "event":
		return true
	}
	return false
}

// whereCandidates keeps the candidates that may meet the conditions. A page
// that cannot be read is left out; the error tells of the last one.
func (r *segmentReader) whereCandidates(found []candidate, conditions []spandrel.Condition) (kept []candidate, bad error) {
	for i := range conditions {
		c := &conditions[i]
		key := termKey(c)
		if c.Negate && (key == "" || isOverpromised(key)) {
			continue // all that is left is to look at the spans
		}
		w := whereMatcher{reader: r, c: c, key: key, shared: make(map[int][]certainty)}
		page, hits := -1, []certainty(nil)
		kept = found[:0]
		for _, f := range found { // by row
			if number := int(f.row) / pageRows; number != page {
				page = number
				var err error
				if hits, err = w.page(number); err != nil {
					hits, bad = nil, err
				}
			}
			if hits != nil && hits[int(f.row)%pageRows].some() != c.Negate {
				kept = append(kept, f)
			}
		}
		found = kept
	}
	return found, bad
}

// whereMatcher tries one condition on the values of a segment.
type whereMatcher struct {
	reader *segmentReader
	c      *spandrel.Condition
	key    string
	shared map[int][]certainty // which values of shared dictionaries pass, by column
}

// page tells of each row whether a value of it passes.
func (w *whereMatcher) page(number int) ([]certainty, error) {
	p := w.reader.pageAt(number)
	hit := make([]certainty, p.n)
	if id, err := spandrel.ParseSpanID(w.c.Text); w.key == "" && err == nil {
		if err := p.loadIDs(); err != nil {
			return nil, err
		}
		for i := range hit {
			if p.id(i) == id {
				hit[i] = perhaps
			}
		}
	}
	for n := range w.reader.foot.columns {
		about := &w.reader.foot.columns[n]
		if about.counts[number] == 0 || w.key != "" && !mayHold(n, about.key, w.key) {
			continue
		}
		c, err := p.column(n)
		if err != nil {
			return nil, err
		}
		values := w.values(about, c, n)
		switch {
		case !slices.ContainsFunc(values, certainty.some):
		case n < fixedColumns:
			markRows(hit, c, values)
		default:
			if err := markTags(hit, p, c, n, values); err != nil {
				return nil, err
			}
		}
	}
	return hit, nil
}

// values tells of each value in the column's dictionary whether it passes.
func (w *whereMatcher) values(about *column, c *pageColumn, number int) []certainty {
	if values, ok := w.shared[number]; ok {
		return values
	}
	values := make([]certainty, c.dict.len())
	for i := range values {
		v := c.dict.at(i)
		if number == colRest && !mayHoldKey(v, w.key) {
			continue
		}
		eachTerm(number, about.key, about.kind, v, func(t term) {
			if w.passes(t) {
				values[i] = perhaps
			}
		})
	}
	if about.mode != modePaged {
		w.shared[number] = values
	}
	return values
}

// passes reports whether a term is what the condition is about; for one about
// all texts, a tag's key counts as well as its value.
func (w *whereMatcher) passes(t term) bool {
	if w.key != "" {
		return t.key == w.key && w.c.Passes(t.text)
	}
	if w.c.Passes(t.text) {
		return true
	}
	isTag := t.key != termService && t.key != termOperation
	return isTag && (w.c.Passes(t.key) || strings.Contains(w.c.Text, "=") && w.c.Passes(t.key+"="+t.text))
}

// mayHoldKey says whether a value of colRest may have a term with the key: it
// is a field there, or an event has it as a key.
func mayHoldKey(value, key string) bool {
	return key == "" || key == "event" || slices.Contains(spandrel.FieldTags[:], key) || strings.Contains(value, key)
}

// whereNeedles is needlesOf for conditions: rows that meet them have the keys,
// unless rows have a number for them.
func whereNeedles(conditions []spandrel.Condition) (needles [][][]byte) {
	for i := range conditions {
		c := &conditions[i]
		if c.Field == spandrel.InTag && !c.Negate && c.Key != "event" && !slices.Contains(spandrel.FieldTags[:], c.Key) && rowKey(c.Key) < 0 {
			needles = append(needles, [][]byte{[]byte(c.Key)})
		}
	}
	return needles
}

// Matching implements storage.Reader. Rows are chosen as a search chooses
// them, then looked at.
func (s *Store) Matching(ctx context.Context, id spandrel.TraceID, q *spandrel.Query) iter.Seq2[[]spandrel.Span, error] {
	rs := readers{cache: &s.segments}
	var buffer []spandrel.Span
	read := func(p *snapshot, id spandrel.TraceID, ref rowsRef, give func([]spandrel.Span) bool) bool {
		r, err := rs.open(p.p, p.txn, ref.segment)
		if err == nil && (ref.first < 0 || ref.first+ref.n > r.foot.rows) {
			err = corruption("trace index", errNoRow)
		}
		if err != nil {
			s.corrupt(p.p.dir, err)
			return true
		}
		rows := make([]candidate, ref.n)
		for i := range rows {
			rows[i].row = int32(ref.first + i)
		}
		err = r.lend(func() (err error) {
			rows, err = r.whereCandidates(rows, q.Where)
			return err
		})
		if err != nil {
			s.corrupt(p.p.dir, err)
		}
		for len(rows) > 0 {
			n := runOf(rows)
			spans, err := r.spans(buffer[:0], id, int(rows[0].row), n)
			rows = rows[n:]
			if err != nil {
				s.corrupt(p.p.dir, err)
				continue
			}
			buffer = spans[:0]
			found := matches(spans, q)
			if len(found) > 0 && !give(found) {
				return false
			}
		}
		return true
	}
	fromHead := func(h *headView, rows []int32) []spandrel.Span { return matches(h.spans(rows), q) }
	return s.eachTrace(ctx, []storage.TraceRef{{ID: id}}, &rs, read, fromHead)
}

// runOf is how many of the rows follow one another on one page, at least one.
func runOf(rows []candidate) int {
	first := rows[0].row
	n := 1
	for n < len(rows) && n < maxChunk && rows[n].row == first+int32(n) && rows[n].row/pageRows == first/pageRows {
		n++
	}
	return n
}

// matches are copies of the spans that q matches.
func matches(spans []spandrel.Span, q *spandrel.Query) (found []spandrel.Span) {
	for i := range spans {
		if q.Match(&spans[i]) {
			found = append(found, spans[i])
		}
	}
	return found
}
