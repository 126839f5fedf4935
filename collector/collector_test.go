package collector

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

func span(id uint64, service string) spandrel.Span {
	return spandrel.Span{TraceID: spandrel.TraceID{Low: 1}, ID: spandrel.SpanID(id), Start: 5, Local: spandrel.Endpoint{Service: service}}
}

func TestSpansWithoutStartGetTheTimeOfArrival(t *testing.T) {
	w := &recorder{}
	c := New(w, Options{Now: fixedNow})
	known, unknown := span(1, "a"), span(2, "a")
	unknown.Start = 0
	if err := c.Accept(t.Context(), Batch{Spans: []spandrel.Span{known, unknown}}); err != nil {
		t.Fatal(err)
	}
	want := []spandrel.Span{known, unknown}
	want[1].Start, want[1].Flags = fixedNow().UnixNano(), spandrel.FlagNoStart
	for i := range want {
		if !w.spans[i].Equal(&want[i]) || w.spans[i].Start != want[i].Start {
			t.Errorf("got %s, want %s", show(&w.spans[i]), show(&want[i]))
		}
	}
}

func TestAcceptTellsRejectedSpansFromFailedOnes(t *testing.T) {
	rejected := []spandrel.Rejection{{Index: 3, Reason: "invalid_tag", Err: errors.New("tags are a string")}}
	good := []spandrel.Span{span(1, "a")}
	for _, test := range []struct {
		name  string
		batch Batch
		store error
		want  string
	}{
		{"all stored", Batch{Spans: good}, nil, "<nil>"},
		{"nothing", Batch{}, nil, "<nil>"},
		{"nothing, and a store that fails", Batch{}, storage.ErrUnavailable, "<nil>"},
		{"some rejected", Batch{Spans: good, Rejected: rejected}, nil, "1 of 2 spans rejected, 1 stored\nspan 3: invalid_tag: tags are a string"},
		{"some rejected, the others failed", Batch{Spans: good, Rejected: rejected}, storage.ErrOverloaded, "overloaded"},
		{"all rejected", Batch{Rejected: rejected}, storage.ErrOverloaded, "1 of 1 spans rejected, 0 stored\nspan 3: invalid_tag: tags are a string"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := New(&recorder{err: test.store}, Options{})
			if got := fmt.Sprint(c.Accept(t.Context(), test.batch)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestRejectedErrorIsBounded(t *testing.T) {
	e := &RejectedError{Stored: 2}
	long := errors.New(strings.Repeat("ä", 5000))
	for i := range 100_000 {
		e.Rejected = append(e.Rejected, spandrel.Rejection{Index: i, Reason: "invalid_name", Err: long})
	}
	got := e.Error()
	if len(got) > 8<<10 || !strings.HasPrefix(got, "100000 of 100002 spans rejected, 2 stored\nspan 0: ") || !strings.HasSuffix(got, "\n… and 99980 more") {
		t.Errorf("%d bytes: %.80q … %q", len(got), got, got[len(got)-40:])
	}
}

func TestAcceptPassesItsContextToTheStore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := New(&recorder{wait: make(chan struct{})}, Options{})
	if err := c.Accept(ctx, Batch{Spans: []spandrel.Span{span(1, "a")}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestServiceLabels(t *testing.T) {
	for _, test := range []struct{ name, service, want string }{
		{"as it is", "web-1.ns2", "web-1.ns2"},
		{"upper case", "Web.NS", "web.ns"},
		{"other characters", "a b/c_d:80", "a_b_c_d_80"},
		{"not ASCII", "ä", "__"},
		{"none", "", "__unknown"},
		{"long", strings.Repeat("x", 1000), strings.Repeat("x", 128)},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := serviceLabel(test.service); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestServicesAreBounded(t *testing.T) {
	var s services
	for i := range 3 * maxServices {
		name := fmt.Sprint("service-", i)
		if a, b := s.of(name), s.of(name); a != b {
			t.Fatalf("%s is counted twice", name)
		}
	}
	if got := s.of("one more").label; got != otherServices {
		t.Errorf("got label %q", got)
	}
	if got := s.of("").label; got != unknownService {
		t.Errorf("got label %q for no name", got)
	}
	if got := s.of("service-7").label; got != "service-7" {
		t.Errorf("a service seen early has label %q", got)
	}
	if got := len(s.byLabel); got > maxServices+2 {
		t.Errorf("%d labels", got)
	}
	if got := len(s.byName); got > 2*maxServices {
		t.Errorf("%d names", got)
	}
}

func TestServiceNamesMayChangeAfterwards(t *testing.T) {
	var s services
	body := []byte("web")
	web := s.of(alias(body))
	copy(body, "app")
	if s.of("app") == web || s.of("web") != web {
		t.Error("the name of a service aliases the body of a post")
	}
}

// TestSpansAreConserved checks that every span is counted exactly once, whatever
// becomes of it, under each of the three sets of names.
func TestSpansAreConserved(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			reg := prometheus.NewPedanticRegistry()
			w := &recorder{}
			c := New(w, Options{Registerer: reg, MaxSpanBytes: 40})
			sent := map[string]float64{}
			for range 200 {
				b := randomBatch(rnd)
				w.err = []error{nil, nil, nil, storage.ErrOverloaded, storage.ErrUnavailable, errors.New("x")}[rnd.IntN(6)]
				sent[b.Format.String()] += float64(len(b.Spans) + len(b.Rejected))
				before := w.len()
				err := c.Accept(t.Context(), b)
				var rejected *RejectedError
				if errors.As(err, &rejected) && rejected.Stored != w.len()-before {
					t.Fatalf("says that %d are stored, but %d are", rejected.Stored, w.len()-before)
				}
			}
			checkConservation(t, reg, sent, float64(w.len()))
		})
	}
}

func checkConservation(t *testing.T, reg *prometheus.Registry, sent map[string]float64, stored float64) {
	t.Helper()
	got := func(name string, labels ...string) float64 { return sum(t, reg, name, labels...) }
	const p, j = "spandrel_collector_spans_", "jaeger_collector_spans_"
	for format, n := range sent {
		equal(t, format+" received", got(p+"received_total", "format", format), n)
		fates := got(p+"accepted_total", "format", format) + got(p+"rejected_total", "format", format) + got(p+"failed_total", "format", format)
		equal(t, format+" accepted + rejected + failed", fates, n)
	}
	equal(t, "accepted", got(p+"accepted_total"), stored)
	for _, service := range []string{"a", "b", "c_d"} {
		received := got(p+"received_total", "service", service)
		fates := got(p+"accepted_total", "service", service) + got(p+"failed_total", "service", service)
		equal(t, "accepted + failed of "+service, fates, received)
		equal(t, "Jaeger's received of "+service, got(j+"received_total", "svc", service), received)
		equal(t, "Jaeger's saved of "+service, got(j+"saved_by_svc_total", "svc", service), received)
	}
	equal(t, "Jaeger's saved and rejected", got(j+"saved_by_svc_total")+got(j+"rejected_total"), got(j+"received_total"))
	equal(t, "Jaeger's saved", got(j+"saved_by_svc_total", "result", "ok"), stored)
	equal(t, "Jaeger's traces", got("jaeger_collector_traces_saved_by_svc_total"), got("jaeger_collector_traces_received_total"))
	equal(t, "OpenTelemetry's accepted", got("otelcol_receiver_accepted_spans_total"), stored)
	equal(t, "OpenTelemetry's accepted and refused",
		got("otelcol_receiver_accepted_spans_total")+got("otelcol_receiver_refused_spans_total"), got(p+"received_total"))
}

func equal(t *testing.T, what string, got, want float64) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func randomBatch(rnd *rand.Rand) Batch {
	b := Batch{Format: Format(rnd.IntN(int(numFormats))), Transport: "http"}
	names := []string{"a", "b", "", "C d", "B"}
	for i := range 30 { // enough for more services than are tallied at once
		names = append(names, fmt.Sprint("s", i))
	}
	for i := range rnd.IntN(40) {
		s := span(uint64(i+1), names[rnd.IntN(len(names))])
		s.Flags = spandrel.Flags(rnd.IntN(4))
		s.ParentID = spandrel.SpanID(rnd.IntN(2))
		if rnd.IntN(10) == 0 {
			s.Name = strings.Repeat("long", 20)
		}
		b.Spans = append(b.Spans, s)
	}
	for i := range rnd.IntN(3) {
		b.Rejected = append(b.Rejected, spandrel.Rejection{Index: i, Reason: []string{"invalid_tag", "invalid_name"}[rnd.IntN(2)]})
	}
	return b
}

func TestMetricNamesOfJaegerAndOpenTelemetry(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	c := New(&recorder{}, Options{Registerer: reg})
	root, shared, debug := span(1, "Web.ns"), span(1, "Web.ns"), span(3, "Web.ns")
	shared.Flags, debug.ParentID, debug.Flags = spandrel.FlagShared, 1, spandrel.FlagDebug
	if err := c.Accept(t.Context(), Batch{Format: ZipkinProto, Transport: "http", Spans: []spandrel.Span{root, shared, debug}}); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, test := range [][]string{
		{"jaeger_collector_spans_received_total", "debug", "false", "format", "zipkin", "svc", "web.ns", "transport", "http"},
		{"jaeger_collector_spans_received_total", "debug", "true", "format", "zipkin", "svc", "web.ns", "transport", "http"},
		{"jaeger_collector_spans_saved_by_svc_total", "debug", "false", "result", "ok", "svc", "web.ns"},
		{"jaeger_collector_traces_received_total", "debug", "false", "format", "zipkin", "svc", "web.ns", "transport", "http"},
		{"jaeger_collector_traces_saved_by_svc_total", "debug", "false", "result", "ok", "svc", "web.ns"},
		{"jaeger_collector_batch_size"},
		{"otelcol_receiver_accepted_spans_total", "receiver", "zipkin", "transport", "http_v2_proto"},
		{"spandrel_collector_spans_accepted_total", "format", "zipkin_proto", "service", "web.ns"},
	} {
		got[strings.Join(test, " ")] = sum(t, reg, test[0], test[1:]...)
	}
	want := map[string]float64{
		"jaeger_collector_spans_received_total debug false format zipkin svc web.ns transport http":  2,
		"jaeger_collector_spans_received_total debug true format zipkin svc web.ns transport http":   1,
		"jaeger_collector_spans_saved_by_svc_total debug false result ok svc web.ns":                 2,
		"jaeger_collector_traces_received_total debug false format zipkin svc web.ns transport http": 1,
		"jaeger_collector_traces_saved_by_svc_total debug false result ok svc web.ns":                1,
		"jaeger_collector_batch_size": 3,
		"otelcol_receiver_accepted_spans_total receiver zipkin transport http_v2_proto": 3,
		"spandrel_collector_spans_accepted_total format zipkin_proto service web.ns":    3,
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
}
