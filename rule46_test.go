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
