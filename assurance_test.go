package weir

import (
	"fmt"
	"testing"
)

// stepUp asks people for a second factor who have not given one in this session, and
// keeps an application for those who have.
const stepUp = `
version: 1
entries:
  - {model: authentik_stages_authenticator_validate.authenticatorvalidatestage, id: factor, identifiers: {name: step-up}, attrs: {not_configured_action: deny}}
  - {model: authentik_flows.flow, id: flow, identifiers: {slug: step-up}, attrs: {name: Step up, title: Step up, designation: stage_configuration, authentication: require_authenticated}}
  - {model: authentik_flows.flowstagebinding, id: bound, identifiers: {target: !KeyOf flow, stage: !KeyOf factor, order: 0}}
  - model: authentik_policies_expression.expressionpolicy
    id: missing
    identifiers: {name: factor-missing}
    attrs: {expression: 'return "mfa" not in context["assurance"]["amr"]'}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf bound, policy: !KeyOf missing, order: 0}}
  - {model: authentik_core.application, id: vault, identifiers: {slug: vault}, attrs: {name: Vault, meta_launch_url: "https://vault.example.com/"}}
  - model: authentik_policies_expression.expressionpolicy
    id: sure
    identifiers: {name: sure}
    attrs: {expression: 'return context["assurance"]["acr"] == "aal2"'}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf vault, policy: !KeyOf sure, order: 0}}
`

// assurance is what the API says about the session of a client.
func (c *client) assurance() string {
	c.t.Helper()
	list, _ := c.do("GET", "/api/v3/core/authenticated_sessions/", "").body["results"].([]any)
	for _, s := range list {
		if s := s.(map[string]any); s["current"] == true {
			a := s["assurance"].(map[string]any)
			if (a["at"] == nil) != (a["acr"] == "") {
				c.t.Errorf("proved at %v: %v", a["at"], a)
			}
			return fmt.Sprint(a["acr"], a["amr"])
		}
	}
	c.t.Fatalf("no current session among %v", list)
	return ""
}

func (c *client) vault() bool {
	c.t.Helper()
	r := c.do("GET", "/api/v3/core/applications/vault/check_access/", "")
	passing, ok := r.body["passing"].(bool)
	if !ok {
		c.t.Fatalf("%d %s", r.status, r.raw)
	}
	return passing
}

// A session knows what was proved in it, and what is missing can be asked for, and no
// more than that.
func TestASessionKnowsHowSureItIs(t *testing.T) {
	const flow = "/api/v3/flows/executor/step-up/"
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, setUpFlows)
		apply(t, o.site, stepUp)
		c := visit(t, o.site)
		c.signIn("akadmin", "correct horse")
		if got := c.assurance(); got != "aal1[pwd]" || c.vault() {
			t.Fatalf("after a password: %s", got)
		}
		app := c.hasApp()
		if got := c.assurance(); got != "aal1[pwd]" || c.vault() {
			t.Errorf("a device that was only set up: %s", got)
		}
		if r := c.follow(c.do("GET", flow, "")); r.component() != "ak-stage-authenticator-validate" {
			t.Fatalf("the missing factor is not asked for: %s", r.raw)
		}
		if r := c.answers(flow, `{}`); r.component() != "ak-stage-authenticator-validate" || c.assurance() != "aal1[pwd]" {
			t.Errorf("without an answer: %s", r.raw)
		}
		if r := c.answers(flow, fmt.Sprintf(`{"code":%q}`, app.code(1))); r.component() != "xak-flow-redirect" {
			t.Fatalf("after a right code: %s", r.raw)
		}
		if got := c.assurance(); got != "aal2[mfa otp pwd]" || !c.vault() {
			t.Errorf("after both: %s", got)
		}
		if r := c.follow(c.do("GET", flow, "")); r.component() != "xak-flow-redirect" {
			t.Errorf("what is there is asked for again: %s", r.raw)
		}

		other := visit(t, o.site)
		if got := other.signIn("akadmin", "correct horse"); got.component() != "ak-stage-authenticator-validate" {
			t.Fatalf("on another device: %s", got.raw)
		}
		if r := other.types(app.code(2)); r.component() != "xak-flow-redirect" {
			t.Fatalf("on another device: %s", r.raw)
		}
		if got := other.assurance(); got != "aal2[mfa otp pwd]" || !other.vault() {
			t.Errorf("after signing in with both: %s", got)
		}
	})
}

// What an administrator has proved about themselves says nothing about the person whom
// they act as.
func TestNobodyIsSureOfAnImpersonatedPerson(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, stepUp)
		ada := o.user("ada", nil)
		c := o.signedIn("akadmin", "correct horse")
		if r := c.actAs(ada); r.status >= 300 {
			t.Fatalf("%d %s", r.status, r.raw)
		}
		apply(t, o.site, `
version: 1
entries:
  - model: authentik_policies_expression.expressionpolicy
    identifiers: {name: sure}
    attrs: {expression: 'return context["assurance"] == {"acr": "", "amr": []}'}
`)
		if !c.vault() {
			t.Error("something is sure about the person")
		}
	})
}
