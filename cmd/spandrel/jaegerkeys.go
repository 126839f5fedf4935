package main

import (
	"slices"
	"strings"
)

// key is a row, or several where Path has braces, of the table of what
// Jaeger 2's YAML can say: the keys of the parts that Istio's addon uses.
type key struct {
	Path    string // from the top, * for a name that users choose; ending in .*: a family
	Verdict verdict
	Flag    string // of an honoured key: what it sets; "" = the file's own structure
	Note    string // for refused and fatal, completes "PATH: …"
	Off     []string
}

const (
	noCheck  = "requests would go through unchecked"
	noAlter  = "spans are stored as they were sent; going on would keep what a processor was to change or drop"
	ownLimit = "Spandrel has its own limits"
	fromFile = "certificates and keys are read from files"
)

// keys is the table. The first row that fits a key is the one that counts.
var keys = expandKeys([]key{
	{"service.extensions", honoured, "", "an extension that is not listed is not in force", nil},
	{"service.pipelines.traces.{receivers,processors,exporters}", honoured, "", "likewise", nil},
	{"service.pipelines.*", refused, "", "only traces are received", nil},
	{"service.telemetry.logs.level", honoured, "log-level", "", nil},
	{"service.telemetry.logs.encoding", honoured, "log-encoding", "", nil},
	{"service.telemetry.logs.*", harmless, "", "", nil},
	{"service.telemetry.metrics.readers.pull.exporter.prometheus.{host,port}", honoured, "metrics.http.host-port", "", nil},
	{"service.telemetry.metrics.readers.pull.exporter.prometheus.*", harmless, "", "metrics have Spandrel's names", nil},
	{"service.telemetry.metrics.readers.*", refused, "", "metrics are asked for, not sent", nil},
	{"service.telemetry.metrics.*", harmless, "", "all metrics are served at every level; `--metrics-backend=none` switches them off", nil},
	{"service.telemetry.{resource,traces}.*", harmless, "", "Spandrel does not trace itself", nil},

	{"extensions.jaeger_query.base_path", honoured, "query.base-path", "", nil},
	{"extensions.jaeger_query.storage.traces", honoured, "", "names the backend", nil},
	{"extensions.jaeger_query.storage.traces_archive", refused, "", "there is no archive; traces are kept for as long as all are", []string{""}},
	{"extensions.jaeger_query.storage.metrics", refused, "", noRED, []string{""}},
	{"extensions.jaeger_query.max_clock_skew_adjust", honoured, "query.max-clock-skew-adjustment", "", nil},
	{"extensions.jaeger_query.bearer_token_propagation", harmless, "", "there is no remote store to pass a token to", nil},
	{"extensions.jaeger_query.enable_tracing", refused, "", "spandrel does not trace itself", []string{"false"}},
	{"extensions.jaeger_query.multi_tenancy.enabled", fatal, "", "tenants would see one another's traces", []string{"false"}},
	{"extensions.jaeger_query.multi_tenancy.*", harmless, "", "of no effect unless multi_tenancy.enabled", nil},
	{"extensions.jaeger_query.ui.config_file", honoured, "query.ui-config", "", nil},
	{"extensions.jaeger_query.ui.assets_path", refused, "", "the page is built in, not read from a directory", []string{""}},
	{"extensions.jaeger_query.ui.log_access", harmless, "", "", nil},
	{"extensions.jaeger_query.ai.*", refused, "", "there is no assistant", nil},
	{"extensions.jaeger_query.http.endpoint", honoured, "query.http-server.host-port", "", nil},
	{"extensions.jaeger_query.grpc.endpoint", honoured, "query.grpc-server.host-port", "", nil},
	{"extensions.jaeger_query.grpc.transport", refused, "", "gRPC is on TCP", []string{"", "tcp"}},
	{"extensions.jaeger_query.http.tls", honoured, "query.http.tls", "", nil},
	{"extensions.jaeger_query.grpc.tls", honoured, "query.grpc.tls", "", nil},
	{"extensions.jaeger_query.{http,grpc}.{auth,middlewares}.*", fatal, "", noCheck, nil},
	{"extensions.jaeger_query.http.cors.*", refused, "", "pages of other origins cannot read the API", nil},
	{"extensions.jaeger_query.http.response_headers.*", refused, "", "--query.additional-headers sets them", nil},
	{"extensions.jaeger_query.http.{" + httpLimits + ",max_request_body_size,keep_alives_enabled}", harmless, "", ownLimit, nil},
	{"extensions.jaeger_query.grpc.{max_recv_msg_size_mib,max_concurrent_streams,read_buffer_size,write_buffer_size,include_metadata}", harmless, "", ownLimit, nil},
	{"extensions.jaeger_query.grpc.keepalive.*", harmless, "", ownLimit, nil},

	{"extensions.jaeger_storage.backends.*.badger.directories.values", honoured, "badger.directory-value", "", nil},
	{"extensions.jaeger_storage.backends.*.badger.directories.keys", harmless, "", "one directory, that of the values, holds everything", nil},
	{"extensions.jaeger_storage.backends.*.badger.ephemeral", honoured, "badger.ephemeral", "false by default here: data persists", nil},
	{"extensions.jaeger_storage.backends.*.badger.ttl.spans", honoured, "badger.span-store-ttl", "", nil},
	{"extensions.jaeger_storage.backends.*.badger.consistency", honoured, "badger.consistency", "", nil},
	{"extensions.jaeger_storage.backends.*.badger.read_only", fatal, "", "the store cannot be opened read-only", []string{"false"}},
	{"extensions.jaeger_storage.backends.*.badger.{maintenance_interval,metrics_update_interval}", harmless, "", "old data is dropped in whole segments, without maintenance runs", nil},
	{"extensions.jaeger_storage.backends.*.memory.max_traces", honoured, "memory.max-traces", "", nil},
	{"extensions.jaeger_storage.backends.*.{cassandra,clickhouse,elasticsearch,grpc,opensearch}.*", fatal, "", "it is a store that spandrel does not have: badger or memory", nil},
	{"extensions.jaeger_storage.metric_backends.*", refused, "", noRED, nil},

	{"extensions.healthcheckv2.http.endpoint", honoured, "healthcheck.http.host-port", "", nil},
	{"extensions.healthcheckv2.http.tls", honoured, "healthcheck.http.tls", "", nil},
	{"extensions.healthcheckv2.http.*", harmless, "", "`/status` is the only path", nil},
	{"extensions.healthcheckv2.grpc.*", refused, "", "gRPC's health service is on the query ports only", nil},
	{"extensions.healthcheckv2.*", harmless, "", "", nil},
	{"extensions.remote_sampling.*", refused, "", noRates, nil},
	{"extensions.expvar.*", harmless, "", "`/debug/vars` of port 14269", nil},
	{"extensions.pprof.*", harmless, "", "`/debug/pprof` of port 14269", nil},
	{"extensions.zpages.*", harmless, "", "OpenTelemetry's own debugging pages", nil},

	{"receivers.zipkin.endpoint", honoured, "collector.zipkin.host-port", "", nil},
	{"receivers.zipkin.cors.allowed_origins", honoured, "collector.zipkin.cors.allowed-origins", "", nil},
	{"receivers.zipkin.cors.allowed_headers", honoured, "collector.zipkin.cors.allowed-headers", "", nil},
	{"receivers.zipkin.cors.max_age", harmless, "", "", nil},
	{"receivers.zipkin.keep_alives_enabled", honoured, "collector.zipkin.keep-alive", "", nil},
	{"receivers.zipkin.max_request_body_size", honoured, "collector.zipkin.max-body", "", nil},
	{"receivers.zipkin.tls", honoured, "collector.zipkin.tls", "", nil},
	{"receivers.zipkin.{auth,middlewares}.*", fatal, "", noCheck, nil},
	{"receivers.zipkin.parse_string_tags", refused, "", "tags are kept as they were sent", []string{"false"}},
	{"receivers.zipkin.response_headers.*", harmless, "", "", nil},
	{"receivers.zipkin.{" + httpLimits + "}", harmless, "", ownLimit, nil},
	{"receivers.jaeger.*", refused, "", noThrift, nil},
	{"receivers.otlp.protocols.grpc.endpoint", honoured, "collector.otlp.grpc.host-port", "", nil},
	{"receivers.otlp.protocols.grpc.transport", refused, "", "gRPC is on TCP", []string{"", "tcp"}},
	{"receivers.otlp.protocols.grpc.tls", honoured, "collector.otlp.grpc.tls", "", nil},
	{"receivers.otlp.protocols.grpc.max_recv_msg_size_mib", honoured, "collector.otlp.grpc.max-message-size", "", nil},
	{"receivers.otlp.protocols.grpc.keepalive.server_parameters.max_connection_age", honoured, "collector.otlp.grpc.max-connection-age", "", nil},
	{"receivers.otlp.protocols.grpc.keepalive.*", harmless, "", ownLimit, nil},
	{"receivers.otlp.protocols.grpc.{max_concurrent_streams,read_buffer_size,write_buffer_size,include_metadata}", harmless, "", ownLimit, nil},
	{"receivers.otlp.protocols.http.endpoint", honoured, "collector.otlp.http.host-port", "", nil},
	{"receivers.otlp.protocols.http.tls", honoured, "collector.otlp.http.tls", "", nil},
	{"receivers.otlp.protocols.http.cors.allowed_origins", honoured, "collector.otlp.http.cors.allowed-origins", "", nil},
	{"receivers.otlp.protocols.http.cors.allowed_headers", honoured, "collector.otlp.http.cors.allowed-headers", "", nil},
	{"receivers.otlp.protocols.http.cors.{exposed_headers,max_age}", harmless, "", "", nil},
	{"receivers.otlp.protocols.http.max_request_body_size", honoured, "collector.otlp.http.max-body", "", nil},
	{"receivers.otlp.protocols.http.read_header_timeout", honoured, "collector.otlp.http.read-header-timeout", "", nil},
	{"receivers.otlp.protocols.http.read_timeout", honoured, "collector.otlp.http.read-timeout", "", nil},
	{"receivers.otlp.protocols.http.idle_timeout", honoured, "collector.otlp.http.idle-timeout", "", nil},
	{"receivers.otlp.protocols.http.{include_metadata,compression_algorithms,write_timeout,keep_alives_enabled}", harmless, "", ownLimit, nil},
	{"receivers.otlp.protocols.http.traces_url_path", refused, "", "spans are taken at /v1/traces, whatever stands before it", []string{"", "/v1/traces", "v1/traces"}},
	{"receivers.otlp.protocols.http.{metrics_url_path,logs_url_path}", harmless, "", "of OTLP, traces alone are received", nil},
	{"receivers.otlp.protocols.http.response_headers.*", harmless, "", "", nil},
	{"receivers.otlp.protocols.{grpc,http}.{auth,middlewares}.*", fatal, "", noCheck, nil},
	{"receivers.nop.*", harmless, "", "", nil},
	{"receivers.*", refused, "", "only Zipkin's protocol and OTLP are received", nil},

	{"processors.batch.*", harmless, "", noQueue, nil},
	{"processors.memory_limiter.*", harmless, "", ownLimit, nil},
	{"processors.*", fatal, "", noAlter, nil},

	{"exporters.jaeger_storage_exporter.trace_storage", honoured, "", "must be the backend that jaeger_query reads", nil},
	{"exporters.jaeger_storage_exporter.{queue,retry_on_failure}.*", harmless, "", noQueue, nil},
	{"exporters.nop.*", harmless, "", "", nil},
	{"exporters.*", refused, "", "spans are stored here and not sent on", nil},
	{"connectors.*", refused, "", "there is one pipeline", nil},
	{"extensions.*", refused, "", "it is not a part that spandrel has", nil},
})

const httpLimits = "include_metadata,compression_algorithms,read_timeout,read_header_timeout,write_timeout,idle_timeout"

// tlsKeys are the rows of a listener's tls section.
var tlsKeys = []key{
	{"cert_file", honoured, "cert", "", nil},
	{"key_file", honoured, "key", "", nil},
	{"client_ca_file", honoured, "client-ca", "", nil},
	{"min_version", honoured, "min-version", "", nil},
	{"max_version", honoured, "max-version", "", nil},
	{"cipher_suites", honoured, "cipher-suites", "", nil},
	{"reload_interval", honoured, "reload-interval", reloadNote, nil},
	{"{cert_pem,key_pem}", fatal, "", fromFile, nil},
	{"tpm.*", fatal, "", fromFile, nil},
	{"curve_preferences", refused, "", "Go chooses the curves", nil},
	{"client_ca_file_reload", harmless, "", "it is read again whenever it changes", nil},
	{"{ca_file,ca_pem,include_system_ca_certs_pool}", harmless, "", "of use to clients only", nil},
}

// expandKeys replaces rows with braces, and those of whole tls sections.
func expandKeys(rows []key) (all []key) {
	for _, row := range rows {
		section := []key{row}
		if strings.HasSuffix(row.Path, ".tls") {
			section = slices.Clone(tlsKeys)
			for i := range section {
				t := &section[i]
				t.Path = row.Path + "." + t.Path
				if t.Flag != "" {
					t.Flag = row.Flag + "." + t.Flag
				}
			}
		}
		for _, k := range section {
			for _, k.Path = range alternatives(k.Path) {
				all = append(all, k)
			}
		}
	}
	return all
}

// fits reports whether the key is one of the row's, and how long a prefix of
// it names what the row speaks of.
func (k key) fits(path []string) (length int, ok bool) {
	rest, family := strings.CutSuffix(k.Path, ".*")
	want := strings.Split(rest, ".")
	if len(want) == 1 && family { // whatever part of the section
		return 2, len(path) == 2 && path[0] == want[0]
	}
	if len(path) < len(want) || len(path) > len(want) && !family {
		return 0, false
	}
	for i, w := range want {
		if w != "*" && w != path[i] {
			return 0, false
		}
	}
	return len(want), true
}
