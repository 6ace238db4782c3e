package weir

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/api"
)

func TestWhatTheInstallationTellsOfItself(t *testing.T) {
	s := settings(t)
	s.BaseURL = &url.URL{Scheme: "https", Host: "id.example.com"}
	o := openOffice(t, s)
	nobody := o.token(o.user("nobody", nil))

	if v := o.call(nobody, "GET", "admin/version/", nil); v.object["version_current"] != api.CompatibleVersion || v.object["build_hash"] != "weir-"+Version ||
		v.object["outdated"] != false || v.object["version_latest_valid"] != false {
		t.Errorf("version: %d %s", v.status, v.raw)
	}
	names := func(path string) (out []string) {
		for _, v := range o.call(nobody, "GET", path, nil).list {
			out = append(out, v.(m)["name"].(string))
		}
		return out
	}
	if got := names("admin/apps/"); !slices.IsSorted(got) || !slices.Contains(got, "authentik_core") || !slices.Contains(got, "authentik_stages_password") {
		t.Errorf("apps: %v", got)
	}
	if got := names("admin/models/?filter_has_attributes=true"); !slices.Equal(got, []string{"authentik_brands.brand", "authentik_core.applicationentitlement", "authentik_core.group", "authentik_core.user"}) {
		t.Errorf("models with attributes: %v", got)
	}
	if got := names("admin/models/"); !slices.Contains(got, "authentik_flows.flow") || slices.Contains(got, "authentik_tenants.tenant") {
		t.Errorf("models: %v", got)
	}
	for _, path := range []string{"admin/apps/", "admin/models/", "admin/version/"} {
		if a := o.call("", "GET", path, nil); a.status != 403 {
			t.Errorf("%s for a stranger: %d", path, a.status)
		}
	}
	info := o.must("GET", "admin/system/", nil)
	if info["base_url"] != "https://id.example.com" || info["http_is_secure"] != false || "http://"+info["http_host"].(string) != o.base || info["brand"] == "" {
		t.Errorf("system: %v", info)
	}
	if a := o.call(root, "GET", "admin/models/?filter_has_attributes=x", nil); a.status != 400 {
		t.Errorf("a filter that is none: %d", a.status)
	}
}

// Whatever a proxy or a client adds, only headers known to be harmless are
// shown.
func TestRule45SystemInfoShowsNoSecretHeader(t *testing.T) {
	o := openOffice(t, settings(t))
	const secret = "a-secret-of-somebody"
	header := http.Header{"Authorization": {"Bearer " + root}, "X-Forwarded-Host": {"proxied.example.com"}}
	for _, name := range []string{"Cookie", "Proxy-Authorization", "X-Api-Key", "X-Forwarded-Access-Token", "X-Forwarded-Client-Cert", "X-Authentik-Outpost-Token", "Referer"} {
		header.Set(name, secret)
	}
	got := o.page("/api/v3/admin/system/", header)
	if !strings.Contains(got, "proxied.example.com") || strings.Contains(got, secret) || strings.Contains(got, root) {
		t.Errorf("%s", got)
	}
}

func TestSystemPermissionsOfThePersonWhoCalls(t *testing.T) {
	o := openOffice(t, settings(t))
	held := func(token string) string {
		return fmt.Sprint(o.call(token, "GET", "core/users/me/", nil).object["user"].(m)["system_permissions"])
	}
	_, clerk := o.clerk("clerk", "authentik_rbac.view_system_info", "authentik_rbac.view_role")
	if got := held(root); got != "[access_admin_interface view_system_info view_system_settings edit_system_settings view_media_files manage_media_files]" {
		t.Errorf("a superuser holds %s", got)
	}
	if got := held(clerk); got != "[view_system_info]" {
		t.Errorf("the clerk holds %s", got)
	}
}

func TestSettingsAreRefusedWhereTheyWouldDoNothing(t *testing.T) {
	for _, configured := range []string{"", "https://id.example.com"} {
		t.Run("base URL "+configured, func(t *testing.T) {
			s := settings(t)
			s.BaseURL, _ = url.Parse(configured)
			if configured == "" {
				s.BaseURL = nil
			}
			o := openOffice(t, s)
			// The first write stores the settings, later ones change them.
			for range 2 {
				for field, value := range map[string]any{
					"base_url": "https://other.example.com", "avatars": "gravatar", "event_retention": "soon", "reputation_lower_limit": 1, "default_token_length": 8,
					"footer_links": []m{{"name": "x", "href": "javascript:alert(1)"}}, "pagination_default_page_size": 0,
				} {
					if a := o.call(root, "PATCH", "admin/settings/", m{field: value}); a.status != 400 || a.object[field] == nil {
						t.Errorf("%s = %v: %d %s", field, value, a.status, a.raw)
					}
				}
				if a := o.call(root, "PUT", "admin/settings/", m{}); a.status != 400 || a.object["flags"] == nil {
					t.Errorf("PUT without flags: %d %s", a.status, a.raw)
				}
				if got := o.must("PATCH", "admin/settings/", m{"base_url": configured, "gdpr_compliance": false}); got["base_url"] != configured || got["gdpr_compliance"] != false {
					t.Errorf("%v", got)
				}
			}
		})
	}
}

func TestStoredSettingsTakeEffect(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		brand := func() m { return o.must("GET", "core/brands/current/", nil) }
		page := func() string { return o.page("/if/flow/default-authentication-flow/", nil) }
		if fmt.Sprint(brand()["ui_footer_links"]) != "[]" || brand()["flags"].(m)["flows_refresh_others"] != false {
			t.Errorf("at first: %v", brand())
		}
		o.must("PATCH", "admin/settings/", m{"avatars": "gravatar,none", "footer_links": []m{{"name": "Imprint", "href": "https://example.com/imprint"}, {"name": "Room 7", "href": nil},
			{"name": "Write", "href": "mailto:help@example.com"}},
			"flags": m{"core_default_app_access": true, "enterprise_audit_include_expanded_diff": false, "flows_continuous_login": false, "flows_refresh_others": true}})

		got := brand()
		if links := got["ui_footer_links"].([]any); len(links) != 3 || links[0].(m)["href"] != "https://example.com/imprint" || links[1].(m)["href"] != nil {
			t.Errorf("links %v", links)
		}
		if got["flags"].(m)["flows_refresh_others"] != true {
			t.Errorf("flags %v", got["flags"])
		}
		shown := page()
		for _, want := range []string{`href="https://example.com/imprint">Imprint</a>`, `<li>Room 7</li>`, `href="mailto:help@example.com">Write</a>`} {
			if !strings.Contains(shown, want) {
				t.Errorf("the page lacks %s", want)
			}
		}
		if me := o.must("GET", "core/users/me/", nil)["user"].(m); me["avatar"] != "/avatar/-.svg" {
			t.Errorf("avatar %v", me["avatar"])
		}
		c := visit(t, o.site)
		c.do("POST", loginFlow, `{"uid_field":"akadmin"}`)
		if r := c.do("GET", loginFlow, ""); r.body["pending_user_avatar"] != "/avatar/-.svg" {
			t.Errorf("in a flow: %v", r.body)
		}
		// A brand with links of its own keeps them.
		pk := results(o.must("GET", "core/brands/", nil))[0]["brand_uuid"].(string)
		o.must("PATCH", "core/brands/"+pk+"/", m{"attributes": m{"weir": m{"footer_links": []m{{"name": "Ours", "href": "/ours"}}}}})
		if shown := page(); !strings.Contains(shown, `href="/ours">Ours</a>`) || strings.Contains(shown, "Imprint") {
			t.Error("the brand's links do not come first")
		}
	})
}

// An expression reads what is stored, from the next evaluation on.
func TestExpressionsReadTheStoredSettings(t *testing.T) {
	o := openOffice(t, settings(t))
	apply(t, o.site, `
version: 1
entries:
  - {model: authentik_flows.flow, id: flow, identifiers: {slug: asks}, attrs: {name: Asks, title: Asks, designation: authentication, denied_action: message}}
  - {model: authentik_stages_dummy.dummystage, id: stage, identifiers: {name: asks}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf stage, order: 0}}
  - model: authentik_policies_expression.expressionpolicy
    id: policy
    identifiers: {name: asks}
    attrs: {expression: "return request.http_request.tenant.default_user_change_email and request.http_request.tenant.default_token_length == 60"}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf flow, policy: !KeyOf policy, order: 0}}
`)
	asks := func() string { return o.call("", "GET", "flows/executor/asks/", nil).object["component"].(string) }
	if got := asks(); got != "ak-stage-access-denied" {
		t.Errorf("at first: %s", got)
	}
	o.must("PATCH", "admin/settings/", m{"default_user_change_email": true})
	if got := asks(); got != "ak-stage-dummy" {
		t.Errorf("when it is allowed: %s", got)
	}
}
