package weir

import (
	"strings"
	"testing"
)

// twoPages is a flow of two pages of which the second is called name, and has a
// policy.
const twoPages = `
version: 1
entries:
- {model: authentik_flows.flow, id: flow, identifiers: {slug: pages}, attrs: {name: Pages, title: Pages, designation: recovery}}
- {model: authentik_stages_dummy.dummystage, id: first, identifiers: {name: first}}
- {model: authentik_stages_dummy.dummystage, id: second, identifiers: {pk: 5f0c8f0b-6b11-4a58-9c1e-0d1c5a1f2c58}, attrs: {name: NAME}}
- {model: authentik_policies_expression.expressionpolicy, id: policy, identifiers: {name: second}, attrs: {expression: return VERDICT}}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf first, order: 0}}
- {model: authentik_flows.flowstagebinding, id: binding, identifiers: {target: !KeyOf flow, stage: !KeyOf second, order: 10}}
- {model: authentik_policies.policybinding, identifiers: {target: !KeyOf binding, policy: !KeyOf policy, order: 0}}
`

// Who is in a flow goes on with the stages that were planned, under the policies
// that are in force now.
func TestExecutionsGoOnAfterARollback(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		for _, row := range []struct{ name, before, after, want string }{
			{"the stage that was planned", "True", "True", "after"},
			{"the policy that is in force", "False", "True", "xak-flow-redirect"},
		} {
			t.Run(row.name, func(t *testing.T) {
				site := start(t, s)
				version := func(name, verdict string) int64 {
					apply(t, site, strings.NewReplacer("NAME", name, "VERDICT", verdict).Replace(twoPages))
					return site.catalog.Snapshot().Revision()
				}
				then := version("before", row.before)
				version("after", row.after)
				const path = "/api/v3/flows/executor/pages/"
				under, fresh := visit(t, site), visit(t, site)
				if r := under.do("GET", path, ""); r.body["name"] != "first" {
					t.Fatalf("the flow begins with %v", r.body)
				}
				under.do("POST", path, `{"component":"nonsense"}`)
				if _, _, err := site.Rollback(t.Context(), Rollback{To: then}); err != nil {
					t.Fatal(err)
				}
				show := func(r reply) string {
					if name, ok := r.body["name"].(string); ok {
						return name
					}
					return r.component()
				}
				if got := show(under.follow(under.do("GET", path, ""))); got != row.want {
					t.Errorf("who was under way sees %s, want %s", got, row.want)
				}
				fresh.do("GET", path, "")
				want := "before"
				if row.before == "False" {
					want = "xak-flow-redirect"
				}
				if got := show(fresh.follow(fresh.do("POST", path, "{}"))); got != want {
					t.Errorf("who begins now sees %s, want %s", got, want)
				}
			})
		}
	})
}
