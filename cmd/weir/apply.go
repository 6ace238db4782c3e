package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/weir-id/weir"
)

func applyCommand(s *settings) *cobra.Command {
	var dryRun, force bool
	cmd := &cobra.Command{
		Use:   "apply FILE...",
		Short: "Make the configuration agree with blueprints",
		Long: "Apply applies all files in one transaction: either all of them or none.\n" +
			"It prints one line for each object: + created, ~ changed, - deleted.",
		Args: usage(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			in, err := s.connect(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, in.Close()) }()
			apply := in.Apply
			if force {
				apply = in.ForceApply
			}
			report, err := apply(cmd.Context(), args, dryRun)
			printReport(cmd, report)
			var problems weir.BlueprintErrors
			if errors.As(err, &problems) {
				return fmt.Errorf("nothing was changed:\n%w", problems)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print what would happen and change nothing")
	cmd.Flags().BoolVar(&force, "force", false, "apply also what would lock everybody out; see docs/lockout.md")
	return cmd
}

// printReport prints the changes, and the warnings to standard error.
func printReport(cmd *cobra.Command, report *weir.Report) {
	if report == nil {
		return
	}
	for _, w := range report.Warnings {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
	}
	for _, f := range report.Findings {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", f)
	}
	count := map[string]int{}
	for _, c := range report.Changes {
		sign := string(c.Action)
		count[sign]++
		if sign == "+" || sign == "~" || sign == "-" {
			fmt.Fprintln(cmd.OutOrStdout(), c)
		}
	}
	if len(report.Changes) > 0 {
		done := ""
		if report.DryRun {
			done = "would be "
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s%d created, %d changed, %d deleted; %d as they were\n", done, count["+"], count["~"], count["-"], count["="]+count[" "])
	}
}
