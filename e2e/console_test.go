package e2e

import (
	"fmt"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// watchConsole fails the test at its end when the browser reported anything:
// a blocked style, a script error, a form that a policy stopped. Answers with
// an error status are the server's word and no complaint.
func (b *tab) watchConsole() {
	err := chromedp.Listen(b.ctx, func(event any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Source != "network" && (e.Entry.Level == "error" || e.Entry.Level == "warning") {
				b.console = append(b.console, e.Entry.Text)
			}
		case *runtime.EventExceptionThrown:
			b.console = append(b.console, fmt.Sprintf("%s (%s:%d)", e.ExceptionDetails.Text, e.ExceptionDetails.URL, e.ExceptionDetails.LineNumber))
		}
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, line := range b.console {
			b.t.Errorf("the browser reports: %s", line)
		}
	})
}
