package badger

import (
	"github.com/spandrel/spandrel"
)

// fill makes spans of the page's rows a, a+1, ….
func (p *pageReader) fill(spans []spandrel.Span, a int) error {
	if err := p.fillFixed(spans, a); err != nil {
		return err
	}
	for number := range colShape {
		if err := p.fillColumn(spans, a, number); err != nil {
			return err
		}
	}
	if err := p.fillEventTimes(spans, a); err != nil {
		return err
	}
	return p.fillTags(spans, a)
}

// fillEventTimes gives the spans' events their times: those of a row come
// after those of the rows before it in the page.
func (p *pageReader) fillEventTimes(spans []spandrel.Span, a int) error {
	rest, err := p.column(colRest)
	if err != nil {
		return err
	}
	if err := p.loadEvents(); err != nil {
		return err
	}
	at := 0
	for id, n := range rest.count(a) {
		if n > 0 {
			at += n * eventsIn(rest.dict.at(id))
		}
	}
	times := p.eventsFrom(at)
	for i := range spans {
		s := &spans[i]
		for k := range s.Events {
			s.Events[k].Time = s.Start + times.varint()*p.eventUnit
		}
	}
	if times.bad {
		return p.corrupt("event times")
	}
	return nil
}

// eventsIn is how many events a value of colRest has.
func eventsIn(value string) int {
	if len(value) < 2 || value[0]&hasEvents == 0 {
		return 0
	}
	d := decoder{b: []byte(value[2:])}
	return d.count(2)
}

// fillColumn fills in what one of the fixed columns says.
func (p *pageReader) fillColumn(spans []spandrel.Span, a, number int) error {
	c, err := p.column(number)
	if err != nil {
		return err
	}
	for i := range spans {
		if !setField(&spans[i], number, c.value(a+i)) {
			return p.corrupt("value")
		}
	}
	return nil
}

func setField(s *spandrel.Span, number int, value string) bool {
	switch number {
	case colFacts:
		s.Kind, s.Flags, s.Status = spandrel.Kind(value[0]), spandrel.Flags(value[1]), spandrel.Status(value[2])
	case colService:
		s.Local.Service = value
	case colName:
		s.Name = value
	case colLocal:
		return decodeAddress(value, &s.Local)
	case colRemoteService:
		s.Remote.Service = value
	case colRemote:
		return decodeAddress(value, &s.Remote)
	case colResource:
		if value != "" {
			d := decoder{b: []byte(value)}
			s.Resource = d.tags(nil)
			return !d.bad && len(d.b) == 0
		}
	case colRest:
		return decodeRest(value, s)
	}
	return true
}

// fillTags gives the spans their tags: a row's n-th value in a tag column
// comes after those of the rows before it in the page.
func (p *pageReader) fillTags(spans []spandrel.Span, a int) error {
	shapes, err := p.column(colShape)
	if err != nil {
		return err
	}
	at, err := p.positions(shapes, a)
	if err != nil {
		return err
	}
	count := 0
	for i := range spans {
		columns, err := p.shape(shapes, shapes.id(a+i))
		if err != nil {
			return err
		}
		count += len(columns)
	}
	tags := make([]spandrel.Tag, 0, count) // of all spans
	for i := range spans {
		from := len(tags)
		columns, _ := p.shape(shapes, shapes.id(a+i))
		for _, number := range columns {
			c, err := p.column(number)
			if err != nil {
				return err
			}
			about := &p.seg.foot.columns[number]
			if at[number] >= int(about.counts[p.number]) {
				return p.corrupt("too few values of " + about.key)
			}
			tags = append(tags, spandrel.Tag{Key: about.key, Value: spandrel.RawValue(about.kind, c.value(at[number]))})
			at[number]++
		}
		if len(columns) > 0 {
			spans[i].Tags = tags[from:len(tags):len(tags)]
		}
	}
	return nil
}

// positions counts, for each column, the values of the rows before a.
func (p *pageReader) positions(shapes *pageColumn, a int) ([]int, error) {
	at := make([]int, len(p.seg.foot.columns))
	for id, n := range shapes.count(a) {
		if n == 0 {
			continue
		}
		columns, err := p.shape(shapes, uint32(id))
		if err != nil {
			return nil, err
		}
		for _, number := range columns {
			at[number] += n
		}
	}
	return at, nil
}
