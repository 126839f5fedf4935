package main

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
)

func TestAddressesThatAreNotSetFollowTheRule(t *testing.T) {
	tests := []struct {
		name       string
		listenHost string
		env        map[string]string
		want       string
	}{
		{"a bare machine", "", nil, "127.0.0.1"},
		{"a Kubernetes pod", "", map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, ""},
		{"told so", "0.0.0.0", nil, "0.0.0.0"},
		{"told so in a pod", "127.0.0.1", map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "127.0.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &config{ListenHost: tt.listenHost}
			if got := c.defaultHost(func(name string) string { return tt.env[name] }); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestListenTakesAddressesAsTheyAre(t *testing.T) {
	tests := []struct {
		name, host string
		address    address
		open       string // to whom; "" = not at all
	}{
		{"default on loopback", "127.0.0.1", "0", "this machine only"},
		{"default by name", "localhost", "0", "this machine only"},
		{"default everywhere", "", "0", "every network interface"},
		{"default everywhere by number", "0.0.0.0", "0", "every network interface"},
		{"default on v6 loopback", "[::1]", "0", "this machine only"},
		{"host wins over the rule", "0.0.0.0", "127.0.0.1:0", "this machine only"},
		{"colon wins over the rule", "127.0.0.1", ":0", "every network interface"},
		{"off", "", off, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := &listener{Name: "test", Address: tt.address}
			ln, err := l.listen(context.Background(), tt.host)
			if err != nil && strings.Contains(tt.name, "v6") {
				t.Skip("this machine has no IPv6")
			}
			if err != nil {
				t.Fatal(err)
			}
			if ln == nil {
				if tt.open != "" {
					t.Errorf("nothing is open, want %s", tt.open)
				}
				return
			}
			defer ln.Close()
			if got := openTo(ln.Addr()); got != tt.open {
				t.Errorf("got %s, want %s", got, tt.open)
			}
			if host, _, _ := net.SplitHostPort(reachable(ln.Addr())); net.ParseIP(host).IsUnspecified() {
				t.Errorf("got %s, want an address to connect to", host)
			}
		})
	}
}

// offService is a service whose addresses are all off.
func offService(log *bytes.Buffer) *service {
	c, _ := newConfig()
	for _, l := range c.listeners() {
		l.Address = off
	}
	return &service{config: c, log: slog.New(slog.NewTextHandler(log, nil))}
}

func TestPortsThatJaegerDidNotHaveCostAWarningOnly(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	tests := []struct {
		name  string
		which func(*service) *listener
		asked bool
		fails bool
	}{
		{"health, not asked for", func(s *service) *listener { return &s.Health }, false, false},
		{"metrics, not asked for", func(s *service) *listener { return &s.Metrics }, false, false},
		{"health, asked for", func(s *service) *listener { return &s.Health }, true, true},
		{"zipkin, not asked for", func(s *service) *listener { return &s.Zipkin }, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			s := offService(&log)
			l := tt.which(s)
			l.Address, l.Asked = address(port), tt.asked
			bound, err := s.bind(context.Background())
			if (err != nil) != tt.fails || len(bound) != 0 {
				t.Fatalf("got %v with %d ports, want failure %t", err, len(bound), tt.fails)
			}
			if warned := strings.Count(log.String(), "level=WARN"); !tt.fails && warned != 1 {
				t.Errorf("got %d warnings, want 1: %s", warned, &log)
			}
		})
	}
}

// TestOptionalPortsAreGivenUp where another program has them, unless they were
// asked for; no other is.
func TestOptionalPortsAreGivenUp(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args   []string
		listen func(*config) *listener
		starts bool
	}{
		{nil, func(c *config) *listener { return &c.OTLPGRPC }, true},
		{nil, func(c *config) *listener { return &c.OTLPHTTP }, true},
		{nil, func(c *config) *listener { return &c.Health }, true},
		{nil, func(c *config) *listener { return &c.Zipkin }, false},
		{[]string{"--collector.otlp.enabled"}, func(c *config) *listener { return &c.OTLPGRPC }, false},
		{[]string{"--collector.otlp.http.host-port=4318"}, func(c *config) *listener { return &c.OTLPHTTP }, false},
	} {
		c, fs := newConfig()
		if err := fs.Parse(append(tt.args, "--jaeger-listen-host=127.0.0.1")); err != nil {
			t.Fatal(err)
		}
		if err := c.load(fs, func(string) string { return "" }); err != nil {
			t.Fatal(err)
		}
		want := tt.listen(c)
		for _, l := range c.listeners() {
			l.Address = "0"
		}
		want.Address = address(port)
		var log bytes.Buffer
		s := &service{config: c, log: slog.New(slog.NewTextHandler(&log, nil))}
		bound, err := s.bind(t.Context())
		for _, ln := range bound {
			ln.Close()
		}
		if (err == nil) != tt.starts || bound[want] != nil || strings.Contains(log.String(), "in use by another program") != tt.starts {
			t.Errorf("%s %v: got %v, want a start %t; log: %s", want.Name, tt.args, err, tt.starts, &log)
		}
	}
}
