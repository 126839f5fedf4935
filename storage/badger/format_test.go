package badger

import (
	"encoding/hex"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
)

var update = flag.Bool("update", false, "rewrite the examples of FORMAT.md")

// exampleSpan is the span of FORMAT.md's examples.
func exampleSpan() spandrel.Span {
	const start = 1_700_000_000_000_000_000
	return spandrel.Span{
		TraceID: spandrel.TraceID{Low: 1}, ID: 2, ParentID: 3, Kind: spandrel.KindServer, Name: "get",
		Start: start, Duration: 2_000_000,
		Local:  spandrel.Endpoint{Service: "cart", IPv4: netip.AddrFrom4([4]byte{10, 0, 0, 1})},
		Tags:   []spandrel.Tag{{Key: "http.status_code", Value: spandrel.StringValue("200")}},
		Events: []spandrel.Event{{Time: start + 1_500_000, Name: "ss"}},
	}
}

// TestFormatExamples builds what FORMAT.md shows.
func TestFormatExamples(t *testing.T) {
	span := exampleSpan()
	rows := appendRow(nil, &span)
	seg, _ := buildSegment(t, []spandrel.Span{span})
	dir := t.TempDir()
	if err := newTestWAL(dir, diskFS{}).commit(newRecord(nil, 7, rows), true); err != nil {
		t.Fatal(err)
	}
	wal, err := os.ReadFile(walPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, example := range []struct {
		name  string
		bytes []byte
	}{{"row", rows}, {"wal", wal[:int64(len(walMagic))+newRecord(nil, 7, rows).size()]}, {"segment", seg}} {
		checkExample(t, example.name, hex.Dump(example.bytes))
	}
}

// checkExample compares the code block after the example's mark in FORMAT.md.
func checkExample(t *testing.T, name, want string) {
	t.Helper()
	const fence = "```\n"
	text, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), fmt.Sprintf("<!-- example %s -->\n%s", name, fence))
	got, after, closed := strings.Cut(rest, fence)
	if !ok || !closed {
		t.Fatalf("FORMAT.md has no example %s", name)
	}
	if got == want {
		return
	}
	if !*update {
		t.Errorf("example %s: FORMAT.md (-), code (+):\n%s", name, cmp.Diff(got, want))
		return
	}
	text = []byte(fmt.Sprintf("%s<!-- example %s -->\n%s%s%s%s", before, name, fence, want, fence, after))
	if err := os.WriteFile("FORMAT.md", text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestFormatSays compares the numbers of FORMAT.md with the code's.
func TestFormatSays(t *testing.T) {
	b, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, want := range []string{
		fmt.Sprintf(`0x%02x %q `, walMagic[0], walMagic[1:]), fmt.Sprintf(`0x%02x %q `, segmentMagic[0], segmentMagic[1:]),
		fmt.Sprintf("u32  %#x", recordMagic), fmt.Sprintf("\n          %d    payload", recordHeader),
		fmt.Sprintf("records at multiples of %d.", recordAlign), fmt.Sprintf("up to %d MiB. LSNs rise", maxGroup>>20),
		fmt.Sprintf("| `%c` segment u32 be | the segment", keySegment), fmt.Sprintf("| `%c` trace id 16 be |", keyTrace),
		fmt.Sprintf("| `%c` segment u32 be | sv first start", keyRegistry), fmt.Sprintf("| `%c` minute since 1970", keyMinute),
		fmt.Sprintf("| `%c` | the service names", keyNames), fmt.Sprintf("| `%c` | filter of trace ids", keyFilter),
		fmt.Sprintf("| `%c` | 0x%02x version", keyMeta, partitionVersion),
		fmt.Sprintf("values of %d,%03d rows", pageRows/1000, pageRows%1000), fmt.Sprintf("*shared* (%d) up to %d", modeShared, maxShared),
		fmt.Sprintf("*constant* (mode %d)", modeConstant), fmt.Sprintf("*paged* (%d)", modePaged),
		fmt.Sprintf("| %d facts |", colFacts), fmt.Sprintf("| %d rest |", colRest), fmt.Sprintf("| %d shape |", colShape),
		filepath.Base(walPath("", 1)),
		fmt.Sprintf("more than %d values or", maxPairedValues), fmt.Sprintf("more than %d,%03d operations", maxPairedOps/1000, maxPairedOps%1000),
		strings.ReplaceAll(termUnpaired, "\x00", `\0`),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("FORMAT.md does not say %q", want)
		}
	}
	if rowFixed != 38 || rowTrace != 14 || rowSpanID != 30 || rowMask != 12 {
		t.Error("FORMAT.md draws the row's fixed part at other offsets")
	}
}
