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
	chromedp.ListenTarget(b.ctx, func(event any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Source != log.SourceNetwork && (e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning) {
				b.console = append(b.console, e.Entry.Text)
			}
		case *runtime.EventExceptionThrown:
			b.console = append(b.console, fmt.Sprint(e.ExceptionDetails.Error()))
		}
	})
	b.t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, line := range b.console {
			b.t.Errorf("the browser reports: %s", line)
		}
	})
}
