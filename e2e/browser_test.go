package e2e

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// chromium is one browser for all tests of the process; every test gets a
// profile of its own in it.
var chromium = sync.OnceValues(func() (context.Context, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "weir-e2e-chromium")
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(dir),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.WSURLReadTimeout(60*time.Second))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	browser, _ := chromedp.NewContext(allocator)
	if err := chromedp.Run(browser); err != nil {
		stop()
		return nil, err
	}
	cleanups = append(cleanups, func() { stop(); _ = os.RemoveAll(dir) })
	return browser, nil
})

// cleanups run after the last test, the newest first.
var cleanups []func()

func TestMain(m *testing.M) {
	code := m.Run()
	if code != 0 {
		_, _ = os.Stderr.Write(logFile.data)
	}
	for i := len(cleanups) - 1; i >= 0; i-- {
		cleanups[i]()
	}
	os.Exit(code)
}

// tab is one tab of a browser profile.
type tab struct {
	t    *testing.T
	ctx  context.Context
	base string
	mu   sync.Mutex
	// console holds what the page complained about: CSP reports, script errors.
	console []string
}

// newTab opens a tab in a fresh profile; script off when js is false.
func newTab(t *testing.T, base string, js bool) *tab {
	t.Helper()
	browser, err := chromium()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("start chromium: %v", err)
		}
		t.Skipf("no chromium to click with: %v", err)
	}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	return prepare(t, ctx, base, js)
}

// sibling opens another tab of the same profile.
func (b *tab) sibling(js bool) *tab {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	b.t.Cleanup(cancel)
	return prepare(b.t, ctx, b.base, js)
}

func prepare(t *testing.T, ctx context.Context, base string, js bool) *tab {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx, base: base}
	b.watchConsole()
	b.run(network.Enable(), emulation.SetScriptExecutionDisabled(!js))
	return b
}

func (b *tab) run(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatalf("browser: %v\nat %s\n%s", err, b.try("location.pathname"), b.try("document.body ? document.body.innerText : ''"))
	}
}

// try evaluates a script for an error message.
func (b *tab) try(script string) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), 5*time.Second)
	defer cancel()
	var s string
	_ = chromedp.Run(ctx, chromedp.Evaluate(script, &s))
	return s
}

// open navigates as a person who types an address.
func (b *tab) open(path string) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.base + path))
}

// fill types into a field found by its id, over what is there.
func (b *tab) fill(id, text string) {
	b.t.Helper()
	b.run(chromedp.WaitVisible("#"+id, chromedp.ByQuery), chromedp.SetValue("#"+id, "", chromedp.ByQuery), chromedp.SendKeys("#"+id, text, chromedp.ByQuery))
}

// press clicks a button and waits for the page that follows.
func (b *tab) press(selector string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(selector, chromedp.ByQuery)); err != nil {
		b.t.Fatalf("press %s: %v\nat %s\n%s", selector, err, b.path(), b.try("document.body.innerText"))
	}
}

// submit presses the primary button of the page.
func (b *tab) submit() { b.t.Helper(); b.press("main form button.primary") }

func (b *tab) path() string {
	var s string
	if err := chromedp.Run(b.ctx, chromedp.Location(&s)); err != nil {
		return err.Error()
	}
	return strings.TrimPrefix(s, b.base)
}

func (b *tab) text() string {
	b.t.Helper()
	var s string
	b.run(chromedp.WaitReady("body", chromedp.ByQuery), chromedp.Text("body", &s, chromedp.ByQuery))
	return s
}

// sees waits until the page shows a text.
func (b *tab) sees(want string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var s string
		if err := chromedp.Run(ctx, chromedp.Text("body", &s, chromedp.ByQuery)); err == nil && strings.Contains(s, want) {
			return
		}
		select {
		case <-ctx.Done():
			b.t.Fatalf("the page at %s does not show %q:\n%s", b.path(), want, b.try("document.body.innerText"))
		case <-tick.C:
		}
	}
}

// at waits until the tab is at a path that begins so.
func (b *tab) at(prefix string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !strings.HasPrefix(b.path(), prefix) {
		select {
		case <-ctx.Done():
			b.t.Fatalf("the browser is at %s, not at %s:\n%s", b.path(), prefix, b.try("document.body.innerText"))
		case <-tick.C:
		}
	}
}

// cookie returns the session cookie; nil when there is none.
func (b *tab) cookie(name string) *network.Cookie {
	b.t.Helper()
	var found *network.Cookie
	b.run(chromedp.ActionFunc(func(ctx context.Context) error {
		cookies, err := network.GetCookies().WithURLs([]string{b.base}).Do(ctx)
		for _, c := range cookies {
			if c.Name == name {
				found = c
			}
		}
		return err
	}))
	return found
}

func status(t *testing.T, url string) int {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}
