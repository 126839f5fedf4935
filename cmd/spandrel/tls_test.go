package main

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"
)

// serial is the number of the certificate that the configuration shows.
func serial(t *testing.T, c *tls.Config) string {
	t.Helper()
	return c.Certificates[0].Leaf.SerialNumber.String()
}

func TestChangedCertificatesAreTakenUp(t *testing.T) {
	dir := t.TempDir()
	if err := makeCerts(dir); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	files := &tlsFiles{Enabled: true, Cert: dir + "/server.pem", Key: dir + "/server.key", ClientCA: dir + "/ca.pem", Reload: time.Minute}
	config, err := files.read(nil)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	r := &reloading{files: files, log: slog.New(slog.NewTextHandler(&log, nil)), config: config, stamp: files.stamp(), checked: start}
	first := serial(t, r.get(start))

	if err := makeCerts(dir); err != nil {
		t.Fatal(err)
	}
	if got := serial(t, r.get(start.Add(59*time.Second))); got != first {
		t.Error("files were read before the interval was over")
	}
	second := serial(t, r.get(start.Add(time.Minute)))
	if second == first {
		t.Error("the new certificate was not taken up")
	}

	if err := os.WriteFile(files.Cert, []byte("half written"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := serial(t, r.get(start.Add(2*time.Minute))); got != second {
		t.Error("a broken file replaced the certificate that works")
	}
	if !strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("nothing was said about the broken file: %s", &log)
	}
}

func TestReloadCanBeSwitchedOff(t *testing.T) {
	dir := t.TempDir()
	if err := makeCerts(dir); err != nil {
		t.Fatal(err)
	}
	files := &tlsFiles{Enabled: true, Cert: dir + "/server.pem", Key: dir + "/server.key"}
	c, err := files.server(slog.New(slog.DiscardHandler), "h2")
	if err != nil || c.GetConfigForClient != nil {
		t.Errorf("got %v, reloading %t, want neither", err, c.GetConfigForClient != nil)
	}
}

func TestSettingsOfTLSReachTheServer(t *testing.T) {
	dir := t.TempDir()
	if err := makeCerts(dir); err != nil {
		t.Fatal(err)
	}
	files := &tlsFiles{Enabled: true, Cert: dir + "/server.pem", Key: dir + "/server.key", ClientCA: dir + "/ca.pem",
		MinVersion: "1.2", MaxVersion: "1.2", CipherSuites: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}
	c, err := files.server(slog.New(slog.DiscardHandler), "h2", "http/1.1")
	if err != nil {
		t.Fatal(err)
	}
	if c.MinVersion != tls.VersionTLS12 || c.MaxVersion != tls.VersionTLS12 || len(c.CipherSuites) != 2 ||
		c.ClientAuth != tls.RequireAndVerifyClientCert || len(c.NextProtos) != 2 {
		t.Errorf("got %+v", c)
	}
	files.ClientCA = dir + "/server.key"
	if _, err := files.server(slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a key was taken for an authority")
	}
}
