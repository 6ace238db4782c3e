package weir

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/mail/mailtest"
)

const invitationsPage = "/if/user/invitations/"

// hosting is an office with pages for invitations, a mail server, an address and a
// flow that needs an invitation, whose id it returns.
func hosting(t *testing.T, s Settings) (o *office, server *mailtest.Server, flow string) {
	t.Helper()
	s.BaseURL = &url.URL{Scheme: "http", Host: "id.example.org"}
	o, server = post(t, s)
	apply(t, o.site, invitedFlow)
	return o, server, o.must("GET", "flows/instances/invited/", nil)["pk"].(string)
}

var linkField = regexp.MustCompile(`id="link"[^>]* value="([^"]*)"`)

// makes sends the form for a new invitation and returns the address of its page.
func (c *client) makes(form url.Values) (string, reply) {
	c.t.Helper()
	r := c.post(invitationsPage+"new/", "", form)
	return r.header.Get("Location"), r
}

// TestInvitationsOnPages: made, seen, mailed, used up and deleted; the page of one
// that is gone says so.
func TestInvitationsOnPages(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o, server, flow := hosting(t, s)
		c := o.signedIn("akadmin", "correct horse")
		if home := c.page(t, "/if/user/"); !strings.Contains(home, `href="`+invitationsPage+`"`) {
			t.Error("the home page does not lead to the invitations")
		}
		if form := c.page(t, invitationsPage+"new/"); !strings.Contains(form, flow) || strings.Count(form, "<option") != 2 || !strings.Contains(form, "Create account by invitation") {
			t.Errorf("the flows to choose from: %s", form)
		}
		until := time.Now().Add(48 * time.Hour).UTC()
		page, r := c.makes(url.Values{"name": {"for-max"}, "flow": {flow}, "expires": {until.Format("2006-01-02T15:04")}, "single_use": {"on"},
			"fixed_data": {"username: max\nattributes:\n  team: red\n  since: 2026-01-02\n"}})
		if r.status != http.StatusSeeOther {
			t.Fatalf("making one: %d %s", r.status, r.raw)
		}
		id := strings.Trim(strings.TrimPrefix(page, invitationsPage), "/")
		made := o.must("GET", invitations+id+"/", nil)
		if data := fmt.Sprint(made["fixed_data"]); data != "map[attributes:map[since:2026-01-02 team:red] username:max]" || made["single_use"] != true || made["flow"] != flow ||
			!strings.HasPrefix(made["expires"].(string), until.Format("2006-01-02T15:04")) || made["created_by"].(m)["username"] != "akadmin" {
			t.Errorf("made %v", made)
		}
		for name, text := range map[string]string{"the list": c.page(t, invitationsPage), "its page": c.page(t, page)} {
			if !strings.Contains(text, "for-max") || !strings.Contains(text, until.Format("2006-01-02 15:04 UTC")) || !strings.Contains(text, "for a single use") {
				t.Errorf("%s shows %s", name, text)
			}
		}
		if r := c.post(page, "", url.Values{"action": {"send"}, "email_addresses": {"Max <max@example.com>\r\nmia@example.com"}}); r.status != http.StatusSeeOther || r.header.Get("Location") != page+"?sent" {
			t.Fatalf("sending: %d %s", r.status, r.raw)
		}
		link := []byte("http://id.example.org/if/flow/invited/?itoken=3D" + id)
		for _, mail := range server.Wait(t, 2) {
			if !bytes.Contains(bytes.ReplaceAll(mail.Body, []byte("=\r\n"), nil), link) {
				t.Errorf("the mail says %s", mail.Body)
			}
		}
		if end := visit(t, o.site).invited(id, "max").component(); end != signedIn {
			t.Fatalf("the guest ends at %s", end)
		}
		if r := c.do("GET", page, ""); r.status != http.StatusNotFound || !strings.Contains(string(r.raw), "This invitation is gone") {
			t.Errorf("the page of a used one: %d %s", r.status, r.raw)
		}
		if r := visit(t, o.site).do("GET", "/if/flow/invited/?itoken="+id, "", "Sec-Fetch-Site", "same-origin"); !strings.Contains(string(r.raw), "has been used") {
			t.Errorf("the used link: %d %s", r.status, r.raw)
		}

		page, _ = c.makes(url.Values{"name": {"again"}, "flow": {flow}})
		if text := c.page(t, page); !strings.Contains(text, "without end") || !strings.Contains(text, "for any number of uses") {
			t.Errorf("one for ever: %s", text)
		}
		for n, want := range []int{http.StatusSeeOther, http.StatusNotFound} {
			if r := c.post(page, "", url.Values{"action": {"delete"}}); r.status != want {
				t.Errorf("deleting it, time %d: %d %s", n+1, r.status, r.raw)
			}
		}
		if n := len(results(o.must("GET", invitations, nil))); n != 0 {
			t.Errorf("%d invitations are left", n)
		}
		if e := o.events(); !strings.Contains(e, "model_created") || !strings.Contains(e, "secret_view") || !strings.Contains(e, "model_deleted") {
			t.Errorf("events %s", e)
		}
	})
}

// TestAnInvitationOnPagesIsRefusedInWords: nothing is made, and what was typed stays.
func TestAnInvitationOnPagesIsRefusedInWords(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o, _, flow := hosting(t, s)
		login := o.must("GET", "flows/instances/default-authentication-flow/", nil)["pk"].(string)
		c := o.signedIn("akadmin", "correct horse")
		for name, tt := range map[string]struct{ field, value, says string }{
			"no name":               {"name", "", "Enter a name of letters"},
			"a name with a blank":   {"name", "for max", "Enter a name of letters"},
			"no flow":               {"flow", "", "Choose one of the flows"},
			"a flow of another use": {"flow", login, "Choose one of the flows"},
			"no time":               {"expires", "tomorrow", "Enter a date and a time to come"},
			"a time that is over":   {"expires", "2020-01-02T03:04", "Enter a date and a time to come"},
			"a list":                {"fixed_data", "- a\n- b", "In line 1, column 1 of the details: this has to be an object"},
			"a key twice":           {"fixed_data", "a: 1\n  \nb: 2\na: 3", "In line 4, column 1 of the details: the key "},
			"an open bracket":       {"fixed_data", "a: 1\nb: [2", "In line 2 of the details: this is not valid YAML"},
			"a tag":                 {"fixed_data", "a: !File /etc/passwd", "In line 1, column 4 of the details: !File"},
			"too much":              {"fixed_data", "a: " + strings.Repeat("x", 17<<10), "of at most 16 kB"},
		} {
			form := url.Values{"name": {"kept-name"}, "flow": {flow}, "fixed_data": {"a: kept data"}}
			form.Set(tt.field, tt.value)
			_, r := c.makes(form)
			text := html.UnescapeString(string(r.raw))
			if r.status != http.StatusUnprocessableEntity || !strings.Contains(text, tt.says) || tt.field != "name" && !strings.Contains(text, "kept-name") || tt.field != "fixed_data" && !strings.Contains(text, "a: kept data") {
				t.Errorf("%s: %d, want %q:\n%s", name, r.status, tt.says, text)
			}
		}
		if n := len(results(o.must("GET", invitations, nil))); n != 0 {
			t.Errorf("%d invitations were made", n)
		}
	})
}

// TestInvitationPagesAreForThoseWhoMay: what somebody may do decides what they are
// shown, and what is not shown is refused.
func TestInvitationPagesAreForThoseWhoMay(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o, _, flow := hosting(t, s)
		made := func(name string) string {
			return invitationsPage + o.must("POST", invitations, m{"name": name, "flow": flow})["pk"].(string) + "/"
		}
		own, other := made("own"), made("other")
		const add, view, remove = "authentik_stages_invitation.add_invitation", "authentik_stages_invitation.view_invitation", "authentik_stages_invitation.delete_invitation"
		one, _ := o.clerk("one")
		narrow, _ := o.clerk("narrow", add)
		role := o.role("sees one")
		for _, user := range []int64{one, narrow} {
			o.must("POST", "rbac/roles/"+role+"/add_user/", m{"pk": user})
		}
		o.must("POST", "rbac/permissions/assigned_by_roles/"+role+"/assign/", m{"permissions": []string{view, remove}, "model": "authentik_stages_invitation.invitation",
			"object_pk": strings.Trim(strings.TrimPrefix(own, invitationsPage), "/")})
		o.clerk("nobody")
		o.clerk("adds", add)
		o.clerk("views", view)
		o.clerk("invites", add, view, "authentik_flows.view_flow")
		o.clerk("blind", add, view)
		o.clerk("deletes", view, remove)
		type rights struct {
			list, form, own, other, send, remove int
			says, not                            string
		}
		for name, want := range map[string]rights{
			"nobody":  {403, 403, 403, 403, 403, 403, "may not", "own"},
			"adds":    {403, 403, 403, 403, 403, 403, "may not", "own"},
			"one":     {200, 403, 200, 404, 403, 404, ">own<", ">other<"},
			"narrow":  {200, 403, 200, 404, 303, 404, ">own<", "/new/"}, // who makes one has to see it afterwards
			"views":   {200, 403, 200, 200, 403, 403, ">other<", "/new/"},
			"invites": {200, 200, 200, 200, 303, 403, "/new/", "may not"},
			"blind":   {200, 200, 200, 200, 303, 403, "/new/", "may not"},
			"deletes": {200, 403, 200, 200, 403, 303, ">other<", "/new/"},
		} {
			o.password(name, "a password of one")
			c := o.signedIn(name, "a password of one")
			list := c.do("GET", invitationsPage, "")
			got := rights{list: list.status, form: c.do("GET", invitationsPage+"new/", "").status, own: c.do("GET", own, "").status, other: c.do("GET", other, "").status,
				send: c.post(own, "", url.Values{"action": {"send"}, "email_addresses": {name + "@example.com"}}).status, says: want.says, not: want.not}
			target := made("for-" + name)
			got.remove = c.post(target, "", url.Values{"action": {"delete"}}).status
			if got != want {
				t.Errorf("%s: %+v, want %+v", name, got, want)
			}
			if left := o.call(root, "GET", "stages/invitation/invitations/"+strings.Trim(strings.TrimPrefix(target, invitationsPage), "/")+"/", nil).status == 200; left == (want.remove == 303) {
				t.Errorf("%s: is it left: %v", name, left)
			}
			if text := string(list.raw); !strings.Contains(text, want.says) || strings.Contains(text, want.not) {
				t.Errorf("%s: the list says %s", name, text)
			}
			if shown := strings.Contains(c.page(t, "/if/user/"), invitationsPage); shown != (want.list == 200) {
				t.Errorf("%s: a link on the home page: %v", name, shown)
			}
			if want.own == 200 {
				page := c.page(t, own)
				if strings.Contains(page, `value="send"`) != (want.send == 303) || strings.Contains(page, `value="delete"`) != (want.remove == 303 || name == "one" || name == "narrow") {
					t.Errorf("%s: the page offers %s", name, page)
				}
			}
			before := len(results(o.must("GET", invitations+"?page_size=100", nil)))
			_, r := c.makes(url.Values{"name": {"made-by-" + name}, "flow": {flow}})
			wanted := map[string]int{"invites": 303, "blind": 422}[name] // who may not see the flow cannot choose it
			if wanted == 0 {
				wanted = 403
			}
			if after := len(results(o.must("GET", invitations+"?page_size=100", nil))); r.status != wanted || (after > before) != (wanted == 303) {
				t.Errorf("%s makes one: %d, want %d; %d and then %d of them", name, r.status, wanted, before, after)
			}
		}
		if stranger := visit(t, o.site).do("GET", own, ""); stranger.status != 302 || !strings.HasPrefix(stranger.header.Get("Location"), "/flows/-/default/authentication/?next=") {
			t.Errorf("a stranger: %d %v", stranger.status, stranger.header)
		}
	})
}

// TestRule46InvitationPagesOfSomebodyElse: who acts as somebody may what that person
// may, and the trail has both.
func TestRule46InvitationPagesOfSomebodyElse(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o, _, flow := hosting(t, s)
		host, _ := o.clerk("host", "authentik_stages_invitation.add_invitation", "authentik_stages_invitation.view_invitation", "authentik_flows.view_flow")
		plain := o.user("plain", nil)
		c := o.signedIn("akadmin", "correct horse")
		c.actAs(plain)
		if r := c.do("GET", invitationsPage, ""); r.status != 403 || strings.Contains(c.page(t, "/if/user/"), invitationsPage) {
			t.Errorf("as somebody who may not: %d", r.status)
		}
		c.do("GET", "/api/v3/core/users/impersonate_end/", "")
		c.actAs(host)
		page, r := c.makes(url.Values{"name": {"x"}, "flow": {flow}})
		if r.status != 303 {
			t.Fatalf("as somebody who may: %d %s", r.status, r.raw)
		}
		if text := c.page(t, page); !strings.Contains(text, "You act as host") || strings.Contains(text, `value="delete"`) {
			t.Errorf("the page says %s", text)
		}
		if u := o.latest("model_created")["user"].(m); u["username"] != "akadmin" || u["on_behalf_of"].(m)["username"] != "host" {
			t.Errorf("made by %v", u)
		}
	})
}

// TestRule21AnInvitationPageShowsTheConfiguredAddressAlone: a request has no say in a
// link that goes to others, also where no address is configured.
func TestRule21AnInvitationPageShowsTheConfiguredAddressAlone(t *testing.T) {
	for name, tt := range map[string]struct {
		base *url.URL
		want string
	}{"a base URL": {&url.URL{Scheme: "http", Host: "id.example.org"}, "http://id.example.org/if/flow/invited/"}, "none": {nil, "http://localhost:9123/if/flow/invited/"}} {
		t.Run(name, func(t *testing.T) {
			s := settings(t)
			s.BaseURL, s.Listen = tt.base, ":9123"
			o, _ := post(t, s)
			apply(t, o.site, invitedFlow)
			id := o.must("POST", invitations, m{"name": "x", "flow": o.must("GET", "flows/instances/invited/", nil)["pk"]})["pk"].(string)
			c := o.signedIn("akadmin", "correct horse")
			page := string(c.do("GET", invitationsPage+id+"/", "", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https").raw)
			if shown := linkField.FindStringSubmatch(page); shown == nil || html.UnescapeString(shown[1]) != tt.want+"?itoken="+id {
				t.Errorf("the page shows %q", shown)
			}
			if offers, warns := strings.Contains(page, `value="send"`), strings.Contains(page, "WEIR_BASE_URL"); offers == (tt.base == nil) || warns != (tt.base == nil) {
				t.Errorf("offers to send: %v, warns: %v", offers, warns)
			}
			r := c.post(invitationsPage+id+"/", "", url.Values{"action": {"send"}, "email_addresses": {"max@example.com"}})
			if sent := r.status == 303; sent != (tt.base != nil) || sent != (o.waiting() == 1) {
				t.Errorf("sending: %d %s", r.status, r.raw)
			}
		})
	}
}

// TestRule23InvitationPagesHaveTheLimitsOfMails: by address and by client, and a
// limit queues nothing.
func TestRule23InvitationPagesHaveTheLimitsOfMails(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o, _, flow := hosting(t, s)
		c := o.signedIn("akadmin", "correct horse")
		for _, limit := range []string{"address", "client"} {
			sent, before := 0, o.waiting()
			for limited := false; !limited; sent++ {
				page, _ := c.makes(url.Values{"name": {"x"}, "flow": {flow}}) // another invitation is no way around
				to := "max@example.com"
				if limit == "client" {
					to = fmt.Sprintf("max%d@example.com", sent)
				}
				r := c.post(page, "", url.Values{"action": {"send"}, "email_addresses": {to}})
				if limited = r.status == 422; limited {
					if !strings.Contains(string(r.raw), "Too many attempts. Wait") {
						t.Errorf("the limit of %s: %s", limit, r.raw)
					}
					break
				}
				if r.status != 303 || sent > 100 {
					t.Fatalf("mail %d within the limit of %s: %d %s", sent, limit, r.status, r.raw)
				}
			}
			if n := o.waiting() - before; n != sent || sent == 0 {
				t.Errorf("the limit of %s: %d mails sent, %d in the outbox", limit, sent, n)
			}
		}
	})
}
