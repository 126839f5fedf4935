package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestSlowHeadIsCutOff wants connections that do not finish a request's head to
// be closed on every port, soon after the 2 s it may take.
func TestSlowHeadIsCutOff(t *testing.T) {
	p := start(t, t.TempDir(), "--span-storage.type=memory")
	for _, port := range ports {
		for _, head := range []string{"", "POST /api/v2/spans HTTP/1.1\r\nHost: x\r\nX-Slow: "} {
			t.Run(fmt.Sprintf("%s %.4s", port.logged, head), func(t *testing.T) {
				t.Parallel()
				_, at, _ := strings.Cut(p.url(port.logged), "://")
				c, err := net.Dial("tcp", at)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if _, err := io.WriteString(c, head); err != nil {
					t.Fatal(err)
				}
				if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) { // else it was closed or reset
					t.Error("the connection is still open")
				}
			})
		}
	}
}

// TestBombsAndLongHeadsAreRefused wants a small post that would become a large
// one to cost a 413, and a head without end a 431.
func TestBombsAndLongHeadsAreRefused(t *testing.T) {
	p := start(t, t.TempDir(), "--span-storage.type=memory", "--collector.zipkin.max-body=1MiB")
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	if _, err := z.Write(bytes.Repeat([]byte(" "), 256<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, header, value string
		body                []byte
		status              int
	}{
		{"256 MiB in 256 KiB", "Content-Encoding", "gzip", bomb.Bytes(), http.StatusRequestEntityTooLarge},
		{"a long head", "X-Long", strings.Repeat("x", 2*maxHeaderBytes), nil, http.StatusRequestHeaderFieldsTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequest(http.MethodPost, p.url("zipkin collector")+"/api/v2/spans", bytes.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set(tt.header, tt.value)
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != tt.status {
				t.Errorf("got %s, want %d", resp.Status, tt.status)
			}
		})
	}
	resp, err := http.Get(p.url("metrics") + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\ngo_memstats_sys_bytes ")
	var sys float64
	if _, err := fmt.Sscan(rest, &sys); err != nil || sys > 200<<20 {
		t.Errorf("the process took %.0f bytes, %v, want less than the bomb", sys, err)
	}
}
