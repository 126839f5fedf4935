package ui

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

// embedded holds dist/ where it has been built, and dist-missing.html always:
// the pattern must match something for go build to work without Node.
//
//go:embed all:dist*
var embedded embed.FS

//go:embed style.css
var style string

// file is one answer in the encodings there are of it. A file of the built
// application comes compressed only; plain is unpacked from it when needed.
type file struct {
	contentType, etag string
	hashed            bool // the name changes with the content
	plain, gzip, br   []byte
}

func newFile(contentType, body string) *file {
	return &file{contentType: contentType, etag: etag([]byte(body)), plain: []byte(body)}
}

func etag(body []byte) string {
	sum := fnv.New64a()
	sum.Write(body)
	return fmt.Sprintf(`"%x"`, sum.Sum64())
}

// standIn is the page of a binary without the application.
func standIn() (page string, files map[string]*file) {
	body, err := embedded.ReadFile("dist-missing.html")
	if err != nil {
		panic(err) // it is embedded
	}
	return string(body), map[string]*file{"style.css": newFile("text/css; charset=utf-8", style)}
}

// built is the application in dist, by path; page is empty if there is none.
func built(dist fs.FS) (page string, files map[string]*file) {
	if dist == nil {
		sub, err := fs.Sub(embedded, "dist")
		if err != nil {
			panic(err) // the name is valid
		}
		dist = sub
	}
	body, err := fs.ReadFile(dist, "index.html")
	if err != nil {
		return "", nil
	}
	files = map[string]*file{}
	err = fs.WalkDir(dist, ".", func(name string, e fs.DirEntry, err error) error {
		packed, ok := strings.CutSuffix(name, ".gz")
		if err != nil || e.IsDir() || !ok {
			return err
		}
		f := &file{contentType: contentType(packed), hashed: strings.HasPrefix(name, "assets/")}
		if f.gzip, err = fs.ReadFile(dist, name); err != nil {
			return err
		}
		if f.br, err = fs.ReadFile(dist, packed+".br"); err != nil {
			return err
		}
		f.etag = etag(f.gzip)
		files[packed] = f
		return nil
	})
	if err != nil {
		panic(err) // the build writes .gz and .br in pairs, and they are embedded
	}
	return string(body), files
}

// contentType does not depend on what the machine knows of types.
func contentType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return mime.TypeByExtension(ext) // css and the like are in its own table
	}
}

func (f *file) serve(w http.ResponseWriter, r *http.Request, policy string) {
	h := w.Header()
	body, encoding := f.encoded(r.Header.Get("Accept-Encoding"))
	tag := f.etag
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
		tag = strings.TrimSuffix(tag, `"`) + "-" + encoding + `"`
	}
	if f.gzip != nil {
		h.Set("Vary", "Accept-Encoding")
	}
	h.Set("ETag", tag)
	h.Set("Cache-Control", "no-cache") // ask each time, be told 304
	if f.hashed {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Length", fmt.Sprint(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may have gone
	}
}

// encoded is the body in the smallest encoding the client takes.
func (f *file) encoded(accept string) (body []byte, encoding string) {
	switch {
	case f.plain != nil:
		return f.plain, ""
	case takes(accept, "br"):
		return f.br, "br"
	case takes(accept, "gzip"):
		return f.gzip, "gzip"
	}
	z, err := gzip.NewReader(bytes.NewReader(f.gzip))
	if err != nil {
		panic(err) // made by our build
	}
	body, err = io.ReadAll(z)
	if err != nil {
		panic(err)
	}
	return body, ""
}

// takes says whether an Accept-Encoding names the encoding and does not refuse it.
func takes(accept, encoding string) bool {
	for one := range strings.SplitSeq(accept, ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(one), ";")
		if strings.TrimSpace(name) == encoding {
			q = strings.ReplaceAll(q, " ", "")
			return strings.Trim(strings.TrimPrefix(q, "q="), "0.") != "" || q == ""
		}
	}
	return false
}
