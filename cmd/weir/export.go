package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/weir-id/weir"
)

func exportCommand(s *settings) *cobra.Command {
	var all, compatible bool
	cmd := &cobra.Command{
		Use:   "export FLOW...",
		Short: "Write flows, or all of the configuration, as a blueprint",
		Long: "Export writes the flows with these slugs to standard output, with their stages, policies and bindings, or with --all\n" +
			"the whole configuration. Everything goes by its name, so that the file fits every installation; the same\n" +
			"configuration gives the same bytes. Secrets are left out: a variable of the environment stands in place of each.\n" +
			"With --compatible one flow is written as authentik does, with keys that only this installation has.",
		Args: usage(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			var write func(context.Context, *weir.Installation) ([]byte, error)
			switch {
			case all && (len(args) > 0 || compatible):
				return errUsage{errors.New("--all takes no flows, and has only the one form")}
			case all, len(args) > 0 && !compatible:
				write = func(ctx context.Context, in *weir.Installation) ([]byte, error) {
					return in.ExportPortable(ctx, args...)
				}
			case len(args) == 1:
				write = func(ctx context.Context, in *weir.Installation) ([]byte, error) { return in.Export(ctx, args[0]) }
			case len(args) == 0:
				return errUsage{errors.New("name a flow by its slug, or take --all")}
			default:
				return errUsage{errors.New("--compatible takes one flow")}
			}
			in, err := s.connect(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, in.Close()) }()
			text, err := write(cmd.Context(), in)
			if err != nil {
				return err
			}
			if _, err := cmd.OutOrStdout().Write(text); err != nil {
				return fmt.Errorf("write the blueprint: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "write the whole configuration")
	cmd.Flags().BoolVar(&compatible, "compatible", false, "write one flow with keys, as authentik does")
	return cmd
}
