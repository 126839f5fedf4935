package collector

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/spandrel/spandrel/storage"
)

var update = flag.Bool("update", false, "rewrite what the tables say is stored; review the difference")

// postCase is a row of testdata/posts/*.txt; README.txt beside them says how
// they are written.
type postCase struct {
	name   string
	otlp   bool // is for OTLP's ports, not Zipkin's
	method string
	path   string
	header http.Header
	doing  []string // directives
	body   string
	status int
	answer string   // a part of it
	stored []string // as show has it
	head   []string // the lines up to what is stored
}

// TestPosts sends each post of the tables to a collector of its own.
func TestPosts(t *testing.T) {
	files, err := filepath.Glob("testdata/posts/[a-z]*.txt")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, file := range files {
		cases := readCases(t, file)
		total += len(cases)
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			for i := range cases {
				t.Run(cases[i].name, func(t *testing.T) { cases[i].run(t) })
			}
		})
		if *update {
			writeCases(t, file, cases)
		}
	}
	if total < 150 {
		t.Errorf("the tables have %d rows, want at least 150", total)
	}
}

// run posts the case and compares answer and store.
func (c *postCase) run(t *testing.T) {
	store := &recorder{}
	o := Options{Now: fixedNow}
	var zo ZipkinOptions
	for _, d := range c.doing {
		word, arg, _ := strings.Cut(d, " ")
		switch word {
		case "limit":
			o.MaxBodyBytes = int64(number(t, arg))
		case "span-limit":
			o.MaxSpanBytes = number(t, arg)
		case "store":
			store.err = map[string]error{
				"overloaded": fmt.Errorf("memtable: %w", storage.ErrOverloaded), "unavailable": storage.ErrUnavailable,
				"closed": storage.ErrClosed, "broken": errors.New("open /data/17.seg: secret detail"),
			}[arg]
			if store.err == nil {
				t.Fatalf("unknown outcome %q", arg)
			}
		case "cors":
			zo.AllowedOrigins = strings.Fields(arg)
		}
	}
	h := New(store, o).ZipkinHandler(zo)
	if c.otlp {
		h = New(store, o).OTLPHandler(OTLPOptions{AllowedOrigins: zo.AllowedOrigins})
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	status, answer, header := c.send(t, srv)
	if status != c.status || !strings.Contains(answer, c.answer) {
		t.Errorf("got %d %q, want %d with %q", status, answer, c.status, c.answer)
	}
	checkAnswer(t, c.method, status, answer, header)
	got := []string{}
	for i := range store.spans {
		got = append(got, show(&store.spans[i]))
	}
	if *update {
		c.stored = got
	}
	if diff := cmp.Diff(got, c.stored); diff != "" {
		t.Errorf("stored (-got +want):\n%s", diff)
	}
}

// checkAnswer checks what holds for every answer.
func checkAnswer(t *testing.T, method string, status int, answer string, h http.Header) {
	t.Helper()
	if status == http.StatusAccepted && answer != "" {
		t.Errorf("202 has a body: %q", answer)
	}
	if status >= 400 && method != http.MethodHead && (len(strings.TrimSpace(answer)) < 10 || len(answer) > 8<<10) {
		t.Errorf("%d does not say why, or too much: %.100q", status, answer)
	}
	if strings.Contains(answer, "secret") {
		t.Errorf("the answer tells of our insides: %q", answer)
	}
	if got, want := h.Get("Retry-After") != "", status == http.StatusServiceUnavailable; got != want {
		t.Errorf("%d has Retry-After: %v, want %v", status, got, want)
	}
	if got, want := strings.Contains(h.Get("Allow"), "POST"), status == http.StatusMethodNotAllowed; want && !got {
		t.Error("405 does not say in Allow that POST would do")
	}
}

// send makes the request and returns the answer.
func (c *postCase) send(t *testing.T, srv *httptest.Server) (int, string, http.Header) {
	t.Helper()
	body, chunked, raw := []byte(expand(t, c.body)), false, false
	for _, d := range c.doing {
		word, arg, _ := strings.Cut(d, " ")
		switch word {
		case "proto":
			body, _ = protoText(t, c.body)
		case "encode":
			body = encode(t, arg, body)
		case "cut":
			body = body[:len(body)-number(t, arg)]
		case "append":
			body = append(body, expand(t, arg)...)
		case "chunked":
			chunked = true
		case "raw":
			raw = true
		}
	}
	if raw {
		return sendRaw(t, srv, strings.ReplaceAll(string(body), "\n", "\r\n"))
	}
	var r io.Reader = bytes.NewReader(body)
	if chunked {
		r = io.MultiReader(r) // hides the length
	}
	req, err := http.NewRequest(c.method, srv.URL+c.path, r)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range c.header {
		req.Header[k] = v
	}
	if _, ok := req.Header["User-Agent"]; !ok {
		req.Header["User-Agent"] = nil
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, resp)
}

// sendRaw writes the bytes, closes its side and reads the answer.
func sendRaw(t *testing.T, srv *httptest.Server, request string) (int, string, http.Header) {
	t.Helper()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(newReader(data), nil)
	if err != nil {
		t.Fatalf("%v in %q", err, data)
	}
	return readAnswer(t, resp)
}

func readAnswer(t *testing.T, resp *http.Response) (int, string, http.Header) {
	t.Helper()
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer), resp.Header
}

// encode applies a content coding, or flate, which is deflate without zlib's
// frame.
func encode(t testing.TB, coding string, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "zstd":
		w, err = zstd.NewWriter(&out)
	case "zlib":
		w = zlib.NewWriter(&out)
	case "flate":
		w, err = flate.NewWriter(&out, flate.DefaultCompression)
	default:
		t.Fatalf("unknown coding %q", coding)
	}
	if err == nil {
		_, err = w.Write(body)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

var repeats = regexp.MustCompile(`\$\{(.+?)\*(\d+)\}`)

// expand replaces ${text*n} by the text, in which Go's escapes count, n times.
func expand(t testing.TB, s string) string {
	return repeats.ReplaceAllStringFunc(s, func(m string) string {
		parts := repeats.FindStringSubmatch(m)
		text, err := strconv.Unquote("`" + parts[1] + "`")
		if strings.Contains(parts[1], `\`) {
			text, err = strconv.Unquote(`"` + parts[1] + `"`)
		}
		if err != nil {
			t.Fatalf("%s: %v", m, err)
		}
		return strings.Repeat(text, number(t, parts[2]))
	})
}

// protoText reads hexadecimal bytes, "strings" and { }, which stands for a
// length and what is within, up to a closing brace or the end.
func protoText(t testing.TB, s string) (out []byte, rest string) {
	for {
		s = strings.TrimLeft(s, " \n")
		switch {
		case s == "" || s[0] == '}':
			return out, s
		case s[0] == '{':
			inner, after := protoText(t, s[1:])
			if after == "" {
				t.Fatal("unclosed {")
			}
			for n := uint(len(inner)); ; n >>= 7 {
				if n < 0x80 {
					out = append(out, byte(n))
					break
				}
				out = append(out, byte(n)|0x80)
			}
			out, s = append(out, inner...), after[1:]
		case s[0] == '"':
			text, after, _ := strings.Cut(s[1:], `"`)
			out, s = append(out, expand(t, text)...), after
		default:
			end := strings.IndexAny(s+" ", " \n{}\"")
			b, err := hex.DecodeString(s[:end])
			if err != nil {
				t.Fatalf("%q: %v", s[:end], err)
			}
			out, s = append(out, b...), s[end:]
		}
	}
}

func number(t testing.TB, s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// readCases parses a table.
func readCases(t *testing.T, file string) []postCase {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []postCase
	var head []string
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		head = append(head, lines[i])
		name, ok := strings.CutPrefix(lines[i], "=== ")
		if !ok {
			continue
		}
		c := postCase{name: name, otlp: strings.HasPrefix(filepath.Base(file), "otlp"), header: http.Header{}, stored: []string{}}
		i = c.parse(t, lines, i+1)
		c.head = append(head, c.head...)
		head = nil
		all = append(all, c)
	}
	return all
}

// parse reads the case whose first line after its name is lines[i] and returns
// its last line.
func (c *postCase) parse(t *testing.T, lines []string, i int) int {
	t.Helper()
	from := i
	if !strings.HasPrefix(lines[i], "!") {
		c.method, c.path, _ = strings.Cut(expand(t, lines[i]), " ")
		i++
	}
	for ; lines[i] != "" && !strings.HasPrefix(lines[i], "=> "); i++ {
		if d, ok := strings.CutPrefix(lines[i], "!"); ok {
			c.doing = append(c.doing, d)
			continue
		}
		key, value, ok := strings.Cut(lines[i], ":")
		if !ok {
			t.Fatalf("%s: no header: %q", c.name, lines[i])
		}
		c.header.Add(key, expand(t, strings.TrimSpace(value)))
	}
	var body []string
	if lines[i] == "" {
		for i++; !strings.HasPrefix(lines[i], "=> "); i++ {
			body = append(body, lines[i])
		}
	}
	c.body = strings.Join(body, "\n")
	status, answer, _ := strings.Cut(lines[i][3:], " ")
	c.status, c.answer = number(t, status), answer
	c.head = lines[from : i+1]
	for i++; i < len(lines) && lines[i] != ""; i++ {
		c.stored = append(c.stored, lines[i])
	}
	return i
}

// writeCases writes a table back.
func writeCases(t *testing.T, file string, cases []postCase) {
	t.Helper()
	var out strings.Builder
	for i, c := range cases {
		if i > 0 {
			out.WriteString("\n")
		}
		for _, line := range append(c.head, c.stored...) {
			out.WriteString(line + "\n")
		}
	}
	if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
