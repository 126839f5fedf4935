package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// maxFile bounds a settings file; Istio's has 2 KB.
const maxFile = 1 << 20

// settingsFile is the name of the file of settings.
type settingsFile string

func (f *settingsFile) Set(s string) error {
	if *f != "" {
		return errors.New("there can be one settings file only")
	}
	*f = settingsFile(strings.TrimPrefix(s, "file:"))
	return nil
}

func (f *settingsFile) String() string { return string(*f) }
func (f *settingsFile) Type() string   { return "file" }

// loadFile sets the flags that neither command line nor environment gave from
// a file in Jaeger 2's YAML, which is that of OpenTelemetry's collector: parts,
// and under service the list of those that are in force. It gives what has no
// effect here, with the reason.
func (c *config) loadFile(fs *pflag.FlagSet, lookup func(string) string) (unhonoured []string, err error) {
	if !fs.Changed("config") {
		return nil, nil
	}
	unhonoured, err = c.applyFile(fs, lookup)
	if err != nil {
		return nil, fmt.Errorf("settings file %s: %w", c.File, err)
	}
	return unhonoured, nil
}

func (c *config) applyFile(fs *pflag.FlagSet, lookup func(string) string) ([]string, error) {
	top, err := readSettings(string(c.File))
	if err != nil {
		return nil, err
	}
	f := &jaegerFile{top: top, lookup: lookup, set: map[string]leaf{}}
	if err := f.read(); err != nil {
		return nil, err
	}
	for _, flag := range slices.Sorted(maps.Keys(f.set)) {
		if l := f.set[flag]; !fs.Changed(flag) {
			if err := fs.Set(flag, l.value); err != nil {
				return nil, badValue(strings.Join(l.path, "."), err)
			}
		}
	}
	return f.unhonoured, nil
}

// readSettings reads the one document of the file.
func readSettings(name string) (top map[string]any, err error) {
	text, err := readUpTo(name, maxFile)
	if err != nil {
		return nil, err
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&top); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("holds more than one YAML document")
	}
	return top, nil
}

// readUpTo reads a file of at most so many bytes. Its errors do not name it.
func readUpTo(name string, most int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", errors.Unwrap(err))
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", errors.Unwrap(err))
	}
	if int64(len(text)) > most {
		return nil, fmt.Errorf("is larger than %d bytes", most)
	}
	return text, nil
}

// leaf is a value in the file and its place.
type leaf struct {
	path  []string
	value string
}

// jaegerFile is a settings file on its way to flags.
type jaegerFile struct {
	top    map[string]any
	lookup func(string) string

	backend    string          // the name of the one in use
	set        map[string]leaf // by flag
	unhonoured []string
}

// sections are the parts by kind, and where service lists those in force.
var sections = map[string][]string{
	"extensions": {"extensions"},
	"receivers":  {"pipelines", "*", "receivers"},
	"processors": {"pipelines", "*", "processors"},
	"exporters":  {"pipelines", "*", "exporters"},
}

// section is one of the file's top sections, nil where it is missing.
func (f *jaegerFile) section(name string) map[string]any {
	m, _ := f.top[name].(map[string]any)
	return m
}

func (f *jaegerFile) read() error {
	service := f.section("service")
	if service == nil {
		return errors.New("has no service section: it would start nothing, in Jaeger either")
	}
	for name := range f.top {
		if sections[name] == nil && name != "service" && name != "connectors" {
			return unknownKey(name)
		}
	}
	leaves, err := f.flatten(nil, []string{"service"}, service)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		if leaves, err = f.parts(leaves, name, listed(service, sections[name])); err != nil {
			return err
		}
	}
	for id := range f.section("connectors") {
		leaves = append(leaves, leaf{path: []string{"connectors", id}})
	}
	slices.SortFunc(leaves, func(a, b leaf) int { return slices.Compare(a.path, b.path) })
	if err := f.chooseBackend(leaves); err != nil {
		return err
	}
	for _, l := range leaves {
		if err := f.take(l); err != nil {
			return err
		}
	}
	f.complete()
	return nil
}

// parts appends the values of the section's parts that are in force. Of parts
// that the table has as a whole, it is the part alone.
func (f *jaegerFile) parts(leaves []leaf, section string, inForce []string) (_ []leaf, err error) {
	parts := f.section(section)
	for _, id := range slices.Sorted(maps.Keys(parts)) {
		kind, _, _ := strings.Cut(id, "/")
		path := []string{section, kind}
		switch {
		case !slices.Contains(inForce, id):
			f.note(section+"."+id, "is not listed under service, so it has no effect in Jaeger either")
		case !hasKeys(path):
			leaves = append(leaves, leaf{path: path})
		default:
			if leaves, err = f.flatten(leaves, path, parts[id]); err != nil {
				return nil, err
			}
		}
	}
	for _, id := range inForce {
		_, here := parts[id]
		if _, connector := f.section("connectors")[id]; !here && !connector {
			return nil, fmt.Errorf("service lists %q, which is not under %s", id, section)
		}
	}
	return leaves, nil
}

// hasKeys reports whether the table has keys of the part one by one.
func hasKeys(part []string) bool {
	prefix := strings.Join(part, ".") + "."
	return slices.ContainsFunc(keys, func(k key) bool { return strings.HasPrefix(k.Path, prefix) && k.Path != prefix+"*" })
}

// listed are the words of all lists below v at the path, * being any name.
func listed(v any, path []string) (all []string) {
	if len(path) == 0 {
		list, _ := v.([]any)
		for _, word := range list {
			all = append(all, fmt.Sprint(word))
		}
		return all
	}
	m, _ := v.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if path[0] == "*" || path[0] == name {
			all = append(all, listed(m[name], path[1:])...)
		}
	}
	return all
}

// flatten appends what has a value below v. A list of words is one value, with
// commas; other lists are as if their elements were not in one.
func (f *jaegerFile) flatten(leaves []leaf, path []string, v any) ([]leaf, error) {
	var err error
	switch v := v.(type) {
	case nil:
		return leaves, nil
	case map[string]any:
		for name, below := range v {
			if leaves, err = f.flatten(leaves, append(slices.Clip(path), name), below); err != nil {
				return nil, err
			}
		}
		return leaves, nil
	case []any:
		words := make([]string, 0, len(v))
		for _, element := range v {
			if _, ok := element.(map[string]any); ok {
				if leaves, err = f.flatten(leaves, path, element); err != nil {
					return nil, err
				}
				continue
			}
			words = append(words, fmt.Sprint(element))
		}
		if len(words) == 0 {
			return leaves, nil
		}
		return f.flatten(leaves, path, strings.Join(words, ","))
	case string:
		value, err := expandEnv(v, f.lookup)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", strings.Join(path, "."), err)
		}
		return append(leaves, leaf{path, value}), nil
	default:
		return append(leaves, leaf{path, fmt.Sprint(v)}), nil
	}
}

// expandEnv replaces ${env:NAME}, ${env:NAME:-default} and ${NAME}; $$ is $.
func expandEnv(s string, lookup func(string) string) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "$")
		b.WriteString(before)
		switch {
		case !found:
			return b.String(), nil
		case strings.HasPrefix(rest, "$"):
			b.WriteByte('$')
			s = rest[1:]
		case strings.HasPrefix(rest, "{"):
			inner, after, closed := strings.Cut(rest[1:], "}")
			name, fallback, _ := strings.Cut(strings.TrimPrefix(inner, "env:"), ":-")
			if !closed || name == "" || strings.ContainsAny(name, ":$ ") {
				return "", fmt.Errorf("%q: want ${env:NAME} or ${env:NAME:-default}", "$"+rest)
			}
			value := lookup(name)
			if value == "" {
				value = fallback
			}
			b.WriteString(value)
			s = after
		default:
			b.WriteByte('$')
			s = rest
		}
	}
}

// chooseBackend finds out which of the backends is in use, and its kind.
func (f *jaegerFile) chooseBackend(leaves []leaf) error {
	for _, l := range leaves {
		switch strings.Join(l.path, ".") {
		case "extensions.jaeger_query.storage.traces", "exporters.jaeger_storage_exporter.trace_storage":
			if f.backend != "" && f.backend != l.value {
				return fmt.Errorf("spans are written to one backend and read from another (%q and %q): there is one store", f.backend, l.value)
			}
			f.backend = l.value
		}
	}
	if f.backend == "" {
		return nil
	}
	storage, _ := f.section("extensions")["jaeger_storage"].(map[string]any)
	backends, _ := storage["backends"].(map[string]any)
	kinds, _ := backends[f.backend].(map[string]any)
	if len(kinds) != 1 {
		return fmt.Errorf("extensions.jaeger_storage.backends.%s must be there and name one kind of store", f.backend)
	}
	for kind := range kinds {
		path := []string{"extensions", "jaeger_storage", "backends", f.backend, kind}
		if kind != "badger" && kind != "memory" {
			return f.take(leaf{path: path})
		}
		f.set["span-storage.type"] = leaf{path, kind}
	}
	return nil
}

// take does what the table says of the key.
func (f *jaegerFile) take(l leaf) error {
	if len(l.path) > 3 && l.path[1] == "jaeger_storage" && l.path[2] == "backends" && l.path[3] != f.backend {
		return nil // a backend that nothing uses
	}
	for _, k := range keys {
		length, ok := k.fits(l.path)
		if !ok {
			continue
		}
		name := strings.Join(l.path[:length], ".")
		switch {
		case k.Verdict == honoured && k.Flag != "":
			return f.honour(k.Flag, l)
		case k.Verdict == honoured, k.Verdict == harmless, slices.Contains(k.Off, l.value):
		case k.Verdict == fatal:
			return fmt.Errorf("%s cannot be honoured: %s", name, k.Note)
		default:
			f.note(name, k.Note)
		}
		return nil
	}
	return unknownKey(strings.Join(l.path, "."))
}

func unknownKey(name string) error {
	return fmt.Errorf("there is no setting %s; docs/compatibility.md lists them", name)
}

// honour notes that a flag is to be set. The metrics' address comes in halves,
// some sizes in MiB.
func (f *jaegerFile) honour(flag string, l leaf) error {
	if strings.HasSuffix(l.path[len(l.path)-1], "_mib") {
		l.value += "MiB"
	}
	had, twice := f.set[flag]
	if flag == "metrics.http.host-port" {
		if l.path[len(l.path)-1] == "host" {
			flag = "host"
		} else {
			flag = "port"
		}
		had, twice = f.set[flag]
	}
	if twice {
		return fmt.Errorf("%s and %s are the same setting", strings.Join(had.path, "."), strings.Join(l.path, "."))
	}
	f.set[flag] = l
	return nil
}

// complete puts halves together and switches TLS on where it is set up.
func (f *jaegerFile) complete() {
	host, hasHost := f.set["host"]
	port, hasPort := f.set["port"]
	delete(f.set, "host")
	delete(f.set, "port")
	if hasHost || hasPort {
		if !hasPort {
			port = leaf{host.path, "8888"}
		}
		if !hasHost {
			host.value = "localhost" // as in OpenTelemetry's SDK
		}
		f.set["metrics.http.host-port"] = leaf{port.path, net.JoinHostPort(host.value, port.value)}
	}
	for _, flag := range slices.Sorted(maps.Keys(f.set)) {
		if prefix, _, ok := strings.Cut(flag, ".tls."); ok {
			f.set[prefix+".tls.enabled"] = leaf{f.set[flag].path, "true"}
		}
	}
}

// note adds to what has no effect.
func (f *jaegerFile) note(name, reason string) {
	if line := fmt.Sprintf("%s (%s)", name, reason); !slices.Contains(f.unhonoured, line) {
		f.unhonoured = append(f.unhonoured, line)
	}
}
