package weir

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each action needs its own permission; without it, or without the object, it
// does nothing.
func TestActionsOnPeopleNeedTheirPermission(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		other := o.user("other", nil)
		group, role := o.group("group", nil), o.role("role")
		o.token(other)
		nobody := o.token(o.user("nobody", nil))
		user, gone := fmt.Sprintf("core/users/%d/", other), "core/users/4711/"
		key := fmt.Sprintf("core/tokens/token-of-%d/", other)
		assigned := "rbac/permissions/assigned_by_roles/"
		const none = "00000000-0000-4000-8000-000000000000"
		rows := []struct {
			name, method, path string
			body               any
			needs              []string
			missing            string // the same call about an object that is not there
			wrong              any    // a body that is refused
			status             int
		}{
			{"set a password", "POST", user + "set_password/", m{"password": "long enough"}, []string{"authentik_core.view_user", "authentik_core.reset_user_password"},
				gone + "set_password/", m{"password": ""}, 204},
			{"set a hash", "POST", user + "set_password_hash/", m{"password": "pbkdf2_sha256$1000$salt$hc7u6QPPTpSDEX4Tzt4eJZrrw4u3KaRTlPDqPMxxMlg="},
				[]string{"authentik_core.view_user", "authentik_core.reset_user_password"}, gone + "set_password_hash/", m{"password": "plain text"}, 204},
			{"list the folders", "GET", "core/users/paths/", nil, []string{"authentik_core.view_user"}, "", nil, 200},
			{"make a service account", "POST", "core/users/service_account/", m{"name": "robot"}, []string{"authentik_core.add_user", "authentik_core.add_token"},
				"", m{"name": "other"}, 200},
			{"make one with a group", "POST", "core/users/service_account/", m{"name": "robots", "create_group": true},
				[]string{"authentik_core.add_user", "authentik_core.add_token", "authentik_core.add_group"}, "", m{}, 200},
			{"add to a group", "POST", "core/groups/" + group + "/add_user/", m{"pk": other}, []string{"authentik_core.view_group", "authentik_core.add_user_to_group"},
				"core/groups/" + none + "/add_user/", m{"pk": "x"}, 204},
			{"remove from a group", "POST", "core/groups/" + group + "/remove_user/", m{"pk": other},
				[]string{"authentik_core.view_group", "authentik_core.remove_user_from_group"}, "core/groups/" + none + "/remove_user/", m{}, 204},
			{"give a role", "POST", "rbac/roles/" + role + "/add_user/", m{"pk": other}, []string{"authentik_rbac.view_role", "authentik_rbac.change_role"},
				"rbac/roles/" + none + "/add_user/", m{}, 204},
			{"take a role", "POST", "rbac/roles/" + role + "/remove_user/", m{"pk": other}, []string{"authentik_rbac.view_role", "authentik_rbac.change_role"},
				"rbac/roles/" + none + "/remove_user/", m{}, 204},
			{"see a key", "GET", key + "view_key/", nil, []string{"authentik_core.view_token", "authentik_core.view_token_key"}, "core/tokens/gone/view_key/", nil, 200},
			{"set a key", "POST", key + "set_key/", m{"key": "another-key-of-some-length"}, []string{"authentik_core.view_token", "authentik_core.set_token_key"},
				"core/tokens/gone/set_key/", m{"key": "short"}, 204},
			{"list permissions", "GET", "rbac/permissions/", nil, []string{"auth.view_permission"}, "", nil, 200},
			{"list what roles may do with objects", "GET", "rbac/permissions/roles/", nil, []string{"authentik_rbac.view_role"}, "", nil, 200},
			{"list who may do something", "GET", assigned + "?model=authentik_flows.flow", nil, []string{"authentik_rbac.view_role"}, "", nil, 200},
			{"assign", "POST", assigned + role + "/assign/", m{"permissions": []string{"authentik_rbac.view_role"}},
				[]string{"authentik_rbac.view_role", "authentik_rbac.assign_role_permissions"}, assigned + none + "/assign/", m{}, 200},
			{"unassign", "PATCH", assigned + role + "/unassign/", m{"permissions": []string{"authentik_rbac.view_role"}},
				[]string{"authentik_rbac.view_role", "authentik_rbac.unassign_role_permissions"}, assigned + none + "/unassign/", m{"permissions": []string{"x"}}, 204},
			{"see the system", "GET", "admin/system/", nil, []string{"authentik_rbac.view_system_info"}, "", nil, 200},
			{"see the system once more", "POST", "admin/system/", nil, []string{"authentik_rbac.view_system_info"}, "", nil, 200},
			{"see the settings", "GET", "admin/settings/", nil, []string{"authentik_rbac.view_system_settings"}, "", nil, 200},
			{"change the settings", "PATCH", "admin/settings/", m{"gdpr_compliance": true}, []string{"authentik_rbac.edit_system_settings"}, "", m{"avatars": "gravatar"}, 200},
		}
		for i, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				o.t = t
				expect := func(who, token, path string, body any, status int) {
					t.Helper()
					if a := o.call(token, row.method, path, body); a.status != status {
						t.Errorf("%s: %d %s, want %d", who, a.status, a.raw, status)
					}
				}
				expect("a stranger", "", row.path, row.body, 403)
				// Everybody sees some tokens, so the others are not there for them.
				unseen := 403
				if strings.HasPrefix(row.path, "core/tokens/") {
					unseen = 404
				}
				expect("somebody without permissions", nobody, row.path, row.body, unseen)
				for j, lacking := range row.needs {
					_, token := o.clerk(fmt.Sprintf("lacks-%d-%d", i, j), append(row.needs[:j:j], row.needs[j+1:]...)...)
					status := 403
					if lacking == "authentik_core.view_token" {
						status = unseen
					}
					expect("without "+lacking, token, row.path, row.body, status)
				}
				_, token := o.clerk(fmt.Sprintf("has-%d", i), row.needs...)
				if row.missing != "" {
					expect("about nothing", token, row.missing, row.body, 404)
				}
				if row.wrong != nil {
					expect("with a wrong body", token, row.path, row.wrong, 400)
				}
				expect("with the permission", token, row.path, row.body, row.status)
			})
		}
	})
}

func TestNobodyIsAddedThatIsNotThere(t *testing.T) {
	o := openOffice(t, settings(t))
	for _, path := range []string{"core/groups/" + o.group("group", nil), "rbac/roles/" + o.role("role")} {
		if a := o.call(root, "POST", path+"/add_user/", m{"pk": 4711}); a.status != 404 {
			t.Errorf("%s: %d %s", path, a.status, a.raw)
		}
	}
}

func TestSettingAPasswordEndsTheOtherSessions(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		id := o.user("ada", nil)
		set := func(c *client, password string) {
			t.Helper()
			path := fmt.Sprintf("core/users/%d/set_password/", id)
			status := 0
			if c == nil {
				status = o.call(root, "POST", path, m{"password": password}).status
			} else {
				status = c.do("POST", "/api/v3/"+path, fmt.Sprintf(`{"password":%q}`, password)).status
			}
			if status != 204 {
				t.Fatalf("set_password = %d", status)
			}
		}
		me := func(c *client) int { return c.do("GET", "/api/v3/core/users/me/", "").status }
		set(nil, "the first one")
		here, there := visit(t, o.site), visit(t, o.site)
		for _, c := range []*client{here, there} {
			if r := c.signIn("ada", "the first one"); r.component() != "xak-flow-redirect" {
				t.Fatalf("the login ends with %v", r.body)
			}
		}
		o.must("POST", "rbac/roles/"+o.role("self", "authentik_core.view_user", "authentik_core.reset_user_password")+"/add_user/", m{"pk": id})
		set(here, "the second one")
		if me(here) != 200 || me(there) != 403 {
			t.Errorf("after changing one's own password: here %d, there %d", me(here), me(there))
		}
		set(nil, "the third one")
		if me(here) != 403 {
			t.Errorf("after somebody else changed it: %d", me(here))
		}
		if n := strings.Count(o.events(), "password_set"); n != 3 {
			t.Errorf("%d events", n)
		}
		if r := visit(t, o.site).signIn("ada", "the third one"); r.component() != "xak-flow-redirect" {
			t.Errorf("the new password gives %v", r.body)
		}
	})
}

func TestRule44AHashOfTooHighACostIsRefused(t *testing.T) {
	o := openOffice(t, settings(t))
	path := fmt.Sprintf("core/users/%d/set_password_hash/", o.user("ada", nil))
	for _, hash := range []string{"pbkdf2_sha256$2000000000$salt$hc7u6QPPTpSDEX4Tzt4eJZrrw4u3KaRTlPDqPMxxMlg=", "argon2$argon2id$v=19$m=99999999,t=99,p=99$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo", "md5$x$y", "x"} {
		a := o.call(root, "POST", path, m{"password": hash})
		if a.status != 400 || a.object["password"] == nil {
			t.Errorf("%s: %d %s", hash, a.status, a.raw)
		}
	}
}

func TestServiceAccounts(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		made := o.must("POST", "core/users/service_account/", m{"name": "Ro.Bot", "create_group": true})
		id := int64(made["user_pk"].(float64))
		user := o.must("GET", fmt.Sprintf("core/users/%d/", id), nil)
		if user["type"] != "service_account" || user["path"] != "goauthentik.io/service-accounts" || user["username"] != "Ro.Bot" || user["uid"] != made["user_uid"] {
			t.Errorf("user %v", user)
		}
		if fmt.Sprint(user["groups"]) != fmt.Sprintf("[%v]", made["group_pk"]) {
			t.Errorf("groups %v, want %v", user["groups"], made["group_pk"])
		}
		tokens := o.must("GET", "core/tokens/?user__username=Ro.Bot", nil)["results"].([]any)
		if len(tokens) != 1 || tokens[0].(m)["intent"] != "app_password" || tokens[0].(m)["expiring"] != true || tokens[0].(m)["expires"] == nil {
			t.Fatalf("tokens %v", tokens)
		}
		// The key is what the account signs in with.
		if r := visit(t, o.site).signIn("Ro.Bot", made["token"].(string)); r.component() != "xak-flow-redirect" {
			t.Errorf("the app password gives %v", r.body)
		}
		for _, want := range []string{"model_created", "secret_view"} {
			if strings.Contains(o.events(), want) != (want == "model_created") {
				t.Errorf("events %s", o.events())
			}
		}
		if made := o.must("POST", "core/users/service_account/", m{"name": "robot", "expiring": false}); made["group_pk"] != nil {
			t.Errorf("a group nobody asked for: %v", made)
		}
		a := o.call(root, "POST", "core/users/service_account/", m{"name": "ROBOT", "create_group": true})
		if a.status != 400 || a.object["name"] == nil {
			t.Errorf("a name that is taken: %d %s", a.status, a.raw)
		}
		if n := o.must("GET", "core/groups/?name=ROBOT", nil)["pagination"].(m)["count"]; n != 0.0 {
			t.Error("a refused account left its group")
		}
	})
}

func TestKeysOfTokensAreForTheirOwners(t *testing.T) {
	o := openOffice(t, settings(t))
	ada := o.user("ada", nil)
	token := o.token(ada)
	path := fmt.Sprintf("core/tokens/token-of-%d/", ada)
	before := strings.Count(o.events(), "secret_view")
	if a := o.call(token, "GET", path+"view_key/", nil); a.status != 200 || a.object["key"] != token {
		t.Errorf("the owner gets %d %s", a.status, a.raw)
	}
	if n := strings.Count(o.events(), "secret_view"); n != before+1 {
		t.Errorf("%d events, want one more than %d", n, before)
	}
	if a := o.call(token, "POST", path+"set_key/", m{"key": "a-key-of-my-own-choice"}); a.status != 204 {
		t.Errorf("set_key = %d %s", a.status, a.raw)
	}
	if a := o.call(token, "GET", "core/users/me/", nil); a.status != 403 {
		t.Errorf("the old key gives %d", a.status)
	}
	if a := o.call("a-key-of-my-own-choice", "GET", "core/users/me/", nil); a.status != 200 {
		t.Errorf("the new key gives %d", a.status)
	}
}

func TestEndingSessionsOfSomePeople(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		ids := map[string]int64{}
		in := map[string]*client{}
		for _, name := range []string{"ada", "bob", "eve"} {
			ids[name] = o.user(name, nil)
			o.must("POST", fmt.Sprintf("core/users/%d/set_password/", ids[name]), m{"password": "long enough"})
			in[name] = visit(t, o.site)
			in[name].signIn(name, "long enough")
		}
		end := func(token, query string) answer {
			return o.call(token, "DELETE", "core/authenticated_sessions/bulk_delete/"+query, nil)
		}
		if a := end(root, ""); a.status != 400 || a.object["user_pks"] == nil {
			t.Errorf("nobody: %d %s", a.status, a.raw)
		}
		if a := end(root, "?user_pks=x"); a.status != 400 {
			t.Errorf("no number: %d", a.status)
		}
		all := fmt.Sprintf("?user_pks=%d&user_pks=%d,%d", ids["ada"], ids["bob"], ids["eve"])
		if a := end(o.token(ids["eve"]), all); a.status != 200 || a.object["deleted"] != 1.0 {
			t.Errorf("without the permission: %d %s", a.status, a.raw)
		}
		here := func() (out string) {
			for _, name := range []string{"ada", "bob", "eve"} {
				out += fmt.Sprint(in[name].do("GET", "/api/v3/core/users/me/", "").status, " ")
			}
			return out
		}
		if got := here(); got != "200 200 403 " {
			t.Errorf("ended %s", got)
		}
		if a := end(root, all); a.status != 200 || a.object["deleted"] != 2.0 {
			t.Errorf("as superuser: %d %s", a.status, a.raw)
		}
		if got := here(); got != "403 403 403 " {
			t.Errorf("ended %s", got)
		}
	})
}

func TestFoldersOfPeople(t *testing.T) {
	o := openOffice(t, settings(t))
	o.user("ada", m{"path": "staff/berlin"})
	o.user("bob", m{"path": "staff/paris"})
	for search, want := range map[string][]any{"": {"staff", "staff/berlin", "staff/paris", "users"}, "PAR": {"staff/paris"}, "nothing": {}} {
		if diff := cmp.Diff(want, o.must("GET", "core/users/paths/?search="+search, nil)["paths"]); diff != "" {
			t.Errorf("%q: %s", search, diff)
		}
	}
}

func TestActionsTakeNoOtherMethod(t *testing.T) {
	o := openOffice(t, settings(t))
	if a := o.call(root, "GET", fmt.Sprintf("core/users/%d/set_password/", o.user("ada", nil)), nil); a.status != http.StatusMethodNotAllowed {
		t.Errorf("%d", a.status)
	}
}
