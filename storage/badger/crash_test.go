package badger

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spandrel/spandrel"
	"github.com/spandrel/spandrel/storage"
)

// crashDir makes the test binary the process that is to be killed.
const crashDir = "SPANDREL_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := writeUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// crashSizes make the store flush, roll and trim all the time.
var crashSizes = Sizes{HeadSpans: 200, WALFileBytes: 64 << 10, PartitionAge: 300 * time.Millisecond}

// crashSpan is span number i of a writer: traces of 7 spans.
func crashSpan(writer, i uint64) spandrel.Span {
	return spandrel.Span{
		TraceID: spandrel.TraceID{High: writer, Low: 1 + i/7}, ID: spandrel.SpanID(1 + i), Start: int64(1_700_000_000_000_000_000 + i*1000),
		Name: "op", Local: spandrel.Endpoint{Service: "s"},
		Tags: []spandrel.Tag{{Key: "i", Value: spandrel.StringValue(strconv.FormatUint(i, 10))}},
	}
}

// writeUntilKilled writes with 4 writers, 5 spans at a time, and prints
// "writer number" of the first span not yet acknowledged.
func writeUntilKilled(dir string) error {
	s, err := Open(dir, Options{Sizes: crashSizes})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	run := uint64(time.Now().UnixNano())
	for w := range uint64(4) {
		wg.Go(func() {
			for i := uint64(0); ; i += 5 {
				var batch []spandrel.Span
				for k := range uint64(5) {
					batch = append(batch, crashSpan(run+w, i+k))
				}
				if s.Write(context.Background(), batch) == nil {
					mu.Lock()
					fmt.Println(run+w, i+5)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return nil
}

// killsPerStore bounds the kills of one store: each is followed by a look at
// all spans that the store ever acknowledged.
const killsPerStore = 50

// TestKillLosesNothing kills a process that writes, again and again, and
// looks after each time whether every span it had acknowledged is there, once.
func TestKillLosesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	cycles, spans := soak(20, 1000), uint64(0)
	for left := cycles; left > 0; left -= killsPerStore {
		spans += killStore(t, rng, min(left, killsPerStore))
	}
	t.Logf("%d kills, %d acknowledged spans", cycles, spans)
	if spans < uint64(cycles)*20 {
		t.Errorf("only %d spans were acknowledged, the test tests nothing", spans)
	}
}

// killStore kills a new store so often and returns how many spans it had
// acknowledged.
func killStore(t *testing.T, rng *rand.Rand, cycles int) (spans uint64) {
	t.Helper()
	dir := t.TempDir()
	acked := make(map[uint64]uint64)
	for cycle := range cycles {
		crashOnce(t, dir, 20+rng.IntN(300), acked)
		began := time.Now()
		s, err := Open(dir, Options{Sizes: crashSizes})
		if err != nil {
			t.Fatalf("cycle %d: %v", cycle, err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("cycle %d: restart took %v", cycle, took)
		}
		checkAcked(t, s, acked)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s, err = Open(dir, Options{Sizes: crashSizes})
		if err != nil {
			t.Fatal(err)
		}
		if cycle == cycles-1 {
			checkAcked(t, s, acked)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range acked {
		spans += n
	}
	return spans
}

// crashOnce runs the writing process, kills it after it acknowledged some
// writes, and notes all it acknowledged.
func crashOnce(t *testing.T, dir string, after int, acked map[uint64]uint64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for n := 0; ; n++ {
		if n == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break // what was printed before the kill has been read
		}
		var writer, next uint64
		if _, err := fmt.Sscan(line, &writer, &next); err == nil {
			acked[writer] = next
		}
	}
	_ = cmd.Wait() // killed
	if complaint.Len() > 0 {
		t.Fatalf("the writing process said: %s", complaint.String())
	}
}

// checkAcked checks that every acknowledged span is there once, in memory or
// in a segment, and that nothing is there that was not sent.
func checkAcked(t *testing.T, s *Store, acked map[uint64]uint64) {
	t.Helper()
	for writer, n := range acked {
		var refs []storage.TraceRef
		for i := uint64(0); i < n; i += 7 {
			refs = append(refs, storage.TraceRef{ID: spandrel.TraceID{High: writer, Low: 1 + i/7}})
		}
		found := make(map[spandrel.SpanID]int)
		for _, chunk := range collect(t, s.Traces(context.Background(), refs)) {
			for i := range chunk {
				want := crashSpan(writer, uint64(chunk[i].ID)-1)
				if !chunk[i].Equal(&want) {
					t.Fatalf("got %+v, want %+v", chunk[i], want)
				}
				found[chunk[i].ID]++
			}
		}
		for i := range n {
			if got := found[spandrel.SpanID(1+i)]; got != 1 {
				t.Fatalf("writer %d: acknowledged span %d of %d is there %d times", writer, i, n, got)
			}
		}
	}
}
