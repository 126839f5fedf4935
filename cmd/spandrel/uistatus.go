package main

import (
	"cmp"
	"context"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/spandrel/spandrel/query"
	"github.com/spandrel/spandrel/query/uiapi"
	"github.com/spandrel/spandrel/storage/badger"
	"github.com/spandrel/spandrel/storage/memory"
)

// maxStatusServices bounds the services of which the UI is told what they sent.
const maxStatusServices = 500

// uiStatus is what the UI shows of the service: counters are those of the
// metrics.
func (s *service) uiStatus() uiapi.Status {
	p, _, _, err := s.health.now()
	v := build()
	status := uiapi.Status{
		Version: v.GitVersion, Revision: v.GitCommit,
		Started: query.Instant(s.health.started.UnixNano()), Now: query.Instant(time.Now().UnixNano()),
		Ready: p == running, Listeners: s.uiListeners(), Store: s.uiStore(),
	}
	if err != nil {
		status.Trouble = err.Error()
	}
	families, err := s.registry.Gather()
	if err != nil {
		s.log.Error("gathering metrics for the status page", "err", err)
	}
	status.Ingest = uiIngest(families)
	for _, f := range families {
		if f.GetName() == "spandrel_store_bytes" && len(f.GetMetric()) > 0 {
			status.Store.Bytes = int64(f.GetMetric()[0].GetGauge().GetValue())
		}
	}
	return status
}

// uiListeners are all ports, and those that somebody may expect and miss.
func (s *service) uiListeners() []uiapi.Listener {
	ports := s.ports()
	list := make([]uiapi.Listener, 0, len(ports))
	for _, l := range ports {
		entry := uiapi.Listener{Name: l.Name, TLS: l.TLS.Enabled}
		if ln := s.bound[l]; ln != nil {
			entry.Open, entry.Address = true, ln.Addr().String()
			scheme := "http"
			if l.TLS.Enabled {
				scheme = "https"
			}
			if l != &s.QueryGRPC {
				entry.URL = scheme + "://" + reachable(ln.Addr())
			}
		}
		list = append(list, entry)
	}
	for _, protocol := range notReceived {
		list = append(list, uiapi.Listener{Name: protocol})
	}
	return list
}

// uiIngest reads the collector's counters.
func uiIngest(families []*dto.MetricFamily) uiapi.Ingest {
	in := uiapi.Ingest{
		Services: []uiapi.ServiceIngest{}, Rejections: []uiapi.SpansFor{}, Failures: []uiapi.SpansFor{},
		Requests: []uiapi.RequestsFor{}, Misdirected: []uiapi.RequestsFor{},
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			n := uint64(m.GetCounter().GetValue())
			if n == 0 {
				continue
			}
			switch f.GetName() {
			case "spandrel_collector_spans_received_total":
				in.Received += n
			case "spandrel_collector_spans_accepted_total":
				in.Accepted += n
				in.Services = append(in.Services, uiapi.ServiceIngest{Service: label(m, "service"), Format: label(m, "format"), Accepted: n})
			case "spandrel_collector_spans_rejected_total":
				in.Rejected += n
				in.Rejections = append(in.Rejections, uiapi.SpansFor{Format: label(m, "format"), Reason: label(m, "reason"), Spans: n})
			case "spandrel_collector_spans_failed_total":
				in.Failed += n
				in.Failures = append(in.Failures, uiapi.SpansFor{Format: label(m, "format"), Reason: label(m, "reason"), Spans: n})
			case "spandrel_collector_requests_failed_total":
				in.Requests = append(in.Requests, uiapi.RequestsFor{Reason: label(m, "reason"), Requests: n})
			case "spandrel_collector_misdirected_requests_total":
				in.Misdirected = append(in.Misdirected, uiapi.RequestsFor{Reason: label(m, "reason"), Path: label(m, "path"), Requests: n})
			}
		}
	}
	slices.SortStableFunc(in.Services, func(a, b uiapi.ServiceIngest) int { return cmp.Compare(b.Accepted, a.Accepted) })
	in.Services = in.Services[:min(len(in.Services), maxStatusServices)]
	return in
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// uiStore says what is stored.
func (s *service) uiStore() uiapi.Store {
	out := uiapi.Store{Kind: s.Storage}
	if names, err := s.store.Services(context.Background()); err == nil {
		out.Services = len(names)
	}
	switch store := s.store.(type) {
	case *memory.Store:
		out.MaxTraces = s.MemoryMaxTraces
		out.Spans, out.Traces = store.Size()
	case *badger.Store:
		out.Dir, out.MaxAgeSeconds, out.MaxBytes = s.DataDir, int64(s.SpanTTL.Seconds()), s.maxBytes
		stats, err := store.Stats()
		if err != nil {
			return out // it has been closed
		}
		out.Spans, out.HeadSpans = stats.Spans, stats.HeadSpans
		out.Oldest, out.Newest = query.Instant(stats.Oldest), query.Instant(stats.Newest)
		for _, p := range stats.Partitions {
			out.Partitions = append(out.Partitions, uiapi.Partition{
				Name: p.Name, Born: query.Instant(p.Born.UnixNano()), Bytes: p.Bytes, Spans: p.Spans, Segments: p.Segments,
				Oldest: query.Instant(p.Oldest), Newest: query.Instant(p.Newest), Sealed: p.Sealed,
			})
		}
	}
	return out
}
