package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// statusCommand asks the admin port of a running spandrel for its health.
// Containers without a shell use it as their health check.
func statusCommand() *cobra.Command {
	var at address
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Ask a running spandrel for its health; the exit code is 0 if it is well",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, flags := newConfig()
			if err := loadEnv(flags, os.Getenv); err != nil {
				return err
			}
			if at == "" {
				at = c.Admin.Address
			}
			if at == off {
				return errors.New("the admin port is off: --admin.http.host-port says so")
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second)
			defer cancel()
			own, err := ownCertificate(c.Admin.TLS)
			if err != nil {
				return err
			}
			return status(ctx, cmd.OutOrStdout(), healthURL(at, c.Admin.TLS.Enabled), own)
		},
	}
	cmd.Flags().Var(&at, "status.http.host-port", "`ADDRESS` of its admin port (default: that of --admin.http.host-port)")
	return cmd
}

// healthURL is the admin port as seen from this machine.
func healthURL(at address, secure bool) string {
	scheme := "http"
	if secure {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(string(at))
	if err != nil {
		host, port = "", string(at)
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port) + "/"
}

// ownCertificate is the server's, shown where the port wants one of its
// clients: another is not at hand. Its authority has to be among client-ca.
func ownCertificate(t tlsFiles) ([]tls.Certificate, error) {
	if !t.Enabled || t.ClientCA == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("TLS certificate %s with key %s: %w", t.Cert, t.Key, err)
	}
	return []tls.Certificate{pair}, nil
}

func status(ctx context.Context, out io.Writer, url string, own []tls.Certificate) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	// The question goes to this machine; which name its certificate carries does not matter.
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: own}}}
	resp, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("nobody answers at %s: %w", url, plainly(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return err
	}
	fmt.Fprintln(out, string(body))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("spandrel is not available: %s answered %s", url, resp.Status)
	}
	return nil
}
