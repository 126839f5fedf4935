package peers

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// base is the instant, written T in the files of testdata/jaeger, around which
// the spans made by hand lie: a whole minute, some minutes ago.
var base = time.Now().Add(-10 * time.Minute).Truncate(time.Minute)

// request is one request to one of a server's ports.
type request struct {
	name   string // by which the list of differences knows it
	port   string // zipkin, otlp, query, root (query without the base path) or admin
	method string
	path   string // with the query
	header http.Header
	body   []byte
}

// post is a request to a port of collectors of spans that Jaeger, if it takes
// them, counts as this many.
type post struct {
	request
	spans int
}

var (
	// instant is T, T+5 or T-5: microseconds, in a body; Tns, Tns+5: nanoseconds.
	instant = regexp.MustCompile(`\bT(ns)?([+-]\d+)?\b`)
	// queried is {T}, {T+5} or {T-5} in a path, {Tms…} for milliseconds.
	queried = regexp.MustCompile(`\{T(ms)?([+-]\d+)?\}`)
	// repeated is ${text*n}: the text n times.
	repeated = regexp.MustCompile(`\$\{(.*?)\*(\d+)\}`)
)

func expandBody(text string) string {
	text = repeated.ReplaceAllStringFunc(text, func(m string) string {
		parts := repeated.FindStringSubmatch(m)
		n, _ := strconv.Atoi(parts[2])
		return strings.Repeat(parts[1], n)
	})
	return instant.ReplaceAllStringFunc(text, func(m string) string {
		if nanos, ok := strings.CutPrefix(m, "Tns"); ok {
			return moment(nanos, time.Nanosecond)
		}
		return moment(m[1:], time.Microsecond)
	})
}

func expandPath(text string) string {
	return queried.ReplaceAllStringFunc(text, func(m string) string {
		parts := queried.FindStringSubmatch(m)
		if parts[1] == "ms" {
			return moment(parts[2], time.Millisecond)
		}
		return moment(parts[2], time.Microsecond)
	})
}

// moment is base, moved by so many units, in these units.
func moment(offset string, unit time.Duration) string {
	n, _ := strconv.ParseInt(offset, 10, 64) // none is 0
	return strconv.FormatInt(base.UnixNano()/int64(unit)+n, 10)
}

// readPosts reads testdata/jaeger/posts.txt:
//
//	=== name
//	METHOD /path
//	Header: value
//	!directive
//	(an empty line)
//	body
//
// Directives: otlp (it is for that port), gzip (the body), spans n (how many Jaeger counts, where that is
// not the length of the list), hex (the body is bytes in hexadecimal).
func readPosts(t *testing.T) []post {
	t.Helper()
	data, err := os.ReadFile("testdata/jaeger/posts.txt")
	if err != nil {
		t.Fatal(err)
	}
	var posts []post
	for _, section := range strings.Split(string(data), "\n=== ")[1:] {
		name, rest, _ := strings.Cut(section, "\n")
		head, body, _ := strings.Cut(rest, "\n\n")
		lines := strings.Split(strings.TrimSpace(head), "\n")
		p := post{request: request{name: "post: " + name, port: "zipkin", header: http.Header{}}, spans: -1}
		p.method, p.path, _ = strings.Cut(lines[0], " ")
		p.body = []byte(expandBody(strings.TrimSpace(body)))
		for _, line := range lines[1:] {
			if err := p.follow(line); err != nil {
				t.Fatalf("post %q: %v", name, err)
			}
		}
		if p.spans < 0 {
			p.spans = countSpans(p.body)
		}
		posts = append(posts, p)
	}
	return posts
}

// follow obeys one header or directive of a post.
func (p *post) follow(line string) error {
	directive, ok := strings.CutPrefix(line, "!")
	if !ok {
		name, value, ok := strings.Cut(line, ": ")
		p.header.Set(name, value)
		if !ok {
			return fmt.Errorf("%q is no header", line)
		}
		return nil
	}
	switch word, arg, _ := strings.Cut(directive, " "); word {
	case "otlp":
		p.port = "otlp"
	case "gzip":
		p.spans = countSpans(p.body)
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(p.body); err != nil {
			return err
		}
		w.Close()
		p.body = b.Bytes()
	case "hex":
		b, err := hex.DecodeString(strings.Join(strings.Fields(string(p.body)), ""))
		p.body = b
		return err
	case "spans":
		n, err := strconv.Atoi(arg)
		p.spans = n
		return err
	default:
		return fmt.Errorf("no directive %q", word)
	}
	return nil
}

// countSpans is the number of objects in a JSON list, or of spans in OTLP's JSON.
func countSpans(body []byte) int {
	var export struct {
		ResourceSpans []struct{ ScopeSpans []struct{ Spans []any } }
	}
	if json.Unmarshal(body, &export) == nil && export.ResourceSpans != nil {
		n := 0
		for _, r := range export.ResourceSpans {
			for _, s := range r.ScopeSpans {
				n += len(s.Spans)
			}
		}
		return n
	}
	var list []map[string]any
	if json.Unmarshal(body, &list) != nil {
		return 0
	}
	n := 0
	for _, span := range list {
		if span != nil {
			n++
		}
	}
	return n
}

// readEnvoyPosts reads what real Envoys posted, testdata/envoy/NAME.ndjson.gz.
func readEnvoyPosts(t *testing.T, name string) []post {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata/envoy", name+".ndjson.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var posts []post
	for dec := json.NewDecoder(unzip); ; {
		var line struct {
			Path    string
			Headers map[string]string
			Body    string
			Base64  []byte `json:"body_base64"`
		}
		if err := dec.Decode(&line); err == io.EOF {
			return posts
		} else if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p := post{request: request{name: "post: envoy " + name, port: "zipkin", method: "POST", path: line.Path, header: http.Header{}}}
		p.header.Set("Content-Type", line.Headers["content-type"])
		if p.body = line.Base64; p.body == nil {
			p.body = []byte(line.Body)
		}
		p.spans = countSpans(p.body)
		if line.Base64 != nil {
			p.spans = countProtoSpans(p.body)
		}
		posts = append(posts, p)
	}
}

// countProtoSpans is the number of fields of a message all of whose fields are
// messages shorter than 16 kB: ListOfSpans.
func countProtoSpans(b []byte) (n int) {
	for len(b) > 2 {
		size, width := int(b[1]), 1
		if size >= 128 {
			size, width = size&127|int(b[2])<<7, 2
		}
		b = b[min(len(b), 1+width+size):]
		n++
	}
	return n
}

// readRequests reads testdata/jaeger/requests.txt: a request a line, its port
// first; a line that is indented belongs to the request above: a header, or,
// after a bar, the body.
func readRequests(t *testing.T) []request {
	t.Helper()
	data, err := os.ReadFile("testdata/jaeger/requests.txt")
	if err != nil {
		t.Fatal(err)
	}
	var requests []request
	for _, line := range strings.Split(string(data), "\n") {
		switch {
		case line == "", line[0] == '#':
		case line[0] != ' ':
			r := request{name: line, header: http.Header{}}
			var rest string
			r.port, rest, _ = strings.Cut(line, " ")
			r.method, r.path, _ = strings.Cut(rest, " ")
			r.path = expandPath(r.path)
			requests = append(requests, r)
		default:
			r := &requests[len(requests)-1]
			line = strings.TrimSpace(line)
			r.name += " " + line
			if body, ok := strings.CutPrefix(line, "|"); ok {
				r.body = []byte(expandBody(body))
			} else {
				name, value, _ := strings.Cut(line, ": ")
				r.header.Set(name, value)
			}
		}
	}
	return requests
}

// manyCalls is a post of 150 traces, in each of which dep-a calls dep-b.
func manyCalls() post {
	var b strings.Builder
	for i := range 150 {
		if i > 0 {
			b.WriteByte(',')
		}
		at := base.UnixMicro() + 60_000_000 + int64(i)*1000
		fmt.Fprintf(&b, `{"traceId":"d%015x","id":"1","kind":"CLIENT","name":"ask","timestamp":%d,"duration":90,"localEndpoint":{"serviceName":"dep-a"}},`, i+1, at)
		fmt.Fprintf(&b, `{"traceId":"d%015x","id":"2","parentId":"1","kind":"SERVER","name":"tell","timestamp":%d,"duration":70,"localEndpoint":{"serviceName":"dep-b"}}`, i+1, at+10)
	}
	return post{request{"post: 150 calls", "zipkin", "POST", "/api/v2/spans", http.Header{}, []byte("[" + b.String() + "]")}, 300}
}
