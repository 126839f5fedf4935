package zipkin

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/openzipkin/zipkin-go/model"
	"github.com/openzipkin/zipkin-go/proto/zipkin_proto3"

	"github.com/spandrel/spandrel"
)

// comparing makes cmp fit for spans: no tags are no tags, nil or empty.
var comparing = gocmp.Options{
	cmpopts.EquateEmpty(),
	cmpopts.EquateComparable(netip.Addr{}, spandrel.Value{}),
}

// fromModel is zipkin-go's span as one of ours.
func fromModel(m *model.SpanModel) spandrel.Span {
	s := spandrel.Span{
		TraceID: spandrel.TraceID{High: m.TraceID.High, Low: m.TraceID.Low},
		ID:      spandrel.SpanID(m.ID), Kind: spandrel.ParseKind(string(m.Kind)),
		Name: m.Name, Duration: m.Duration.Nanoseconds(),
		Local: fromEndpoint(m.LocalEndpoint), Remote: fromEndpoint(m.RemoteEndpoint),
	}
	if m.ParentID != nil && *m.ParentID != m.ID {
		s.ParentID = spandrel.SpanID(*m.ParentID)
	}
	if !m.Timestamp.IsZero() {
		s.Start = m.Timestamp.UnixNano()
	}
	if m.Debug {
		s.Flags |= spandrel.FlagDebug
	}
	if m.Shared && s.Kind != spandrel.KindClient {
		s.Flags |= spandrel.FlagShared
	}
	for _, a := range m.Annotations {
		s.Events = append(s.Events, spandrel.Event{Time: a.Timestamp.UnixNano(), Name: a.Value})
	}
	slices.SortFunc(s.Events, func(a, b spandrel.Event) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), strings.Compare(a.Name, b.Name))
	})
	for k, v := range m.Tags {
		s.Tags = append(s.Tags, spandrel.Tag{Key: k, Value: spandrel.StringValue(v)})
	}
	slices.SortFunc(s.Tags, func(a, b spandrel.Tag) int { return strings.Compare(a.Key, b.Key) })
	return s
}

func fromEndpoint(m *model.Endpoint) spandrel.Endpoint {
	if m == nil {
		return spandrel.Endpoint{}
	}
	e := spandrel.Endpoint{Service: m.ServiceName, Port: m.Port}
	for _, ip := range []net.IP{m.IPv6, m.IPv4} {
		addr, ok := netip.AddrFromSlice(ip)
		addr = addr.Unmap()
		if ok && addr.Is4() {
			e.IPv4 = addr
		} else if ok {
			e.IPv6 = addr
		}
	}
	return e
}

// zipkinGoJSON decodes with zipkin-go, the library behind Jaeger's receiver.
func zipkinGoJSON(body []byte) ([]spandrel.Span, error) {
	var models []*model.SpanModel
	if err := json.Unmarshal(body, &models); err != nil {
		return nil, err
	}
	return fromModels(models), nil
}

// zipkinGoProto is the same for protobuf.
func zipkinGoProto(body []byte) ([]spandrel.Span, error) {
	models, err := zipkin_proto3.ParseSpans(body, false)
	if err != nil {
		return nil, err
	}
	return fromModels(models), nil
}

func fromModels(models []*model.SpanModel) []spandrel.Span {
	var spans []spandrel.Span
	for _, m := range models {
		if m != nil {
			spans = append(spans, fromModel(m))
		}
	}
	return spans
}

func TestEnvoysPostsAreDecodedAsZipkinGoDoes(t *testing.T) {
	for _, name := range []string{"bookinfo", "shared-context", "64-bit", "misdirected", "broken-propagation", "sampled", "protobuf"} {
		t.Run(name, func(t *testing.T) {
			for _, p := range posts(t, name) {
				body := p.bytes(t)
				before := bytes.Clone(body)
				decode, theirs := func(b []byte) ([]spandrel.Span, []spandrel.Rejection, error) {
					return new(Decoder).JSON(b, strings.Contains(p.Path, "/v1/"))
				}, zipkinGoJSON
				if p.ContentType == "application/x-protobuf" {
					decode, theirs = new(Decoder).Proto, zipkinGoProto
				}
				got, rejected, err := decode(body)
				if err != nil || rejected != nil {
					t.Fatal(rejected, err)
				}
				want, err := theirs(body)
				if err != nil {
					t.Fatal(err)
				}
				if diff := gocmp.Diff(got, want, comparing); diff != "" {
					t.Errorf("ours -, zipkin-go's +:\n%s", diff)
				}
				if !bytes.Equal(body, before) {
					t.Error("the body was changed")
				}
			}
		})
	}
}

// TestSendersOfZipkinGo reads what zipkin-go's reporter sends in either format.
func TestSendersOfZipkinGo(t *testing.T) {
	parent := model.ID(7)
	full := posts(t, "bookinfo")[0].bytes(t)
	var models []*model.SpanModel
	if err := json.Unmarshal(full, &models); err != nil {
		t.Fatal(err)
	}
	root := *models[0]
	root.ParentID, root.TraceID, root.Debug = nil, model.TraceID{Low: 9}, true
	both := *models[0]
	both.ParentID, both.Shared, both.Kind = &parent, true, model.Server
	both.RemoteEndpoint = &model.Endpoint{ServiceName: "remote", IPv6: net.ParseIP("2001:db8::1"), Port: 65535}
	models = append(models, &root, &both)

	inJSON, err := json.Marshal(models)
	if err != nil {
		t.Fatal(err)
	}
	inProto, err := (zipkin_proto3.SpanSerializer{}).Serialize(models)
	if err != nil {
		t.Fatal(err)
	}
	fromJSON, rejected, err := new(Decoder).JSON(inJSON, false)
	if err != nil || rejected != nil {
		t.Fatal(rejected, err)
	}
	fromProto, rejected, err := new(Decoder).Proto(inProto)
	if err != nil || rejected != nil {
		t.Fatal(rejected, err)
	}
	want, err := zipkinGoJSON(inJSON)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(fromJSON, want, comparing); diff != "" {
		t.Errorf("JSON: ours -, zipkin-go's +:\n%s", diff)
	}
	if diff := gocmp.Diff(fromProto, want, comparing); diff != "" {
		t.Errorf("protobuf: ours -, zipkin-go's +:\n%s", diff)
	}
}
