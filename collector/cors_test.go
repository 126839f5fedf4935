package collector

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCORS(t *testing.T) {
	for _, test := range []struct {
		name, origins, headers, origin string
		want                           map[string]string // of the preflight's headers
	}{
		{"none allowed", "", "", "http://a.com", nil},
		{"an empty one allowed", " , ", "", "http://a.com", nil},
		{"any", "*", "", "http://a.com", map[string]string{"Origin": "*", "Headers": "Content-Type", "Methods": "GET, POST", "Max-Age": "600"}},
		{"that one", "http://b.com,http://a.com", "X-B3, content-type", "http://A.com",
			map[string]string{"Origin": "http://A.com", "Headers": "Content-Type, X-B3", "Methods": "GET, POST", "Max-Age": "600"}},
		{"another", "http://b.com", "", "http://a.com", nil},
		{"a subdomain", "http://*.a.com", "", "http://x.a.com",
			map[string]string{"Origin": "http://x.a.com", "Headers": "Content-Type", "Methods": "GET, POST", "Max-Age": "600"}},
		{"no subdomain", "http://*.a.com", "", "http://xa.com", nil},
		{"no origin", "*", "", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := New(&recorder{}, Options{}).ZipkinHandler(ZipkinOptions{
				AllowedOrigins: strings.Split(test.origins, ","), AllowedHeaders: strings.Split(test.headers, ",")})
			r := httptest.NewRequest(http.MethodOptions, zipkinV2, nil)
			r.Header.Set("Origin", test.origin)
			r.Header.Set("Access-Control-Request-Method", "POST")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusNoContent {
				t.Errorf("preflight: got %d", w.Code)
			}
			var got map[string]string
			for k := range w.Header() {
				if name, ok := strings.CutPrefix(k, "Access-Control-Allow-"); ok || k == "Access-Control-Max-Age" {
					if got == nil {
						got = map[string]string{}
					}
					got[strings.TrimPrefix(name, "Access-Control-")] = w.Header().Get(k)
				}
			}
			if diff := cmp.Diff(got, test.want); diff != "" {
				t.Errorf("preflight (-got +want):\n%s", diff)
			}
			posted := post(h, zipkinV2, strings.NewReader(oneSpan), "Origin", test.origin)
			if got := posted.Header().Get("Access-Control-Allow-Origin"); posted.Code != 202 || got != test.want["Origin"] {
				t.Errorf("post: got %d, allowed %q, want %q", posted.Code, got, test.want["Origin"])
			}
			vary := posted.Header().Get("Vary") == "Origin"
			if want := test.want != nil && test.want["Origin"] != "*"; vary != want {
				t.Errorf("post: varies %v, want %v", vary, want)
			}
		})
	}
}
