package main

import (
	"testing"

	"github.com/spf13/pflag"
)

func TestValuesAreReadAndShown(t *testing.T) {
	size := func() pflag.Value { return new(byteSize) }
	addr := func() pflag.Value { return new(address) }
	sync := func() pflag.Value { return new(syncMode) }
	level := func() pflag.Value { return new(logLevel) }
	tests := []struct {
		name  string
		value func() pflag.Value
		text  string
		want  string // "" = refused
	}{
		{"bytes", size, "1000", "1000"},
		{"binary unit", size, "20GiB", "20GiB"},
		{"Kubernetes' unit", size, "512Mi", "512MiB"},
		{"decimal unit", size, "1.5 MB", "1500000"},
		{"a whole number of KiB is shown so", size, "2048", "2KiB"},
		{"lower case", size, "3tb", "3000000000000"},
		{"nothing", size, "0", "0"},
		{"negative size", size, "-1", ""},
		{"unknown unit", size, "5 parsecs", ""},
		{"not a number", size, "NaN", ""},
		{"too large", size, "99999999TiB", ""},
		{"host and port", addr, "127.0.0.1:9411", "127.0.0.1:9411"},
		{"every interface", addr, ":9411", ":9411"},
		{"a port alone is every interface, as in Jaeger", addr, "9411", ":9411"},
		{"v6", addr, "[::1]:9411", "[::1]:9411"},
		{"off", addr, "off", "off"},
		{"empty is off", addr, "", "off"},
		{"a name is not a port", addr, "localhost", ""},
		{"port out of range", addr, ":65536", ""},
		{"v6 without brackets", addr, "::1:9411", ""},
		{"always", sync, "always", "always"},
		{"interval", sync, "100ms", "100ms"},
		{"no interval is always", sync, "0s", "always"},
		{"too lax", sync, "2h", ""},
		{"negative interval", sync, "-1s", ""},
		{"zap's level", level, "DPANIC", "error"},
		{"level", level, "Debug", "debug"},
		{"no level", level, "chatty", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := tt.value()
			err := v.Set(tt.text)
			if tt.want == "" {
				if err == nil {
					t.Errorf("%q: got %s, want an error", tt.text, v)
				}
				return
			}
			if err != nil || v.String() != tt.want {
				t.Errorf("%q: got %s, %v, want %s", tt.text, v, err, tt.want)
			}
		})
	}
}

func TestSuggestNamesTheFlagThatWasMeant(t *testing.T) {
	_, fs := newConfig()
	for given, want := range map[string]string{
		"badger.efemeral":        "badger.ephemeral",
		"query.basepath":         "query.base-path",
		"collector.zipkin.port":  "collector.zipkin.host-port",
		"log-levl":               "log-level",
		"completely.other.thing": "",
		"colector.tags":          "", // not one that has no effect
	} {
		if got := suggest(fs, given); got != want {
			t.Errorf("%s: got %q, want %q", given, got, want)
		}
	}
}

func TestEnvironmentNamesFollowTheRule(t *testing.T) {
	if got, want := envName("badger.span-store-ttl"), "BADGER_SPAN_STORE_TTL"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
