package badger

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options says how a Store works; the zero value is a good choice.
type Options struct {
	// SyncInterval 0 makes Write return when the spans are on disk, whatever
	// happens then. Otherwise Write returns once the operating system has
	// them, and a power failure may lose those of the last SyncInterval; a
	// crash of the process alone loses nothing either way.
	SyncInterval time.Duration

	Retention Retention
	Sizes     Sizes

	Logger     *slog.Logger          // nil = discard
	Registerer prometheus.Registerer // nil = metrics are not registered
	Now        func() time.Time      // nil = time.Now

	fs fsys // nil = the disk's; tests make it fail

	// elapsed is how long the store has been open, by a clock that nobody sets;
	// nil = by Now, whose times count so if they are time.Now's.
	elapsed func() time.Duration
}

// Retention says which spans may go. Whole partitions go, oldest first.
type Retention struct {
	MaxAge time.Duration // since the spans arrived, 0 = no limit

	// MaxBytes bounds what the store takes on disk, 0 = no limit. It is
	// exceeded by one partition at most. With it set, old spans also go when
	// the disk is nearly full.
	MaxBytes int64
}

// Sizes bounds the parts of a store; 0 means the default.
type Sizes struct {
	HeadSpans     int           // spans in memory before they are flushed, 20,000
	HeadBytes     int64         // bytes in memory before they are flushed, 16 MiB
	FlushInterval time.Duration // spans are flushed after that long at the latest, 10 min
	QueueBytes    int64         // bytes of spans that wait to be committed, 32 MiB
	WALFileBytes  int64         // 16 MiB

	PartitionAge   time.Duration // MaxAge/24 between 15 min and 24 h
	PartitionBytes int64         // MaxBytes/32, at least 256 MiB but at most MaxBytes/4

	// ReserveBytes of the disk stay free, since Badger cannot bear a full one:
	// 3 % of the disk, between 64 MiB and 1 GiB, at most a quarter of it.
	ReserveBytes uint64
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.elapsed == nil {
		opened, now := o.Now(), o.Now
		o.elapsed = func() time.Duration { return now().Sub(opened) }
	}
	if o.fs == nil {
		o.fs = diskFS{}
	}
	z := &o.Sizes
	setDefault(&z.HeadSpans, 20_000)
	setDefault(&z.HeadBytes, 16<<20)
	setDefault(&z.FlushInterval, 10*time.Minute)
	setDefault(&z.QueueBytes, 32<<20)
	setDefault(&z.WALFileBytes, 16<<20)
	window := 24 * time.Hour
	if o.Retention.MaxAge > 0 {
		window = min(max(o.Retention.MaxAge/24, 15*time.Minute), window)
	}
	setDefault(&z.PartitionAge, window)
	bytes := int64(1 << 30)
	if quota := o.Retention.MaxBytes; quota > 0 {
		bytes = min(max(quota/32, 256<<20), max(quota/4, 1<<20))
	}
	setDefault(&z.PartitionBytes, bytes)
	return o
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// reserveOf is how much of a disk of that size stays free.
func (o *Options) reserveOf(total uint64) uint64 {
	if o.Sizes.ReserveBytes != 0 {
		return o.Sizes.ReserveBytes
	}
	return min(max(total/100*3, 64<<20), 1<<30, total/4)
}
