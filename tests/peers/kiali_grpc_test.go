package peers

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	model "github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	kialiTimeout      = 4 * time.Second // of GetServices and GetTrace
	kialiQueryTimeout = 5 * time.Second // of searches, by default
	clusterTag        = "istio.cluster_id"
)

// kialiSearch is what Kiali fills in of a search. The longest duration, the
// operation and raw are never on the wire.
type kialiSearch struct {
	service    string
	start, end time.Time
	tags       map[string]string
	duration   time.Duration
	depth      int
}

// message is the FindTracesRequest.
func (k kialiSearch) message() []byte {
	var q []byte
	text := func(b []byte, field protowire.Number, s string) []byte {
		if s == "" {
			return b
		}
		return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
	}
	pair := func(b []byte, field protowire.Number, seconds, nanos int64) []byte {
		var m []byte
		if seconds != 0 {
			m = protowire.AppendVarint(protowire.AppendTag(m, 1, protowire.VarintType), uint64(seconds))
		}
		if nanos != 0 {
			m = protowire.AppendVarint(protowire.AppendTag(m, 2, protowire.VarintType), uint64(nanos))
		}
		return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), m)
	}
	q = text(q, 1, k.service)
	for _, key := range slices.Sorted(maps.Keys(k.tags)) {
		entry := text(text(nil, 1, key), 2, k.tags[key])
		q = protowire.AppendBytes(protowire.AppendTag(q, 3, protowire.BytesType), entry)
	}
	q = pair(q, 4, k.start.Unix(), int64(k.start.Nanosecond()))
	q = pair(q, 5, k.end.Unix(), int64(k.end.Nanosecond()))
	q = pair(q, 6, int64(k.duration/time.Second), int64(k.duration%time.Second))
	if k.depth != 0 {
		q = protowire.AppendVarint(protowire.AppendTag(q, 8, protowire.VarintType), uint64(k.depth))
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), q)
}

// kialiStream sends the message and reads chunks until the stream ends, as Kiali
// does: a deadline is an end like any other.
func kialiStream(t *testing.T, conn *grpc.ClientConn, method string, message []byte, timeout time.Duration) (map[string][]model.Span, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/jaeger.api_v2.QueryService/"+method)
	if err != nil {
		return nil, err
	}
	if err := stream.SendMsg(message); err != nil {
		return nil, err
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	found := map[string][]model.Span{}
	for {
		var raw []byte
		if err := stream.RecvMsg(&raw); errors.Is(err, io.EOF) || status.Code(err) == codes.DeadlineExceeded {
			return found, nil
		} else if err != nil {
			return nil, err
		}
		for _, span := range fieldsOf(t, raw)[1] {
			checkSpanBytes(t, span)
		}
		var chunk api_v2.SpansResponseChunk
		if err := chunk.Unmarshal(raw); err != nil {
			t.Fatal(err)
		}
		for _, s := range chunk.Spans {
			found[s.TraceID.String()] = append(found[s.TraceID.String()], s)
		}
	}
}

// fieldsOf are the fields of a message that have bytes, by number.
func fieldsOf(t *testing.T, b []byte) map[protowire.Number][][]byte {
	t.Helper()
	fields := map[protowire.Number][][]byte{}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		size := protowire.ConsumeFieldValue(number, kind, b[n:])
		if size < 0 {
			t.Fatal(protowire.ParseError(size))
		}
		if kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(b[n:])
			fields[number] = append(fields[number], value)
		}
		b = b[n+size:]
	}
	return fields
}

// checkSpanBytes holds a span on the wire against what Kiali's converter takes
// for granted: it crashes on a span without a process, leaves out one whose
// trace id has no 8 or 16 bytes and takes a span id that has no 8 for zero.
func checkSpanBytes(t *testing.T, span []byte) {
	t.Helper()
	fields := fieldsOf(t, span)
	check := func(what string, values [][]byte, size int) {
		if len(values) != 1 || len(values[0]) != size {
			t.Errorf("%s is %x, want one of %d bytes", what, values, size)
		}
	}
	check("trace id", fields[1], 16)
	check("span id", fields[2], 8)
	for _, reference := range fields[4] {
		r := fieldsOf(t, reference)
		check("trace id of a reference", r[1], 16)
		check("span id of a reference", r[2], 8)
	}
	if len(fields[10]) != 1 {
		t.Errorf("%d processes within the span, want 1", len(fields[10]))
	}
}

// checkSpan holds a span against what Kiali's pages read out of it.
func checkSpan(t *testing.T, s *jsonSpan) {
	t.Helper()
	what := fmt.Sprintf("span %s of trace %s", s.SpanID, s.TraceID)
	if s.Process == nil || s.Process.ServiceName == "" || s.Process.Tags == nil {
		t.Errorf("%s: its process is %+v", what, s.Process)
	}
	if s.Tags == nil || s.Logs == nil || s.References == nil {
		t.Errorf("%s: a list is null", what)
	}
	if s.StartTime.String() == "0" || s.OperationName == "" || s.Warnings != nil {
		t.Errorf("%s: started at %s, named %q, with warnings %q", what, s.StartTime, s.OperationName, s.Warnings)
	}
	for _, r := range s.References {
		if r.RefType != "CHILD_OF" && r.RefType != "FOLLOWS_FROM" {
			t.Errorf("%s: reference type %q", what, r.RefType)
		}
	}
	seen, values := map[string]bool{}, map[string]string{}
	for _, x := range s.Tags {
		text := x.Key + "=" + x.text()
		if seen[text] {
			t.Errorf("%s: tag %s twice", what, text)
		}
		seen[text], values[x.Key] = true, fmt.Sprint(x.Value)
	}
	if k := values["span.kind"]; k != "client" && k != "server" {
		t.Errorf("%s: kind %q", what, k)
	}
	if parts := strings.Split(values["node_id"], "~"); len(parts) != 4 || values["component"] != "proxy" || values[clusterTag] != "Kubernetes" {
		t.Errorf("%s: node %q, component %q, cluster %q", what, values["node_id"], values["component"], values[clusterTag])
	}
}

// TestKialiOverGRPC calls as Kiali does with use_grpc, on the port for gRPC and,
// as its documentation has it, on the port of the page.
func TestKialiOverGRPC(t *testing.T) {
	s := startSpandrel(t, keep)
	want := postRecorded(t, s, "bookinfo", "64-bit", "shared-context")
	for name, address := range map[string]string{"own port": s.grpc, "port of the page": s.http} {
		t.Run(name, func(t *testing.T) { kialiOverGRPC(t, dialGRPC(t, address), want) })
	}
}

func kialiOverGRPC(t *testing.T, conn *grpc.ClientConn, want recording) {
	ctx, cancel := context.WithTimeout(t.Context(), kialiTimeout)
	defer cancel()
	services, err := api_v2.NewQueryServiceClient(conn).GetServices(ctx, &api_v2.GetServicesRequest{})
	if err != nil {
		t.Fatalf("Kiali would show: unreachable: %v", err)
	}
	if got := slices.Sorted(slices.Values(services.Services)); !slices.Equal(got, want.services()) {
		t.Errorf("services %q, want %q", got, want.services())
	}
	for name, k := range kialiSearches(want.services()) {
		t.Run(name, func(t *testing.T) {
			found, err := kialiStream(t, conn, "FindTraces", k.message(), kialiQueryTimeout)
			if err != nil {
				t.Fatal(err)
			}
			checkTraces(t, found, want.search(k.condition()))
		})
	}
	t.Run("trace", func(t *testing.T) {
		for id, spans := range want {
			found, err := kialiStream(t, conn, "GetTrace", getTraceMessage(t, id), kialiTimeout)
			if err != nil {
				t.Fatal(err)
			}
			checkTraces(t, found, map[string]int{id: len(spans)})
		}
	})
	t.Run("no such trace", func(t *testing.T) {
		found, err := kialiStream(t, conn, "GetTrace", getTraceMessage(t, "dead"), kialiTimeout)
		if len(found) > 0 || err != nil && status.Code(err) != codes.NotFound {
			t.Errorf("got %v, %v; want nothing or not found", found, err)
		}
	})
}

// kialiSearches are the searches behind Kiali's pages, by name.
func kialiSearches(services []string) map[string]kialiSearch {
	cluster := map[string]string{clusterTag: "Kubernetes"}
	now := time.Now()
	all := map[string]kialiSearch{
		"probe at the start":              {"productpage.default", now.Add(-10 * time.Minute), now, map[string]string{"cluster": "Kubernetes"}, 0, 10},
		"probe where nothing is known":    {"", now.Add(-10 * time.Minute), now, map[string]string{"cluster": "Kubernetes"}, 0, 10},
		"a service that is not there":     {"nobody.default", recordedFrom, recordedTo, cluster, 0, 100},
		"another cluster":                 {"productpage.default", recordedFrom, recordedTo, map[string]string{clusterTag: "other"}, 0, 100},
		"an interval without spans":       {"productpage.default", recordedFrom.Add(-time.Hour), recordedFrom, cluster, 0, 100},
		"the service's name in its case":  {"Productpage.default", recordedFrom, recordedTo, cluster, 0, 100},
		"no lower bound":                  {"reviews.default", time.Time{}, recordedTo, cluster, 0, 1000},
		"longer than 5 ms":                {"reviews.default", recordedFrom, recordedTo, cluster, 5 * time.Millisecond, 1000},
		"longer than anything":            {"reviews.default", recordedFrom, recordedTo, cluster, time.Hour, 1000},
		"an istio tag besides":            {"reviews.default", recordedFrom, recordedTo, map[string]string{clusterTag: "Kubernetes", "istio.canonical_revision": "v2"}, 0, 1000},
		"the gateway's namespace in name": {"istio-ingressgateway.istio-system", recordedFrom, recordedTo, cluster, 0, 10000},
	}
	for _, service := range services {
		all["traces of "+service] = kialiSearch{service, recordedFrom, recordedTo, cluster, 0, 100}
		all["errors of "+service] = kialiSearch{service, recordedFrom, recordedTo, map[string]string{"error": "true"}, 0, 0}
		all["errors only of "+service] = kialiSearch{service, recordedFrom, recordedTo, map[string]string{"error": "true", clusterTag: "Kubernetes"}, 0, 100}
	}
	return all
}

func (k kialiSearch) condition() condition {
	return condition{service: k.service, tags: k.tags, from: k.start, to: k.end, atLeast: k.duration}
}

// getTraceMessage is a GetTraceRequest with the id in 16 bytes.
func getTraceMessage(t *testing.T, id string) []byte {
	t.Helper()
	b, err := hex.DecodeString(fmt.Sprintf("%032s", id))
	if err != nil {
		t.Fatal(err)
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), b)
}

// checkTraces holds traces, all of them whole, against what is wanted.
func checkTraces(t *testing.T, found map[string][]model.Span, want map[string]int) {
	t.Helper()
	got := map[string]int{}
	for id, spans := range found {
		got[id] = len(spans)
		ids := map[model.SpanID]bool{}
		for i := range spans {
			checkSpan(t, jsonOf(&spans[i]))
			ids[spans[i].SpanID] = true
		}
		if len(ids) != len(spans) {
			t.Errorf("trace %s: %d ids for %d spans", id, len(ids), len(spans))
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("spans by trace: got %v, want %v", got, want)
	}
}
