package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/weir-id/weir"
)

func applyCommand(s *settings) *cobra.Command {
	var dryRun, force, asJSON bool
	cmd := &cobra.Command{
		Use:   "apply FILE...",
		Short: "Make the configuration agree with blueprints",
		Long: "Apply applies all files in one transaction: either all of them or none.\n" +
			"It prints one line for each object: + created, ~ changed, - deleted.\n" +
			"With --dry-run it changes nothing, prints each field that would change with its old and new value,\n" +
			"and exits with 0 when there is nothing to do and 3 when there is.",
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
			switch {
			case dryRun:
				return plan(cmd, apply, args, asJSON)
			case asJSON:
				return errUsage{errors.New("--json is for --dry-run")}
			}
			report, err := apply(cmd.Context(), args, false)
			printReport(cmd, report)
			return refused(err)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print what would happen and change nothing")
	cmd.Flags().BoolVar(&force, "force", false, "apply also what would lock everybody out; see docs/lockout.md")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON (with --dry-run)")
	return cmd
}

// refused says that problems of blueprints have kept everything as it was.
func refused(err error) error {
	var problems weir.BlueprintErrors
	if errors.As(err, &problems) {
		return fmt.Errorf("nothing was changed:\n%w", problems)
	}
	return err
}

// plan prints what applying files would change.
func plan(cmd *cobra.Command, apply func(ctx context.Context, files []string, dryRun bool) (*weir.Report, error), files []string, asJSON bool) error {
	report, err := apply(cmd.Context(), files, true)
	printWarnings(cmd, report)
	if err != nil {
		return refused(err)
	}
	return compared(cmd, report.Differences, asJSON, "would be %s")
}

// printWarnings prints what does not keep files from being applied, to standard
// error.
func printWarnings(cmd *cobra.Command, report *weir.Report) {
	if report == nil {
		return
	}
	for _, w := range report.Warnings {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
	}
	for _, f := range report.Findings {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", f)
	}
}

// printReport prints the changes, and the warnings to standard error.
func printReport(cmd *cobra.Command, report *weir.Report) {
	printWarnings(cmd, report)
	if report == nil {
		return
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
		fmt.Fprintf(cmd.OutOrStdout(), "%d created, %d changed, %d deleted; %d as they were\n", count["+"], count["~"], count["-"], count["="]+count[" "])
	}
}
