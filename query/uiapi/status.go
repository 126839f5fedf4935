package uiapi

import (
	"net/http"
	"time"

	"github.com/spandrel/spandrel/query"
)

// Status is how the service is; others know the parts of it.
type Status struct {
	Version   string        `json:"version"`
	Revision  string        `json:"revision"`
	Started   query.Instant `json:"started"`
	Now       query.Instant `json:"now"`
	Ready     bool          `json:"ready"`
	Trouble   string        `json:"trouble,omitempty"`
	Listeners []Listener    `json:"listeners"`
	Ingest    Ingest        `json:"ingest"`
	Store     Store         `json:"store"`
}

// Listener is a port.
type Listener struct {
	Name    string `json:"name"`
	Address string `json:"address,omitempty"`
	URL     string `json:"url,omitempty"`
	TLS     bool   `json:"tls"`
	Open    bool   `json:"open"`
}

// Ingest is what was sent since the start.
type Ingest struct {
	Received    uint64          `json:"received"`
	Accepted    uint64          `json:"accepted"`
	Rejected    uint64          `json:"rejected"`
	Failed      uint64          `json:"failed"`
	Services    []ServiceIngest `json:"services"`
	Rejections  []SpansFor      `json:"rejections"`
	Failures    []SpansFor      `json:"failures"`
	Requests    []RequestsFor   `json:"requests"`
	Misdirected []RequestsFor   `json:"misdirected"`
}

// ServiceIngest is what came of one service in one format.
type ServiceIngest struct {
	Service  string `json:"service"`
	Format   string `json:"format"`
	Accepted uint64 `json:"accepted"`
}

// SpansFor counts spans that were not stored.
type SpansFor struct {
	Format string `json:"format,omitempty"`
	Reason string `json:"reason"`
	Spans  uint64 `json:"spans"`
}

// RequestsFor counts requests that did not succeed.
type RequestsFor struct {
	Reason   string `json:"reason"`
	Path     string `json:"path,omitempty"`
	Requests uint64 `json:"requests"`
}

// Store is how much there is.
type Store struct {
	Kind          string        `json:"kind"`
	Dir           string        `json:"dir,omitempty"`
	Bytes         int64         `json:"bytes,omitempty"`
	MaxBytes      int64         `json:"maxBytes,omitempty"`
	MaxAgeSeconds int64         `json:"maxAgeSeconds,omitempty"`
	MaxTraces     int           `json:"maxTraces,omitempty"`
	Oldest        query.Instant `json:"oldest,omitempty"`
	Newest        query.Instant `json:"newest,omitempty"`
	Spans         int           `json:"spans"`
	HeadSpans     int           `json:"headSpans,omitempty"`
	Traces        int           `json:"traces,omitempty"`
	Services      int           `json:"services"`
	Partitions    []Partition   `json:"partitions,omitempty"`
}

// Partition is a part of a store that goes at once.
type Partition struct {
	Name     string        `json:"name"`
	Born     query.Instant `json:"born"`
	Bytes    int64         `json:"bytes"`
	Spans    int           `json:"spans"`
	Segments int           `json:"segments"`
	Oldest   query.Instant `json:"oldest,omitempty"`
	Newest   query.Instant `json:"newest,omitempty"`
	Sealed   bool          `json:"sealed"`
}

// state tells how the service is.
func (a *api) state(*http.Request) (answer, error) {
	if a.status == nil {
		return answer{}, errNotOffered
	}
	return answer{json: a.status()}, nil
}

var errNotOffered = &failure{status: http.StatusNotFound, msg: "not offered here"}

// Bounds of waiting for new traces.
const (
	defaultWait  = 20 * time.Second
	maxWait      = 25 * time.Second
	defaultTail  = 50
	maxTailLimit = 200
)

// follow waits for traces that get spans.
func (a *api) follow(r *http.Request) (answer, error) {
	if a.tail == nil {
		return answer{}, errNotOffered
	}
	v := r.URL.Query()
	q, errorsIn, err := conditions(v)
	if err != nil {
		return answer{}, err
	}
	if q.Limit, err = number(v, "limit", defaultTail, maxTailLimit); err != nil {
		return answer{}, err
	}
	columns, err := list(v, "columns", maxExtraTags)
	if err != nil {
		return answer{}, err
	}
	wait := defaultWait
	if text := v.Get("wait"); text != "" {
		if wait, err = time.ParseDuration(text); err != nil || wait < 0 || wait > maxWait {
			return answer{}, badParam("wait", "is no duration up to "+maxWait.String())
		}
	}
	result, err := a.svc.TailSummaries(r.Context(), a.tail, v.Get("cursor"), wait, q, errorsIn, columns...)
	return answer{json: result}, err
}
