package weir

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The flow that every installation has, from the page that asks for a name to the
// account.
func TestTheDefaultRecovery(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o, server := post(t, s)
		ada := o.user("ada", m{"email": "ada@example.com"})
		who := visit(t, o.site).do("GET", loginFlow, "")
		if !strings.HasPrefix(fmt.Sprint(who.body["recovery_url"]), "/if/flow/default-recovery-flow/") {
			t.Errorf("the sign-in page leads to %v", who.body["recovery_url"])
		}
		const form = `{"password":"new words","password_repeat":"new words"}`
		if r := visit(t, o.site).fills("default-recovery-flow", `{"uid_field":"ada"}`); r.component() != "ak-stage-email" {
			t.Fatalf("the default recovery shows %v", r.body)
		}
		mail := server.Wait(t, 1)[0]
		if subject := mail.Header.Get("Subject"); !strings.Contains(subject, "password") {
			t.Errorf("subject %q", subject)
		}
		link, c := mail.Link(t), visit(t, o.site)
		if r := c.passGate(link); r.component() != "ak-stage-prompt" {
			t.Fatalf("behind the gate is %v", r.body)
		}
		if r := c.follow(c.do("POST", behind(link), form)); r.component() != "xak-flow-redirect" {
			t.Fatalf("recovery ends with %v", r.body)
		}
		if me := c.do("GET", "/api/v3/core/users/me/", "").body["user"].(map[string]any); me["username"] != "ada" {
			t.Errorf("signed in as %v", me)
		}
		// A link of an administrator needs neither name nor mail.
		made := o.must("POST", fmt.Sprintf("core/users/%d/recovery/", ada), m{})["link"].(string)
		address, err := url.Parse(made)
		if err != nil {
			t.Fatal(err)
		}
		c = visit(t, o.site)
		if r := c.follow(c.do("GET", behind(address), "")); r.component() != "ak-stage-prompt" {
			t.Errorf("behind the link is %v", r.body)
		}
	})
}

func TestALinkByMailFromAnAdministrator(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.BaseURL = &url.URL{Scheme: "https", Host: "id.example.org"}
		o, server := post(t, s)
		ada := o.user("ada", m{"email": "ada@example.com", "attributes": m{"settings": m{"locale": "fr"}}})
		stage := results(o.must("GET", "stages/email/?name=default-recovery-email", nil))[0]["pk"]
		path := fmt.Sprintf("core/users/%d/recovery_email/", ada)
		if a := o.call(root, "POST", path, m{"email_stage": stage, "token_duration": "hours=5"}); a.status != http.StatusNoContent {
			t.Fatalf("%d %s", a.status, a.raw)
		}
		mail := server.Wait(t, 1)[0]
		if mail.To[0] != "ada@example.com" || mail.Header.Get("Content-Language") != "fr" {
			t.Errorf("mail %v to %v", mail.Header, mail.To)
		}
		link, c := mail.Link(t), visit(t, o.site)
		if link.Host != "id.example.org" {
			t.Errorf("Rule 21: the link leads to %s", link.Host)
		}
		if r := c.follow(c.do("GET", behind(link), "")); r.component() != "ak-stage-prompt" {
			t.Fatalf("behind the link is %v", r.body)
		}
		if r := c.follow(c.do("POST", behind(link), `{"password":"new words","password_repeat":"new words"}`)); r.component() != "xak-flow-redirect" {
			t.Errorf("recovery ends with %v", r.body)
		}
		for what, body := range map[string]m{
			"no stage":              {},
			"a stage that is none":  {"email_stage": "9b6d6a3a-32a5-4b09-8f1a-4d3f4c1d3d11"},
			"a link for ever":       {"email_stage": stage, "token_duration": "days=365"},
			"a stage of other kind": {"email_stage": results(o.must("GET", "stages/identification/", nil))[0]["pk"]},
		} {
			if a := o.call(root, "POST", path, body); a.status != http.StatusBadRequest {
				t.Errorf("%s: %d %s", what, a.status, a.raw)
			}
		}
		for name, more := range map[string]m{"mailless": nil, "robot": {"type": "service_account", "email": "r@example.com"}} {
			if a := o.call(root, "POST", fmt.Sprintf("core/users/%d/recovery_email/", o.user(name, more)), m{"email_stage": stage}); a.status != http.StatusBadRequest {
				t.Errorf("Rule 20: %s: %d %s", name, a.status, a.raw)
			}
		}
		if n := len(server.Mails()); n != 1 {
			t.Errorf("%d mails", n)
		}
		// It takes both permissions.
		_, helper := o.clerk("helper", "reset_user_password")
		if a := o.call(helper, "POST", path, m{"email_stage": stage}); a.status != http.StatusForbidden {
			t.Errorf("without the permission to see the stage: %d %s", a.status, a.raw)
		}
	})
}
