package badger

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/spandrel/spandrel"
)

// planHead makes sources of a head's chunks. The newest are searched first, and
// the others often not at all.
func (r *search) planHead(v headView) {
	want := make([]bool, len(v.ops))
	for i, op := range v.ops {
		want[i] = (r.q.Service == "" || r.q.Service == op.service) && (r.q.Operation == "" || r.q.Operation == op.name)
	}
	needles := slices.Concat(needlesOf(r.q.Tags), whereNeedles(r.q.Where))
	for chunk, span := range v.times {
		if bound, ok := r.boundOf(span); ok {
			r.waiting = append(r.waiting, r.chunkSource(v, chunk*chunkRows, bound, want, needles))
		}
	}
}

// chunkSource searches a chunk of a head: operation, start and duration are at
// hand, and tags are looked for as bytes before a row is decoded.
func (r *search) chunkSource(v headView, first int, bound int64, want []bool, needles [][][]byte) *source {
	src := &source{bound: bound}
	src.search = func() (found []candidate, _ []*source) {
		q := r.q
		for i := first; i < min(first+chunkRows, len(v.meta)); i++ {
			m := &v.meta[i]
			if want[m.op] && inRange(m.start, q.MinStart, q.MaxStart) && inRange(m.duration, q.MinDuration, q.MaxDuration) &&
				hasNeedles(v.rows[i], needles) {
				found = append(found, candidate{m.start, v.rows[i].traceID(), int32(i), len(q.Tags)+len(q.Where) == 0})
			}
		}
		return found, nil
	}
	var span spandrel.Span
	src.verify = func(at int32) bool {
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

// segmentSource searches a segment: its filter first, then page by page the
// columns that the query's terms can be in.
func (r *search) segmentSource(p *snapshot, info segmentInfo, bound int64) *source {
	src := &source{bound: bound}
	src.search = func() (_ []candidate, pages []*source) {
		get := p.p.lend(p.txn, info.id)
		may, err := info.filter.mayHave(get, &r.needs)
		if err != nil {
			r.store.corrupt(p.p.dir, err) // and look at the columns
		} else if !may {
			return nil, nil
		}
		reader, err := r.store.segments.open(segmentAt{p.p, info.id}, get)
		if err != nil {
			r.store.corrupt(p.p.dir, err)
			return nil, nil
		}
		r.used = append(r.used, reader)
		if all := reader.foot.duration; r.q.MinDuration > all.max || r.q.MaxDuration != 0 && r.q.MaxDuration < all.min {
			return nil, nil
		}
		m := &matcher{reader: reader, q: r.q, terms: r.terms, shared: make(map[sharedMatch][]certainty)}
		for number, span := range reader.foot.spans {
			if bound, ok := r.boundOf(span); ok && r.q.MinDuration <= reader.foot.longest[number] {
				pages = append(pages, r.pageSource(p, m, number, bound))
			}
		}
		return nil, pages
	}
	return src
}

// pageSource searches a page. A page that cannot be read is left out.
func (r *search) pageSource(p *snapshot, m *matcher, number int, bound int64) *source {
	src := &source{bound: bound}
	src.search = func() (found []candidate, _ []*source) {
		err := m.reader.lend(func() (err error) {
			if found, err = m.candidates(number); err == nil {
				found, err = m.reader.whereCandidates(found, r.q.Where)
			}
			return err
		})
		if err != nil {
			r.store.corrupt(p.p.dir, err)
		}
		return found, nil
	}
	src.verify = func(at int32) bool {
		spans, err := m.reader.spans(m.spans[:0], spandrel.TraceID{}, int(at), 1)
		if err != nil {
			r.store.corrupt(p.p.dir, err)
			return false
		}
		m.spans = spans
		return r.q.Match(&spans[0])
	}
	return src
}

// segmentFilter knows where in a segment its filter of search terms and the
// table beside it are, once somebody has looked, and that they are sound.
type segmentFilter struct{ at atomic.Pointer[[2]pageRef] }

// mayHave asks the filter whether the segment may have all that is needed.
func (sf *segmentFilter) mayHave(get func(func([]byte) error) error, n *needs) (may bool, err error) {
	if len(n.terms)+len(n.owners) == 0 {
		return true, nil
	}
	err = get(func(seg []byte) error {
		refs := sf.at.Load()
		if refs == nil {
			if refs, err = checkFilter(seg); err != nil {
				return err
			}
			sf.at.Store(refs)
		}
		f, ok := parseFuse(refs[0].of(seg))
		if !ok {
			return corruption("filter", errRow)
		}
		may = n.meet(&f, refs[1].of(seg))
		return nil
	})
	return may, err
}

// checkFilter finds a segment's filter and table, and looks whether they are
// what was written.
func checkFilter(seg []byte) (*[2]pageRef, error) {
	refs, err := parseTerms(seg)
	if err != nil {
		return nil, err
	}
	for _, ref := range refs {
		if _, err := pageBytes(seg, ref); err != nil || ref.raw != 0 {
			return nil, corruption("filter", cmp.Or(err, errRow))
		}
	}
	return &refs, nil
}

// certainty is whether a value has a term, or a row what a query asks for.
type certainty uint8

const (
	not certainty = iota
	perhaps
	surely
)

func (c certainty) some() bool { return c != not }

// matcher finds the rows of a segment that a query may want.
type matcher struct {
	reader *segmentReader
	q      *spandrel.Query
	terms  []term
	shared map[sharedMatch][]certainty // which values of shared dictionaries have a term
	spans  []spandrel.Span             // reused
}

type sharedMatch struct{ column, term int }

// candidates lists the rows of a page that have all terms and meet the query's
// times.
func (m *matcher) candidates(number int) (found []candidate, err error) {
	keep, err := m.page(number)
	if err != nil || keep == nil {
		return nil, err
	}
	table, err := m.reader.traces()
	if err != nil {
		return nil, err
	}
	p, first := m.reader.pageAt(number), number*pageRows
	trace, _ := slices.BinarySearch(table.end, uint32(first)+1)
	for i, c := range keep {
		if c == not {
			continue
		}
		for int(table.end[trace]) <= first+i {
			trace++
		}
		found = append(found, candidate{p.starts[i], table.id(trace), int32(first + i), c == surely && len(m.q.Where) == 0})
	}
	return found, nil
}

// page tells of each row whether it matches; nil = none does. It asks first
// what few rows meet, since the columns of what comes later need then not be
// read: tags, durations, the operation, the service, starts.
func (m *matcher) page(number int) ([]certainty, error) {
	p := m.reader.pageAt(number)
	keep := make([]certainty, p.n)
	for i := range keep {
		keep[i] = surely
	}
	hit := make([]certainty, p.n)
	timed := false
	for t := len(m.terms) - 1; t >= 0; t-- {
		if isTag := t >= len(m.terms)-len(m.q.Tags); !isTag && !timed {
			timed = true
			if some, err := m.durations(p, keep); err != nil || !some {
				return nil, err
			}
		}
		clear(hit)
		for c := range m.reader.foot.columns {
			if mayHold(c, m.reader.foot.columns[c].key, m.terms[t].key) {
				if err := m.mark(hit, p, c, t); err != nil {
					return nil, err
				}
			}
		}
		any := not
		for i, h := range hit[:len(keep)] {
			keep[i] = min(keep[i], h)
			any |= keep[i]
		}
		if any == not {
			return nil, nil
		}
	}
	if !timed {
		if some, err := m.durations(p, keep); err != nil || !some {
			return nil, err
		}
	}
	if err := p.loadStarts(); err != nil {
		return nil, err
	}
	if span := m.reader.foot.spans[number]; m.q.MinStart > span.min || m.q.MaxStart != 0 && m.q.MaxStart < span.max {
		drop(keep, p.starts, m.q.MinStart, m.q.MaxStart)
	}
	return keep, nil
}

// durations keeps the rows whose duration is wanted, and reports whether any is.
func (m *matcher) durations(p *pageReader, keep []certainty) (some bool, err error) {
	if all := m.reader.foot.duration; m.q.MinDuration <= all.min && (m.q.MaxDuration == 0 || m.q.MaxDuration >= all.max) {
		return true, nil
	}
	if err := p.loadDurations(); err != nil {
		return false, err
	}
	drop(keep, p.durations, m.q.MinDuration, m.q.MaxDuration)
	return slices.ContainsFunc(keep, certainty.some), nil
}

// drop drops the rows whose value is out of range.
func drop(keep []certainty, values []int64, low, high int64) {
	for i, v := range values {
		if !inRange(v, low, high) {
			keep[i] = not
		}
	}
}

// mark raises hit for the rows whose value in a column has a term.
func (m *matcher) mark(hit []certainty, p *pageReader, number, t int) error {
	about := &m.reader.foot.columns[number]
	if about.counts[p.number] == 0 {
		return nil
	}
	if about.mode != modePaged {
		values, err := m.sharedValues(number, t)
		if err != nil || values == nil {
			return err
		}
	}
	c, err := p.column(number)
	if err != nil {
		return err
	}
	values := m.shared[sharedMatch{number, t}]
	if about.mode == modePaged {
		if values = m.values(c.dict, number, t); values == nil {
			return nil
		}
	}
	if number >= fixedColumns {
		return markTags(hit, p, c, number, values)
	}
	markRows(hit, c, values)
	return nil
}

// markRows is mark for a column with a value in every row.
func markRows(hit []certainty, c *pageColumn, values []certainty) {
	if c.narrow == nil {
		for i := range hit {
			hit[i] = max(hit[i], values[c.id(i)])
		}
		return
	}
	for i, id := range c.narrow[:len(hit)] {
		hit[i] = max(hit[i], values[id])
	}
}

// sharedValues is values for a column that has one dictionary.
func (m *matcher) sharedValues(number, t int) ([]certainty, error) {
	at := sharedMatch{number, t}
	if values, ok := m.shared[at]; ok {
		return values, nil
	}
	dict, err := m.reader.dictionary(number)
	if err != nil {
		return nil, err
	}
	m.shared[at] = m.values(dict, number, t)
	return m.shared[at], nil
}

// values tells of each value in a dictionary of the column whether it has a
// term; nil = none has.
func (m *matcher) values(dict texts, number, t int) []certainty {
	values, any := make([]certainty, dict.len()), not
	for i := range values {
		values[i] = hasTerm(number, &m.reader.foot.columns[number], dict.at(i), m.terms[t])
		any |= values[i]
	}
	if any == not {
		return nil
	}
	return values
}

// hasTerm tells whether a value has a term. Only what an error tag says of the
// span depends on the span's other values, and empty texts may be none.
func hasTerm(number int, about *column, value string, want term) (has certainty) {
	if number >= fixedColumns && about.kind == spandrel.ValueString && about.key != "error" {
		if value == want.text {
			return surely
		}
		return not
	}
	eachTerm(number, about.key, about.kind, value, func(t term) {
		switch {
		case t != want:
		case want.text == "" && number < fixedColumns, saysError(number, about, value, want):
			has = max(has, perhaps)
		default:
			has = surely
		}
	})
	return has
}

// saysError reports whether a term is there only because of an error tag that
// does not spell it.
func saysError(number int, about *column, value string, want term) bool {
	if want != errorTerm && want.key != "otel.status_code" || number == colFacts {
		return false
	}
	return number < fixedColumns || want.key != about.key || spandrel.RawValue(about.kind, value).String() != want.text
}

// markTags is mark for a tag column, whose values belong to the rows whose
// shape has the column.
func markTags(hit []certainty, p *pageReader, c *pageColumn, number int, values []certainty) error {
	shapes, err := p.column(colShape)
	if err != nil {
		return err
	}
	uses := make([]int, shapes.dict.len()) // of the column in each shape
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
	if count == len(hit) && !slices.ContainsFunc(uses, func(n int) bool { return n != 1 }) {
		markRows(hit, c, values)
		return nil
	}
	for i := range hit {
		for range uses[shapes.id(i)] {
			if at >= count {
				return p.corrupt("too few values of " + p.seg.foot.columns[number].key)
			}
			hit[i] = max(hit[i], values[c.id(at)])
			at++
		}
	}
	return nil
}
