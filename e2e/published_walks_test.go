package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir"
	"github.com/weir-id/weir/internal/mail/mailtest"
)

// publishedSite is a site with published files and a mail server.
type publishedSite struct {
	*site
	t     *testing.T
	mails *mailtest.Server
	root  *caller
	// traveller takes the ways of a journey.
	traveller traveller
}

// publishedJourneys are the published files, and what people do with their flows.
var publishedJourneys = []struct {
	name  string
	files []string
	goes  func(p *publishedSite)
	// browser sends a browser, too: with JavaScript to one of the databases and
	// without to the other.
	browser bool
}{
	{"enrolment in two stages", []string{"example/flows-enrollment-2-stage.yaml"}, enrolInTwoStages, false},
	{"enrolment with a mail", []string{"example/flows-enrollment-email-verification.yaml"}, enrolWithMail, true},
	{"recovery with a mail", []string{"example/flows-recovery-email-verification.yaml"}, recoverWithMail, true},
	{"recovery by an administrator", []string{"example/flows-recovery-email-verification.yaml"}, recoverByAdministrator, false},
	{"unenrolment", []string{"example/flows-unenrollment.yaml"}, unenrol, true},
	{"two-factor login", []string{"example/flows-login-2fa.yaml"}, signInWithoutFactor, false},
	{"login of 2022", []string{"old/mit/2022.11.0-yaml/default/10-flow-default-authentication-flow.yaml"}, signInByPassword, false},
	{"enrolment of 2022", []string{"old/mit/2022.11.0-yaml/example/flows-enrollment-2-stage.yaml"}, enrolAsIn2022, false},
	{"settings of 2022", []string{"old/mit/2022.11.0-yaml/default/30-flow-default-user-settings-flow.yaml", "old/mit/2022.11.0-yaml/default/91-flow-oobe.yaml"}, changeSettingsAsIn2022, false},
	{"default flows", []string{"default/flow-default-authentication-flow.yaml", "default/flow-default-invalidation-flow.yaml", "default/flow-password-change.yaml",
		"default/flow-default-user-settings-flow.yaml", "default/flow-default-provider-authorization-explicit-consent.yaml",
		"default/flow-default-provider-authorization-implicit-consent.yaml", "default/flow-default-provider-invalidation.yaml",
		"default/flow-default-source-pre-authentication.yaml", "default/flow-default-source-authentication.yaml", "default/flow-default-source-enrollment.yaml", "default/later/flow-default-request-flow.yaml"}, useDefaults, false},
}

// The published example flows are imported unchanged, a second time without any
// change, and walked to the end by the official client and by forms, on both
// databases. Links of mails are followed in another session.
func TestPublishedExamplesWorkToTheEnd(t *testing.T) {
	for _, row := range publishedJourneys {
		files := publishedFiles(t, row.files...)
		for _, db := range databases {
			t.Run(row.name+", "+db, func(t *testing.T) {
				t.Parallel()
				// People ask again and again.
				s, mails := mailSite(t, db, func(c *weir.Settings) { c.Sends.Delay = time.Nanosecond })
				s.importsUnchanged(t, files)
				by := maps.Clone(travellers)
				if row.browser {
					by["browser"] = inBrowser(db == databases[0])
				}
				for name, traveller := range by {
					t.Run(name, func(t *testing.T) {
						row.goes(&publishedSite{s, t, mails, administrator(&node{s.URL}), traveller})
					})
				}
				for _, action := range []string{"policy_exception", "property_mapping_exception", "configuration_error", "system_exception"} {
					found := administrator(&node{s.URL}).call(t, http.StatusOK, "GET", "/api/v3/events/events/?action="+action, nil).json()["results"].([]any)
					if len(found) > 0 {
						t.Errorf("%s: %v", action, found)
					}
				}
			})
		}
	}
}

// walks goes somewhere in a fresh session, and compares what is seen on the ways
// and who is signed in at the end.
func (p *publishedSite) walks(who string, seen []string, ways ...walk) {
	p.t.Helper()
	got, at := p.traveller(p.t, p.site, ways...)
	if diff := cmp.Diff(seen, got); diff != "" {
		p.t.Fatalf("seen (-want +got):\n%s", diff)
	}
	if at != who {
		p.t.Errorf("%q is signed in, want %q", at, who)
	}
}

// opens tells whether a password opens an account. It is looked at by forms, which
// is quicker.
func (p *publishedSite) opens(name, password string, want bool) {
	p.t.Helper()
	if _, who := walkPages(p.t, p.site, signingIn(name, password)); (who == name) != want || who != "" && !want {
		p.t.Errorf("%q opens the account of %s: %q is signed in", password, name, who)
	}
}

const signedIn = "ak-stage-identification, ak-stage-password, xak-flow-redirect"

// found is the account of a name, nil when there is none.
func (p *publishedSite) found(name string) object {
	p.t.Helper()
	list, _ := p.root.call(p.t, http.StatusOK, "GET", "/api/v3/core/users/?username="+name, nil).json()["results"].([]any)
	if len(list) == 0 {
		return nil
	}
	return list[0].(object)
}

// link waits for the next mail after n, which is to go to an address, and returns
// where its link leads.
func (p *publishedSite) link(n int, to string) (query string) {
	p.t.Helper()
	m := p.mails.Wait(p.t, n+1)[n]
	if fmt.Sprint(m.To) != "["+to+"]" {
		p.t.Errorf("the mail goes to %v, want %s", m.To, to)
	}
	link := m.Link(p.t)
	if got := link.Scheme + "://" + link.Host; got != p.URL {
		p.t.Errorf("the link leads to %s", got)
	}
	return link.RawQuery
}

// sent is the number of mails so far.
func (p *publishedSite) sent() int { return len(p.mails.Mails()) }

// newcomer is a name that nobody has.
func (p *publishedSite) newcomer() string { return fmt.Sprintf("newcomer%d", p.users.Add(1)) }

const (
	enrolment = "default-enrollment-flow"
	recovery  = "default-recovery-flow"
)

// enrolling fills in both forms of the published enrolment.
func enrolling(query, name, password string) walk {
	return walk{enrolment, query, []object{
		answering("ak-stage-prompt", "username", name, "password", password, "password_repeat", password),
		answering("ak-stage-prompt", "name", "New Comer", "email", name+"@example.com"),
	}}
}

func enrolInTwoStages(p *publishedSite) {
	name := enrolLetIn(p)
	// A form with a taken name, and passwords that differ, is shown again.
	for _, wrong := range []object{
		answering("ak-stage-prompt", "username", name, "password", "a", "password_repeat", "a"),
		answering("ak-stage-prompt", "username", p.newcomer(), "password", "a", "password_repeat", "b"),
	} {
		p.walks("", []string{"ak-stage-prompt, ak-stage-prompt refused"}, walk{enrolment, "", []object{wrong}})
	}
	// The flow is for visitors.
	p.walks(name, []string{signedIn, "ak-stage-access-denied"}, signingIn(name, "correct horse"), walk{slug: enrolment})
}

// enrolAsIn2022 enrols through a file whose prompts have no names yet.
func enrolAsIn2022(p *publishedSite) { enrolLetIn(p) }

// enrolLetIn enrols in two stages, and lets the account in. The files are older than
// the default of create_users_as_inactive: an account waits for somebody to let it
// in, and its login says so.
func enrolLetIn(p *publishedSite) (name string) {
	name = p.newcomer()
	p.walks("", []string{"ak-stage-prompt, ak-stage-prompt, ak-stage-access-denied"}, enrolling("", name, "correct horse"))
	made := p.found(name)
	if made["name"] != "New Comer" || made["email"] != name+"@example.com" || made["is_active"] != false {
		p.t.Errorf("made %v", made)
	}
	p.opens(name, "correct horse", false)
	p.root.call(p.t, http.StatusOK, "PATCH", fmt.Sprintf("/api/v3/core/users/%v/", made["pk"]), object{"is_active": true})
	p.opens(name, "correct horse", true)
	return name
}

// changeSettingsAsIn2022 changes settings through a file that does not say for whom
// its flows are: strangers stay outside (rule 16), and the set-up closed (rule 17).
func changeSettingsAsIn2022(p *publishedSite) {
	user := p.user(p.t, "Before")
	settings := answering("ak-stage-prompt", "username", user.name, "name", "After", "email", user.name+"@example.com", "attributes.settings.locale", "de")
	p.walks(user.name, []string{signedIn, "ak-stage-prompt, xak-flow-redirect"}, signingIn(user.name, user.password),
		walk{"default-user-settings-flow", "", []object{settings}})
	if now := p.found(user.name); now["name"] != "After" {
		p.t.Errorf("the account is now %v", now)
	}
	for _, slug := range []string{"default-user-settings-flow", "initial-setup"} {
		p.walks("", []string{"ak-stage-access-denied"}, walk{slug: slug})
	}
}

func enrolWithMail(p *publishedSite) {
	name, before := p.newcomer(), p.sent()
	p.walks("", []string{"ak-stage-prompt, ak-stage-prompt, ak-stage-email"}, enrolling("next=%2Fif%2Fuser%2F%3Fnew", name, "correct horse"))
	if made := p.found(name); made["is_active"] != false {
		p.t.Errorf("before the mail is read: %v", made)
	}
	p.opens(name, "correct horse", false)
	link := p.link(before, name+"@example.com")
	// Looking at the link does nothing, however often.
	for range 2 {
		p.walks("", []string{"ak-stage-consent"}, walk{slug: enrolment, query: link})
	}
	if made := p.found(name); made["is_active"] != false {
		p.t.Errorf("looking at the link makes %v", made)
	}
	p.walks(name, []string{"ak-stage-consent, xak-flow-redirect to /if/user/?new"}, walk{enrolment, link, []object{answering("ak-stage-consent")}})
	if made := p.found(name); made["is_active"] != true || made["name"] != "New Comer" {
		p.t.Errorf("after the mail was read: %v", made)
	}
	p.opens(name, "correct horse", true)
	// Whoever is signed in there, a link is its person's.
	other := p.newcomer()
	p.walks("", []string{"ak-stage-prompt, ak-stage-prompt, ak-stage-email"}, enrolling("", other, "correct horse"))
	p.walks(other, []string{signedIn, "ak-stage-consent, xak-flow-redirect"}, signingIn(name, "correct horse"),
		walk{enrolment, p.link(before+1, other+"@example.com"), []object{answering("ak-stage-consent")}})
	// The used link begins anew.
	p.walks("", []string{"ak-stage-prompt"}, walk{slug: enrolment, query: link})
}

// asking asks for a link for somebody.
func asking(name string) walk {
	return walk{recovery, "", []object{answering("ak-stage-identification", "uid_field", name)}}
}

// resetting goes behind a link and sets a password.
func resetting(link, password string) walk {
	return walk{recovery, link, []object{answering("ak-stage-consent"), changing(password)}}
}

func recoverWithMail(p *publishedSite) {
	user, before := p.user(p.t, "Forgetful"), p.sent()
	address := user.name + "@example.com"
	const asked, reset = "ak-stage-identification, ak-stage-email", "ak-stage-consent, ak-stage-prompt, xak-flow-redirect"
	// By the address as by the name; nobody learns who exists.
	p.walks("", []string{asked}, asking(address))
	link := p.link(before, address)
	p.walks("", []string{asked}, asking(p.newcomer()))
	p.walks("", []string{"ak-stage-consent"}, walk{slug: recovery, query: link})
	p.walks(user.name, []string{reset}, resetting(link, "new words"))
	p.opens(user.name, "new words", true)
	p.opens(user.name, user.password, false)
	p.walks("", []string{"ak-stage-identification"}, walk{slug: recovery, query: link})

	// The answer to the page that waits asks for another mail; both links hold.
	p.walks("", []string{asked + ", ak-stage-email refused"}, walk{recovery, "", append(asking(user.name).answers, answering("ak-stage-email"))})
	p.link(before+1, address)
	p.walks(user.name, []string{reset}, resetting(p.link(before+2, address), "newer words"))
	p.opens(user.name, "newer words", true)
	if n := p.sent() - before; n != 3 {
		p.t.Errorf("%d mails, want 3", n)
	}

	// An account that was shut is not brought back.
	p.walks("", []string{asked}, asking(address))
	link = p.link(before+3, address)
	p.root.call(p.t, http.StatusOK, "PATCH", fmt.Sprintf("/api/v3/core/users/%d/", user.id), object{"is_active": false})
	p.walks("", []string{"ak-stage-consent, ak-stage-prompt, ak-stage-access-denied"}, resetting(link, "the newest words"))
	if now := p.found(user.name); now["is_active"] != false {
		p.t.Errorf("the account is now %v", now)
	}
}

func recoverByAdministrator(p *publishedSite) {
	user, before := p.user(p.t, "Forgetful"), p.sent()
	flow := p.root.call(p.t, http.StatusOK, "GET", "/api/v3/flows/instances/"+recovery+"/", nil).json()["pk"]
	brand := p.root.call(p.t, http.StatusOK, "GET", "/api/v3/core/brands/?default=true", nil).json()["results"].([]any)[0].(object)["brand_uuid"]
	p.root.call(p.t, http.StatusOK, "PATCH", fmt.Sprintf("/api/v3/core/brands/%v/", brand), object{"flow_recovery": flow})
	made := p.root.call(p.t, http.StatusOK, "POST", fmt.Sprintf("/api/v3/core/users/%d/recovery/", user.id), object{}).json()["link"].(string)
	_, link, _ := strings.Cut(made, "?")
	p.walks(user.name, []string{"ak-stage-prompt, xak-flow-redirect"}, walk{recovery, link, []object{changing("new words")}})
	p.opens(user.name, "new words", true)
	p.walks("", []string{"ak-stage-identification, ak-stage-email"}, walk{recovery, link, asking(user.name).answers})
	p.link(before, user.name+"@example.com")
}

func unenrol(p *publishedSite) {
	user := p.user(p.t, "Leaving")
	const flow = "default-unenrollment-flow"
	p.walks("", []string{"ak-stage-access-denied"}, walk{slug: flow})
	p.walks("", []string{signedIn, "xak-flow-redirect"}, signingIn(user.name, user.password), walk{slug: flow})
	if left := p.found(user.name); left != nil {
		p.t.Errorf("the account is still there: %v", left)
	}
	p.opens(user.name, user.password, false)
}

func signInByPassword(p *publishedSite) {
	user := p.user(p.t, "Single")
	p.walks(user.name, []string{signedIn}, signingIn(user.name+"@example.com", user.password))
	p.walks("", []string{"ak-stage-identification, ak-stage-password, ak-stage-password refused"}, signingIn(user.name, "wrong"))
}

func signInWithoutFactor(p *publishedSite) {
	signInByPassword(p)
	// Unlike ours, the flow is for visitors.
	user := p.user(p.t, "Twice")
	p.walks(user.name, []string{signedIn, leaving}, signingIn(user.name, user.password), walk{slug: login})
}

func useDefaults(p *publishedSite) {
	user := p.user(p.t, "Before")
	in := signingIn(user.name, user.password)
	own := func(name string) walk {
		return walk{"default-user-settings-flow", "", []object{answering("ak-stage-prompt",
			"username", name, "name", "After", "email", user.name+"@example.com", "attributes.settings.locale", "de")}}
	}
	p.walks(user.name, []string{signedIn, "ak-stage-prompt, ak-stage-prompt refused"}, in, own("another"))
	p.walks(user.name, []string{signedIn, "ak-stage-prompt, xak-flow-redirect"}, in, own(user.name))
	if now := p.found(user.name); now["name"] != "After" || fmt.Sprint(now["attributes"]) != "map[settings:map[locale:de]]" {
		p.t.Errorf("the account is now %v", now)
	}
	p.walks(user.name, []string{signedIn, "ak-stage-password, ak-stage-prompt, ak-stage-prompt refused, ak-stage-prompt refused, xak-flow-redirect"}, in,
		walk{"default-password-change", "", []object{answering("ak-stage-password", "password", user.password), changing("short"), changing("password1234"), changing("four odd words here")}})
	p.opens(user.name, "four odd words here", true)
	p.opens(user.name, user.password, false)
	in = signingIn(user.name, "four odd words here")
	p.walks(user.name, []string{signedIn, "ak-stage-consent, xak-flow-redirect"}, in,
		walk{"default-provider-authorization-explicit-consent", "", []object{answering("ak-stage-consent")}})
	// Flows without a stage end where they begin.
	for _, slug := range []string{"default-provider-authorization-implicit-consent", "default-request", "default-source-pre-authentication", "default-provider-invalidation-flow"} {
		p.walks(user.name, []string{signedIn, "xak-flow-redirect to /if/user/"}, in, walk{slug: slug, query: "next=%2Fif%2Fuser%2F"})
	}
	p.walks("", []string{signedIn, "xak-flow-redirect"}, in, walk{slug: "default-invalidation-flow"})
	// These are for visitors, who come from a source.
	for _, slug := range []string{"default-source-authentication", "default-source-enrollment", "default-request"} {
		p.walks("", []string{"ak-stage-access-denied"}, walk{slug: slug})
	}
}

// changing is a form with a new password, typed twice.
func changing(password string) object {
	return answering("ak-stage-prompt", "password", password, "password_repeat", password)
}
