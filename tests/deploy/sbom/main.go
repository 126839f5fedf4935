// Command sbom says what a built spandrel is made of: the modules that the
// linker noted in it, with versions, checksums and licences, and the packages
// of the page. Its output is CycloneDX 1.5 in JSON.
//
//	go -C tests/deploy run ./sbom ../../bin/spandrel > sbom.json
package main

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: sbom PROGRAM")
		os.Exit(2)
	}
	b, err := bill(os.Args[1], "../../ui/app/package-lock.json")
	if err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", " ")
	if err := out.Encode(b); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// document is the part of CycloneDX that is used here.
type document struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type     string    `json:"type"`
	Name     string    `json:"name"`
	Version  string    `json:"version,omitempty"`
	PURL     string    `json:"purl,omitempty"`
	Licences []licence `json:"licenses,omitempty"`
	// Properties hold go.sum's checksum, which is of a list of files.
	Properties []property `json:"properties,omitempty"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type licence struct {
	Expression string `json:"expression"`
}

// bill reads the program and, where it is there, the page's lock file.
func bill(program, lock string) (*document, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, err
	}
	d := &document{Format: "CycloneDX", Spec: "1.5", Version: 1, Metadata: metadata{component{
		Type: "application", Name: info.Main.Path, Version: info.Main.Version,
	}}}
	d.Components = append(d.Components, component{
		Type: "library", Name: "std", Version: info.GoVersion, PURL: "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go"),
		Licences: []licence{{"BSD-3-Clause"}},
	})
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		name, err := moduleLicence(m.Path, m.Version)
		if err != nil {
			return nil, err
		}
		d.Components = append(d.Components, component{
			Type: "library", Name: m.Path, Version: m.Version, PURL: "pkg:golang/" + m.Path + "@" + m.Version,
			Licences: []licence{{name}}, Properties: []property{{"go.sum", m.Sum}},
		})
	}
	page, err := pagePackages(lock)
	d.Components = append(d.Components, page...)
	return d, err
}

// moduleLicence reads the licence file of a module in the module cache.
func moduleLicence(path, version string) (string, error) {
	out, err := exec.CommandContext(context.Background(), "go", "-C", "../..", "mod", "download", "-json", path+"@"+version).Output()
	if err != nil {
		return "", fmt.Errorf("%s@%s: %w", path, version, err)
	}
	var m struct{ Dir string }
	if err := json.Unmarshal(out, &m); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(m.Dir)
	if err != nil {
		return "", err
	}
	var found []string
	for _, e := range entries {
		upper := strings.ToUpper(e.Name())
		if e.IsDir() || !strings.HasPrefix(upper, "LICEN") && !strings.HasPrefix(upper, "COPYING") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(m.Dir, e.Name()))
		if err != nil {
			return "", err
		}
		if name := identify(string(text)); name != "" && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		return "", fmt.Errorf("%s@%s: no licence that is known here in %s", path, version, m.Dir)
	}
	slices.Sort(found)
	return strings.Join(found, " AND "), nil
}

// identify names a licence by sentences that only its text has.
func identify(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	has := func(s string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(s)) }
	var all []string
	switch {
	case has("Apache License") && has("Version 2.0"):
		all = append(all, "Apache-2.0")
	case has("Mozilla Public License") && has("2.0"):
		all = append(all, "MPL-2.0")
	}
	if has("Permission is hereby granted, free of charge") {
		all = append(all, "MIT")
	}
	if has("Permission to use, copy, modify, and/or distribute this software for any purpose") {
		all = append(all, "ISC")
	}
	if has("Redistribution and use in source and binary forms") {
		if has("Neither the name") || has("may not be used to endorse") || has("names of its contributors") {
			all = append(all, "BSD-3-Clause")
		} else {
			all = append(all, "BSD-2-Clause")
		}
	}
	return strings.Join(all, " AND ")
}

// pagePackages are the packages that the page is made with, none where there is
// no lock file. Those for development only are left out.
func pagePackages(lock string) (all []component, err error) {
	text, err := os.ReadFile(lock)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var file struct {
		Packages map[string]struct {
			Version, License string
			Dev              bool
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", lock, err)
	}
	for path, p := range file.Packages {
		_, name, ok := strings.Cut(path, "node_modules/")
		if !ok || p.Dev {
			continue
		}
		if p.License == "" {
			return nil, fmt.Errorf("%s: %s has no licence", lock, name)
		}
		all = append(all, component{Type: "library", Name: name, Version: p.Version, PURL: "pkg:npm/" + name + "@" + p.Version, Licences: []licence{{p.License}}})
	}
	slices.SortFunc(all, func(a, b component) int { return strings.Compare(a.PURL, b.PURL) })
	return all, nil
}
