package otlp

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/spandrel/spandrel"
)

// postBodies reads what real Envoys 1.40 of Istio's Bookinfo, with Envoy's
// OpenTelemetry tracer, sent to a collector: over HTTP (envoy-http) and in the
// messages of gRPC (envoy-grpc).
func postBodies(t testing.TB, name string) [][]byte {
	t.Helper()
	f, err := os.Open("testdata/" + name + ".ndjson.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var bodies [][]byte
	for lines := json.NewDecoder(unzipped); ; {
		var post struct {
			Body []byte `json:"body_base64"`
		}
		if err := lines.Decode(&post); errors.Is(err, io.EOF) {
			return bodies
		} else if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, post.Body)
	}
}

// TestEnvoysSpansAreWhatViewsNeed: the spans of Envoy's OpenTelemetry tracer
// have what the mesh's views, the rates of errors and Kiali read in those of
// its Zipkin tracer.
func TestEnvoysSpansAreWhatViewsNeed(t *testing.T) {
	kiali := []string{"node_id", "component", "http.url", "http.method", "http.status_code", "response_flags", "upstream_cluster", "istio.canonical_service", "istio.namespace", "istio.mesh_id"}
	for _, name := range []string{"envoy-http", "envoy-grpc"} {
		t.Run(name, func(t *testing.T) {
			traces := map[spandrel.TraceID][]spandrel.Span{}
			spans, failed := 0, map[string]int{}
			for _, body := range postBodies(t, name) {
				got, rejected, err := new(Decoder).Proto(body)
				if err != nil || rejected != nil {
					t.Fatal(rejected, err)
				}
				for _, s := range got {
					spans++
					traces[s.TraceID] = append(traces[s.TraceID], s)
					if s.Kind != spandrel.KindClient && s.Kind != spandrel.KindServer || s.Start == 0 || s.Duration == 0 || s.Local.Service == "" || s.Scope.Name != "envoy" {
						t.Errorf("%+v", s)
					}
					for _, key := range kiali {
						if v, ok := s.Tag(key); !ok || v.Kind() != spandrel.ValueString {
							t.Errorf("%s of %s has no text %s", s.Name, s.Service(), key)
						}
					}
					status, _ := s.Tag("http.status_code")
					flags, _ := s.Tag("response_flags")
					if s.IsError() {
						failed[s.Service()+" "+s.Kind.String()+" "+status.String()+" "+flags.String()]++
					}
				}
			}
			if spans != 92 || len(traces) != 13 {
				t.Errorf("%d spans of %d traces", spans, len(traces))
			}
			wantFailed := map[string]int{
				"productpage.default client 503 URX,UF": 2,
				"reviews.default client 500 -":          2, "ratings.default server 500 -": 2,
				"reviews.default client 504 UT": 2, "ratings.default server 0 DC": 2,
			}
			if diff := gocmp.Diff(failed, wantFailed); diff != "" {
				t.Errorf("errors, got -, want +:\n%s", diff)
			}
			calls := map[string]int{}
			for _, trace := range traces {
				for _, c := range spandrel.Calls(trace) {
					calls[c.Parent+" "+c.Child]++
				}
			}
			wantCalls := map[string]int{
				"istio-ingressgateway.istio-system productpage.default": 13,
				"productpage.default details.default":                   11,
				"productpage.default reviews.default":                   13,
				"reviews.default ratings.default":                       8,
			}
			if diff := gocmp.Diff(calls, wantCalls); diff != "" {
				t.Errorf("calls, got -, want +:\n%s", diff)
			}
		})
	}
}

// TestSpansShareNoRoomToGrow: a span's slices are cut from arrays of the whole
// body, and appending to one must not reach into the next.
func TestSpansShareNoRoomToGrow(t *testing.T) {
	body := postBodies(t, "envoy-http")[0]
	spans, _, err := new(Decoder).Proto(body)
	if err != nil {
		t.Fatal(err)
	}
	want, _, _ := new(Decoder).Proto(body)
	spoiled := spandrel.Tag{Key: "spoiled"}
	for i := range spans {
		_ = append(spans[i].Tags, spoiled)
		_ = append(spans[i].Resource, spoiled)
		_ = append(spans[i].Scope.Tags, spoiled)
	}
	if diff := gocmp.Diff(spans, want, comparing); diff != "" {
		t.Errorf("after appending -, before +:\n%s", diff)
	}
}

// TestDecoderRemembersNothing decodes bodies of all kinds, bad ones too, with
// one Decoder, whose answers must be those of new ones.
func TestDecoderRemembersNothing(t *testing.T) {
	bodies := slices.Concat(postBodies(t, "envoy-http"), postBodies(t, "envoy-grpc"), [][]byte{nil, []byte("\x0a"), []byte(strings.Repeat("\x0a\x02\x12\x00", 5))})
	rng := randomFrom(5)
	for range 50 {
		bodies = append(bodies, marshal(t, randomRequest(rng)))
	}
	var d Decoder
	for range 500 {
		body := bodies[rng.IntN(len(bodies))]
		spans, rejected, err := d.Proto(body)
		want, wantRejected, wantErr := new(Decoder).Proto(body)
		if diff := gocmp.Diff(spans, want, comparing); diff != "" {
			t.Fatalf("%.60q: in used memory -, in new +:\n%s", body, diff)
		}
		if len(rejected) != len(wantRejected) || (err == nil) != (wantErr == nil) {
			t.Fatalf("%.60q: in used memory %v, %v, in new %v, %v", body, rejected, err, wantRejected, wantErr)
		}
	}
}
