package weir

import (
	"bytes"
	"context"
	"fmt"
	netmail "net/mail"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/config"
	"github.com/weir-id/weir/internal/mail/mailtest"
	"github.com/weir-id/weir/policy"
)

// mailServer starts a mail server and names it in the settings.
func mailServer(t *testing.T, s *Settings) *mailtest.Server {
	t.Helper()
	server := mailtest.New(t, mailtest.Config{})
	address, err := config.ParseMailServer("smtp://" + server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	s.Mail.Server, s.Mail.From = address, &netmail.Address{Name: "Acme", Address: "no-reply@acme.example"}
	return server
}

// post is an installation with a mail server.
func post(t *testing.T, s Settings) (*office, *mailtest.Server) {
	t.Helper()
	server := mailServer(t, &s)
	return openOffice(t, s), server
}

// mailing is a policy that asks for mails and passes.
type mailing struct{ mails []policy.Mail }

func (p mailing) Evaluate(context.Context, *policy.Request) (policy.Result, error) {
	return policy.Result{Verdict: policy.Pass, Mails: p.mails}, nil
}

// bind puts a policy on the default login.
func (o *office) bind(expression string) (policyID string) {
	o.t.Helper()
	id := o.must("POST", "policies/expression/", m{"name": "mailing", "expression": expression})["pk"].(string)
	flow := o.must("GET", "flows/instances/default-authentication-flow/", nil)["policybindingmodel_ptr_id"]
	o.must("POST", "policies/bindings/", m{"policy": id, "target": flow, "order": 0})
	return id
}

// mails does so with a policy that asks for mails, whatever they are.
func (o *office) mails(mails ...policy.Mail) {
	o.t.Helper()
	o.bind("return True")
	found, err := o.site.catalog.Snapshot().Find("policy", "", map[string]any{"name": "mailing"})
	if err != nil || found == nil {
		o.t.Fatal(found, err)
	}
	found.Doc.(*policy.Object).Policy = mailing{mails}
}

func TestMailsOfPoliciesAreSentWithTheirStep(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o, server := post(t, s)
		id := o.user("ada", m{"email": "ada@example.com", "attributes": m{"settings": m{"locale": "de"}}})
		o.password("ada", "the right one")
		policyID := o.bind("ak_send_email('admin@example.com', 'Somebody signs in', body='At the door.')\n" +
			"return ak_send_email('ada@example.com', 'Hello', template='email/event_notification.html', context={'title': 'Hi', 'body': '<b>'})")
		if a := o.call(root, "POST", "policies/all/"+policyID+"/test/", m{"user": id, "context": m{}}); a.status != 200 {
			t.Fatal(a.status, a.raw)
		}
		visit(t, o.site).do("GET", "/api/v3/flows/executor/default-authentication-flow/?query=", "")
		mails := server.Wait(t, 2)
		if len(mails) != 2 {
			t.Errorf("%d mails: trying a policy out sends some", len(mails))
		}
		for _, got := range mails {
			switch got.To[0] {
			case "admin@example.com":
				if !bytes.Contains(got.Body, []byte("At the door.")) || got.Header.Get("Subject") != "Somebody signs in" {
					t.Errorf("%v\n%s", got.Header, got.Body)
				}
			case "ada@example.com":
				if got.Header.Get("Subject") != "Hello" || !bytes.Contains(got.Body, []byte("&lt;b&gt;")) {
					t.Errorf("%v\n%s", got.Header, got.Body)
				}
			default:
				t.Errorf("a mail to %v", got.To)
			}
		}
		// Where people open applications they are queued too.
		p, err := o.site.people.Person(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.site.recordPolicyEvents(t.Context(), p, nil, nil, []policy.Mail{{To: []string{"apps@example.com"}, Template: "email/password_reset.html", Context: m{"url": "https://id.example.org/"}}}); err != nil {
			t.Fatal(err)
		}
		if got := server.Wait(t, 3)[2]; got.Header.Get("Content-Language") != "de" || !strings.Contains(got.Header.Get("Subject"), "Ein_neues_Passwort") {
			t.Errorf("a mail to ada: %v", got.Header)
		}
	})
}

// TestAMailThatCannotBeSentKeepsNobodyOut: the sign-in goes on, and an event says what
// is to be mended, once.
func TestAMailThatCannotBeSentKeepsNobodyOut(t *testing.T) {
	for name, tt := range map[string]struct {
		server bool
		mail   policy.Mail
		events int
		says   string
	}{
		"no server":             {false, policy.Mail{To: []string{"a@example.com"}, Subject: "x", Body: "x"}, 1, "no mail server is configured"},
		"no template":           {true, policy.Mail{To: []string{"a@example.com"}, Subject: "x", Template: "email/none.html"}, 1, `no such mail template: \"email/none.html\"`},
		"no address":            {true, policy.Mail{To: []string{"nobody"}, Subject: "x", Body: "x"}, 1, `\"nobody\" is no address`},
		"a second line":         {true, policy.Mail{To: []string{"a@example.com"}, Subject: "x\r\nBcc: b@example.com", Body: "x"}, 1, "subject: more than one line"},
		"too many":              {true, policy.Mail{To: []string{"limited@example.com"}, Subject: "x", Body: "x"}, 0, ""},
		"values of other types": {true, policy.Mail{To: []string{"limited@example.com"}, Subject: "x", Template: "email/email_otp.html", Context: m{"token": 7, "expires": "soon"}}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings(t)
			s.Sends.Address = 1
			var o *office
			if tt.server {
				o, _ = post(t, s)
			} else {
				o = openOffice(t, s)
			}
			o.user("ada", nil)
			o.password("ada", "the right one")
			o.mails(tt.mail)
			for range 3 {
				if r := visit(t, o.site).signIn("ada", "the right one"); r.component() != "xak-flow-redirect" {
					t.Fatalf("ada cannot sign in: %v", r.body)
				}
			}
			var events int
			var last string
			if err := o.site.db.QueryRow(t.Context(), "select count(*), coalesce(max(context), '') from events where action = 'configuration_error'").Scan(&events, &last); err != nil {
				t.Fatal(err)
			}
			if events != tt.events || !strings.Contains(last, tt.says) {
				t.Errorf("%d events, the last one %s", events, last)
			}
		})
	}
}

// TestRule23MailsAreNotCountedPerFlow: whoever starts the flow anew, in another
// browser or after a restart, has no new limit.
func TestRule23MailsAreNotCountedPerFlow(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.Sends.Address, s.Sends.Delay = 3, 0
		server := mailServer(t, &s)
		o := openOffice(t, s)
		h := &policy.HTTPRequest{ClientIP: netip.MustParseAddr("192.0.2.7")}
		send := func(site *Server, i int) {
			t.Helper()
			h.ClientIP = h.ClientIP.Next()
			if err := site.recordPolicyEvents(t.Context(), identity.Anonymous(), h, nil, []policy.Mail{{To: []string{"ada@example.com"}, Subject: fmt.Sprint(i), Body: "x"}}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 4 {
			send(o.site, i)
		}
		again := start(t, s)
		send(again, 4)
		server.Wait(t, 3)
		var n int
		if err := o.site.db.QueryRow(t.Context(), "select count(*) from mails").Scan(&n); err != nil || n != 3 {
			t.Errorf("%d mails, %v, want 3", n, err)
		}
		if n := o.metric("weir_mails_refused_total"); n != 1 {
			t.Errorf("%d mails were refused", n)
		}
	})
}

func TestAdministratorsSeeTheOutbox(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o, server := post(t, s)
		var mu sync.Mutex
		refuse := true
		server.OnRecipient(func(string) error {
			mu.Lock()
			defer mu.Unlock()
			if refuse {
				return &smtp.SMTPError{Code: 550, Message: "no such mailbox"}
			}
			return nil
		})
		ada, err := o.site.people.Person(t.Context(), o.user("ada", nil))
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range []string{"ada@example.com", "bob@example.com"} {
			if err := o.site.recordPolicyEvents(t.Context(), ada, nil, nil, []policy.Mail{{To: []string{to}, Subject: "the subject", Body: "the link"}}); err != nil {
				t.Fatal(err)
			}
		}
		find := func(query string) []map[string]any { return results(o.must("GET", "mail/messages/?"+query, nil)) }
		await := func(query string, n int) []map[string]any {
			t.Helper()
			deadline := time.Now().Add(30 * time.Second)
			for {
				found := find(query)
				if len(found) == n {
					return found
				}
				if time.Now().After(deadline) {
					t.Fatalf("%s: %v", query, find(""))
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
		await("state=refused", 2)
		row := await(fmt.Sprintf("state=refused&purpose=policy&recipient=ada@example.com&search=mailbox&user=%d", ada.ID), 1)[0]
		if row["attempts"] != 1.0 || !strings.Contains(row["last_error"].(string), "no such mailbox") || row["sent"] != nil || row["next_try"] != nil {
			t.Errorf("shown as %v", row)
		}
		path := "mail/messages/" + row["pk"].(string) + "/"
		if raw := o.call(root, "GET", path, nil).raw; strings.Contains(raw, "the link") || strings.Contains(raw, "the subject") {
			t.Errorf("the API shows %s", raw)
		}
		_, reader := o.clerk("reader", "weir_mail.view_message")
		_, stranger := o.clerk("stranger")
		mu.Lock()
		refuse = false
		mu.Unlock()
		for _, tt := range []struct {
			token, method, path string
			want                int
		}{
			{stranger, "GET", path, 403}, {stranger, "DELETE", path, 403}, {stranger, "POST", path + "retry/", 403}, {reader, "GET", path, 200}, {reader, "DELETE", path, 403},
			{reader, "POST", path + "retry/", 403}, {root, "PUT", path, 405}, {root, "POST", path + "retry/", 204},
		} {
			if a := o.call(tt.token, tt.method, tt.path, nil); a.status != tt.want {
				t.Errorf("%s %s = %d %s, want %d", tt.method, tt.path, a.status, a.raw, tt.want)
			}
		}
		await("state=sent", 1)
		if a := o.call(root, "POST", path+"retry/", nil); a.status != 400 || !strings.Contains(a.raw, "was sent") {
			t.Errorf("retry of a sent mail = %d %s", a.status, a.raw)
		}
		if got := server.Wait(t, 1); got[0].To[0] != "ada@example.com" {
			t.Errorf("sent to %v", got[0].To)
		}
		for _, want := range []int{204, 404} {
			if a := o.call(root, "DELETE", path, nil); a.status != want {
				t.Errorf("DELETE = %d %s", a.status, a.raw)
			}
		}
		// The limits are seen, and ended, where those on guesses are.
		limits := results(o.must("GET", "guard/limits/?kind=mail_address&subject=ada@example.com", nil))
		if len(limits) != 1 || limits[0]["failures"] != 1.0 {
			t.Fatalf("limits: %v", limits)
		}
		if a := o.call(root, "DELETE", "guard/limits/"+limits[0]["pk"].(string)+"/", nil); a.status != 204 {
			t.Errorf("DELETE of a limit = %d %s", a.status, a.raw)
		}
	})
}
