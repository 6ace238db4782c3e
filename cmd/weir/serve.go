package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/weir-id/weir"
	"github.com/weir-id/weir/internal/server"
)

func serveCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve the pages and the API; print a link for the initial set-up until that is done",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.load(cmd)
			if err != nil {
				return err
			}
			return serve(cmd, c)
		},
	}
}

func serve(cmd *cobra.Command, c weir.Config) (err error) {
	ctx := cmd.Context()
	// First of all, so that a second program finds the port taken before it
	// touches the database.
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if c.BaseURL == nil {
		c.Listen = l.Addr().String() // where the port was left to the system
	}
	c.Announce = func(link string) error { return announce(cmd, link) }
	site, err := weir.Open(ctx, c)
	if err != nil {
		_ = l.Close()
		return err
	}
	defer func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Limits.ShutdownTimeout)
		defer cancel()
		err = errors.Join(err, site.Close(bounded))
	}()
	fmt.Fprintf(cmd.OutOrStdout(), "Weir is at %s/\n", c.Site())
	if secure := site.TLS(); secure != nil {
		l = tls.NewListener(l, secure)
	}
	go debug.FreeOSMemory() // what only the start needed
	return server.Serve(ctx, l, site, c.Limits, c.Log, site.Stop)
}

// announce shows a link for the initial set-up this once, on the terminal and
// not in the log.
func announce(cmd *cobra.Command, link string) error {
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "Weir has no administrator who can sign in yet. Open this link and choose a user name and a password:\n\n    %s\n\n"+
		"It works once, within 24 hours. Keep it to yourself: whoever opens it first is the administrator.\n"+
		"`weir setup-link` prints another one.\n\n", link)
	if err != nil {
		return fmt.Errorf("show the set-up link: %w", err)
	}
	return nil
}

func setupLinkCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "setup-link",
		Short: "Print another link for the initial set-up, as long as that is to be done",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			in, err := s.connect(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, in.Close()) }()
			link, err := in.SetupLink(cmd.Context())
			if errors.Is(err, weir.ErrNoSetup) {
				return fmt.Errorf("%w: the first `weir serve` begins it, and `weir user password akadmin` sets a password afterwards", err)
			}
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), link)
			return nil
		},
	}
}
