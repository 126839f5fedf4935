//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage/storagetest"
)

func someTraffic(spans int) *traffic {
	return newTraffic(1, spans, 35, time.Unix(1_700_000_000, 0), time.Hour)
}

func TestPostsAreWhatAnEnvoySends(t *testing.T) {
	s := someTraffic(3000).next(3000)
	sizes, orders := map[int]int{}, map[string]bool{}
	for i, p := range s.posts {
		sizes[p.spans]++
		var got []map[string]json.RawMessage
		if err := json.Unmarshal(p.body, &got); err != nil {
			t.Fatal(err)
		}
		if len(got) != p.spans || p.spans != len(s.made[i]) {
			t.Fatalf("post %d has %d spans, want %d", i, len(got), len(s.made[i]))
		}
		for k := range got {
			checkEnvoySpan(t, got[k], &s.made[i][k])
		}
		orders[firstKeys(p.body)] = true
	}
	if sizes[5] < len(s.posts)/3 || sizes[5] > len(s.posts)*2/3 || len(sizes) < 20 {
		t.Errorf("posts have these sizes: %v", sizes)
	}
	if len(orders) < 8 {
		t.Errorf("spans begin with only %d different fields", len(orders))
	}
}

func firstKeys(body []byte) string { k, _, _ := strings.Cut(string(body), ":"); return k }

func checkEnvoySpan(t *testing.T, got map[string]json.RawMessage, want *spandrel.Span) {
	t.Helper()
	var tags map[string]string
	if err := json.Unmarshal(got["tags"], &tags); err != nil {
		t.Fatal(err)
	}
	wantTags := map[string]string{}
	for _, tag := range want.Tags {
		wantTags[tag.Key] = tag.Value.String()
	}
	if diff := cmp.Diff(wantTags, tags); diff != "" {
		t.Fatalf("tags: %s", diff)
	}
	if n := len(tags); n < 22 || n > 23 {
		t.Errorf("%d tags, want 22 or 23", n)
	}
	fields := map[string]string{
		"traceId": fmt.Sprintf("%q", want.TraceID), "id": fmt.Sprintf("%q", want.ID), "name": fmt.Sprintf("%q", want.Name),
		"timestamp": fmt.Sprint(want.Start / 1000), "duration": fmt.Sprint(max(1, want.Duration/1000)),
		"kind": fmt.Sprintf("%q", strings.ToUpper(want.Kind.String())),
	}
	for key, text := range fields {
		if string(got[key]) != text {
			t.Errorf("%s: got %s, want %s", key, got[key], text)
		}
	}
	if _, ok := got["parentId"]; ok != (want.ParentID != 0) || len(got["annotations"]) == 0 || len(got["localEndpoint"]) == 0 {
		t.Errorf("fields: got %v", slices.Sorted(maps.Keys(got)))
	}
}

// collector takes posts as the test says.
type collector struct {
	mu     sync.Mutex
	bodies map[string]int
	answer func(n int) int // status of the n-th request
	n      int
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	status := c.answer(c.n)
	if err != nil || r.URL.Path != "/api/v2/spans" || !slices.Equal(r.TransferEncoding, []string{"chunked"}) {
		status = http.StatusTeapot
	}
	c.n++
	if c.n%5 == 0 {
		w.Header().Set("Connection", "close")
	}
	if status == http.StatusAccepted {
		c.bodies[string(body)]++
		w.WriteHeader(status)
		return
	}
	http.Error(w, strings.Repeat("no ", 3000), status)
}

func serve(t *testing.T, answer func(n int) int) (*collector, string) {
	t.Helper()
	c := &collector{bodies: map[string]int{}, answer: answer}
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	return c, s.Listener.Addr().String()
}

func TestDriverBringsEveryPostOnceAndRefusedOnesAgain(t *testing.T) {
	s := someTraffic(2000).next(2000)
	c, address := serve(t, func(n int) int {
		if n%3 == 0 {
			return http.StatusInternalServerError
		}
		return http.StatusAccepted
	})
	o, err := drive(address, s.posts, load{conns: 4, again: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.posts {
		if n := c.bodies[string(s.posts[i].body)]; n != 1 || !o.acked[i] {
			t.Fatalf("post %d came %d times, acknowledged %t", i, n, o.acked[i])
		}
	}
	if o.accepted != s.spans || o.tries != c.n || o.refused != c.n-len(s.posts) || o.status[500] != o.refused || len(o.latencies) != len(s.posts) {
		t.Errorf("got %d spans, %d tries, %d refused %v; want %d, %d, %d", o.accepted, o.tries, o.refused, o.status, s.spans, c.n, c.n-len(s.posts))
	}
}

func TestDriverWithoutRetriesCountsWhatIsRefused(t *testing.T) {
	s := someTraffic(500).next(500)
	_, address := serve(t, func(n int) int { return []int{http.StatusAccepted, http.StatusServiceUnavailable}[n%2] })
	o, err := drive(address, s.posts, load{conns: 1})
	if err != nil {
		t.Fatal(err)
	}
	lost := 0
	for i, p := range s.posts {
		if !o.acked[i] {
			lost += p.spans
		}
	}
	if o.refused != len(s.posts)/2 || lost != o.spans-o.accepted || lost == 0 {
		t.Errorf("refused %d of %d posts, %d spans of %d lost", o.refused, len(s.posts), lost, o.spans)
	}
}

func TestDriverKeepsToTheRate(t *testing.T) {
	s := someTraffic(1000).next(1000)
	_, address := serve(t, func(int) int { return http.StatusAccepted })
	o, err := drive(address, s.posts, load{conns: 4, rate: 5000})
	if err != nil {
		t.Fatal(err)
	}
	if o.elapsed < 190*time.Millisecond {
		t.Errorf("%d spans at 5000/s took %v", s.spans, o.elapsed)
	}
}

func TestDriverSaysWhenTheServerGoes(t *testing.T) {
	s := someTraffic(500).next(500)
	_, address := serve(t, func(n int) int {
		if n == 3 {
			panic(http.ErrAbortHandler)
		}
		return http.StatusAccepted
	})
	if _, err := drive(address, s.posts, load{conns: 1}); err == nil {
		t.Error("got no error")
	}
}

func TestAnswersAreReadWhole(t *testing.T) {
	tests := []struct {
		name, text string
		want       response
		bad        bool
	}{
		{"nothing", "", response{}, false},
		{"half of the head", "HTTP/1.1 202 Accepted\r\nContent-Le", response{}, false},
		{"no body", "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", response{status: 202, complete: true}, false},
		{"the last one", "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", response{202, true, true}, false},
		{"half of the body", "HTTP/1.1 500 X\r\ncontent-length: 5\r\n\r\nabc", response{status: 500}, false},
		{"body", "HTTP/1.1 500 X\r\ncontent-length: 5\r\n\r\nabcde", response{status: 500, complete: true}, false},
		{"half of the chunks", "HTTP/1.1 503 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", response{status: 503}, false},
		{"chunks", "HTTP/1.1 503 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", response{status: 503, complete: true}, false},
		{"another protocol", "SSH-2.0-OpenSSH_9.6\r\n\r\n", response{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseAnswer([]byte(tt.text))
			if got != tt.want || (err != nil) != tt.bad {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestTruthAgreesWithTheOracle(t *testing.T) {
	tr := someTraffic(4000)
	s, rest := tr.next(4000), tr.rest()
	var all []spandrel.Span
	for _, spans := range slices.Concat(s.made, rest.made) {
		all = append(all, spans...)
	}
	truth := &truth{}
	truth.add(s)
	truth.add(rest)
	oracle := storagetest.Oracle(all)
	first, last := truth.span()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		checkSearch(t, truth, oracle, randomAsk(rng, all, first, last))
	}
	wantCalls := map[edge]uint64{}
	for _, d := range oracle.Dependencies(time.UnixMicro(first), time.UnixMicro(last)) {
		wantCalls[edge{d.Parent, d.Child}] = d.Calls
	}
	if diff := cmp.Diff(wantCalls, truth.calls(first, last), cmp.AllowUnexported(edge{})); diff != "" {
		t.Errorf("calls (-oracle +truth): %s", diff)
	}
	if diff := cmp.Diff(oracle.Services(), slices.Sorted(slices.Values(truth.services.list))); diff != "" {
		t.Error(diff)
	}
}

// randomAsk takes some of its conditions from a span.
func randomAsk(rng *rand.Rand, all []spandrel.Span, first, last int64) ask {
	s := &all[rng.IntN(len(all))]
	tag := func(key string) string { v, _ := s.Tag(key); return v.String() }
	a := ask{from: first, to: last, limit: 1 + rng.IntN(40), failed: rng.IntN(4) == 0}
	for _, p := range []struct {
		into  *string
		value string
	}{{&a.service, s.Service()}, {&a.operation, s.Name}, {&a.status, tag("http.status_code")}, {&a.requestID, tag("guid:x-request-id")}} {
		if rng.IntN(3) == 0 {
			*p.into = p.value
		}
	}
	if rng.IntN(3) == 0 {
		a.from = s.Start / 1000
	}
	if rng.IntN(3) == 0 {
		a.minDuration = time.Duration(s.Duration)
	}
	return a
}

func checkSearch(t *testing.T, truth *truth, oracle storagetest.Oracle, a ask) {
	t.Helper()
	q := spandrel.Query{Service: a.service, Operation: a.operation, MinStart: a.from * 1000, MaxStart: a.to * 1000, MinDuration: int64(a.minDuration), Limit: a.limit}
	for key, value := range map[string]string{"http.status_code": a.status, "guid:x-request-id": a.requestID} {
		if value != "" {
			q.Tags = append(q.Tags, spandrel.TagCondition{Key: key, Value: value})
		}
	}
	if a.failed {
		q.Tags = append(q.Tags, spandrel.TagCondition{Key: "error", Value: "true"})
	}
	want := oracle.Search(q)
	got, n := truth.search(a)
	if n != len(want) || len(got) < n {
		t.Fatalf("%+v: got %d traces, want %d", a, n, len(want))
	}
	for i, ref := range want {
		if got[i] != (match{ref.ID, ref.Start / 1000}) {
			t.Fatalf("%+v: trace %d: got %v, want %v", a, i, got[i], ref)
		}
	}
}

func TestChecksFindWhatIsWrong(t *testing.T) {
	tr := someTraffic(3000)
	truth := &truth{}
	truth.add(tr.next(3000))
	truth.add(tr.rest())
	m := newMix(truth)
	a := ask{service: m.someServices(1)[0], from: m.first, to: m.last, limit: 5}
	right, _ := truth.search(a)
	older, _ := truth.search(ask{service: a.service, from: m.first, to: m.last, limit: 50})
	answer := func(ids ...spandrel.TraceID) []byte {
		var b bytes.Buffer
		for _, id := range ids {
			var spans []string
			for k := range truth.traces[truth.byID[id]].spans {
				spans = append(spans, fmt.Sprintf(`{"spanID":"%x"}`, k))
			}
			fmt.Fprintf(&b, `,{"traceID":"%v","spans":[%s]}`, id, strings.Join(spans, ","))
		}
		return []byte(`{"data":[` + strings.TrimPrefix(b.String(), ",") + `]}`)
	}
	ids := make([]spandrel.TraceID, 5)
	for i := range ids {
		ids[i] = right[i].id
	}
	swapped := slices.Clone(ids)
	slices.Reverse(swapped)
	old := append(slices.Clone(ids[:4]), older[len(older)-1].id)
	cut := bytes.Replace(answer(ids...), []byte(`{"spanID":"0"}`), []byte(`{"spanID":"1"}`), 1)
	tests := []struct {
		name string
		body []byte
		want verdict
	}{
		{"right", answer(ids...), verdict{got: 5, want: 5}},
		{"too few", answer(ids[:3]...), verdict{got: 3, want: 5}},
		{"in another order", answer(swapped...), verdict{got: 5, want: 5, unsorted: 1}},
		{"an older one", answer(old...), verdict{got: 5, want: 5, wrong: 1}},
		{"a span is not there", cut, verdict{got: 5, want: 5, incomplete: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := verdict{}
			if err := m.search(a).check(tt.body, &got); err != nil {
				t.Fatal(err)
			}
			if tt.want.unit = "traces"; got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestScanCountsStringsAndRefusesBrokenOnes(t *testing.T) {
	tests := []struct {
		text string
		want counted
		err  error
	}{
		{`[]`, counted{}, nil},
		{`[{"a":1,"b":"x\"}"}]`, counted{values: 2, strings: 3}, nil},
		{`{"a\\":{"b":"c"}}`, counted{values: 2, strings: 3}, nil},
		{`[{"a":1}`, counted{}, errJSON},
		{`}`, counted{}, errJSON},
		{`["abc\"`, counted{}, errJSON},
	}
	for _, tt := range tests {
		got, err := scan([]byte(tt.text))
		if !errors.Is(err, tt.err) || err == nil && got != tt.want {
			t.Errorf("%s: got %+v, %v, want %+v, %v", tt.text, got, err, tt.want, tt.err)
		}
	}
}

func TestQuantileIsNearestRank(t *testing.T) {
	var times []time.Duration
	for i := range 100 {
		times = append(times, time.Duration(100-i))
	}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 50, 0.95: 95, 0.99: 99, 1: 100} {
		if got := quantile(times, q); got != want {
			t.Errorf("%v: got %d, want %d", q, got, want)
		}
	}
	if got := quantile(times[:3], 0.99); got != 100 {
		t.Errorf("p99 of three: got %d, want the largest", got)
	}
}

// TestBenchmarkOfAFewSpans runs the whole benchmark, without Jaeger, on the
// real program, and holds the product to what does not depend on the clock.
func TestBenchmarkOfAFewSpans(t *testing.T) {
	dir := t.TempDir()
	for name, pkg := range map[string]string{"spandrel": "../../cmd/spandrel", "bench": "."} {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg).CombinedOutput(); err != nil {
			t.Fatalf("go build %s: %v\n%s", pkg, err, out)
		}
	}
	out, err := exec.Command(filepath.Join(dir, "bench"), "-spandrel-only", "-spans", "2k,5k", "-slice", "1000", "-per-question", "50ms", "-acks-for", "500ms", "-quiet", "300ms", "-huge", "3000",
		"-spandrel", filepath.Join(dir, "spandrel"), "-dir", dir, "-o", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*-alone-2k-5k.md"))
	if len(files) != 1 {
		t.Fatalf("results are in %v\n%s", files, out)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|"); len(cells) > 2 {
			rows[strings.TrimSpace(cells[0])] = cells[1:]
		}
	}
	for name, want := range map[string]string{
		"requests refused and sent again":                "0.0 %",
		"spans missing, of those asked for":              "0 of",
		"acknowledged spans lost by kill -9 right after": "0.0 %",
	} {
		if cell := rows[name]; len(cell) == 0 || !strings.HasPrefix(strings.TrimSpace(cell[len(cell)-1]), want) {
			t.Errorf("%s: got %q, want %s…", name, cell, want)
		}
	}
	// Measured: 55 and 328. Small stores weigh more a span than large ones.
	for name, most := range map[string]float64{"bytes on disk a span, stopped": 75, "bytes written a span": 500} {
		var got float64
		if cells := rows[name]; len(cells) == 0 {
			t.Errorf("no row %q", name)
		} else if _, err := fmt.Sscan(cells[len(cells)-1], &got); err != nil || got > most {
			t.Errorf("%s: got %v, %v, want at most %v", name, got, err, most)
		}
	}
	answers := 0
	for name, cells := range rows {
		if len(cells) != 10 || !strings.Contains(cells[9], "/") {
			continue
		}
		answers++
		for _, cell := range []string{cells[4], cells[9]} {
			if strings.TrimSpace(cell) == "" {
				continue // 2k spans have no large trace
			}
			var got, want int
			if n, _ := fmt.Sscanf(cell, "%d/%d", &got, &want); n != 2 || got != want || strings.Contains(cell, ",") {
				t.Errorf("%s: %s", name, cell)
			}
		}
	}
	if answers < 15 {
		t.Errorf("%d questions were answered:\n%s", answers, text)
	}
}

func TestHugeTraceIsOneTree(t *testing.T) {
	s, id := newRun(&config{seed: 1, maxBatch: 35}, "", nil).hugeTrace(5000)
	spans := spandrel.Assemble(s.made...)
	roots := 0
	for i, p := range spandrel.Parents(spans) {
		if p < 0 {
			roots++
		}
		if spans[i].TraceID != id {
			t.Fatalf("span %d is of trace %v, want %v", i, spans[i].TraceID, id)
		}
	}
	if roots != 1 || len(spans) < 4500 {
		t.Errorf("%d spans with %d roots, want about 5000 with 1", len(spans), roots)
	}
}

func TestDiskIsProbedBesideWhatIsDone(t *testing.T) {
	failure := errors.New("failed")
	times, err := probed(t.TempDir(), func() error {
		time.Sleep(20 * probePeriod)
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("got error %v", err)
	}
	if len(times) == 0 {
		t.Error("the disk was not probed")
	}
	if _, err := probed(filepath.Join(t.TempDir(), "missing"), func() error { return nil }); err == nil {
		t.Error("a directory that is not there can be probed")
	}
}
