package peers

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// sender is a library of others that sends the story of a call: a client's
// span of one second, the server's within it, and in that a piece of work that
// fails. The instants are eighths of a second, which every library can express.
type sender struct {
	name    string
	traceID string
	send    func(t *testing.T, s *server, traceID string, base time.Time) outcome
	format  string // by Spandrel's metrics
	posts   int
	status  int // of each post's answer
	want    []told
}

// outcome is what a library saw of its posts.
type outcome struct {
	Statuses []int // of the answers
	Failures []string
}

// told is a span of the story, as the library tells it.
type told struct {
	Name, Parent, Service string         // Parent is the parent's name
	From, To              time.Duration  // since the story began
	Tags                  map[string]any // see shownTags
	Logs                  []string       // when and what
}

// TestSenders compares what libraries send with what is shown, field by field.
func TestSenders(t *testing.T) {
	s := startSpandrel(t)
	for _, row := range senders {
		t.Run(row.name, func(t *testing.T) {
			before := s.metrics(t)
			base := time.Now().Truncate(time.Second).Add(-time.Minute)
			outcome := row.send(t, s, row.traceID, base)
			if len(outcome.Failures) > 0 || len(outcome.Statuses) != row.posts {
				t.Errorf("the sender saw %+v, want no failure in %d posts", outcome, row.posts)
			}
			for _, status := range outcome.Statuses {
				if status != row.status {
					t.Errorf("the sender saw status %d, want %d", status, row.status)
				}
			}
			after := s.metrics(t)
			for _, count := range []struct {
				name  string
				label string
				want  int
			}{
				{"spandrel_collector_spans_accepted_total", `format="` + row.format + `"`, len(row.want)},
				{"spandrel_collector_spans_received_total", "", len(row.want)},
				{"spandrel_store_spans_total", "", len(row.want)},
				{postsMetric, fmt.Sprintf(`status="%d"`, row.status), row.posts},
				{postsMetric, "", row.posts},
			} {
				if got := after.sum(count.name, count.label) - before.sum(count.name, count.label); got != count.want {
					t.Errorf("%s{%s} went up by %d, want %d", count.name, count.label, got, count.want)
				}
			}
			if diff := gocmp.Diff(row.want, retell(s.trace(t, row.traceID), base)); diff != "" {
				t.Errorf("want (-) and got (+):\n%s", diff)
			}
		})
	}
}

// retell makes a story of a trace again, its spans from the top and by time.
func retell(trace *shownTrace, base time.Time) []told {
	since := func(micros int64) time.Duration { return time.UnixMicro(micros).Sub(base) }
	var story []told
	trace.walk("", 0, func(_ int, span *shownSpan) {
		parent := ""
		if above := trace.Spans[span.Parent]; above != nil {
			parent = above.Name
		}
		x := told{Name: span.Name, Parent: parent, Service: span.Service, From: since(span.Start), To: since(span.End), Tags: span.Tags}
		for _, l := range span.Logs {
			text := fmt.Sprint(l.Fields["event"])
			if len(l.Fields) != 1 {
				text = fmt.Sprint(l.Fields)
			}
			x.Logs = append(x.Logs, since(l.Time).String()+" "+text)
		}
		for _, w := range span.Warnings {
			x.Logs = append(x.Logs, "warning: "+w)
		}
		story = append(story, x)
	})
	return story
}

// script runs a program of senders/, which prints its outcome.
func script(t *testing.T, env, program, name string, args ...string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, append([]string{filepath.Join("senders", name)}, args...)...)
	cmd.Env = append(os.Environ(), env, "no_proxy=127.0.0.1")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var o outcome
	if err == nil {
		err = json.Unmarshal(out, &o)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", name, err, out, stderr.String())
	}
	return o
}

// node makes a send of a script for Node.
func node(name, path string, more ...string) func(*testing.T, *server, string, time.Time) outcome {
	return func(t *testing.T, s *server, traceID string, base time.Time) outcome {
		env := "NODE_PATH=" + filepath.Join(install(t, nodeLibs), "node_modules")
		url := s.zipkin + path
		if strings.HasPrefix(path, "/v1/") {
			url = s.otlp + path
		}
		args := append([]string{url, traceID, strconv.FormatInt(base.Unix(), 10)}, more...)
		return script(t, env, "node", name, args...)
	}
}

// python makes a send of the script for py_zipkin.
func python(encoding string) func(*testing.T, *server, string, time.Time) outcome {
	return func(t *testing.T, s *server, traceID string, base time.Time) outcome {
		host, port, err := net.SplitHostPort(strings.TrimPrefix(s.zipkin, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		env := "PYTHONPATH=" + install(t, pythonLibs)
		return script(t, env, "python3", "pyzipkin.py", host, port, traceID, strconv.FormatInt(base.Unix(), 10), encoding)
	}
}
