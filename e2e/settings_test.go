package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cdp "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"github.com/weir-id/weir/internal/stages/authenticatortotp/totptest"
	"github.com/weir-id/weir/internal/store/dial"
)

// age makes the sessions of somebody as old as that.
func (s *site) age(t *testing.T, a account, by time.Duration) {
	t.Helper()
	db, err := dial.Open(t.Context(), s.database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(t.Context(), "update sessions set created = $1 where user_id = $2", time.Now().UTC().Add(-by), a.id); err != nil {
		t.Fatal(err)
	}
}

func TestPeopleMakeAnAppPasswordAndDeleteIt(t *testing.T) {
	each(t, func(t *testing.T, s *site, js bool) {
		const tokens = "/if/user/settings/tokens/"
		user := s.user(t, "Settings")
		b := newTab(t, s.URL, js)
		signIn(b, user.name, user.password)
		b.at("/if/user/")
		b.press(`a[href="` + tokens + `"]`)
		b.sees("There are none yet.")
		s.age(t, user, time.Hour)
		b.press("main a.primary") // a new one
		b.at("/if/flow/default-reauthentication-flow/")
		b.fill("password", "not the password")
		b.submit()
		b.sees("Error")
		b.fill("password", user.password)
		b.submit()
		b.at(tokens + "new/")
		b.submit()
		b.sees("Enter a description")
		b.fill("description", "Mail on my phone")
		b.submit()
		b.sees("This is shown only once.")
		password := b.try(`document.getElementById("key").value`)
		b.press("main a.primary") // it is copied
		b.sees("Mail on my phone")
		if html := b.try("document.documentElement.outerHTML"); len(password) < 16 || strings.Contains(html, password) {
			t.Errorf("the list shows the key %q: %s", password, html)
		}

		program := newTab(t, s.URL, js)
		signIn(program, user.name, password)
		program.at("/if/user/")
		program.open(tokens + "new/")
		program.at("/if/flow/default-reauthentication-flow/")

		b.press("main li a")
		b.sees("This cannot be undone.")
		b.press("main form button")
		b.sees("It is deleted.")
		b.sees("There are none yet.")
		again := newTab(t, s.URL, js)
		signIn(again, user.name, password)
		again.sees("Error")
	})
}

func TestPeopleWithdrawTheirConsent(t *testing.T) {
	each(t, func(t *testing.T, s *site, js bool) {
		user := s.user(t, "Consents")
		slug := "agree-" + user.name
		file := filepath.Join(t.TempDir(), "agree.yaml")
		if err := os.WriteFile(file, fmt.Appendf(nil, agreement, slug), 0o600); err != nil {
			t.Fatal(err)
		}
		s.apply(t, file)
		b := newTab(t, s.URL, js)
		signIn(b, user.name, user.password)
		b.at("/if/user/")
		asks := func() {
			t.Helper()
			b.open("/if/flow/" + slug + "/?next=%2Fif%2Fuser%2F")
			b.sees("See your e-mail address")
		}
		asks()
		b.submit()
		b.at("/if/user/")
		b.press(`a[href="/if/user/settings/applications/"]`)
		b.sees("The app of " + slug)
		b.press("main li form button")
		b.sees("Your consent is withdrawn.")
		b.sees("You have agreed to nothing that is kept.")
		asks()
	})
}

func TestPeopleManageTheirSecondFactors(t *testing.T) {
	each(t, func(t *testing.T, s *site, js bool) {
		const all = "/if/user/settings/sign-in/"
		user := s.user(t, "Factors")
		b := newTab(t, s.URL, js)
		signIn(b, user.name, user.password)
		b.at("/if/user/")
		b.press(`a[href="` + all + `"]`)
		b.sees("You have none yet.")
		adds := func(what string) string { // the button into a flow
			return b.try(`[...document.querySelectorAll("main a.button")].find((a) => a.textContent.includes("` + what + `")).getAttribute("href")`)
		}
		b.open(adds("authenticator app"))
		b.fill("password", user.password)
		b.submit()
		b.sees("Set up an authenticator app")
		key := b.appKey()
		typed := totptest.Code(t, key, 0)
		b.fill("code", typed)
		b.submit()
		b.at(all)
		b.sees("It is added.")
		b.sees("TOTP Authenticator")
		b.press("main li a") // rename
		b.fill("name", "")
		b.submit()
		b.sees("Enter a name")
		b.fill("name", "My phone")
		b.submit()
		b.at(all)
		b.sees("The new name is saved.")
		b.sees("My phone")
		s.age(t, user, time.Hour)
		b.press("main li a + a") // remove
		b.at("/if/flow/default-reauthentication-flow/")
		b.fill("password", user.password)
		b.submit()
		b.sees("Enter the code from your app")
		b.fill("code", totptest.Code(t, key, nextStep(t, key, typed)))
		b.submit()
		b.at(all)
		b.sees("Remove “My phone”?")
		b.press("main form button")
		b.at(all)
		b.sees("It is removed.")
		b.sees("You have none yet.")
		again := newTab(t, s.URL, js)
		signIn(again, user.name, user.password)
		again.at("/if/user/")
	})
}

// TestRecoveryCodesAreKept: the page helps to copy, keep and print them where it can.
func TestRecoveryCodesAreKept(t *testing.T) {
	t.Parallel()
	s, b := passkeys(t, "sqlite", true)
	user := s.user(t, "Codes")
	signIn(b, user.name, user.password)
	b.at("/if/user/")
	plain := b.sibling(false)
	for _, page := range []*tab{b, plain} {
		page.open("/if/flow/default-authenticator-static-setup/")
	}
	b.fill("password", user.password)
	b.submit()
	b.sees("Save your recovery codes")
	shown := b.try(`[...document.querySelectorAll(".codes code")].map((c) => c.textContent).join("\n")`)
	b.run(chromedp.Click(chromedp.CSS(`[data-act="copy"]`)))
	b.sees("Copied")
	if got := b.clipboard(); got != shown {
		t.Errorf("copied %q, want %q", got, shown)
	}
	folder := t.TempDir()
	tell(b, cdp.SetDownloadBehavior, cdp.SetDownloadBehaviorParams{Behavior: "allow", DownloadPath: folder, BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID})
	b.run(chromedp.Click(chromedp.CSS(`[data-act="download"]`)))
	var kept []byte
	eventually(t, "the file is kept", func() bool {
		kept, _ = os.ReadFile(filepath.Join(folder, "recovery-codes.txt"))
		return strings.HasSuffix(string(kept), "\n\n"+shown+"\n")
	})
	if !strings.HasPrefix(string(kept), "Recovery codes of "+user.name+" for ") {
		t.Errorf("kept %q", kept)
	}
	b.try(`globalThis.print = () => { document.title = "printed"; }; "ready"`)
	b.run(chromedp.Click(chromedp.CSS(`[data-act="print"]`)))
	if got := b.try("document.title"); got != "printed" {
		t.Errorf("the title is %q", got)
	}
	plain.open("/if/flow/default-authenticator-static-setup/")
	plain.sees("Save your recovery codes")
	if visible := plain.try(`String(document.querySelector("[data-tools]").checkVisibility())`); visible != "false" {
		t.Error("without script the buttons are there")
	}
}

// agreement is a flow that asks for consent to an application.
const agreement = `
entries:
  - {model: authentik_core.application, id: app, identifiers: {slug: %[1]s}, attrs: {name: The app of %[1]s}}
  - {model: authentik_flows.flow, id: flow, identifiers: {slug: %[1]s}, attrs: {name: agree, title: Agree, designation: authorization, authentication: require_authenticated}}
  - {model: authentik_policies_expression.expressionpolicy, id: asks, identifiers: {name: %[1]s}, attrs: {expression: "from authentik.core.models import Application\nc = request.context['flow_plan'].context\nc['application'] = Application.objects.get(slug='%[1]s')\nc['consent_permissions'] = [{'id': 'email', 'name': 'See your e-mail address'}]\nreturn True"}}
  - {model: authentik_stages_consent.consentstage, id: consent, identifiers: {name: %[1]s}, attrs: {mode: permanent}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf consent, order: 1}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf flow, policy: !KeyOf asks, order: 0}}
`
