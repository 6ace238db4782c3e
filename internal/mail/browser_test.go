package mail_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/weir-id/weir/internal/chromium"
)

func TestMain(m *testing.M) {
	code := m.Run()
	chromium.Stop()
	os.Exit(code)
}

// checks are what a reader needs: all text within the width, and each one with the
// contrast of WCAG 1.4.3 on what is behind it.
const checks = `(() => {
	const bad = [], parse = c => c.match(/[\d.]+/g).map(Number);
	const light = c => { const [r, g, b] = parse(c).map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b };
	if (document.documentElement.scrollWidth > innerWidth) bad.push("scrolls sideways: " + document.documentElement.scrollWidth);
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	let seen = 0;
	while (walk.nextNode()) {
		const e = walk.currentNode.parentElement;
		if (!walk.currentNode.data.trim() || !e.checkVisibility()) continue;
		seen++;
		let ground = e;
		while (ground && (parse(getComputedStyle(ground).backgroundColor)[3] ?? 1) < 1) ground = ground.parentElement;
		const [a, b] = [light(getComputedStyle(e).color), ground ? light(getComputedStyle(ground).backgroundColor) : 1].sort((x, y) => y - x);
		if ((a + .05) / (b + .05) < 4.5) bad.push(walk.currentNode.data + ": contrast " + (a + .05) / (b + .05));
	}
	if (seen < 5) bad.push("only " + seen + " texts");
	return bad.join("\n") + "|" + getComputedStyle(document.body).backgroundColor;
})()`

// TestMailsInABrowser: light and dark, on a wide and on a narrow screen.
func TestMailsInABrowser(t *testing.T) {
	m := builtin(t)
	pages := map[string]string{}
	for _, name := range m.Names() {
		long := "https://id.example.org/" + strings.Repeat("x", 120)
		_, _, text, err := m.Preview(name, "de", map[string]any{"code": "123456", "title": "Somebody signed in from a place that is new", "link": long, "url": long, "link_label": "See the event",
			"source": "weir.flow", "key_value": map[string]any{"client_ip": "192.0.2.7", "a_name_without_a_blank_that_is_long": strings.Repeat("x", 120)}})
		if err != nil {
			t.Fatal(err)
		}
		pages["/"+name] = text
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, pages[r.URL.Path])
	}))
	defer srv.Close()
	tab := chromium.Open(t)
	for _, view := range []struct {
		scheme string
		width  int64
		ground string
	}{{"light", 800, "rgb(238, 241, 245)"}, {"dark", 800, "rgb(15, 20, 25)"}, {"light", 320, "rgb(238, 241, 245)"}, {"dark", 360, "rgb(15, 20, 25)"}} {
		if _, err := chromedp.Call(tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: view.width, Height: 700, DeviceScaleFactor: 1}); err != nil {
			t.Fatal(err)
		}
		if _, err := chromedp.Call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: view.scheme}}}); err != nil {
			t.Fatal(err)
		}
		for name := range pages {
			if err := chromedp.Do(tab, chromedp.Navigate(srv.URL+name)); err != nil {
				t.Fatal(err)
			}
			got, err := chromedp.Run(tab, chromedp.Evaluate[string](checks))
			if err != nil {
				t.Fatal(err)
			}
			if problems, ground, _ := strings.Cut(got, "|"); problems != "" || ground != view.ground {
				t.Errorf("%s, %s, %d wide, on %s: %s", name, view.scheme, view.width, ground, problems)
			}
			if folder := os.Getenv("WEIR_SCREENSHOTS"); folder != "" {
				all := true
				shot, err := chromedp.Call(tab, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &all})
				if err != nil {
					t.Fatal(err)
				}
				if err := os.MkdirAll(folder, 0o755); err != nil {
					t.Fatal(err)
				}
				file := fmt.Sprintf("mail-%s.%s.%d.png", strings.ReplaceAll(strings.Trim(name, "/"), "/", "-"), view.scheme, view.width)
				if err := os.WriteFile(filepath.Join(folder, file), shot.Data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
