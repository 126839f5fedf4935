package badger

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the store's, all named spandrel_store_….
type metrics struct {
	registerer prometheus.Registerer
	all        []prometheus.Collector

	spansStored, bytesWritten, fsyncErrors, overloads, replayed, corruptions, walDamage prometheus.Counter
	dropped                                                                             *prometheus.CounterVec // by reason
	commitSeconds, flushSeconds                                                         prometheus.Histogram
	bytes, partitions, segments, oldest, walBytes, headSpans, queueBytes, free, reserve prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{registerer: r}
	m.spansStored = m.counter("spans_total", "Spans taken and made durable, without exact duplicates in memory.")
	m.bytesWritten = m.counter("wal_written_bytes_total", "Bytes written to the write-ahead log.")
	m.fsyncErrors = m.counter("commit_errors_total", "Writes or syncs of the write-ahead log that failed.")
	m.overloads = m.counter("overloads_total", "Writes refused because too much was waiting.")
	m.replayed = m.counter("replayed_spans_total", "Spans recovered from the write-ahead log at start.")
	m.corruptions = m.counter("corruptions_total", "Reads that met damaged data.")
	m.walDamage = m.counter("wal_damaged_bytes_total", "Bytes of the write-ahead log that made no sense at start.")
	m.dropped = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "spandrel", Subsystem: "store", Name: "dropped_partitions_total",
		Help: "Partitions removed, by reason: age, bytes or disk_full.",
	}, []string{"reason"})
	m.all = append(m.all, m.dropped)
	for _, reason := range []string{reasonAge, reasonBytes, reasonDisk} {
		m.dropped.WithLabelValues(reason)
	}
	m.commitSeconds = m.histogram("commit_seconds", "From the first span of a commit group taken to all durable.", prometheus.ExponentialBuckets(0.0001, 2, 16))
	m.flushSeconds = m.histogram("flush_seconds", "Time to move spans from memory to a segment.", prometheus.ExponentialBuckets(0.001, 2, 16))
	m.bytes = m.gauge("bytes", "Bytes on disk, write-ahead log included.")
	m.partitions = m.gauge("partitions", "Partitions.")
	m.segments = m.gauge("segments", "Segments in all partitions.")
	m.oldest = m.gauge("oldest_timestamp_seconds", "When the oldest partition began, 0 = there is none.")
	m.walBytes = m.gauge("wal_bytes", "Bytes on disk of the write-ahead log.")
	m.headSpans = m.gauge("head_spans", "Spans in memory that no segment has yet.")
	m.queueBytes = m.gauge("queue_bytes", "Bytes of spans that wait to be committed.")
	m.free = m.gauge("disk_free_bytes", "Free bytes of the disk.")
	m.reserve = m.gauge("disk_reserve_bytes", "Bytes of the disk that are kept free.")
	if r != nil {
		for _, c := range m.all {
			r.MustRegister(c)
		}
	}
	return m
}

func (m *metrics) unregister() {
	if m.registerer != nil {
		for _, c := range m.all {
			m.registerer.Unregister(c)
		}
	}
}

func (m *metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "spandrel", Subsystem: "store", Name: name, Help: help})
	m.all = append(m.all, c)
	return c
}

func (m *metrics) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "spandrel", Subsystem: "store", Name: name, Help: help})
	m.all = append(m.all, g)
	return g
}

func (m *metrics) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "spandrel", Subsystem: "store", Name: name, Help: help, Buckets: buckets})
	m.all = append(m.all, h)
	return h
}

func (m *metrics) flushed(took time.Duration) { m.flushSeconds.Observe(took.Seconds()) }

// badgerLogger gives Badger's log lines to slog, a level lower than Badger
// thinks of them.
type badgerLogger struct {
	log       *slog.Logger
	partition string
}

func (l badgerLogger) say(level slog.Level, format string, args []any) {
	text := strings.TrimSpace(fmt.Sprintf(format, args...))
	l.log.Log(nil, level, "badger", "partition", l.partition, "text", text) //nolint:staticcheck // no context at hand
}

func (l badgerLogger) Errorf(f string, args ...any)   { l.say(slog.LevelError, f, args) }
func (l badgerLogger) Warningf(f string, args ...any) { l.say(slog.LevelWarn, f, args) }
func (l badgerLogger) Infof(f string, args ...any)    { l.say(slog.LevelDebug, f, args) }
func (l badgerLogger) Debugf(string, ...any)          {}
