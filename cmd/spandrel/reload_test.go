package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestCertificateChangesWhileClientsPost, file by file as cert-manager or a
// person may write them: no post is refused or lost, on connections that stay
// and on those that are made for each, and the new certificate is shown.
func TestCertificateChangesWhileClientsPost(t *testing.T) {
	dir, next := t.TempDir(), t.TempDir()
	authorities := x509.NewCertPool()
	for _, d := range []string{dir, next} {
		if err := makeCerts(d); err != nil {
			t.Fatal(err)
		}
		ca, err := os.ReadFile(filepath.Join(d, "ca.pem"))
		if err != nil {
			t.Fatal(err)
		}
		authorities.AppendCertsFromPEM(ca)
	}
	p := start(t, t.TempDir(), "--collector.zipkin.tls.enabled", "--collector.zipkin.tls.cert="+dir+"/server.pem", "--collector.zipkin.tls.key="+dir+"/server.key",
		"--collector.zipkin.tls.reload-interval=20ms")
	var posted, fresh atomic.Int64 // spans; posts on connections that showed the new certificate
	old := leafOf(t, dir)
	var stop atomic.Bool
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop.Store(true)
	for worker := range 4 {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities}, DisableKeepAlives: worker%2 == 0}}
			defer client.CloseIdleConnections()
			for !stop.Load() {
				n := posted.Add(1)
				span := fmt.Sprintf(`[{"traceId":"ab","id":"%016x","name":"n","localEndpoint":{"serviceName":"s"}}]`, n)
				resp, err := client.Post(p.url("zipkin collector")+"/api/v2/spans", "application/json", bytes.NewReader([]byte(span)))
				if err != nil {
					t.Errorf("span %d: %v", n, err)
					return
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusAccepted {
					t.Errorf("span %d: %s", n, resp.Status)
				}
				if !bytes.Equal(resp.TLS.PeerCertificates[0].Raw, old) {
					fresh.Add(1)
				}
			}
		})
	}
	wait := func(what string, n int64, count *atomic.Int64) {
		for deadline := time.Now().Add(30 * time.Second); count.Load() < n; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: got %d, want %d; log:\n%s", what, count.Load(), n, p.text())
			}
		}
	}
	wait("posts before", 50, &posted)
	for _, name := range []string{"server.pem", "server.key"} { // in between they do not fit
		text, err := os.ReadFile(filepath.Join(next, name))
		if err != nil {
			t.Fatal(err)
		}
		before := posted.Load()
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
		wait("posts after "+name, before+50, &posted)
	}
	wait("posts that saw the new certificate", 50, &fresh)
	stop.Store(true)
	wg.Wait()
	resp, err := http.Get(p.url("query API and page") + "/api/traces/ab")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Data []struct{ Spans []struct{ SpanID string } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || len(answer.Data) != 1 || len(answer.Data[0].Spans) != int(posted.Load()) {
		t.Errorf("of %d spans not all are there: %v", posted.Load(), err)
	}
	if err := p.term(); err != nil {
		t.Error(err)
	}
}

// leafOf is the server's certificate in the directory.
func leafOf(t *testing.T, dir string) []byte {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	return pair.Certificate[0]
}
