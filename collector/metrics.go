package collector

import (
	"os"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/spandrel/spandrel"
)

// metrics is all that the collector counts. The spandrel_ names tell the whole
// truth; the others are those that dashboards for Jaeger 1 and 2 ask for.
type metrics struct {
	received, accepted, rejected, failed *prometheus.CounterVec

	jaegerReceived, jaegerRejected, jaegerSaved *prometheus.CounterVec
	tracesReceived, tracesSaved                 *prometheus.CounterVec
	batchSize                                   prometheus.Gauge
	otelAccepted, otelRefused                   *prometheus.CounterVec
	duration                                    *prometheus.HistogramVec
	refused, misdirected                        *prometheus.CounterVec
	paths                                       labelSet
	services                                    services
	otel                                        [numFormats]prometheus.Counter // children of otelAccepted
}

// newMetrics makes the metrics and registers them, unless reg is nil.
func newMetrics(reg prometheus.Registerer, g *gate) *metrics {
	f := promauto.With(reg)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, value func() float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	gauge("spandrel_collector_in_flight_posts", "Posts being read or waiting for the store.",
		func() float64 { posts, _ := g.held(); return float64(posts) })
	gauge("spandrel_collector_in_flight_bytes", "Memory of the posts under way.",
		func() float64 { _, bytes := g.held(); return float64(bytes) })
	host, _ := os.Hostname() // without a name the label is empty
	m := &metrics{
		received: counter("spandrel_collector_spans_received_total",
			"Spans in well-formed bodies: those accepted, rejected and failed.", "format", "service"),
		accepted: counter("spandrel_collector_spans_accepted_total", "Spans stored.", "format", "service"),
		rejected: counter("spandrel_collector_spans_rejected_total", "Spans that make no sense.", "format", "reason"),
		failed:   counter("spandrel_collector_spans_failed_total", "Spans that could not be stored.", "format", "service", "reason"),
		refused:  counter("spandrel_collector_requests_failed_total", "Requests not answered with success.", "reason"),
		misdirected: counter("spandrel_collector_misdirected_requests_total",
			"Requests for a path, by a method or in a version that is not the path's. The first 100 paths are named.", "reason", "path"),
		duration: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "spandrel_collector_http_request_duration_seconds", Help: "From a request's head to its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route", "method", "status"}),
		batchSize: f.NewGauge(prometheus.GaugeOpts{Name: "jaeger_collector_batch_size",
			Help: "Spans in the newest batch.", ConstLabels: prometheus.Labels{"host": host}}),
		paths: labelSet{max: 100},
	}
	m.borrowed(counter)
	for format := range numFormats {
		names := formats[format]
		m.otel[format] = m.otelAccepted.WithLabelValues(names.receiver, names.transport)
	}
	return m
}

// borrowed makes the counters with the names of Jaeger and OpenTelemetry.
func (m *metrics) borrowed(counter func(name, help string, labels ...string) *prometheus.CounterVec) {
	m.jaegerReceived = counter("jaeger_collector_spans_received_total",
		"Spans received, as Jaeger counts them.", "debug", "format", "svc", "transport")
	m.jaegerRejected = counter("jaeger_collector_spans_rejected_total",
		"Spans rejected, as Jaeger counts them.", "debug", "format", "svc", "transport")
	m.jaegerSaved = counter("jaeger_collector_spans_saved_by_svc_total",
		"Spans stored or failed, as Jaeger counts them.", "debug", "result", "svc")
	m.tracesReceived = counter("jaeger_collector_traces_received_total",
		"Root spans received, as Jaeger counts them.", "debug", "format", "sampler_type", "svc", "transport")
	m.tracesSaved = counter("jaeger_collector_traces_saved_by_svc_total",
		"Root spans stored or failed, as Jaeger counts them.", "debug", "result", "sampler_type", "svc")
	m.otelAccepted = counter("otelcol_receiver_accepted_spans_total",
		"Spans accepted, as the OpenTelemetry collector counts them.", "receiver", "transport")
	m.otelRefused = counter("otelcol_receiver_refused_spans_total",
		"Spans rejected or failed, as the OpenTelemetry collector counts them.", "receiver", "transport")
}

// tally is what a batch has of one service, by whether it is for debugging.
type tally struct {
	svc          *service
	spans, roots [2]int
}

// maxTallies bounds the search for a service's tally. A batch with more
// services has several for some, which add up.
const maxTallies = 16

// count adds the batch to the counters, with what the store said of it.
func (m *metrics) count(b *Batch, err error) {
	m.batchSize.Set(float64(len(b.Spans) + len(b.Rejected)))
	var room [maxTallies]tally
	for _, t := range m.tallies(b.Spans, room[:0]) {
		for debug, n := range t.spans {
			if n == 0 {
				continue
			}
			if debug == 0 && err == nil {
				m.addUsual(b, t.svc, n, t.roots[0])
			} else {
				m.add(b, t.svc.label, debug, n, t.roots[debug], err)
			}
		}
	}
	names := formats[b.Format]
	refused := len(b.Rejected)
	if err != nil {
		refused += len(b.Spans)
	} else {
		m.otel[b.Format].Add(float64(len(b.Spans)))
	}
	if refused > 0 {
		m.otelRefused.WithLabelValues(names.receiver, names.transport).Add(float64(refused))
	}
	if n := float64(len(b.Rejected)); n > 0 {
		m.received.WithLabelValues(names.name, unknownService).Add(n)
		m.jaegerReceived.WithLabelValues("false", names.jaeger, unknownService, b.Transport).Add(n)
		m.jaegerRejected.WithLabelValues("false", names.jaeger, unknownService, b.Transport).Add(n)
	}
	for i := range b.Rejected {
		m.rejected.WithLabelValues(names.name, b.Rejected[i].Reason).Inc()
	}
}

// tallies adds up the spans by service, in room.
func (m *metrics) tallies(spans []spandrel.Span, all []tally) []tally {
	at, name := 0, ""
	for i := range spans {
		span := &spans[i]
		if i == 0 || span.Local.Service != name {
			name = span.Local.Service
			svc := m.services.of(name)
			for at = 0; at < min(len(all), maxTallies) && all[at].svc != svc; at++ {
			}
			if at == min(len(all), maxTallies) {
				at = len(all)
				all = append(all, tally{svc: svc})
			}
		}
		debug := int(span.Flags&spandrel.FlagDebug) / int(spandrel.FlagDebug)
		all[at].spans[debug]++
		if span.ParentID == 0 && span.Flags&spandrel.FlagShared == 0 {
			all[at].roots[debug]++
		}
	}
	return all
}

// addUsual adds stored spans that are not for debugging.
func (m *metrics) addUsual(b *Batch, svc *service, spans, roots int) {
	u := m.usual(b, svc)
	n := float64(spans)
	u.received.Add(n)
	u.accepted.Add(n)
	u.jaegerReceived.Add(n)
	u.jaegerKept.Add(n)
	if roots > 0 {
		u.tracesReceived.Add(float64(roots))
		u.tracesKept.Add(float64(roots))
	}
}

// samplerType is Jaeger's word for samplers that are not its own.
const samplerType = "unrecognized"

// usual finds or makes the service's counters for the batch's format. A format
// has one transport, as far as it is counted.
func (m *metrics) usual(b *Batch, svc *service) *usual {
	svc.mu.Lock()
	defer svc.mu.Unlock()
	u := svc.usuals[b.Format]
	if u == nil {
		name, jaeger := formats[b.Format].name, formats[b.Format].jaeger
		u = &usual{
			received:       m.received.WithLabelValues(name, svc.label),
			accepted:       m.accepted.WithLabelValues(name, svc.label),
			jaegerReceived: m.jaegerReceived.WithLabelValues("false", jaeger, svc.label, b.Transport),
			jaegerKept:     m.jaegerSaved.WithLabelValues("false", "ok", svc.label),
			tracesReceived: m.tracesReceived.WithLabelValues("false", jaeger, samplerType, svc.label, b.Transport),
			tracesKept:     m.tracesSaved.WithLabelValues("false", "ok", samplerType, svc.label),
		}
		svc.usuals[b.Format] = u
	}
	return u
}

// add adds spans of any fate.
func (m *metrics) add(b *Batch, label string, debug, spans, roots int, err error) {
	names := formats[b.Format]
	flag, result := strconv.FormatBool(debug == 1), "ok"
	n := float64(spans)
	m.received.WithLabelValues(names.name, label).Add(n)
	if err == nil {
		m.accepted.WithLabelValues(names.name, label).Add(n)
	} else {
		result = "err"
		m.failed.WithLabelValues(names.name, label, failure(err)).Add(n)
	}
	m.jaegerReceived.WithLabelValues(flag, names.jaeger, label, b.Transport).Add(n)
	m.jaegerSaved.WithLabelValues(flag, result, label).Add(n)
	if roots > 0 {
		m.tracesReceived.WithLabelValues(flag, names.jaeger, samplerType, label, b.Transport).Add(float64(roots))
		m.tracesSaved.WithLabelValues(flag, result, samplerType, label).Add(float64(roots))
	}
}
