package weir

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Who may manage people must not become more than they are by doing so: not
// through groups, roles, permissions, tokens or other people's accounts.
func TestRule46ADelegatedAdministratorStaysOne(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		chief := o.user("chief", nil)
		supers := o.group("supers", m{"is_superuser": true, "users": []int64{chief}})
		below := o.group("below", m{"parents": []string{supers}})
		plain := o.group("plain", nil)
		strong := o.role("strong", "authentik_flows.delete_flow")
		equal := o.role("equal", "authentik_core.view_user")
		powerful := o.group("powerful", m{"roles": []string{strong}})
		stronger := o.user("stronger", m{"groups": []string{powerful}})
		friend := o.user("friend", nil)
		o.token(chief)

		clerk, token := o.clerk("clerk", "authentik_core.view_user", "authentik_core.add_user", "authentik_core.change_user", "authentik_core.delete_user",
			"authentik_core.view_group", "authentik_core.add_group", "authentik_core.change_group", "authentik_core.delete_group",
			"authentik_core.add_user_to_group", "authentik_core.remove_user_from_group", "authentik_core.reset_user_password",
			"authentik_core.view_token", "authentik_core.add_token", "authentik_core.change_token", "authentik_core.view_token_key", "authentik_core.set_token_key",
			"authentik_rbac.view_role", "authentik_rbac.add_role", "authentik_rbac.change_role",
			"authentik_rbac.assign_role_permissions", "authentik_rbac.unassign_role_permissions")
		own := o.must("GET", "rbac/roles/?name=role+of+clerk", nil)["results"].([]any)[0].(m)["pk"].(string)

		user := func(id int64) string { return fmt.Sprintf("core/users/%d/", id) }
		group := func(id string) string { return "core/groups/" + id + "/" }
		role := func(id string) string { return "rbac/roles/" + id + "/" }
		chiefToken := fmt.Sprintf("core/tokens/token-of-%d/", chief)
		assigned := "rbac/permissions/assigned_by_roles/"
		rows := []struct {
			name, method, path string
			body               any
			status             int
		}{
			{"joining a superuser group", "POST", group(supers) + "add_user/", m{"pk": clerk}, 403},
			{"adding a friend to it", "POST", group(supers) + "add_user/", m{"pk": friend}, 403},
			{"joining a group below it", "POST", group(below) + "add_user/", m{"pk": clerk}, 403},
			{"taking somebody out of it", "POST", group(supers) + "remove_user/", m{"pk": chief}, 403},
			{"joining a group whose role can more", "POST", group(powerful) + "add_user/", m{"pk": clerk}, 403},
			{"joining by editing oneself", "PATCH", user(clerk), m{"groups": []string{supers}}, 403},
			{"joining below by editing oneself", "PATCH", user(clerk), m{"groups": []string{below}}, 403},
			{"making a user who is in it", "POST", "core/users/", m{"username": "new", "name": "", "groups": []string{supers}}, 403},
			{"making a user with a strong role", "POST", "core/users/", m{"username": "new", "name": "", "roles": []string{strong}}, 403},
			{"joining by editing the group's users", "PATCH", group(supers), m{"users": []int64{chief, clerk}}, 403},
			{"joining by editing the users of one below", "PATCH", group(below), m{"users": []int64{clerk}}, 403},
			{"putting a group below it", "PATCH", group(plain), m{"parents": []string{supers}}, 403},
			{"putting a group below one below", "PATCH", group(plain), m{"parents": []string{below}}, 403},
			{"making a group below it", "POST", "core/groups/", m{"name": "new", "parents": []string{supers}}, 403},
			{"making superusers of a group", "PATCH", group(plain), m{"is_superuser": true}, 403},
			{"making a superuser group", "POST", "core/groups/", m{"name": "new", "is_superuser": true, "users": []int64{clerk}}, 403},
			{"giving a group a strong role", "PATCH", group(plain), m{"roles": []string{strong}}, 403},
			{"ending a superuser group", "PATCH", group(supers), m{"is_superuser": false}, 403},
			{"deleting a superuser group", "DELETE", group(supers), nil, 403},

			{"a superuser's password", "POST", user(chief) + "set_password/", m{"password": "of the clerk"}, 403},
			{"a superuser's hash", "POST", user(chief) + "set_password_hash/", m{"password": "!x"}, 403},
			{"a superuser's address", "PATCH", user(chief), m{"email": "clerk@example.com"}, 403},
			{"deleting a superuser", "DELETE", user(chief), nil, 403},
			{"the password of somebody who can more", "POST", user(stronger) + "set_password/", m{"password": "of the clerk"}, 403},
			{"the address of somebody who can more", "PATCH", user(stronger), m{"email": "clerk@example.com"}, 403},

			{"reading a superuser's token", "GET", chiefToken + "view_key/", nil, 403},
			{"setting a superuser's token", "POST", chiefToken + "set_key/", m{"key": "a-key-that-the-clerk-knows"}, 403},
			{"prolonging a superuser's token", "PATCH", chiefToken, m{"expiring": false}, 403},
			{"making a superuser's token", "POST", "core/tokens/", m{"identifier": "new", "user": chief}, 403},
			{"making a token of somebody who can more", "POST", "core/tokens/", m{"identifier": "new", "user": stronger}, 403},

			{"a permission they lack", "POST", assigned + own + "/assign/", m{"permissions": []string{"authentik_flows.delete_flow"}}, 403},
			{"one they have and one they lack", "POST", assigned + own + "/assign/", m{"permissions": []string{"view_user", "delete_flow"}}, 403},
			{"a permission of the system", "POST", assigned + own + "/assign/", m{"permissions": []string{"authentik_rbac.edit_system_settings"}}, 403},
			{"a permission they lack on one object", "POST", assigned + own + "/assign/",
				m{"permissions": []string{"view_token_key_x", "delete_role"}, "model": "authentik_rbac.role", "object_pk": strong}, 400},
			{"a permission they lack on one role", "POST", assigned + own + "/assign/",
				m{"permissions": []string{"delete_role"}, "model": "authentik_rbac.role", "object_pk": strong}, 403},
			{"taking a permission they lack", "PATCH", assigned + strong + "/unassign/", m{"permissions": []string{"delete_flow"}}, 403},
			{"a stronger role for themselves", "POST", role(strong) + "add_user/", m{"pk": clerk}, 403},
			{"a stronger role for a friend", "POST", role(strong) + "add_user/", m{"pk": friend}, 403},
			{"taking a stronger role away", "POST", role(strong) + "remove_user/", m{"pk": stronger}, 403},
			{"a stronger role by editing themselves", "PATCH", user(clerk), m{"roles": []string{strong, own}}, 403},

			{"what they do not manage at all", "GET", "admin/settings/", nil, 403},

			{"a plain group", "POST", group(plain) + "add_user/", m{"pk": friend}, 204},
			{"and out of it", "POST", group(plain) + "remove_user/", m{"pk": friend}, 204},
			{"a friend's password", "POST", user(friend) + "set_password/", m{"password": "of the friend"}, 204},
			{"a friend's address", "PATCH", user(friend), m{"email": "friend@example.com"}, 200},
			{"an equal role", "POST", role(equal) + "add_user/", m{"pk": friend}, 204},
			{"a permission they have", "POST", assigned + equal + "/assign/", m{"permissions": []string{"authentik_core.change_user"}}, 200},
			{"and back", "PATCH", assigned + equal + "/unassign/", m{"permissions": []string{"authentik_core.change_user"}}, 204},
			{"a service account", "POST", "core/users/service_account/", m{"name": "robot", "create_group": true}, 200},
			{"deleting a friend", "DELETE", user(friend), nil, 204},
		}
		power := func() []any {
			return o.call(token, "GET", "core/users/me/", nil).object["user"].(m)["groups"].([]any)
		}
		for _, row := range rows {
			a := o.call(token, row.method, row.path, row.body)
			if a.status != row.status {
				t.Errorf("%s: %s %s = %d %s, want %d", row.name, row.method, row.path, a.status, a.raw, row.status)
			}
			if super := o.call(token, "GET", "core/users/me/", nil).object["user"].(m)["is_superuser"]; super != false {
				t.Fatalf("%s: the clerk is a superuser", row.name)
			}
		}
		if len(power()) != 0 {
			t.Errorf("the clerk is in %v", power())
		}
		left := o.must("GET", "core/groups/"+supers+"/", nil)
		if fmt.Sprint(left["users"]) != fmt.Sprintf("[%d]", chief) || left["is_superuser"] != true {
			t.Errorf("the superusers are %v", left["users"])
		}
		held := o.must("GET", "rbac/permissions/?page_size=100&role="+own, nil)["results"].([]any)
		for _, p := range held {
			if slices.Contains([]string{"delete_flow", "edit_system_settings", "delete_role"}, p.(m)["codename"].(string)) {
				t.Errorf("the clerk's role got %v", p)
			}
		}
		if got := o.call(token, "GET", "core/users/?search=clerk", nil); !strings.Contains(got.raw, "clerk") {
			t.Errorf("the clerk can no longer look people up: %d", got.status)
		}
	})
}

// With the token of an internal service account anybody can name the address
// that they come from, so only superusers make one, unmake one, or get at the
// token of one; the operator's files may do it as well.
func TestRule46OnlySuperusersMakeOutposts(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		const internal = "internal_service_account"
		outpost := o.user("outpost", m{"type": internal})
		key, path := o.token(outpost), fmt.Sprintf("core/users/%d/", outpost)
		friend := fmt.Sprintf("core/users/%d/", o.user("friend", m{"type": "service_account"}))
		id, token := o.clerk("clerk", "authentik_core.view_user", "authentik_core.add_user", "authentik_core.change_user", "authentik_core.delete_user",
			"authentik_core.reset_user_password", "authentik_core.view_token", "authentik_core.add_token", "authentik_core.change_token",
			"authentik_core.view_token_key", "authentik_core.set_token_key")
		self := fmt.Sprintf("core/users/%d/", id)
		keys := fmt.Sprintf("core/tokens/token-of-%d/", outpost)
		rows := []struct {
			name, method, path string
			body               any
			status             int
			ofType             bool // refused because of the field type
		}{
			{"making one", "POST", "core/users/", m{"username": "new", "name": "", "type": internal}, 400, true},
			{"making one of a service account", "PATCH", friend, m{"type": internal}, 400, true},
			{"becoming one", "PATCH", self, m{"type": internal}, 400, true},
			{"making something else of one", "PATCH", path, m{"type": "internal"}, 400, true},
			{"replacing one", "PUT", path, m{"username": "outpost", "name": "", "type": "external"}, 400, true},
			{"renaming one", "PATCH", path, m{"name": "mine"}, 403, false},
			{"the password of one", "POST", path + "set_password/", m{"password": "of the clerk"}, 403, false},
			{"a token for one", "POST", "core/tokens/", m{"identifier": "mine", "intent": "api", "user": outpost}, 403, false},
			{"reading the key of one", "GET", keys + "view_key/", nil, 403, false},
			{"choosing the key of one", "POST", keys + "set_key/", m{"key": "a-key-that-the-clerk-knows"}, 403, false},
			{"prolonging the token of one", "PATCH", keys, m{"expiring": false}, 403, false},
			{"deleting one", "DELETE", path, nil, 403, false},
			{"another type", "PATCH", friend, m{"type": "external"}, 200, false},
			{"a service account", "POST", "core/users/", m{"username": "robot", "name": "", "type": "service_account"}, 201, false},
		}
		for _, row := range rows {
			a := o.call(token, row.method, row.path, row.body)
			if a.status != row.status || (a.object["type"] != nil && a.status == 400) != row.ofType {
				t.Errorf("%s: %d %s, want %d", row.name, a.status, a.raw, row.status)
			}
		}
		internals := func() string {
			list := o.must("GET", "core/users/?type="+internal+"&ordering=username", nil)["results"].([]any)
			var names []string
			for _, u := range list {
				names = append(names, u.(m)["username"].(string))
			}
			return strings.Join(names, " ")
		}
		if got := internals(); got != "outpost" {
			t.Fatalf("there are %s", got)
		}
		if a := o.call(key, "POST", "core/users/", m{"username": "second", "name": "", "type": internal}); a.status != 403 {
			t.Errorf("an outpost makes another: %d %s", a.status, a.raw)
		}
		if a := o.call(key, "GET", keys+"view_key/", nil); a.status != 200 {
			t.Errorf("an outpost reads its own key: %d %s", a.status, a.raw)
		}

		apply(t, o.site, "entries: [{model: authentik_core.user, identifiers: {username: filed}, attrs: {name: Filed, type: internal_service_account}}]\n")
		o.must("PATCH", friend, m{"type": internal})
		o.must("PATCH", path, m{"type": "service_account"})
		if got := internals(); got != "filed friend" {
			t.Errorf("the operator and a superuser have made %s", got)
		}
	})
}
