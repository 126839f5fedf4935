package otlp

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/spandrel/spandrel"
)

// comparing compares spans; empty slices and none are alike.
var comparing = gocmp.Options{gocmp.Comparer(func(a, b spandrel.Value) bool { return a == b }), cmpopts.EquateComparable(spandrel.Endpoint{}), cmpopts.EquateEmpty()}

// TestAgreesWithGeneratedTypes makes requests of all sorts with the types that
// protoc generates, and reads them in both forms.
func TestAgreesWithGeneratedTypes(t *testing.T) {
	rng := randomFrom(1)
	var d Decoder
	for range 1000 {
		request := randomRequest(rng)
		want, wantReasons := translate(request)
		spans, rejected, err := d.Proto(marshal(t, request))
		check(t, "protobuf", spans, rejected, err, want, wantReasons)
		inJSON := otlpJSON(t, request, rng.IntN(2) == 0)
		spans, rejected, err = d.JSON(inJSON)
		check(t, "JSON", spans, rejected, err, want, wantReasons)
		if t.Failed() {
			t.Fatalf("%s", inJSON)
		}
	}
}

func check(t *testing.T, form string, spans []spandrel.Span, rejected []spandrel.Rejection, err error, want []spandrel.Span, wantReasons map[int]string) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", form, err)
		return
	}
	if diff := gocmp.Diff(spans, want, comparing); diff != "" {
		t.Errorf("%s: got -, want +:\n%s", form, diff)
	}
	reasons := map[int]string{}
	for _, r := range rejected {
		reasons[r.Index] = r.Reason
	}
	if diff := gocmp.Diff(reasons, wantReasons); diff != "" {
		t.Errorf("%s: rejected, got -, want +:\n%s", form, diff)
	}
}

// otlpJSON is the request in protobuf's JSON, its ids in hexadecimal and not in
// base64.
func otlpJSON(t testing.TB, request *tracepb.TracesData, snake bool) []byte {
	t.Helper()
	b, err := protojson.MarshalOptions{UseProtoNames: snake, UseEnumNumbers: !snake}.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(b)))
	decoder.UseNumber()
	var all any
	if err := decoder.Decode(&all); err != nil {
		t.Fatal(err)
	}
	hexIDs(all)
	if b, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	return b
}

func hexIDs(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			hexIDs(e)
		}
	case map[string]any:
		for key, e := range v {
			switch strings.ToLower(strings.ReplaceAll(key, "_", "")) {
			case "traceid", "spanid", "parentspanid":
				var b []byte
				_ = json.Unmarshal([]byte(`"`+e.(string)+`"`), &b)
				v[key] = hex.EncodeToString(b)
			default:
				hexIDs(e)
			}
		}
	}
}

// translate says what the request means: slowly, by the generated types.
func translate(request *tracepb.TracesData) (spans []spandrel.Span, reasons map[int]string) {
	reasons = map[int]string{}
	n := 0
	for _, rs := range request.GetResourceSpans() {
		var all spandrel.Span
		named := false
		for _, tag := range theirTags(rs.GetResource().GetAttributes()) {
			if tag.Key == "service.name" && !named {
				all.Local.Service, named = tag.Value.String(), true
			} else {
				all.Resource = append(all.Resource, tag)
			}
		}
		for _, ss := range rs.GetScopeSpans() {
			all.Scope = spandrel.Scope{Name: ss.GetScope().GetName(), Version: ss.GetScope().GetVersion(), Tags: theirTags(ss.GetScope().GetAttributes())}
			for _, s := range ss.GetSpans() {
				if reason := theirReason(s); reason != "" {
					reasons[n] = reason
				} else {
					spans = append(spans, theirSpan(all, s))
				}
				n++
			}
		}
	}
	return spans, reasons
}

func theirReason(s *tracepb.Span) string {
	zero := func(b []byte) bool { return strings.Trim(string(b), "\x00") == "" }
	switch {
	case len(s.GetTraceId()) != 16 || zero(s.GetTraceId()):
		return ReasonTraceID
	case len(s.GetSpanId()) != 8 || zero(s.GetSpanId()):
		return ReasonSpanID
	case len(s.GetParentSpanId()) != 8 && len(s.GetParentSpanId()) != 0:
		return ReasonParentID
	case max(s.GetStartTimeUnixNano(), s.GetEndTimeUnixNano()) > math.MaxInt64:
		return ReasonTimestamp
	}
	return ""
}

func theirSpan(s spandrel.Span, o *tracepb.Span) spandrel.Span {
	s.TraceID = theirTraceID(o.GetTraceId())
	s.ID, s.ParentID = theirSpanID(o.GetSpanId()), theirSpanID(o.GetParentSpanId())
	if s.ParentID == s.ID {
		s.ParentID = 0
	}
	s.Name, s.TraceState = o.GetName(), o.GetTraceState()
	s.Kind = spandrel.ParseKind(strings.TrimPrefix(o.GetKind().String(), "SPAN_KIND_"))
	s.Status = map[string]spandrel.Status{"STATUS_CODE_OK": spandrel.StatusOK, "STATUS_CODE_ERROR": spandrel.StatusError}[o.GetStatus().GetCode().String()]
	s.StatusMessage = o.GetStatus().GetMessage()
	s.Start = int64(o.GetStartTimeUnixNano())
	if end := int64(o.GetEndTimeUnixNano()); s.Start != 0 && end > s.Start {
		s.Duration = end - s.Start
	}
	s.Tags = theirTags(o.GetAttributes())
	for _, e := range o.GetEvents() {
		event := spandrel.Event{Time: int64(e.GetTimeUnixNano()), Name: e.GetName(), Fields: theirTags(e.GetAttributes())}
		if event.Time != 0 || event.Name != "" || event.Fields != nil {
			s.Events = append(s.Events, event)
		}
	}
	for _, l := range o.GetLinks() {
		link := spandrel.Link{TraceID: theirTraceID(l.GetTraceId()), ID: theirSpanID(l.GetSpanId()), TraceState: l.GetTraceState(), Tags: theirTags(l.GetAttributes())}
		if i := slices.IndexFunc(link.Tags, func(t spandrel.Tag) bool { return t.Key == "opentracing.ref_type" }); i >= 0 && link.Tags[i].Value.String() == "child_of" {
			link.Type = spandrel.LinkChildOf
		}
		if !link.TraceID.IsZero() || link.ID != 0 || link.TraceState != "" || link.Tags != nil {
			s.Links = append(s.Links, link)
		}
	}
	return s
}

func theirTraceID(b []byte) spandrel.TraceID {
	id, _ := spandrel.ParseTraceID(hex.EncodeToString(b))
	return id
}

func theirSpanID(b []byte) spandrel.SpanID {
	id, _ := spandrel.ParseSpanID(hex.EncodeToString(b))
	return id
}

func theirTags(attributes []*commonpb.KeyValue) []spandrel.Tag {
	var tags []spandrel.Tag
	for _, a := range attributes {
		tag := spandrel.Tag{Key: a.GetKey()}
		switch v := a.GetValue().GetValue().(type) {
		case *commonpb.AnyValue_StringValue:
			tag.Value = spandrel.StringValue(v.StringValue)
		case *commonpb.AnyValue_BoolValue:
			tag.Value = spandrel.BoolValue(v.BoolValue)
		case *commonpb.AnyValue_IntValue:
			tag.Value = spandrel.IntValue(v.IntValue)
		case *commonpb.AnyValue_DoubleValue:
			tag.Value = spandrel.FloatValue(v.DoubleValue)
		case *commonpb.AnyValue_BytesValue:
			tag.Value = spandrel.BytesValue(v.BytesValue)
		case *commonpb.AnyValue_ArrayValue, *commonpb.AnyValue_KvlistValue:
			text, err := json.Marshal(theirRaw(a.GetValue()))
			if err != nil {
				panic(err)
			}
			tag.Value = spandrel.StringValue(string(text))
		}
		if tag != (spandrel.Tag{}) {
			tags = append(tags, tag)
		}
	}
	return tags
}

// theirRaw is what the collector's pcommon.Value.AsRaw gives.
func theirRaw(v *commonpb.AnyValue) any {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_ArrayValue:
		list := []any{}
		for _, e := range v.ArrayValue.GetValues() {
			list = append(list, theirRaw(e))
		}
		return list
	case *commonpb.AnyValue_KvlistValue:
		object := map[string]any{}
		for _, e := range v.KvlistValue.GetValues() {
			object[e.GetKey()] = theirRaw(e.GetValue())
		}
		return object
	case *commonpb.AnyValue_StringValue:
		return v.StringValue
	case *commonpb.AnyValue_BoolValue:
		return v.BoolValue
	case *commonpb.AnyValue_IntValue:
		return v.IntValue
	case *commonpb.AnyValue_DoubleValue:
		if v.DoubleValue-v.DoubleValue != 0 { // no number, or infinite: the collector fails
			return strings.TrimPrefix(strings.Replace(strconv.FormatFloat(v.DoubleValue, 'g', -1, 64), "Inf", "Infinity", 1), "+")
		}
		return v.DoubleValue
	case *commonpb.AnyValue_BytesValue:
		return v.BytesValue
	}
	return nil
}

func marshal(t testing.TB, request *tracepb.TracesData) []byte {
	t.Helper()
	b, err := proto.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// random makes requests.
type random struct{ *rand.Rand }

func randomFrom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 2))} }

func randomRequest(r random) *tracepb.TracesData {
	var request tracepb.TracesData
	for range r.IntN(3) {
		rs := &tracepb.ResourceSpans{SchemaUrl: r.word()}
		if r.IntN(4) > 0 {
			rs.Resource = &resourcepb.Resource{Attributes: r.attributes(), DroppedAttributesCount: 1}
			if r.IntN(4) > 0 {
				rs.Resource.Attributes = append(rs.Resource.Attributes, &commonpb.KeyValue{Key: "service.name", Value: r.value(2)})
			}
		}
		for range r.IntN(3) {
			ss := &tracepb.ScopeSpans{SchemaUrl: r.word()}
			if r.IntN(4) > 0 {
				ss.Scope = &commonpb.InstrumentationScope{Name: r.word(), Version: r.word(), Attributes: r.attributes()}
			}
			for range r.IntN(4) {
				ss.Spans = append(ss.Spans, r.span())
			}
			rs.ScopeSpans = append(rs.ScopeSpans, ss)
		}
		request.ResourceSpans = append(request.ResourceSpans, rs)
	}
	return &request
}

func (r random) span() *tracepb.Span {
	s := &tracepb.Span{
		TraceId: r.id(16), SpanId: r.id(8), ParentSpanId: r.id(8), TraceState: r.word(), Name: r.word(),
		Kind: tracepb.Span_SpanKind(r.IntN(8)), StartTimeUnixNano: r.time(), EndTimeUnixNano: r.time(),
		Attributes: r.attributes(), DroppedAttributesCount: uint32(r.IntN(2)), Flags: uint32(r.IntN(1024)),
	}
	for range r.IntN(3) {
		s.Events = append(s.Events, &tracepb.Span_Event{TimeUnixNano: r.time() >> 1, Name: r.word(), Attributes: r.attributes()})
	}
	for range r.IntN(3) {
		s.Links = append(s.Links, &tracepb.Span_Link{TraceId: r.bytes(16), SpanId: r.bytes(8), TraceState: r.word(), Attributes: r.attributes()})
	}
	if r.IntN(2) == 0 {
		s.Status = &tracepb.Status{Code: tracepb.Status_StatusCode(r.IntN(4)), Message: r.word()}
	}
	return s
}

// id is mostly one of the size.
func (r random) id(size int) []byte {
	switch r.IntN(20) {
	case 0:
		return nil
	case 1:
		return make([]byte, size)
	case 2:
		return r.bytes(r.IntN(20))
	}
	return r.bytes(size)
}

func (r random) bytes(n int) []byte {
	b := make([]byte, (n+7)/8*8)
	for i := 0; i < len(b); i += 8 {
		binary.BigEndian.PutUint64(b[i:], r.Uint64()>>(8*r.IntN(8)))
	}
	return b[:n]
}

func (r random) time() uint64 {
	switch r.IntN(20) {
	case 0:
		return 0
	case 1:
		return r.Uint64()
	}
	return 1717423000_000000000 + r.Uint64N(1e9)
}

func (r random) attributes() []*commonpb.KeyValue {
	var all []*commonpb.KeyValue
	for range r.IntN(4) {
		all = append(all, &commonpb.KeyValue{Key: r.word(), Value: r.value(0)})
	}
	return all
}

func (r random) value(depth int) *commonpb.AnyValue {
	kinds := 9
	if depth > 3 {
		kinds = 7
	}
	switch r.IntN(kinds) {
	case 0:
		return nil
	case 1:
		return &commonpb.AnyValue{}
	case 2:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: r.word()}}
	case 3:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: r.IntN(2) == 0}}
	case 4:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: int64(r.Uint64()) >> r.IntN(64)}}
	case 5:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: r.NormFloat64() * math.Pow(10, float64(r.IntN(60)-30))}}
	case 6:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: r.bytes(r.IntN(9))}}
	case 7:
		array := &commonpb.ArrayValue{}
		for range r.IntN(4) {
			array.Values = append(array.Values, notNil(r.value(depth+1)))
		}
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: array}}
	default:
		list := &commonpb.KeyValueList{}
		for range r.IntN(4) {
			list.Values = append(list.Values, &commonpb.KeyValue{Key: r.word(), Value: r.value(depth + 1)})
		}
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: list}}
	}
}

func notNil(v *commonpb.AnyValue) *commonpb.AnyValue {
	if v == nil {
		return &commonpb.AnyValue{}
	}
	return v
}

func (r random) word() string {
	words := []string{"", "a", "b_c", "opentracing.ref_type", "child_of", "<é&\">\n", "trace_id", "\U0001F600", strings.Repeat("x", 200)}
	return words[r.IntN(len(words))]
}
