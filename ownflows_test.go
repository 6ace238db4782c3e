package weir

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// configureLink is where somebody changes their password by the list of what
// they can set up.
func (c *client) configureLink() string {
	c.t.Helper()
	list := c.do("GET", "/api/v3/stages/all/user_settings/", "").list
	for _, item := range list {
		if item := item.(map[string]any); item["component"] == "ak-user-settings-password" {
			link, _ := item["configure_url"].(string)
			return link
		}
	}
	c.t.Fatalf("no password among %v", list)
	return ""
}

// fieldsOf are the present values of a form.
func fieldsOf(r reply) map[string]string {
	out := map[string]string{}
	list, _ := r.body["fields"].([]any)
	for _, f := range list {
		f := f.(map[string]any)
		out[f["field_key"].(string)] = fmt.Sprint(f["initial_value"])
	}
	return out
}

func TestRule39TheDefaultPasswordChange(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		const change = "/api/v3/flows/executor/default-password-change/"
		o := openOffice(t, s)
		o.member("max", "first")
		here, there, stranger := visit(t, o.site), visit(t, o.site), visit(t, o.site)
		if r := stranger.fills("default-password-change", `{"password":"x","password_repeat":"x"}`); r.component() != "ak-stage-access-denied" {
			t.Errorf("a stranger gets %v", r.body)
		}
		here.signIn("max", "first")
		there.signIn("max", "first")
		link := here.configureLink()
		if r := stranger.do("GET", link, ""); !strings.HasPrefix(r.header.Get("Location"), "/flows/-/default/authentication/?next=") {
			t.Errorf("a stranger is sent to %q", r.header.Get("Location"))
		}
		if r := here.do("GET", link, ""); r.header.Get("Location") != "/if/flow/default-password-change/" {
			t.Fatalf("the link leads to %q: %d", r.header.Get("Location"), r.status)
		}
		if r := there.do("GET", change, ""); r.component() != "ak-stage-password" {
			t.Errorf("without the link: %v", r.body)
		}
		for range 2 { // rule 39: an open session alone does not change the way in
			if r := here.do("POST", change, `{"password":"second","password_repeat":"second"}`); r.component() != "ak-stage-password" {
				t.Fatalf("without the present password: %v", r.body)
			}
		}
		if r := here.follow(here.do("POST", change, `{"password":"first"}`)); r.component() != "ak-stage-prompt" {
			t.Fatalf("the present password leads to %v", r.body)
		}
		for _, wrong := range []string{`{"password":"second","password_repeat":"other"}`, `{"password":"second"}`, `{"password":"","password_repeat":""}`} {
			if r := here.do("POST", change, wrong); r.component() != "ak-stage-prompt" || r.body["response_errors"] == nil {
				t.Errorf("%s leads to %v", wrong, r.body)
			}
		}
		if r := here.fills("default-password-change", `{"password":"second","password_repeat":"second"}`); r.component() != "xak-flow-redirect" {
			t.Fatalf("the change ends with %v", r.body)
		}
		for _, row := range []struct {
			name   string
			c      *client
			status int
		}{{"here", here, http.StatusOK}, {"elsewhere", there, http.StatusForbidden}} {
			if r := row.c.do("GET", "/api/v3/core/users/me/", ""); r.status != row.status {
				t.Errorf("%s: status %d, want %d", row.name, r.status, row.status)
			}
		}
		if r := visit(t, o.site).signIn("max", "first"); r.component() != "ak-stage-password" {
			t.Errorf("the old password: %v", r.body)
		}
		if r := visit(t, o.site).signIn("max", "second"); r.component() != "xak-flow-redirect" {
			t.Errorf("the new password: %v", r.body)
		}
		if events := o.events(); !strings.Contains(events, "password_set") || strings.Contains(events, "second") {
			t.Errorf("events %s", events)
		}
	})
}

// Applying the file again leaves a password stage that leads elsewhere alone.
func TestTheDefaultPasswordChangeKeepsAnotherChoice(t *testing.T) {
	o := openOffice(t, settings(t))
	apply(t, o.site, enrolmentFlow)
	const stages = "stages/password/"
	stage := results(o.must("GET", stages, nil))[0]["pk"].(string)
	flowOf := func() any { return o.must("GET", stages+stage+"/", nil)["configure_flow"] }
	again := func() {
		t.Helper()
		apply(t, o.site, "entries: [{model: authentik_blueprints.metaapplyblueprint, attrs: {identifiers: {name: Default - Password change flow}}}]\n")
	}
	shipped := flowOf()
	own := o.must("GET", "flows/instances/own/", nil)["pk"]
	o.must("PATCH", stages+stage+"/", m{"configure_flow": own})
	if again(); flowOf() != own {
		t.Errorf("the stage leads to %v, want %v", flowOf(), own)
	}
	o.must("PATCH", stages+stage+"/", m{"configure_flow": nil})
	if again(); shipped == nil || flowOf() != shipped {
		t.Errorf("the stage leads to %v, want %v", flowOf(), shipped)
	}
}

func TestRule39TheDefaultUserSettings(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		const path = "/api/v3/flows/executor/default-user-settings-flow/"
		o := openOffice(t, s)
		id := o.user("max", m{"email": "max@example.com", "attributes": m{"team": "red"}})
		o.password("max", "secret")
		o.user("ada", nil)
		if r := visit(t, o.site).fills("default-user-settings-flow", `{"username":"eve","name":"Eve"}`); r.component() != "ak-stage-access-denied" {
			t.Errorf("a stranger gets %v", r.body)
		}
		c := visit(t, o.site)
		c.signIn("max", "secret")
		if slug := c.do("GET", "/api/v3/core/brands/current/", "").body["flow_user_settings"]; slug != "default-user-settings-flow" {
			t.Errorf("the brand leads to %v", slug)
		}
		const link = `href="/if/flow/default-user-settings-flow/"`
		if home := c.do("GET", "/if/user/", ""); !strings.Contains(string(home.raw), link) || !strings.Contains(string(home.raw), "Change password") {
			t.Errorf("the home page does not lead there: %s", home.raw)
		}
		shows := func(want map[string]string) {
			t.Helper()
			if diff := cmp.Diff(want, fieldsOf(c.do("GET", path, ""))); diff != "" {
				t.Errorf("the form (-want +got):\n%s", diff)
			}
		}
		shows(map[string]string{"username": "max", "name": "max", "email": "max@example.com", "attributes.settings.locale": ""})
		const names = "default_user_change_username"
		rows := []struct {
			name     string
			settings m
			own      m
			body     string
			done     bool
		}{
			{"nobody gives themselves another user name", nil, nil, `{"username":"moritz"}`, false},
			{"or another address", nil, nil, `{"email":"moritz@example.com"}`, false},
			{"or none", nil, nil, `{"email":""}`, false},
			{"a name is theirs to choose, and the language", nil, nil, `{"name":"Max M","attributes.settings.locale":"de"}`, true},
			{"unless the settings forbid it", m{"default_user_change_name": false}, nil, `{"name":"Moritz"}`, false},
			{"the attribute of a person is stronger", nil, m{"goauthentik.io/user/can-change-name": true}, `{"name":"Max N"}`, true},
			{"either way", m{names: true}, m{"goauthentik.io/user/can-change-username": false}, `{"username":"moritz"}`, false},
			{"a name that is taken", nil, m{}, `{"username":"ada"}`, false},
			{"a name that is none", nil, nil, `{"username":""}`, false},
			{"an address that is none", m{"default_user_change_email": true}, nil, `{"email":"no address"}`, false},
			{"all that is allowed", m{"default_user_change_name": true}, nil, `{"username":"moritz","name":"Max M","email":"moritz@example.com","attributes.settings.locale":"fr","is_superuser":true,"attributes.team":"blue"}`, true},
		}
		for _, row := range rows {
			if row.settings != nil {
				o.must("PATCH", "admin/settings/", row.settings)
			}
			if row.own != nil {
				attributes := m{"team": "red"}
				maps.Copy(attributes, row.own)
				o.must("PATCH", fmt.Sprintf("core/users/%d/", id), m{"attributes": attributes})
			}
			c.do("GET", path, "")
			r := c.follow(c.do("POST", path, row.body))
			if asked := r.component() == "ak-stage-password"; asked != (row.done && strings.Contains(row.body, "moritz")) {
				t.Errorf("%s: the password is asked: %v", row.name, asked) // rule 39
			} else if asked {
				if r = c.do("POST", path, `{"password":"not it"}`); r.component() != "ak-stage-password" {
					t.Errorf("%s: a wrong password leads to %v", row.name, r.body)
				}
				r = c.follow(c.do("POST", path, `{"password":"secret"}`))
			}
			if done := r.component() == "xak-flow-redirect"; done != row.done || !done && r.body["response_errors"] == nil {
				t.Errorf("%s: %v", row.name, r.body)
			}
		}
		shows(map[string]string{"username": "moritz", "name": "Max M", "email": "moritz@example.com", "attributes.settings.locale": "fr"})
		user := o.must("GET", fmt.Sprintf("core/users/%d/", id), nil)
		if user["is_superuser"] != false || fmt.Sprint(user["attributes"]) != "map[settings:map[locale:fr] team:red]" {
			t.Errorf("the account is %v", user)
		}
		if n := len(results(o.must("GET", "core/users/?search=moritz", nil))); n != 1 {
			t.Errorf("%d accounts", n)
		}
	})
}

// The flows before an application: one asks every time, one never; neither lets
// strangers through.
func TestTheDefaultProviderAuthorization(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		const slug = "default-provider-authorization-"
		o := openOffice(t, s)
		stranger, c := visit(t, o.site), visit(t, o.site)
		c.signIn("akadmin", "correct horse")
		for _, kind := range []string{"explicit-consent", "implicit-consent"} {
			if got := o.must("GET", "flows/instances/"+slug+kind+"/", nil)["designation"]; got != "authorization" {
				t.Errorf("%s is for %v", kind, got)
			}
			if r := stranger.do("GET", "/api/v3/flows/executor/"+slug+kind+"/", ""); r.component() != "ak-stage-access-denied" {
				t.Errorf("%s, a stranger: %v", kind, r.body)
			}
		}
		if r := c.follow(c.do("GET", "/api/v3/flows/executor/"+slug+"implicit-consent/", "")); r.component() != "xak-flow-redirect" {
			t.Errorf("without asking: %v", r.body)
		}
		const path = "/api/v3/flows/executor/" + slug + "explicit-consent/"
		for range 2 {
			asked := c.do("GET", path, "")
			if asked.component() != "ak-stage-consent" {
				t.Fatalf("asked %v", asked.body)
			}
			if r := c.do("POST", path, `{"token":"made up"}`); r.component() != "ak-stage-consent" {
				t.Errorf("a made-up token: %v", r.body)
			}
			token := c.do("GET", path, "").body["token"]
			if r := c.follow(c.do("POST", path, fmt.Sprintf(`{"token":%q}`, token))); r.component() != "xak-flow-redirect" {
				t.Fatalf("agreed: %v", r.body)
			}
		}
	})
}

// The home page shows no way into a flow that would refuse.
func TestTheHomePageLeavesOutFlowsThatRefuse(t *testing.T) {
	o := openOffice(t, settings(t))
	o.member("max", "secret")
	c := visit(t, o.site)
	c.signIn("max", "secret")
	for _, slug := range []string{"default-user-settings-flow", "default-password-change"} {
		title := o.must("GET", "flows/instances/"+slug+"/", nil)["title"].(string)
		for authentication, shown := range map[string]bool{"require_authenticated": true, "require_superuser": false} {
			o.must("PATCH", "flows/instances/"+slug+"/", m{"authentication": authentication})
			if got := strings.Contains(string(c.do("GET", "/if/user/", "").raw), "<bdi>"+title+"</bdi>"); got != shown {
				t.Errorf("%s with %s: shown %v", slug, authentication, got)
			}
		}
	}
}

func TestRecipeUnenrollmentDeletesOnlyWhoConfirms(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		const slug = "default-unenrollment-flow"
		o := recipes(t, s, "unenrollment.yaml")
		left := func() int { return len(results(o.must("GET", "core/users/?username=ada", nil))) }
		c := visit(t, o.site)
		if r := c.fills(slug, `{"confirmation":"ada"}`); r.component() != "ak-stage-access-denied" {
			t.Errorf("a stranger gets %v", r.body)
		}
		c.signIn("ada", "the right one")
		for _, wrong := range []string{`{}`, `{"confirmation":""}`, `{"confirmation":"akadmin"}`} {
			if r := c.fills(slug, wrong); r.component() != "ak-stage-prompt" || left() != 1 {
				t.Errorf("%s leads to %v", wrong, r.body)
			}
		}
		if r := c.fills(slug, `{"confirmation":"ada"}`); r.component() != "xak-flow-redirect" || left() != 0 {
			t.Errorf("%d accounts are left: %v", left(), r.body)
		}
		if r := c.do("GET", "/api/v3/core/users/me/", ""); r.status != http.StatusForbidden {
			t.Errorf("still signed in: %d", r.status)
		}
	})
}

func TestRecipeEnrollmentMakesAnOrdinaryAccount(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		const form = `{"username":%q,"name":"Max","email":"max@example.com","password":"secret","password_repeat":"secret","is_superuser":true}`
		o := recipes(t, s, "enrollment.yaml")
		const slug = "default-enrollment-flow"
		if r := visit(t, o.site).fills(slug, fmt.Sprintf(form, "ada")); r.component() != "ak-stage-prompt" {
			t.Errorf("a name that is taken: %v", r.body)
		}
		c := visit(t, o.site)
		if r := c.fills(slug, fmt.Sprintf(form, "max")); r.component() != "xak-flow-redirect" {
			t.Fatalf("enrolment ends with %v", r.body)
		}
		me := c.do("GET", "/api/v3/core/users/me/", "").body["user"].(map[string]any)
		if me["username"] != "max" || me["is_superuser"] != false || fmt.Sprint(me["groups"]) != "[]" {
			t.Errorf("signed in as %v", me)
		}
		if r := c.fills(slug, fmt.Sprintf(form, "moritz")); r.component() != "ak-stage-access-denied" {
			t.Errorf("somebody signed in gets %v", r.body)
		}
	})
}

// TestTheDefaultInvitationFlow: nobody gets in without an invitation into it; who
// has one finds what it brings in the form, makes an account and is signed in.
func TestTheDefaultInvitationFlow(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		const slug = "default-invitation-enrollment"
		const path = "/api/v3/flows/executor/" + slug + "/?query="
		const form = `{"username":"max","name":"Max","email":"max@example.com","password":"p","password_repeat":"p"}`
		o := openOffice(t, s)
		come := func(token string) (*client, reply) {
			t.Helper()
			c := visit(t, o.site)
			return c, c.follow(c.do("GET", path+"itoken%3D"+token, ""))
		}
		loose := o.must("POST", invitations, m{"name": "loose"})["pk"].(string)
		late := o.must("POST", invitations, m{"name": "late", "flow": o.must("GET", "flows/instances/"+slug+"/", nil)["pk"], "expires": "2020-01-01T00:00:00Z"})["pk"].(string)
		for name, token := range map[string]string{"no": "", "a mistyped": "x", "an unknown": "00000000-0000-4000-8000-000000000000", "an expired": late, "an unbound": loose} {
			c, r := come(token)
			if r.component() != "ak-stage-access-denied" {
				t.Errorf("with %s invitation: %v", name, r.body)
			}
			if r = c.follow(c.do("POST", path+"itoken%3D"+token, form)); r.component() != "ak-stage-access-denied" {
				t.Errorf("with %s invitation an answer leads to %v", name, r.body)
			}
		}
		if r := visit(t, o.site).fills(slug, form); r.component() != "ak-stage-access-denied" || !strings.Contains(fmt.Sprint(r.body), "Ask for a new one.") {
			t.Errorf("without a link: %v", r.body)
		}
		if n := len(results(o.must("GET", "core/users/?username=max", nil))); n != 0 {
			t.Fatal("there is an account")
		}

		token := o.must("POST", invitations, m{"name": "for-max", "flow": o.must("GET", "flows/instances/"+slug+"/", nil)["pk"], "single_use": true, "fixed_data": m{"email": "max@example.com", "attributes": m{"team": "red"}}})["pk"].(string)
		c, r := come(token)
		if r.component() != "ak-stage-prompt" || fieldsOf(r)["email"] != "max@example.com" {
			t.Fatalf("the link shows %v", r.body)
		}
		if r = c.follow(c.do("POST", path+"itoken%3D"+token, form)); r.component() != signedIn {
			t.Fatalf("enrolment ends with %v", r.body)
		}
		if who := c.who(); who != "max" {
			t.Errorf("signed in as %s", who)
		}
		if made := results(o.must("GET", "core/users/?username=max", nil))[0]; fmt.Sprint(made["attributes"]) != "map[team:red]" || made["email"] != "max@example.com" || made["is_superuser"] != false || made["type"] != "external" {
			t.Errorf("made %v", made)
		}
		if _, r := come(token); r.component() != "ak-stage-access-denied" {
			t.Errorf("the used invitation: %v", r.body)
		}
	})
}

// TestRule16TheInvitationFlowIsNoWayToAnAccountForAll: nothing leads there but the
// link of an invitation.
func TestRule16TheInvitationFlowIsNoWayToAnAccountForAll(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		for path, want := range map[string]int{"/flows/-/default/enrollment/": 404, "/if/flow/default-authentication-flow/": 200, loginFlow: 200, "/api/v3/core/brands/current/": 200} {
			if r := visit(t, o.site).do("GET", path, "", "Sec-Fetch-Site", "same-origin"); r.status != want || strings.Contains(string(r.raw), "invitation") || strings.Contains(r.header.Get("Location"), "invitation") {
				t.Errorf("%s: %d %v %s", path, r.status, r.header, r.raw)
			}
		}
	})
}
