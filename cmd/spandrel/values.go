package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// Annotations of a flag: its group in --help, and that no environment variable sets it.
const (
	group = "group"
	noEnv = "no-env"
)

// address is where to listen: host:port, :port (every interface), a port
// (which interfaces is for the listening rule to say while it is the default,
// every interface when a user wrote it) or off.
type address string

const off address = "off"

func (a *address) Set(s string) error {
	s = strings.TrimSpace(s)
	switch {
	case s == "" || s == string(off):
		*a = off
		return nil
	case !strings.Contains(s, ":"):
		s = ":" + s
	}
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return errors.New("want host:port, :port, a port or off")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > math.MaxUint16 {
		return errors.New("the port must be a number from 0 to 65535")
	}
	*a = address(s)
	return nil
}

func (a *address) String() string { return string(*a) }
func (a *address) Type() string   { return "address" }

// port is what follows the last colon.
func (a address) port() string { return string(a[strings.LastIndexByte(string(a), ':')+1:]) }

// byteSize is a number of bytes, written with or without a unit.
type byteSize int64

var units = []struct {
	suffix string
	factor float64
}{
	{"KIB", 1 << 10}, {"MIB", 1 << 20}, {"GIB", 1 << 30}, {"TIB", 1 << 40},
	{"KI", 1 << 10}, {"MI", 1 << 20}, {"GI", 1 << 30}, {"TI", 1 << 40}, // Kubernetes' spelling
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	{"K", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}, {"B", 1},
}

func (b *byteSize) Set(s string) error {
	number, factor := strings.ToUpper(strings.TrimSpace(s)), 1.0
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.suffix); ok {
			number, factor = strings.TrimSpace(rest), u.factor
			break
		}
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || !(f >= 0 && f*factor < math.MaxInt64) {
		return errors.New("want a size such as 500MB or 20GiB")
	}
	*b = byteSize(f * factor)
	return nil
}

func (b *byteSize) String() string {
	n, i := float64(*b), -1
	for i < 3 && n >= 1024 && n == math.Trunc(n) && math.Mod(n, 1024) == 0 {
		n, i = n/1024, i+1
	}
	if i < 0 || n >= 10_000 {
		return strconv.FormatInt(int64(*b), 10)
	}
	return strconv.FormatFloat(n, 'f', -1, 64) + []string{"KiB", "MiB", "GiB", "TiB"}[i]
}

func (b *byteSize) Type() string { return "size" }

// syncMode is the time for which acknowledged spans may not be on the disk
// yet; 0 = never.
type syncMode time.Duration

func (m *syncMode) Set(s string) error {
	if s == "always" {
		*m = 0
		return nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > time.Minute {
		return errors.New("want always or a duration up to 1m such as 100ms")
	}
	*m = syncMode(d)
	return nil
}

func (m *syncMode) String() string {
	if *m == 0 {
		return "always"
	}
	return time.Duration(*m).String()
}

func (m *syncMode) Type() string { return "sync mode" }

// logLevel is a level by the names of Jaeger's logger too.
type logLevel struct{ slog.Level }

func (l *logLevel) Set(s string) error {
	switch strings.ToLower(s) {
	case "debug":
		l.Level = slog.LevelDebug
	case "info":
		l.Level = slog.LevelInfo
	case "warn", "warning":
		l.Level = slog.LevelWarn
	case "error", "dpanic", "panic", "fatal":
		l.Level = slog.LevelError
	default:
		return errors.New("want debug, info, warn or error")
	}
	return nil
}

func (l *logLevel) String() string { return strings.ToLower(l.Level.String()) }
func (l *logLevel) Type() string   { return "level" }

// normalize makes one name of those that a flag had over time.
func normalize(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	switch name {
	case "span-storage-type":
		name = "span-storage.type"
	case "collector.zipkin.allowed-origins", "collector.zipkin.allowed-headers":
		name = strings.Replace(name, "zipkin.", "zipkin.cors.", 1)
	}
	return pflag.NormalizedName(name)
}

// badValue says in one sentence what was set to what, and what it should be.
// The error is one of pflag's.
func badValue(name string, err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err
	}
	reason := invalid.Unwrap().Error()
	switch invalid.GetFlag().Value.Type() {
	case "bool":
		reason = "want true or false"
	case "duration":
		reason = "want a duration such as 1m30s"
	case "int":
		reason = "want a whole number"
	}
	return fmt.Errorf("%s=%q: %s", name, invalid.GetValue(), reason)
}

// suggest names the flag that was probably meant.
func suggest(fs *pflag.FlagSet, name string) string {
	best, least := "", 1+len(name)/4
	fs.VisitAll(func(f *pflag.Flag) {
		if d := distance(name, f.Name); d <= least && !f.Hidden {
			best, least = f.Name, d-1
		}
	})
	return best
}

// distance is how many letters must be changed, added or left out to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
