//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/spandrel/spandrel"
)

// subject is a server with what has been measured of it.
type subject struct {
	*server
	retry  time.Duration // after which a refused post is posted again while loading
	load   outcome       // of the load so far
	used   usage         // by the load so far: CPU and bytes written
	at     []*checkpoint
	ending ending
}

// checkpoint is what is true once some number of spans is stored.
type checkpoint struct {
	spans     int
	load      outcome
	used      usage // CPU and bytes written while loading; memory now
	disk      int64
	peakAfter int64 // RSS at the highest, once all questions were asked
	missing   int   // spans of the traces asked for
	asked     int
	answers   []*answer
}

// ending is what is measured once, at the end.
type ending struct {
	stop, restart, restartKilled time.Duration
	disk                         int64 // while nothing runs
	rss                          int64 // after the restart
	acks                         outcome
	disk4k                       []time.Duration // a block written and synced meanwhile
	burst                        outcome         // posted without retries right before the kill
	lost, asked                  int             // spans that were acknowledged before the kill
	huge                         huge
}

// run is one benchmark.
type run struct {
	*config
	work     string
	report   *report
	truth    *truth
	traffic  *traffic
	subjects []*subject
	profiled chan struct{} // closed once the profile is there
}

func newRun(c *config, work string, r *report) *run { return &run{config: c, work: work, report: r} }

// retryAfter leaves Jaeger's queue time to drain: the shorter, the more of its
// CPU goes into refusing.
const retryAfter = 25 * time.Millisecond

// all is the order of the benchmark.
func (r *run) all() error {
	programs := []program{spandrelProgram(r.spandrel)}
	r.report.versions = []string{versionOf(r.spandrel, "version")}
	if !r.spandrelOnly {
		programs = append([]program{jaegerProgram(r.bin)}, programs...)
		r.report.versions = append(r.report.versions, "Jaeger all-in-one v1.76.0, Badger on disk, default settings")
	}
	for _, p := range programs {
		s, err := newServer(p, r.work)
		if err != nil {
			return err
		}
		if _, err := s.start(); err != nil {
			return err
		}
		r.subjects = append(r.subjects, &subject{server: s, retry: retryAfter})
		if err := s.pause(); err != nil {
			return err
		}
	}
	r.report.subjects = r.subjects
	largest := r.sizes[len(r.sizes)-1]
	r.truth = &truth{}
	r.traffic = newTraffic(r.seed, largest, r.maxBatch, time.Now().Add(-r.window), r.window)
	for _, size := range r.sizes {
		if err := r.fill(size); err != nil {
			return err
		}
		if err := r.checkpoint(size); err != nil {
			return err
		}
	}
	if err := r.end(); err != nil {
		return err
	}
	log.Print("ceilings")
	s := newTraffic(r.seed, largest, r.maxBatch, time.Now().Add(-r.window), r.window).next(min(max(largest, 50_000), 200_000)) // less is lost in the ticks of the CPU clock
	var err error
	r.report.ceilings, err = ceilings(s, r.work, r.conns)
	return err
}

// turn lets the subject run while f does something with it.
func (s *subject) turn(f func() error) error {
	return errors.Join(s.resume(), f(), s.pause())
}

// counted adds what the subject used during f to what loading it takes.
func (s *subject) counted(f func() error) error {
	before, err := s.usage()
	if err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	after, err := s.usage()
	s.used.cpu += after.cpu - before.cpu
	s.used.written += after.written - before.written
	return err
}

// fill posts until there are size spans, and then what the sidecars still
// hold, so that traces are complete.
func (r *run) fill(size int) error {
	if r.profile != "" && r.profiled == nil {
		r.profiled = make(chan struct{})
		go r.takeProfile()
	}
	for len(r.truth.rows) < size {
		if err := r.give(r.traffic.next(min(r.slice, size-len(r.truth.rows)))); err != nil {
			return err
		}
		if len(r.truth.rows)/(r.slice*8) != (len(r.truth.rows)-r.slice)/(r.slice*8) {
			log.Printf("%d spans", len(r.truth.rows))
		}
	}
	return r.give(r.traffic.rest())
}

// give posts the slice to all subjects, one after the other.
func (r *run) give(s *slice) error {
	r.truth.add(s)
	s.made = nil
	for _, sub := range r.subjects {
		err := sub.turn(func() error {
			return sub.counted(func() error {
				o, err := undisturbed(sub.zipkin, s.posts, load{conns: r.conns, again: sub.retry})
				if err == nil {
					sub.load.add(o)
				}
				return err
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// undisturbed is drive without garbage collection of ours and without what
// others have left the disk to write.
func undisturbed(address string, posts []post, l load) (*outcome, error) {
	runtime.GC()
	unix.Sync()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	return drive(address, posts, l)
}

// takeProfile fetches a profile of Spandrel, the last of the subjects.
func (r *run) takeProfile() {
	defer close(r.profiled)
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", r.subjects[len(r.subjects)-1].admin, int(r.profileFor.Seconds()))
	var body bytes.Buffer
	status, err := fetch(http.DefaultClient, url, &body)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d: %s", status, body.Bytes())
	}
	if err == nil {
		err = os.WriteFile(r.profile, body.Bytes(), 0o644)
	}
	if err != nil {
		log.Print("no profile: ", err)
		return
	}
	log.Print("profile written to ", r.profile)
}

// checkpoint measures what is stored and asks all questions.
func (r *run) checkpoint(size int) error {
	questions := newMix(r.truth).questions()
	for _, sub := range r.subjects {
		log.Printf("%s: questions at %s", sub.name, short(size))
		c := &checkpoint{spans: size}
		err := sub.turn(func() error {
			if err := sub.counted(func() error { return sub.settle(r.quiet) }); err != nil {
				return err
			}
			if r.profiled != nil && sub == r.subjects[len(r.subjects)-1] {
				<-r.profiled // questions would be in it
			}
			now, err := sub.usage()
			if err != nil {
				return err
			}
			c.load, c.used = sub.load, sub.used
			c.used.rss, c.used.peakRSS, c.disk = now.rss, now.peakRSS, diskUse(sub.dir)
			if c.missing, c.asked, err = sub.missing(r.truth.tracesOf(1, 1<<30, 1000)); err != nil {
				return err
			}
			for _, q := range questions {
				a, err := sub.put(q, budget{200, r.perQuestion})
				if err != nil {
					return err
				}
				c.answers = append(c.answers, a)
			}
			now, err = sub.usage()
			c.peakAfter = now.peakRSS
			return err
		})
		if err != nil {
			return err
		}
		sub.at = append(sub.at, c)
	}
	r.report.questions = questions
	return nil
}

// missing asks for the traces and counts spans that are not there.
func (s *server) missing(traces []traceFacts) (missing, asked int, err error) {
	for _, t := range traces {
		found, err := s.spansOf(t.id)
		if err != nil {
			return 0, 0, err
		}
		asked += int(t.spans)
		missing += max(0, int(t.spans)-len(found))
	}
	return missing, asked, nil
}

// spansOf are the ids of the stored spans of the trace.
func (s *server) spansOf(id spandrel.TraceID) (map[string]bool, error) {
	var body bytes.Buffer
	status, err := fetch(http.DefaultClient, "http://"+s.query+"/api/traces/"+id.String(), &body)
	if err != nil || status == http.StatusNotFound {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("%s: trace %v: status %d: %.200s", s.name, id, status, body.Bytes())
	}
	return spanIDs(body.Bytes())
}

// end measures stops, starts, answers at half of saturation, and a kill.
func (r *run) end() error {
	for i, sub := range r.subjects {
		log.Printf("%s: restart", sub.name)
		e := &sub.ending
		var err error
		if e.stop, err = sub.stop(); err != nil {
			return err
		}
		e.disk = diskUse(sub.dir)
		unix.Sync()
		if e.restart, err = sub.start(); err != nil {
			return err
		}
		if err := sub.settle(r.quiet); err != nil {
			return err
		}
		now, err := sub.usage()
		if err != nil {
			return err
		}
		e.rss = now.rss
		rate := float64(sub.load.accepted) / sub.load.elapsed.Seconds() / 2
		log.Printf("%s: acknowledgements at %.0f spans/s, then a kill", sub.name, rate)
		n := max(1000, int(rate*r.acksFor.Seconds()))
		paced := newTraffic(r.seed+100, n, r.maxBatch, time.Now(), time.Minute).next(n)
		var o *outcome
		e.disk4k, err = probed(r.work, func() (err error) {
			o, err = undisturbed(sub.zipkin, paced.posts, load{conns: 32, rate: rate})
			return err
		})
		if err != nil {
			return err
		}
		e.acks = *o
		if err := r.crash(sub); err != nil {
			return err
		}
		if r.huge > 0 {
			log.Printf("%s: a trace of %d spans", sub.name, r.huge)
			if e.huge, err = r.ofHuge(sub); err != nil {
				return err
			}
		}
		if err := sub.pause(); err != nil {
			return err
		}
		log.Printf("%d of %d done", i+1, len(r.subjects))
	}
	return nil
}

// crash posts at full speed without retries, as Envoy does, kills the server
// right after the last answer, and counts what was acknowledged and is gone.
func (r *run) crash(sub *subject) error {
	e := &sub.ending
	n := min(60_000, len(r.truth.rows))
	s := newTraffic(r.seed+200, n, r.maxBatch, time.Now(), time.Minute).next(n)
	o, err := undisturbed(sub.zipkin, s.posts, load{conns: r.conns})
	if err != nil {
		return err
	}
	if err := sub.kill(); err != nil {
		return err
	}
	e.burst = *o
	unix.Sync()
	if e.restartKilled, err = sub.start(); err != nil {
		return err
	}
	acked := map[spandrel.TraceID][]spandrel.SpanID{}
	var order []spandrel.TraceID
	for i, spans := range s.made {
		for k := range spans {
			if !o.acked[i] {
				continue
			}
			id := spans[k].TraceID
			if acked[id] == nil {
				order = append(order, id)
			}
			acked[id] = append(acked[id], spans[k].ID)
		}
	}
	step := max(1, len(order)/1000)
	for i := 0; i < len(order); i += step {
		found, err := sub.spansOf(order[i])
		if err != nil {
			return err
		}
		for _, id := range acked[order[i]] {
			e.asked++
			if !found[id.String()] {
				e.lost++
			}
		}
	}
	return nil
}
