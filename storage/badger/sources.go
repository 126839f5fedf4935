package badger

import (
	"bytes"
	"encoding/hex"
	"math"
	"slices"
	"strconv"

	"github.com/spandrel/spandrel"
)

// headSource searches a head: operation, start and duration are at hand, and
// tags are looked for as bytes before a row is decoded.
func (r *search) headSource(v headView, bound int64) *source {
	src := &source{bound: bound}
	src.search = func() (found []candidate) {
		q := r.q
		want := make([]bool, len(v.ops))
		for i, op := range v.ops {
			want[i] = (q.Service == "" || q.Service == op.service) && (q.Operation == "" || q.Operation == op.name)
		}
		needles := needlesOf(q.Tags)
		for i := range v.meta {
			m := &v.meta[i]
			if want[m.op] && inRange(m.start, q.MinStart, q.MaxStart) && inRange(m.duration, q.MinDuration, q.MaxDuration) &&
				hasNeedles(v.rows[i], needles) {
				found = append(found, candidate{m.start, v.rows[i].traceID(), int32(i)})
			}
		}
		return found
	}
	var span spandrel.Span
	src.verify = func(at int32) bool {
		if len(r.q.Tags) == 0 {
			return true // all that the query asks for was compared
		}
		return v.rows[at].decode(&span) == nil && r.q.Match(&span)
	}
	return src
}

// inRange is how Query.Match compares starts and durations.
func inRange(v, low, high int64) bool { return v >= low && (high == 0 || v <= high) }

// needlesOf lists, for each tag that a span can only have in the form of some
// bytes in its row, those forms.
func needlesOf(tags []spandrel.TagCondition) (needles [][][]byte) {
	for _, c := range tags {
		if slices.Contains(spandrel.FieldTags[:], c.Key) || c.Value == "true" || c.Value == "false" || c.Value == "NaN" {
			continue
		}
		forms := [][]byte{[]byte(c.Value)}
		if v, err := strconv.ParseInt(c.Value, 10, 64); err == nil {
			forms = append(forms, []byte(spandrel.IntValue(v).Raw()))
		}
		if v, err := strconv.ParseFloat(c.Value, 64); err == nil && !math.IsNaN(v) {
			forms = append(forms, []byte(spandrel.FloatValue(v).Raw()))
		}
		if b, err := hex.DecodeString(c.Value); err == nil {
			forms = append(forms, b)
		}
		needles = append(needles, forms)
	}
	return needles
}

func hasNeedles(r row, needles [][][]byte) bool {
	for _, forms := range needles {
		if !slices.ContainsFunc(forms, func(form []byte) bool { return bytes.Contains(r, form) }) {
			return false
		}
	}
	return true
}

// segmentSource searches a segment: its filter first, then the columns that
// the query's terms can be in.
func (r *search) segmentSource(p *snapshot, id uint32, bound int64) *source {
	src := &source{bound: bound}
	var reader *segmentReader
	var spans []spandrel.Span
	src.search = func() []candidate {
		get := lendStored(p.txn, id)
		may, err := mayMatch(get, r.terms)
		if err != nil {
			r.store.corrupt(p.p.dir, err) // and look at the columns
		} else if !may {
			return nil
		}
		if reader, err = openSegment(get); err != nil {
			r.store.corrupt(p.p.dir, err)
			return nil
		}
		found, err := reader.candidates(r.q, r.terms)
		if err != nil {
			r.store.corrupt(p.p.dir, err)
		}
		return found
	}
	src.verify = func(at int32) bool {
		if len(r.q.Tags) == 0 {
			return true // all that the query asks for was compared
		}
		var err error
		if spans, err = reader.spans(spans[:0], spandrel.TraceID{}, int(at), 1); err != nil {
			r.store.corrupt(p.p.dir, err)
			return false
		}
		return r.q.Match(&spans[0])
	}
	return src
}

// mayMatch asks a segment's filter whether the segment has all terms.
func mayMatch(get func(func([]byte) error) error, terms []term) (may bool, err error) {
	if len(terms) == 0 {
		return true, nil
	}
	err = get(func(seg []byte) error {
		ref, err := parseTerms(seg)
		if err != nil {
			return err
		}
		b, err := pageBytes(seg, ref)
		if err != nil {
			return corruption("filter", err)
		}
		f, ok := parseFuse(b)
		if !ok {
			return corruption("filter", errRow)
		}
		may = !slices.ContainsFunc(terms, func(t term) bool { return !f.Contains(t.hash()) })
		return nil
	})
	return may, err
}

// candidates lists the rows that have all terms and meet the query's times. A
// page that cannot be read is left out; the error tells of the last one.
func (r *segmentReader) candidates(q *spandrel.Query, terms []term) (found []candidate, bad error) {
	table, err := r.traces()
	if err != nil {
		return nil, err
	}
	m := matcher{reader: r, q: q, terms: terms, shared: make(map[sharedMatch][]bool)}
	if all := r.foot.duration; q.MinDuration > all.max || q.MaxDuration != 0 && q.MaxDuration < all.min {
		return nil, nil
	}
	trace := 0
	for number := range r.foot.pages() {
		keep, err := m.page(number)
		if err != nil {
			bad = err
			continue
		}
		for i, ok := range keep {
			if !ok {
				continue
			}
			row := number*pageRows + i
			for int(table.end[trace]) <= row {
				trace++
			}
			found = append(found, candidate{r.pageAt(number).starts[i], table.id(trace), int32(row)})
		}
	}
	return found, bad
}

// matcher finds the rows of a segment that a query may want.
type matcher struct {
	reader *segmentReader
	q      *spandrel.Query
	terms  []term
	shared map[sharedMatch][]bool // which values of shared dictionaries have a term
}

type sharedMatch struct{ column, term int }

// page tells of each row whether it may match; nil = none does.
func (m *matcher) page(number int) ([]bool, error) {
	p := m.reader.pageAt(number)
	keep := make([]bool, p.n)
	for i := range keep {
		keep[i] = true
	}
	hit := make([]bool, p.n)
	for t := range m.terms {
		clear(hit)
		for c := range m.reader.foot.columns {
			if mayHold(c, m.reader.foot.columns[c].key, m.terms[t].key) {
				if err := m.mark(hit, p, c, t); err != nil {
					return nil, err
				}
			}
		}
		for i := range keep {
			keep[i] = keep[i] && hit[i]
		}
		if !slices.Contains(keep, true) {
			return nil, nil
		}
	}
	return m.times(p, keep)
}

// times keeps the rows whose start and duration are wanted.
func (m *matcher) times(p *pageReader, keep []bool) ([]bool, error) {
	if err := p.loadStarts(); err != nil {
		return nil, err
	}
	for i, start := range p.starts {
		keep[i] = keep[i] && inRange(start, m.q.MinStart, m.q.MaxStart)
	}
	if all := m.reader.foot.duration; m.q.MinDuration <= all.min && (m.q.MaxDuration == 0 || m.q.MaxDuration >= all.max) {
		return keep, nil
	}
	if err := p.loadDurations(); err != nil {
		return nil, err
	}
	for i, d := range p.durations {
		keep[i] = keep[i] && inRange(d, m.q.MinDuration, m.q.MaxDuration)
	}
	return keep, nil
}

// mark sets hit for the rows whose value in a column has a term.
func (m *matcher) mark(hit []bool, p *pageReader, number, t int) error {
	about := &m.reader.foot.columns[number]
	if about.counts[p.number] == 0 {
		return nil
	}
	c, err := p.column(number)
	if err != nil {
		return err
	}
	values := m.values(about, c, number, t)
	if !slices.Contains(values, true) {
		return nil
	}
	if number < fixedColumns {
		for i := range hit {
			hit[i] = hit[i] || values[c.id(i)]
		}
		return nil
	}
	return markTags(hit, p, c, number, values)
}

// values tells of each value in the column's dictionary whether it has a term.
func (m *matcher) values(about *column, c *pageColumn, number, t int) []bool {
	at := sharedMatch{number, t}
	if values, ok := m.shared[at]; ok {
		return values
	}
	values := make([]bool, len(c.dict))
	for i, v := range c.dict {
		values[i] = hasTerm(number, about, v, m.terms[t])
	}
	if about.mode != modePaged {
		m.shared[at] = values
	}
	return values
}

func hasTerm(number int, about *column, value string, want term) (has bool) {
	if number >= fixedColumns && about.kind == spandrel.ValueString && about.key != "error" {
		return value == want.text
	}
	eachTerm(number, about.key, about.kind, value, func(t term) { has = has || t == want })
	return has
}

// markTags is mark for a tag column, whose values belong to the rows whose
// shape has the column.
func markTags(hit []bool, p *pageReader, c *pageColumn, number int, values []bool) error {
	shapes, err := p.column(colShape)
	if err != nil {
		return err
	}
	uses := make([]int, len(shapes.dict)) // of the column in each shape
	for id := range uses {
		columns, err := p.shape(shapes, uint32(id))
		if err != nil {
			return err
		}
		for _, n := range columns {
			if n == number {
				uses[id]++
			}
		}
	}
	at, count := 0, int(p.seg.foot.columns[number].counts[p.number])
	for i := range hit {
		for range uses[shapes.id(i)] {
			if at >= count {
				return p.corrupt("too few values of " + p.seg.foot.columns[number].key)
			}
			hit[i] = hit[i] || values[c.id(at)]
			at++
		}
	}
	return nil
}
