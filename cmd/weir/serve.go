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
	welcome(cmd, c, l, site)
	return server.Serve(ctx, l, site, c.Limits, c.Log, site.Stop)
}

// welcome says where to go. A generated password is printed this once, to the
// terminal and not to the log.
func welcome(cmd *cobra.Command, c weir.Config, l net.Listener, site *weir.Server) {
	out := cmd.OutOrStdout()
	if c.BaseURL == nil {
		c.Listen = l.Addr().String()
	}
	fmt.Fprintf(out, "Weir is at %s/\n", c.Site())
	if plain := site.InitialPassword(); plain != "" {
		fmt.Fprintf(out, "\nThis is the first start. Sign in as\n\n    user name  akadmin\n    password   %s\n\nThe password is not shown again; `weir user password akadmin` sets another one.\n", plain)
	}
}
