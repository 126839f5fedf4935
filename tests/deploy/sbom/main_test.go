package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/licences.md")

// permissive are the licences that a dependency may have.
var permissive = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "0BSD", "CC0-1.0", "Unlicense"}

// TestBillNamesALicenceForEverything of the program as it is built now, and
// docs/licences.md lists them.
func TestBillNamesALicenceForEverything(t *testing.T) {
	program := filepath.Join(t.TempDir(), "spandrel")
	build := exec.Command("go", "-C", "../../..", "build", "-o", program, "./cmd/spandrel")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Chdir("..") // where the command is run
	d, err := bill(program, "../../ui/app/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Components) < 20 {
		t.Errorf("got %d components, want the program's 20 and more", len(d.Components))
	}
	var list strings.Builder
	list.WriteString("# What Spandrel is made of\n\nModules in the program and packages in the page, with their licences. Generated:\n" +
		"`go -C tests/deploy test ./sbom -update`. Versions and checksums are in the bill of\nmaterials, `make sbom`.\n\n| what | licence |\n|---|---|\n")
	for _, c := range d.Components {
		expression := c.Licences[0].Expression
		for _, name := range strings.FieldsFunc(expression, func(r rune) bool { return strings.ContainsRune(" ()", r) }) {
			if name != "AND" && name != "OR" && !slices.Contains(permissive, name) {
				t.Errorf("%s has the licence %s", c.Name, expression)
			}
		}
		fmt.Fprintf(&list, "| `%s` | %s |\n", c.Name, expression)
	}
	const document = "../../docs/licences.md"
	if *update {
		if err := os.WriteFile(document, []byte(list.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(document)
	if err != nil || string(text) != list.String() {
		t.Errorf("%s is out of date (%v): go -C tests/deploy test ./sbom -update", document, err)
	}
}

func TestIdentify(t *testing.T) {
	for text, want := range map[string]string{
		"Apache License\n  Version 2.0, January 2004":                                                          "Apache-2.0",
		"MIT License … Permission is hereby granted, free\nof charge, to any person":                           "MIT",
		"Redistribution and use in source and binary forms … Neither the name of":                              "BSD-3-Clause",
		"Redistribution and use in source and binary forms, with or without modification, are permitted":       "BSD-2-Clause",
		"Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee": "ISC",
		"GNU GENERAL PUBLIC LICENSE":         "",
		"Mozilla Public License Version 2.0": "MPL-2.0",
		"Apache License Version 2.0 … and parts: Redistribution and use in source and binary forms … the copyright": "Apache-2.0 AND BSD-2-Clause",
	} {
		if got := identify(text); got != want {
			t.Errorf("%.40q: got %q, want %q", text, got, want)
		}
	}
}
