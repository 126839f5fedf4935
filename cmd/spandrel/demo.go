package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// demo posts the traffic of a small mesh, as its proxies would.
type demo struct {
	url      string
	rate     float64       // requests to the gateway a second
	duration time.Duration // 0 = until interrupted
	history  time.Duration // how far back the first requests lie
	seed     uint64

	client                *http.Client
	out                   io.Writer
	mesh                  *mesh
	requests, spans, lost int
	lastErr               error
}

func demoCommand() *cobra.Command {
	d := &demo{client: &http.Client{Timeout: 5 * time.Second}}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Post a live Bookinfo-like mesh to a collector, so that there is something to see",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.out = cmd.OutOrStdout()
			return d.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&d.url, "collector", "http://127.0.0.1:9411/api/v2/spans", "`URL` that takes Zipkin's JSON")
	f.Float64Var(&d.rate, "rate", 5, "requests a second")
	f.DurationVar(&d.duration, "duration", 0, "how long to go on; 0 = until interrupted")
	f.DurationVar(&d.history, "history", 15*time.Minute, "how far back the mesh has been at work when the demo begins")
	f.Uint64Var(&d.seed, "seed", uint64(time.Now().UnixNano()), "what makes two runs equal")
	return cmd
}

// run posts some history, then a request's spans at a time.
func (d *demo) run(ctx context.Context) error {
	if err := d.check(); err != nil {
		return err
	}
	d.mesh = newMesh(rand.New(rand.NewPCG(d.seed, 1)))
	now := time.Now()
	if err := d.request(ctx, now.Add(-d.history)); err != nil {
		return err // the first post tells whether anybody listens
	}
	for at := now.Add(-d.history); at.Before(now) && ctx.Err() == nil; at = at.Add(d.history/60 + time.Second) {
		d.count(d.request(ctx, at))
	}
	fmt.Fprintf(d.out, "posting to %s\n%s", d.url, d.whereToLook())
	if d.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.duration)
		defer cancel()
	}
	d.live(ctx)
	fmt.Fprintf(d.out, "done: %d requests, %d spans, %d posts failed\n", d.requests, d.spans, d.lost)
	if d.lost > 0 {
		return fmt.Errorf("%d posts failed, the last one: %w", d.lost, d.lastErr)
	}
	return nil
}

func (d *demo) check() error {
	u, err := url.Parse(d.url)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("--collector=%q: want a URL such as http://127.0.0.1:9411/api/v2/spans", d.url)
	}
	if u.Path == "" || u.Path == "/" {
		d.url = u.JoinPath("/api/v2/spans").String()
	}
	if d.rate <= 0 || d.rate > 10_000 {
		return fmt.Errorf("--rate=%v: want more than 0 and at most 10000", d.rate)
	}
	if d.duration < 0 || d.history < 0 {
		return errors.New("--duration and --history must not be negative")
	}
	return nil
}

// live sends requests at the rate, and a line of progress every ten seconds.
func (d *demo) live(ctx context.Context) {
	tick := time.NewTicker(time.Duration(float64(time.Second) / d.rate))
	defer tick.Stop()
	progress := time.NewTicker(10 * time.Second)
	defer progress.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-progress.C:
			fmt.Fprintf(d.out, "%d requests, %d spans, %d posts failed\n", d.requests, d.spans, d.lost)
			if d.lastErr != nil {
				fmt.Fprintf(d.out, "  last failure: %v\n", d.lastErr)
			}
		case at := <-tick.C:
			d.count(d.request(ctx, at.Add(-2*time.Second))) // over by now, the slow ones too
		}
	}
}

func (d *demo) count(err error) {
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		d.lost++
		d.lastErr = err
	}
}

// request posts one request's spans as the proxies would: each its own, in
// batches of at most five.
func (d *demo) request(ctx context.Context, at time.Time) error {
	d.requests++
	for _, batch := range d.mesh.request(at) {
		if err := d.post(ctx, batch); err != nil {
			return err
		}
		d.spans += len(batch)
	}
	return nil
}

func (d *demo) post(ctx context.Context, batch []zipkinSpan) error {
	body, err := json.Marshal(batch)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := d.client.Do(r)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("nobody listens at %s: start spandrel first, or name the collector with --collector", r.URL.Host)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 500)) // only for the message
	if resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("%s answered %s: %s", d.url, resp.Status, bytes.TrimSpace(text))
	}
	return nil
}

// whereToLook names what there is to see, if the collector is on its usual port.
func (d *demo) whereToLook() string {
	u, err := url.Parse(d.url)
	if err != nil || u.Port() != "9411" {
		return ""
	}
	base := "http://" + u.Hostname() + ":16686"
	return fmt.Sprintf("look at\n  %s/\n  curl '%s/api/services'\n  curl '%s/api/traces?service=productpage.default&limit=1&prettyPrint=true'\n",
		base, base, base)
}
