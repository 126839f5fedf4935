package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// config is everything that can be set. The flags fill it in, then the
// environment where a flag is not given; check completes it.
type config struct {
	Zipkin, OTLPGRPC, OTLPHTTP listener
	QueryHTTP, QueryGRPC       listener
	Admin, Health, Metrics     listener
	ListenHost                 string // for listeners that are not given a host
	File                       settingsFile

	CORSOrigins, CORSHeaders []string // of the Zipkin port
	KeepAlive                bool
	MaxBody, MaxInFlight     byteSize

	OTLP                        bool
	OTLPOrigins, OTLPHeaders    []string
	OTLPMaxBody, OTLPMaxMessage byteSize

	Storage         string // badger or memory
	DataDir         string
	Ephemeral       bool
	SpanTTL         time.Duration
	MaxBytes        byteSize
	Sync            syncMode
	Consistency     bool
	MemoryMaxTraces int

	BasePath        string
	MaxClockSkew    time.Duration
	UIConfigFile    string
	UIConfig        map[string]json.RawMessage // what the file holds
	Headers         headers
	Auth            authSettings
	LogLevel        logLevel
	LogEncoding     string // json, console or ""
	MetricsBackend  string // prometheus, none or expvar
	MetricsRoute    string
	MemoryLimit     byteSize
	ShutdownTimeout time.Duration

	Unhonoured []string // what was set and has no effect, with the reason
}

// listener is where one of the servers listens, and how.
type listener struct {
	Name      string // for people
	Address   address
	Asked     bool // the address was set, by flag or environment
	Optional  bool // it is given up if another program has the port and nobody asked for it
	OneAnswer bool // connections are closed after an answer
	timeouts
	tlsPrefix string // of the flags for TLS
	TLS       tlsFiles
}

// timeouts bound how long a client may keep a connection without using it; 0 =
// for good.
type timeouts struct {
	ReadHeader, Read, Idle time.Duration
	Age                    time.Duration // when it is closed, used or not
}

// newListener is a listener with the defaults of them all.
func newListener(name string, port address, tlsPrefix string) listener {
	return listener{Name: name, Address: port, tlsPrefix: tlsPrefix,
		timeouts: timeouts{ReadHeader: readHeaderTimeout, Read: readTimeout, Idle: idleTimeout}}
}

// tlsFiles are the TLS settings of a listener, as Jaeger has them.
type tlsFiles struct {
	Enabled                bool
	Cert, Key, ClientCA    string
	CipherSuites           string // comma-separated names as in package crypto/tls
	MinVersion, MaxVersion string // 1.0 to 1.3
	Reload                 time.Duration
}

// The groups of --help, in its order.
const (
	groupStore   = "Store"
	groupCollect = "Collector"
	groupQuery   = "Query API and page"
	groupHealth  = "Health and metrics"
	groupRun     = "Process"
	groupTLS     = "TLS"
)

// newConfig is the defaults, and the flags that change them.
func newConfig() (*config, *pflag.FlagSet) {
	c := &config{
		Zipkin:    newListener("zipkin collector", "9411", "collector.zipkin"),
		OTLPGRPC:  newListener("OTLP collector, gRPC", "4317", "collector.otlp.grpc"),
		OTLPHTTP:  newListener("OTLP collector, HTTP", "4318", "collector.otlp.http"),
		QueryHTTP: newListener("query API and page", "16686", "query.http"),
		QueryGRPC: newListener("query gRPC", "16685", "query.grpc"),
		Admin:     newListener("health, metrics, pprof", "14269", "admin.http"),
		Health:    newListener("health", "13133", "healthcheck.http"),
		Metrics:   newListener("metrics", "8888", "metrics.http"),
		LogLevel:  logLevel{},
	}
	// Jaeger v1 has no ports for v2's health and metrics; those of OTLP others
	// than Jaeger often have.
	for _, l := range []*listener{&c.OTLPGRPC, &c.OTLPHTTP, &c.Health, &c.Metrics} {
		l.Optional = true
	}
	fs := pflag.NewFlagSet("spandrel", pflag.ContinueOnError)
	fs.SortFlags = false
	fs.SetNormalizeFunc(normalize)
	inGroup(groupStore, fs, c.storeFlags)
	inGroup(groupCollect, fs, c.collectorFlags)
	inGroup(groupQuery, fs, c.queryFlags)
	inGroup(groupHealth, fs, c.healthFlags)
	inGroup(groupRun, fs, c.processFlags)
	for _, l := range c.secure() {
		inGroup(groupTLS, fs, func(fs *pflag.FlagSet) { l.TLS.flags(fs, l.tlsPrefix) })
	}
	addJaegerFlags(fs)
	return c, fs
}

// inGroup lets add make flags and notes that they belong to the group.
func inGroup(name string, fs *pflag.FlagSet, add func(*pflag.FlagSet)) {
	add(fs)
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Annotations[group] == nil {
			f.Annotations = map[string][]string{group: {name}}
		}
	})
}

// secure are the listeners in the order of their TLS flags.
func (c *config) secure() []*listener {
	return []*listener{&c.Zipkin, &c.OTLPGRPC, &c.OTLPHTTP, &c.QueryHTTP, &c.QueryGRPC, &c.Admin, &c.Health, &c.Metrics}
}

func (c *config) storeFlags(f *pflag.FlagSet) {
	f.StringVar(&c.Storage, "span-storage.type", "badger", "`STORE` that keeps the spans: badger (on disk) or memory")
	f.StringVar(&c.DataDir, "badger.directory-value", "", "`DIR` that holds all data (default $XDG_DATA_HOME/spandrel or ~/.local/share/spandrel)")
	f.BoolVar(&c.Ephemeral, "badger.ephemeral", false, "keep the data in a temporary directory that is removed at exit")
	f.DurationVar(&c.SpanTTL, "badger.span-store-ttl", 72*time.Hour, "how long spans are kept, such as 72h")
	f.Var(&c.MaxBytes, "badger.max-bytes", "`SIZE` of the data on disk, such as 20GiB, beyond which the oldest spans go; 0 = 80% of what the volume has to give")
	f.Var(&c.Sync, "badger.sync", "`WHEN` spans reach the disk: always (before each answer) or a duration such as 100ms, which is what a power failure may then cost")
	f.BoolVar(&c.Consistency, "badger.consistency", true, "Jaeger's name for it: false is --badger.sync=100ms")
	f.IntVar(&c.MemoryMaxTraces, "memory.max-traces", 0, "how many traces the memory store keeps; 0 = no bound")
}

func (c *config) collectorFlags(f *pflag.FlagSet) {
	f.Var(&c.Zipkin.Address, "collector.zipkin.host-port", "`ADDRESS` for Zipkin posts")
	f.Var(&c.MaxBody, "collector.zipkin.max-body", "`SIZE` of a post, after decompression, beyond which it is refused with 413; 0 = the collector's own bound")
	f.Var(&c.MaxInFlight, "collector.max-in-flight", "`SIZE` of all posts under way together, beyond which new ones get 503; 0 = the collector's own bound")
	f.StringSliceVar(&c.CORSOrigins, "collector.zipkin.cors.allowed-origins", nil, "`ORIGINS` whose pages may post, separated by commas; * = all")
	f.StringSliceVar(&c.CORSHeaders, "collector.zipkin.cors.allowed-headers", nil, "`HEADERS` that such pages may send")
	f.BoolVar(&c.KeepAlive, "collector.zipkin.keep-alive", true, "keep connections open between posts")
	f.BoolVar(&c.OTLP, "collector.otlp.enabled", true, "take OTLP; false closes both of its ports")
	f.Var(&c.OTLPGRPC.Address, "collector.otlp.grpc.host-port", "`ADDRESS` for OTLP by gRPC; HTTP too")
	f.Var(&c.OTLPMaxMessage, "collector.otlp.grpc.max-message-size", "`SIZE` of a message, after decompression, beyond which it is refused; 0 = 4MiB")
	f.DurationVar(&c.OTLPGRPC.Age, "collector.otlp.grpc.max-connection-age", 0, "after how long a connection is closed with the next answer, so that its client looks for another; 0 = never")
	f.Var(&c.OTLPHTTP.Address, "collector.otlp.http.host-port", "`ADDRESS` for OTLP posts; gRPC too")
	f.Var(&c.OTLPMaxBody, "collector.otlp.http.max-body", "`SIZE` of a post, after decompression, beyond which it is refused with 413; 0 = the collector's own bound")
	f.StringSliceVar(&c.OTLPOrigins, "collector.otlp.http.cors.allowed-origins", nil, "`ORIGINS` whose pages may post, separated by commas; * = all")
	f.StringSliceVar(&c.OTLPHeaders, "collector.otlp.http.cors.allowed-headers", nil, "`HEADERS` that such pages may send")
	t := &c.OTLPHTTP.timeouts
	f.DurationVar(&t.ReadHeader, "collector.otlp.http.read-header-timeout", t.ReadHeader, "how long a request's head may take to come; 0 = for good")
	f.DurationVar(&t.Read, "collector.otlp.http.read-timeout", t.Read, "how long a whole request may take to come; 0 = for good")
	f.DurationVar(&t.Idle, "collector.otlp.http.idle-timeout", t.Idle, "how long a connection may wait for its next request; 0 = for good")
}

func (c *config) queryFlags(f *pflag.FlagSet) {
	f.Var(&c.QueryHTTP.Address, "query.http-server.host-port", "`ADDRESS` for the API and the page; gRPC too")
	f.Var(&c.QueryGRPC.Address, "query.grpc-server.host-port", "`ADDRESS` for gRPC alone")
	f.StringVar(&c.BasePath, "query.base-path", "/", "`PATH` before all paths of the API and the page, such as /jaeger")
	f.DurationVar(&c.MaxClockSkew, "query.max-clock-skew-adjustment", 0, "by how much spans may be shifted to undo clock skew; 0 = never")
	f.StringVar(&c.UIConfigFile, "query.ui-config", "", "`FILE` of the page's settings, JSON as of Jaeger's ui-config.json")
	f.StringVar(&c.Auth.BasicFile, "query.auth.basic-file", "", "`FILE` of those who may ask for traces, a name:password a line; empty = see QUERY_AUTH_BASIC")
	f.StringVar(&c.Auth.TokenFile, "query.auth.token-file", "", "`FILE` of bearer tokens that let in, one a line; empty = see QUERY_AUTH_TOKEN")
	f.Var(&c.Headers, "query.additional-headers", "response `HEADER` such as \"Key: Value\"; may be repeated")
}

func (c *config) healthFlags(f *pflag.FlagSet) {
	f.Var(&c.Admin.Address, "admin.http.host-port", "`ADDRESS` for health (/), metrics, pprof and version")
	f.Var(&c.Health.Address, "healthcheck.http.host-port", "`ADDRESS` for health as Jaeger v2 has it (/status)")
	f.Var(&c.Metrics.Address, "metrics.http.host-port", "`ADDRESS` for metrics as Jaeger v2 has it (/metrics)")
	f.StringVar(&c.MetricsBackend, "metrics-backend", "prometheus", "`KIND` of metrics: prometheus or none")
	f.StringVar(&c.MetricsRoute, "metrics-http-route", "/metrics", "`PATH` of the metrics")
}

func (c *config) processFlags(f *pflag.FlagSet) {
	f.StringVar(&c.ListenHost, "jaeger-listen-host", "", "`HOST` for all addresses that are not given one; 0.0.0.0 = every interface")
	f.Var(&c.LogLevel, "log-level", "`LEVEL` from which on events are logged: debug, info, warn, error")
	f.StringVar(&c.LogEncoding, "log-encoding", "", "`FORM` of the log: json or console (default console on a terminal, else json)")
	f.Var(&c.MemoryLimit, "runtime.memory-limit", "`SIZE` at which the garbage collector works harder; 0 = GOMEMLIMIT, else 90% of the container's limit")
	f.DurationVar(&c.ShutdownTimeout, "runtime.shutdown-timeout", 20*time.Second, "how long requests under way may take to end after SIGTERM")
	f.Var(&c.File, "config", "`FILE` of settings in Jaeger 2's YAML; flags and variables win over it")
	f.Lookup("config").Annotations = map[string][]string{group: {groupRun}, noEnv: {""}}
}

func (t *tlsFiles) flags(f *pflag.FlagSet, prefix string) {
	f.BoolVar(&t.Enabled, prefix+".tls.enabled", false, "serve TLS")
	f.StringVar(&t.Cert, prefix+".tls.cert", "", "`FILE` with the server's certificate chain, PEM")
	f.StringVar(&t.Key, prefix+".tls.key", "", "`FILE` with its private key, PEM")
	f.StringVar(&t.ClientCA, prefix+".tls.client-ca", "", "`FILE` with the authorities that clients' certificates must come from, PEM; empty = clients need none")
	f.StringVar(&t.CipherSuites, prefix+".tls.cipher-suites", "", "`NAMES` of the cipher suites up to TLS 1.2, as in Go's crypto/tls, separated by commas")
	f.StringVar(&t.MinVersion, prefix+".tls.min-version", "", "lowest `VERSION`: 1.0, 1.1, 1.2 (default) or 1.3")
	f.StringVar(&t.MaxVersion, prefix+".tls.max-version", "", "highest `VERSION`")
	f.DurationVar(&t.Reload, prefix+".tls.reload-interval", time.Minute, "how often changed files are taken up; 0 = never")
}

// loadEnv sets the flags that were not given from the environment. Empty
// variables are as good as unset, as in Jaeger.
func loadEnv(fs *pflag.FlagSet, lookup func(string) string) (err error) {
	fs.VisitAll(func(f *pflag.Flag) {
		name, value := envName(f.Name), lookup(envName(f.Name))
		if older := strings.Replace(name, "ZIPKIN_CORS_", "ZIPKIN_", 1); value == "" { // Jaeger up to 1.4x
			name, value = older, lookup(older)
		}
		if err != nil || f.Changed || value == "" || f.Annotations[noEnv] != nil || f.Annotations[group] == nil {
			return
		}
		if e := fs.Set(f.Name, value); e != nil {
			err = badValue(name, e)
		}
	})
	return err
}

// envName is the environment variable of a flag.
func envName(flag string) string {
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(flag))
}

// check completes and validates what flags and environment gave.
func (c *config) check(fs *pflag.FlagSet, lookup func(string) string) error {
	list, err := unhonoured(fs, lookup)
	if err != nil {
		return err
	}
	c.Unhonoured = append(list, c.Unhonoured...)
	for name, l := range c.listeners() {
		l.Asked = fs.Changed(name) || strings.HasPrefix(name, "collector.otlp.") && fs.Changed("collector.otlp.enabled")
	}
	if !c.OTLP {
		c.OTLPGRPC.Address, c.OTLPHTTP.Address = off, off
	}
	for _, l := range c.secure() {
		if err := l.TLS.check(fs, l.tlsPrefix); err != nil {
			return err
		}
	}
	for _, flag := range []string{"query.auth.basic-file", "query.auth.token-file"} {
		if fs.Changed(flag) && fs.Lookup(flag).Value.String() == "" {
			return fmt.Errorf("--%s is empty: nobody could ask; leave it out to let everybody ask", flag)
		}
	}
	if q, g := c.QueryHTTP.Address, c.QueryGRPC.Address; q == g && q.port() != "0" {
		c.QueryGRPC.Address = off // one port serves both
	}
	c.Zipkin.OneAnswer = !c.KeepAlive
	if !fs.Changed("badger.sync") && !c.Consistency {
		c.Sync = syncMode(100 * time.Millisecond)
	}
	for _, check := range []func() error{c.checkStore, c.checkQuery, c.checkMetrics, c.loadUIConfig} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// listeners are all listeners by the flag of their address.
func (c *config) listeners() map[string]*listener {
	return map[string]*listener{
		"collector.zipkin.host-port":    &c.Zipkin,
		"collector.otlp.grpc.host-port": &c.OTLPGRPC,
		"collector.otlp.http.host-port": &c.OTLPHTTP,
		"query.http-server.host-port":   &c.QueryHTTP,
		"query.grpc-server.host-port":   &c.QueryGRPC,
		"admin.http.host-port":          &c.Admin,
		"healthcheck.http.host-port":    &c.Health,
		"metrics.http.host-port":        &c.Metrics,
	}
}

func (c *config) checkStore() error {
	if c.Storage != "badger" && c.Storage != "memory" {
		return fmt.Errorf("SPAN_STORAGE_TYPE=%s is not a store that spandrel has: it is badger or memory", c.Storage)
	}
	if c.SpanTTL <= 0 {
		return fmt.Errorf("--badger.span-store-ttl=%s: must be more than nothing", c.SpanTTL)
	}
	if c.MemoryMaxTraces < 0 {
		return fmt.Errorf("--memory.max-traces=%d: must not be negative", c.MemoryMaxTraces)
	}
	if c.DataDir == "" && c.Storage == "badger" && !c.Ephemeral {
		return c.defaultDataDir()
	}
	return nil
}

func (c *config) defaultDataDir() error {
	data := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(data) { // as the XDG specification wants
		home, err := os.UserHomeDir()
		if err != nil {
			return errors.New("there is no home directory to keep data in: set BADGER_DIRECTORY_VALUE to a directory")
		}
		data = filepath.Join(home, ".local", "share")
	}
	c.DataDir = filepath.Join(data, "spandrel")
	return nil
}

func (c *config) checkQuery() error {
	if c.BasePath != "/" {
		c.BasePath = strings.TrimSuffix(c.BasePath, "/")
	}
	if !strings.HasPrefix(c.BasePath, "/") || strings.ContainsAny(c.BasePath, "?#{}*\\ ") || strings.Contains(c.BasePath, "//") {
		return fmt.Errorf("--query.base-path=%s: must be a path that begins with /, such as /jaeger", c.BasePath)
	}
	if c.MaxClockSkew < 0 {
		return fmt.Errorf("--query.max-clock-skew-adjustment=%s: must not be negative", c.MaxClockSkew)
	}
	return nil
}

func (c *config) checkMetrics() error {
	if !slices.Contains([]string{"prometheus", "none", "expvar"}, c.MetricsBackend) {
		return fmt.Errorf("--metrics-backend=%s: must be prometheus or none", c.MetricsBackend)
	}
	if !strings.HasPrefix(c.MetricsRoute, "/") || c.MetricsRoute == "/" || strings.ContainsAny(c.MetricsRoute, "{} ") {
		return fmt.Errorf("--metrics-http-route=%s: must be a path such as /metrics", c.MetricsRoute)
	}
	if !slices.Contains([]string{"", "json", "console"}, c.LogEncoding) {
		return fmt.Errorf("--log-encoding=%s: must be json or console", c.LogEncoding)
	}
	return nil
}

// headers are response headers, each "Key: Value".
type headers struct{ http.Header }

// Set adds the headers of s, one a line.
func (h *headers) Set(s string) error {
	if h.Header == nil {
		h.Header = http.Header{}
	}
	for line := range strings.Lines(s) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if key = strings.TrimSpace(key); !ok || key == "" || strings.ContainsAny(key, " \t") {
			return fmt.Errorf("want \"Key: Value\"")
		}
		h.Add(key, strings.TrimSpace(value))
	}
	return nil
}

// String is empty: there is no default to show.
func (h *headers) String() string { return "" }

// Type names the value in messages.
func (h *headers) Type() string { return "header" }
