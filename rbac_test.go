package weir

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/api"
)

// Grants are stored by codename and clients name permissions by number, so both
// have to be unique; and what no list shows, nobody can grant.
func TestEveryPermissionThatARouteAsksForCanBeGranted(t *testing.T) {
	site := start(t, settings(t))
	numbers, names := map[int64]string{}, []string{}
	for _, p := range site.kinds.Permissions() {
		if other, taken := numbers[p.ID]; taken || p.ID <= 0 {
			t.Errorf("%s has the number %d, as %q", p, p.ID, other)
		}
		numbers[p.ID] = p.String()
		names = append(names, p.String())
		if site.kinds.Permission(p.String()) != p || site.kinds.Permission(p.Codename) != p {
			t.Errorf("%s is not found", p)
		}
	}
	for _, r := range site.api.Routes() {
		if r.Guard.Level != api.OnAll && r.Guard.Level != api.OnSome && r.Guard.Level != api.OnOne {
			continue
		}
		if name := r.Guard.Kind.App() + "." + access.Permission(r.Guard.Verb, r.Guard.Kind.Name()); !slices.Contains(names, name) {
			t.Errorf("%s %s needs %s, which is no permission", r.Method, r.Path, name)
		}
	}
}

func results(of m) []m {
	var out []m
	for _, v := range of["results"].([]any) {
		out = append(out, v.(m))
	}
	return out
}

func TestPermissionsAreListed(t *testing.T) {
	o := openOffice(t, settings(t))
	codenames := func(query string) (out []string) {
		for _, p := range results(o.must("GET", "rbac/permissions/?page_size=100&"+query, nil)) {
			out = append(out, p["codename"].(string))
		}
		return out
	}
	for query, want := range map[string][]string{
		"codename=view_flow": {"view_flow"},
		"content_type__app_label=authentik_core&content_type__model=user": {"add_user", "change_user", "delete_user", "impersonate", "reset_user_password", "view_user"},
		"content_type__model=authenticatedsession":                        {"delete_authenticatedsession", "view_authenticatedsession"},
		"content_type__model=systempermission&ordering=-codename":         {"view_system_settings", "view_system_info", "view_media_files", "manage_media_files", "edit_system_settings", "access_admin_interface"},
		"content_type__model=permission":                                  {"view_permission"},
		"search=reset+password":                                           {"reset_user_password"},
		"content_type__model=tenant":                                      nil,
		"role=00000000-0000-4000-8000-000000000000":                       nil,
		"role=nonsense": nil,
		"role=" + o.role("two", "view_flow", "authentik_core.add_user"):        {"add_user", "view_flow"},
		"codename=view_flow&role=" + o.role("one", "authentik_core.view_user"): nil,
	} {
		if got := codenames(query); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	one := results(o.must("GET", "rbac/permissions/?codename=view_flow", nil))[0]
	again := o.must("GET", fmt.Sprintf("rbac/permissions/%.0f/", one["id"]), nil)
	if fmt.Sprint(one) != fmt.Sprint(again) || one["model"] != "flow" || one["app_label"] != "authentik_flows" {
		t.Errorf("%v and %v", one, again)
	}
	if a := o.call(root, "GET", "rbac/permissions/1/", nil); a.status != 404 {
		t.Errorf("a number of none: %d", a.status)
	}
}

func TestPermissionsOfRoles(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		flows := results(o.must("GET", "flows/instances/?ordering=slug", nil))
		login, name := flows[0]["pk"].(string), flows[0]["slug"].(string)
		_, token := o.clerk("clerk")
		role := results(o.must("GET", "rbac/roles/?name=role+of+clerk", nil))[0]["pk"].(string)
		assigned := "rbac/permissions/assigned_by_roles/"
		sees := func() (n int) {
			a := o.call(token, "GET", "flows/instances/", nil)
			if a.status == 200 {
				n = len(results(a.object))
			}
			return n
		}

		t.Run("on one object", func(t *testing.T) {
			a := o.call(root, "POST", assigned+role+"/assign/", m{"permissions": []string{"view_flow"}, "model": "authentik_flows.flow", "object_pk": login})
			if a.status != 200 || len(a.list) != 1 || sees() != 1 {
				t.Fatalf("%d %s; the clerk sees %d flows", a.status, a.raw, sees())
			}
			number := a.list[0].(m)["id"].(string)
			for _, query := range []string{"?uuid=" + role, "", "?uuid=" + role + "&search=flow&page=last"} {
				got := results(o.must("GET", "rbac/permissions/roles/"+query, nil))
				if len(got) != 1 || fmt.Sprintf("%.0f", got[0]["id"]) != number || got[0]["object_pk"] != login || got[0]["codename"] != "view_flow" ||
					got[0]["object_description"] != name {
					t.Errorf("%s: %v", query, got)
				}
			}
			got := results(o.must("GET", assigned+"?model=authentik_flows.flow&object_pk="+login, nil))
			if len(got) != 1 || got[0]["role_pk"] != role || len(got[0]["object_permissions"].([]any)) != 1 || len(got[0]["model_permissions"].([]any)) != 0 {
				t.Errorf("%v", got)
			}
			if got := results(o.must("GET", assigned+"?model=authentik_flows.flow&object_pk="+flows[1]["pk"].(string), nil)); len(got) != 0 {
				t.Errorf("another object: %v", got)
			}
			o.must("PATCH", assigned+role+"/unassign/", m{"permissions": []string{"authentik_flows.view_flow"}, "model": "authentik_flows.flow", "object_pk": login})
			if sees() != 0 {
				t.Error("the clerk still sees the flow")
			}
		})
		t.Run("on all objects", func(t *testing.T) {
			a := o.call(root, "POST", assigned+role+"/assign/", m{"permissions": []string{"authentik_flows.view_flow"}})
			if a.status != 200 || sees() != len(flows) {
				t.Fatalf("%d %s; the clerk sees %d flows", a.status, a.raw, sees())
			}
			p := o.site.kinds.Permission("view_flow")
			if got := a.list[0].(m)["id"]; got != strconv.FormatInt(p.ID, 10) {
				t.Errorf("id %v", got)
			}
			got := results(o.must("GET", assigned+"?model=authentik_flows.flow&object_pk="+login, nil))
			if len(got) != 1 || len(got[0]["model_permissions"].([]any)) != 1 {
				t.Errorf("%v", got)
			}
			if got := results(o.must("GET", "rbac/permissions/roles/?uuid="+role, nil)); len(got) != 0 {
				t.Errorf("listed as one of an object: %v", got)
			}
			o.must("PATCH", assigned+role+"/unassign/", m{"permissions": []string{"view_flow"}, "model": "authentik_flows.flow"})
			if sees() != 0 {
				t.Error("the clerk still sees flows")
			}
		})
		t.Run("only those of visible roles", func(t *testing.T) {
			other := o.role("other", "authentik_flows.view_flow")
			o.must("POST", assigned+other+"/assign/", m{"permissions": []string{"view_flow"}, "model": "authentik_flows.flow", "object_pk": login})
			o.must("POST", assigned+role+"/assign/", m{"permissions": []string{"view_role"}, "model": "authentik_rbac.role", "object_pk": role})
			for path, want := range map[string]int{"rbac/permissions/roles/": 1, "rbac/permissions/roles/?uuid=" + other: 0, assigned + "?model=authentik_flows.flow": 0,
				assigned + "?model=authentik_rbac.role": 1} {
				a := o.call(token, "GET", path, nil)
				if a.status != 200 || len(results(a.object)) != want {
					t.Errorf("%s: %d %s", path, a.status, a.raw)
				}
			}
			o.must("POST", assigned+role+"/assign/", m{"permissions": []string{"change_flow"}, "model": "authentik_flows.flow", "object_pk": login})
			for _, got := range results(o.call(token, "GET", "rbac/permissions/roles/", nil).object) {
				// The clerk may view the role and not the flow.
				want := map[string]any{"view_role": "role of clerk", "change_flow": nil}[got["codename"].(string)]
				if got["object_description"] != want {
					t.Errorf("%v, want %v", got, want)
				}
			}
		})
		for name, row := range map[string]struct {
			body  m
			field string
		}{
			"nothing":                         {m{}, "permissions"},
			"an unknown permission":           {m{"permissions": []string{"fly_flow"}}, "permissions"},
			"the permission of another app":   {m{"permissions": []string{"authentik_core.view_flow"}}, "permissions"},
			"that of another model":           {m{"permissions": []string{"view_user"}, "model": "authentik_flows.flow"}, "permissions"},
			"an unknown model":                {m{"permissions": []string{"view_user"}, "model": "authentik_flows.river"}, "model"},
			"a model without permissions":     {m{"permissions": []string{"view_user"}, "model": "authentik_tenants.tenant"}, "model"},
			"an object of no model":           {m{"permissions": []string{"view_user"}, "object_pk": "1"}, "model"},
			"an object that is not there":     {m{"permissions": []string{"view_user"}, "model": "authentik_core.user", "object_pk": "4711"}, "object_pk"},
			"a key that is none":              {m{"permissions": []string{"view_flow"}, "model": "authentik_flows.flow", "object_pk": "x"}, "object_pk"},
			"a key that is written otherwise": {m{"permissions": []string{"view_user"}, "model": "authentik_core.user", "object_pk": "+1"}, "object_pk"},
			"an object of the system":         {m{"permissions": []string{"view_system_info"}, "model": "authentik_rbac.systempermission", "object_pk": "1"}, "object_pk"},
		} {
			if a := o.call(root, "POST", assigned+role+"/assign/", row.body); a.status != 400 || a.object[row.field] == nil {
				t.Errorf("%s: %d %s", name, a.status, a.raw)
			}
		}
		for _, query := range []string{"", "?model=nothing", "?model=authentik_tenants.tenant"} {
			if a := o.call(root, "GET", assigned+query, nil); a.status != 400 || a.object["model"] == nil {
				t.Errorf("assigned_by_roles/%s: %d %s", query, a.status, a.raw)
			}
		}
		if a := o.call(root, "GET", "rbac/permissions/roles/?uuid=x", nil); a.status != 400 {
			t.Errorf("roles of x: %d", a.status)
		}
	})
}

// Whoever may see nothing of a kind is refused its list; outposts, which read
// what they serve from lists, find theirs empty.
func TestOutpostsGetEmptyLists(t *testing.T) {
	o := openOffice(t, settings(t))
	outpost, person := o.token(o.user("outpost", m{"type": "internal_service_account"})), o.token(o.user("person", nil))
	for _, path := range []string{"core/groups/", "core/users/", "flows/instances/", "stages/all/", "rbac/roles/"} {
		if a := o.call(outpost, "GET", path, nil); a.status != 200 || len(a.object["results"].([]any)) != 0 {
			t.Errorf("an outpost, %s: %d %s", path, a.status, a.raw)
		}
		if a := o.call(person, "GET", path, nil); a.status != 403 {
			t.Errorf("a person, %s: %d %s", path, a.status, a.raw)
		}
	}
}
