package peers

import (
	"bufio"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// keep is long enough for what was recorded long ago: Jaeger counts the age of
// a span from its arrival, Spandrel from its start.
const keep = "--badger.span-store-ttl=876000h"

// peer is a server and what it answered.
type peer struct {
	*server
	store   string // memory or badger for Jaeger's
	jaeger  bool
	answers []tree
}

// TestJaeger gives the same spans to the real Jaeger and to Spandrel, asks both
// the same and reviews every difference, value by value. Spandrel's other store
// must answer as its first does, and a restart must change nothing.
func TestJaeger(t *testing.T) {
	list := readReviewed(t)
	dirs := t.TempDir()
	jaegerDir := []string{keep, "--badger.directory-key", filepath.Join(dirs, "key"), "--badger.directory-value", filepath.Join(dirs, "value")}
	ourDir := []string{keep, "--badger.directory-value", filepath.Join(dirs, "ours")}
	ours := &peer{store: "ours", server: startSpandrel(t, ourDir...)}
	badger := &peer{store: "badger", jaeger: true, server: startJaeger(t, "badger", jaegerDir...)}
	others := []*peer{
		{store: "memory", jaeger: true, server: startJaeger(t, "memory")},
		badger,
		{store: "ours in memory", server: startSpandrel(t, "--span-storage.type=memory")},
	}
	all := append(slices.Clone(others), ours)

	found := sendAll(t, others, ours)
	ids := traceIDs(t, all)
	requests := append(readRequests(t), traceRequests(t, ids)...)
	calls := grpcCalls(t, ids)
	for _, x := range all {
		x.answers = append(x.askAll(t, requests), x.callAll(t, calls)...)
	}
	asked := slices.Concat(requests, names(calls))
	found = append(found, differences(others, ours, asked)...)

	// Restarted, both answer from what is on disk.
	before := &peer{store: "before the restart", answers: ours.answers}
	ours.end(t)
	ours.server = startSpandrel(t, ourDir...)
	ours.answers = append(ours.askAll(t, requests), ours.callAll(t, calls)...)
	found = append(found, differences([]*peer{before}, ours, asked)...)
	badger.end(t)
	badger.server, badger.store = startJaeger(t, "badger", jaegerDir...), "badger restarted"
	lists := slices.DeleteFunc(requests, func(r request) bool { return r.method != "GET" || !strings.Contains(r.path, "operations") })
	badger.answers, ours.answers = badger.askAll(t, lists), ours.askAll(t, lists)
	found = append(found, differences([]*peer{badger}, ours, lists)...)

	found = append(found, atTheRoot(t)...)
	t.Run("differences", func(t *testing.T) { review(t, list, found) })
}

// atTheRoot compares what the two answer when they have stored nothing and have
// no base path, and then how they adjust the clocks of two traces.
func atTheRoot(t *testing.T) []difference {
	t.Helper()
	flags := []string{"--query.base-path", "/", "--query.max-clock-skew-adjustment", "1s"}
	ours := &peer{store: "ours", server: startSpandrel(t, append(flags, keep)...)}
	jaeger := &peer{store: "memory at the root", jaeger: true, server: startJaeger(t, "memory", flags...)}
	all := []*peer{jaeger, ours}
	for _, x := range all {
		x.query = "http://" + x.http
	}
	ask := func(suffix string, requests []request) []difference {
		for i := range requests {
			requests[i].name += suffix
		}
		for _, x := range all {
			x.answers = x.askAll(t, requests)
		}
		return differences(all[:1], ours, requests)
	}
	requests := slices.DeleteFunc(readRequests(t), func(r request) bool {
		return r.port != "query" || r.method != "GET" || strings.Contains(r.path, "/api/traces?")
	})
	found := ask(", nothing stored", requests)
	posts := slices.DeleteFunc(readPosts(t), func(p post) bool { return !strings.Contains(p.name, "clocks") })
	for _, p := range append(posts, readEnvoyPosts(t, "sampled")...) {
		for _, x := range all {
			x.send(t, p)
		}
	}
	return append(found, ask(", adjusted", traceRequests(t, traceIDs(t, all)))...)
}

// envoyPosts are the recordings of testdata/envoy.
var envoyPosts = []string{"bookinfo", "shared-context", "64-bit", "protobuf", "misdirected", "broken-propagation", "sampled"}

// sendAll posts everything to everybody, in the same order.
func sendAll(t *testing.T, others []*peer, ours *peer) (found []difference) {
	t.Helper()
	posts := append(readPosts(t), manyCalls())
	for _, name := range envoyPosts {
		posts = append(posts, readEnvoyPosts(t, name)...)
	}
	for _, p := range posts {
		ours.answers = []tree{ours.send(t, p)}
		for _, x := range others {
			x.answers = []tree{x.send(t, p)}
		}
		found = append(found, differences(others, ours, []request{p.request})...)
	}
	return found
}

// differences are those of the answers to the requests.
func differences(others []*peer, ours *peer, requests []request) (found []difference) {
	for _, x := range others {
		for i, r := range requests {
			d := differ{difference: difference{store: x.store, request: r.name}}
			d.compare("", x.answers[i], ours.answers[i])
			found = append(found, d.found...)
		}
	}
	return found
}

func (x *peer) askAll(t *testing.T, requests []request) []tree {
	answers := make([]tree, len(requests))
	for i := range requests {
		answers[i] = x.ask(t, &requests[i])
	}
	return answers
}

// send posts spans and, since Jaeger answers before it has stored them, waits
// for it: the order in which spans are stored must not be left to chance.
func (x *peer) send(t *testing.T, p post) tree {
	t.Helper()
	if !x.jaeger {
		return x.ask(t, &p.request)
	}
	before := x.saved(t)
	answer := x.ask(t, &p.request)
	if s := answer["status"]; s != "202" && s != "200" {
		return answer
	}
	eventually(t, x.name+" stores "+p.name, func() error {
		if n := x.saved(t) - before; n != p.spans {
			return fmt.Errorf("%d of %d spans are stored", n, p.spans)
		}
		return nil
	})
	return answer
}

// saved is how many spans Jaeger says that it has stored, or could not store.
func (x *peer) saved(t *testing.T) (n int) {
	t.Helper()
	resp, err := http.Get(x.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	scan := bufio.NewScanner(resp.Body)
	for scan.Scan() {
		if line := scan.Text(); strings.HasPrefix(line, "jaeger_collector_spans_saved_by_svc_total{") {
			f, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			n += int(f)
		}
	}
	return n
}

// traceRequests ask for every trace that any of the servers has by its id, as
// it is shown and as it is stored.
func traceRequests(t *testing.T, ids []string) (requests []request) {
	t.Helper()
	sets := traceSets(t)
	for _, id := range ids {
		for _, query := range []string{"", "?raw=true"} {
			requests = append(requests, request{name: "query GET /api/traces/ID" + query + " of " + sets.of(id), port: "query", method: "GET",
				path: "/api/traces/" + id + query, header: http.Header{}})
		}
	}
	return requests
}

// sets say for trace ids in which recording they are.
type sets map[string]string

var traceIDField = regexp.MustCompile(`"traceId":"([0-9a-f]+)"`)

func traceSets(t *testing.T) sets {
	t.Helper()
	all := sets{}
	for _, name := range envoyPosts {
		for _, p := range readEnvoyPosts(t, name) {
			for _, m := range traceIDField.FindAllSubmatch(p.body, -1) {
				all[string(m[1])] = name
			}
		}
	}
	return all
}

// of is the recording, or where the id is in none that is JSON, what is left.
func (s sets) of(id string) string {
	switch name := s[id]; {
	case name != "":
		return name
	case len(id) == 32 && !strings.HasPrefix(id, "00000000"):
		return "protobuf"
	}
	return "ours by hand"
}

// traceIDs are the ids of all traces that any of the servers has.
func traceIDs(t *testing.T, all []*peer) []string {
	t.Helper()
	ids := map[string]bool{}
	for _, x := range all {
		body := func(path string) any {
			return x.ask(t, &request{name: path, port: "query", method: "GET", path: path, header: http.Header{}})["body"].(tree)["data"]
		}
		services, ok := body("/api/services").(tree)
		if !ok {
			t.Fatalf("%s has no services", x.name)
		}
		for service := range services {
			name, err := strconv.Unquote(strings.Trim(service, "{}"))
			if err != nil {
				t.Fatal(err)
			}
			found, _ := body("/api/traces?raw=true&limit=1500&start=0&service=" + queryEscape(name)).(traces)
			for id := range found {
				ids[id] = true
			}
			if service == `{"dep-a"}` || service == `{"dep-b"}` { // all of manyCalls are alike
				maps.DeleteFunc(ids, func(id string, _ bool) bool { return strings.HasPrefix(id, "d00") && !strings.HasSuffix(id, "001") })
			}
		}
	}
	return slices.Sorted(maps.Keys(ids))
}
