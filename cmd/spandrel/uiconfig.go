package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// maxUIConfig bounds the file of the page's settings: they are part of every
// page that is sent.
const maxUIConfig = 256 << 10

// uiKey is a row, or several where Path has braces, of the table of what the
// file that Jaeger calls ui-config.json can say.
type uiKey struct {
	Path    string // one or two names; a name alone stands for all below it
	Verdict verdict
	Note    string
	Off     string // JSON that asks for nothing that is lacking here
}

// uiKeys is the table. ui/app/src/config.ts is what reads the honoured ones.
var uiKeys = expandUIKeys([]uiKey{
	{"archiveEnabled", refused, "there is no archive; traces are kept for as long as all are", "false"},
	{"criticalPathEnabled", honoured, "`false`: the critical path is drawn when it is asked for", ""},
	{"dependencies.menuEnabled", honoured, "`false` takes the map out of the menu; links to it still work", ""},
	{"dependencies.dagMaxNumServices", harmless, "the map has no such limit", ""},
	{"dependenciesMenuEnabled", honoured, "older name of `dependencies.menuEnabled`", ""},
	{"disableFileUploadControl", honoured, "no entry and no place to drop files on; `/upload` says that it is switched off", ""},
	{"disableJsonView", honoured, "takes the JSON menu out of a trace's page", ""},
	{"forbidNewPage", honoured, "", ""},
	{"linkPatterns", honoured, "functions as in Jaeger; links that are neither `http`, `https` nor relative are left out", ""},
	{"menu", honoured, "100 entries; links as of `linkPatterns`", ""},
	{"monitor.menuEnabled", honoured, "`false` takes the services out of the menu", ""},
	{"monitor.{docsLink,emptyState}", harmless, "services have their figures without a store of metrics", ""},
	{"search.{adjustEndTime,defaultLookback,maxLookback}", honoured, "", ""},
	{"search.maxLimit", honoured, "1500 at most", ""},
	{"themes.enabled", honoured, "`false` takes the button away; the page follows the system", ""},
	{"topTagPrefixes", honoured, "before Spandrel's own order", ""},
	{"traceIdDisplayLength", honoured, "", ""},

	{"{backendCapabilities,storageCapabilities}", harmless, "the server knows them", ""},
	{"deepDependencies", harmless, "the map has a focus", ""},
	{"pathAgnosticDecorations", refused, "the map's figures come from the stored spans", "[]"},
	{"qualityMetrics", harmless, "the page Mesh is in their place", ""},
	{"scripts", refused, "the page runs its own scripts only", "[]"},
	{"{gaTrackingID,tracking}", refused, "the page tells nobody what is done with it", "null"},
	{"traceDiff", harmless, "", ""},
	{"traceGraph", harmless, "the graph needs no such memory", ""},
	{"traceTimeline", harmless, "details stand beside the timeline", ""},
	{"tracing", harmless, "the page does not trace itself", ""},
	{"useOpenTelemetryTerms", harmless, "", ""},
})

func expandUIKeys(rows []uiKey) (all []uiKey) {
	for _, row := range rows {
		for _, row.Path = range alternatives(row.Path) {
			all = append(all, row)
		}
	}
	return all
}

// loadUIConfig reads and checks the page's settings and notes what has no effect.
func (c *config) loadUIConfig() error {
	if c.UIConfigFile == "" {
		return nil
	}
	settings, err := readUIConfig(c.UIConfigFile)
	if err != nil {
		return fmt.Errorf("--query.ui-config=%s: %w", c.UIConfigFile, err)
	}
	c.UIConfig = settings
	c.Unhonoured = append(c.Unhonoured, unhonouredUI(settings)...)
	return nil
}

func readUIConfig(name string) (settings map[string]json.RawMessage, err error) {
	if ext := strings.ToLower(filepath.Ext(name)); ext == ".js" || ext == ".mjs" {
		return nil, errors.New("JavaScript is not run, the page's content security policy forbids it; write the settings as JSON")
	}
	text, err := readUpTo(name, maxUIConfig)
	if err != nil {
		return nil, err
	}
	var wrongType *json.UnmarshalTypeError
	switch err := json.Unmarshal(text, &settings); {
	case errors.As(err, &wrongType), err == nil && settings == nil:
		return nil, errors.New("must be a JSON object, as Jaeger's ui-config.json is")
	case err != nil:
		return nil, fmt.Errorf("is not JSON: %w", err)
	}
	return settings, nil
}

// unhonouredUI lists what was set and has no effect, with the reason.
func unhonouredUI(settings map[string]json.RawMessage) (list []string) {
	note := func(name, reason string) { list = append(list, fmt.Sprintf("ui-config: %s (%s)", name, reason)) }
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if k, ok := uiKeyOf(name); ok {
			if k.Verdict == refused && string(settings[name]) != k.Off {
				note(name, k.Note)
			}
			continue
		}
		var below map[string]json.RawMessage
		if !slices.ContainsFunc(uiKeys, func(k uiKey) bool { return strings.HasPrefix(k.Path, name+".") }) {
			note(name, "there is no such setting")
		} else if json.Unmarshal(settings[name], &below) != nil {
			note(name, "must be an object")
		}
		for _, sub := range slices.Sorted(maps.Keys(below)) {
			if _, ok := uiKeyOf(name + "." + sub); !ok {
				note(name+"."+sub, "there is no such setting")
			}
		}
	}
	return list
}

func uiKeyOf(path string) (uiKey, bool) {
	i := slices.IndexFunc(uiKeys, func(k uiKey) bool { return k.Path == path })
	if i < 0 {
		return uiKey{}, false
	}
	return uiKeys[i], true
}
