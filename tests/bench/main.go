//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// config is what the flags say.
type config struct {
	sizes         sizes
	spandrelOnly  bool
	slice         int
	conns         int
	maxBatch      int
	huge          int
	seed          uint64
	window        time.Duration
	perQuestion   time.Duration
	acksFor       time.Duration
	quiet         time.Duration
	profile       string
	profileFor    time.Duration
	out, dir      string
	spandrel, bin string // programs
}

// sizes are numbers of spans, in ascending order.
type sizes []int

func (s *sizes) String() string {
	words := make([]string, len(*s))
	for i, n := range *s {
		words[i] = short(n)
	}
	return strings.Join(words, ",")
}

func (s *sizes) Set(text string) error {
	*s = nil
	for word := range strings.SplitSeq(text, ",") {
		number, factor := word, 1.0
		for suffix, f := range map[string]float64{"k": 1e3, "M": 1e6} {
			if rest, ok := strings.CutSuffix(word, suffix); ok {
				number, factor = rest, f
			}
		}
		f, err := strconv.ParseFloat(number, 64)
		n := int(f * factor)
		if err != nil || n < 1000 || n > 100e6 || len(*s) > 0 && n <= (*s)[len(*s)-1] {
			return errors.New("want ascending numbers of spans from 1000 on, such as 1M,3M")
		}
		*s = append(*s, n)
	}
	return nil
}

// short writes a number of spans as the flag takes it.
func short(n int) string {
	switch {
	case n%1e6 == 0:
		return fmt.Sprintf("%dM", n/1e6)
	case n%1e3 == 0:
		return fmt.Sprintf("%dk", n/1e3)
	}
	return strconv.Itoa(n)
}

func main() {
	runtime.LockOSThread() // see server.start
	c := config{sizes: sizes{1_000_000}}
	flag.Var(&c.sizes, "spans", "`NUMBER` of spans for each, such as 100k; more than one, 1M,3M, asks the questions at each of them")
	flag.BoolVar(&c.spandrelOnly, "spandrel-only", false, "leave Jaeger out")
	flag.IntVar(&c.slice, "slice", 25_000, "spans of a turn")
	flag.IntVar(&c.conns, "connections", 40, "connections that post: a sidecar of each of the 40 services has one")
	flag.IntVar(&c.maxBatch, "max-batch", 35, "most spans of a post; half of the posts have 5, as Envoy's, the others 5 to this")
	flag.IntVar(&c.huge, "huge", 100_000, "spans of one large trace, posted and asked for at the end; 0 = none")
	flag.Uint64Var(&c.seed, "seed", 1, "of the traffic")
	flag.DurationVar(&c.window, "window", 2*time.Hour, "time over which the spans are spread, up to now")
	flag.DurationVar(&c.perQuestion, "per-question", 4*time.Second, "time for each question of the mix, for each")
	flag.DurationVar(&c.acksFor, "acks-for", 8*time.Second, "how long posts come at half of saturation")
	flag.DurationVar(&c.quiet, "quiet", 3*time.Second, "how long a process must be quiet to have settled")
	flag.StringVar(&c.profile, "profile", "", "`FILE` for a CPU profile of Spandrel under load")
	flag.DurationVar(&c.profileFor, "profile-for", 10*time.Second, "how long, from the first turn on, stopped times included")
	flag.StringVar(&c.out, "o", "", "`DIR` for the results, beside standard output")
	flag.StringVar(&c.dir, "dir", "bin", "`DIR` on the disk to measure; what is made in it goes at the end")
	flag.StringVar(&c.spandrel, "spandrel", "bin/spandrel", "the `PROGRAM`")
	flag.StringVar(&c.bin, "jaeger", "tests/peers/bin/all-in-one", "Jaeger's `PROGRAM`")
	ceiling := flag.String("ceiling", "", "for this program's own use")
	listen := flag.String("listen", "", "for this program's own use")
	flag.Parse()
	log.SetFlags(log.Ltime)
	if *ceiling != "" {
		log.Fatal(serveCeiling(*ceiling, strings.Split(*listen, ",")))
	}
	if err := c.main(); err != nil {
		log.Fatal(err)
	}
}

// main measures and writes the results.
func (c *config) main() error {
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(c.dir, "bench-")
	if err != nil {
		return err
	}
	if work, err = filepath.Abs(work); err != nil {
		return err
	}
	clean := func() {
		endChildren()
		if err := os.RemoveAll(work); err != nil {
			log.Print(err)
		}
	}
	defer clean()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		clean()
		os.Exit(1)
	}()

	r := &report{config: c, when: time.Now(), machine: machine(work)}
	if err := newRun(c, work, r).all(); err != nil {
		return fmt.Errorf("%w\n%s", err, logTails(work))
	}
	r.machine = append(r.machine, "load average after: "+loadAverage())
	return r.write()
}

// logTails is the end of what each server wrote.
func logTails(work string) string {
	var b strings.Builder
	logs, _ := filepath.Glob(filepath.Join(work, "*.log"))
	for _, name := range logs {
		text, _ := os.ReadFile(name)
		fmt.Fprintf(&b, "--- %s:\n%s\n", filepath.Base(name), text[max(0, len(text)-2000):])
	}
	return b.String()
}

// write prints the results and, if asked to, keeps them in a file.
func (r *report) write() error {
	if _, err := io.WriteString(os.Stdout, r.markdown()); err != nil || r.out == "" {
		return err
	}
	what := "peer"
	if r.spandrelOnly {
		what = "alone"
	}
	name := fmt.Sprintf("%s-%s-%s.md", r.when.Format(time.DateOnly), what, strings.ReplaceAll(r.sizes.String(), ",", "-"))
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, name), []byte(r.markdown()), 0o644)
}

// versionOf is what the program says of itself, in one line.
func versionOf(program string, args ...string) string {
	out, err := exec.Command(program, args...).Output() //nolint:noctx // prints and ends
	if err != nil {
		return "unknown version"
	}
	return strings.Join(strings.Fields(string(out)), " ")
}
