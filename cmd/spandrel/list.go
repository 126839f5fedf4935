package main

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/spandrel/spandrel/storage/memory"
)

// routesCommand lists every route of every port, with the default settings.
func routesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "routes",
		Short: "List every path that is served, by port",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, flags := newConfig()
			if err := c.load(flags, func(string) string { return "" }); err != nil {
				return err
			}
			return listRoutes(cmd.OutOrStdout(), c)
		},
	}
}

// listRoutes makes the service without starting it and writes a line for each
// route: port, method, path.
func listRoutes(w io.Writer, c *config) error {
	log := slog.New(slog.DiscardHandler)
	s := &service{config: c, log: log, registry: newRegistry(), health: newHealth(log), store: memory.New(memory.Options{})}
	if err := s.standOn(s.store); err != nil {
		return err
	}
	for _, p := range append(s.clientPorts(), s.operatorPorts()...) {
		number := p.Address.port()
		if p.grpc != nil {
			for _, call := range calls(p) {
				fmt.Fprintf(w, "%-6s %-5s %s\n", number, "gRPC", call)
			}
		}
		for _, r := range p.api {
			method, path, _ := strings.Cut(r, " ")
			fmt.Fprintf(w, "%-6s %-5s %s\n", number, method, path)
		}
		for _, r := range p.routes {
			method := r.method
			if method == "" {
				method = "any"
			}
			fmt.Fprintf(w, "%-6s %-5s %s\n", number, method, r.path)
		}
	}
	return s.store.Close()
}

// calls are the methods of the port's gRPC services, sorted.
func calls(p port) (list []string) {
	for name, info := range p.grpc.GetServiceInfo() {
		for _, m := range info.Methods {
			list = append(list, "/"+name+"/"+m.Name)
		}
	}
	slices.Sort(list)
	return list
}
