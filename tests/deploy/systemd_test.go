package deploy

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestUnitFitsTheProgram wants the systemd unit to give the program its
// directory where it looks for it, time to stop, and nothing to gain.
func TestUnitFitsTheProgram(t *testing.T) {
	set := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(\w+)=(.*)$`).FindAllStringSubmatch(read(t, "../../deploy/systemd/spandrel.service"), -1) {
		set[m[1]] = m[2]
	}
	home, _ := strings.CutPrefix(set["Environment"], "XDG_DATA_HOME=")
	if home+"/"+set["StateDirectory"] != "/var/lib/spandrel" {
		t.Errorf("data would go to %s/spandrel, and %s is writable", home, set["StateDirectory"])
	}
	stop, err := time.ParseDuration(set["TimeoutStopSec"])
	must(t, err)
	m := regexp.MustCompile("`--runtime.shutdown-timeout` \\| `\\w+` \\| (\\S+) ").FindStringSubmatch(read(t, "../../docs/reference.md"))
	if m == nil {
		t.Fatal("docs/reference.md does not say how long a shutdown may take")
	}
	shutdown, err := time.ParseDuration(m[1])
	must(t, err)
	if stop <= shutdown {
		t.Errorf("it is killed after %s, and may take %s to stop", stop, shutdown)
	}
	for key, want := range map[string]string{
		"NoNewPrivileges": "yes", "ProtectSystem": "strict", "DynamicUser": "yes", "CapabilityBoundingSet": "",
		"ExecStart": "/usr/local/bin/spandrel",
	} {
		if got, there := set[key]; !there || got != want {
			t.Errorf("%s=%s, want %s", key, got, want)
		}
	}
	// The same place, by the variable alone.
	dir := t.TempDir()
	serve(t, []string{"XDG_DATA_HOME=" + dir})
	if !exists(dir + "/spandrel") {
		t.Error("XDG_DATA_HOME is not where data goes")
	}
}
