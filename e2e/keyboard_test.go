package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// stop describes what has the focus, and what is wrong with how it shows that:
// no ring, outside of the window, or below something else.
const stop = `(() => {
	const e = document.activeElement, s = getComputedStyle(e), r = e.getClientRects()[0];
	const words = e.localName + (e.id ? "#" + e.id : "") + (e.getAttribute("role") ? "[" + e.getAttribute("role") + "]" : "") + " " + (e.getAttribute("aria-label") ?? e.innerText ?? "").trim();
	if (e === document.body) return "nothing";
	const problems = [];
	if (s.outlineStyle !== "solid" || parseFloat(s.outlineWidth) < 3) problems.push("no ring");
	const top = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
	if (!top || !(e.contains(top) || top.contains(e))) problems.push("not to be seen");
	return words + (problems.length ? " BUT " + problems.join(", ") : "");
})()`

// focus waits until something has the focus whose description begins so.
func (b *tab) focus(want string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	got := b.try(stop)
	for !strings.HasPrefix(got, want) && ctx.Err() == nil {
		<-tick.C
		got = b.try(stop)
	}
	if !strings.HasPrefix(got, want) || strings.Contains(got, " BUT ") {
		b.t.Fatalf("the focus is at %q, want %q, at %s\n%s", got, want, b.path(), b.try("document.body.innerText"))
	}
}

// keys types, one key after the other.
func (b *tab) keys(keys string, options ...chromedp.KeyOption) {
	b.t.Helper()
	b.run(chromedp.KeyEvent(keys, options...))
}

// enter presses Enter as a keyboard does: a key that a link has taken types
// nothing into the field to which the link leads.
func (b *tab) enter() {
	b.t.Helper()
	for _, what := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeRawKeyDown, input.DispatchKeyEventTypeChar, input.DispatchKeyEventTypeKeyUp} {
		p := input.DispatchKeyEventParams{Type: what, Key: "Enter", Code: "Enter", WindowsVirtualKeyCode: 13, NativeVirtualKeyCode: 13}
		if what == input.DispatchKeyEventTypeChar {
			p.Text = "\r"
		}
		if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, p); err != nil {
			b.t.Fatalf("press Enter: %v", err)
		}
	}
}

// tabTo presses Tab until something has the focus whose description begins so;
// each stop on the way shows that it has the focus.
func (b *tab) tabTo(want string) {
	b.t.Helper()
	var way []string
	for range 20 {
		b.keys(kb.Tab)
		at := b.try(stop)
		if way = append(way, at); strings.Contains(at, " BUT ") {
			break
		}
		if strings.HasPrefix(at, want) {
			return
		}
	}
	b.t.Fatalf("Tab does not lead to %q at %s but to:\n%s", want, b.path(), strings.Join(way, "\n"))
}

// newKeyboard is a tab that behaves as the one in front does.
func newKeyboard(t *testing.T, base string, js bool) *tab {
	t.Helper()
	b := newTab(t, base, js)
	if _, err := chromedp.Call(b.ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestKeyboardAloneSignsInAndOut(t *testing.T) {
	for name, js := range map[string]bool{"with script": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sharedSite(t, "sqlite")
			user := s.user(t, "Keyboard")
			b := newKeyboard(t, s.URL, js)
			b.open("/")
			b.focus("input#uid_field")
			b.keys(user.name)
			b.enter()
			b.sees("Enter your password")
			b.focus("input#password")

			// A page with one field shows the mistake there, where the next key goes.
			b.keys("wrong")
			b.enter()
			b.sees("Error")
			b.focus("input#password")
			b.keys(user.password)
			b.enter()
			b.at("/if/user/")
			b.tabTo("button Sign out")
			b.enter()
			b.at("/if/flow/")
			b.open("/if/user/")
			b.at("/if/flow/")
		})
	}
}

func TestKeyboardAloneMendsAMistake(t *testing.T) {
	for name, js := range map[string]bool{"with script": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sharedSite(t, "sqlite")
			user := s.user(t, "Mistaken")
			b := newKeyboard(t, s.URL, js)
			b.open("/if/flow/remember-none/")
			b.focus("input#uid_field")
			b.enter()
			b.sees("There is a problem")
			b.focus("div[alert] There is a problem")

			// The link of the summary leads to its field.
			b.tabTo("a Enter your user name")
			b.enter()
			b.focus("input#uid_field")
			b.keys(user.name)
			b.keys(kb.Tab)
			b.focus("input#password")
			b.keys("correct ")
			if js {
				b.keys(kb.Tab)
				b.focus("button Show password")
				b.keys(" ")
				b.focus("button Hide password")
				if got := b.try(`document.getElementById("password").type`); got != "text" {
					t.Errorf("the password stays hidden: %q", got)
				}
				b.keys(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift))
				b.focus("input#password")
				b.keys(kb.End)
			}
			b.keys(strings.TrimPrefix(user.password, "correct "))
			b.enter()
			b.at("/if/user/")
		})
	}
}
