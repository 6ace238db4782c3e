package weir

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	tokensPage   = "/if/user/settings/tokens/"
	newTokenPage = tokensPage + "new/"
	consentsPage = "/if/user/settings/applications/"
)

// form posts a form as a page of this site does.
func (c *client) form(path string, fields url.Values) reply {
	c.t.Helper()
	return c.do("POST", path, fields.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
}

// wants is the form of a new token.
func wants(intent string) url.Values {
	return url.Values{"intent": {intent}, "description": {"Mail on my phone"}, "term": {"30"}}
}

var shownKey = regexp.MustCompile(`(?s)<textarea id="key"[^>]*>\s*(\S+)</textarea>`)

// makes creates a token on the page and returns its key and identifier.
func (c *client) makesToken(intent string) (key, identifier string) {
	c.t.Helper()
	r := c.form(newTokenPage, wants(intent))
	found := shownKey.FindSubmatch(r.raw)
	named := regexp.MustCompile(`own-[a-z0-9]+`).Find(r.raw)
	if r.status != http.StatusOK || found == nil || named == nil || r.header.Get("Cache-Control") != "no-store" {
		c.t.Fatalf("a new %s: %d %q %s", intent, r.status, r.header.Get("Cache-Control"), r.raw)
	}
	return string(found[1]), string(named)
}

func TestPeopleMakeAndDeleteTheirTokens(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		o.member("max", "first")
		foreign := o.must("POST", "core/tokens/", m{"identifier": "of-the-chief", "intent": "api"})["pk"].(string)
		c := o.signedIn("max", "first")
		password, identifier := c.makesToken("app_password")
		key, _ := c.makesToken("api")
		list := string(c.do("GET", tokensPage, "").raw)
		for _, secret := range []string{password, key, "of-the-chief", foreign} {
			if strings.Contains(list, secret) {
				t.Errorf("the list shows %q", secret)
			}
		}
		if !strings.Contains(list, "Mail on my phone") || !strings.Contains(list, identifier) {
			t.Errorf("the list is %s", list)
		}
		if r := visit(t, o.site).signIn("max", password); r.component() != "xak-flow-redirect" {
			t.Errorf("the app password signs in: %v", r.body)
		}
		if a := o.call(key, "GET", "core/users/me/", nil); a.status != 200 || a.object["user"].(m)["username"] != "max" {
			t.Errorf("the API token: %d %s", a.status, a.raw)
		}
		// Each is good for its own purpose alone.
		if r := visit(t, o.site).signIn("max", key); r.component() != "ak-stage-password" {
			t.Errorf("the API token as a password: %v", r.body)
		}
		if r := visit(t, o.site).signIn("akadmin", password); r.component() != "ak-stage-password" {
			t.Errorf("as the password of somebody else: %v", r.body)
		}
		if a := o.call(password, "GET", "core/users/me/", nil); a.status != 403 {
			t.Errorf("the app password as an API token: %d %s", a.status, a.raw)
		}
		made := o.must("GET", "core/tokens/"+identifier+"/", nil)
		if end, err := time.Parse(time.RFC3339, fmt.Sprint(made["expires"])); err != nil || made["expiring"] != true || time.Until(end) > 30*24*time.Hour || time.Until(end) < 29*24*time.Hour {
			t.Errorf("it ends %v (%v): %v", made["expires"], made["expiring"], err)
		}
		for _, e := range results(o.must("GET", "events/events/?page_size=100", nil)) {
			if text := fmt.Sprint(e); strings.Contains(text, password) || strings.Contains(text, key) {
				t.Errorf("an event holds a key: %v", e)
			}
		}
		if got := o.latest("secret_view")["user"].(m)["username"]; got != "max" {
			t.Errorf("seen by %v", got)
		}
		for name, wrong := range map[string]url.Values{"nothing": {}, "no description": {"intent": {"api"}, "term": {"30"}}, "a purpose of flows": {"intent": {"recovery"}, "description": {"x"}, "term": {"0"}},
			"a term of one's own": {"intent": {"api"}, "description": {"x"}, "term": {"9999"}}, "a long text": {"intent": {"api"}, "description": {strings.Repeat("x", 201)}, "term": {"0"}},
			"a zero byte": {"intent": {"api"}, "description": {"a\x00b"}, "term": {"0"}}, "no text": {"intent": {"api"}, "description": {"\xff\xfe"}, "term": {"0"}}} {
			if r := c.form(newTokenPage, wrong); r.status != http.StatusUnprocessableEntity {
				t.Errorf("%s: %d", name, r.status)
			}
		}
		over, name := c.makesToken("app_password")
		o.exec("update tokens set expires = '2026-01-02 03:04:05' where identifier = '" + name + "'")
		if r := visit(t, o.site).signIn("max", over); r.component() != "ak-stage-password" {
			t.Errorf("the expired app password signs in: %v", r.body)
		}
		if list := string(c.do("GET", tokensPage, "").raw); !strings.Contains(list, "Expired on 2026-01-02 03:04 UTC") {
			t.Errorf("the list is %s", list)
		}
		// What flows make for themselves is not among them.
		o.exec("update tokens set intent = 'recovery' where identifier = '" + name + "'")
		if list := string(c.do("GET", tokensPage, "").raw); strings.Contains(list, name) {
			t.Errorf("the list shows a link for recovery: %s", list)
		}
		// Also those who may delete any token manage only their own here.
		chief := o.signedIn("akadmin", "correct horse")
		if r := chief.form(tokensPage, url.Values{"token": {made["pk"].(string)}}); r.status != 404 {
			t.Errorf("deleted by an administrator: %d", r.status)
		}
		if r := chief.do("GET", tokensPage+made["pk"].(string)+"/", ""); r.status != 404 || strings.Contains(string(r.raw), identifier) {
			t.Errorf("asked for by an administrator: %d", r.status)
		}
		if list := string(chief.do("GET", tokensPage, "").raw); strings.Contains(list, identifier) || !strings.Contains(list, "of-the-chief") {
			t.Errorf("the administrator sees %s", list)
		}
		// An old sign-in suffices to take a way in away.
		o.age(time.Hour)
		id := made["pk"].(string)
		if r := c.do("GET", tokensPage+id+"/", ""); r.status != 200 || !strings.Contains(string(r.raw), identifier) {
			t.Errorf("asked before: %d %s", r.status, r.raw)
		}
		if r := c.form(tokensPage, url.Values{"token": {id}}); r.status != 200 || o.call(root, "GET", "core/tokens/"+identifier+"/", nil).status != 404 {
			t.Errorf("deleted: %d %s", r.status, r.raw)
		}
		if r := visit(t, o.site).signIn("max", password); r.component() != "ak-stage-password" {
			t.Errorf("the deleted app password signs in: %v", r.body)
		}
		for _, other := range []string{foreign, id, "x", ""} {
			if r := c.form(tokensPage, url.Values{"token": {other}}); r.status != 404 {
				t.Errorf("deleting %q: %d", other, r.status)
			}
		}
		if r := c.do("GET", tokensPage+foreign+"/", ""); r.status != 404 {
			t.Errorf("somebody else's: %d", r.status)
		}
		for path, fields := range map[string]url.Values{tokensPage: {"token": {id}}, newTokenPage: wants("api"), consentsPage: {"consent": {"1"}}} {
			if r := c.do("POST", path, fields.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site"); r.status != 403 {
				t.Errorf("from another site to %s: %d", path, r.status)
			}
		}
		o.must("GET", "core/tokens/of-the-chief/", nil)
		if r := visit(t, o.site).do("GET", tokensPage, ""); r.status != 302 {
			t.Errorf("a stranger: %d", r.status)
		}
	})
}

func TestPeopleWithdrawTheirConsents(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, consentFlow)
		o.member("max", "first")
		const path = "/api/v3/flows/executor/agree/"
		c, chief := o.signedIn("max", "first"), o.signedIn("akadmin", "correct horse")
		for _, who := range []*client{c, chief} {
			token := who.do("GET", path, "").body["token"]
			if r := who.do("POST", path, fmt.Sprintf(`{"token":%q}`, token)); r.component() != "xak-flow-redirect" {
				t.Fatalf("agreed: %v", r.body)
			}
		}
		ids := map[string]string{}
		for _, kept := range results(o.must("GET", "core/user_consent/", nil)) {
			ids[kept["user"].(m)["username"].(string)] = fmt.Sprint(kept["pk"])
		}
		button := func(name string) string { return `name="consent" value="` + ids[name] + `"` }
		// Also those who may withdraw anything see here what is theirs.
		for _, row := range []struct {
			c                *client
			theirs, somebody string
		}{{c, "max", "akadmin"}, {chief, "akadmin", "max"}} {
			page := string(row.c.do("GET", consentsPage, "").raw)
			if !strings.Contains(page, button(row.theirs)) || strings.Contains(page, button(row.somebody)) || !strings.Contains(page, "Wiki") || !strings.Contains(page, "email, profile") {
				t.Errorf("%s sees %s", row.theirs, page)
			}
			if r := row.c.form(consentsPage, url.Values{"consent": {ids[row.somebody]}}); r.status != 404 {
				t.Errorf("%s withdraws somebody else's: %d", row.theirs, r.status)
			}
		}
		o.age(time.Hour)
		if r := c.form(consentsPage, url.Values{"consent": {ids["max"]}}); r.status != 200 || strings.Contains(string(r.raw), button("max")) {
			t.Errorf("withdrawn: %d %s", r.status, r.raw)
		}
		if r := c.do("GET", path, ""); r.component() != "ak-stage-consent" {
			t.Errorf("not asked again: %v", r.body)
		}
		if r := chief.do("GET", path, ""); r.component() != "xak-flow-redirect" {
			t.Errorf("the other consent: %v", r.body)
		}
	})
}

func TestRule39ANewTokenAsksForARecentSignIn(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		o.member("max", "first")
		c, chief := o.signedIn("max", "first"), o.signedIn("akadmin", "correct horse")
		password, _ := c.makesToken("app_password")
		o.age(14 * time.Minute)
		if r := c.do("GET", newTokenPage, ""); r.status != 200 {
			t.Errorf("within the quarter of an hour: %d", r.status)
		}
		o.age(16 * time.Minute)
		const again = "/if/flow/default-reauthentication-flow/?next=%2Fif%2Fuser%2Fsettings%2Ftokens%2Fnew%2F"
		asked := func(name string, who *client) {
			t.Helper()
			for _, r := range []reply{who.do("GET", newTokenPage, ""), who.form(newTokenPage, wants("api"))} {
				if r.status != http.StatusSeeOther || r.header.Get("Location") != again {
					t.Errorf("%s: %d to %q", name, r.status, r.header.Get("Location"))
				}
			}
		}
		asked("afterwards", c)
		asked("signed in with an app password", o.signedIn("max", password))
		if n := len(results(o.must("GET", "core/tokens/?user__username=max", nil))); n != 1 {
			t.Errorf("%d tokens, want 1", n)
		}
		const next = "?query=next%3D%252Fif%252Fuser%252Fsettings%252Ftokens%252Fnew%252F"
		c.do("GET", reauthFlow+next, "")
		if r := c.follow(c.do("POST", reauthFlow+next, `{"password":"first"}`)); r.component() != "xak-flow-redirect" || r.body["to"] != newTokenPage {
			t.Fatalf("signed in again: %v", r.body)
		}
		c.makesToken("app_password")
		asked("after the sign-in of somebody else", chief)
	})
}

// Where nobody can sign in again, the page says what to do instead.
func TestRule39WithoutAWayToSignInAgain(t *testing.T) {
	const says = "Sign out and in again"
	o := openOffice(t, settings(t))
	o.member("max", "first")
	c := o.signedIn("max", "first")
	o.age(time.Hour)
	told := func(name string) {
		t.Helper()
		for _, r := range []reply{c.do("GET", newTokenPage, ""), c.form(newTokenPage, wants("api"))} {
			if r.status != 403 || !strings.Contains(string(r.raw), says) || strings.Contains(string(r.raw), `name="intent"`) {
				t.Errorf("%s: %d %s", name, r.status, r.raw)
			}
		}
	}
	const reauth = "flows/instances/default-reauthentication-flow/"
	o.must("PATCH", reauth, m{"authentication": "require_superuser"})
	told("a flow that refuses")
	o.must("PATCH", reauth, m{"authentication": "require_authenticated"})
	if r := c.do("GET", newTokenPage, ""); r.status != http.StatusSeeOther {
		t.Errorf("with the flow: %d", r.status)
	}
	if _, err := o.site.db.Exec(t.Context(), "update users set password_hash = '' where username = 'max'"); err != nil {
		t.Fatal(err)
	}
	told("nobody without a password")
	o.must("DELETE", reauth, nil)
	told("no flow")
}

func TestNobodySeesTheSettingsOfWhomTheyActAs(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, consentFlow)
		apply(t, o.site, setUpFlows)
		max := o.member("max", "first")
		mine := o.signedIn("max", "first")
		mine.hasApp()
		app := confirmPage + o.device(max, "totp")
		_, identifier := mine.makesToken("api")
		mine.do("POST", "/api/v3/flows/executor/agree/", fmt.Sprintf(`{"token":%q}`, mine.do("GET", "/api/v3/flows/executor/agree/", "").body["token"]))
		consent := fmt.Sprint(results(o.must("GET", "core/user_consent/", nil))[0]["pk"])
		id := o.must("GET", "core/tokens/"+identifier+"/", nil)["pk"].(string)
		c := o.signedIn("akadmin", "correct horse")
		if r := c.actAs(max); r.status != 204 {
			t.Fatalf("acting: %d", r.status)
		}
		for _, r := range []reply{c.do("GET", confirmPage, ""), c.do("GET", app+"/remove/", ""), c.form(app+"/remove/", nil), c.do("GET", app+"/name/", ""),
			c.form(app+"/name/", url.Values{"name": {"mine"}}), c.do("GET", tokensPage, ""), c.do("GET", newTokenPage, ""), c.do("GET", consentsPage, ""), c.do("GET", tokensPage+id+"/", ""),
			c.form(newTokenPage, wants("api")), c.form(tokensPage, url.Values{"token": {id}}), c.form(consentsPage, url.Values{"consent": {consent}})} {
			if r.status != 403 || strings.Contains(string(r.raw), identifier) {
				t.Errorf("%d %s", r.status, r.raw)
			}
		}
		if home := string(c.do("GET", "/if/user/", "").raw); strings.Contains(home, confirmPage) || strings.Contains(home, tokensPage) || strings.Contains(home, consentsPage) {
			t.Errorf("the home page leads there: %s", home)
		}
		if n := len(results(o.must("GET", "core/tokens/?user__username=max", nil))); n != 1 || len(results(o.must("GET", "core/user_consent/", nil))) != 1 {
			t.Errorf("%d tokens", n)
		}
		if n := o.count("select count(*) from authenticators where name = 'TOTP Authenticator'"); n != 1 {
			t.Errorf("%d devices as they were", n)
		}
	})
}
