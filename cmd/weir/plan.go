package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/weir-id/weir"
	"github.com/weir-id/weir/internal/history"
)

// errDiffers ends a command that compares with 3: there are differences, which
// have been printed.
var errDiffers = errors.New("there are differences")

// printer writes differences, in colour on a terminal unless the person has
// asked for none (NO_COLOR).
func printer(w io.Writer) *history.Printer {
	f, ok := w.(*os.File)
	return &history.Printer{Writer: w, Colour: ok && os.Getenv("NO_COLOR") == "" && term.IsTerminal(int(f.Fd()))}
}

// printJSON writes a value for programs.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// compared prints differences; the error is errDiffers when there are some.
func compared(cmd *cobra.Command, changes []weir.Difference, asJSON bool, summary string) error {
	var err error
	if asJSON {
		err = printJSON(cmd.OutOrStdout(), changes)
	} else {
		err = printer(cmd.OutOrStdout()).Objects(changes)
		if err == nil {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), summary+"\n", history.Summary(changes))
		}
	}
	if err == nil && len(changes) > 0 {
		err = errDiffers
	}
	return err
}
