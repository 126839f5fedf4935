package main

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestMeshMakesWholeTracesInEnvoysBatches(t *testing.T) {
	m := newMesh(rand.New(rand.NewPCG(1, 2)))
	at := time.UnixMicro(1_700_000_000_000_000)
	seen := map[string]bool{}
	for range 2000 {
		ids, parents, roots := map[string]bool{}, []string{}, 0
		for _, batch := range m.request(at) {
			if len(batch) == 0 || len(batch) > 5 {
				t.Fatalf("got a batch of %d spans, want 1 to 5", len(batch))
			}
			for _, s := range batch {
				if ids[s.ID] {
					t.Fatalf("span id %s twice", s.ID)
				}
				ids[s.ID] = true
				if s.ParentID == "" {
					roots++
				} else {
					parents = append(parents, s.ParentID)
				}
				if want := map[string]string{"CLIENT": "cr", "SERVER": "ss"}[s.Kind]; s.Annotations[0].Value != want {
					t.Fatalf("%s span has annotation %s", s.Kind, s.Annotations[0].Value)
				}
				if s.LocalEndpoint.ServiceName != batch[0].LocalEndpoint.ServiceName || len(s.TraceID) != 32 || s.Duration <= 0 {
					t.Fatalf("got %+v", s)
				}
				seen[s.Tags["istio.canonical_service"]+s.Tags["istio.canonical_revision"]] = true
				seen[s.Tags["response_flags"]] = true
				seen["error="+s.Tags["error"]] = true
				seen["retry="+s.Tags["retry.count"]] = true
				seen["slow="+map[bool]string{true: "yes"}[s.Duration > 800_000]] = true
			}
		}
		if roots != 1 {
			t.Fatalf("got %d roots, want 1", roots)
		}
		for _, p := range parents {
			if !ids[p] {
				t.Fatalf("parent %s is not in the trace", p)
			}
		}
	}
	for _, want := range []string{"istio-ingressgatewaylatest", "productpagev1", "detailsv1", "reviewsv1", "reviewsv2", "reviewsv3",
		"ratingsv1", "URX,UF", "UT", "error=true", "retry=1", "slow=yes"} {
		if !seen[want] {
			t.Errorf("in 2000 requests there was no %s", want)
		}
	}
}
