package weir

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/passkey/passkeytest"
)

const confirmPage = "/if/user/settings/sign-in/"

// device is the id of the only device of a user of a class.
func (o *office) device(user int64, class string) string {
	o.t.Helper()
	return fmt.Sprint(o.count(fmt.Sprintf("select id from authenticators where user_id = %d and class = '%s'", user, class)))
}

// asksFor sets what the default flow does with people who have no device.
func (o *office) asksFor(change m) {
	o.t.Helper()
	stage := results(o.must("GET", "stages/authenticator/validate/?name=default-authentication-mfa-validation", nil))[0]
	o.must("PATCH", fmt.Sprintf("stages/authenticator/validate/%v/", stage["pk"]), change)
}

func TestPeopleRenameAndRemoveTheirDevices(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, setUpFlows)
		max := o.member("max", "first")
		c, chief := o.signedIn("max", "first"), o.signedIn("akadmin", "correct horse")
		c.hasApp()
		c.hasCodes()
		chief.hasApp()
		app, codes, foreign := o.device(max, "totp"), o.device(max, "static"), o.device(o.number("akadmin"), "totp")
		shows := func(name string, wanted ...string) {
			t.Helper()
			page := string(c.do("GET", confirmPage, "").raw)
			for _, want := range wanted {
				if !strings.Contains(page, want) {
					t.Errorf("%s: no %q in %s", name, want, page)
				}
			}
			if strings.Contains(page, confirmPage+foreign+"/") {
				t.Errorf("%s: the device of somebody else: %s", name, page)
			}
		}
		// All that can be set up comes back here; the page of the password does not stand
		// here, but on the home page, where these do not.
		shows("the list", confirmPage+app+"/remove/", "TOTP Authenticator", "Never used", confirmPage+codes+"/name/", "6 codes left", "Make new recovery codes",
			"?next=%2Fif%2Fuser%2Fsettings%2Fsign-in%2F%3Fdone%3Dadded")
		if home := string(c.do("GET", "/if/user/", "").raw); strings.Contains(home, "authenticator app") || !strings.Contains(home, confirmPage) || !strings.Contains(home, "Change password") {
			t.Errorf("the home page: %s", home)
		}
		if r := c.form(confirmPage+app+"/name/", url.Values{"name": {"My phone"}}); r.status != http.StatusSeeOther {
			t.Fatalf("renamed: %d %s", r.status, r.raw)
		}
		shows("renamed", "My phone")
		if got := o.said("model_updated")["model"].(map[string]any); got["model_name"] != "totpdevice" || got["name"] != "My phone" {
			t.Errorf("event about %v", got)
		}
		for _, path := range []string{foreign + "/name/", foreign + "/remove/", "x/remove/", "0/name/"} {
			for _, r := range []reply{c.do("GET", confirmPage+path, ""), c.form(confirmPage+path, url.Values{"name": {"mine"}})} {
				if r.status != 404 {
					t.Errorf("%s: %d", path, r.status)
				}
			}
		}
		for name, bad := range map[string]string{"a zero byte": "a\x00b", "no text": "\xff\xfe"} {
			if r := c.form(confirmPage+app+"/name/", url.Values{"name": {bad}}); r.status != http.StatusUnprocessableEntity {
				t.Errorf("%s: %d", name, r.status)
			}
		}
		if r := c.do("POST", confirmPage+app+"/remove/", "", "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site"); r.status != 403 {
			t.Errorf("from another site: %d", r.status)
		}
		if r := visit(t, o.site).do("GET", confirmPage, ""); r.status != 302 {
			t.Errorf("a stranger: %d", r.status)
		}
		if r := c.form(confirmPage+app+"/remove/", nil); r.status != http.StatusSeeOther || r.header.Get("Location") != confirmPage+"?done=removed" {
			t.Fatalf("removed: %d %s", r.status, r.raw)
		}
		if got := o.said("model_deleted")["model"].(map[string]any); got["model_name"] != "totpdevice" || got["name"] != "My phone" {
			t.Errorf("event about %v", got)
		}
		if n := o.count("select count(*) from authenticators"); n != 2 {
			t.Errorf("%d devices are left", n)
		}
		if r := c.form(confirmPage+codes+"/remove/", nil); r.status != http.StatusSeeOther {
			t.Errorf("the codes: %d %s", r.status, r.raw)
		}
		shows("nothing", "You have none yet.")
		if r := visit(t, o.site).signIn("max", "first"); r.component() != "xak-flow-redirect" {
			t.Errorf("afterwards: %s", r.raw)
		}
	})
}

func TestRule39RemovingADeviceAsksForARecentSignIn(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, setUpFlows)
		max := o.member("max", "first")
		c := o.signedIn("max", "first")
		app := c.hasApp()
		page := confirmPage + o.device(max, "totp") + "/remove/"
		o.age(16 * time.Minute)
		again := "/if/flow/default-reauthentication-flow/?" + url.Values{"next": {page}}.Encode()
		for _, r := range []reply{c.do("GET", page, ""), c.form(page, nil)} {
			if r.status != http.StatusSeeOther || r.header.Get("Location") != again {
				t.Errorf("%d to %q", r.status, r.header.Get("Location"))
			}
		}
		if n := o.count("select count(*) from authenticators"); n != 1 {
			t.Fatalf("%d devices", n)
		}
		c.do("GET", reauthFlow, "")
		c.answers(reauthFlow, `{"password":"first"}`)
		if r := c.answers(reauthFlow, fmt.Sprintf(`{"code":%q}`, app.code(1))); r.component() != "xak-flow-redirect" {
			t.Fatalf("signed in again: %s", r.raw)
		}
		if r := c.do("GET", page, ""); r.status != 200 || !strings.Contains(string(r.raw), "Nothing else remains") {
			t.Errorf("asked: %d %s", r.status, r.raw)
		}
		if r := c.form(page, nil); r.status != http.StatusSeeOther || o.count("select count(*) from authenticators") != 0 {
			t.Errorf("removed: %d %s", r.status, r.raw)
		}
	})
}

// Nobody takes the last device away that the flow demands, on the page or by the API;
// administrators may do it to others.
func TestNobodyShutsThemselvesOut(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, setUpFlows)
		max := o.member("max", "first")
		c := o.signedIn("max", "first")
		c.hasApp()
		c.hasCodes()
		app, codes := o.device(max, "totp"), o.device(max, "static")
		stage := results(o.must("GET", "stages/authenticator/totp/", nil))[0]["pk"]
		asked := func(name, id, want string) {
			t.Helper()
			r := c.do("GET", confirmPage+id+"/remove/", "")
			if got := strings.Contains(string(r.raw), "<form method=\"post\" action=\""+confirmPage); !strings.Contains(string(r.raw), want) || got == (want == "You would not get in any more") {
				t.Errorf("%s: %s", name, r.raw)
			}
		}
		refused := func(name, class, id string) {
			t.Helper()
			asked(name, id, "You would not get in any more")
			if r := c.form(confirmPage+id+"/remove/", nil); r.status != 403 || !strings.Contains(string(r.raw), "You would not get in any more") {
				t.Errorf("%s, on the page: %d %s", name, r.status, r.raw)
			}
			for _, path := range []string{"/api/v3/authenticators/" + class + "/" + id + "/", "/api/v3/authenticators/admin/" + class + "/" + id + "/"} {
				if r := c.do("DELETE", path, ""); r.status == 204 {
					t.Errorf("%s, at %s: %d %s", name, path, r.status, r.raw)
				}
			}
		}
		asked("with skip", app, "Nothing else remains")
		o.asksFor(m{"not_configured_action": "configure", "configuration_stages": []any{stage}})
		asked("with configure, codes are left", app, "Nothing else remains")
		o.asksFor(m{"device_classes": []any{"totp"}})
		asked("with configure, codes do not count", app, "You have to set another one up the next time you sign in.")
		o.asksFor(m{"not_configured_action": "deny", "device_classes": []any{"totp", "static"}})
		refused("the last but for codes", "totp", app)
		asked("the codes", codes, "TOTP Authenticator")
		if r := c.do("DELETE", "/api/v3/authenticators/totp/"+app+"/", ""); r.status != 403 || !strings.Contains(fmt.Sprint(r.body["detail"]), "Set another device up first") {
			t.Errorf("by the API: %d %s", r.status, r.raw)
		}
		if r := visit(t, o.site).signIn("max", "first"); r.component() != validating {
			t.Errorf("signing in: %s", r.raw)
		}
		c.hasApp()
		asked("one of two", app, "You can still confirm with:")
		if r := c.form(confirmPage+app+"/remove/", nil); r.status != http.StatusSeeOther {
			t.Errorf("one of two: %d %s", r.status, r.raw)
		}
		second := o.device(max, "totp")
		refused("the one that is left", "totp", second)

		// A flow that another brand names is not theirs, one before it in order is.
		brand := results(o.must("GET", "core/brands/?default=true", nil))[0]["brand_uuid"]
		own := results(o.must("GET", "flows/instances/?slug=app", nil))[0]["pk"]
		// Which nobody could sign in by.
		if r := visit(t, o.site).as(root, "PATCH", fmt.Sprintf("/api/v3/core/brands/%v/", brand), fmt.Sprintf(`{"flow_authentication":%q}`, own), "Weir-Force", "lockout"); r.status != 200 {
			t.Fatalf("the brand names a flow: %d %s", r.status, r.raw)
		}
		asked("another flow", second, "Nothing else remains")
		o.must("PATCH", fmt.Sprintf("core/brands/%v/", brand), m{"flow_authentication": nil})
		refused("the first flow there is", "totp", second)

		if a := o.call(root, "DELETE", "authenticators/admin/totp/"+second+"/", nil); a.status != 204 {
			t.Errorf("by an administrator: %d %s", a.status, a.raw)
		}
		refused("codes, once they are all", "static", codes)
	})
}

// Who has no password needs a passkey.
func TestNobodyWithoutAPasswordRemovesTheirLastPasskey(t *testing.T) {
	o := openOffice(t, settings(t))
	apply(t, o.site, passkeyFlows)
	max := o.member("max", "first")
	c := byName(t, o.site)
	c.signIn("max", "first")
	elsewhere := o.signedIn("max", "first") // by an address
	id := passkeytest.Text(c.hasPasskey().ID)
	page := confirmPage + o.device(max, "webauthn") + "/remove/"
	// The browser learns which passkeys count here, and at no other host.
	if here, there := string(c.do("GET", confirmPage, "").raw), string(elsewhere.do("GET", confirmPage, "").raw); !strings.Contains(here, `[&#34;`+id+`&#34;]`) || strings.Contains(there, id) {
		t.Errorf("known here: %s\nand there: %s", here, there)
	}
	if list := string(c.do("GET", confirmPage, "").raw); !strings.Contains(list, "Google Titan Security Key v2") || !strings.Contains(list, "On one device only") {
		t.Errorf("the list: %s", list)
	}
	if r := c.do("GET", page, ""); r.status != 200 || !strings.Contains(string(r.raw), "Delete the passkey on your device") {
		t.Errorf("with a password: %d %s", r.status, r.raw)
	}
	o.exec("update users set password_hash = '!' where username = 'max'")
	if r := c.form(page, nil); r.status != 403 || o.count("select count(*) from authenticators") != 1 {
		t.Errorf("without a password: %d %s", r.status, r.raw)
	}
	c.hasPasskey()
	if r := c.form(page, nil); r.status != http.StatusSeeOther || o.count("select count(*) from authenticators") != 1 {
		t.Errorf("with another passkey: %d %s", r.status, r.raw)
	}
}
