package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const about = `Spandrel keeps the spans of an Istio mesh and gives traces back: it takes the
place of Jaeger all-in-one. Without any setting it takes Zipkin posts on port
9411 and OTLP on 4317 and 4318, keeps them on disk and answers Jaeger's query
API on 16686 and 16685.
`

const rules = `
Every flag is an environment variable too: --badger.span-store-ttl is
BADGER_SPAN_STORE_TTL. A flag wins over the variable, the variable over the
settings file, that over the default. Jaeger's own flags and variables are
understood; what cannot be honoured is named at the start.

An ADDRESS is host:port, :port (every network interface), a port (the same) or
off. One that is not set is on loopback, or on every interface in a Kubernetes
pod, or on the host that JAEGER_LISTEN_HOST names.
`

// help prints what the root command can do, by topic.
func help(w io.Writer, cmd *cobra.Command, fs *pflag.FlagSet) {
	fmt.Fprint(w, about, "\nUsage:\n  spandrel [flags]     run the service\n")
	for _, sub := range cmd.Commands() {
		if !sub.Hidden {
			fmt.Fprintf(w, "  spandrel %-11s %s\n", sub.Name(), lowerFirst(sub.Short))
		}
	}
	fmt.Fprint(w, rules)
	for _, name := range []string{groupStore, groupCollect, groupQuery, groupHealth, groupRun, groupTLS} {
		fmt.Fprintf(w, "\n%s:\n", name)
		if name == groupTLS {
			for _, line := range wrap("of LISTENER "+strings.Join(withTLS(fs), ", "), 70) {
				fmt.Fprintf(w, "  %s\n", line)
			}
		}
		fs.VisitAll(func(f *pflag.Flag) {
			if f.Hidden || !slices.Equal(f.Annotations[group], []string{name}) {
				return
			}
			shown := f.Name
			if name == groupTLS {
				rest, ours := strings.CutPrefix(f.Name, "collector.zipkin.")
				if !ours {
					return
				}
				shown = "LISTENER." + rest
			}
			helpFlag(w, shown, f)
		})
	}
}

// withTLS are the listeners that can have TLS, by the prefix of their flags.
func withTLS(fs *pflag.FlagSet) (names []string) {
	fs.VisitAll(func(f *pflag.Flag) {
		if name, ok := strings.CutSuffix(f.Name, ".tls.enabled"); ok && !f.Hidden {
			names = append(names, name)
		}
	})
	return names
}

func helpFlag(w io.Writer, name string, f *pflag.Flag) {
	placeholder, usage := pflag.UnquoteUsage(f)
	if f.Value.Type() != "bool" {
		name += " " + placeholder
	}
	d := f.DefValue
	for _, zero := range []string{"m0s", "h0m"} { // 72h0m0s is 72h
		if strings.HasSuffix(d, zero) {
			d = d[:len(d)-2]
		}
	}
	if d != "" && d != "[]" && d != "false" && !strings.Contains(usage, "0 = ") && !strings.Contains(usage, "(default") {
		usage += " (default " + d + ")"
	}
	fmt.Fprintf(w, "  --%s\n", name)
	for _, line := range wrap(usage, 70) {
		fmt.Fprintf(w, "        %s\n", line)
	}
}

// wrap breaks text into lines of at most width letters where words allow it.
func wrap(text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

func envCommand(fs *pflag.FlagSet) *cobra.Command {
	return &cobra.Command{
		Use:   "env",
		Short: "List the environment variables",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			fs.VisitAll(func(f *pflag.Flag) {
				if f.Hidden || f.Annotations[group] == nil || f.Annotations[noEnv] != nil {
					return
				}
				_, usage := pflag.UnquoteUsage(f)
				fmt.Fprintf(cmd.OutOrStdout(), "%s\n    %s\n", envName(f.Name), usage)
			})
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n    name:password of those who may ask for traces, one a line; there is no flag\n", basicVariable)
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n    bearer tokens that let in, one a line; there is no flag\n", tokenVariable)
		},
	}
}
