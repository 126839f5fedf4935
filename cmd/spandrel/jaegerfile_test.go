package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// loadText reads settings from a file with that text.
func loadText(t *testing.T, text string, env map[string]string, args ...string) (*config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, fs := newConfig()
	if err := fs.Parse(append(args, "--config", file)); err != nil {
		t.Fatal(err)
	}
	err := c.load(fs, func(name string) string { return env[name] })
	if err != nil {
		err = fmt.Errorf("%s", strings.ReplaceAll(err.Error(), file, "FILE"))
	}
	return c, err
}

func TestIstioAddonsFileIsHonouredToTheLetter(t *testing.T) {
	text, err := os.ReadFile("testdata/istio-1.29.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := loadText(t, string(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{string(c.Zipkin.Address), string(c.OTLPGRPC.Address), string(c.OTLPHTTP.Address), string(c.Health.Address), string(c.Metrics.Address), string(c.QueryHTTP.Address),
		string(c.Admin.Address), c.BasePath, c.DataDir, c.Storage, fmt.Sprint(c.Ephemeral)}
	want := []string{"0.0.0.0:9411", "0.0.0.0:4317", "0.0.0.0:4318", "0.0.0.0:13133", "0.0.0.0:8888", "16686", "14269", "/jaeger", "/badger/data/", "badger", "false"}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
}

func TestWhatAFileSays(t *testing.T) {
	const query = "service: {extensions: [jaeger_query]}\nextensions: {jaeger_query: {%s}}"
	store := func(backends string) string {
		return "service: {extensions: [jaeger_query, jaeger_storage]}\n" +
			"extensions: {jaeger_query: {storage: {traces: a}}, jaeger_storage: {backends: {" + backends + "}}}"
	}
	pipeline := func(receivers, processors, exporters, rest string) string {
		return fmt.Sprintf("service: {pipelines: {traces: {receivers: [%s], processors: [%s], exporters: [%s]}}}\n%s", receivers, processors, exporters, rest)
	}
	tests := []struct {
		name, text string
		env        map[string]string
		args       []string
		got        func(*config) any
		want       any
		note, err  string
	}{
		{name: "memory", text: store("a: {memory: {max_traces: 5}}"), got: func(c *config) any { return []any{c.Storage, c.MemoryMaxTraces} }, want: []any{"memory", 5}},
		{name: "badger's own settings", text: store("a: {badger: {consistency: false, maintenance_interval: 1m}}"),
			got: func(c *config) any { return c.Sync }, want: syncMode(100 * time.Millisecond)},
		{name: "a variable", text: fmt.Sprintf(query, `base_path: "/${env:WHERE:-x}$$/${OTHER}"`), env: map[string]string{"OTHER": "y"},
			got: func(c *config) any { return c.BasePath }, want: "/x$/y"},
		{name: "a flag wins", text: fmt.Sprintf(query, "base_path: /file"), args: []string{"--query.base-path=/flag"},
			got: func(c *config) any { return c.BasePath }, want: "/flag"},
		{name: "TLS", text: fmt.Sprintf(query, "http: {endpoint: \":1\", tls: {cert_file: a, key_file: b, min_version: \"1.3\", cipher_suites: [TLS_AES_128_GCM_SHA256]}}"),
			got:  func(c *config) any { return c.QueryHTTP.TLS },
			want: tlsFiles{Enabled: true, Cert: "a", Key: "b", MinVersion: "1.3", CipherSuites: "TLS_AES_128_GCM_SHA256", Reload: time.Minute}},
		{name: "metrics at the host that the SDK has", text: "service: {telemetry: {metrics: {readers: [{pull: {exporter: {prometheus: {port: 9}}}}]}}}",
			got: func(c *config) any { return c.Metrics.Address }, want: address("localhost:9")},
		{name: "origins", text: pipeline("zipkin/a", "", "", "receivers: {zipkin/a: {cors: {allowed_origins: [http://a, http://b]}}}"),
			got: func(c *config) any { return c.CORSOrigins }, want: []string{"http://a", "http://b"}},
		{name: "OTLP", text: pipeline("otlp", "", "", "receivers: {otlp: {protocols: {grpc: {endpoint: \":1\", max_recv_msg_size_mib: 16, keepalive: {server_parameters: {max_connection_age: 1h, time: 5m}}}, "+
			"http: {endpoint: \":2\", cors: {allowed_origins: [http://a]}, max_request_body_size: 1000, idle_timeout: 1m, traces_url_path: /v1/traces, tls: {cert_file: a, key_file: b}}}}}"),
			got: func(c *config) any {
				return []any{c.OTLPGRPC.Address, c.OTLPMaxMessage, c.OTLPGRPC.Age, c.OTLPHTTP.Address, c.OTLPOrigins, c.OTLPMaxBody, c.OTLPHTTP.Idle, c.OTLPHTTP.TLS.Cert, len(c.Unhonoured)}
			},
			want: []any{address(":1"), byteSize(16 << 20), time.Hour, address(":2"), []string{"http://a"}, byteSize(1000), time.Minute, "a", 0}},
		{name: "OTLP as it is", text: pipeline("otlp", "", "", "receivers: {otlp: {protocols: {grpc: , http: }}}"),
			got: func(c *config) any { return []any{c.OTLPGRPC.Address, c.OTLPHTTP.Address, len(c.Unhonoured)} }, want: []any{address("4317"), address("4318"), 0}},
		{name: "parts without settings", text: pipeline("zipkin", "batch", "nop", "receivers: {zipkin: }\nprocessors: {batch: }\nexporters: {nop: }"),
			got: func(c *config) any { return len(c.Unhonoured) }, want: 0},

		{name: "a part that is not listed", text: pipeline("", "", "", "receivers: {zipkin: {endpoint: \":1\"}}"), note: "receivers.zipkin (is not listed under service"},
		{name: "a part that is not here", text: "service: {extensions: [s3/x]}\nextensions: {s3/x: {bucket: b}}", note: "extensions.s3 (it is not a part"},
		{name: "another exporter", text: pipeline("", "", "otlp", "exporters: {otlp: {endpoint: x}}"), note: "exporters.otlp (spans are stored here"},
		{name: "another pipeline", text: "service: {pipelines: {metrics: {receivers: [otlp]}}}\nreceivers: {otlp: {}}", note: "service.pipelines (only traces"},
		{name: "a connector", text: pipeline("", "", "spanmetrics", "connectors: {spanmetrics: {}}"), note: "connectors.spanmetrics (there is one pipeline"},
		{name: "an archive", text: strings.Replace(store("a: {badger: }"), "traces: a", "traces: a, traces_archive: b", 1), note: "extensions.jaeger_query.storage.traces_archive ("},

		{name: "no service", text: "extensions: {jaeger_query: {base_path: /x}}", err: "has no service section"},
		{name: "an empty file", text: "", err: "has no service section"},
		{name: "not YAML", text: "service: [", err: "yaml: "},
		{name: "a key twice", text: "service: {extensions: [a], extensions: [b]}", err: "already defined"},
		{name: "two documents", text: "service: {}\n---\nservice: {}", err: "more than one YAML document"},
		{name: "too large", text: "# " + strings.Repeat("x", maxFile), err: "is larger than"},
		{name: "another top key", text: "service: {}\nqueries: {}", err: "there is no setting queries;"},
		{name: "listed but not there", text: "service: {extensions: [jaeger_query]}", err: `service lists "jaeger_query", which is not under extensions`},
		{name: "a bad variable", text: fmt.Sprintf(query, `base_path: "${file:/etc/passwd}"`), err: "want ${env:NAME}"},
		{name: "another store", text: store("a: {elasticsearch: {server_urls: [x]}}"), err: "extensions.jaeger_storage.backends.a.elasticsearch cannot be honoured: it is a store"},
		{name: "a store nobody has", text: store("a: {mysql: }"), err: "there is no setting extensions.jaeger_storage.backends.a.mysql"},
		{name: "a backend that is not there", text: store("b: {badger: }"), err: "extensions.jaeger_storage.backends.a must be there"},
		{name: "two backends", text: store("a: {badger: }, b: {memory: }") + "\nexporters: {jaeger_storage_exporter: {trace_storage: b}}",
			note: "exporters.jaeger_storage_exporter (is not listed"},
		{name: "written here and read there", text: "service: {extensions: [jaeger_query], pipelines: {traces: {exporters: [jaeger_storage_exporter]}}}\n" +
			"extensions: {jaeger_query: {storage: {traces: a}}}\nexporters: {jaeger_storage_exporter: {trace_storage: b}}", err: "there is one store"},
		{name: "who may ask", text: fmt.Sprintf(query, "http: {auth: {authenticator: basicauth}}"), err: "extensions.jaeger_query.http.auth cannot be honoured: requests would go through unchecked"},
		{name: "who may send", text: pipeline("otlp", "", "", "receivers: {otlp: {protocols: {grpc: {auth: {authenticator: oidc}}}}}"),
			err: "receivers.otlp.protocols.grpc.auth cannot be honoured: requests would go through unchecked"},
		{name: "another path", text: pipeline("otlp", "", "", "receivers: {otlp: {protocols: {http: {traces_url_path: /spans}}}}"), note: "receivers.otlp.protocols.http.traces_url_path (spans are taken at"},
		{name: "a processor", text: pipeline("", "redaction", "", "processors: {redaction: {allow_all_keys: true}}"), err: "processors.redaction cannot be honoured"},
		{name: "one port set twice", text: pipeline("zipkin, zipkin/b", "", "", "receivers: {zipkin: {endpoint: \":1\"}, zipkin/b: {endpoint: \":2\"}}"), err: "are the same setting"},
		{name: "tenants", text: fmt.Sprintf(query, "multi_tenancy: {enabled: true}"), err: "tenants would see one another's traces"},
		{name: "an impossible value", text: fmt.Sprintf(query, "base_path: nonsense"), err: "must be a path that begins with /"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := loadText(t, tt.text, tt.env, tt.args...)
			switch {
			case (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err):
				t.Fatalf("got error %v, want %q", err, tt.err)
			case tt.got != nil:
				if diff := cmp.Diff(tt.got(c), tt.want); diff != "" {
					t.Error(diff)
				}
			case tt.note != "" && !slices.ContainsFunc(c.Unhonoured, func(s string) bool { return strings.HasPrefix(s, tt.note) }):
				t.Errorf("got notes %q, want %q", c.Unhonoured, tt.note)
			}
		})
	}
}

func TestEveryKeyThatIsHonouredSetsAFlagOfOurs(t *testing.T) {
	_, fs := newConfig()
	for _, k := range keys {
		if k.Flag != "" && (k.Verdict != honoured || fs.Lookup(k.Flag) == nil || fs.Lookup(k.Flag).Annotations[group] == nil) {
			t.Errorf("%s is %s and sets --%s", k.Path, k.Verdict, k.Flag)
		}
		if (k.Verdict == refused || k.Verdict == fatal) && k.Note == "" {
			t.Errorf("%s has no reason", k.Path)
		}
	}
}
