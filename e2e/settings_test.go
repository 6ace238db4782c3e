package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
