package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// newRegistry has what is known of the process and of the build; the parts
// add their own.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	v := build()
	info := func(name string, labels prometheus.Labels) prometheus.Collector {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: "What is running; always 1.", ConstLabels: labels})
		g.Set(1)
		return g
	}
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		info("spandrel_build_info", prometheus.Labels{"version": v.GitVersion, "revision": v.GitCommit}),
		info("jaeger_build_info", prometheus.Labels{"version": v.GitVersion, "revision": v.GitCommit, "build_date": v.BuildDate}),
	)
	return r
}
