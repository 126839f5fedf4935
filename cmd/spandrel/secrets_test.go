package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSecretsAreNowhere that others can read: not in the log of a run at its
// most talkative, nor in what health, metrics, profiles and the page's status
// tell, whether they were set by file, variable or settings file, shown rightly
// or wrongly, or changed to something of no use.
func TestSecretsAreNowhere(t *testing.T) {
	dir := t.TempDir()
	if err := makeCerts(dir); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{
		"password in a file": "pass-in-file", "token in a file": "token-in-file", "password in a variable": "pass-in-variable",
		"token in a variable": "token-in-variable", "wrong password": "pass-mistyped", "wrong token": "token-mistyped",
		"variable of the settings file": "pass-in-settings", "private key": strings.Split(string(key), "\n")[1],
	}
	for name, secret := range secrets {
		if strings.Contains(name, "password") {
			secrets[name+", encoded"] = basicOf("kiali:" + secret)
		}
	}
	files := map[string]string{
		"users": "kiali:pass-in-file\n", "tokens": "token-in-file\n",
		"settings.yaml": "service: {extensions: [jaeger_query]}\nextensions: {jaeger_query: {base_path: \"${env:BASE}\", http: {response_headers: {X-Key: \"${env:SECRET}\"}}}}\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, err := spawn(dir, []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "BASE=/jaeger", "SECRET=pass-in-settings", "LOG_LEVEL=debug",
		"QUERY_AUTH_BASIC=kiali:pass-in-variable", "QUERY_AUTH_TOKEN=token-in-variable"},
		[]string{"--span-storage.type=memory", "--config=settings.yaml", "--query.auth.basic-file=users", "--query.auth.token-file=tokens",
			"--metrics.http.tls.enabled", "--metrics.http.tls.cert=server.pem", "--metrics.http.tls.key=server.key"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.cmd.Process.Kill() }() // it is gone unless the test failed
	query, admin := p.url("query API and page"), p.url("health, metrics, pprof")
	told := map[string]string{}
	for _, authorization := range []string{
		"Basic " + basicOf("kiali:pass-in-file"), "Basic " + basicOf("kiali:pass-in-variable"), "Basic " + basicOf("kiali:pass-mistyped"),
		"Bearer token-in-file", "Bearer token-in-variable", "Bearer token-mistyped",
	} {
		for _, url := range []string{query + "/jaeger/api/ui/v1/status", query + "/jaeger/api/traces?limit=nonsense", query + "/jaeger/nowhere"} {
			told[authorization+" "+url] = answerTo(t, url, authorization)
		}
	}
	for _, path := range []string{"/", "/metrics", "/version", "/debug/vars", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2"} {
		told[path] = answerTo(t, admin+path, "")
	}
	if !strings.Contains(told["Bearer token-in-file "+query+"/jaeger/api/ui/v1/status"], `"listeners"`) {
		t.Error("a token that is right was refused")
	}
	if err := p.term(); err != nil {
		t.Error(err)
	}
	told["the log"] = p.text()
	if len(told["the log"]) < 500 {
		t.Errorf("the log says too little: %s", told["the log"])
	}
	for where, text := range told {
		for name, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("the %s is in what %.40s tells", name, where)
			}
		}
	}
}

// answerTo is the body and the headers of an answer.
func answerTo(t *testing.T, url, authorization string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var head strings.Builder
	_ = resp.Header.Write(&head) // to memory
	return head.String() + string(body)
}
