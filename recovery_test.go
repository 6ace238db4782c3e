package weir

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/store"
)

// recoveryFlow asks for a new password and signs in; only a link leads into it.
const recoveryFlow = `
version: 1
entries:
  - {model: authentik_flows.flow, id: recover, identifiers: {slug: recover}, attrs: {name: recover, title: New password, designation: recovery, authentication: require_token}}
  - {model: authentik_flows.flow, id: other, identifiers: {slug: other}, attrs: {name: other, title: Other, designation: recovery, authentication: require_token}}
  - {model: authentik_stages_prompt.prompt, id: p1, identifiers: {name: p1}, attrs: {field_key: password, label: Password, type: password, order: 2}}
  - {model: authentik_stages_prompt.prompt, id: p2, identifiers: {name: p2}, attrs: {field_key: password_repeat, label: Again, type: password, order: 3}}
  - {model: authentik_stages_prompt.promptstage, id: ask, identifiers: {name: ask}, attrs: {fields: [!KeyOf p1, !KeyOf p2]}}
  - {model: authentik_stages_user_write.userwritestage, id: write, identifiers: {name: write}, attrs: {user_creation_mode: never_create}}
  - {model: authentik_stages_user_login.userloginstage, id: in, identifiers: {name: in}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf recover, stage: !KeyOf ask, order: 1}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf recover, stage: !KeyOf write, order: 2}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf recover, stage: !KeyOf in, order: 3}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf other, stage: !KeyOf in, order: 1}}
`

// openRecovery is a site whose default brand has the recovery flow.
func openRecovery(t *testing.T, s Settings) *office {
	o := openOffice(t, s)
	apply(t, o.site, recoveryFlow)
	pk := o.must("GET", "flows/instances/recover/", nil)["pk"]
	brand := o.must("GET", "core/brands/?default=true", nil)["results"].([]any)[0].(map[string]any)["brand_uuid"]
	o.must("PATCH", fmt.Sprintf("core/brands/%s/", brand), m{"flow_recovery": pk})
	return o
}

// recoveryLink makes a link and returns its key.
func (o *office) recoveryLink(user int64, body m) string {
	o.t.Helper()
	if body == nil {
		body = m{}
	}
	link := o.must("POST", fmt.Sprintf("core/users/%d/recovery/", user), body)["link"].(string)
	u, err := url.Parse(link)
	if err != nil || u.Path != "/if/flow/recover/" || len(u.Query().Get("flow_token")) < 64 {
		o.t.Fatalf("link %q, %v", link, err)
	}
	return u.Query().Get("flow_token")
}

func recoverPath(slug, key string) string {
	return "/api/v3/flows/executor/" + slug + "/?query=" + url.QueryEscape("flow_token="+key)
}

func (c *client) recovers(key, password string) reply {
	c.t.Helper()
	return c.follow(c.do("POST", recoverPath("recover", key), fmt.Sprintf(`{"password":%q,"password_repeat":%[1]q}`, password)))
}

func TestARecoveryLinkLetsSomebodyBackIn(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openRecovery(t, s)
		ada := o.user("ada", nil)
		key := o.recoveryLink(ada, m{"token_duration": "hours=2"})
		// A scanner of mails looks at the page, also twice and from elsewhere.
		for range 2 {
			if r := visit(t, o.site).do("GET", recoverPath("recover", key), ""); r.component() != "ak-stage-prompt" {
				t.Fatalf("the link shows %v", r.body)
			}
		}
		c := visit(t, o.site)
		if r := c.do("GET", recoverPath("recover", key), ""); r.component() != "ak-stage-prompt" {
			t.Fatalf("the link shows %v", r.body)
		}
		if r := c.do("POST", recoverPath("recover", key), `{"password":"a","password_repeat":"b"}`); r.component() != "ak-stage-prompt" {
			t.Fatalf("a slip of the pen ends with %v", r.body)
		}
		if r := c.recovers(key, "new words"); r.component() != "xak-flow-redirect" {
			t.Fatalf("recovery ends with %v", r.body)
		}
		if me := c.do("GET", "/api/v3/core/users/me/", "").body["user"].(map[string]any); me["username"] != "ada" {
			t.Errorf("signed in as %v", me)
		}
		if r := visit(t, o.site).signIn("ada", "new words"); r.component() != "xak-flow-redirect" {
			t.Errorf("the new password does not open the account: %v", r.body)
		}
		r := visit(t, o.site).do("GET", recoverPath("recover", key), "")
		if r.component() != "ak-stage-access-denied" || !strings.Contains(fmt.Sprint(r.body["error_message"]), "link") {
			t.Errorf("the used link shows %v", r.body)
		}
		if n := len(o.must("GET", "events/events/?action=secret_view", nil)["results"].([]any)); n == 0 {
			t.Error("no event tells of the link")
		}
		if all := o.call(root, "GET", "events/events/?page_size=100", nil); strings.Contains(all.raw, key) {
			t.Error("an event shows the key of the link")
		}
	})
}

// A token is bound to its flow, its person and its time (rules 14 and 15), and ends
// with the next one and with another change of the password.
func TestRule15ARecoveryLinkHoldsForOnePersonFlowAndTime(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openRecovery(t, s)
		ada, bob := o.user("ada", nil), o.user("bob", nil)
		denied := func(what, slug, key string) {
			t.Helper()
			if r := visit(t, o.site).do("GET", recoverPath(slug, key), ""); r.component() != "ak-stage-access-denied" {
				t.Errorf("%s shows %v", what, r.body)
			}
		}
		first := o.recoveryLink(ada, nil)
		denied("the link in another flow", "other", first)
		denied("a made-up key", "recover", strings.Repeat("x", 64))
		second := o.recoveryLink(ada, m{"token_duration": "minutes=5"})
		denied("a link that another one replaced", "recover", first)
		hash := "update flow_tokens set user_id = $1 where user_id = $2"
		if _, err := o.site.db.Exec(t.Context(), hash, bob, ada); err != nil {
			t.Fatal(err)
		}
		if r := visit(t, o.site).do("GET", recoverPath("recover", second), ""); r.status < 500 && r.component() == "ak-stage-prompt" {
			t.Errorf("a token that was handed to somebody else in the database shows %v", r.body)
		}
		if _, err := o.site.db.Exec(t.Context(), hash, ada, bob); err != nil {
			t.Fatal(err)
		}
		if r := visit(t, o.site).do("GET", recoverPath("recover", second), ""); r.component() != "ak-stage-prompt" {
			t.Fatalf("the link shows %v", r.body)
		}
		// What the session that opens the link is about does not get in.
		c := visit(t, o.site)
		c.do("POST", loginFlow, `{"uid_field":"bob"}`)
		half := visit(t, o.site)
		half.do("POST", recoverPath("recover", second), `{"password":"a","password_repeat":"b"}`)
		o.must("POST", fmt.Sprintf("core/users/%d/set_password/", ada), m{"password": "by the office"})
		denied("a link older than the password", "recover", second)
		if r := half.recovers(second, "too late"); r.component() != "ak-stage-access-denied" {
			t.Errorf("a recovery that began before the password was set ends with %v", r.body)
		}
		if r := c.recovers(o.recoveryLink(ada, nil), "for ada"); r.component() != "xak-flow-redirect" {
			t.Fatalf("recovery ends with %v", r.body)
		}
		if r := visit(t, o.site).signIn("ada", "for ada"); r.component() != "xak-flow-redirect" {
			t.Errorf("the link changed the password of somebody else: %v", r.body)
		}
		late := o.recoveryLink(ada, nil)
		if _, err := o.site.db.Exec(t.Context(), "update flow_tokens set expires = $1", time.Now().Add(-time.Minute)); err != nil {
			t.Fatal(err)
		}
		denied("a link after its time", "recover", late)
	})
}

// race has fifty people walk at once, checks that one of them gets to the end, and
// returns which.
func race(t *testing.T, site *Server, walk func(c *client, i int) reply) int {
	t.Helper()
	const people = 50
	ends := make([]string, people)
	var wg sync.WaitGroup
	for i := range people {
		c := visit(t, site)
		wg.Go(func() { ends[i] = walk(c, i).component() })
	}
	wg.Wait()
	won := -1
	for i, end := range ends {
		switch {
		case end == "xak-flow-redirect" && won < 0:
			won = i
		case end != "ak-stage-access-denied":
			t.Errorf("flow %d ends with %q", i, end)
		}
	}
	if won < 0 {
		t.Fatal("nobody got to the end")
	}
	return won
}

func TestRule13FiftyUsesOfOneRecoveryLinkMakeOneChange(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openRecovery(t, s)
		key := o.recoveryLink(o.user("ada", nil), nil)
		won := race(t, o.site, func(c *client, i int) reply { return c.recovers(key, fmt.Sprint("words ", i)) })
		if r := visit(t, o.site).signIn("ada", fmt.Sprint("words ", won)); r.component() != "xak-flow-redirect" {
			t.Errorf("the password of the one who got in does not open the account: %v", r.body)
		}
	})
}

func TestRule46ARecoveryLinkIsNoWayToMorePower(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openRecovery(t, s)
		ada, boss := o.user("ada", nil), o.user("boss", nil)
		o.must("POST", "core/groups/"+o.group("bosses", m{"is_superuser": true})+"/add_user/", m{"pk": boss})
		_, clerk := o.clerk("clerk", "authentik_core.view_user", "authentik_core.reset_user_password")
		_, other := o.clerk("other", "authentik_core.view_user")
		for _, c := range []struct {
			who, token string
			user       int64
			status     int
		}{
			{"a clerk for ada", clerk, ada, http.StatusOK},
			{"a clerk for a superuser", clerk, boss, http.StatusForbidden},
			{"somebody without the permission", other, ada, http.StatusForbidden},
			{"nobody", "", ada, http.StatusForbidden},
		} {
			if a := o.call(c.token, "POST", fmt.Sprintf("core/users/%d/recovery/", c.user), nil); a.status != c.status {
				t.Errorf("%s: %d %s", c.who, a.status, a.raw)
			}
		}
	})
}

func TestARecoveryLinkThatCannotBeMade(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		ada := o.user("ada", nil)
		path := fmt.Sprintf("core/users/%d/recovery/", ada)
		brand := results(o.must("GET", "core/brands/?default=true", nil))[0]["brand_uuid"]
		o.must("PATCH", fmt.Sprintf("core/brands/%s/", brand), m{"flow_recovery": nil})
		if a := o.call(root, "POST", path, m{}); a.status != http.StatusBadRequest || !strings.Contains(a.raw, "flow_recovery") {
			t.Errorf("without a recovery flow: %d %s", a.status, a.raw)
		}
		if _, err := o.site.RecoveryLink(t.Context(), "ada", time.Hour); err == nil || !strings.Contains(err.Error(), flow.ErrNoFlow.Error()) {
			t.Errorf("the command without a recovery flow: %v", err)
		}
		for _, d := range []string{"", "seconds=0", "days=31", "soon"} {
			if a := o.call(root, "POST", path, m{"token_duration": d}); a.status != http.StatusBadRequest || !strings.Contains(a.raw, "token_duration") {
				t.Errorf("for %q: %d %s", d, a.status, a.raw)
			}
		}
	})
}

func TestTheCommandMakesARecoveryLink(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openRecovery(t, s)
		o.user("ada", nil)
		link, err := o.site.RecoveryLink(t.Context(), "ada", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(link)
		if err != nil || u.Path != "/if/flow/recover/" {
			t.Fatalf("link %q, %v", link, err)
		}
		if r := visit(t, o.site).recovers(u.Query().Get("flow_token"), "new words"); r.component() != "xak-flow-redirect" {
			t.Errorf("recovery ends with %v", r.body)
		}
		if _, err := o.site.RecoveryLink(t.Context(), "nobody", time.Hour); err == nil {
			t.Error("a link for nobody")
		}
	})
}

func TestLockingAnAccountEndsItsRecoveryLink(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openRecovery(t, s)
		max := o.member("max", "p")
		apply(t, o.site, lockFlows)
		key := o.recoveryLink(max, nil)
		c := visit(t, o.site)
		c.signIn("max", "p")
		c.fills("lock-own", `{"reason":"a stranger"}`)
		left, err := store.Select(t.Context(), o.site.db, store.Column[string], "select id from flow_tokens")
		if err != nil || len(left) != 0 {
			t.Errorf("%d tokens are left, %v", len(left), err)
		}
		if r := visit(t, o.site).do("GET", recoverPath("recover", key), ""); r.component() != "ak-stage-access-denied" {
			t.Errorf("the link shows %v", r.body)
		}
	})
}
