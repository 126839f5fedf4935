package badger

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
)

// buildSegment makes a segment of the spans, grouped by trace, and returns it
// with the spans in row order.
func buildSegment(t testing.TB, spans []spandrel.Span) ([]byte, []spandrel.Span) {
	t.Helper()
	spans = slices.Clone(spans)
	slices.SortStableFunc(spans, func(a, b spandrel.Span) int {
		return cmp.Or(a.TraceID.Compare(b.TraceID), cmp.Compare(a.Start, b.Start))
	})
	b := newSegmentBuilder()
	for i := range spans {
		s := spans[i]
		s.Tags = nil
		if at := b.add(&s, decoder{b: appendRowTags(nil, spans[i].Tags)}); at != i {
			t.Fatalf("row %d got number %d", i, at)
		}
	}
	seg, _, err := b.finish()
	if err != nil {
		t.Fatal(err)
	}
	return seg, spans
}

func lend(seg []byte) func(func([]byte) error) error {
	return func(use func([]byte) error) error { return use(seg) }
}

func readSegment(seg []byte) ([]spandrel.Span, error) {
	r, err := openSegment(lend(seg))
	if err != nil {
		return nil, err
	}
	if _, err := checkFilter(seg); err != nil {
		return nil, err
	}
	table, err := r.traces()
	if err != nil {
		return nil, err
	}
	var spans []spandrel.Span
	row := 0
	for trace, end := range table.end {
		for row < int(end) {
			n := min(int(end), (row/pageRows+1)*pageRows) - row
			if spans, err = r.spans(spans, table.id(trace), row, n); err != nil {
				return nil, err
			}
			row += n
		}
	}
	return spans, nil
}

func TestSegmentRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, n := range []int{1, 2, 50, pageRows, pageRows + 1, 3*pageRows + 5} {
		spans := make([]spandrel.Span, n)
		for i := range spans {
			spans[i] = wildSpan(rng)
			if n > 1000 && i%2 == 0 { // columns with many values
				spans[i].Name = spandrel.SpanID(rng.Uint64N(uint64(n))).String()
				spans[i].Tags = append(spans[i].Tags, spandrel.Tag{Key: "id", Value: spandrel.IntValue(rng.Int64())})
			}
		}
		seg, want := buildSegment(t, spans)
		got, err := readSegment(seg)
		if err != nil {
			t.Fatalf("%d spans: %v", n, err)
		}
		if diff := gocmp.Diff(got, want, spanCompare); diff != "" {
			t.Fatalf("%d spans: got (-), want (+):\n%s", n, diff)
		}
	}
}

// TestColumnsOfEveryWidthRoundTrip has places of one byte, two and four.
func TestColumnsOfEveryWidthRoundTrip(t *testing.T) {
	for _, n := range []int{1, 256, 257, 65_536, 65_537} {
		spans := []spandrel.Span{{TraceID: spandrel.TraceID{Low: 1}, ID: 1}, {TraceID: spandrel.TraceID{Low: 1}, ID: 2, Start: 1}}
		for i := range n {
			tag := spandrel.Tag{Key: "k", Value: spandrel.StringValue(fmt.Sprint(i))}
			spans[0].Tags, spans[1].Tags = append(spans[0].Tags, tag), append(spans[1].Tags, tag)
		}
		seg, want := buildSegment(t, spans)
		got, err := readSegment(seg)
		if err != nil {
			t.Fatalf("%d values: %v", n, err)
		}
		if diff := gocmp.Diff(got, want, spanCompare); diff != "" {
			t.Fatalf("%d values: got (-), want (+):\n%.2000s", n, diff)
		}
	}
}

func TestSegmentNoticesEveryFlippedBit(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	spans := make([]spandrel.Span, 60)
	for i := range spans {
		spans[i] = wildSpan(rng)
	}
	seg, _ := buildSegment(t, spans)
	for i := range seg {
		bad := slices.Clone(seg)
		bad[i] ^= 1 << rng.IntN(8)
		if _, err := readSegment(bad); err == nil {
			t.Fatalf("flipping a bit of byte %d of %d went unnoticed", i, len(seg))
		}
	}
}

// FuzzSegment replaces pages' contents under good checksums, as no accident
// would: readers must fail, not fall.
func FuzzSegment(f *testing.F) {
	rng := rand.New(rand.NewPCG(11, 12))
	spans := make([]spandrel.Span, 40)
	for i := range spans {
		spans[i] = wildSpan(rng)
	}
	seg, _ := buildSegment(f, spans)
	foot, err := parseFooter(seg)
	if err != nil {
		f.Fatal(err)
	}
	refs := []*pageRef{&foot.traceTable, &foot.ids[0], &foot.parents[0], &foot.starts[0], &foot.durations[0], &foot.eventTimes[0]}
	for i := range foot.columns {
		refs = append(refs, &foot.columns[i].dict)
		if foot.columns[i].mode != modeConstant {
			refs = append(refs, &foot.columns[i].pages[0])
		}
	}
	body := seg[:len(seg)-segmentTail]
	for i := range refs {
		old := *refs[i]
		raw, err := readPage(seg, old)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), raw)
		f.Add(uint8(i), append(raw, 0))
	}
	f.Fuzz(func(t *testing.T, which uint8, raw []byte) {
		ref := refs[int(which)%len(refs)]
		old := *ref
		defer func() { *ref = old }()
		bad, changed := appendPage(slices.Clone(body), raw)
		*ref = changed
		_, _ = readSegment(appendFooter(bad, foot))
	})
}

func FuzzFooter(f *testing.F) {
	rng := rand.New(rand.NewPCG(13, 14))
	for range 3 {
		seg, _ := buildSegment(f, []spandrel.Span{wildSpan(rng), wildSpan(rng)})
		b, _ := footerBytes(seg)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = readSegment(frame(b))
	})
}

// frame makes a segment of nothing but a footer.
func frame(b []byte) []byte {

	return reframe([]byte(segmentMagic), b)
}

func reframe(seg, foot []byte) []byte {
	seg = append(slices.Clone(seg), foot...)
	seg = binary.LittleEndian.AppendUint32(seg, uint32(len(foot)))
	seg = binary.LittleEndian.AppendUint32(seg, crc32.Checksum(foot, castagnoli))
	return append(seg, segmentMagic...)
}

// TestSegmentsAreLentFromTheFile looks where the bytes of a segment are, since
// forgetting any others would destroy them.
func TestSegmentsAreLentFromTheFile(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	rng := rand.New(rand.NewPCG(15, 16))
	want := someSpans(rng, 2000)
	write(t, s, want)
	s.flushNow()
	look := func() {
		txn := s.partitions()[0].db.NewTransaction(false)
		defer txn.Discard()
		if err := lendStored(txn, s.partitions()[0].segments[0].id)(func(seg []byte) error {
			if len(seg) < 8*valueThreshold {
				t.Fatalf("the segment has %d bytes, the test tests nothing", len(seg))
			}
			if file := mappedFile(t, seg); !strings.HasSuffix(file, ".vlog") {
				t.Errorf("the segment is in the mapping of %q", file)
			}
			before := bytes.Clone(seg)
			forgetSegment(seg)
			if !bytes.Equal(before, seg) {
				t.Error("the segment is another one after it was forgotten")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	look()
	s.sealNow()
	look()
}

// mappedFile is the file whose mapping holds b.
func mappedFile(t *testing.T, b []byte) string {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Skip("only Linux tells: ", err)
	}
	first := uint64(uintptr(unsafe.Pointer(&b[0])))
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		if _, err := fmt.Sscanf(line, "%x-%x", &from, &to); err == nil && first >= from && first+uint64(len(b)) <= to {
			fields := strings.Fields(line)
			return fields[len(fields)-1]
		}
	}
	return ""
}
