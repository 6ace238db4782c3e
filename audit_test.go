package weir

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// auditFile binds policies to the default login: one logs what it decides and
// asks for an event, the other one fails over what the person sent.
const auditFile = `
version: 1
entries:
  - {model: authentik_policies_expression.expressionpolicy, identifiers: {name: logs}, attrs: {execution_logging: true, expression: "ak_create_event('seen', note='x', api_token='hunter-two')\nak_message('hello')\nreturn True"}}
  - {model: authentik_policies_expression.expressionpolicy, identifiers: {name: breaks}, attrs: {expression: "return int('not a number')"}}
  - {model: authentik_policies.policybinding, identifiers: {order: 0, target: !Find [authentik_flows.flow, [slug, default-authentication-flow]], policy: !Find [authentik_policies.policy, [name, logs]]}}
  - {model: authentik_policies.policybinding, identifiers: {order: 1, target: !Find [authentik_flows.flow, [slug, default-authentication-flow]], policy: !Find [authentik_policies.policy, [name, breaks]]}, attrs: {failure_result: true}}
`

// shape lists the members of a document, those of objects in it in brackets, as
// deep as asked.
func shape(v map[string]any, depth int) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if inner, ok := v[name].(map[string]any); ok && depth > 1 {
			name += "[" + shape(inner, depth-1) + "]"
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

// latest is the newest event of an action.
func (o *office) latest(action string) map[string]any {
	o.t.Helper()
	list := results(o.must("GET", "events/events/?page_size=1&ordering=-created&action="+action, nil))
	list = slices.DeleteFunc(list, func(e map[string]any) bool { return e["action"] != action })
	if len(list) == 0 {
		o.t.Fatalf("there is no event %s", action)
	}
	return list[0]
}

// Every action that is emitted, in the form that readers of events know. What
// stands in several places is written once: m is an object, r the request.
func TestEventsHaveTheirForm(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, auditFile)
		ada := o.user("ada", nil)
		group := o.group("staff", nil)
		o.must("POST", "core/tokens/", m{"identifier": "of-ada", "user": ada})
		c := visit(t, o.site)
		const model, request = "app model_name name pk", "args method path request_id user_agent"
		rows := []struct {
			action string
			do     func()
			app    string
			about  string
			// form is that of the context, without the request.
			form  string
			depth int
		}{
			{"password_set", func() { o.must("POST", fmt.Sprintf("core/users/%d/set_password/", ada), m{"password": "the plain password"}) }, "authentik.events", "ada", "", 1},
			{"login_failed", func() { c.signIn("ada", "the wrong password") }, "authentik.events", "ada", "password stage[" + model + "] username", 2},
			{"login", func() { c.signIn("ada", "the plain password") }, "authentik.events", "ada", "auth_method auth_method_args", 1},
			{"policy_execution", func() {}, "authentik.policies", "ada",
				"binding[" + model + "] message policy_uuid request[context[flow_plan[flow_pk]] debug obj[" + model + "] user[email is_anonymous pk username]] " +
					"result[log_messages messages passing raw_result source_binding[" + model + "] source_results]", 4},
			{"policy_exception", func() {}, "authentik.policies", "ada",
				"binding[" + model + "] exception[exc_type exc_value] message policy_uuid request[context[flow_plan[flow_pk]] debug obj[" + model + "] user[email is_anonymous pk username]]", 4},
			{"custom_seen", func() {}, "logs", "ada", "", 0},
			{"logout", func() { c.do("POST", "/api/v3/flows/executor/default-invalidation-flow/?query=", `{}`) }, "authentik.events", "ada", "", 1},
			{"model_created", func() { o.user("bob", nil) }, "authentik.events", "akadmin", "model[" + model + "]", 2},
			{"model_updated", func() { o.must("POST", "core/groups/"+group+"/add_user/", m{"pk": ada}) }, "authentik.events", "akadmin", "model[" + model + "]", 2},
			{"model_deleted", func() { o.must("DELETE", "core/groups/"+group+"/", nil) }, "authentik.events", "akadmin", "model[" + model + "]", 2},
			{"secret_view", func() { o.must("GET", "core/tokens/of-ada/view_key/", nil) }, "authentik.core", "akadmin", "secret[" + model + "]", 2},
			{"flow_execution", func() { o.must("GET", "flows/instances/default-invalidation-flow/execute/", nil) }, "authentik.flows", "akadmin", "flow[" + model + "]", 2},
			{"suspicious_request", func() { c.do("POST", "/api/v3/core/users/", `{}`, "Origin", "https://evil.example") }, "authentik.events", "", "message", 1},
			{"suspicious_request", func() {
				stranger(t, o.site).do("GET", "/api/v3/root/config/", "")
				stranger(t, o.site).do("GET", "/if/flow/default-authentication-flow/", "", "Cookie", "authentik_session="+strings.Repeat("A", len(c.session())))
			}, "authentik.events", "", "message", 1},
			{"suspicious_request", func() { stranger(t, o.site).as("no-such-token", "GET", "/api/v3/core/users/me/", "") }, "authentik.events", "", "message", 1},
			{"system_exception", func() {
				o.exec("alter table group_parents rename to lost")
				if a := o.call(root, "GET", "core/groups/?include_parents=true", nil); a.status != http.StatusInternalServerError {
					t.Errorf("without its table the list answers %d", a.status)
				}
				o.exec("alter table lost rename to group_parents")
			}, "authentik.events", "", "message", 1},
			{"configuration_error", func() {
				brand := results(o.must("GET", "core/brands/", nil))[0]["brand_uuid"].(string)
				o.must("PATCH", "core/brands/"+brand+"/", m{"flow_invalidation": nil})
				o.must("PATCH", "flows/instances/default-invalidation-flow/", m{"designation": "recovery"})
				if a := c.do("GET", "/flows/-/default/invalidation/", ""); a.status != http.StatusNotFound {
					t.Errorf("without a flow the address answers %d", a.status)
				}
			}, "authentik.events", "", "message", 1},
		}
		before := ""
		for _, row := range rows {
			row.do()
			e := o.latest(row.action)
			if before == e["pk"] {
				t.Errorf("%s: nothing new", row.action)
			}
			before = e["pk"].(string)
			context := e["context"].(map[string]any)
			if got := shape(inner(context, "http_request"), 1); got != request {
				t.Errorf("%s: the request has %s", row.action, got)
			}
			delete(context, "http_request")
			if got := shape(context, row.depth); row.depth > 0 && got != row.form {
				t.Errorf("%s: the context has\n %s, want\n %s", row.action, got, row.form)
			}
			user, _ := inner(e, "user")["username"].(string)
			if e["app"] != row.app || user != row.about || e["client_ip"] != "127.0.0.1" {
				t.Errorf("%s: from %v about %q at %v", row.action, e["app"], user, e["client_ip"])
			}
		}
	})
}

func inner(m map[string]any, name string) map[string]any {
	out, _ := m[name].(map[string]any)
	return out
}

func (o *office) exec(sql string) {
	o.t.Helper()
	if _, err := o.site.db.Exec(o.t.Context(), sql); err != nil {
		o.t.Fatal(err)
	}
}
