//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spandrel/spandrel"
)

// huge is what becomes of a trace that no page can show.
type huge struct {
	spans, found     int
	bytes            int
	firstByte, whole time.Duration
	posting          int64 // RSS at the highest so far, once it is stored
	before, peak     int64 // RSS before the question and at the highest while it was answered
	together         int64 // and while several were, at once
}

// hugeTrace makes posts of one trace: the traces of ordinary traffic, all
// called by the first one's root.
func (r *run) hugeTrace(n int) (*slice, spandrel.TraceID) {
	t := newTraffic(r.seed+300, n, r.maxBatch, time.Now().Add(-time.Minute), time.Minute)
	var id spandrel.TraceID
	var root spandrel.SpanID
	s, batch := &slice{}, []spandrel.Span(nil)
	for s.spans+len(batch) < n {
		for _, span := range t.gen.Next() {
			if span.ParentID == 0 && root == 0 {
				id, root = span.TraceID, span.ID
			}
			batch = append(batch, span)
		}
		if len(batch) < r.maxBatch || root == 0 {
			continue
		}
		for i := range batch {
			batch[i].TraceID = id
			if batch[i].ParentID == 0 && batch[i].ID != root {
				batch[i].ParentID = root
			}
		}
		s.add(t.rng, batch)
		batch = nil
	}
	return s, id
}

// ofHuge posts such a trace and asks for it.
func (r *run) ofHuge(sub *subject) (h huge, err error) {
	s, id := r.hugeTrace(r.huge)
	if _, err := undisturbed(sub.zipkin, s.posts, load{conns: r.conns, again: retryAfter}); err != nil {
		return h, err
	}
	if err := sub.settle(r.quiet); err != nil {
		return h, err
	}
	posted, err := sub.usage()
	if err != nil {
		return h, err
	}
	h.posting = posted.peakRSS
	// Makes the highest RSS so far the present one.
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", sub.cmd.Process.Pid), []byte("5"), 0); err != nil {
		return h, err
	}
	before, err := sub.usage()
	if err != nil {
		return h, err
	}
	h.spans, h.before = s.spans, before.rss
	body, err := h.ask("http://" + sub.query + "/api/traces/" + id.String())
	if err != nil {
		return h, err
	}
	after, err := sub.usage()
	if err != nil {
		return h, err
	}
	h.peak, h.bytes = after.peakRSS, len(body)
	ids, err := spanIDs(body)
	if err != nil {
		return h, err
	}
	h.found = len(ids)
	if err := askTogether("http://"+sub.query+"/api/traces/"+id.String(), h.bytes); err != nil {
		return h, err
	}
	after, err = sub.usage()
	h.together = after.peakRSS
	return h, err
}

// together is how many clients ask for the large trace at once, at the end.
const together = 4

// askTogether asks as several clients that throw the answers away.
func askTogether(url string, bytes int) error {
	answers := make(chan error, together)
	for range together {
		go func() {
			req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
			if err != nil {
				answers <- err
				return
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				answers <- err
				return
			}
			defer resp.Body.Close()
			n, err := io.Copy(io.Discard, resp.Body)
			if err == nil && (resp.StatusCode != http.StatusOK || n < int64(bytes)*99/100) { // Jaeger numbers processes anew each time
				err = fmt.Errorf("%s: got %s and %d bytes, want about %d", url, resp.Status, n, bytes)
			}
			answers <- err
		}()
	}
	var all error
	for range together {
		all = errors.Join(all, <-answers)
	}
	return all
}

// ask times the answer.
func (h *huge) ask(url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := io.CopyN(&body, resp.Body, 1); err != nil {
		return nil, err
	}
	h.firstByte = time.Since(began)
	_, err = io.Copy(&body, resp.Body)
	h.whole = time.Since(began)
	if err == nil && (resp.StatusCode != http.StatusOK || !json.Valid(body.Bytes())) {
		err = fmt.Errorf("%s: status %d, or no JSON: %.100s", url, resp.StatusCode, body.Bytes())
	}
	return body.Bytes(), err
}

func (h *huge) figures() []figure {
	if h.spans == 0 {
		return nil
	}
	return []figure{
		{fmt.Sprintf("trace of %d spans: spans got", h.spans), fmt.Sprint(h.found), 0, false},
		{"peak RSS while it is posted, MiB", mib(h.posting), float64(h.posting), false},
		{"first byte of it, s", seconds(h.firstByte), h.firstByte.Seconds(), false},
		{"all of it, s", fmt.Sprintf("%s (%s MiB)", seconds(h.whole), mib(int64(h.bytes))), h.whole.Seconds(), false},
		{"RSS before / peak while answering, MiB (ratio of peaks)", mib(h.before) + " / " + mib(h.peak), float64(h.peak), false},
		{fmt.Sprintf("peak RSS while %d ask for it at once, MiB", together), mib(h.together), float64(h.together), false},
	}
}
