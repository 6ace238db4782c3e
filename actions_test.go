package weir

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/session/token"
	"github.com/weir-id/weir/internal/store"
)

const rootToken = "a-bootstrap-token-of-some-length"

// open starts a site whose administrator has rootToken, with a blueprint.
func open(t *testing.T, s Settings, text string) *Server {
	t.Helper()
	s.Bootstrap.Token, s.Bootstrap.Password = rootToken, "correct horse"
	site := start(t, s)
	apply(t, site, text)
	return site
}

// member makes a user with permissions, "view_flow" for all flows or
// "view_flow flow <id>" for one, and returns their token and id.
func member(t *testing.T, site *Server, name string, permissions ...string) (key string, id int64) {
	t.Helper()
	id, err := site.CreateUser(t.Context(), NewUser{Username: name, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	key = "the-token-of-" + name + "-which-is-long"
	err = site.db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
		role, err := site.access.CreateRole(ctx, tx, "role of "+name)
		if err != nil {
			return err
		}
		if err := site.access.AddUser(ctx, tx, role, id); err != nil {
			return err
		}
		for _, p := range permissions {
			g := access.Grant{Role: role}
			if _, err := fmt.Sscanf(p, "%s %s %s", &g.Permission, &g.Kind, &g.ID); err != nil && g.Kind != "" {
				return err
			}
			if err := site.access.Grant(ctx, tx, g); err != nil {
				return err
			}
		}
		_, err = site.tokens.Create(ctx, tx, &token.Token{Identifier: name, Intent: token.API, UserID: id}, key)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return key, id
}

// as sends a request with a token; "" for none.
func (c *client) as(key, method, path, body string, header ...string) reply {
	if key != "" {
		header = append(header, "Authorization", "Bearer "+key)
	}
	return c.do(method, path, body, header...)
}

// title is that of the flow whose challenge the answer is.
func (r reply) title() string {
	info, _ := r.body["flow_info"].(map[string]any)
	title, _ := info["title"].(string)
	return title
}

// stranger has no cookies.
func stranger(t *testing.T, site *Server) *client {
	c := visit(t, site)
	c.http.Jar = nil
	return c
}

func TestFlowActionsAskForPermissions(t *testing.T) {
	const id = "00000000-0000-4000-8000-000000000001"
	const model = `
version: 1
entries:
- {model: authentik_flows.flow, id: flow, identifiers: {pk: 00000000-0000-4000-8000-000000000001, slug: mine}, attrs: {name: Mine, title: Mine, designation: authorization}}
- {model: authentik_flows.flow, identifiers: {slug: other}, attrs: {name: Other, title: Other, designation: authorization}}
- {model: authentik_stages_dummy.dummystage, id: stage, identifiers: {name: mine}}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf stage, order: 0}}
`
	views := []string{"view_flow", "view_flowstagebinding", "view_stage", "view_policy", "view_policybinding", "view_prompt"}
	each(t, func(t *testing.T, s Settings) {
		site := open(t, s, model)
		keys := map[string]string{"root": rootToken}
		for name, permissions := range map[string][]string{
			"nobody":   nil,
			"viewer":   {"view_flow"},
			"one":      {"view_flow flow " + id},
			"exporter": append([]string{"export_flow"}, views...),
			"exports":  append([]string{"export_flow flow " + id}, views...),
			"blind":    append([]string{"export_flow"}, views[:5]...),
			"narrow":   append([]string{"export_flow", "view_flow flow " + id}, views[1:]...),
			"cacher":   {"view_flow_cache", "clear_flow_cache", "view_policy_cache", "clear_policy_cache"},
			"looker":   {"view_flow_cache"},
		} {
			keys[name], _ = member(t, site, name, permissions...)
		}
		const flows = "/api/v3/flows/instances/"
		rows := []struct {
			who, method, path string
			want              int
		}{
			{"", "GET", flows + "mine/export/", 403},
			{"nobody", "GET", flows + "mine/export/", 403},
			{"viewer", "GET", flows + "mine/export/", 403},
			{"exporter", "GET", flows + "mine/export/", 200},
			{"exports", "GET", flows + "mine/export/", 200},
			{"exports", "GET", flows + "other/export/", 403},
			{"blind", "GET", flows + "mine/export/", 403},
			{"narrow", "GET", flows + "mine/export/", 403},
			{"exporter", "GET", flows + "none/export/", 404},
			{"root", "GET", flows + "mine/export/", 200},
			{"", "GET", flows + "mine/diagram/", 403},
			{"nobody", "GET", flows + "mine/diagram/", 403},
			{"viewer", "GET", flows + "mine/diagram/", 200},
			{"one", "GET", flows + "mine/diagram/", 200},
			{"one", "GET", flows + "other/diagram/", 404},
			{"", "GET", flows + "mine/execute/", 403},
			{"nobody", "GET", flows + "mine/execute/", 403},
			{"one", "GET", flows + "mine/execute/", 200},
			{"one", "GET", flows + "other/execute/", 404},
			{"viewer", "GET", flows + "none/execute/", 404},
			{"viewer", "GET", flows + "cache_info/", 403},
			{"viewer", "POST", flows + "cache_clear/", 403},
			{"looker", "GET", flows + "cache_info/", 200},
			{"looker", "POST", flows + "cache_clear/", 403},
			{"looker", "GET", "/api/v3/policies/all/cache_info/", 403},
			{"cacher", "GET", flows + "cache_info/", 200},
			{"cacher", "POST", flows + "cache_clear/", 204},
			{"cacher", "GET", "/api/v3/policies/all/cache_info/", 200},
			{"cacher", "POST", "/api/v3/policies/all/cache_clear/", 204},
			{"", "GET", "/api/v3/stages/all/types/", 403},
			{"nobody", "GET", "/api/v3/stages/all/types/", 200},
			{"", "GET", "/api/v3/stages/all/user_settings/", 403},
			{"nobody", "GET", "/api/v3/stages/all/user_settings/", 200},
			{"", "GET", "/api/v3/policies/all/types/", 403},
			{"nobody", "GET", "/api/v3/policies/all/types/", 200},
		}
		c := stranger(t, site)
		for _, row := range rows {
			if got := c.as(keys[row.who], row.method, row.path, ""); got.status != row.want {
				t.Errorf("%s %s as %q: %d %v, want %d", row.method, row.path, row.who, got.status, got.body, row.want)
			}
		}
		if got := c.as(rootToken, "GET", flows+"cache_info/", ""); fmt.Sprint(got.body) != "map[count:0]" {
			t.Errorf("cache_info: %v", got.body)
		}
	})
}

func TestAnExportIsAFileToSave(t *testing.T) {
	site := open(t, settings(t), `
version: 1
entries:
- {model: authentik_flows.flow, identifiers: {slug: my_Flow-1}, attrs: {name: "<script>", title: x, designation: authorization}}
`)
	c := stranger(t, site)
	got := c.as(rootToken, "GET", "/api/v3/flows/instances/my_Flow-1/export/", "")
	for name, want := range map[string]string{"Content-Type": "application/yaml", "Content-Disposition": `attachment; filename="my_Flow-1.yaml"`,
		"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
		if got.header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.header.Get(name), want)
		}
	}
	text, err := site.Export(t.Context(), "my_Flow-1")
	if err != nil {
		t.Fatal(err)
	}
	// The times at which they were made differ.
	made := regexp.MustCompile(`Export - .*`)
	if diff := cmp.Diff(made.ReplaceAllString(string(text), ""), made.ReplaceAllString(string(got.raw), "")); diff != "" {
		t.Errorf("the command and the API differ:\n%s", diff)
	}
}

func TestDiagram(t *testing.T) {
	const fixture = `
version: 1
entries:
- {model: authentik_flows.flow, id: empty, identifiers: {slug: empty}, attrs: {name: 'Say "hi"', title: x, designation: authorization}}
- {model: authentik_flows.flow, id: two, identifiers: {slug: two}, attrs: {name: Two, title: x, designation: authorization}}
- {model: authentik_flows.flow, id: full, identifiers: {slug: full}, attrs: {name: Full, title: x, designation: authorization, authentication: require_superuser}}
- {model: authentik_stages_dummy.dummystage, id: a, identifiers: {name: a}}
- {model: authentik_stages_dummy.dummystage, id: b, identifiers: {name: b}}
- {model: authentik_stages_deny.denystage, id: c, identifiers: {name: c}}
- {model: authentik_policies_dummy.dummypolicy, id: p, identifiers: {name: p}}
- {model: authentik_policies_expression.expressionpolicy, id: q, identifiers: {name: q}, attrs: {expression: return True}}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf two, stage: !KeyOf a, order: 0}}
- {model: authentik_flows.flowstagebinding, id: two-b, identifiers: {target: !KeyOf two, stage: !KeyOf b, order: 1}}
- {model: authentik_policies.policybinding, identifiers: {target: !KeyOf two-b, policy: !KeyOf p, order: 0}}
- {model: authentik_flows.flowstagebinding, id: full-a, identifiers: {target: !KeyOf full, stage: !KeyOf a, order: 0}}
- {model: authentik_flows.flowstagebinding, id: full-b, identifiers: {target: !KeyOf full, stage: !KeyOf b, order: 1}}
- {model: authentik_flows.flowstagebinding, id: full-c, identifiers: {target: !KeyOf full, stage: !KeyOf c, order: 2}}
- {model: authentik_policies.policybinding, identifiers: {target: !KeyOf full, policy: !KeyOf p, order: 5}}
- {model: authentik_policies.policybinding, identifiers: {target: !KeyOf full, policy: !KeyOf q, order: 7}, attrs: {enabled: false}}
- {model: authentik_policies.policybinding, identifiers: {target: !KeyOf full, order: 9}, attrs: {user: !Find [authentik_core.user, [username, akadmin]]}}
- {model: authentik_policies.policybinding, identifiers: {target: !KeyOf full-a, policy: !KeyOf p, order: 0}}
- {model: authentik_policies.policybinding, identifiers: {target: !KeyOf full-c, policy: !KeyOf p, order: 0}}
- {model: authentik_policies.policybinding, identifiers: {target: !KeyOf full-c, policy: !KeyOf q, order: 1}}
`
	site := open(t, settings(t), fixture)
	c := stranger(t, site)
	draw := func(key, slug string) string {
		text, _ := c.as(key, "GET", "/api/v3/flows/instances/"+slug+"/diagram/", "").body["diagram"].(string)
		return text
	}
	flowOnly, _ := member(t, site, "flow-only", "view_flow")
	noPolicies, _ := member(t, site, "no-policies", "view_flow", "view_flowstagebinding")
	rows := []struct{ name, key, slug, want string }{
		{"situation 61: two stages, the second with one policy", rootToken, "two", `graph TD
flow_start[["Flow
Two"]]
--> stage_0(["Stage (Dummy Stage)
a"])
stage_1_policy_0 --Policy passed--> stage_1(["Stage (Dummy Stage)
b"])
stage_0 --> stage_1_policy_0{{"Policy (Dummy Policy)
p"}}
stage_1 --> done[["End of the flow"]]`},
		{"situation 62: no stages", rootToken, "empty", `graph TD
flow_start[["Flow
Say #quot;hi#quot;"]]
flow_start --> done[["End of the flow"]]`},
		{"a requirement, and policies everywhere", rootToken, "full", `graph TD
flow_auth_requirement["Flow authentication requirement
require_superuser"]
flow_auth_requirement --Requirement not fulfilled--> done[["End of the flow"]]
flow_auth_requirement --Requirement fulfilled--> flow_start["placeholder"]
flow_pre[["Pre-flow policies"]]
flow_pre --Binding 5--> flow_policy_0{{"Policy (Dummy Policy)
p"}}
flow_pre --Binding 7--> flow_policy_1{{"Policy (Expression Policy)
q"}}
flow_policy_0 --Policy denied--> done[["End of the flow"]]
flow_policy_1 --Policy denied--> done[["End of the flow"]]
flow_policy_0 --> flow_start[["Flow
Full"]]
flow_policy_1 --> flow_start[["Flow
Full"]]
stage_0_policy_0 --Policy passed--> stage_0(["Stage (Dummy Stage)
a"])
--> stage_1(["Stage (Dummy Stage)
b"])
stage_2_policy_0 --Policy passed--> stage_2(["Stage (Deny Stage)
c"])
stage_2_policy_1 --Policy passed--> stage_2(["Stage (Deny Stage)
c"])
flow_start --> stage_0_policy_0{{"Policy (Dummy Policy)
p"}}
stage_0_policy_0 --Policy denied--> stage_1(["Stage (Dummy Stage)
b"])
stage_1 --> stage_2_policy_0{{"Policy (Dummy Policy)
p"}}
stage_1 --> stage_2_policy_1{{"Policy (Expression Policy)
q"}}
stage_2 --> done[["End of the flow"]]`},
		{"for somebody who may not see bindings", flowOnly, "two", `graph TD
flow_start[["Flow
Two"]]
flow_start --> done[["End of the flow"]]`},
		{"for somebody who may not see policy bindings", noPolicies, "two", `graph TD
flow_start[["Flow
Two"]]
--> stage_0(["Stage (Dummy Stage)
a"])
--> stage_1(["Stage (Dummy Stage)
b"])
stage_1 --> done[["End of the flow"]]`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, draw(row.key, row.slug)); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

const startable = `
version: 1
entries:
- {model: authentik_flows.flow, id: flow, identifiers: {slug: mine}, attrs: {name: Mine, title: 'For %(user)s', designation: authorization, authentication: require_authenticated}}
- {model: authentik_flows.flow, id: closed, identifiers: {slug: closed}, attrs: {name: Closed, title: Closed, designation: authorization}}
- {model: authentik_flows.flow, identifiers: {slug: hollow}, attrs: {name: Hollow, title: Hollow, designation: authorization}}
- {model: authentik_stages_dummy.dummystage, id: ask, identifiers: {name: ask}}
- {model: authentik_stages_user_login.userloginstage, id: login, identifiers: {name: login-mine}}
- {model: authentik_stages_password.passwordstage, identifiers: {name: settable}, attrs: {backends: [authentik.core.auth.InbuiltBackend], configure_flow: !KeyOf flow}}
- {model: authentik_stages_password.passwordstage, identifiers: {name: shut}, attrs: {backends: [authentik.core.auth.InbuiltBackend], configure_flow: !KeyOf closed}}
- {model: authentik_stages_password.passwordstage, identifiers: {name: plain}, attrs: {backends: [authentik.core.auth.InbuiltBackend]}}
- {model: authentik_policies_expression.expressionpolicy, id: refuse, identifiers: {name: refuse}, attrs: {expression: 'ak_message("not today"); ak_message("nor tomorrow"); return False'}}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf ask, order: 0}}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf login, order: 1}}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf closed, stage: !KeyOf ask, order: 0}}
- {model: authentik_policies.policybinding, identifiers: {target: !KeyOf closed, policy: !KeyOf refuse, order: 0}}
`

func TestExecuteStartsAFlowForTheCaller(t *testing.T) {
	const execute, run = "/api/v3/flows/instances/mine/execute/", "/api/v3/flows/executor/mine/"
	me := func(c *client) string {
		user, _ := c.do("GET", "/api/v3/core/users/me/", "").body["user"].(map[string]any)
		name, _ := user["username"].(string)
		return name
	}
	each(t, func(t *testing.T, s Settings) {
		site := open(t, s, startable)
		ada, _ := member(t, site, "ada", "view_flow")
		t.Run("with a token, in a session of nobody", func(t *testing.T) {
			c := visit(t, site)
			got := c.as(ada, "GET", execute, "")
			if got.status != 200 || got.body["link"] != c.base+"/if/flow/mine/" {
				t.Fatalf("execute answers %d %v", got.status, got.body)
			}
			if name := me(c); name != "" {
				t.Fatalf("the cookie alone is %q", name)
			}
			if got := c.do("GET", run, ""); got.component() != "ak-stage-dummy" || got.title() != "For ada" {
				t.Fatalf("the flow shows %v", got.body)
			}
			if got := c.do("POST", run, "{}"); got.status != 302 {
				t.Fatalf("an answer gives %d %v", got.status, got.body)
			}
			if got := c.do("GET", run, ""); got.component() != "xak-flow-redirect" {
				t.Fatalf("the end is %v", got.body)
			}
			if name := me(c); name != "ada" {
				t.Errorf("%q is signed in, want ada", name)
			}
		})
		t.Run("in the session of the caller", func(t *testing.T) {
			c := visit(t, site)
			c.signIn("akadmin", "correct horse")
			before := c.session()
			if got := c.do("GET", execute, ""); got.status != 200 || c.session() != before {
				t.Fatalf("execute answers %d %v", got.status, got.body)
			}
			if got := c.do("GET", run, ""); got.title() != "For akadmin" {
				t.Errorf("the flow shows %v", got.body)
			}
		})
		t.Run("not in the session of somebody else", func(t *testing.T) {
			c := visit(t, site)
			c.signIn("akadmin", "correct horse")
			before := c.session()
			if got := c.as(ada, "GET", execute, ""); got.status != 400 || c.session() != before {
				t.Errorf("execute answers %d %v", got.status, got.body)
			}
			if name := me(c); name != "akadmin" {
				t.Errorf("the session is %q", name)
			}
		})
		t.Run("not twice at once in one plan", func(t *testing.T) {
			c := visit(t, site)
			c.as(ada, "GET", execute, "")
			c.do("POST", run, "{}")
			c.as(ada, "GET", execute, "")
			if got := c.do("GET", run, ""); got.component() != "ak-stage-dummy" {
				t.Errorf("started again, the flow shows %v", got.body)
			}
		})
		c := stranger(t, site)
		for slug, want := range map[string]string{
			"closed": "[not today nor tomorrow]",
			"hollow": "[This flow has no stage for you, so there is nothing to start. Bind a stage to it first.]",
		} {
			got := c.as(ada, "GET", "/api/v3/flows/instances/"+slug+"/execute/", "")
			if got.status != 400 || fmt.Sprint(got.body["non_field_errors"]) != want {
				t.Errorf("%s: %d %v, want 400 %s", slug, got.status, got.body, want)
			}
			if cookie := got.header.Get("Set-Cookie"); cookie != "" {
				t.Errorf("%s sets a cookie: %s", slug, cookie)
			}
		}
	})
}

func TestRule05ExecuteIsNotForOtherSites(t *testing.T) {
	site := open(t, settings(t), startable)
	c := visit(t, site)
	c.signIn("akadmin", "correct horse")
	executions := func() (n int) {
		if err := site.db.QueryRow(t.Context(), "select count(*) from executions").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, row := range []struct {
		method string
		header []string
	}{
		{"GET", []string{"Sec-Fetch-Site", "cross-site"}}, {"GET", []string{"Sec-Fetch-Site", "same-site"}},
		{"GET", []string{"Referer", "https://evil.example/"}}, {"HEAD", nil},
	} {
		if got := c.do(row.method, "/api/v3/flows/instances/mine/execute/", "", row.header...); got.status != 403 || executions() != 0 {
			t.Errorf("%s with %v: %d and %d executions", row.method, row.header, got.status, executions())
		}
	}
	if got := c.do("GET", "/api/v3/flows/instances/mine/execute/", "", "Sec-Fetch-Site", "same-origin"); got.status != 200 || executions() != 1 {
		t.Errorf("from a page of ours: %d and %d executions", got.status, executions())
	}
}

func TestRule21TheLinkOfAnExecutionIsTheConfiguredOne(t *testing.T) {
	link := func(s Settings) any {
		r := httptest.NewRequest("GET", "http://evil.example/api/v3/flows/instances/mine/execute/", nil)
		for name, value := range map[string]string{"Authorization": "Bearer " + rootToken, "X-Forwarded-Host": "worse.example", "X-Forwarded-Proto": "https"} {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		open(t, s, startable).ServeHTTP(w, r)
		return strings.TrimSpace(w.Body.String())
	}
	s := settings(t)
	s.BaseURL = &url.URL{Scheme: "https", Host: "login.example.com"}
	if got := link(s); got != `{"link":"https://login.example.com/if/flow/mine/"}` {
		t.Errorf("with a base URL: %v", got)
	}
	// The host that the caller named, and nobody else.
	if got := link(settings(t)); got != `{"link":"http://evil.example/if/flow/mine/"}` {
		t.Errorf("without a base URL: %v", got)
	}
}

func TestConfigureStartsTheFlowOfAStage(t *testing.T) {
	site := open(t, settings(t), startable)
	ids := map[string]string{}
	for _, o := range site.catalog.Snapshot().Objects("stage") {
		ids[site.catalog.Snapshot().DisplayName(o)] = o.ID.String()
	}
	c := visit(t, site)
	page := func(id string) string { return "/flows/-/configure/" + id + "/" }
	if got := c.do("GET", page(ids["settable"]), ""); got.status != 302 || !strings.HasPrefix(got.header.Get("Location"), "/flows/-/default/authentication/?next=") {
		t.Errorf("a stranger gets %d to %s", got.status, got.header.Get("Location"))
	}
	c.signIn("akadmin", "correct horse")
	for name, want := range map[string]int{"settable": 302, "shut": 404, "plain": 404, "ask": 404} {
		if got := c.do("GET", page(ids[name]), ""); got.status != want {
			t.Errorf("stage %s: %d, want %d", name, got.status, want)
		}
	}
	if got := c.do("HEAD", page(ids["settable"]), ""); got.status != 302 || got.header.Get("Location") != "/if/flow/mine/" {
		t.Errorf("HEAD answers %d to %s", got.status, got.header.Get("Location"))
	}
	if got := c.do("GET", "/api/v3/flows/executor/mine/", ""); got.title() != "For akadmin" {
		t.Errorf("the flow shows %v", got.body)
	}
	var settings []string
	for _, item := range c.do("GET", "/api/v3/stages/all/user_settings/", "").list {
		s := item.(map[string]any)
		if s["component"] != "ak-user-settings-password" {
			continue // the default flows for devices
		}
		settings = append(settings, fmt.Sprint(s["object_uid"], " ", s["component"], " ", s["title"], " ", s["configure_url"]))
	}
	const panel = " ak-user-settings-password Password Stage "
	own := ids["default-authentication-password"]
	// Neither a stage without a flow nor one whose flow does not let them in.
	want := []string{own + panel + page(own), ids["settable"] + panel + page(ids["settable"])}
	if diff := cmp.Diff(want, settings); diff != "" {
		t.Errorf("user settings (-want +got):\n%s", diff)
	}
}

func TestTypesOfStagesAndPolicies(t *testing.T) {
	site := open(t, settings(t), startable)
	c := stranger(t, site)
	for path, want := range map[string]struct {
		count int
		one   map[string]any
	}{
		"/api/v3/stages/all/types/": {len(site.stageTypes), map[string]any{"name": "Deny Stage", "component": "ak-stage-deny-form", "model_name": "denystage"}},
		"/api/v3/policies/all/types/": {len(site.policyList),
			map[string]any{"name": "Expression Policy", "component": "ak-policy-expression-form", "model_name": "expressionpolicy"}},
	} {
		list := c.as(rootToken, "GET", path, "").list
		if len(list) != want.count {
			t.Errorf("%s: %d types, want %d", path, len(list), want.count)
		}
		before, found := "", false
		for _, item := range list {
			m := item.(map[string]any)
			name, _ := m["name"].(string)
			if name <= before {
				t.Errorf("%s: %q comes after %q", path, name, before)
			}
			before = name
			if description, _ := m["description"].(string); description == "" || m["requires_enterprise"] != false || m["deprecated"] != false {
				t.Errorf("%s: %v", path, m)
			}
			if name == want.one["name"] {
				found = m["component"] == want.one["component"] && m["model_name"] == want.one["model_name"]
			}
		}
		if !found {
			t.Errorf("%s: no %v in %v", path, want.one, list)
		}
	}
}

// Whoever may look at policies may not make them run (CVE-2026-25227): that
// takes the permission to change the policy, and to view the user.
func TestRule11TestingAPolicyNeedsThePermissionToChangeIt(t *testing.T) {
	const id = "00000000-0000-4000-8000-000000000004"
	each(t, func(t *testing.T, s Settings) {
		site := open(t, s, `
version: 1
entries:
- {model: authentik_policies_expression.expressionpolicy, identifiers: {pk: 00000000-0000-4000-8000-000000000004}, attrs: {name: probe, expression: return True}}
- {model: authentik_policies_expression.expressionpolicy, identifiers: {pk: 00000000-0000-4000-8000-000000000005}, attrs: {name: other, expression: return True}}
`)
		_, ada := member(t, site, "ada")
		rows := []struct {
			name        string
			permissions []string
			want        int
		}{
			{"nothing", nil, 403},
			{"looking only", []string{"view_policy", "view_expressionpolicy", "view_user"}, 403},
			{"changing without looking", []string{"change_expressionpolicy", "view_user"}, 403},
			{"changing another type", []string{"view_policy", "change_dummypolicy", "view_user"}, 403},
			{"changing another policy", []string{"view_policy", "change_expressionpolicy expressionpolicy 00000000-0000-4000-8000-000000000005", "view_user"}, 403},
			{"not the user", []string{"view_policy", "change_expressionpolicy"}, 403},
			{"another user", []string{"view_policy", "change_expressionpolicy", "view_user user 1"}, 403},
			{"all", []string{"view_policy", "change_expressionpolicy", "view_user"}, 200},
			{"these very objects", []string{"view_policy policy " + id, "change_expressionpolicy expressionpolicy " + id, fmt.Sprintf("view_user user %d", ada)}, 200},
		}
		c := stranger(t, site)
		for i, row := range rows {
			key, _ := member(t, site, fmt.Sprintf("tester%d", i), row.permissions...)
			if got := c.as(key, "POST", "/api/v3/policies/all/"+id+"/test/", fmt.Sprintf(`{"user":%d}`, ada)); got.status != row.want {
				t.Errorf("%s: %d %v, want %d", row.name, got.status, got.body, row.want)
			}
		}
		if got := c.as("", "POST", "/api/v3/policies/all/"+id+"/test/", fmt.Sprintf(`{"user":%d}`, ada)); got.status != 403 {
			t.Errorf("a stranger: %d", got.status)
		}
		if got := c.as(rootToken, "POST", "/api/v3/policies/all/00000000-0000-4000-8000-00000000000f/test/", `{"user":1}`); got.status != 404 {
			t.Errorf("no policy: %d", got.status)
		}
	})
}

func TestPolicyTestAnswers(t *testing.T) {
	const id = "00000000-0000-4000-8000-000000000004"
	each(t, func(t *testing.T, s Settings) {
		site := open(t, s, `
version: 1
entries:
- model: authentik_policies_expression.expressionpolicy
  identifiers: {pk: 00000000-0000-4000-8000-000000000004}
  attrs:
    name: probe
    execution_logging: true
    expression: |
      ak_message("for " + request.user.username)
      ak_message(str(sorted(context.keys())))
      ak_logger.warning("looking", at=context.get("n"))
      ak_create_event("probed")
      if request.debug and request.obj is None:
          ak_message("a test")
      if context.get("n") == 3:
          return context["none"]
      return context.get("n") == 1
- {model: authentik_policies_dummy.dummypolicy, identifiers: {pk: 00000000-0000-4000-8000-000000000005}, attrs: {name: quick, result: true, wait_min: 0, wait_max: 0}}
`)
		_, ada := member(t, site, "ada")
		c := stranger(t, site)
		count := func(table string) (n int) {
			if err := site.db.QueryRow(t.Context(), "select count(*) from "+table).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		events := count("events")
		body := func(context string) string { return fmt.Sprintf(`{"user":%d%s}`, ada, context) }
		rows := []struct {
			name, policy, body string
			status             int
			passing            any
			messages, logs     string
		}{
			{"the context as it was given", id, body(`,"context":{"n":1,"x":{"y":[2]}}`), 200, true, "[for ada ['n', 'x'] a test]", "[warning probe looking map[at:1]]"},
			{"a failure", id, body(`,"context":{"n":2}`), 200, false, "[for ada ['n'] a test]", "[warning probe looking map[at:2]]"},
			{"an error, with its text and what was logged before", id, body(`,"context":{"n":3}`), 200, false,
				`[policy "probe": probe, line 8: KeyError: 'none']`, "[warning probe looking map[at:3]]"},
			{"no context", id, body(""), 200, false, "[for ada [] a test]", "[warning probe looking map[at:None]]"},
			{"another type", "00000000-0000-4000-8000-000000000005", body(""), 200, true, "[dummy]", ""},
			{"no user", id, `{}`, 400, nil, "", ""},
			{"an unknown user", id, `{"user":4711}`, 400, nil, "", ""},
			{"a context that is none", id, body(`,"context":[1]`), 400, nil, "", ""},
		}
		for _, row := range rows {
			got := c.as(rootToken, "POST", "/api/v3/policies/all/"+row.policy+"/test/", row.body)
			if got.status != row.status {
				t.Errorf("%s: %d %v", row.name, got.status, got.body)
				continue
			}
			if row.status != http.StatusOK {
				continue
			}
			if got.body["passing"] != row.passing || fmt.Sprint(got.body["messages"]) != row.messages {
				t.Errorf("%s: %v\nwant %v %s", row.name, got.body, row.passing, row.messages)
			}
			var logs []string
			for _, item := range got.body["log_messages"].([]any) {
				l := item.(map[string]any)
				logs = append(logs, fmt.Sprint([]any{l["log_level"], l["logger"], l["event"], l["attributes"]}))
			}
			if strings.Join(logs, " ") != row.logs {
				t.Errorf("%s: logs %v, want %s", row.name, logs, row.logs)
			}
		}
		if now := count("events"); now != events {
			t.Errorf("%d events were recorded", now-events)
		}
	})
}
