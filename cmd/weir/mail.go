package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func mailCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "mail",
		Short: "See whether mail works",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "test ADDRESS",
		Short: "Send a test mail at once",
		Args:  usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			in, err := s.connect(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, in.Close()) }()
			if err := in.SendTestMail(cmd.Context(), args[0]); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "the mail server has taken a mail to", args[0])
			return nil
		},
	})
	return cmd
}
