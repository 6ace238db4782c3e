// Command weir runs an identity flow engine and looks after its installation:
// it serves the pages and the API, applies and exports blueprints, tells and undoes what has
// become of the configuration, proves flows, sends
// test mails, makes set-up links, and creates users.
//
// It exits with 0 when all went well, 1 when the work could not be done, and 2
// when it was called or set up wrongly. Commands that only compare exit with 3
// when something differs.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, newRoot(), os.Args[1:]))
}

// errUsage marks errors of calling or setting up the program.
type errUsage struct{ error }

func (e errUsage) Unwrap() error { return e.error }

// run executes the command and returns the exit code.
func run(ctx context.Context, root *cobra.Command, args []string) int {
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if errors.Is(err, errDiffers) {
		return 3
	}
	fmt.Fprintln(root.ErrOrStderr(), "weir:", err)
	var usage errUsage
	if errors.As(err, &usage) {
		return 2
	}
	return 1
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "weir",
		Short:         "An identity flow engine",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          usage(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	s := addSettings(root)
	root.AddCommand(serveCommand(s), applyCommand(s), diffCommand(s), exportCommand(s), historyCommand(s), mailCommand(s), proveCommand(s), rollbackCommand(s), setupLinkCommand(s), userCommand(s), versionCommand())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return errUsage{err} })
	return root
}

// usage marks the errors of checking arguments.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return errUsage{err}
		}
		return nil
	}
}
