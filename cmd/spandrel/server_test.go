package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// serving runs the handler as one of the ports would, with that patience.
func serving(t *testing.T, patience time.Duration, h http.HandlerFunc) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newListener("test", "0", "")
	s, err := newHTTPServer(port{listener: &l, routes: []route{{"", "/*", h}}}, ln, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.patience = patience
	failed := make(chan error, 1)
	s.start(failed)
	t.Cleanup(func() { s.stop(t.Context()) }) // its context has ended: connections are cut
	return "http://" + ln.Addr().String()
}

// clients are one of each version of HTTP.
func clients() map[string]*http.Client {
	all := map[string]*http.Client{}
	for _, version := range []string{"HTTP/1.1", "HTTP/2"} {
		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetHTTP1(version == "HTTP/1.1")
		transport.Protocols.SetUnencryptedHTTP2(version == "HTTP/2")
		all[version] = &http.Client{Transport: transport}
	}
	return all
}

func TestClientThatDoesNotReadIsCutOff(t *testing.T) {
	for version, client := range clients() {
		t.Run(version, func(t *testing.T) {
			ended := make(chan error, 1)
			url := serving(t, 200*time.Millisecond, func(w http.ResponseWriter, _ *http.Request) {
				piece := bytes.Repeat([]byte("x"), 32<<10)
				for {
					if _, err := w.Write(piece); err != nil {
						ended <- err
						return
					}
				}
			})
			resp, err := client.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			select {
			case <-ended: // without a byte of the body read
			case <-time.After(20 * time.Second):
				t.Error("the answer still waits for its reader")
			}
		})
	}
}

// TestBodyThatTricklesIsCutOff: bytes that come now and then do not keep a post
// going for longer than a body may take.
func TestBodyThatTricklesIsCutOff(t *testing.T) {
	for version, client := range clients() {
		t.Run(version, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			l := newListener("test", "0", "")
			s, err := newHTTPServer(port{listener: &l, routes: []route{{"", "/*", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, err := io.Copy(io.Discard, r.Body)
				ended <- err
			})}}}, ln, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			if got := s.http.ReadTimeout; got != readTimeout || got <= 0 {
				t.Errorf("got %s for a body, want %s", got, readTimeout)
			}
			s.http.ReadTimeout = 300 * time.Millisecond // else the test takes as long
			s.start(make(chan error, 1))
			t.Cleanup(func() { s.stop(t.Context()) })
			body, w := io.Pipe()
			defer w.Close()
			go func() {
				for { // until the client gives up
					if _, err := w.Write([]byte(" ")); err != nil {
						return
					}
					time.Sleep(20 * time.Millisecond)
				}
			}()
			go func() {
				if resp, err := client.Post("http://"+ln.Addr().String(), "application/json", body); err == nil {
					resp.Body.Close()
				}
			}()
			select {
			case err := <-ended:
				if err == nil {
					t.Error("the body came to an end")
				}
			case <-time.After(20 * time.Second):
				t.Error("the body is still being read")
			}
		})
	}
}

func TestAnswerMayBeSilentForLongerThanAClient(t *testing.T) {
	const patience = 100 * time.Millisecond
	for version, client := range clients() {
		t.Run(version, func(t *testing.T) {
			url := serving(t, patience, func(w http.ResponseWriter, _ *http.Request) {
				for _, piece := range []string{"first ", "second ", "third"} {
					_, _ = io.WriteString(w, piece) // the client tells
					w.(http.Flusher).Flush()
					time.Sleep(3 * patience)
				}
			})
			for range 2 { // the connection is used again after a deadline
				resp, err := client.Get(url)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || string(text) != "first second third" {
					t.Errorf("got %q, %v", text, err)
				}
			}
		})
	}
}

func TestFurtherConnectionsWaitForOneToEnd(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	ln := limitConnections(inner, "test", 2, slog.New(slog.NewTextHandler(&log, nil)))
	accepted := make(chan net.Conn)
	ended := make(chan error, 1)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- c
		}
	}()
	for range 3 {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	first := <-accepted
	<-accepted
	select {
	case <-accepted:
		t.Fatal("a third connection is served")
	case <-time.After(100 * time.Millisecond):
	}
	first.Close()
	first.Close() // counts once
	<-accepted
	select {
	case <-accepted:
		t.Error("a connection that was closed twice made room for two")
	case <-time.After(100 * time.Millisecond):
	}
	ln.Close() // while Accept waits for a slot
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want net.ErrClosed", err)
	}
	if !strings.Contains(log.String(), "all connections of a port are taken") {
		t.Errorf("log: %s", &log)
	}
}
