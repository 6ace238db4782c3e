// Package chromium is the browser of the tests: one process for all tests of a
// package, in which each gets a profile of its own. It knows no pages.
package chromium

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long one tab may be used, on a machine that is busy.
const patience = 5 * time.Minute

var (
	start = sync.OnceValues(launch)
	stop  = func() {}
)

func launch() (context.Context, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "weir-chromium")
	if err != nil {
		return nil, err
	}
	browser, cancel := chromedp.NewContext(context.Background(), chromedp.WithAllocatorOptions(chromedp.ExecPath(path), chromedp.UserDataDir(dir),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.WSURLReadTimeout(60*time.Second)))
	if err := chromedp.Do(browser); err != nil {
		cancel()
		return nil, err
	}
	stop = func() { cancel(); _ = os.RemoveAll(dir) }
	return browser, nil
}

// Stop ends the browser; TestMain calls it after the last test.
func Stop() { stop() }

// Open opens a tab in a fresh profile. A machine without Chromium skips the
// test, in CI it fails. The test fails at its end when the browser reported
// anything; see complaints.
func Open(t testing.TB) context.Context {
	t.Helper()
	browser, err := start()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("start chromium: %v", err)
		}
		t.Skipf("no chromium to click with: %v", err)
	}
	return open(t, browser, chromedp.WithNewBrowserContext())
}

// Sibling opens another tab of the same profile.
func Sibling(t testing.TB, tab context.Context) context.Context {
	t.Helper()
	return open(t, tab)
}

func open(t testing.TB, parent context.Context, options ...chromedp.ContextOption) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent, options...)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // without a deadline, which would end the browser
		t.Fatalf("open tab: %v", err)
	}
	ctx, cancel = context.WithTimeout(ctx, patience)
	t.Cleanup(cancel)
	complaints(t, ctx)
	return ctx
}

// complaints fails the test at its end when the browser reported anything:
// a blocked style, a script error, a form that a policy stopped. Answers with
// an error status are the server's word and no complaint.
func complaints(t testing.TB, ctx context.Context) {
	var mu sync.Mutex
	var lines []string
	err := chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Source != "network" && (e.Entry.Level == "error" || e.Entry.Level == "warning") {
				lines = append(lines, e.Entry.Text)
			}
		case *runtime.EventExceptionThrown:
			lines = append(lines, fmt.Sprintf("%s (%s:%d)", e.ExceptionDetails.Text, e.ExceptionDetails.URL, e.ExceptionDetails.LineNumber))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, line := range lines {
			t.Errorf("the browser reports: %s", line)
		}
	})
}
