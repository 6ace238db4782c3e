package web_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"github.com/weir-id/weir/internal/chromium"
	"github.com/weir-id/weir/internal/stages/captcha"
	"github.com/weir-id/weir/internal/stages/captcha/captchatest"
)

// shows runs a script on a state that returns lines, and compares them.
func (v *viewer) shows(base, state, script string, want ...string) {
	v.Helper()
	v.probe = func(v *viewer) {
		if got := v.evaluate("(async () => { " + script + " })()"); fmt.Sprint(got) != fmt.Sprint(want) {
			v.Errorf("%s shows %q, want %q", state, got, want)
		}
	}
	v.look(base, state)
}

// token waits for the hidden field.
const token = `const field = document.querySelector("#captcha input"), said = document.getElementById("live");
	while (!field.value) await new Promise((r) => setTimeout(r, 10));
	return [field.name, field.value, said.textContent];`

// TestBrowserDoesTheWork: what the module finds is what package captcha asks for.
func TestBrowserDoesTheWork(t *testing.T) {
	t.Parallel()
	base, _ := states(t)
	v := &viewer{T: t, ctx: chromium.Open(t), view: view{name: "work", width: 800, height: 600, language: "en"}}
	piece := samples()["captcha"].Challenge.Body.(*captcha.Challenge).SiteKey
	v.shows(base, "captcha", token, "token", captchatest.Solve(piece), "Check passed")
	v.shows(base, "captcha-embedded", token, "captcha_token", captchatest.Solve(piece), "Check passed")
	v.shows(base, "captcha-widget", `document.querySelector(".widget button").click(); `+token, "token", "token of site", "Check passed")
}

// TestCaptchaWithoutScriptSaysWhatItNeeds: and offers no button that does nothing.
func TestCaptchaWithoutScriptSaysWhatItNeeds(t *testing.T) {
	t.Parallel()
	base, _ := states(t)
	v := &viewer{T: t, ctx: chromium.Open(t), view: view{name: "no script", width: 800, height: 600, language: "en"}}
	call(v, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	const seen = `const shown = (s) => [...document.querySelectorAll(s)].filter((e) => e.checkVisibility()).map((e) => e.textContent);
		return [...shown("noscript h2"), ...shown("progress"), ...shown(".primary")];`
	v.shows(base, "captcha", seen, "This check needs JavaScript")
	v.shows(base, "captcha-embedded", seen, "This check needs JavaScript", "Sign in")
}
