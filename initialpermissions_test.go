package weir

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// numbers are the permissions by their codenames.
func (o *office) numbers(codenames ...string) []float64 {
	o.t.Helper()
	out := make([]float64, 0, len(codenames))
	for _, name := range codenames {
		found := o.must("GET", "rbac/permissions/?codename="+name, nil)["results"].([]any)
		if len(found) != 1 {
			o.t.Fatalf("%d permissions are called %s", len(found), name)
		}
		out = append(out, found[0].(m)["id"].(float64))
	}
	slices.Sort(out)
	return out
}

func TestWhoMakesAnObjectGetsTheInitialPermissionsOfTheirRoles(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		maker, token := o.clerk("maker", "authentik_flows.add_flow", "authentik_core.add_user", "authentik_core.add_group")
		role := o.must("GET", "rbac/roles/?name=role+of+maker", nil)["results"].([]any)[0].(m)["pk"].(string)
		mate := o.user("mate", m{"groups": []string{o.group("makers", m{"roles": []string{role}})}})
		mates := o.token(mate)
		_, stranger := o.clerk("stranger", "authentik_flows.add_flow")
		made := o.must("POST", "rbac/initial_permissions/", m{"name": "flows", "role": role, "permissions": o.numbers("view_flow", "change_flow", "view_user", "view_group")})
		if got := made["permissions_obj"].([]any); len(got) != 4 {
			t.Errorf("shown as %v", made)
		}
		flow := func(token, slug string) int {
			return o.call(token, "POST", "flows/instances/", m{"name": slug, "slug": slug, "title": slug, "designation": "authorization"}).status
		}
		for slug, by := range map[string]string{"theirs": token, "strange": stranger, "program": root} {
			if got := flow(by, slug); got != 201 {
				t.Fatalf("making %s: status %d", slug, got)
			}
		}
		change := func(token, slug string) int {
			return o.call(token, "PATCH", "flows/instances/"+slug+"/", m{"title": "New"}).status
		}
		for _, row := range []struct {
			name, token, slug string
			want              int
		}{
			{"whoever made it", token, "theirs", 200},
			{"another member, through a group", mates, "theirs", 200},
			{"a member, what others made", token, "strange", 404},
			{"a member, what the program's token made", token, "program", 404},
			{"somebody without the role", stranger, "theirs", 403},
			{"somebody without the role, their own", stranger, "strange", 403},
		} {
			if got := change(row.token, row.slug); got != row.want {
				t.Errorf("%s: status %d, want %d", row.name, got, row.want)
			}
		}
		if got := o.call(token, "DELETE", "flows/instances/theirs/", nil).status; got != 403 {
			t.Errorf("what was not given: status %d", got)
		}
		// Each object gets what its own model has, whatever made it.
		account := o.call(token, "POST", "core/users/service_account/", m{"name": "robot", "create_group": true})
		if account.status != 403 {
			t.Errorf("without add_token: status %d", account.status)
		}
		o.must("POST", "rbac/permissions/assigned_by_roles/"+role+"/assign/", m{"permissions": []string{"authentik_core.add_token"}})
		account = o.call(token, "POST", "core/users/service_account/", m{"name": "robot", "create_group": true})
		if account.status != 200 {
			t.Fatalf("making a service account: %d %s", account.status, account.raw)
		}
		for path, want := range map[string]int{fmt.Sprintf("core/users/%v/", account.object["user_pk"]): 200, fmt.Sprintf("core/groups/%v/", account.object["group_pk"]): 200,
			fmt.Sprintf("core/users/%d/", maker): 404} {
			if got := o.call(token, "GET", path, nil).status; got != want {
				t.Errorf("%s: status %d, want %d", path, got, want)
			}
		}
		// What fails leaves no grant behind.
		grants := o.count("select count(*) from role_grants")
		if got := flow(token, "theirs"); got != 400 {
			t.Errorf("a taken slug: status %d", got)
		}
		if got := o.count("select count(*) from role_grants"); got != grants {
			t.Errorf("%d grants instead of %d", got, grants)
		}
		// With the role they go, and what was given before stays until then.
		pk := fmt.Sprintf("rbac/initial_permissions/%v/", made["pk"])
		if got := o.call(root, "GET", "rbac/roles/"+role+"/used_by/", nil); !strings.Contains(got.raw, `"cascade"`) || !strings.Contains(got.raw, `"flows"`) {
			t.Errorf("the role is used by %s", got.raw)
		}
		o.must("PATCH", pk, m{"permissions": []int{}})
		if got := flow(token, "later"); got != 201 {
			t.Errorf("making another: status %d", got)
		}
		if got := change(token, "later"); got != 404 {
			t.Errorf("after the end of it: status %d", got)
		}
		if got := change(token, "theirs"); got != 200 {
			t.Errorf("what was given before: status %d", got)
		}
		o.must("DELETE", "rbac/roles/"+role+"/", nil)
		if got := o.call(root, "GET", pk, nil).status; got != 404 {
			t.Errorf("without the role: status %d", got)
		}
	})
}

func TestInitialPermissionsAreChecked(t *testing.T) {
	o := openOffice(t, settings(t))
	role := o.role("makers")
	numbers := o.numbers("view_flow", "change_flow")
	first := o.must("POST", "rbac/initial_permissions/", m{"name": "first", "role": role, "permissions": append(numbers, numbers...)})
	if fmt.Sprint(first["permissions"]) != fmt.Sprint(numbers) {
		t.Errorf("stored %v, want %v", first["permissions"], numbers)
	}
	for name, body := range map[string]m{
		"a taken name":           {"name": "first", "role": role},
		"a long name":            {"name": strings.Repeat("n", 151), "role": role},
		"no role":                {"name": "x"},
		"a role that is gone":    {"name": "x", "role": "3f1b7f0e-6a0c-4c9b-9d55-8a3a1f7c24e1"},
		"a permission of nobody": {"name": "x", "role": role, "permissions": []int{1}},
	} {
		if got := o.call(root, "POST", "rbac/initial_permissions/", body); got.status != 400 {
			t.Errorf("%s: %d %s", name, got.status, got.raw)
		}
	}
	file := `
version: 1
entries:
  - {model: authentik_rbac.initialpermissions, identifiers: {name: first}, attrs: {role: !Find [authentik_rbac.role, [name, makers]], permissions: [!Find [auth.permission, [codename, view_flow]], !Find [auth.permission, [codename, change_flow]]]}}
  - {model: authentik_rbac.initialpermissions, identifiers: {name: second}, attrs: {role: !Find [authentik_rbac.role, [name, makers]]}}
`
	before := o.count("select count(*) from events")
	apply(t, o.site, file)
	if got := o.count("select count(*) from events"); got != before+1 {
		t.Errorf("the file makes %d events, want that of the second alone", got-before)
	}
	if got := o.must("GET", "rbac/initial_permissions/?name=second", nil)["pagination"].(m)["count"]; got != 1.0 {
		t.Errorf("%v are called second", got)
	}
}

// Nobody gives a role for its objects what they do not hold, and nobody hands out a
// role that leads to more than they hold.
func TestRule46NobodyGivesByInitialPermissionsWhatTheyDoNotHold(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		strong, weak := o.role("strong"), o.role("weak")
		o.must("POST", "rbac/initial_permissions/", m{"name": "strong", "role": strong, "permissions": o.numbers("delete_flow")})
		of := o.must("POST", "rbac/initial_permissions/", m{"name": "weak", "role": weak, "permissions": o.numbers("view_flow")})
		stronger := o.user("stronger", m{"roles": []string{strong}})
		powerful := o.group("powerful", m{"roles": []string{strong}})
		clerk, token := o.clerk("clerk", "authentik_rbac.view_initialpermissions", "authentik_rbac.add_initialpermissions", "authentik_rbac.change_initialpermissions",
			"authentik_rbac.view_role", "authentik_rbac.change_role", "authentik_flows.view_flow", "authentik_core.view_user", "authentik_core.change_user",
			"authentik_core.view_group", "authentik_core.add_user_to_group")
		weakly := fmt.Sprintf("rbac/initial_permissions/%v/", of["pk"])
		for _, row := range []struct {
			name, method, path string
			body               any
			want               int
		}{
			{"what they do not hold", "POST", "rbac/initial_permissions/", m{"name": "a", "role": weak, "permissions": o.numbers("delete_flow")}, 403},
			{"what they hold", "POST", "rbac/initial_permissions/", m{"name": "b", "role": weak, "permissions": o.numbers("view_flow")}, 201},
			{"adding what they do not hold", "PATCH", weakly, m{"permissions": o.numbers("view_flow", "delete_flow")}, 403},
			{"another role, with what they hold", "PATCH", weakly, m{"role": strong}, 200},
			{"taking the role that leads to more", "POST", "rbac/roles/" + strong + "/add_user/", m{"pk": clerk}, 403},
			{"taking one that does not", "POST", "rbac/roles/" + weak + "/add_user/", m{"pk": clerk}, 204},
			{"joining a group that has it", "POST", "core/groups/" + powerful + "/add_user/", m{"pk": clerk}, 403},
			{"changing the account of somebody who has it", "PATCH", fmt.Sprintf("core/users/%d/", stronger), m{"name": "x"}, 403},
		} {
			if got := o.call(token, row.method, row.path, row.body); got.status != row.want {
				t.Errorf("%s: status %d, want %d: %s", row.name, got.status, row.want, got.raw)
			}
		}
	})
}
