package badger

import (
	"encoding/binary"
	"slices"

	"github.com/FastFilter/xorfilter"
	"github.com/cespare/xxhash/v2"

	"github.com/spandrel/spandrel"
)

// Search terms are what Query.Match can ask of a span, as key and text: tags
// of all sorts, the FieldTags, and under the two keys below its service and
// name. Each distinct value of a column has its terms; a filter over all terms
// of a segment says which segments a search can skip, and the same function
// says which rows it need not look at. Terms may promise more than Match
// keeps, never less: each candidate is decoded and asked.
const (
	termService   = "\x00service"
	termOperation = "\x00name"
)

// term is a key with a text.
type term struct{ key, text string }

func (t term) hash() uint64 {
	return xxhash.Sum64String(t.key)*0x9e3779b97f4a7c15 ^ xxhash.Sum64String(t.text)
}

// termsOf is what the query asks for besides times.
func termsOf(q *spandrel.Query) []term {
	var terms []term
	if q.Service != "" {
		terms = append(terms, term{termService, q.Service})
	}
	if q.Operation != "" {
		terms = append(terms, term{termOperation, q.Operation})
	}
	for _, c := range q.Tags {
		terms = append(terms, term{c.Key, c.Value})
	}
	return terms
}

// mayHold reports whether any value of the column can have a term with the
// key; number is the column's place in the footer.
func mayHold(number int, columnKey, key string) bool {
	switch number {
	case colFacts:
		return key == "span.kind" || key == "error" || key == "otel.status_code"
	case colService:
		return key == termService
	case colName:
		return key == termOperation
	case colLocal:
		return key == "net.host.ip" || key == "net.host.port"
	case colRemoteService:
		return key == "peer.service"
	case colRemote:
		return key == "net.peer.ip" || key == "net.peer.port"
	case colResource, colRest:
		return true
	case colShape:
		return false
	}
	return key == columnKey || columnKey == "error" && key == "otel.status_code"
}

// eachTerm calls yield for every term of a column's value.
func eachTerm(number int, columnKey string, kind spandrel.ValueKind, value string, yield func(term)) {
	switch number {
	case colFacts:
		s := spandrel.Span{Kind: spandrel.Kind(value[0]), Status: spandrel.Status(value[2])}
		fieldTerms(&s, yield, "span.kind", "error", "otel.status_code")
	case colService:
		s := spandrel.Span{Local: spandrel.Endpoint{Service: value}}
		yield(term{termService, s.Service()})
	case colName:
		yield(term{termOperation, value})
	case colLocal:
		var s spandrel.Span
		decodeAddress(value, &s.Local)
		fieldTerms(&s, yield, "net.host.ip", "net.host.port")
	case colRemoteService:
		yield(term{"peer.service", value})
	case colRemote:
		var s spandrel.Span
		decodeAddress(value, &s.Remote)
		fieldTerms(&s, yield, "net.peer.ip", "net.peer.port")
	case colResource:
		d := decoder{b: []byte(value)}
		if value != "" {
			tagTerms(d.tags(nil), yield)
		}
	case colRest:
		restTerms(value, yield)
	case colShape:
	default:
		tagTerms([]spandrel.Tag{{Key: columnKey, Value: spandrel.RawValue(kind, value)}}, yield)
	}
}

func fieldTerms(s *spandrel.Span, yield func(term), keys ...string) {
	for _, key := range keys {
		if text, ok := s.FieldTag(key); ok {
			yield(term{key, text})
		}
	}
}

// tagTerms yields the tags, and what an error tag may say of the span.
func tagTerms(tags []spandrel.Tag, yield func(term)) {
	for _, t := range tags {
		yield(term{t.Key, t.Value.String()})
		if t.Key == "error" && !t.Value.IsFalse() {
			yield(term{"error", "true"})
			yield(term{"otel.status_code", "ERROR"})
		}
	}
}

func restTerms(value string, yield func(term)) {
	if value == "" {
		return
	}
	var s spandrel.Span
	decodeRest(value, &s)
	for _, e := range s.Events {
		yield(term{"event", e.Name})
		tagTerms(e.Fields, yield)
	}
	fieldTerms(&s, yield, "otel.status_description", "otel.scope.name", "otel.scope.version", "w3c.tracestate")
}

func decodeAddress(value string, e *spandrel.Endpoint) bool {
	d := decoder{b: []byte(value)}
	d.address(e)
	return !d.bad && len(d.b) == 0
}

// decodeRest fills in what a value of colRest says, but the times of events.
func decodeRest(value string, s *spandrel.Span) bool {
	if value == "" {
		return true
	}
	d := decoder{b: []byte(value)}
	mask := d.bytes(2)
	if mask == nil {
		return false
	}
	d.rare(s, binary.LittleEndian.Uint16(mask), false)
	return !d.bad && len(d.b) == 0
}

// fuse is a binary fuse filter: a set of hashes with 9 bits a member and one
// false yes in 256.
type fuse = xorfilter.BinaryFuse[uint8]

// newFuse makes the filter of the hashes, which it sorts.
func newFuse(hashes []uint64) (*fuse, error) {
	slices.Sort(hashes)
	return xorfilter.NewBinaryFuse[uint8](slices.Compact(hashes))
}

// appendFuse appends a filter: seed u64, four u32 of geometry, fingerprints.
func appendFuse(b []byte, f *fuse) []byte {
	b = binary.LittleEndian.AppendUint64(b, f.Seed)
	for _, v := range []uint32{f.SegmentLength, f.SegmentLengthMask, f.SegmentCount, f.SegmentCountLength} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return append(b, f.Fingerprints...)
}

// parseFuse reads a filter, whose fingerprints stay in b.
func parseFuse(b []byte) (fuse, bool) {
	if len(b) < 24 {
		return fuse{}, false
	}
	f := fuse{Seed: binary.LittleEndian.Uint64(b), Fingerprints: b[24:]}
	for i, p := range []*uint32{&f.SegmentLength, &f.SegmentLengthMask, &f.SegmentCount, &f.SegmentCountLength} {
		*p = binary.LittleEndian.Uint32(b[8+4*i:])
	}
	// Contains reads at most two segments beyond SegmentCountLength.
	sound := f.SegmentLength != 0 && f.SegmentLength&f.SegmentLengthMask == 0 && f.SegmentLengthMask == f.SegmentLength-1 &&
		f.SegmentCountLength%f.SegmentLength == 0 &&
		uint64(f.SegmentCountLength)+2*uint64(f.SegmentLength) <= uint64(len(f.Fingerprints))
	return f, sound
}
