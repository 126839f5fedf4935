package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// verdict is what becomes of one of Jaeger's settings.
type verdict string

const (
	honoured verdict = "honoured" // does what it does in Jaeger; it is one of our own flags
	harmless verdict = "harmless" // accepted and without effect, and nobody will miss it
	refused  verdict = "refused"  // cannot be honoured: named in a warning at the start
	fatal    verdict = "fatal"    // refused, and going on without it would be dangerous
)

// setting is a row, or several where Name has braces, of the table of
// everything that Jaeger all-in-one 1.35 and 1.76 can be told.
type setting struct {
	Name    string // flag; in capitals: an environment variable without flag; ending in *: a family
	In      string // which of the two has it
	Verdict verdict
	Note    string // for refused and fatal, completes "NAME: …"
	// Off are values that ask for nothing that is lacking here, so that a
	// refused setting with one of them is harmless.
	Off []string
}

// Jaeger's versions in the table.
const (
	early = "1.35"
	late  = "1.76"
	both  = "1.35, 1.76"
)

const (
	noThrift = "Jaeger's own collector protocols (14250, 14268) are not received yet"
	noAgent  = "there is no agent (5775, 5778, 6831, 6832)"
	noRates  = "sampling rates are not served; Envoy has its own"
	noQueue  = "spans are committed before the answer, there is no queue to size"
	grpcAge  = "max-message-size,max-connection-age,max-connection-age-grace"
	tlsOld   = ".tls.{enabled,cert,key,client-ca,cipher-suites,min-version,max-version}"
	tlsNew   = ".tls.reload-interval"
)

// notReceived are protocols of Jaeger's collector whose ports are closed, though
// Istio's own Services name them.
var notReceived = []string{noThrift}

// settings is the table, in the order of the alphabet.
var settings = expand([]setting{
	{"admin.http.host-port", both, honoured, "", nil},
	{"admin.http" + tlsOld, both, honoured, "", nil},
	{"admin.http" + tlsNew, late, honoured, reloadNote, nil},
	{"badger.consistency", both, honoured, "durable by default here; `false` asks for `--badger.sync=100ms`, `true` for `always`", nil},
	{"badger.directory-key", both, harmless, "one directory, badger.directory-value, holds everything", nil},
	{"badger.directory-value", both, honoured, "the default is `$XDG_DATA_HOME/spandrel`, not beside the program", nil},
	{"badger.ephemeral", both, honoured, "false by default here: data persists", nil},
	{"badger.maintenance-interval", both, harmless, "old data is dropped in whole segments, without maintenance runs", nil},
	{"badger.metrics-update-interval", both, harmless, "metrics are read when they are asked for", nil},
	{"badger.read-only", both, fatal, "the store cannot be opened read-only", []string{"false"}},
	{"badger.span-store-ttl", both, honoured, "", nil},
	{"cassandra.*", both, fatal, otherStore, nil},
	{"cassandra-archive.*", both, fatal, otherStore, nil},
	{"collector.enable-span-size-metrics", late, harmless, "bytes are always counted", nil},
	{"collector.grpc-server.host-port", both, refused, noThrift, []string{"", "0"}},
	{"collector.grpc-server.{" + grpcAge + "}", both, refused, noThrift, nil},
	{"collector.grpc" + tlsOld, both, refused, noThrift, []string{"false"}},
	{"collector.grpc" + tlsNew, late, refused, noThrift, nil},
	{"collector.http-server.host-port", both, refused, noThrift, []string{"", "0"}},
	{"collector.http-server.{idle-timeout,read-header-timeout,read-timeout}", late, refused, noThrift, nil},
	{"collector.http" + tlsOld, both, refused, noThrift, []string{"false"}},
	{"collector.http" + tlsNew, late, refused, noThrift, nil},
	{"collector.num-workers", both, harmless, noQueue, nil},
	{"collector.otlp.enabled", both, honoured, "true by default, as in 1.76", nil},
	{"collector.otlp.grpc.host-port", both, honoured, "on by default; `4317`, `:4317` and `host:4317` are the same port; `off` closes it", nil},
	{"collector.otlp.grpc.max-message-size", both, honoured, "bytes, or a size such as `16MiB`", nil},
	{"collector.otlp.grpc.max-connection-age", both, honoured, "", nil},
	{"collector.otlp.grpc.max-connection-age-grace", both, harmless, "calls under way are always answered", nil},
	{"collector.otlp.grpc" + tlsOld, both, honoured, "", nil},
	{"collector.otlp.grpc" + tlsNew, late, honoured, reloadNote, nil},
	{"collector.otlp.http.cors.{allowed-headers,allowed-origins}", late, honoured, "", nil},
	{"collector.otlp.http.host-port", both, honoured, "on by default, likewise", nil},
	{"collector.otlp.http.{idle-timeout,read-header-timeout,read-timeout}", late, honoured, "", nil},
	{"collector.otlp.http" + tlsOld, both, honoured, "", nil},
	{"collector.otlp.http" + tlsNew, late, honoured, reloadNote, nil},
	{"collector.queue-size", both, harmless, noQueue, nil},
	{"collector.queue-size-memory", both, harmless, noQueue, nil},
	{"collector.tags", both, refused, "spans are stored as they were sent, without added tags", []string{""}},
	{"collector.zipkin.{allowed-headers,allowed-origins}", early, honoured, "older names of collector.zipkin.cors.*; no origin is allowed by default", nil},
	{"collector.zipkin.cors.{allowed-headers,allowed-origins}", late, honoured, "", nil},
	{"collector.zipkin.host-port", both, honoured, "on by default; `9411`, `:9411` and `host:9411` are the same port; `off` closes it", nil},
	{"collector.zipkin.keep-alive", late, honoured, "", nil},
	{"collector.zipkin" + tlsOld, both, honoured, "", nil},
	{"collector.zipkin" + tlsNew, late, honoured, reloadNote, nil},
	{"config-file", both, fatal, "settings files of Jaeger 1 are not read; --config takes those of Jaeger 2", nil},
	{"downsampling.{hashsalt,ratio}", both, refused, "every span that is received is kept", []string{"", "1", "1.0"}},
	{"es.*", both, fatal, otherStore, nil},
	{"es-archive.*", both, fatal, otherStore, nil},
	{"feature-gates", late, harmless, "the gates are those of Jaeger's libraries", nil},
	{"grpc-storage.*", both, fatal, otherStore, nil},
	{"grpc-storage-archive.*", late, fatal, otherStore, nil},
	{"grpc-storage-plugin.*", early, fatal, otherStore, nil},
	{"help", both, honoured, "", nil},
	{"http-server.host-port", early, refused, noAgent, []string{"", "0"}},
	{"kafka.*", both, fatal, otherStore, nil},
	{"log-encoding", late, honoured, "`json` or `console`; the default is console on a terminal and json elsewhere", nil},
	{"log-level", both, honoured, "", nil},
	{"memory.max-traces", both, honoured, "", nil},
	{"metrics-backend", both, honoured, "`prometheus` or `none`; `expvar` (1.35) is treated as none", nil},
	{"metrics-http-route", both, honoured, "", nil},
	{"multi-tenancy.enabled", late, fatal, "tenants would see one another's traces", []string{"false"}},
	{"multi-tenancy.{header,tenants}", late, harmless, "of no effect in Jaeger either unless multi-tenancy.enabled", nil},
	{"processor.{jaeger-binary,jaeger-compact,zipkin-compact}.{server-host-port,server-max-packet-size,server-queue-size,server-socket-buffer-size,workers}", early, refused, noAgent, []string{"", "0"}},
	{"prometheus.*", both, refused, noRED, nil},
	{"query.additional-headers", both, honoured, "the environment variable holds one header a line", nil},
	{"query.base-path", both, honoured, "the root redirects to it, and /api outside it is a JSON 404", nil},
	{"query.bearer-token-propagation", both, harmless, "there is no remote store to pass a token to", nil},
	{"query.enable-tracing", late, refused, "spandrel does not trace itself", []string{"false"}},
	{"query.grpc-server.host-port", both, honoured, "gRPC is answered on the HTTP port too", nil},
	{"query.grpc" + tlsOld, both, honoured, "", nil},
	{"query.grpc" + tlsNew, late, honoured, reloadNote, nil},
	{"query.http-server.host-port", both, honoured, "", nil},
	{"query.http" + tlsOld, both, honoured, "", nil},
	{"query.http" + tlsNew, late, honoured, reloadNote, nil},
	{"query.log-static-assets-access", late, harmless, "", nil},
	{"query.max-clock-skew-adjustment", both, honoured, "0s by default as in Jaeger: off, and without warnings on spans", nil},
	{"query.static-files", both, refused, "the page is built in, not read from a directory", []string{""}},
	{"query.ui-config", both, honoured, "JSON, read at the start; see [the page's settings](#settings-of-the-page)", nil},
	{"reporter.grpc.{discovery.min-peers,host-port,retry.max}", early, refused, noAgent, []string{""}},
	{"reporter.grpc.tls.{ca,cert,enabled,key,server-name,skip-host-verify}", early, refused, noAgent, []string{"", "false"}},
	{"reporter.type", early, harmless, noAgent, nil},
	{"sampling.{aggregation-buckets,buckets-for-calculation,calculation-interval,delay,delta-tolerance,follower-lease-refresh-interval,initial-sampling-probability,leader-lease-refresh-interval,min-samples-per-second,min-sampling-probability,target-samples-per-second}", both, refused, noRates, nil},
	{"sampling.default-sampling-probability", late, refused, noRates, nil},
	{"sampling.{strategies-file,strategies-reload-interval}", both, refused, noRates, []string{""}},
	{"span-storage.type", both, honoured, "the flag is SPAN_STORAGE_TYPE under another name; `--span-storage-type` too", nil},
	{"DEPENDENCY_STORAGE_TYPE", both, refused, "dependencies come from the spans' own store", []string{"badger", "memory"}},
	{"JAEGER_AGENT_*", both, harmless, "where Jaeger would send its own traces", nil},
	{"JAEGER_LISTEN_HOST", "2.x", honoured, "the host of every listener that is not given one", nil},
	{"METRICS_STORAGE_TYPE", both, refused, noRED, []string{""}},
	{"OTEL_*", both, harmless, "spandrel does not trace itself", nil},
	{"SAMPLING_CONFIG_TYPE", both, refused, noRates, []string{"file", "static"}},
	{"SAMPLING_STORAGE_TYPE", both, refused, noRates, nil},
	{"SPAN_STORAGE_TYPE", both, honoured, "`badger` (default here) or `memory`; any other store ends the start", nil},
})

const (
	reloadNote = "1m by default, so that renewed certificates are taken up; 0s = never"
	otherStore = "belongs to another store; SPAN_STORAGE_TYPE is badger or memory"
	noRED      = "service performance metrics are not served"
)

// expand replaces every row with braces in its name by one row a word.
func expand(rows []setting) []setting {
	var all []setting
	for _, row := range rows {
		for _, row.Name = range alternatives(row.Name) {
			all = append(all, row)
		}
	}
	return all
}

// alternatives are the names that one with braces stands for: a.{b,c} is a.b
// and a.c.
func alternatives(name string) (all []string) {
	before, rest, braces := strings.Cut(name, "{")
	if !braces {
		return []string{name}
	}
	words, after, _ := strings.Cut(rest, "}")
	for word := range strings.SplitSeq(words, ",") {
		all = append(all, alternatives(before+word+after)...)
	}
	return all
}

// isEnv reports whether the setting is an environment variable without a flag.
func (s setting) isEnv() bool { return s.Name == strings.ToUpper(s.Name) }

// isFamily reports whether the setting stands for all with its prefix.
func (s setting) isFamily() bool { return strings.HasSuffix(s.Name, "*") }

// env is the environment variable of the setting.
func (s setting) env() string {
	if s.isEnv() {
		return s.Name
	}
	return envName(s.Name)
}

// jaegerValue takes what Jaeger's flag would have taken, whatever it is.
type jaegerValue string

func (v *jaegerValue) Set(s string) error { *v = jaegerValue(s); return nil }
func (v *jaegerValue) String() string     { return string(*v) }
func (v *jaegerValue) Type() string       { return "value" }

// addJaegerFlags makes flags of those that Jaeger has and Spandrel has not, so
// that a command line written for Jaeger is understood.
func addJaegerFlags(fs *pflag.FlagSet) {
	for _, s := range settings {
		if s.Verdict == honoured || s.isEnv() || s.isFamily() {
			continue
		}
		f := fs.VarPF(new(jaegerValue), s.Name, "", s.Note)
		f.Hidden = true
		if slices.Contains(s.Off, "false") {
			f.NoOptDefVal = "true"
		}
	}
}

// unhonoured lists what was set, by flag or environment, and has no effect,
// with the reason. It fails where going on would be dangerous.
func unhonoured(fs *pflag.FlagSet, lookup func(string) string) (list []string, err error) {
	for _, s := range settings {
		if s.Verdict != refused && s.Verdict != fatal || s.isFamily() {
			continue
		}
		name, value := s.env(), lookup(s.env())
		asFlag := !s.isEnv() && fs.Changed(s.Name)
		if asFlag {
			name, value = "--"+s.Name, fs.Lookup(s.Name).Value.String()
		}
		if !asFlag && value == "" || slices.Contains(s.Off, value) {
			continue
		}
		if s.Verdict == fatal && (asFlag || s.Name != "config-file") { // others use CONFIG_FILE too
			return nil, fmt.Errorf("%s cannot be honoured: %s", name, s.Note)
		}
		list = append(list, fmt.Sprintf("%s (%s)", name, s.Note))
	}
	return list, nil
}
