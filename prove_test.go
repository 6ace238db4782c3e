package weir

import (
	"strings"
	"testing"
)

const signInByName = `version: 1
entries:
- {model: authentik_flows.flow, id: flow, identifiers: {slug: unchecked}, attrs: {name: x, title: x, designation: authentication}}
- {model: authentik_stages_dummy.dummystage, id: page, identifiers: {name: prove-page}}
- {model: authentik_stages_identification.identificationstage, id: who, identifiers: {name: prove-who}, attrs: {user_fields: [username]}}
- {model: authentik_stages_user_login.userloginstage, id: login, identifiers: {name: prove-login}}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf page, order: 0}}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf who, order: 1}}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf login, order: 2}}
`

// An import is never refused for what is found in its flows, and tells it to
// those who may see flows.
func TestAnImportTellsWhatIsFoundInItsFlows(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.Bootstrap.Token = adminKey
		site := start(t, s)
		c := admin(t, site)
		const finding = "warning: error unchecked-login unchecked 2 prove-login: "
		status, body := c.send("managed/blueprints/import/", signInByName)
		if status != 200 || body["success"] != true || !strings.Contains(logTexts(body), finding) {
			t.Errorf("the import of the flow: %d %v", status, body)
		}
		found, err := site.Prove("unchecked")
		if err != nil || len(found) != 1 {
			t.Errorf("the flow that was imported: %v, %v", found, err)
		}

		const stage = "entries: [{model: authentik_stages_dummy.dummystage, identifiers: {name: prove-page}}]\n"
		if _, body := c.send("managed/blueprints/import/", stage); !strings.Contains(logTexts(body), finding) {
			t.Errorf("a file that touches a stage of the flow: %v", body)
		}
		const elsewhere = "entries: [{model: authentik_stages_dummy.dummystage, identifiers: {name: of-no-flow}}]\n"
		if _, body := c.send("managed/blueprints/import/", elsewhere); strings.Contains(logTexts(body), "unchecked") {
			t.Errorf("a file that does not touch the flow: %v", body)
		}
		keeper := delegate(t, site, "keeper", writing("dummystage")...)
		if _, body := keeper.send("managed/blueprints/import/", stage); body["success"] != true || strings.Contains(logTexts(body), "unchecked") {
			t.Errorf("somebody who may not see flows is told: %v", body)
		}

		const unbound = "entries:\n- {model: authentik_flows.flowstagebinding, state: absent, identifiers: {target: !Find [authentik_flows.flow, [slug, unchecked]], order: 2}}\n"
		if _, body := c.send("managed/blueprints/import/", unbound); body["success"] != true || !strings.Contains(logTexts(body), "warning no-effect unchecked") {
			t.Errorf("a file that takes the login away: %v", body)
		}
	})
}
