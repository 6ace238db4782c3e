package weir

import (
	"fmt"
	"strings"
	"testing"
)

// signedIn is a browser in which somebody is signed in.
func (o *office) signedIn(name, password string) *client {
	o.t.Helper()
	c := visit(o.t, o.site)
	if r := c.signIn(name, password); r.component() != "xak-flow-redirect" {
		o.t.Fatalf("the login of %s ends with %v", name, r.body)
	}
	return c
}

// actAs asks to act as somebody.
func (c *client) actAs(user int64) reply {
	c.t.Helper()
	return c.do("POST", fmt.Sprintf("/api/v3/core/users/%d/impersonate/", user), `{"reason":"ticket 12"}`)
}

// who is "user" or "user by original", as core/users/me/ has it.
func (c *client) who() string {
	c.t.Helper()
	r := c.do("GET", "/api/v3/core/users/me/", "")
	user, ok := r.body["user"].(m)
	if !ok {
		return fmt.Sprint(r.status)
	}
	out := user["username"].(string)
	if by, ok := r.body["original"].(m); ok {
		out += " by " + by["username"].(string)
	}
	return out
}

func TestImpersonationIsRecordedAndEnds(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		ada := o.user("ada", nil)
		c, other := o.signedIn("akadmin", "correct horse"), o.signedIn("akadmin", "correct horse")
		if r := c.do("GET", "/api/v3/core/users/impersonate_end/", ""); r.status != 204 {
			t.Errorf("ending nothing: %d %s", r.status, r.raw)
		}
		if r := c.actAs(ada); r.status != 204 || c.who() != "ada by akadmin" || other.who() != "akadmin" {
			t.Fatalf("%d %s: here %s, in the other browser %s", r.status, r.raw, c.who(), other.who())
		}
		user := func(action string) string {
			u := o.latest(action)["user"].(m)
			behalf, _ := u["on_behalf_of"].(m)
			return fmt.Sprint(u["username"], " for ", behalf["username"])
		}
		if got := user("impersonation_started"); got != "akadmin for ada" {
			t.Errorf("started by %s", got)
		}
		if got := o.latest("impersonation_started")["context"].(m)["reason"]; got != "ticket 12" {
			t.Errorf("the reason is %v", got)
		}
		if r := c.do("DELETE", fmt.Sprintf("/api/v3/core/users/%d/", ada), ""); r.status != 403 {
			t.Errorf("with the powers of akadmin: %d", r.status)
		}
		if r := c.do("GET", "/api/v3/core/users/impersonate_end/", ""); r.status != 204 || c.who() != "akadmin" {
			t.Errorf("ending: %d, then %s", r.status, c.who())
		}
		if got := user("impersonation_ended"); got != "akadmin for ada" {
			t.Errorf("ended by %s", got)
		}

		// What is done meanwhile is the impersonator's, on behalf of the other.
		o.must("POST", "rbac/roles/"+o.role("groups", "authentik_core.add_group")+"/add_user/", m{"pk": ada})
		c.actAs(ada)
		if r := c.do("POST", "/api/v3/core/groups/", `{"name":"made"}`); r.status != 201 || user("model_created") != "akadmin for ada" {
			t.Errorf("a group: %d %s by %s", r.status, r.raw, user("model_created"))
		}
		// Signing out ends the session of who really signed in.
		c.follow(c.do("GET", "/api/v3/flows/executor/default-invalidation-flow/", "", "Sec-Fetch-Site", "same-origin"))
		if got := c.who(); got != "403" {
			t.Errorf("after signing out: %s", got)
		}
		if got := user("logout"); got != "akadmin for ada" {
			t.Errorf("signed out by %s", got)
		}
		if again := o.signedIn("akadmin", "correct horse").who(); again != "akadmin" {
			t.Errorf("the next session is of %s", again)
		}
	})
}

func TestRule46NobodyGainsByImpersonation(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		chief, ada, idle := o.user("chief", nil), o.user("ada", nil), o.user("idle", nil)
		o.group("supers", m{"is_superuser": true, "users": []int64{chief}})
		o.must("PATCH", fmt.Sprintf("core/users/%d/", idle), m{"is_active": false})
		strong := o.user("strong", nil)
		o.must("POST", "rbac/roles/"+o.role("strong", "authentik_flows.delete_flow")+"/add_user/", m{"pk": strong})
		outpost := o.user("outpost", m{"type": "internal_service_account"})
		clerk, key := o.clerk("clerk", "authentik_core.view_user", "authentik_core.impersonate")
		viewer, _ := o.clerk("viewer", "authentik_core.view_user")
		o.password("clerk", "the clerk's own")
		o.password("viewer", "the viewer's own")
		c := o.signedIn("clerk", "the clerk's own")
		for name, user := range map[string]int64{"a superuser": chief, "somebody who can more": strong, "themselves": clerk, "an inactive person": idle, "an outpost": outpost} {
			if r := c.actAs(user); r.status != 403 || c.who() != "clerk" {
				t.Errorf("%s: %d %s, now %s", name, r.status, r.raw, c.who())
			}
		}
		if r := c.actAs(4711); r.status != 404 {
			t.Errorf("nobody: %d", r.status)
		}
		if r := o.signedIn("viewer", "the viewer's own").actAs(ada); r.status != 403 {
			t.Errorf("without the permission: %d", r.status)
		}
		if a := o.call(key, "POST", fmt.Sprintf("core/users/%d/impersonate/", ada), m{"reason": "x"}); a.status != 403 {
			t.Errorf("with a token: %d %s", a.status, a.raw)
		}
		if r := c.do("POST", fmt.Sprintf("/api/v3/core/users/%d/impersonate/", ada), `{"reason":" "}`); r.status != 400 {
			t.Errorf("without a reason: %d %s", r.status, r.raw)
		}
		o.must("PATCH", "admin/settings/", m{"impersonation_require_reason": false})
		if r := c.do("POST", fmt.Sprintf("/api/v3/core/users/%d/impersonate/", viewer), `{}`); r.status != 204 || c.who() != "viewer by clerk" {
			t.Fatalf("no reason is needed: %d %s", r.status, r.raw)
		}
		// The viewer sees people but may not impersonate them; nor does a
		// superuser go on from person to person.
		if r := c.actAs(ada); r.status != 403 {
			t.Errorf("one after another: %d", r.status)
		}
		root := o.signedIn("akadmin", "correct horse")
		if root.actAs(clerk).status != 204 || root.actAs(ada).status != 403 || root.who() != "clerk by akadmin" {
			t.Errorf("one after another, with the permission: now %s", root.who())
		}
		if n := strings.Count(o.events(), "impersonation_started"); n != 2 {
			t.Errorf("%d events", n)
		}
	})
}

// What made an impersonation possible has to last as long as it does.
func TestRule46AnImpersonationEndsWithWhatAllowedIt(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		supers := o.group("supers", m{"is_superuser": true})
		for name, change := range map[string]func(clerk, as int64, role string){
			"the impersonator is deactivated": func(clerk, _ int64, _ string) {
				o.must("PATCH", fmt.Sprintf("core/users/%d/", clerk), m{"is_active": false})
			},
			"the person is deactivated": func(_, as int64, _ string) { o.must("PATCH", fmt.Sprintf("core/users/%d/", as), m{"is_active": false}) },
			"the person is deleted":     func(_, as int64, _ string) { o.must("DELETE", fmt.Sprintf("core/users/%d/", as), nil) },
			"the permission is gone":    func(_, _ int64, role string) { o.must("DELETE", "rbac/roles/"+role+"/", nil) },
			"the person may more now": func(_, as int64, _ string) {
				o.must("POST", "core/groups/"+supers+"/add_user/", m{"pk": as})
			},
			"the session is ended": func(clerk, _ int64, _ string) {
				o.exec(fmt.Sprintf("delete from sessions where user_id = %d", clerk))
			},
			"it is switched off": func(int64, int64, string) { o.must("PATCH", "admin/settings/", m{"impersonation": false}) },
		} {
			o.must("PATCH", "admin/settings/", m{"impersonation": true})
			clerk, as := o.user("clerk for "+name, m{"username": "clerk-" + strings.ReplaceAll(name, " ", "-")}), o.user("x", m{"username": "as-" + strings.ReplaceAll(name, " ", "-")})
			role := o.role(name, "authentik_core.view_user", "authentik_core.impersonate")
			o.must("POST", "rbac/roles/"+role+"/add_user/", m{"pk": clerk})
			o.must("POST", fmt.Sprintf("core/users/%d/set_password/", clerk), m{"password": "the clerk's own"})
			c := o.signedIn("clerk-"+strings.ReplaceAll(name, " ", "-"), "the clerk's own")
			if r := c.actAs(as); r.status != 204 || !strings.Contains(c.who(), " by ") {
				t.Fatalf("%s: %d %s", name, r.status, r.raw)
			}
			change(clerk, as, role)
			if got := c.who(); got != "403" {
				t.Errorf("%s: still %s", name, got)
			}
		}
		o.must("PATCH", "admin/settings/", m{"impersonation": false})
		if r := o.signedIn("akadmin", "correct horse").actAs(o.user("ada", nil)); r.status != 403 {
			t.Errorf("switched off: %d", r.status)
		}
	})
}

// Nothing that outlasts an impersonation is taken out of it.
func TestRule46AnImpersonatorTakesNoCredentials(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		ada, _ := o.clerk("ada", "authentik_core.view_user", "authentik_core.reset_user_password")
		c := o.signedIn("akadmin", "correct horse")
		if r := c.actAs(ada); r.status != 204 {
			t.Fatalf("%d %s", r.status, r.raw)
		}
		own := fmt.Sprintf("/api/v3/core/tokens/token-of-%d/", ada)
		for name, row := range map[string]struct{ method, path, body string }{
			"a token":           {"POST", "/api/v3/core/tokens/", `{"identifier":"mine","intent":"api"}`},
			"the key of one":    {"GET", own + "view_key/", ""},
			"a key for one":     {"POST", own + "set_key/", `{"key":"a-key-that-akadmin-knows"}`},
			"a change of one":   {"PATCH", own, `{"expiring":false}`},
			"the own password":  {"POST", fmt.Sprintf("/api/v3/core/users/%d/set_password/", ada), `{"password":"of akadmin, not ada"}`},
			"the password hash": {"POST", fmt.Sprintf("/api/v3/core/users/%d/set_password_hash/", ada), `{"password":"!x"}`},
		} {
			if r := c.do(row.method, row.path, row.body); r.status != 403 {
				t.Errorf("%s: %d %s", name, r.status, r.raw)
			}
		}
		for _, designation := range []string{"authentication", "authorization", "enrollment", "unenrollment", "recovery", "stage_configuration"} {
			o.must("POST", "flows/instances/", m{"name": designation, "slug": "a-" + designation, "title": "x", "designation": designation, "denied_action": "message"})
			r := c.do("GET", "/api/v3/flows/executor/a-"+designation+"/", "", "Sec-Fetch-Site", "same-origin")
			if designation == "authentication" && r.component() == "xak-flow-redirect" {
				continue // whoever is signed in is sent on
			}
			if r.component() != "ak-stage-access-denied" || !strings.Contains(string(r.raw), "act as somebody else") {
				t.Errorf("%s: %d %s", designation, r.status, r.raw)
			}
		}
		if c.who() != "ada by akadmin" {
			t.Errorf("now %s", c.who())
		}
	})
}

// The pages say that somebody acts as another person and let them stop, without
// a script and only from here.
func TestPagesShowAnImpersonationAndEndIt(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		ada := o.user("ada", nil)
		o.must("POST", "flows/instances/", m{"name": "x", "slug": "any", "title": "x", "designation": "stage_configuration", "denied_action": "message"})
		c := o.signedIn("akadmin", "correct horse")
		const marking = "You act as ada"
		page := func(path string) string { return string(c.do("GET", path, "", "Sec-Fetch-Site", "same-origin").raw) }
		if strings.Contains(page("/if/user/"), "impersonation") {
			t.Error("the page is marked before")
		}
		c.actAs(ada)
		for _, path := range []string{"/if/user/", "/if/flow/any/"} {
			if got := page(path); !strings.Contains(got, marking) {
				t.Errorf("%s is not marked: %s", path, got)
			}
		}
		if strings.Contains(page("/if/user/"), `name="session"`) {
			t.Error("the sessions of ada are shown")
		}
		end := func(site string) reply {
			return c.do("POST", "/if/user/", "impersonation=end", "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", site)
		}
		if r := end("cross-site"); r.status != 403 || c.who() != "ada by akadmin" {
			t.Errorf("from another site: %d, now %s", r.status, c.who())
		}
		if r := end("same-origin"); r.status != 303 || c.who() != "akadmin" || strings.Contains(page("/if/user/"), marking) {
			t.Errorf("%d, now %s", r.status, c.who())
		}
	})
}
