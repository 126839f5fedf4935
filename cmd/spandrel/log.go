package main

import (
	"io"
	"log/slog"
	"os"
)

// newLogger writes to w: JSON for machines, key=value lines for a person who
// watches a terminal or asked for them.
func newLogger(c *config, w io.Writer) *slog.Logger {
	console := c.LogEncoding == "console" || c.LogEncoding == "" && isTerminal(w)
	opts := &slog.HandlerOptions{Level: c.LogLevel.Level}
	if !console {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	opts.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey && len(groups) == 0 {
			a.Value = slog.StringValue(a.Value.Time().Format("15:04:05.000"))
		}
		return a
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
