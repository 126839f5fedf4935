package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealthFollowsTheLife(t *testing.T) {
	var log bytes.Buffer
	h := newHealth(slog.New(slog.NewTextHandler(&log, nil)))
	var disk error
	steps := []struct {
		name    string
		do      func()
		code    int
		admin   string // beginning of the body at 14269
		status  string // at 13133
		healthy bool
	}{
		{"starting", func() {}, 503, `{"status":"Server not available","upSince":"0001-01-01T00:00:00Z","uptime":""}`, "StatusStarting", false},
		{"ready", func() { h.ready(func() error { return disk }) }, 200, `{"status":"Server available","upSince":"20`, "StatusOK", true},
		{"disk full", func() { disk = errors.New("no space left on device") }, 503, `{"status":"Server not available","upSince":"0001`, "StatusRecoverableError", false},
		{"still full", func() {}, 503, `{"status":"Server not available"`, "StatusRecoverableError", false},
		{"space again", func() { disk = nil }, 200, `{"status":"Server available"`, "StatusOK", true},
		{"stopping", func() { h.stop() }, 503, `{"status":"Server not available"`, "StatusStopping", false},
	}
	for _, s := range steps {
		s.do()
		w := httptest.NewRecorder()
		h.admin(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if w.Code != s.code || !strings.HasPrefix(w.Body.String(), s.admin) || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: got %d %s, want %d %s…", s.name, w.Code, w.Body, s.code, s.admin)
		}
		w = httptest.NewRecorder()
		h.status(w, httptest.NewRequest(http.MethodGet, "/status", nil))
		var got componentStatus
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if w.Code != s.code || string(got.Status) != s.status || got.Healthy != s.healthy || got.StartTime == nil {
			t.Errorf("%s: got %d %s, want %d %s", s.name, w.Code, w.Body, s.code, s.status)
		}
		if (got.Error != "") != (s.status == string(failing)) {
			t.Errorf("%s: got error %q", s.name, got.Error)
		}
	}
	if got := strings.Count(log.String(), "level=ERROR"); got != 1 {
		t.Errorf("the full disk was logged %d times, want once: %s", got, &log)
	}
}

func TestStatusNamesTheParts(t *testing.T) {
	h := newHealth(slog.New(slog.DiscardHandler))
	h.ready(func() error { return nil })
	for query, want := range map[string]string{
		"":                         `"status_time":"`,
		"?verbose":                 `"extensions":{`,
		"?pipeline=traces":         `"healthy":true`,
		"?pipeline=traces&verbose": `"components":{"exporter:jaeger_storage_exporter":{"healthy":true`,
	} {
		w := httptest.NewRecorder()
		h.status(w, httptest.NewRequest(http.MethodGet, "/status"+query, nil))
		if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: got %d %s, want %s", query, w.Code, w.Body, want)
		}
	}
	w := httptest.NewRecorder()
	h.status(w, httptest.NewRequest(http.MethodGet, "/status?verbose=false", nil))
	if strings.Contains(w.Body.String(), "components") {
		t.Errorf("verbose=false: got %s", w.Body)
	}
}
