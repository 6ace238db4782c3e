package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/weir-id/weir/internal/chromium"
)

// cleanups run after the last test, the newest first.
var (
	cleanupsMu sync.Mutex
	cleanups   []func()
)

func atTheEnd(f func()) {
	cleanupsMu.Lock()
	defer cleanupsMu.Unlock()
	cleanups = append(cleanups, f)
}

func TestMain(m *testing.M) {
	code := m.Run()
	if code != 0 {
		_, _ = os.Stderr.Write(logFile.data)
	}
	chromium.Stop()
	for i := len(cleanups) - 1; i >= 0; i-- {
		cleanups[i]()
	}
	if trailLeaked.Load() {
		code = max(code, 1)
	}
	os.Exit(code)
}

// tab is one tab of a browser profile.
type tab struct {
	t    *testing.T
	ctx  context.Context
	base string
}

// newTab opens a tab in a fresh profile; script off when js is false.
func newTab(t *testing.T, base string, js bool) *tab {
	t.Helper()
	return prepare(t, chromium.Open(t), base, js)
}

// sibling opens another tab of the same profile.
func (b *tab) sibling(js bool) *tab {
	b.t.Helper()
	return prepare(b.t, chromium.Sibling(b.t, b.ctx), b.base, js)
}

func prepare(t *testing.T, ctx context.Context, base string, js bool) *tab {
	t.Helper()
	if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !js}); err != nil {
		t.Fatalf("browser: %v", err)
	}
	return &tab{t: t, ctx: ctx, base: base}
}

func (b *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatalf("browser: %v\nat %s\n%s", err, b.try("location.pathname"), b.try("document.body ? document.body.innerText : ''"))
	}
}

// try evaluates a script for an error message.
func (b *tab) try(script string) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), 5*time.Second)
	defer cancel()
	s, _ := chromedp.Run(ctx, chromedp.Evaluate[string](script))
	return s
}

// open navigates as a person who types an address.
func (b *tab) open(path string) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.base + path))
}

// back goes one page back in the history, without waiting for anything: a page
// that comes back from memory does not load.
func (b *tab) back() {
	b.t.Helper()
	history, err := chromedp.Run(b.ctx, chromedp.NavigationEntries())
	if err == nil {
		entry := history.Entries[history.CurrentIndex-1]
		_, err = chromedp.Call(b.ctx, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: entry.ID})
	}
	if err != nil {
		b.t.Fatalf("go back: %v", err)
	}
}

// answerRestored fills in a field and submits its form on a page that came back
// from memory, which the driver's own view of the page does not follow.
func (b *tab) answerRestored(id, text string) {
	b.t.Helper()
	script := fmt.Sprintf(`(() => { const field = document.getElementById(%q); field.value = %q; field.form.querySelector("button.primary").click(); return "" })()`, id, text)
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](script)); err != nil {
		b.t.Fatalf("answer: %v", err)
	}
}

// fill types into a field found by its id, over what is there.
func (b *tab) fill(id, text string) {
	b.t.Helper()
	field := chromedp.CSS("#" + id)
	b.run(chromedp.WaitVisible(field), chromedp.Clear(field), chromedp.SendKeys(field, text))
}

// press clicks a button and waits for the page that follows.
func (b *tab) press(selector string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
		b.t.Fatalf("press %s: %v\nat %s\n%s", selector, err, b.path(), b.try("document.body.innerText"))
	}
}

// submit presses the primary button of the page.
func (b *tab) submit() { b.t.Helper(); b.press("main form button.primary") }

func (b *tab) path() string {
	s, err := chromedp.Run(b.ctx, chromedp.Location())
	if err != nil {
		return err.Error()
	}
	return strings.TrimPrefix(s, b.base)
}

// sees waits until the page shows a text.
func (b *tab) sees(want string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if s, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body ? document.body.innerText : ''")); err == nil && strings.Contains(s, want) {
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
	answer, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{b.base}})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range answer.Cookies {
		if c.Name == name {
			return c
		}
	}
	return nil
}
