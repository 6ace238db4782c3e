package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/weir-id/weir/flow/prove"
)

// errUnproved ends the command with 1; the findings have been printed.
var errUnproved = errors.New("there are findings that are errors")

func proveCommand(s *settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "prove [FLOW...]",
		Short: "Look for mistakes in flows without running them",
		Long: "Prove walks all paths through the flows with these slugs, or through all flows, and prints what can go wrong.\n" +
			"It exits with 1 when a finding is an error. docs/prove.md explains each code.",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			in, err := s.connect(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, in.Close()) }()
			found, err := in.Prove(args...)
			if err != nil {
				return err
			}
			if err := printFindings(cmd.OutOrStdout(), found, asJSON); err != nil {
				return fmt.Errorf("write the findings: %w", err)
			}
			for _, f := range found {
				if f.Severity == prove.Error {
					return errUnproved
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON list")
	return cmd
}

// printFindings prints a table, or a JSON list.
func printFindings(w io.Writer, found []prove.Finding, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(found)
	}
	if len(found) == 0 {
		_, err := fmt.Fprintln(w, "nothing found")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SEVERITY\tCODE\tFLOW\tORDER\tSTAGE\tFINDING")
	for _, f := range found {
		order, stage := "-", "-"
		if f.Order != nil {
			order, stage = strconv.Itoa(int(*f.Order)), f.Stage
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", f.Severity, f.Code, f.Flow, order, stage, f.Text)
	}
	return table.Flush()
}
