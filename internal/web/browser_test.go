package web_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/weir-id/weir/internal/chromium"
)

func TestMain(m *testing.M) {
	code := m.Run()
	chromium.Stop()
	os.Exit(code)
}

// axePath is the accessibility checker, which scripts/test-deps.sh installs.
const axePath = "../../e2e/client/node_modules/axe-core/axe.min.js"

//go:embed testdata/checks.js
var checks string

// view is a way to look at a page.
type view struct {
	name          string
	width, height int64
	dark, mobile  bool
	language      string
	// probe looks at one page that the view has loaded.
	probe func(v *viewer)
}

// views load every state once each, side by side.
var views = []view{
	{name: "light-desktop", width: 1280, height: 800, language: "en", probe: func(v *viewer) {
		v.picture()
		v.check("", "axe()", "ground()", "targets()", "focus()", "overflow()", "motion()")
		v.media(false, true)
		v.check("forced colours", "borders()", "focus()")
		v.media(true, true)
		v.check("forced colours, dark", "borders()", "focus()")
		v.media(false, false)
		v.resize(640, 400)
		v.check("zoom of 200 %", "overflow()", "focus()")
	}},
	{name: "dark-desktop", width: 1280, height: 800, dark: true, language: "en", probe: func(v *viewer) {
		v.picture()
		v.check("", `axe("colours")`, "ground()")
	}},
	{name: "light-phone", width: 360, height: 740, mobile: true, language: "en", probe: func(v *viewer) {
		v.picture()
		v.check("", "axe()", "ground()", "targets()", "overflow()")
		v.resize(740, 360)
		v.check("landscape", "overflow()", "focus()")
		v.resize(320, 256)
		v.check("320 wide", "overflow()", "focus()")
		v.check("320 wide, spaced text", "spacing(true)", "overflow()", "spacing(false)")
		v.resize(640, 800)
		v.check("text of 200 %", `textSize("200%")`, "overflow()", `textSize("")`)
	}},
	{name: "dark-phone", width: 360, height: 740, dark: true, mobile: true, language: "en", probe: func(v *viewer) {
		v.picture()
		v.check("", `axe("colours")`, "ground()")
	}},
	{name: "german", width: 320, height: 640, mobile: true, language: "de", probe: (*viewer).words},
	{name: "french", width: 320, height: 640, mobile: true, language: "fr", probe: (*viewer).words},
	{name: "spanish", width: 320, height: 640, mobile: true, language: "es", probe: (*viewer).words},
}

// viewer is a tab with one state in it.
type viewer struct {
	*testing.T
	ctx context.Context
	view
	// state is the page, world where the checks run.
	state string
	world runtime.ExecutionContextID
}

// worldName is where the checks run: beside the page, whose policy does not
// reach them and stays in force.
const worldName = "checks"

// prepare leaves the checks in the tab.
func (v *viewer) prepare(script string) {
	call(v, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script, WorldName: worldName})
}

// look loads a state and probes it.
func (v *viewer) look(base, state string) {
	v.state = state
	v.resize(v.width, v.height)
	v.media(v.dark, false)
	if err := chromedp.Do(v.ctx, chromedp.Navigate(fmt.Sprintf("%s/state/%s/%s", base, v.language, state))); err != nil {
		v.Errorf("%s, %s: %v", v.state, v.name, err)
		return
	}
	// The world of the script that prepare has left in the tab.
	world := call(v, page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{FrameID: cdp.FrameID(chromedp.FromContext(v.ctx).Target.TargetID), WorldName: worldName})
	v.world = world.ExecutionContextID
	v.evaluate(`document.querySelectorAll("details").forEach((d) => { d.open = true }); []`)
	v.probe(v)
}

// check runs checks of the script.
func (v *viewer) check(when string, names ...string) {
	for _, name := range names {
		for _, problem := range v.evaluate("weir." + name) {
			v.Errorf("%s, %s%s, %s: %s", v.state, v.name, strings.TrimSuffix(" in "+when, " in "), name, problem)
		}
	}
}

func (v *viewer) evaluate(script string) []string {
	yes := true
	got := call(v, runtime.Evaluate, runtime.EvaluateParams{Expression: script, ContextID: v.world, AwaitPromise: &yes, ReturnByValue: &yes})
	if got.ExceptionDetails != nil {
		return []string{got.ExceptionDetails.Text + " " + got.ExceptionDetails.Exception.Description}
	}
	if got.Result == nil {
		return nil // call has said why
	}
	var list []string
	if err := json.Unmarshal(got.Result.Value, &list); err != nil {
		return []string{err.Error()}
	}
	return list
}

func (v *viewer) resize(width, height int64) {
	call(v, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: v.mobile})
}

// media chooses the theme and whether the person's own colours replace ours.
// Motion is always reduced, so that nothing is measured on its way.
func (v *viewer) media(dark, forced bool) {
	features := []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}, {Name: "prefers-color-scheme", Value: "light"}, {Name: "forced-colors", Value: "none"}}
	if dark {
		features[1].Value = "dark"
	}
	if forced {
		features[2].Value = "active"
	}
	call(v, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
}

// picture keeps how the whole page looks, where WEIR_SCREENSHOTS names a folder.
func (v *viewer) picture() {
	folder := os.Getenv("WEIR_SCREENSHOTS")
	if folder == "" {
		return
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		v.Error(err)
	}
	yes := true
	clip := &page.Viewport{Width: float64(v.width), Scale: 1}
	for _, height := range v.evaluate("[String(Math.max(innerHeight, document.documentElement.scrollHeight))]") {
		_, _ = fmt.Sscan(height, &clip.Height)
	}
	shot := call(v, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &yes, Clip: clip})
	if err := os.WriteFile(filepath.Join(folder, v.state+"."+v.name+".png"), shot.Data, 0o600); err != nil {
		v.Error(err)
	}
}

// call sends a command to the tab; a failure is an error of the test.
func call[P, R any](v *viewer, c cdp.Command[P, R], params P) R {
	got, err := chromedp.Call(v.ctx, c, params)
	if err != nil {
		v.Errorf("%s, %s: %v", v.state, v.name, err)
	}
	return got
}

// fits tells whether a view has to load a state: the layouts and names are the
// same in all languages.
func (v *viewer) fits(state string) bool {
	return v.language == "en" || !strings.HasPrefix(state, "layout-") && !strings.HasPrefix(state, "name-")
}

// words checks what depends on the language alone.
func (v *viewer) words() { v.check("", `axe("words")`, "overflow()") }

// browserChecks are axe and our own checks.
func browserChecks(t *testing.T) string {
	t.Helper()
	axe, err := os.ReadFile(axePath)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("no axe-core; run scripts/test-deps.sh: %v", err)
	}
	return string(axe) + checks
}

// TestEveryStateIsFitForEverybody looks at each state of each page in light and
// dark, on a desktop and a phone, in each language: WCAG 2.2 AA by axe, an
// opaque ground below all text, the focus always seen, no sideways scrolling at
// 320 pixels, with spaced or larger text, at 200 % and in landscape, controls
// large enough, borders in forced colours, nothing that moves.
func TestEveryStateIsFitForEverybody(t *testing.T) {
	t.Parallel()
	script := browserChecks(t)
	base, names := states(t)
	var wait sync.WaitGroup
	for _, view := range views {
		ctx := chromium.Open(t)
		wait.Go(func() {
			v := &viewer{T: t, ctx: ctx, view: view}
			v.prepare(script)
			for _, name := range names {
				if v.fits(name) {
					v.look(base, name)
				}
			}
		})
	}
	wait.Wait()
}

// A check that finds nothing anywhere would pass for ever.
func TestTheChecksOfPagesFindWhatIsWrong(t *testing.T) {
	t.Parallel()
	script := browserChecks(t)
	base, _ := states(t)
	v := &viewer{T: t, ctx: chromium.Open(t), view: view{width: 800, height: 600, language: "en", probe: func(v *viewer) {
		want := map[string]string{`axe()`: "axe label", `axe("colours")`: "axe color-contrast", "ground()": "lies on the picture", "targets()": "Small is",
			"overflow()": "wide, the window 800", "focus()": "has the ring", "motion()": "has the transition", "borders()": "has the border"}
		for check, text := range want {
			if got := strings.Join(v.evaluate("weir."+check), "\n"); !strings.Contains(got, text) {
				t.Errorf("%s does not report %q but:\n%s", check, text, got)
			}
		}
	}}}
	v.prepare(script)
	v.look(base, "faulty")
}
