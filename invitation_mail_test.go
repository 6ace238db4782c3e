package weir

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/mail/mailtest"
)

const invitations = "stages/invitation/invitations/"

// inviting is an office with a mail server, an address and a flow that needs an
// invitation.
func inviting(t *testing.T, s Settings) (o *office, server *mailtest.Server, flow string) {
	t.Helper()
	s.BaseURL = &url.URL{Scheme: "https", Host: "id.example.org"}
	s.Sends.Client = 1000
	o, server = post(t, s)
	apply(t, o.site, invitedFlow)
	return o, server, o.must("GET", "flows/instances/invited/", nil)["pk"].(string)
}

// waiting counts the mails in the outbox.
func (o *office) waiting() int {
	return len(results(o.must("GET", "mail/messages/?page_size=100", nil)))
}

func TestInvitationsAreMailed(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o, server, flow := inviting(t, s)
		expires := time.Now().Add(time.Hour).UTC()
		id := o.must("POST", invitations, m{"name": "for-max", "flow": flow, "expires": expires})["pk"].(string)
		body := m{"email_addresses": []string{"max@example.com", "Mia <mia@example.com>"}, "cc_addresses": []string{"cc@example.com"}, "bcc_addresses": []string{"bcc@example.com"}}
		if a := o.call(root, "POST", invitations+id+"/send_email/", body); a.status != 204 || a.raw != "" {
			t.Fatal(a.status, a.raw)
		}
		mails := server.Wait(t, 2)
		slices.SortFunc(mails, func(a, b mailtest.Mail) int { return strings.Compare(a.To[0], b.To[0]) })
		for i, want := range [][]string{{"max@example.com", "cc@example.com", "bcc@example.com"}, {"mia@example.com"}} {
			if !slices.Equal(mails[i].To, want) {
				t.Errorf("mail %d goes to %v, want %v", i, mails[i].To, want)
			}
			link := []byte("https://id.example.org/if/flow/invited/?itoken=3D" + id)
			if body := bytes.ReplaceAll(mails[i].Body, []byte("=\r\n"), nil); !bytes.Contains(body, link) || !bytes.Contains(body, []byte(expires.Format("2006-01-02 15:04 UTC"))) {
				t.Errorf("mail %d says %s", i, body)
			}
			for name, lines := range mails[i].Header {
				if strings.Contains(fmt.Sprint(name, lines), "bcc@") {
					t.Errorf("mail %d tells of a blind copy: %s %v", i, name, lines)
				}
			}
		}
		if row := results(o.must("GET", "mail/messages/?purpose=invitation", nil)); len(row) != 2 {
			t.Errorf("the outbox shows %v", row)
		}
		if e := fmt.Sprint(o.latest("secret_view")); !strings.Contains(e, "sent by mail") || !strings.Contains(e, "akadmin") {
			t.Errorf("the event is %s", e)
		}
	})
}

// TestAnInvitationIsMailedOrRefusedInWords: what is refused queues nothing, also not
// for the addresses that there is nothing against.
func TestAnInvitationIsMailedOrRefusedInWords(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o, _, flow := inviting(t, s)
		made := func(body m) string { return o.must("POST", invitations, body)["pk"].(string) }
		id := made(m{"name": "for-max", "flow": flow})
		late, loose := made(m{"name": "late", "flow": flow, "expires": "2020-01-01T00:00:00Z"}), made(m{"name": "loose"})
		to := func(addresses ...string) m { return m{"email_addresses": append([]string{}, addresses...)} }
		for _, tt := range []struct {
			id   string
			body m
			says string
		}{
			{id, m{}, `"email_addresses":["`},
			{id, to(), "at least one e-mail address"},
			{id, to(strings.Fields(strings.Repeat("a@example.com ", 21))...), "at most 20"},
			{id, m{"email_addresses": []string{"a@example.com"}, "cc_addresses": strings.Fields(strings.Repeat("a@example.com ", 11))}, "at most 10"},
			{id, to("a@example.com", "nobody"), `\"nobody\" is none`},
			{id, to("a@example.com\r\nBcc: b@example.com"), "is none"},
			{id, to("a@example.com\nSubject: x"), "is none"},
			{id, to("\"a\r\nBcc: b@example.com\" <a@example.com>"), "is none"},
			{id, to("a@example.com, b@example.com"), "is none"},
			{id, to("=?utf-8?q?a=0D=0ABcc:_b@example.com?= <a@example.com>"), "is none"},
			{id, m{"email_addresses": []string{"a@example.com"}, "bcc_addresses": []string{"a@example.com\r\nTo: b@example.com"}}, `"bcc_addresses"`},
			{id, m{"email_addresses": []any{m{"a": 1}}}, `"email_addresses"`},
			{id, m{"email_addresses": []string{"a@example.com"}, "template": "password_reset"}, `"template"`},
			{id, m{"email_addresses": []string{"a@example.com"}, "template": "../invitation"}, `"template"`},
			{late, to("a@example.com"), "has expired"},
			{loose, to("a@example.com"), "has no flow"},
			{id, to("a@example.com", "a+1@example.com", "a+2@example.com"), "Too many attempts"},
		} {
			if a := o.call(root, "POST", invitations+tt.id+"/send_email/", tt.body); a.status != 400 || !strings.Contains(a.raw, tt.says) {
				t.Errorf("%v: %d %s, want %q", tt.body, a.status, a.raw, tt.says)
			}
		}
		if n := o.waiting(); n != 0 {
			t.Errorf("%d mails are queued", n)
		}
		_, viewer := o.clerk("viewer", "authentik_stages_invitation.view_invitation")
		_, blind := o.clerk("blind", "authentik_stages_invitation.add_invitation")
		_, clerk := o.clerk("inviter", "authentik_stages_invitation.view_invitation", "authentik_stages_invitation.add_invitation")
		for name, c := range map[string]struct {
			token  string
			status int
		}{"one who may only see": {viewer, 403}, "one who may see none": {blind, 403}, "one who may both": {clerk, 204}} {
			if a := o.call(c.token, "POST", invitations+id+"/send_email/", to("b@example.com")); a.status != c.status {
				t.Errorf("%s: %d %s, want %d", name, a.status, a.raw, c.status)
			}
		}
	})
}

// TestRule21AnInvitationIsMailedWithTheConfiguredAddressAlone: whatever the request
// says, and not at all without one.
func TestRule21AnInvitationIsMailedWithTheConfiguredAddressAlone(t *testing.T) {
	for name, configured := range map[string]bool{"base URL": true, "no base URL": false} {
		t.Run(name, func(t *testing.T) {
			s := settings(t)
			if configured {
				s.BaseURL = &url.URL{Scheme: "https", Host: "id.example.org"}
			}
			o, server := post(t, s)
			apply(t, o.site, invitedFlow)
			flow := o.must("GET", "flows/instances/invited/", nil)["pk"].(string)
			id := o.must("POST", invitations, m{"name": "for-max", "flow": flow})["pk"].(string)
			r := visit(t, o.site).as(root, "POST", "/api/v3/"+invitations+id+"/send_email/", `{"email_addresses":["max@example.com"]}`, "X-Forwarded-Host", "evil.example")
			if !configured {
				if r.status != 400 || !strings.Contains(fmt.Sprint(r.body), "base URL") || o.waiting() != 0 {
					t.Errorf("without a base URL: %d %v", r.status, r.body)
				}
				return
			}
			if r.status != 204 {
				t.Fatal(r.status, r.body)
			}
			if body := server.Wait(t, 1)[0].Body; bytes.Contains(body, []byte("evil")) || !bytes.Contains(body, []byte("https://id.example.org/if/flow/invited/")) {
				t.Errorf("the mail says %s", body)
			}
		})
	}
	t.Run("no mail server", func(t *testing.T) {
		s := settings(t)
		s.BaseURL = &url.URL{Scheme: "https", Host: "id.example.org"}
		o := openOffice(t, s)
		apply(t, o.site, invitedFlow)
		id := o.must("POST", invitations, m{"name": "x", "flow": o.must("GET", "flows/instances/invited/", nil)["pk"]})["pk"].(string)
		if a := o.call(root, "POST", invitations+id+"/send_email/", m{"email_addresses": []string{"max@example.com"}}); a.status != 400 || !strings.Contains(a.raw, "No mail server") {
			t.Errorf("without a mail server: %d %s", a.status, a.raw)
		}
	})
}
