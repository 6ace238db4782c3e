package weir

import (
	"fmt"
	"strings"
	"testing"
)

const entitlementFile = `
version: 1
entries:
  - {model: authentik_core.group, id: editors, identifiers: {name: editors}}
  - {model: authentik_core.group, id: chiefs, identifiers: {name: chiefs}, attrs: {parents: [!KeyOf editors]}}
  - {model: authentik_core.application, id: wiki, identifiers: {slug: wiki}, attrs: {name: Wiki}}
  - {model: authentik_core.application, id: shop, identifiers: {slug: shop}, attrs: {name: Shop}}
  - {model: authentik_core.applicationentitlement, id: edit, identifiers: {app: !KeyOf wiki, name: edit}, attrs: {attributes: {level: 2, rights: {edit: true}}}}
  - {model: authentik_core.applicationentitlement, id: admin, identifiers: {app: !KeyOf wiki, name: admin}, attrs: {attributes: {level: 9, rights: {delete: true}}}}
  - {model: authentik_core.applicationentitlement, id: guest, identifiers: {app: !KeyOf wiki, name: guest}}
  - {model: authentik_core.applicationentitlement, identifiers: {app: !KeyOf wiki, name: unbound}}
  - {model: authentik_core.applicationentitlement, id: buy, identifiers: {app: !KeyOf shop, name: edit}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf edit, group: !KeyOf editors, order: 0}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf admin, user: !Find [authentik_core.user, [username, ada]], order: 0}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf admin, user: !Find [authentik_core.user, [username, max]], order: 1}, attrs: {enabled: false}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf guest, group: !KeyOf editors, order: 0}, attrs: {negate: true}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf buy, user: !Find [authentik_core.user, [username, ada]], order: 0}}
  - model: authentik_policies_expression.expressionpolicy
    identifiers: {name: list}
    attrs:
      expression: |
        from authentik.core.models import Application
        app = Application.objects.get(slug="wiki")
        ak_message(", ".join([e.name for e in request.user.app_entitlements(app)]))
        ak_message(str(request.user.app_entitlements(app).filter(name="admin").exists()))
        ak_message(str(request.user.app_entitlements_attributes(app=app)))
        ak_message(str(len(request.user.app_entitlements(None))))
        return True
`

func TestEntitlementsAreWhatGroupsAndUsersAreBoundTo(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		people := map[string]int64{"ada": o.user("ada", nil), "max": o.user("max", nil), "eve": o.user("eve", nil)}
		apply(t, o.site, entitlementFile)
		chiefs := o.must("GET", "core/groups/?name=chiefs", nil)["results"].([]any)[0].(m)["pk"].(string)
		for _, name := range []string{"ada", "max"} {
			o.must("POST", "core/groups/"+chiefs+"/add_user/", m{"pk": people[name]})
		}
		list := o.must("GET", "policies/expression/?name=list", nil)["results"].([]any)[0].(m)["pk"].(string)
		for name, want := range map[string]string{
			"ada": `true [admin, edit True {"level": 2, "rights": {"delete": True, "edit": True}} 0]`,
			"max": `true [edit False {"level": 2, "rights": {"edit": True}} 0]`,
			"eve": `true [guest False {} 0]`,
		} {
			if got := strings.ReplaceAll(o.try(list, people[name], m{}), "'", `"`); got != want {
				t.Errorf("%s has %s, want %s", name, got, want)
			}
		}
		found := o.must("GET", "core/application_entitlements/?name=edit&ordering=app", nil)["results"].([]any)
		if len(found) != 2 {
			t.Fatalf("called edit: %v", found)
		}
		wiki := o.must("GET", "core/applications/wiki/", nil)["pk"].(string)
		edit := o.must("GET", "core/application_entitlements/?name=edit&app="+wiki, nil)["results"].([]any)[0].(m)["pbm_uuid"].(string)
		for name, row := range map[string]struct {
			path string
			body m
		}{
			"a policy":                   {"policies/bindings/", m{"target": edit, "policy": list, "order": 5}},
			"a taken name":               {"core/application_entitlements/", m{"app": wiki, "name": "edit"}},
			"an application of nobody":   {"core/application_entitlements/", m{"app": list, "name": "x"}},
			"no application":             {"core/application_entitlements/", m{"name": "x"}},
			"attributes that are a text": {"core/application_entitlements/", m{"app": wiki, "name": "x", "attributes": "x"}},
		} {
			if got := o.call(root, "POST", row.path, row.body); got.status != 400 {
				t.Errorf("%s: %d %s", name, got.status, got.raw)
			}
		}
		binding := o.must("GET", "policies/bindings/?target="+edit, nil)["results"].([]any)[0].(m)["pk"].(string)
		if got := o.call(root, "PATCH", "policies/bindings/"+binding+"/", m{"group": nil, "policy": list}); got.status != 400 {
			t.Errorf("a policy in place of the group: %d %s", got.status, got.raw)
		}
		if got := o.call(root, "GET", "core/application_entitlements/"+edit+"/used_by/", nil); !strings.Contains(got.raw, "policybinding") {
			t.Errorf("used by %s", got.raw)
		}
		o.must("DELETE", "core/applications/wiki/", nil)
		if got := o.must("GET", "core/application_entitlements/", nil)["pagination"].(m)["count"]; got != 1.0 {
			t.Errorf("%v entitlements are left, want that of the shop", got)
		}
	})
}

// Who takes something else for an application learns so, and nobody has anything.
func TestEntitlementsOfNobodyAndInNoApplication(t *testing.T) {
	o := openOffice(t, settings(t))
	ada := o.user("ada", nil)
	o.user("max", nil)
	apply(t, o.site, entitlementFile+`
  - {model: authentik_flows.flow, id: open, identifiers: {slug: open}, attrs: {name: Open, title: Open, designation: stage_configuration, denied_action: message}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf open, policy: !Find [authentik_policies_expression.expressionpolicy, [name, list]], order: 0}, attrs: {negate: true}}
`)
	for name, row := range map[string]struct{ head, argument, want string }{
		"a text":     {"", `"wiki"`, `app_entitlements takes an application, not 'wiki'`},
		"a flow":     {"from authentik.flows.models import Flow", `Flow.objects.first()`, "app_entitlements takes an application, not "},
		"too little": {"", "", "missing argument for app"},
	} {
		body := row.head + "\ntry:\n    request.user.app_entitlements(" + row.argument + ")\nexcept TypeError as e:\n    ak_message(str(e))\nreturn True"
		made := o.must("POST", "policies/expression/", m{"name": name, "expression": body})
		if got := o.try(made["pk"].(string), ada, m{}); !strings.Contains(got, row.want) {
			t.Errorf("%s: %s, want %s", name, got, row.want)
		}
	}
	// The guests are all but the editors, and a visitor is nobody yet.
	r := visit(t, o.site).do("GET", "/api/v3/flows/executor/open/", "")
	if got := fmt.Sprint(r.body["error_message"]); !strings.Contains(got, "False") || strings.Contains(got, "guest") {
		t.Errorf("a visitor has %s", r.raw)
	}
}
