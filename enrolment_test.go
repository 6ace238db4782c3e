package weir

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// enrolmentFlow makes an account and signs it in; ownFlow changes one's own.
const enrolmentFlow = `
version: 1
entries:
  - {model: authentik_core.group, id: new, identifiers: {name: new people}}
  - {model: authentik_flows.flow, id: enrol, identifiers: {slug: enrol}, attrs: {name: enrol, title: Welcome, designation: enrollment, authentication: require_unauthenticated}}
  - {model: authentik_flows.flow, id: own, identifiers: {slug: own}, attrs: {name: own, title: You, designation: stage_configuration, authentication: require_authenticated}}
  - {model: authentik_stages_prompt.prompt, id: username, identifiers: {name: username}, attrs: {field_key: username, label: User name, type: username, order: 1}}
  - {model: authentik_stages_prompt.prompt, id: p1, identifiers: {name: p1}, attrs: {field_key: password, label: Password, type: password, order: 2}}
  - {model: authentik_stages_prompt.prompt, id: p2, identifiers: {name: p2}, attrs: {field_key: password_repeat, label: Again, type: password, order: 3}}
  - {model: authentik_stages_prompt.prompt, id: team, identifiers: {name: team}, attrs: {field_key: attributes.team, label: Team, type: text, order: 4, required: false}}
  - {model: authentik_stages_prompt.promptstage, id: ask, identifiers: {name: ask}, attrs: {fields: [!KeyOf username, !KeyOf p1, !KeyOf p2, !KeyOf team]}}
  - {model: authentik_stages_prompt.promptstage, id: ask-own, identifiers: {name: ask-own}, attrs: {fields: [!KeyOf p1, !KeyOf p2]}}
  - {model: authentik_stages_user_write.userwritestage, id: write, identifiers: {name: write}, attrs: {create_users_as_inactive: false, create_users_group: !KeyOf new, user_creation_mode: always_create}}
  - {model: authentik_stages_user_write.userwritestage, id: write-own, identifiers: {name: write-own}, attrs: {user_creation_mode: never_create}}
  - {model: authentik_stages_user_login.userloginstage, id: in, identifiers: {name: in}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf enrol, stage: !KeyOf ask, order: 1}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf enrol, stage: !KeyOf write, order: 2}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf enrol, stage: !KeyOf in, order: 3}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf own, stage: !KeyOf ask-own, order: 1}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf own, stage: !KeyOf write-own, order: 2}}
`

// fills posts to a flow and follows it to the end.
func (c *client) fills(slug, body string) reply {
	c.t.Helper()
	r := c.do("POST", "/api/v3/flows/executor/"+slug+"/", body)
	return c.follow(r)
}

func TestEnrolmentMakesAnAccountAndSignsIn(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, enrolmentFlow)
		c := visit(t, o.site)
		const form = `{"username":"max","password":" correct horse ","password_repeat":" correct horse ","attributes.team":"blue"}`
		if r := c.fills("enrol", form); r.component() != "xak-flow-redirect" {
			t.Fatalf("enrolment ends with %v", r.body)
		}
		me := c.do("GET", "/api/v3/core/users/me/", "").body["user"].(map[string]any)
		if me["username"] != "max" || fmt.Sprint(me["groups"]) == "[]" {
			t.Errorf("signed in as %v", me)
		}
		found := o.must("GET", "core/users/?username=max", nil)["results"].([]any)[0].(map[string]any)
		if fmt.Sprint(found["attributes"]) != "map[team:blue]" || found["type"] != "external" || found["is_active"] != true {
			t.Errorf("made %v", found)
		}
		if r := visit(t, o.site).signIn("max", " correct horse "); r.component() != "xak-flow-redirect" {
			t.Errorf("the password does not open the account: %v", r.body)
		}
		events := o.events()
		for _, want := range []string{"user_write", "password_set", "login"} {
			if !strings.Contains(events, want) {
				t.Errorf("no event %s in %s", want, events)
			}
		}
		if strings.Contains(events, "correct horse") {
			t.Error("an event holds the password")
		}
		// Somebody else took the name while the form was open.
		late := visit(t, o.site)
		if r := late.fills("enrol", strings.Replace(form, `"max"`, `"MAX"`, 1)); r.component() != "ak-stage-prompt" {
			t.Errorf("a taken name: %v", r.body)
		}
	})
}

func TestANewPasswordEndsOtherSessions(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, enrolmentFlow)
		here, there := visit(t, o.site), visit(t, o.site)
		here.fills("enrol", `{"username":"max","password":"first","password_repeat":"first"}`)
		there.signIn("max", "first")
		if r := here.fills("own", `{"password":"second","password_repeat":"second"}`); r.component() != "xak-flow-redirect" {
			t.Fatalf("changing the password ends with %v", r.body)
		}
		if r := here.do("GET", "/api/v3/core/users/me/", ""); r.status != http.StatusOK {
			t.Errorf("here: status %d", r.status)
		}
		if r := there.do("GET", "/api/v3/core/users/me/", ""); r.status != http.StatusForbidden {
			t.Errorf("there: status %d", r.status)
		}
		if r := visit(t, o.site).signIn("max", "first"); r.component() != "ak-stage-password" {
			t.Errorf("the old password: %v", r.body)
		}
	})
}

// Two forms for one name that are open at the same time: one account, and an
// honest end for the other.
func TestTwoEnrolmentsUnderOneNameMakeOneAccount(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, enrolmentFlow)
		const path, form = "/api/v3/flows/executor/enrol/", `{"username":"max","password":"p","password_repeat":"p"}`
		first, second := visit(t, o.site), visit(t, o.site)
		first.do("POST", path, form)
		second.do("POST", path, form)
		ends := map[string]int{}
		for _, c := range []*client{first, second} {
			r := c.do("GET", path, "")
			for r.status == http.StatusFound {
				r = c.do("GET", r.header.Get("Location"), "")
			}
			ends[r.component()]++
		}
		if ends["xak-flow-redirect"] != 1 || ends["ak-stage-access-denied"] != 1 {
			t.Errorf("ends %v", ends)
		}
		if n := len(o.must("GET", "core/users/?username=max", nil)["results"].([]any)); n != 1 {
			t.Errorf("%d accounts", n)
		}
	})
}

// Whoever may change stages must not put people into a group that may do more
// than they may themselves.
func TestRule46StagesPutNobodyIntoAStrongerGroup(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		_, clerk := o.clerk("clerk", "add_userwritestage", "change_userwritestage", "view_userwritestage")
		strong, weak := o.group("strong", m{"is_superuser": true}), o.group("weak", nil)
		above := o.group("above", m{"parents": []string{strong}})
		const stages = "stages/user_write/"
		for i, row := range []struct {
			group  string
			status int
		}{{strong, 403}, {above, 403}, {weak, 201}} {
			if got := o.call(clerk, "POST", stages, m{"name": fmt.Sprint("w", i), "create_users_group": row.group}); got.status != row.status {
				t.Errorf("group %d: status %d, want %d: %s", i, got.status, row.status, got.raw)
			}
		}
		pk := o.must("GET", stages+"?name=w2", nil)["results"].([]any)[0].(map[string]any)["pk"].(string)
		if got := o.call(clerk, "PATCH", stages+pk+"/", m{"create_users_group": strong}); got.status != 403 {
			t.Errorf("change: status %d, want 403: %s", got.status, got.raw)
		}
		if got := o.call(clerk, "PATCH", stages+pk+"/", m{"user_path_template": "x"}); got.status != 200 {
			t.Errorf("another field: status %d: %s", got.status, got.raw)
		}
	})
}

// leaveFlow deletes the account of the caller and then still shows a page.
const leaveFlow = `
version: 1
entries:
  - {model: authentik_flows.flow, id: leave, identifiers: {slug: leave}, attrs: {name: leave, title: Bye, designation: unenrollment, authentication: require_authenticated}}
  - {model: authentik_flows.flow, id: other, identifiers: {slug: other}, attrs: {name: other, title: Other, designation: unenrollment}}
  - {model: authentik_stages_user_delete.userdeletestage, id: delete, identifiers: {name: delete}}
  - {model: authentik_stages_dummy.dummystage, id: bye, identifiers: {name: bye}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf leave, stage: !KeyOf delete, order: 1}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf leave, stage: !KeyOf bye, order: 2}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf other, order: 0, user: !Find [authentik_core.user, [username, max]]}}
`

func TestUnenrolmentTakesEverythingAlong(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, enrolmentFlow)
		here, there := visit(t, o.site), visit(t, o.site)
		here.fills("enrol", `{"username":"max","password":"p","password_repeat":"p"}`)
		there.signIn("max", "p")
		apply(t, o.site, leaveFlow)
		other := o.must("GET", "flows/instances/other/", nil)["pk"].(string)
		if r := here.fills("leave", `{}`); r.component() != "ak-stage-dummy" {
			t.Fatalf("the flow does not go on after the deletion: %v", r.body)
		}
		for name, c := range map[string]*client{"here": here, "there": there} {
			if r := c.do("GET", "/api/v3/core/users/me/", ""); r.status != http.StatusForbidden {
				t.Errorf("%s: status %d", name, r.status)
			}
		}
		if n := len(o.must("GET", "core/users/?username=max", nil)["results"].([]any)); n != 0 {
			t.Errorf("%d accounts are left", n)
		}
		if n := len(o.must("GET", "policies/bindings/?target="+other, nil)["results"].([]any)); n != 0 {
			t.Errorf("%d bindings name somebody who is gone", n)
		}
		if r := here.fills("leave", `{}`); r.component() != "xak-flow-redirect" && r.component() != "ak-stage-access-denied" {
			t.Errorf("the rest of the flow: %v", r.body)
		}
		if r := visit(t, o.site).signIn("max", "p"); r.component() != "ak-stage-password" {
			t.Errorf("the password of an account that is gone: %v", r.body)
		}
		if events := o.events(); !strings.Contains(events, "model_deleted") || !strings.Contains(events, "logout") {
			t.Errorf("events %s", events)
		}
	})
}

// invitedFlow needs an invitation, asks, makes an account and signs in.
const invitedFlow = enrolmentFlow + `
  - {model: authentik_flows.flow, id: invited, identifiers: {slug: invited}, attrs: {name: invited, title: Come in, designation: enrollment}}
  - {model: authentik_stages_invitation.invitationstage, id: check, identifiers: {name: check}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf invited, stage: !KeyOf check, order: 0}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf invited, stage: !KeyOf ask, order: 1}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf invited, stage: !KeyOf write, order: 2}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf invited, stage: !KeyOf in, order: 3}}
`

// invited answers the form of the flow with an invitation and follows it.
func (c *client) invited(token, name string) reply {
	c.t.Helper()
	path := "/api/v3/flows/executor/invited/?query=itoken%3D" + token
	for range 4 {
		if r := c.do("GET", path, ""); r.status != http.StatusFound {
			break
		}
	}
	r := c.do("POST", path, fmt.Sprintf(`{"username":%q,"password":"p","password_repeat":"p"}`, name))
	return c.follow(r)
}

// One link that fifty people follow at the same time makes one account; whoever
// leaves the form does not cost it.
func TestRule13FiftyUsesOfOneInvitationMakeOneAccount(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, invitedFlow)
		flow := o.must("GET", "flows/instances/invited/", nil)["pk"].(string)
		made := o.must("POST", "stages/invitation/invitations/", m{"name": "for-max", "single_use": true, "flow": flow, "fixed_data": m{"attributes": m{"team": "red"}}})
		token := made["pk"].(string)
		if by := made["created_by"].(map[string]any)["username"]; by != "akadmin" || made["flow_obj"].(map[string]any)["slug"] != "invited" {
			t.Errorf("made %v", made)
		}
		left := visit(t, o.site)
		for range 3 {
			left.do("GET", "/api/v3/flows/executor/invited/?query=itoken%3D"+token, "")
		}
		const people = 50
		ends := make([]string, people)
		var wg sync.WaitGroup
		for i := range people {
			c := visit(t, o.site)
			wg.Go(func() { ends[i] = c.invited(token, fmt.Sprint("max", i)).component() })
		}
		wg.Wait()
		in := 0
		for _, end := range ends {
			switch end {
			case "xak-flow-redirect":
				in++
			case "ak-stage-access-denied":
			default:
				t.Errorf("a flow ends with %q", end)
			}
		}
		list := o.must("GET", "core/users/?search=max", nil)["results"].([]any)
		if in != 1 || len(list) != 1 {
			t.Fatalf("%d got in, %d accounts", in, len(list))
		}
		if team := fmt.Sprint(list[0].(map[string]any)["attributes"]); team != "map[team:red]" {
			t.Errorf("attributes %s", team)
		}
		if n := len(o.must("GET", "stages/invitation/invitations/", nil)["results"].([]any)); n != 0 {
			t.Errorf("%d invitations are left", n)
		}
	})
}

func TestRule14AnExpiredInvitationOpensNothing(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, invitedFlow)
		token := o.must("POST", "stages/invitation/invitations/", m{"name": "late", "expires": "2020-01-01T00:00:00Z"})["pk"].(string)
		if r := visit(t, o.site).invited(token, "late"); r.component() != "ak-stage-access-denied" {
			t.Errorf("an expired invitation: %v", r.body)
		}
		if r := visit(t, o.site).invited(strings.Repeat("0", 32), "none"); r.component() != "ak-stage-access-denied" {
			t.Errorf("an unknown invitation: %v", r.body)
		}
		if n := len(o.must("GET", "core/users/?username=late", nil)["results"].([]any)); n != 0 {
			t.Errorf("%d accounts", n)
		}
	})
}
