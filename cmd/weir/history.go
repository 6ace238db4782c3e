package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/weir-id/weir"
)

// maxShown is how many objects of a revision a list names.
const maxShown = 10

func historyCommand(s *settings) *cobra.Command {
	var object string
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "history [REVISION]",
		Short: "List the changes of the configuration, or show one",
		Long: "History lists who changed which objects, the newest change first. With a number it shows that revision,\n" +
			"with the old and new values of each field. Secrets are never shown. docs/history.md tells more.",
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			number := int64(0)
			if len(args) == 1 {
				if number, err = revisionNumber(args[0]); err != nil {
					return err
				}
			}
			in, err := s.connect(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, in.Close()) }()
			if number > 0 {
				return showRevision(cmd, in, number, asJSON)
			}
			list, err := in.History(cmd.Context(), object, limit)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), list)
			}
			p := printer(cmd.OutOrStdout())
			for i := range list {
				if err := p.Revision(&list[i], maxShown); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&object, "object", "", "only changes of this object: kind:name such as stage:password, or the slug of a flow")
	cmd.Flags().IntVar(&limit, "limit", 20, "how many changes to list")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func showRevision(cmd *cobra.Command, in *weir.Installation, number int64, asJSON bool) error {
	r, changes, err := in.Revision(cmd.Context(), number)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), struct {
			*weir.Revision
			Changes []weir.Difference `json:"changes"`
		}{r, changes})
	}
	p := printer(cmd.OutOrStdout())
	head := *r
	head.Changes = nil
	return errors.Join(p.Revision(&head, 0), p.Objects(changes))
}

func revisionNumber(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0, errUsage{fmt.Errorf("%q is no number of a revision", s)}
	}
	return n, nil
}

func diffCommand(s *settings) *cobra.Command {
	var object string
	var asJSON, drift bool
	cmd := &cobra.Command{
		Use:   "diff REVISION [REVISION] | FILE [FILE] | --drift",
		Short: "Compare revisions and blueprints",
		Long: "Diff tells what differs, object by object and field by field:\n" +
			"  diff 12          what has changed since revision 12\n" +
			"  diff 11 12       what differs between two revisions\n" +
			"  diff a.yaml      what applying the file would change\n" +
			"  diff a.yaml b.yaml  what the second file would make otherwise than the first\n" +
			"  diff --drift     what has been changed since blueprints were applied by themselves\n" +
			"It changes nothing, and exits with 0 when nothing differs and 3 when something does.",
		Args: usage(cobra.MaximumNArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if drift != (len(args) == 0) {
				return errUsage{errors.New("name revisions or files, or ask for --drift")}
			}
			in, err := s.connect(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, in.Close()) }()
			if drift {
				return showDrift(cmd, in, asJSON)
			}
			if revisions, ok := numbers(args); ok {
				to := int64(0)
				if len(revisions) == 2 {
					to = revisions[1]
				}
				changes, err := in.Diff(cmd.Context(), revisions[0], to, object)
				if err != nil {
					return err
				}
				return compared(cmd, changes, asJSON, "%s")
			}
			if object != "" {
				return errUsage{errors.New("--object is for revisions")}
			}
			if len(args) == 1 {
				return plan(cmd, in.ForceApply, args, asJSON)
			}
			changes, err := in.DiffBlueprints(cmd.Context(), args[0], args[1])
			if err != nil {
				return refused(err)
			}
			return compared(cmd, changes, asJSON, "%s")
		},
	}
	cmd.Flags().StringVar(&object, "object", "", "only this object: kind:name such as stage:password, or the slug of a flow")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&drift, "drift", false, "compare with the blueprints that are applied by themselves")
	return cmd
}

// numbers reads arguments that are all numbers of revisions.
func numbers(args []string) (out []int64, ok bool) {
	for _, s := range args {
		n, err := revisionNumber(s)
		if err != nil {
			return nil, false
		}
		out = append(out, n)
	}
	return out, true
}

func showDrift(cmd *cobra.Command, in *weir.Installation, asJSON bool) error {
	all, err := in.Drift(cmd.Context())
	if err != nil {
		return err
	}
	if asJSON {
		if err := printJSON(cmd.OutOrStdout(), all); err != nil {
			return err
		}
	}
	p, differs := printer(cmd.OutOrStdout()), false
	for _, d := range all {
		differs = differs || d.Problem != "" || len(d.Changes) > 0
		if asJSON {
			continue
		}
		state := fmt.Sprintf("%d differ", len(d.Changes))
		switch {
		case d.Problem != "":
			state = "cannot be applied: " + d.Problem
		case len(d.Changes) == 0:
			state = "as applied"
		}
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", d.Blueprint, state); err != nil {
			return err
		}
		if err := p.Objects(d.Changes); err != nil {
			return err
		}
	}
	if differs {
		return errDiffers
	}
	return nil
}

func rollbackCommand(s *settings) *cobra.Command {
	var r weir.Rollback
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rollback REVISION",
		Short: "Make the configuration what it was at a revision",
		Long: "Rollback writes a new revision with the content of an old one: of the whole configuration or of some objects.\n" +
			"It is refused when something cannot be as it was, such as a reference to a user who has been deleted.\n" +
			"With --dry-run it changes nothing, and exits with 0 when there is nothing to do and 3 when there is.",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if r.To, err = revisionNumber(args[0]); err != nil {
				return err
			}
			in, err := s.connect(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, in.Close()) }()
			made, changes, err := in.Rollback(cmd.Context(), r)
			if err != nil {
				return fmt.Errorf("nothing was changed:\n%w", err)
			}
			if r.DryRun {
				return compared(cmd, changes, asJSON, "would be %s")
			}
			if err := compared(cmd, changes, asJSON, "%s"); err != nil && !errors.Is(err, errDiffers) {
				return err
			}
			if made > 0 && !asJSON {
				fmt.Fprintf(cmd.OutOrStdout(), "this is revision %d\n", made)
			}
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&r.Objects, "object", nil, "only this object: kind:name such as stage:password, or the slug of a flow; may be repeated")
	cmd.Flags().BoolVar(&r.DryRun, "dry-run", false, "print what would change and change nothing")
	cmd.Flags().BoolVar(&r.Force, "force", false, "go back also where that would lock everybody out; see docs/lockout.md")
	cmd.Flags().BoolVar(&r.Unlink, "unlink", false, "give up references to users and groups that have been deleted")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
