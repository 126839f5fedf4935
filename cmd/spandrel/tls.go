package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"
)

var tlsVersions = map[string]uint16{
	"": 0, "1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13,
}

// check refuses settings that would give less protection than was asked for.
func (t *tlsFiles) check(fs *pflag.FlagSet, prefix string) error {
	flag := "--" + prefix + ".tls."
	if !t.Enabled {
		var err error
		fs.VisitAll(func(f *pflag.Flag) {
			if rest, ok := strings.CutPrefix(f.Name, prefix+".tls."); ok && f.Changed && rest != "enabled" && err == nil {
				err = fmt.Errorf("%s%s is set, but %senabled is not: traffic would not be encrypted", flag, rest, flag)
			}
		})
		return err
	}
	if t.Cert == "" || t.Key == "" {
		return fmt.Errorf("%senabled needs %scert and %skey", flag, flag, flag)
	}
	low, okLow := tlsVersions[t.MinVersion]
	high, okHigh := tlsVersions[t.MaxVersion]
	if !okLow || !okHigh {
		return fmt.Errorf("%smin-version and max-version must be 1.0, 1.1, 1.2 or 1.3", flag)
	}
	if low == 0 {
		low = tls.VersionTLS12
	}
	if high != 0 && low > high {
		return fmt.Errorf("%smin-version is above max-version", flag)
	}
	if _, err := t.suites(); err != nil {
		return fmt.Errorf("%scipher-suites: %w", flag, err)
	}
	return nil
}

// suites are the numbers of CipherSuites; nil = Go's choice.
func (t *tlsFiles) suites() (ids []uint16, err error) {
	if t.CipherSuites == "" {
		return nil, nil
	}
	known := slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites())
	for name := range strings.SplitSeq(t.CipherSuites, ",") {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(known, func(s *tls.CipherSuite) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no %q", name)
		}
		ids = append(ids, known[i].ID)
	}
	return ids, nil
}

// server is the server's side of TLS. It takes up changed files at the first
// handshake after each reload interval; files that cannot be used are logged,
// and those read before go on serving.
func (t *tlsFiles) server(log *slog.Logger, protocols ...string) (*tls.Config, error) {
	first, err := t.read(protocols)
	if err != nil {
		return nil, err
	}
	if t.Reload <= 0 {
		return first, nil
	}
	current := &reloading{files: t, protocols: protocols, log: log, config: first, stamp: t.stamp(), checked: time.Now()}
	outer := first.Clone()
	outer.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return current.get(time.Now()), nil }
	return outer, nil
}

// read makes the configuration of the files as they are now.
func (t *tlsFiles) read(protocols []string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("TLS certificate %s with key %s: %w", t.Cert, t.Key, err)
	}
	suites, err := t.suites()
	if err != nil {
		return nil, err
	}
	c := &tls.Config{
		Certificates: []tls.Certificate{pair},
		CipherSuites: suites,
		MinVersion:   tlsVersions[t.MinVersion], // 0 is Go's default, 1.2
		MaxVersion:   tlsVersions[t.MaxVersion],
		NextProtos:   protocols,
	}
	if t.ClientCA != "" {
		pem, err := os.ReadFile(t.ClientCA)
		if err != nil {
			return nil, fmt.Errorf("TLS client authorities: %w", err)
		}
		c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !c.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("TLS client authorities: no certificate in %s", t.ClientCA)
		}
	}
	return c, nil
}

// stamp changes when one of the files does.
func (t *tlsFiles) stamp() string { return stampOf(t.Cert, t.Key, t.ClientCA) }

// stampOf changes when one of the files does; "" is no file.
func stampOf(names ...string) string {
	var b strings.Builder
	for _, name := range names {
		if info, err := os.Stat(name); err == nil {
			fmt.Fprint(&b, info.ModTime().UnixNano(), info.Size(), ";")
		}
	}
	return b.String()
}

// reloading is a configuration that follows its files.
type reloading struct {
	files     *tlsFiles
	protocols []string
	log       *slog.Logger

	mu      sync.Mutex // guards what follows
	config  *tls.Config
	stamp   string
	checked time.Time
}

func (r *reloading) get(now time.Time) *tls.Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.checked) < r.files.Reload {
		return r.config
	}
	r.checked = now
	stamp := r.files.stamp()
	if stamp == r.stamp {
		return r.config
	}
	c, err := r.files.read(r.protocols)
	if err != nil {
		r.log.Error("changed TLS files cannot be used, the earlier ones stay", "err", err)
		return r.config
	}
	r.log.Info("TLS files reloaded", "cert", r.files.Cert)
	r.config, r.stamp = c, stamp
	return c
}
