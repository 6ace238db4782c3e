package weir

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/resource"
)

// portal applies applications with the policies that open and close them.
func portal(t *testing.T, site *Server, member int64) {
	t.Helper()
	apply(t, site, fmt.Sprintf(`
entries:
  - {model: authentik_core.group, id: staff, identifiers: {name: staff}, attrs: {users: [%d]}}
  - {model: authentik_core.application, identifiers: {slug: free}, attrs: {name: Free, meta_launch_url: "https://free.example.com/%%(username)s", group: B}}
  - {model: authentik_core.application, id: staffed, identifiers: {slug: staffed}, attrs: {name: Staffed, meta_launch_url: "https://staff.example.com/", group: A}}
  - {model: authentik_core.application, id: closed, identifiers: {slug: closed}, attrs: {name: Closed, meta_launch_url: "https://closed.example.com/"}}
  - {model: authentik_core.application, id: broken, identifiers: {slug: broken}, attrs: {name: Broken, meta_launch_url: "https://broken.example.com/"}}
  - {model: authentik_core.application, identifiers: {slug: hidden}, attrs: {name: Hidden, meta_launch_url: "https://hidden.example.com/", meta_hide: true}}
  - {model: authentik_core.application, identifiers: {slug: nowhere}, attrs: {name: Nowhere}}
  - {model: authentik_policies_expression.expressionpolicy, id: refuse, identifiers: {name: refuse}, attrs: {expression: "ak_message('Ask the editors.')\nreturn False"}}
  - {model: authentik_policies_expression.expressionpolicy, id: raises, identifiers: {name: raises}, attrs: {expression: "return 1 / 0"}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf staffed, group: !KeyOf staff, order: 0}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf closed, policy: !KeyOf refuse, order: 0}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf broken, policy: !KeyOf raises, order: 0}}
`, member))
}

func slugs(r reply) string {
	var out []string
	list, _ := r.body["results"].([]any)
	for _, item := range list {
		out = append(out, fmt.Sprint(item.(map[string]any)["slug"]))
	}
	return strings.Join(out, " ")
}

func TestApplicationsAreListedByWhatTheCallerMayOpen(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.Bootstrap.Token = adminKey
		site := start(t, s)
		root := admin(t, site)
		member, other := delegate(t, site, "member"), delegate(t, site, "other")
		viewer := delegate(t, site, "viewer", "view_application")
		helper := delegate(t, site, "helper", "view_user")
		portal(t, site, member.id)
		const everything = "broken closed free hidden nowhere staffed"
		list := "core/applications/"
		rows := []struct {
			name, query string
			who         *caller
			status      int
			slugs       string
		}{
			{"everybody", "", other, 200, "free hidden nowhere"},
			{"a member of a bound group", "", member, 200, "free hidden nowhere staffed"},
			{"a superuser has no other policies", "", root, 200, "free hidden nowhere"},
			{"only those that lead somewhere", "?only_with_launch_url=true", other, 200, "free hidden"},
			{"all, to a superuser who asks", "?superuser_full_list=true", root, 200, everything},
			{"all, to who may see all", "?superuser_full_list=true", viewer, 200, everything},
			{"all that lead somewhere", "?superuser_full_list=true&only_with_launch_url=true", root, 200, "broken closed free hidden staffed"},
			{"not all, to anybody else", "?superuser_full_list=true", other, 200, "free hidden nowhere"},
			{"a filter", "?slug=free", other, 200, "free"},
			{"a filter for what is closed", "?slug=closed", other, 200, ""},
			{"a search", "?search=HIDD", other, 200, "hidden"},
			{"in another order", "?ordering=-slug", member, 200, "staffed nowhere hidden free"},
			{"a page", "?page=2&page_size=2", member, 200, "nowhere staffed"},
			{"the last page", "?page=last&page_size=3", member, 200, "staffed"},
			{"no such page", "?page=3&page_size=2", member, 404, ""},
			{"for a member, by a superuser", fmt.Sprintf("?for_user=%d", member.id), root, 200, "free hidden nowhere staffed"},
			{"for a member, by who may see them", fmt.Sprintf("?for_user=%d", member.id), helper, 200, "free hidden nowhere staffed"},
			{"for a member, by anybody else", fmt.Sprintf("?for_user=%d", member.id), other, 403, ""},
			{"for oneself", fmt.Sprintf("?for_user=%d", other.id), other, 200, "free hidden nowhere"},
			{"for nobody", "?for_user=4711", root, 400, ""},
			{"for nobody, by anybody else", "?for_user=4711", other, 403, ""},
			{"for what is no number", "?for_user=x", root, 400, ""},
		}
		for _, row := range rows {
			if r := row.who.call("GET", list+row.query, ""); r.status != row.status || slugs(r) != row.slugs {
				t.Errorf("%s: %d %q, want %d %q", row.name, r.status, slugs(r), row.status, row.slugs)
			}
		}
		page := member.call("GET", list+"?page=2&page_size=2", "").body["pagination"].(map[string]any)
		if fmt.Sprint(page["count"], page["start_index"], page["end_index"], page["previous"], page["next"]) != "4 3 4 1 0" {
			t.Errorf("pagination %v", page)
		}
		if r := visit(t, site).do("GET", "/api/v3/core/applications/", ""); r.status != 403 {
			t.Errorf("a stranger gets %d", r.status)
		}
		first := other.call("GET", list+"?slug=free", "").body["results"].([]any)[0].(map[string]any)
		if first["launch_url"] != "https://free.example.com/other" || first["meta_launch_url"] != "https://free.example.com/%(username)s" {
			t.Errorf("launch_url %v", first["launch_url"])
		}
		if r := viewer.call("GET", list+"free/", ""); r.status != 200 || r.body["launch_url"] != "https://free.example.com/viewer" {
			t.Errorf("retrieve: %d %v", r.status, r.body)
		}
		if r := other.call("GET", list+"free/", ""); r.status != 403 {
			t.Errorf("retrieve without permission: %d", r.status)
		}

		setDefaultAccess(t, site, false)
		if r := other.call("GET", list, ""); slugs(r) != "" {
			t.Errorf("with the default access off: %q", slugs(r))
		}
		if r := member.call("GET", list, ""); slugs(r) != "staffed" {
			t.Errorf("with the default access off a member gets %q", slugs(r))
		}
	})
}

// setDefaultAccess changes the setting for applications without policies.
func setDefaultAccess(t *testing.T, site *Server, on bool) {
	t.Helper()
	k := site.kinds.Model("authentik_tenants.tenant")
	meta := catalog.Meta{Actor: "test"}
	_, err := site.catalog.Update(t.Context(), meta, func(ctx context.Context, tx *catalog.Tx) error {
		w := &resource.Write{Tx: tx, By: meta, Access: site.access}
		ref, err := k.Find(ctx, w.View(), nil)
		if err != nil {
			return err
		}
		_, _, err = k.Update(ctx, w, ref, map[string]any{"flags": map[string]any{"core_default_app_access": on, "enterprise_audit_include_expanded_diff": false,
			"flows_continuous_login": false, "flows_refresh_others": false}}, field.Update)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCheckAccess(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.Bootstrap.Token = adminKey
		site := start(t, s)
		root := admin(t, site)
		member, other := delegate(t, site, "member"), delegate(t, site, "other")
		portal(t, site, member.id)
		rows := []struct {
			name, path string
			who        *caller
			status     int
			passing    any
			messages   string
			logs       string
		}{
			{"nothing is bound", "free", other, 200, true, "[]", "[]"},
			{"a policy says no", "closed", other, 200, false, "[Ask the editors.]", "[]"},
			{"a policy errs", "broken", other, 200, false, "[]", "[]"},
			{"a member", "staffed", member, 200, true, "[]", "[]"},
			{"no member", "staffed", other, 200, false, "[]", "[]"},
			{"unknown", "none", other, 404, nil, "", ""},
			{"a superuser sees how it came about", "closed", root, 200, false, "[Ask the editors.]", "event:refuse: fail"},
			{"and what went wrong", "broken", root, 200, false, "[]", "log_level:warning"},
			{"for a member", fmt.Sprintf("staffed/check_access/?for_user=%d", member.id), root, 200, true, "[]", "groups and users: pass"},
			{"for a member, by anybody else", fmt.Sprintf("staffed/check_access/?for_user=%d", member.id), other, 403, nil, "", ""},
		}
		for _, row := range rows {
			path := row.path
			if !strings.Contains(path, "/") {
				path += "/check_access/"
			}
			r := row.who.call("GET", "core/applications/"+path, "")
			if r.status != row.status || r.body["passing"] != row.passing {
				t.Errorf("%s: %d %v", row.name, r.status, r.body)
			}
			if row.status == 200 && (fmt.Sprint(r.body["messages"]) != row.messages || !strings.Contains(fmt.Sprint(r.body["log_messages"]), row.logs)) {
				t.Errorf("%s: %v", row.name, r.body)
			}
		}
		if r := visit(t, site).do("GET", "/api/v3/core/applications/free/check_access/", ""); r.status != 403 {
			t.Errorf("a stranger gets %d", r.status)
		}
		var n int
		if err := site.db.QueryRow(t.Context(), "select count(*) from events where action = 'policy_exception'").Scan(&n); err != nil || n != 2 {
			t.Errorf("%d events of policies that err, %v; want one for each question", n, err)
		}
	})
}

func TestOpeningAnApplication(t *testing.T) {
	s := settings(t)
	s.Bootstrap.Token, s.Bootstrap.Password = adminKey, "correct horse"
	site := start(t, s)
	portal(t, site, 1)
	c := visit(t, site)
	stranger := c.do("GET", "/application/launch/staffed/", "")
	if stranger.status != 302 || stranger.header.Get("Location") != "/if/flow/default-authentication-flow/?next=%2Fapplication%2Flaunch%2Fstaffed%2F" {
		t.Fatalf("row 57: %d %q", stranger.status, stranger.header.Get("Location"))
	}
	c.signIn("akadmin", "correct horse")
	for slug, want := range map[string]struct {
		status   int
		location string
	}{
		"free": {302, "https://free.example.com/akadmin"}, "staffed": {302, "https://staff.example.com/"}, "hidden": {302, "https://hidden.example.com/"},
		"closed": {403, ""}, "broken": {403, ""}, "nowhere": {404, ""}, "none": {404, ""},
	} {
		if r := c.do("GET", "/application/launch/"+slug+"/", ""); r.status != want.status || r.header.Get("Location") != want.location {
			t.Errorf("%s: %d %q, want %d %q", slug, r.status, r.header.Get("Location"), want.status, want.location)
		}
	}
	home := c.page(t, "/if/user/")
	a, b, none := strings.Index(home, "Staffed"), strings.Index(home, "Free"), strings.Index(home, "/application/launch/hidden/")
	if a < 0 || b < a || none >= 0 || strings.Contains(home, "/closed/") || strings.Contains(home, "/broken/") || strings.Contains(home, "/nowhere/") {
		t.Errorf("the home page shows other applications:\n%s", home)
	}
}

// page is the text of a page.
func (c *client) page(t *testing.T, path string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", c.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
