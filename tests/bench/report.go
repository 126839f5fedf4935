//go:build linux

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// report is what is printed.
type report struct {
	*config
	when      time.Time
	machine   []string
	versions  []string
	subjects  []*subject
	questions []question
	ceilings  []ceiling
}

// figure is one cell: its text, and its number for the ratio.
type figure struct {
	name, text string
	value      float64
	higher     bool // is better
}

// percentiles of times in milliseconds, as text.
func percentiles(times []time.Duration) string {
	return fmt.Sprintf("%s / %s / %s", ms(quantile(times, 0.5)), ms(quantile(times, 0.95)), ms(quantile(times, 0.99)))
}

func ms(d time.Duration) string { return fmt.Sprintf("%.3g", float64(d)/1e6) }

// quantile is the smallest time that at least the share q do not exceed.
func quantile(times []time.Duration, q float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[min(len(sorted)-1, max(0, int(float64(len(sorted))*q+0.999999)-1))]
}

func per(total int64, n int) float64 { return float64(total) / float64(max(1, n)) }

func mib(b int64) string { return fmt.Sprintf("%.0f", float64(b)/(1<<20)) }

func share(part, whole int) string {
	return fmt.Sprintf("%.1f %% (%d of %d)", 100*per(int64(part), whole), part, whole)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }

// figures of a checkpoint.
func (c *checkpoint) figures() []figure {
	n := c.load.accepted
	rate := float64(n) / c.load.elapsed.Seconds()
	cpu := float64(c.used.cpu.Microseconds()) / float64(n)
	return []figure{
		{"spans/s without loss, generator at full speed", fmt.Sprintf("%.0f", rate), rate, true},
		{"requests refused and sent again", share(c.load.refused, c.load.tries), 0, false},
		{"CPU µs a span", fmt.Sprintf("%.1f", cpu), cpu, false},
		{"spans missing, of those asked for", fmt.Sprintf("%d of %d", c.missing, c.asked), 0, false},
		{"peak RSS under load, MiB", mib(c.used.peakRSS), float64(c.used.peakRSS), false},
		{"peak RSS, questions included, MiB", mib(c.peakAfter), float64(c.peakAfter), false},
		{"RSS idle after the load, MiB", mib(c.used.rss), float64(c.used.rss), false},
		{"bytes on disk a span, running", fmt.Sprintf("%.1f", per(c.disk, n)), per(c.disk, n), false},
		{"bytes written a span", fmt.Sprintf("%.0f", per(c.used.written, n)), per(c.used.written, n), false},
		{"generator's own cores while posting", fmt.Sprintf("%.2f", c.load.cpu.Seconds()/c.load.elapsed.Seconds()), 0, false},
	}
}

// figures of the ending; n spans are stored at the first stop.
func (e *ending) figures(n int) []figure {
	half := float64(e.acks.spans) / e.acks.elapsed.Seconds()
	p99 := float64(quantile(e.acks.latencies, 0.99))
	offered := float64(e.burst.spans) / e.burst.elapsed.Seconds()
	return append([]figure{
		{"bytes on disk a span, stopped", fmt.Sprintf("%.1f", per(e.disk, n)), per(e.disk, n), false},
		{"clean stop, s", seconds(e.stop), e.stop.Seconds(), false},
		{"restart to ready after it, s", seconds(e.restart), e.restart.Seconds(), false},
		{"RSS idle after the restart, MiB", mib(e.rss), float64(e.rss), false},
		{"half of saturation, spans/s", fmt.Sprintf("%.0f", half), 0, false},
		{"acknowledged there, p50 / p95 / p99 ms (ratio of p99)", percentiles(e.acks.latencies), p99, false},
		{"a block of 4 KiB synced beside it, likewise", percentiles(e.disk4k), 0, false},
		{"refused there", share(e.acks.refused, e.acks.tries), 0, false},
		{"offered at full speed without retries, spans/s", fmt.Sprintf("%.0f", offered), 0, false},
		{"spans refused there", share(e.burst.spans-e.burst.accepted, e.burst.spans), 0, false},
		{"acknowledged spans lost by kill -9 right after", share(e.lost, e.asked), 0, false},
		{"restart to ready after kill -9, s", seconds(e.restartKilled), e.restartKilled.Seconds(), false},
	}, e.huge.figures()...)
}

// column is one subject at one size.
type column struct {
	title   string
	figures []figure
	answers []*answer
}

// answer is the one to the question, empty where it was not put: a small store
// has no large traces to ask for.
func (c *column) answer(question string) *answer {
	for _, a := range c.answers {
		if a.question == question {
			return a
		}
	}
	return &answer{}
}

func (r *report) columns() []column {
	var all []column
	for _, s := range r.subjects {
		for i, c := range s.at {
			col := column{title: s.name, figures: c.figures(), answers: c.answers}
			if len(s.at) > 1 {
				col.title += " " + short(c.spans)
			}
			if i == len(s.at)-1 {
				col.figures = append(col.figures, s.ending.figures(c.load.accepted)...)
			}
			all = append(all, col)
		}
	}
	return all
}

// compared says whether the columns are Jaeger and Spandrel.
func (r *report) compared(columns []column) bool { return len(r.subjects) == 2 && len(columns) == 2 }

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s spans, %s\n\n", r.sizes.String(), r.when.UTC().Format("2006-01-02 15:04 UTC"))
	fmt.Fprintf(&b, "Written by `tests/bench` (`make bench-peer`), which says what is measured and how.\n\n")
	for _, line := range append(slices.Clone(r.machine), r.versions...) {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	load := r.subjects[0].load
	fmt.Fprintf(&b, "- traffic: seed %d, %d posts of 5 to %d spans (%.1f on average), %d connections, turns of %d spans, spread over %v\n",
		r.seed, load.posts, r.maxBatch, per(int64(load.spans), load.posts), r.conns, r.slice, r.window)
	columns := r.columns()
	r.mainTable(&b, columns)
	r.answerTable(&b, columns)
	r.ceilingTable(&b)
	return b.String()
}

// row writes a row of a table.
func tableRow(b *strings.Builder, cells ...string) {
	fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
}

// head writes the first two rows.
func tableHead(b *strings.Builder, cells ...string) {
	tableRow(b, cells...)
	rule := slices.Repeat([]string{"--:"}, len(cells))
	rule[0] = "---"
	tableRow(b, rule...)
}

// ratio is how many times b is better than a.
func ratio(a, b float64, higher bool) string {
	if higher {
		a, b = b, a
	}
	if a == 0 || b == 0 {
		return ""
	}
	return fmt.Sprintf("%.3g×", a/b)
}

func (r *report) mainTable(b *strings.Builder, columns []column) {
	fmt.Fprintf(b, "\n## Load and life\n\n")
	head := []string{""}
	for _, c := range columns {
		head = append(head, c.title)
	}
	compared := r.compared(columns)
	if compared {
		head = append(head, "Spandrel is better by")
	}
	tableHead(b, head...)
	for _, f := range columns[len(columns)-1].figures {
		cells := []string{f.name}
		var of []figure
		for _, c := range columns {
			i := slices.IndexFunc(c.figures, func(g figure) bool { return g.name == f.name })
			if i < 0 {
				cells = append(cells, "")
				continue
			}
			cells, of = append(cells, c.figures[i].text), append(of, c.figures[i])
		}
		if compared {
			cells = append(cells, ratio(of[0].value, of[1].value, f.higher))
		}
		tableRow(b, cells...)
	}
	for _, s := range r.subjects {
		for _, code := range slices.Sorted(maps.Keys(s.load.status)) {
			fmt.Fprintf(b, "\n%s answered %d to %d posts of the load.", s.name, code, s.load.status[code])
		}
	}
	fmt.Fprintln(b)
}

func (r *report) answerTable(b *strings.Builder, columns []column) {
	fmt.Fprintf(b, "\n## Answers\n\nOne client, after one request that is not timed. `got/expected`: over the checked variants; `wrong` ones do not\n"+
		"belong to the newest that match in one span; p50 / p95 / p99 in ms, n requests, CPU of the server a request.\n\n")
	head := []string{"query"}
	for _, c := range columns {
		head = append(head, c.title+", ms", "n", "CPU ms", "KiB", "answer")
	}
	compared := r.compared(columns)
	if compared {
		head = append(head, "p50 better by", "p95 better by")
	}
	tableHead(b, head...)
	for _, q := range r.questions {
		cells := []string{q.name}
		for _, c := range columns {
			a := c.answer(q.name)
			if len(a.times) == 0 {
				cells = append(cells, "", "", "", "", a.String())
				continue
			}
			cells = append(cells, percentiles(a.times), fmt.Sprint(len(a.times)), ms(a.cpu), fmt.Sprint(a.bytes>>10), a.String())
		}
		if compared {
			x, y := columns[0].answer(q.name).times, columns[1].answer(q.name).times
			for _, p := range []float64{0.5, 0.95} {
				cells = append(cells, ratio(float64(quantile(x, p)), float64(quantile(y, p)), false))
			}
		}
		tableRow(b, cells...)
	}
}

func (r *report) ceilingTable(b *strings.Builder) {
	s := r.subjects[len(r.subjects)-1]
	rate := float64(s.load.accepted) / s.load.elapsed.Seconds()
	cpu := s.used.cpu / time.Duration(s.load.accepted)
	fmt.Fprintf(b, "\n## Ceilings of this machine, same posts, same run\n\nSpandrel: %.0f spans/s, %.1f µs of CPU a span.\n\n", rate, float64(cpu)/1e3)
	tableHead(b, "", "spans/s", "CPU µs a span", "Spandrel reaches of its rate", "Spandrel's CPU is", "")
	for _, c := range r.ceilings {
		tableRow(b, c.name, fmt.Sprintf("%.0f", c.rate), fmt.Sprintf("%.2f", float64(c.cpu)/1e3),
			fmt.Sprintf("%.3g %%", 100*rate/c.rate), fmt.Sprintf("%.3g×", float64(cpu)/float64(c.cpu)), c.note)
	}
}
