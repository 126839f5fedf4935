package otlp

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/collector/protobuf"
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
func (d *protoDecoder) attribute(tags []spandrel.Tag, f *protobuf.Field) ([]spandrel.Tag, error) {
	var tag spandrel.Tag
	var err error
	for m := f.Inside(); m.Next(&err); {
		switch {
		case m.IsBytes(1):
			tag.Key = m.Text()
		case m.IsBytes(2):
			tag.Value, err = d.value(&m.Field)
		}
	}
	return addTag(tags, tag), err
}

// value reads an AnyValue.
func (d *protoDecoder) value(f *protobuf.Field) (v spandrel.Value, err error) {
	for m := f.Inside(); m.Next(&err); {
		switch {
		case m.IsBytes(1):
			v = spandrel.StringValue(m.Text())
		case m.IsVarint(2):
			v = spandrel.BoolValue(m.N != 0)
		case m.IsVarint(3):
			v = d.number(spandrel.ValueInt, m.N)
		case m.IsFixed64(4):
			v = d.number(spandrel.ValueFloat, m.N)
		case m.IsBytes(5), m.IsBytes(6):
			var inside any
			inside, err = list(&m.Field, maxDepth)
			v = jsonText(inside)
		case m.IsBytes(7):
			v = spandrel.RawValue(spandrel.ValueBytes, alias(m.B))
		}
	}
	return v, err
}

// list reads an array or a map, which depth-1 others may be nested in, as
// encoding/json knows it.
func list(f *protobuf.Field, depth int) (any, error) {
	if depth == 0 {
		return nil, fmt.Errorf("more than %d arrays and maps in each other at byte %d", maxDepth, f.At)
	}
	var err error
	if f.Num == 5 {
		array := []any{}
		for m := f.Inside(); m.Next(&err); {
			if m.IsBytes(1) {
				var v any
				v, err = plain(&m.Field, depth)
				array = append(array, v)
			}
		}
		return array, err
	}
	object := map[string]any{}
	for m := f.Inside(); m.Next(&err); {
		if m.IsBytes(1) {
			err = member(object, &m.Field, depth)
		}
	}
	return object, err
}

// member adds the KeyValue that the field is to the object.
func member(object map[string]any, f *protobuf.Field, depth int) (err error) {
	var key string
	var v any
	for m := f.Inside(); m.Next(&err); {
		switch {
		case m.IsBytes(1):
			key = m.Text()
		case m.IsBytes(2):
			v, err = plain(&m.Field, depth)
		}
	}
	object[key] = v
	return err
}

// plain reads an AnyValue within an array or a map.
func plain(f *protobuf.Field, depth int) (v any, err error) {
	for m := f.Inside(); m.Next(&err); {
		switch {
		case m.IsBytes(1):
			v = m.Text()
		case m.IsVarint(2):
			v = m.N != 0
		case m.IsVarint(3):
			v = int64(m.N)
		case m.IsFixed64(4):
			v = plainFloat(math.Float64frombits(m.N))
		case m.IsBytes(5), m.IsBytes(6):
			v, err = list(&m.Field, depth-1)
		case m.IsBytes(7):
			v = m.B
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
