package zipkin

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"os"
	"testing"
)

// post is one recorded request.
type post struct {
	Path        string
	ContentType string `json:"content_type"`
	Body        string
	BodyBase64  string `json:"body_base64"`
}

// bytes is the request's body.
func (p *post) bytes(t testing.TB) []byte {
	t.Helper()
	if p.BodyBase64 == "" {
		return []byte(p.Body)
	}
	b, err := base64.StdEncoding.DecodeString(p.BodyBase64)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// posts reads the requests recorded from real Envoys in testdata/name.ndjson.
func posts(t testing.TB, name string) []post {
	t.Helper()
	f, err := os.Open("testdata/" + name + ".ndjson")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []post
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var p post
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if err := lines.Err(); err != nil || len(all) == 0 {
		t.Fatalf("%s: %d posts, %v", name, len(all), err)
	}
	return all
}

// postBodies is the bodies of the recorded requests.
func postBodies(t testing.TB, name string) [][]byte {
	t.Helper()
	var bodies [][]byte
	for _, p := range posts(t, name) {
		bodies = append(bodies, p.bytes(t))
	}
	return bodies
}
