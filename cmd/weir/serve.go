package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"github.com/weir-id/weir"
	"github.com/weir-id/weir/internal/server"
)

func serveCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve the pages and the API",
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
	c.Announce = func(password string) error { return announce(cmd, password) }
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
	welcome(cmd, c, l)
	return server.Serve(ctx, l, site, c.Limits, c.Log, site.Stop)
}

// announce shows a generated password this once, on the terminal and not in the
// log.
func announce(cmd *cobra.Command, password string) error {
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "This is the first start. Sign in as\n\n    user name  akadmin\n    password   %s\n\n"+
		"The password is not shown again; `weir user password akadmin` sets another one.\n\n", password)
	if err != nil {
		return fmt.Errorf("show the password: %w", err)
	}
	return nil
}

// welcome says where to go.
func welcome(cmd *cobra.Command, c weir.Config, l net.Listener) {
	if c.BaseURL == nil {
		c.Listen = l.Addr().String()
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Weir is at %s/\n", c.Site())
}
