package weir

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestDevicesBelongToTheirOwners(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, setUpFlows)
		max := o.member("max", "first")
		c := o.signedIn("max", "first")
		app := c.hasApp()
		_, stranger := o.clerk("stranger")
		_, clerk := o.clerk("clerk", "authentik_stages_authenticator_totp.view_totpdevice", "authentik_stages_authenticator_totp.change_totpdevice",
			"authentik_stages_authenticator_totp.delete_totpdevice", "authentik_core.view_user")
		const own, all = "authenticators/totp/", "authenticators/admin/totp/"
		mine := c.do("GET", "/api/v3/"+own, "")
		list := results(mine.body)
		if len(list) != 1 || list[0]["name"] != "TOTP Authenticator" || list[0]["user"].(map[string]any)["pk"] != float64(max) || strings.Contains(string(mine.raw), app.key) {
			t.Fatalf("own devices: %s", mine.raw)
		}
		one := fmt.Sprintf("%s%v/", own, list[0]["pk"])
		admin := fmt.Sprintf("%s%v/", all, list[0]["pk"])
		for _, row := range []struct {
			name, token, method, path string
			body                      any
			status                    int
		}{
			{"a stranger at the device", stranger, "GET", one, nil, 404},
			{"a stranger renames it", stranger, "PATCH", one, m{"name": "mine"}, 404},
			{"a stranger removes it", stranger, "DELETE", one, nil, 404},
			{"a stranger at the administrators' address", stranger, "GET", admin, nil, 404},
			{"a stranger removes it there", stranger, "DELETE", admin, nil, 404},
			{"a stranger at the devices of somebody", stranger, "GET", fmt.Sprintf("authenticators/admin/all/?user=%d", max), nil, 403},
			{"a clerk at the owner's address", clerk, "GET", one, nil, 404},
			{"a superuser at the owner's address", root, "DELETE", one, nil, 404},
			{"a clerk", clerk, "GET", admin, nil, 200},
			{"a clerk at all devices", clerk, "GET", fmt.Sprintf("authenticators/admin/all/?user=%d", max), nil, 200},
			{"a clerk renames it", clerk, "PATCH", admin, m{"name": "Phone of Max"}, 200},
			{"a name that is too long", clerk, "PATCH", admin, m{"name": strings.Repeat("x", 65)}, 400},
			{"no name", clerk, "PUT", admin, m{}, 400},
			{"devices are not made here", root, "POST", all, m{"name": "x"}, 405},
			{"nobody", "", "GET", own, nil, 403},
		} {
			if a := o.call(row.token, row.method, row.path, row.body); a.status != row.status {
				t.Errorf("%s: %d %s, want %d", row.name, a.status, a.raw, row.status)
			}
		}
		if n := len(results(o.call(stranger, "GET", own, nil).object)) + len(results(o.call(stranger, "GET", all, nil).object)) + len(results(o.must("GET", own, nil))); n != 0 {
			t.Errorf("others see %d devices as theirs", n)
		}
		if n := len(results(o.call(clerk, "GET", all, nil).object)); n != 1 {
			t.Errorf("a clerk sees %d devices", n)
		}
		got := c.do("GET", "/api/v3/authenticators/all/", "").list
		if len(got) != 1 || got[0].(map[string]any)["name"] != "Phone of Max" || got[0].(map[string]any)["type"] != "authentik_stages_authenticator_totp.totpdevice" {
			t.Errorf("all devices %v", got)
		}
		if r := c.do("PATCH", "/api/v3/"+one, `{"name":"Mine"}`); r.status != 200 || r.body["name"] != "Mine" {
			t.Errorf("the owner renames it: %s", r.raw)
		}
		// Rule39: whoever makes the account easier to get into has signed in of late.
		o.age(16 * time.Minute)
		if r := c.do("DELETE", "/api/v3/"+one, ""); r.status != 403 {
			t.Errorf("after a quarter of an hour: %d", r.status)
		}
		o.age(14 * time.Minute)
		if r := c.do("DELETE", "/api/v3/"+one, ""); r.status != 204 {
			t.Errorf("the owner removes it: %d %s", r.status, r.raw)
		}
		if got := o.said("model_deleted")["model"].(map[string]any); got["model_name"] != "totpdevice" {
			t.Errorf("event about %v", got)
		}
	})
}
