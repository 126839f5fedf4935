package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestEveryPortHasMutualTLS or plain TLS: over HTTP/2, as gRPC wants it. With
// client-ca a client without a certificate of the authority gets no byte.
func TestEveryPortHasMutualTLS(t *testing.T) {
	dir := t.TempDir()
	if err := makeCerts(dir); err != nil {
		t.Fatal(err)
	}
	c, _ := newConfig()
	if got, want := len(c.secure()), len(c.listeners()); got != want || want != len(ports) {
		t.Fatalf("%d of %d listeners have TLS, the test knows %d", got, want, len(ports))
	}
	for _, mutual := range []bool{false, true} {
		args := []string{"--span-storage.type=memory"}
		for _, l := range c.secure() {
			flag := "--" + l.tlsPrefix + ".tls."
			args = append(args, flag+"enabled", flag+"cert="+dir+"/server.pem", flag+"key="+dir+"/server.key")
			if mutual {
				args = append(args, flag+"client-ca="+dir+"/ca.pem")
			}
		}
		p := start(t, t.TempDir(), args...)
		for _, port := range ports {
			scheme, at, _ := strings.Cut(p.url(port.logged), "://")
			if scheme != "https" && scheme != "grpcs" {
				t.Errorf("%s: it listens at %q, want TLS", port.logged, p.url(port.logged))
				continue
			}
			for client, let := range map[string]bool{"": !mutual, "other-ca": !mutual, "client": true} {
				if err := greet(t, dir, client, at); (err == nil) != let {
					t.Errorf("%s, client-ca %t, a client with the certificate %q: got %v, want an answer %t", port.logged, mutual, client, err, let)
				}
			}
		}
		_, admin, _ := strings.Cut(p.url("health, metrics, pprof"), "://")
		statusOf(t, dir, admin, mutual)
		if err := p.term(); err != nil {
			t.Error(err)
		}
	}
}

// greet begins HTTP/2 with the port and reads the first byte of the answer,
// since in TLS 1.3 a handshake is over before the server has its say.
func greet(t *testing.T, dir, client, at string) error {
	t.Helper()
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), NextProtos: []string{"h2"}}
	config.RootCAs.AppendCertsFromPEM(ca)
	if client != "" {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, client+".pem"), filepath.Join(dir, client+".key"))
		if err != nil {
			t.Fatal(err)
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", at)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}

// statusOf asks for the health as the image's health check does, with what the
// environment says of the admin port's TLS.
func statusOf(t *testing.T, dir, admin string, mutual bool) {
	t.Helper()
	cmd := exec.Command("spandrel", "status", "--status.http.host-port="+admin)
	cmd.Env = []string{"ADMIN_HTTP_TLS_ENABLED=true", "ADMIN_HTTP_TLS_CERT=" + dir + "/server.pem", "ADMIN_HTTP_TLS_KEY=" + dir + "/server.key"}
	if mutual {
		cmd.Env = append(cmd.Env, "ADMIN_HTTP_TLS_CLIENT_CA="+dir+"/ca.pem")
	}
	cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH"), "HOME="+dir)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "Server available") {
		t.Errorf("spandrel status, client-ca %t: got %v, %s", mutual, err, out)
	}
}
