package deploy

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestTroubleshootingCommandsWork runs the curl commands of the decision tree,
// as they stand there, against a Spandrel without a span in it, and wants the
// answers that the tree speaks of.
func TestTroubleshootingCommandsWork(t *testing.T) {
	at := serve(t, nil, "--query.base-path=/jaeger")
	text := read(t, "../../docs/troubleshoot.md")
	here := strings.NewReplacer("localhost:9411", at["zipkin collector"], "localhost:16686", at["query API and page"],
		"localhost:14269", at["health, metrics, pprof"], "service=SERVICE", "service=me")
	for _, step := range []struct{ begins, want string }{
		{"curl localhost:14269/", "Server available"},
		{"curl localhost:16686$B/api/services", `"data":[]`},
		{"curl -i localhost:16686/", "Location: /jaeger/"},
		{"curl -i localhost:9411/api/v2/spans", "202 Accepted"},
		{"curl localhost:16686$B/api/traces/", `"operationName":"by hand"`},
		{"curl -s localhost:14269/metrics | grep", `spandrel_collector_spans_accepted_total{format="zipkin_json_v2",service="me"} 1`},
		{`curl "localhost:16686$B/api/traces?service=`, `"operationName":"by hand"`},
	} {
		found := regexp.MustCompile("(?m)(?:^|`)(" + regexp.QuoteMeta(step.begins) + "[^`\n]*)").FindStringSubmatch(text)
		if found == nil {
			t.Errorf("docs/troubleshoot.md has no command %q", step.begins)
			continue
		}
		cmd := exec.Command("sh", "-c", here.Replace(found[1]))
		cmd.Env = append(cmd.Environ(), "B=/jaeger")
		out, err := cmd.Output()
		if err != nil || !strings.Contains(string(out), step.want) {
			t.Errorf("%s: %v, want %q in %s", found[1], err, step.want, out)
		}
	}
	commands := regexp.MustCompile("(?m)(?:^|`)curl ").FindAllString(text, -1)
	if len(commands) != 7 {
		t.Errorf("got %d curl commands in the tree, and 7 are tested", len(commands))
	}
}
