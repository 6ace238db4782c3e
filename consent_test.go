package weir

import (
	"fmt"
	"net/http"
	"testing"
)

// consentFlow asks for consent to two permissions of an application.
const consentFlow = `
version: 1
entries:
  - {model: authentik_core.application, id: wiki, identifiers: {slug: wiki}, attrs: {name: Wiki}}
  - {model: authentik_flows.flow, id: flow, identifiers: {slug: agree}, attrs: {name: agree, title: Agree, designation: authorization, authentication: require_authenticated}}
  - {model: authentik_policies_expression.expressionpolicy, id: asks, identifiers: {name: asks}, attrs: {expression: "from authentik.core.models import Application\nc = request.context['flow_plan'].context\nc['application'] = Application.objects.get(slug='wiki')\nc['consent_permissions'] = [{'id': 'email', 'name': 'See your e-mail address'}, {'id': 'profile', 'name': 'See your name'}]\nreturn True"}}
  - {model: authentik_stages_consent.consentstage, id: consent, identifiers: {name: consent}, attrs: {mode: permanent}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf consent, order: 1}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf flow, policy: !KeyOf asks, order: 0}}
`

func TestConsentIsKeptAndCanBeWithdrawn(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, consentFlow)
		_, other := o.clerk("other")
		c := visit(t, o.site)
		if r := c.signIn("akadmin", "correct horse"); r.component() != "xak-flow-redirect" {
			t.Fatalf("sign-in: %v", r.body)
		}
		const path = "/api/v3/flows/executor/agree/"
		asked := c.do("GET", path, "")
		if asked.component() != "ak-stage-consent" || len(asked.body["permissions"].([]any)) != 2 {
			t.Fatalf("asked %v", asked.body)
		}
		if r := c.do("POST", path, `{"token":"made up"}`); r.component() != "ak-stage-consent" {
			t.Errorf("a made-up token: %v", r.body)
		}
		token := c.do("GET", path, "").body["token"].(string)
		if r := c.do("POST", path, fmt.Sprintf(`{"token":%q}`, token)); r.component() != "xak-flow-redirect" {
			t.Fatalf("agreed: %v", r.body)
		}
		if r := c.do("GET", path, ""); r.component() != "xak-flow-redirect" {
			t.Errorf("asked again: %v", r.body)
		}
		list := results(o.must("GET", "core/user_consent/", nil))
		if len(list) != 1 || list[0]["permissions"] != "email profile" || list[0]["application"].(map[string]any)["slug"] != "wiki" ||
			list[0]["user"].(map[string]any)["username"] != "akadmin" || list[0]["expires"] != nil {
			t.Fatalf("kept %v", list)
		}
		one := fmt.Sprintf("core/user_consent/%v/", list[0]["pk"])
		if got := o.call(other, "DELETE", one, nil); got.status != http.StatusForbidden && got.status != http.StatusNotFound {
			t.Errorf("somebody else withdraws it: status %d", got.status)
		}
		if r := c.do("DELETE", "/api/v3/"+one, "", "Sec-Fetch-Site", "same-origin"); r.status != http.StatusNoContent {
			t.Errorf("withdrawn: status %d %s", r.status, r.raw)
		}
		if r := c.do("GET", path, ""); r.component() != "ak-stage-consent" {
			t.Errorf("not asked again: %v", r.body)
		}
	})
}
