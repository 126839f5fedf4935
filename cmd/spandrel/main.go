// Command spandrel is the service: collector, store and query API in one
// process. This package reads the settings, puts the parts together and looks
// after their life cycle; routes.go lists what is served where.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func main() { os.Exit(mainCode()) }

// mainCode runs the program with the process's arguments and gives its exit
// code: 0, or 1 after one sentence on stderr. The first SIGTERM or SIGINT ends
// it in order, the second at once.
func mainCode() int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	go func() {
		<-signals
		cancel()
		<-signals
		fmt.Fprintln(os.Stderr, "spandrel: stopped at once by a second signal")
		os.Exit(1)
	}()
	if err := execute(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "spandrel: %v\n", err)
		return 1
	}
	return 0
}

func execute(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, flags := newConfig()
	root := &cobra.Command{
		Use:           "spandrel",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("there is no command %q; spandrel --help lists them", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.load(flags, os.Getenv); err != nil {
				return err
			}
			if err := c.Auth.load(os.Environ()); err != nil {
				return err
			}
			return run(cmd.Context(), c, stderr)
		},
	}
	root.Flags().SortFlags = false
	root.Flags().SetNormalizeFunc(normalize)
	root.Flags().AddFlagSet(flags)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError(root.Flags(), err) })
	root.AddCommand(versionCommand(), demoCommand(), statusCommand(), envCommand(flags), routesCommand())
	usual := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if cmd != root {
			usual(cmd, args)
			return
		}
		help(cmd.OutOrStdout(), root, flags)
	})
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root.ExecuteContext(ctx)
}

// load adds the environment and the settings file to what the flags gave and
// checks the whole.
func (c *config) load(fs *pflag.FlagSet, lookup func(string) string) (err error) {
	if err := loadEnv(fs, lookup); err != nil {
		return err
	}
	if c.Unhonoured, err = c.loadFile(fs, lookup); err != nil {
		return err
	}
	return c.check(fs, lookup)
}

// flagError makes one sentence of what is wrong with the command line.
func flagError(fs *pflag.FlagSet, err error) error {
	var missing *pflag.NotExistError
	if !errors.As(err, &missing) {
		var invalid *pflag.InvalidValueError
		if errors.As(err, &invalid) {
			return badValue("--"+invalid.GetFlag().Name, err)
		}
		return err
	}
	name := missing.GetSpecifiedName()
	if near := suggest(fs, name); near != "" {
		return fmt.Errorf("there is no flag --%s; did you mean --%s?", name, near)
	}
	for _, s := range settings {
		if s.isFamily() && strings.HasPrefix(name, strings.TrimSuffix(s.Name, "*")) {
			return fmt.Errorf("--%s cannot be honoured: %s", name, s.Note)
		}
	}
	return fmt.Errorf("there is no flag --%s; spandrel --help lists them", name)
}
