package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func exportCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "export FLOW",
		Short: "Write a flow as a blueprint",
		Long: "Export writes the flow with this slug to standard output, with its stages, policies and bindings.\n" +
			"Secrets are left out, and so is what the flow only mentions: other flows, people, groups.",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			in, err := s.connect(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, in.Close()) }()
			text, err := in.Export(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if _, err := cmd.OutOrStdout().Write(text); err != nil {
				return fmt.Errorf("write the blueprint: %w", err)
			}
			return nil
		},
	}
}
