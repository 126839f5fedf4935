package otlp

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/spandrel/spandrel"
)

// An attribute's value is one of
//
//	AnyValue      1 string  2 bool  3 int64  4 double  5 ArrayValue  6 KeyValueList  7 bytes
//	ArrayValue    1 AnyValue, repeated
//	KeyValueList  1 KeyValue, repeated
//
// and nothing if it has no field, which is shown as empty text. Of several
// fields the last counts.

// attribute appends the KeyValue that the field is to tags.
func (d *protoDecoder) attribute(tags []spandrel.Tag, f *field) ([]spandrel.Tag, error) {
	var tag spandrel.Tag
	var err error
	for m := f.inside(); m.next(&err); {
		switch {
		case m.bytesAt(1):
			tag.Key = m.text()
		case m.bytesAt(2):
			tag.Value, err = d.value(&m.field)
		}
	}
	return addTag(tags, tag), err
}

// value reads an AnyValue.
func (d *protoDecoder) value(f *field) (v spandrel.Value, err error) {
	for m := f.inside(); m.next(&err); {
		switch {
		case m.bytesAt(1):
			v = spandrel.StringValue(m.text())
		case m.varintAt(2):
			v = spandrel.BoolValue(m.n != 0)
		case m.varintAt(3):
			v = d.number(spandrel.ValueInt, m.n)
		case m.fixedAt(4):
			v = d.number(spandrel.ValueFloat, m.n)
		case m.bytesAt(5), m.bytesAt(6):
			var inside any
			inside, err = list(&m.field, maxDepth)
			v = jsonText(inside)
		case m.bytesAt(7):
			v = spandrel.RawValue(spandrel.ValueBytes, alias(m.b))
		}
	}
	return v, err
}

// list reads an array or a map, which depth-1 others may be nested in, as
// encoding/json knows it.
func list(f *field, depth int) (any, error) {
	if depth == 0 {
		return nil, fmt.Errorf("more than %d arrays and maps in each other at byte %d", maxDepth, f.at)
	}
	var err error
	if f.num == 5 {
		array := []any{}
		for m := f.inside(); m.next(&err); {
			if m.bytesAt(1) {
				var v any
				v, err = plain(&m.field, depth)
				array = append(array, v)
			}
		}
		return array, err
	}
	object := map[string]any{}
	for m := f.inside(); m.next(&err); {
		if m.bytesAt(1) {
			err = member(object, &m.field, depth)
		}
	}
	return object, err
}

// member adds the KeyValue that the field is to the object.
func member(object map[string]any, f *field, depth int) (err error) {
	var key string
	var v any
	for m := f.inside(); m.next(&err); {
		switch {
		case m.bytesAt(1):
			key = m.text()
		case m.bytesAt(2):
			v, err = plain(&m.field, depth)
		}
	}
	object[key] = v
	return err
}

// plain reads an AnyValue within an array or a map.
func plain(f *field, depth int) (v any, err error) {
	for m := f.inside(); m.next(&err); {
		switch {
		case m.bytesAt(1):
			v = m.text()
		case m.varintAt(2):
			v = m.n != 0
		case m.varintAt(3):
			v = int64(m.n)
		case m.fixedAt(4):
			v = plainFloat(math.Float64frombits(m.n))
		case m.bytesAt(5), m.bytesAt(6):
			v, err = list(&m.field, depth-1)
		case m.bytesAt(7):
			v = m.b
		}
	}
	return v, err
}

// plainFloat is the number, or the text that OTLP has for what is no number in
// JSON.
func plainFloat(f float64) any {
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case math.IsNaN(f):
		return "NaN"
	}
	return f
}

// jsonText is a list or a map as a tag has it: the JSON that Jaeger makes of it,
// in which a map's keys are in order, the last of equal ones counts, bytes are
// in base64, and a value that is nothing is null.
func jsonText(v any) spandrel.Value {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // there is nothing in it that cannot be written
	}
	return spandrel.StringValue(string(text))
}
