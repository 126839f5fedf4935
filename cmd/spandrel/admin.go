package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// phase is where the process is in its life.
type phase string

// The phases, by the names that Jaeger v2's /status gives them.
const (
	starting phase = "StatusStarting"
	running  phase = "StatusOK"
	stopping phase = "StatusStopping"
	failing  phase = "StatusRecoverableError" // running, but the store cannot take writes
)

// health says whether spans are taken and kept.
type health struct {
	log     *slog.Logger
	started time.Time

	mu    sync.Mutex // guards what follows
	phase phase
	since time.Time    // of phase
	up    time.Time    // when it last became running
	store func() error // nil until the store is open
	err   error        // why failing
}

func newHealth(log *slog.Logger) *health {
	now := time.Now()
	return &health{log: log, started: now, phase: starting, since: now}
}

// ready begins the running phase, in which store says whether it can write.
func (h *health) ready(store func() error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.store = store
	h.enter(running, nil)
}

// stop begins the stopping phase, which nothing ends.
func (h *health) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.store = nil
	h.enter(stopping, nil)
}

// enter wants mu held.
func (h *health) enter(p phase, err error) {
	if p == h.phase {
		return
	}
	switch {
	case p == failing:
		h.log.Error("unhealthy: the store cannot take spans", "err", err)
	case h.phase == failing && p == running:
		h.log.Info("healthy again")
	}
	h.phase, h.since, h.err = p, time.Now(), err
	if p == running {
		h.up = h.since
	}
}

// now is the phase after asking the store, and what belongs to it.
func (h *health) now() (p phase, since, up time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.store != nil {
		if err := h.store(); err != nil {
			h.enter(failing, err)
		} else {
			h.enter(running, nil)
		}
	}
	return h.phase, h.since, h.up, h.err
}

// admin answers every path of the admin port that is nothing else, to the
// letter as Jaeger v1 does.
func (h *health) admin(w http.ResponseWriter, _ *http.Request) {
	answer := struct {
		Status  string    `json:"status"`
		UpSince time.Time `json:"upSince"`
		Uptime  string    `json:"uptime"`
	}{Status: "Server not available"}
	code := http.StatusServiceUnavailable
	if p, _, up, _ := h.now(); p == running {
		code = http.StatusOK
		answer.Status, answer.UpSince, answer.Uptime = "Server available", up, time.Since(up).String()
	}
	writeJSON(w, code, answer)
}

// componentStatus is one node of what Jaeger v2 (OpenTelemetry's
// healthcheckv2 extension) answers on /status.
type componentStatus struct {
	StartTime  *time.Time                 `json:"start_time,omitempty"` // of the outermost
	Healthy    bool                       `json:"healthy"`
	Status     phase                      `json:"status"`
	Error      string                     `json:"error,omitempty"`
	StatusTime time.Time                  `json:"status_time"`
	Components map[string]componentStatus `json:"components,omitempty"`
}

// status is /status of Jaeger v2, with ?verbose for the parts and
// ?pipeline=traces for the way of a span. Unlike there, a store that cannot
// write makes it a 503.
func (h *health) status(w http.ResponseWriter, r *http.Request) {
	p, since, _, err := h.now()
	one := componentStatus{Healthy: p == running, Status: p, StatusTime: since}
	if err != nil {
		one.Error = err.Error()
	}
	of := func(names ...string) componentStatus {
		all := one
		all.Components = map[string]componentStatus{}
		for _, name := range names {
			all.Components[name] = one
		}
		return all
	}
	traces := of("receiver:otlp", "receiver:zipkin", "exporter:jaeger_storage_exporter")
	query := r.URL.Query()
	verbose := query.Has("verbose") && query.Get("verbose") != "false"
	answer := one
	switch {
	case query.Get("pipeline") == "traces" && verbose:
		answer = traces
	case query.Has("pipeline") && query.Get("pipeline") != "traces":
		w.WriteHeader(http.StatusNotFound)
		return
	case verbose && !query.Has("pipeline"):
		answer.Components = map[string]componentStatus{
			"extensions":      of("extension:jaeger_query", "extension:jaeger_storage"),
			"pipeline:traces": traces,
		}
	}
	answer.StartTime = &h.started
	code := http.StatusOK
	if p != running {
		code = http.StatusServiceUnavailable
	}
	writeJSON(w, code, answer)
}

// writeJSON sends v as the whole answer.
func writeJSON(w http.ResponseWriter, code int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types marshal
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(body) // the client may have gone
}
