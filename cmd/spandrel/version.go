package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/spandrel/spandrel/ui"
)

// version is set by the linker (Makefile).
var version = "dev"

// build is what is known of how this program was built.
func build() ui.Version {
	v := ui.Version{GitVersion: version}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.GitCommit = s.Value
		case "vcs.time":
			v.BuildDate = s.Value
		}
	}
	return v
}

func versionCommand() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := build()
			if asJSON {
				text, err := json.Marshal(v)
				fmt.Fprintln(cmd.OutOrStdout(), string(text))
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "spandrel %s (%s %s/%s)\n", v.GitVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON: gitCommit, gitVersion, buildDate")
	return cmd
}
