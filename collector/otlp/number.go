package otlp

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/spandrel/spandrel"
)

// The numbers of OTLP's JSON, each a number or text that spells one. null is 0.

// unquoted is the text of a JSON number, or of a string that has no escapes.
func unquoted(b []byte) string {
	if string(b) == "null" {
		return "0"
	}
	return strings.Trim(string(b), `"`)
}

type jsonInt int64

func (n *jsonInt) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseInt(unquoted(b), 10, 64)
	*n = jsonInt(v)
	return err
}

type jsonUint uint64

func (n *jsonUint) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseUint(unquoted(b), 10, 64)
	*n = jsonUint(v)
	return err
}

// jsonFloat may also be one of the texts NaN, Infinity and -Infinity.
type jsonFloat float64

func (f *jsonFloat) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseFloat(unquoted(b), 64)
	*f = jsonFloat(v)
	return err
}

// jsonEnum is a number or a name.
type jsonEnum string

func (e *jsonEnum) UnmarshalJSON(b []byte) error {
	*e = jsonEnum(unquoted(b))
	return nil
}

// kind is the SpanKind of the number or the name.
func (e jsonEnum) kind() spandrel.Kind {
	if n, err := strconv.ParseUint(string(e), 10, 64); err == nil {
		return kind(n)
	}
	return spandrel.ParseKind(strings.TrimPrefix(string(e), "SPAN_KIND_"))
}

// status is the StatusCode of the number or the name.
func (e jsonEnum) status() spandrel.Status {
	switch e {
	case "STATUS_CODE_OK":
		return spandrel.StatusOK
	case "STATUS_CODE_ERROR":
		return spandrel.StatusError
	}
	n, err := strconv.ParseUint(string(e), 10, 64)
	if err != nil {
		return spandrel.StatusUnset
	}
	return status(n)
}

// jsonBytes is base64 of either alphabet, padded or not, as protobuf's JSON is.
type jsonBytes []byte

func (b *jsonBytes) UnmarshalJSON(in []byte) error {
	var text string
	if err := json.Unmarshal(in, &text); err != nil {
		return err
	}
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	out, err := base64.RawStdEncoding.DecodeString(text)
	*b = out
	return err
}
