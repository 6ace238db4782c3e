package weir

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// lockFlows lock one's own account, and that of max by somebody else.
const lockFlows = `
version: 1
entries:
  - {model: authentik_flows.flow, id: bye, identifiers: {slug: bye}, attrs: {name: bye, title: Bye, designation: stage_configuration}}
  - {model: authentik_flows.flow, id: own, identifiers: {slug: lock-own}, attrs: {name: own, title: Lock, designation: stage_configuration, authentication: require_authenticated}}
  - {model: authentik_flows.flow, id: his, identifiers: {slug: lock-max}, attrs: {name: his, title: Lock, designation: stage_configuration, authentication: require_superuser}}
  - {model: authentik_stages_dummy.dummystage, id: end, identifiers: {name: end}}
  - {model: authentik_stages_prompt.prompt, id: reason, identifiers: {name: reason}, attrs: {field_key: reason, label: Reason, type: text}}
  - {model: authentik_stages_prompt.promptstage, id: why, identifiers: {name: why}, attrs: {fields: [!KeyOf reason]}}
  - {model: authentik_stages_account_lockdown.accountlockdownstage, id: lock, identifiers: {name: lock}, attrs: {self_service_completion_flow: !KeyOf bye}}
  - {model: authentik_policies_expression.expressionpolicy, id: target, identifiers: {name: target}, attrs: {expression: "context['flow_plan'].context['lockdown_target_users'] = ak_user_by(username='max')\nreturn True"}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf bye, stage: !KeyOf end, order: 1}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf own, stage: !KeyOf why, order: 1}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf own, stage: !KeyOf lock, order: 2}}
  - {model: authentik_flows.flowstagebinding, id: locks, identifiers: {target: !KeyOf his, stage: !KeyOf lock, order: 1}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf his, stage: !KeyOf end, order: 2}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf locks, policy: !KeyOf target, order: 0}}
`

// shut checks that nothing opens the account of max any more.
func (o *office) shut(max int64, token string, sessions ...*client) {
	o.t.Helper()
	for i, c := range sessions {
		if r := c.do("GET", "/api/v3/core/users/me/", ""); r.status != http.StatusForbidden {
			o.t.Errorf("session %d: status %d", i, r.status)
		}
	}
	if r := o.call(token, "GET", "core/users/me/", nil); r.status != http.StatusForbidden {
		o.t.Errorf("the token: status %d", r.status)
	}
	if n := o.count("select count(*) from tokens where user_id = $1", max) + o.count("select count(*) from sessions where user_id = $1", max); n != 0 {
		o.t.Errorf("%d tokens and sessions are left", n)
	}
	if got := o.must("GET", fmt.Sprintf("core/users/%d/", max), nil); got["is_active"] != false {
		o.t.Errorf("still active: %v", got)
	}
	if hash := o.hashOf(max); hash != "!" {
		o.t.Error("the password can be used")
	}
}

func TestLockingOnesOwnAccountEndsAtTheCompletionFlow(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		max, other := o.member("max", "p"), o.member("other", "p")
		token, kept := o.token(max), o.token(other)
		apply(t, o.site, lockFlows)
		here, there, elsewhere := visit(t, o.site), visit(t, o.site), visit(t, o.site)
		here.signIn("max", "p")
		there.signIn("max", "p")
		elsewhere.signIn("other", "p")
		before := here.session()
		r := here.fills("lock-own", `{"reason":"my phone is gone","lockdown_target_users":"other"}`)
		if r.component() != "xak-flow-redirect" || r.body["to"] != "/if/flow/bye/" {
			t.Fatalf("it ends with %v", r.body)
		}
		if here.session() == before {
			t.Error("the session id was kept (rule 7)")
		}
		if r := here.do("GET", "/api/v3/flows/executor/bye/", ""); r.component() != "ak-stage-dummy" {
			t.Errorf("the completion flow: %v", r.body)
		}
		o.shut(max, token, here, there)
		for name, status := range map[string]int{"session": elsewhere.do("GET", "/api/v3/core/users/me/", "").status, "token": o.call(kept, "GET", "core/users/me/", nil).status} {
			if status != http.StatusOK {
				t.Errorf("the %s of somebody else: status %d", name, status)
			}
		}
		told := o.latest("user_write")["context"].(map[string]any)
		if told["reason"] != "my phone is gone" || told["affected_user"] != "max" || told["self_service"] != true {
			t.Errorf("event %v", told)
		}
	})
}

func TestAnAdministratorLocksSomebodyElsesAccount(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		max := o.member("max", "p")
		token := o.token(max)
		apply(t, o.site, lockFlows)
		his, admin := visit(t, o.site), visit(t, o.site)
		his.signIn("max", "p")
		admin.signIn("akadmin", "correct horse")
		if r := admin.fills("lock-max", `{}`); r.component() != "ak-stage-dummy" {
			t.Fatalf("the flow does not go on: %v", r.body)
		}
		o.shut(max, token, his)
		if r := admin.do("GET", "/api/v3/core/users/me/", ""); r.status != http.StatusOK {
			t.Errorf("the administrator: status %d", r.status)
		}
		if events := o.events(); !strings.Contains(events, "password_set") {
			t.Errorf("events %s", events)
		}
		pk := o.must("GET", "stages/account_lockdown/", nil)["results"].([]any)[0].(map[string]any)["pk"].(string)
		if got := o.call(root, "PATCH", "stages/account_lockdown/"+pk+"/", m{"self_service_completion_flow": pk}); got.status != 400 {
			t.Errorf("a completion flow that is none: status %d: %s", got.status, got.raw)
		}
	})
}

// locks asks to lock somebody's account, with the session of the browser.
func (c *client) locks(body string) reply {
	c.t.Helper()
	return c.do("POST", "/api/v3/core/users/account_lockdown/", body)
}

func TestTheLockdownFlowIsStartedForAnAccount(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		max := o.member("max", "p")
		token := o.token(max)
		apply(t, o.site, lockFlows)
		admin := o.signedIn("akadmin", "correct horse")
		brand := o.must("GET", "core/brands/?default=true", nil)["results"].([]any)[0].(m)["brand_uuid"].(string)
		flow := o.must("GET", "flows/instances/lock-own/", nil)["pk"]
		if r := admin.locks("{}"); r.status != 400 || !strings.Contains(string(r.raw), "flow_lockdown") {
			t.Errorf("without a flow: %d %s", r.status, r.raw)
		}
		o.must("PATCH", "core/brands/"+brand+"/", m{"flow_lockdown": flow})
		if r := admin.locks(`{"user":4711}`); r.status != 400 {
			t.Errorf("nobody: %d %s", r.status, r.raw)
		}
		r := admin.locks(fmt.Sprintf(`{"user":%d}`, max))
		if r.status != 200 || !strings.HasSuffix(fmt.Sprint(r.body["link"]), "/if/flow/lock-own/") {
			t.Fatalf("started with %d %s", r.status, r.raw)
		}
		if got := o.must("GET", fmt.Sprintf("core/users/%d/", max), nil); got["is_active"] != true {
			t.Error("locked before the flow asked")
		}
		if r := admin.fills("lock-own", `{"reason":"found on a bus"}`); r.component() != "xak-flow-redirect" || r.body["to"] != "/" {
			t.Errorf("the flow ends with %v", r.body)
		}
		o.shut(max, token)
		if told := o.latest("user_write")["context"].(m); told["affected_user"] != "max" || told["self_service"] != false || told["reason"] != "found on a bus" {
			t.Errorf("event %v", told)
		}
		if got := o.latest("flow_execution")["context"].(m)["flow"].(m)["name"]; got != "lock-own" {
			t.Errorf("started %v", got)
		}
		if got := admin.who(); got != "akadmin" {
			t.Errorf("the administrator is %s", got)
		}
	})
}

// Who may change somebody's account may lock it, unless it may do more than they
// may (rule 46); everybody may lock their own.
func TestRule46WhoseAccountMayBeLocked(t *testing.T) {
	o := openOffice(t, settings(t))
	max := o.member("max", "p")
	own := o.token(max)
	clerk, token := o.clerk("clerk", "authentik_core.view_user", "authentik_core.change_user")
	boss, _ := o.clerk("boss", "authentik_flows.delete_flow")
	apply(t, o.site, lockFlows)
	brand := o.must("GET", "core/brands/?default=true", nil)["results"].([]any)[0].(m)["brand_uuid"].(string)
	o.must("PATCH", "core/brands/"+brand+"/", m{"flow_lockdown": o.must("GET", "flows/instances/lock-own/", nil)["pk"]})
	for _, row := range []struct {
		name, token string
		user        any
		want        int
	}{
		{"nobody", "", nil, 403},
		{"a clerk, somebody's", token, max, 200},
		{"a clerk, one's own", token, clerk, 200},
		{"a clerk, one's own by leaving it out", token, nil, 200},
		{"a clerk, of somebody who may more", token, boss, 403},
		{"a clerk, a superuser's", token, o.number("akadmin"), 403},
		{"a member, one's own", own, nil, 200},
		{"a member, somebody else's", own, clerk, 403},
		{"a member, of nobody", own, 4711, 403},
	} {
		if got := o.call(row.token, "POST", "core/users/account_lockdown/", m{"user": row.user}); got.status != row.want {
			t.Errorf("%s: status %d, want %d: %s", row.name, got.status, row.want, got.raw)
		}
	}
}
