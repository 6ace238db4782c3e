package weir

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// inspected is a flow of two forms and a policy that looks at what was typed.
const inspected = `
version: 1
entries:
  - {model: authentik_flows.flow, id: flow, identifiers: {slug: inspected}, attrs: {name: Inspected, title: Inspected, designation: stage_configuration, authentication: require_authenticated}}
  - {model: authentik_stages_prompt.prompt, id: word, identifiers: {name: word}, attrs: {field_key: word, label: Word, type: password, required: true}}
  - {model: authentik_stages_prompt.prompt, id: name, identifiers: {name: name}, attrs: {field_key: name, label: Name, type: text, required: true}}
  - {model: authentik_stages_prompt.promptstage, id: first, identifiers: {name: first-form}, attrs: {fields: [!KeyOf word, !KeyOf name]}}
  - {model: authentik_stages_dummy.dummystage, id: second, identifiers: {name: second-page}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf first, order: 10}}
  - {model: authentik_flows.flowstagebinding, id: bound, identifiers: {target: !KeyOf flow, stage: !KeyOf second, order: 20}}
  - model: authentik_policies_expression.expressionpolicy
    id: policy
    identifiers: {name: looks}
    attrs:
      expression: |
        ak_message("for " + context["prompt_data"]["name"])
        return context["pending_user"].username == "akadmin" if "pending_user" in context else request.user.username == "akadmin"
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf bound, policy: !KeyOf policy, order: 0}}
`

const (
	inspectedFlow = "/api/v3/flows/executor/inspected/"
	inspectorOf   = "/api/v3/flows/inspector/inspected/"
)

// plan is a member of an inspection: the names of its stages.
func planOf(v any) string {
	p, _ := v.(map[string]any)
	name := func(key string) string {
		b, _ := p[key].(map[string]any)
		s, _ := b["stage_obj"].(map[string]any)
		return fmt.Sprint(s["name"])
	}
	return name("current_stage") + " " + name("next_planned_stage")
}

// Rows 48, 49, 52 and 53 of the reference's situations, and what an administrator finds out.
func TestTheInspectorShowsARun(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, inspected)
		c := o.signedIn("akadmin", "correct horse")
		if r := c.do("GET", inspectorOf, ""); r.status != http.StatusBadRequest || len(r.raw) != 0 {
			t.Errorf("before anything: %d %s", r.status, r.raw)
		}
		c.follow(c.do("GET", inspectedFlow, ""))
		r := c.do("GET", inspectorOf, "")
		if r.status != 200 || r.body["is_completed"] != false || planOf(r.body["current_plan"]) != "first-form second-page" || len(r.body["plans"].([]any)) != 0 {
			t.Fatalf("before the first stage is done: %d %s", r.status, r.raw)
		}
		if r := c.answers(inspectedFlow, `{"word":"hunter2hunter2","name":"Ada"}`); r.component() != "ak-stage-dummy" {
			t.Fatalf("%s", r.raw)
		}
		r = c.do("GET", inspectorOf, "")
		plans := r.body["plans"].([]any)
		if len(plans) != 1 || planOf(plans[0]) != "first-form second-page" || planOf(r.body["current_plan"]) != "second-page <nil>" {
			t.Fatalf("after the first stage: %s", r.raw)
		}
		if typed := r.body["current_plan"].(map[string]any)["plan_context"].(map[string]any)["prompt_data"].(map[string]any); typed["name"] != "Ada" {
			t.Errorf("the context is %v", typed)
		}
		c.answers(inspectedFlow, `{}`)
		r = c.do("GET", inspectorOf, "")
		if plans := r.body["plans"].([]any); r.body["is_completed"] != true || len(plans) != 2 || planOf(r.body["current_plan"]) != "second-page <nil>" {
			t.Errorf("at the end: %s", r.raw)
		}

		runs := o.call(root, "GET", "weir/executions/?flow=inspected", nil)
		if len(runs.list) != 1 || runs.list[0].(map[string]any)["outcome"] != "finished" {
			t.Fatalf("runs: %s", runs.raw)
		}
		id := fmt.Sprint(runs.list[0].(map[string]any)["execution"])
		trace := o.call(root, "GET", "weir/executions/"+id+"/", nil)
		if trace.status != 200 || !strings.Contains(trace.raw, `"messages":["for Ada"]`) || !strings.Contains(trace.raw, `"verdict":"pass"`) {
			t.Fatalf("trace: %s", trace.raw)
		}
		// Rule 28: what was typed secretly is in none of it, and not stored either.
		stored := o.count("select count(*) from execution_steps where cast(step as text) like '%hunter2%'")
		page := c.page(t, "/if/inspector/inspected/")
		if strings.Contains(string(r.raw)+trace.raw+page, "hunter2") || stored != 0 {
			t.Error("a typed password is in what the inspector shows or keeps")
		}
		for _, want := range []string{"first-form", "second-page", "looks", "for Ada", "/api/v3/weir/executions/" + id + "/"} {
			if !strings.Contains(page, want) {
				t.Errorf("no %q on the page", want)
			}
		}

		var policy string
		var step float64
		for _, s := range trace.object["steps"].([]any) {
			for _, target := range listOf(s.(map[string]any)["trace"].(map[string]any)["policies"]) {
				policy, step = fmt.Sprint(listOf(target.(map[string]any)["policies"])[0].(map[string]any)["policy"]), s.(map[string]any)["n"].(float64)
			}
		}
		again := m{"step": step, "target": "second-page", "policy": policy}
		if got := o.must("POST", "weir/executions/"+id+"/replay/", again); got["then"] != "pass" || got["now"].(map[string]any)["passing"] != true {
			t.Errorf("replayed: %v", got)
		}
		o.must("PATCH", "policies/expression/"+policy+"/", m{"expression": `return "Ada" not in context["prompt_data"]["name"]`})
		if got := o.must("POST", "weir/executions/"+id+"/replay/", again); got["then"] != "pass" || got["now"].(map[string]any)["passing"] != false {
			t.Errorf("replayed with another body: %v", got)
		}
		for _, wrong := range []m{{"step": 99, "target": "second-page", "policy": policy}, {"step": step, "target": "x", "policy": policy}, {"step": step, "target": "second-page", "policy": id}} {
			if got := o.call(root, "POST", "weir/executions/"+id+"/replay/", wrong); got.status != 400 {
				t.Errorf("replay of %v: %d %s", wrong, got.status, got.raw)
			}
		}
	})
}

func listOf(v any) []any { list, _ := v.([]any); return list }

// Row 51: to whoever may not inspect a flow there is nothing, and nothing is kept of what
// they do but what every trace has.
func TestRule47OnlyInspectorsInspect(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, inspected)
		o.member("ada", "the plain password")
		c := o.signedIn("ada", "the plain password")
		c.follow(c.do("GET", inspectedFlow, ""))
		c.answers(inspectedFlow, `{"word":"hunter2hunter2","name":"Ada"}`)
		if n := o.count("select count(*) from execution_steps where session_key <> '' or cast(step as text) like '%\"seen\"%' or cast(step as text) like '%\"saw\"%'"); n != 0 {
			t.Errorf("%d steps keep what was seen", n)
		}
		runs := o.call(root, "GET", "weir/executions/?flow=inspected", nil)
		if len(runs.list) != 1 {
			t.Fatalf("runs: %s", runs.raw)
		}
		id := fmt.Sprint(runs.list[0].(map[string]any)["execution"])
		for path, want := range map[string]int{"flows/inspector/inspected/": 404, "flows/inspector/nothing/": 404, "weir/executions/": 403, "weir/executions/" + id + "/": 404} {
			if r := c.do("GET", "/api/v3/"+path, ""); r.status != want {
				t.Errorf("%s: %d %s", path, r.status, r.raw)
			}
		}
		if r := c.do("POST", "/api/v3/weir/executions/"+id+"/replay/", `{"step":1,"target":"second-page","policy":"`+id+`"}`); r.status != 404 {
			t.Errorf("replay: %d %s", r.status, r.raw)
		}
		if r := c.do("GET", "/if/inspector/inspected/", ""); r.status != 404 {
			t.Errorf("page: %d", r.status)
		}
		if r := visit(t, o.site).do("GET", inspectorOf, ""); r.status != 403 {
			t.Errorf("nobody: %d %s", r.status, r.raw)
		}

		// With the permission to inspect it, but not to change policies.
		_, clerk := o.clerk("tess", "authentik_flows.inspect_flow")
		if got := o.call(clerk, "GET", "weir/executions/"+id+"/", nil); got.status != 200 {
			t.Errorf("a clerk: %d %s", got.status, got.raw)
		}
		if got := o.call(clerk, "POST", "weir/executions/"+id+"/replay/", m{"step": 1, "target": "x", "policy": id}); got.status == 200 {
			t.Errorf("a clerk runs a policy: %s", got.raw)
		}
	})
}
