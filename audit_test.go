package weir

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/store"
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

// misspelt sets a field that the stage does not have.
const misspelt = `
version: 1
entries:
  - {model: authentik_stages_deny.denystage, identifiers: {name: denies}, attrs: {deny_massage: no}}
`

// breakingPrompt has an expression that fails; it is asked after the form.
const breakingPrompt = `
  - {model: authentik_stages_prompt.prompt, id: more, identifiers: {name: more}, attrs: {field_key: more, label: More, type: text, order: 1, required: false, initial_value_expression: true, initial_value: "return int(prompt_context['password'])"}}
  - {model: authentik_stages_prompt.promptstage, id: ask-more, identifiers: {name: ask-more}, attrs: {fields: [!KeyOf more]}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf invited, stage: !KeyOf ask-more, order: 9}}
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
		apply(t, o.site, invitedFlow+breakingPrompt)
		ada := o.user("ada", nil)
		group := o.group("staff", nil)
		o.must("POST", "core/tokens/", m{"identifier": "of-ada", "user": ada})
		file := filepath.Join(t.TempDir(), "misspelt.yaml")
		if err := os.WriteFile(file, []byte(misspelt), 0o600); err != nil {
			t.Fatal(err)
		}
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
			{"password_set", func() {
				o.must("POST", fmt.Sprintf("core/users/%d/set_password/", ada), m{"password": "the plain password"})
			}, "authentik.events", "ada", "", 1},
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
			{"invitation_used", func() {
				flow := o.must("GET", "flows/instances/invited/", nil)["pk"].(string)
				token := o.must("POST", "stages/invitation/invitations/", m{"name": "for-max", "flow": flow})["pk"].(string)
				visit(t, o.site).invited(token, "max")
			}, "authentik.events", "AnonymousUser", "invitation_uuid", 1},
			{"user_write", func() {}, "authentik.events", "max", "created password password_repeat username", 1},
			{"property_mapping_exception", func() {}, "authentik.core", "max", "expression message prompt[" + model + "] prompt_data[password password_repeat username]", 2},
			{"configuration_warning", func() {
				if _, err := o.site.Apply(t.Context(), []string{file}, false); err != nil {
					t.Error(err)
				}
			}, "authentik.events", "", "cause deprecation message", 1},
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
			if row.action == "configuration_warning" {
				if row.do(); o.latest(row.action)["pk"] != before {
					t.Errorf("the same warning stands twice")
				}
			}
			context := e["context"].(map[string]any)
			outside := row.action == "configuration_warning" // of any request
			if got := shape(inner(context, "http_request"), 1); got != request && !outside {
				t.Errorf("%s: the request has %s", row.action, got)
			}
			delete(context, "http_request")
			if got := shape(context, row.depth); row.depth > 0 && got != row.form {
				t.Errorf("%s: the context has\n %s, want\n %s", row.action, got, row.form)
			}
			user, _ := inner(e, "user")["username"].(string)
			if e["app"] != row.app || user != row.about || e["client_ip"] != "127.0.0.1" && !outside {
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

// everyEvent is all that is stored of events, as text.
func (o *office) everyEvent() string {
	o.t.Helper()
	var all strings.Builder
	rows, err := store.Select(o.t.Context(), o.site.db, store.Column[string], `select action || ' ' || app || ' ' || cast(user_json as text) || ' ' || cast(context as text) || ' ' ||
		client_ip || ' ' || cast(brand as text) || ' ' || username || ' ' || model_name || ' ' || model_pk from events order by created`)
	if err != nil {
		o.t.Fatal(err)
	}
	for _, row := range rows {
		fmt.Fprintln(&all, row)
	}
	return all.String()
}

// Whatever happens, the audit trail holds no secret: neither those of objects,
// nor what people type, at any door.
func TestRule45NoEventHoldsASecret(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, auditFile)
		const ask = "  - {model: authentik_stages_prompt.promptstage, id: ask,"
		const pin = "  - {model: authentik_stages_prompt.prompt, id: pin, identifiers: {name: pin}, attrs: {field_key: pin, label: PIN, type: password, order: 5, required: false}}\n"
		apply(t, o.site, strings.NewReplacer("!KeyOf team]", "!KeyOf team, !KeyOf pin]", ask, pin+ask).Replace(invitedFlow+breakingPrompt))
		secrets := plantSecrets(o)
		maps.Copy(secrets, map[string]string{"a key of a keyword": "hunter-two", "a token in an address": "token-in-the-query", "a refused token": "no-such-token-at-all",
			"a wrong old password": "an-unknown-password", "a forged cookie": "authentik_session=AAAA", "a new password": "typed-into-the-form", "a pin": "typed-as-a-pin", "a chosen key": "a-key-of-my-own-choice"})
		c := visit(t, o.site)
		c.do("POST", loginFlow, `{"uid_field": "nobody", "password": "an-unknown-password"}`)
		c.signIn("nobody", "an-unknown-password")
		c.do("GET", "/api/v3/flows/executor/default-authentication-flow/?query="+url.QueryEscape("itoken=token-in-the-query&next=/"), "")
		c.do("GET", "/if/flow/default-authentication-flow/?flow_token=token-in-the-query", "")
		flow := o.must("GET", "flows/instances/invited/", nil)["pk"].(string)
		invited := "invited/?query=itoken%3D" + o.must("POST", "stages/invitation/invitations/", m{"name": "for-max", "flow": flow})["pk"].(string)
		guest := visit(t, o.site)
		guest.do("GET", "/api/v3/flows/executor/"+invited, "")
		guest.do("GET", "/api/v3/flows/executor/"+invited, "")
		guest.do("POST", "/api/v3/flows/executor/"+invited, `{"username": "max", "password": "typed-into-the-form", "password_repeat": "typed-into-the-form", "pin": "typed-as-a-pin"}`)
		for range 4 {
			guest.do("GET", "/api/v3/flows/executor/"+invited, "")
		}
		stranger(t, o.site).as("no-such-token-at-all", "GET", "/api/v3/core/users/me/", "")
		stranger(t, o.site).do("GET", "/if/flow/default-authentication-flow/", "", "Cookie", "authentik_session="+strings.Repeat("A", len(c.session())))
		o.must("POST", "core/tokens/for-mail/set_key/", m{"key": "a-key-of-my-own-choice"})
		o.must("PATCH", "core/tokens/for-mail/", m{"description": "changed"})
		o.must("POST", "events/events/", m{"action": "custom_", "app": "x", "context": m{"client_secret": "hunter-two", "note": "it is hunter-two"}})
		events := o.everyEvent()
		for _, action := range []string{"login", "login_failed", "password_set", "secret_view", "policy_execution", "policy_exception", "custom_seen", "suspicious_request", "model_updated",
			"user_write", "invitation_used", "property_mapping_exception"} {
			if !strings.Contains(events, "\n"+action+" ") {
				t.Errorf("nothing was recorded of %s", action)
			}
		}
		for what, secret := range secrets {
			if at := strings.Index(events, secret); at >= 0 {
				t.Errorf("an event holds %s: %s", what, events[max(0, at-200):min(len(events), at+100)])
			}
		}
	})
}

func TestEventsEndAsTheSettingsSay(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		lives := func(e map[string]any) time.Duration {
			created, err := time.Parse(time.RFC3339, e["created"].(string))
			expires, err2 := time.Parse(time.RFC3339, e["expires"].(string))
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			return expires.Sub(created)
		}
		ada := o.user("ada", nil)
		old := o.latest("model_created")
		o.must("PATCH", "admin/settings/", m{"event_retention": "days=2"})
		bob := o.user("bob", nil)
		if got := lives(o.latest("model_created")); got != 48*time.Hour {
			t.Errorf("an event lives %v, want two days", got)
		}
		if again := o.must("GET", "events/events/"+old["pk"].(string)+"/", nil); again["expires"] != old["expires"] {
			t.Errorf("an earlier event ends at %v instead of %v", again["expires"], old["expires"])
		}
		for _, row := range []struct {
			user int64
			name string
			gdpr bool
			want int
		}{{ada, "ada", false, 1}, {bob, "bob", true, 0}} {
			o.must("POST", fmt.Sprintf("core/users/%d/set_password/", row.user), m{"password": "a plain password"})
			o.must("PATCH", "admin/settings/", m{"gdpr_compliance": row.gdpr})
			o.must("DELETE", fmt.Sprintf("core/users/%d/", row.user), nil)
			if got := len(results(o.must("GET", "events/events/?username="+row.name, nil))); got != row.want {
				t.Errorf("with gdpr_compliance %v there are %d events of %s, want %d", row.gdpr, got, row.name, row.want)
			}
		}
	})
}

// quotingPolicy decides about a stage after the form, and fails over what was
// typed there.
const quotingPolicy = `
  - {model: authentik_policies_expression.expressionpolicy, id: quotes, identifiers: {name: quotes}, attrs: {expression: "return int(request.context['prompt_data']['password'])"}}
  - {model: authentik_stages_deny.denystage, id: after, identifiers: {name: after}}
  - {model: authentik_flows.flowstagebinding, id: last, identifiers: {target: !KeyOf enrol, stage: !KeyOf after, order: 2}, attrs: {evaluate_on_plan: false, re_evaluate_policies: true}}
  - {model: authentik_policies.policybinding, identifiers: {order: 0, target: !KeyOf last, policy: !KeyOf quotes}}
`

// The log and the trace have the reason of a denial, but not the password that
// an exception quotes.
func TestRule45NoReasonQuotesWhatWasTyped(t *testing.T) {
	var log bytes.Buffer
	site, err := Open(t.Context(), Config{Settings: settings(t), Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, site, enrolmentFlow+quotingPolicy)
	r := visit(t, site).fills("enrol", `{"username":"max","password":"typed-into-the-form","password_repeat":"typed-into-the-form"}`)
	if r.component() != "ak-stage-access-denied" {
		t.Errorf("the flow ends with %v", r.body)
	}
	traced, err := store.Select(t.Context(), site.db, store.Column[string], "select step from execution_steps")
	if all := strings.Join(traced, ""); err != nil || !strings.Contains(all, "invalid literal for int") || strings.Contains(all, "typed-into-the-form") {
		t.Errorf("the trace says %s, %v", all, err)
	}
	if err := site.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); !strings.Contains(text, "invalid literal for int") || strings.Contains(text, "typed-into-the-form") {
		at := max(0, strings.Index(text, "invalid literal"))
		t.Errorf("the log says %s", text[max(0, at-300):min(len(text), at+200)])
	}
}
