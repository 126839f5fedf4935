package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSettingsOfThePageAreBounded(t *testing.T) {
	name := filepath.Join(t.TempDir(), "ui.json")
	for size, ok := range map[int]bool{maxUIConfig: true, maxUIConfig + 1: false} {
		if err := os.WriteFile(name, []byte(`{}`+strings.Repeat(" ", size-2)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readUIConfig(name); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "larger than 262144 bytes") {
			t.Errorf("%d bytes: got %v", size, err)
		}
	}
}
