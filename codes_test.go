package weir

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/mail/mailtest"
)

// mailboxFlows: whoever is signed in sets codes by mail up.
const mailboxFlows = `
version: 1
entries:
  - {model: authentik_flows.flow, id: codes, identifiers: {slug: codes}, attrs: {name: codes, title: Codes, designation: stage_configuration, authentication: require_authenticated}}
  - {model: authentik_stages_authenticator_email.authenticatoremailstage, id: mailbox, identifiers: {name: mailbox}, attrs: {use_global_settings: true, configure_flow: !KeyOf codes}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf codes, stage: !KeyOf mailbox, order: 1}}
`

const mailboxFlow = "/api/v3/flows/executor/codes/"

var codeInMail = regexp.MustCompile(`(?m)^[0-9]{6}\r?$`)

// codeOf is the code in a mail.
func codeOf(t *testing.T, m mailtest.Mail) string {
	t.Helper()
	plain, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(m.Body)))
	if err != nil {
		t.Fatal(err)
	}
	code := strings.TrimSpace(codeInMail.FindString(string(plain)))
	if code == "" {
		t.Fatalf("no code in the mail:\n%s", plain)
	}
	return code
}

// sendOften lets tests have many codes sent.
func sendOften(s *Settings) {
	s.Sends.Delay, s.Sends.Address, s.Sends.Account, s.Sends.Client = time.Nanosecond, 1000, 1000, 1000
}

// problems are the errors of a field of an answer, "" for none.
func (r reply) problem(name string) string {
	errs, _ := r.body["response_errors"].(map[string]any)
	list, _ := errs[name].([]any)
	if len(list) == 0 {
		return ""
	}
	return fmt.Sprint(list[0].(map[string]any)["string"])
}

// setter is ada, who is signed in and may set codes up.
func (o *office) setter() *client {
	o.t.Helper()
	apply(o.t, o.site, mailboxFlows)
	id := o.user("ada", m{"email": "ada@example.com"})
	o.must("POST", fmt.Sprintf("core/users/%d/set_password/", id), m{"password": "some words"})
	c := visit(o.t, o.site)
	c.signIn("ada", "some words")
	return c
}

// codePost is an installation that sends many codes.
func codePost(t *testing.T, s Settings) (*office, *mailtest.Server) {
	t.Helper()
	sendOften(&s)
	return post(t, s)
}

// mailbox is ada, who has set codes by mail up.
func (o *office) mailbox(server *mailtest.Server) *client {
	t := o.t
	t.Helper()
	c := o.setter()
	if r := c.do("GET", mailboxFlow, ""); r.component() != "ak-stage-authenticator-email" || r.body["email"] != "a***@e***.com" || r.body["email_required"] != false {
		t.Fatalf("setting up shows %s", r.raw)
	}
	code := codeOf(t, server.Wait(t, 1)[0])
	if r := c.follow(c.do("POST", mailboxFlow, fmt.Sprintf(`{"code":%q}`, code))); r.component() != "xak-flow-redirect" {
		t.Fatalf("the code leads to %s", r.raw)
	}
	return c
}

const chooseMailbox = `{"selected_challenge":{"device_class":"email","device_uid":"1","challenge":{},"last_used":null}}`

func TestCodesByMail(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o, server := codePost(t, s)
		owner := o.mailbox(server)
		if r := owner.do("GET", mailboxFlow, ""); r.component() != "ak-stage-access-denied" {
			t.Errorf("setting up once more shows %s", r.raw)
		}
		c := visit(t, o.site)
		r := c.signIn("ada", "some words")
		want := `[map[challenge:map[email:a***@e***.com] device_class:email device_uid:1 last_used:<nil>]]`
		if r.component() != "ak-stage-authenticator-validate" || fmt.Sprint(r.body["device_challenges"]) != want {
			t.Fatalf("after the password comes %s", r.raw)
		}
		// Without a code that was asked for, none is right; and none is sent unasked.
		if r := c.do("POST", loginFlow, `{"code":"000000"}`); r.problem("code") == "" {
			t.Errorf("a code that was never sent: %s", r.raw)
		}
		if n := len(server.Mails()); n != 1 {
			t.Errorf("%d mails", n)
		}
		// Another address in the answer is none (rule 25).
		r = c.do("POST", loginFlow, strings.Replace(chooseMailbox, "{}", `{"email":"eve@example.com"}`, 1))
		if r.problem("non_field_errors") != "Empty response" {
			t.Errorf("choosing: %s", r.raw)
		}
		mail := server.Wait(t, 2)[1]
		if len(mail.To) != 1 || mail.To[0] != "ada@example.com" || mail.Header.Get("Subject") != "Your code to sign in" {
			t.Errorf("mail to %v, %v", mail.To, mail.Header)
		}
		// The device waits because of the wrong code.
		o.forget()
		code := codeOf(t, mail)
		if r := c.follow(c.do("POST", loginFlow, fmt.Sprintf(`{"code":%q}`, code))); r.component() != "xak-flow-redirect" {
			t.Fatalf("the code leads to %s", r.raw)
		}
		// It is used up.
		again := visit(t, o.site)
		again.signIn("ada", "some words")
		if r := again.do("POST", loginFlow, fmt.Sprintf(`{"code":%q}`, code)); r.component() != "ak-stage-authenticator-validate" || r.problem("code") == "" {
			t.Errorf("the same code once more: %s", r.raw)
		}
	})
}

// forget has all devices look at codes again.
func (o *office) forget() {
	o.t.Helper()
	if _, err := o.site.db.Exec(o.t.Context(), "update authenticators set failures = 0, failed = null"); err != nil {
		o.t.Fatal(err)
	}
}

func TestRule28ACodeIsInNoAnswerEventOrLog(t *testing.T) {
	var seen bytes.Buffer
	s := settings(t)
	s.Bootstrap.Password, s.Bootstrap.Token = "correct horse", root
	server := mailServer(t, &s)
	site, err := Open(t.Context(), Config{Settings: s, Log: slog.New(slog.NewTextHandler(&seen, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(site)
	t.Cleanup(srv.Close)
	o := &office{t, site, srv.URL}
	owner, c := o.mailbox(server), visit(t, site)
	c.signIn("ada", "some words")
	answers := []reply{c.do("POST", loginFlow, chooseMailbox), c.do("GET", loginFlow, ""), owner.do("GET", mailboxFlow, "")}
	mails := server.Wait(t, 2)
	var told []string
	for _, path := range []string{"events/events/?page_size=100", "core/users/?search=ada"} {
		told = append(told, o.call(root, "GET", path, nil).raw)
	}
	// Nothing writes to the log any more.
	if err := site.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, r := range answers {
		told = append(told, string(r.raw))
	}
	told = append(told, seen.String())
	for _, m := range mails {
		if code := codeOf(t, m); strings.Contains(strings.Join(told, "\n"), code) {
			t.Errorf("the code %s is told", code)
		}
	}
	if !strings.Contains(told[0], "login") || !strings.Contains(seen.String(), "level=DEBUG") {
		t.Error("neither events nor log were looked at")
	}
}

// Fifty browsers that know the password type the code of one mail at once.
func TestRule32ACodeByMailIsUsedOnce(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o, server := codePost(t, s)
		o.mailbox(server)
		const people = 50
		all := make([]*client, people)
		for i := range all {
			all[i] = visit(t, o.site)
			all[i].signIn("ada", "some words")
		}
		all[0].do("POST", loginFlow, chooseMailbox)
		code := codeOf(t, server.Wait(t, 2)[1])
		if in := atOnce(all, func(c *client) bool {
			return c.follow(c.do("POST", loginFlow, fmt.Sprintf(`{"code":%q}`, code))).component() == "xak-flow-redirect"
		}); in != 1 {
			t.Errorf("%d signed in with one code", in)
		}
	})
}

// One browser types fifty codes at once while it sets a mailbox up.
func TestRule32GuessesAtASetUpAreCounted(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o, server := codePost(t, s)
		c := o.setter()
		c.do("GET", mailboxFlow, "")
		code := codeOf(t, server.Wait(t, 1)[0])
		all := make([]*client, 50)
		for i := range all {
			all[i] = c
		}
		if in := atOnce(all, func(c *client) bool {
			return c.do("POST", mailboxFlow, `{"code":"wrong"}`).component() != "ak-stage-authenticator-email"
		}); in != 0 {
			t.Errorf("%d wrong codes were right", in)
		}
		if r := c.do("POST", mailboxFlow, fmt.Sprintf(`{"code":%q}`, code)); r.problem("non_field_errors") != "That code is no use any more. Have another one sent." {
			t.Errorf("the right one after that: %s", r.raw)
		}
		c.do("POST", mailboxFlow, `{}`)
		code = codeOf(t, server.Wait(t, 2)[1])
		atOnce(all[:10], func(c *client) bool { return c.do("POST", mailboxFlow, fmt.Sprintf(`{"code":%q}`, code)).status == 302 })
		var n int
		if err := o.site.db.QueryRow(t.Context(), "select count(*) from authenticators").Scan(&n); err != nil || n != 1 {
			t.Errorf("%d devices, %v", n, err)
		}
	})
}

// atOnce counts for how many f is true.
func atOnce(all []*client, f func(c *client) bool) int {
	var wg sync.WaitGroup
	results := make([]bool, len(all))
	for i, c := range all {
		wg.Go(func() { results[i] = f(c) })
	}
	wg.Wait()
	n := 0
	for _, ok := range results {
		if ok {
			n++
		}
	}
	return n
}

// submits sends the form of a page, as a browser without JavaScript does, and
// returns the page that comes next.
func (c *client) submits(path, page string, fields url.Values) string {
	c.t.Helper()
	r := c.post(path, page, fields)
	if r.status == http.StatusSeeOther {
		return c.page(c.t, r.header.Get("Location"))
	}
	return string(r.raw)
}

// The pages alone, for somebody whose account has no address.
func TestSettingAMailboxUpWithPagesAlone(t *testing.T) {
	o, server := codePost(t, settings(t))
	apply(t, o.site, mailboxFlows)
	id := o.user("bea", nil)
	o.must("POST", fmt.Sprintf("core/users/%d/set_password/", id), m{"password": "some words"})
	c := visit(t, o.site)
	c.signIn("bea", "some words")
	const path = "/if/flow/codes/"
	shows := func(page string, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if !strings.Contains(page, text) {
				t.Fatalf("%q is not in %s", text, page)
			}
		}
	}
	page := c.page(t, path)
	shows(page, `name="email"`, `type="email"`)
	page = c.submits(path, page, url.Values{"email": {"bae@example.com"}})
	shows(page, "b***@e***.com", `name="code"`, "Send again", "Use another address", "The code was sent.")
	page = c.submits(path, page, url.Values{"email": {""}})
	shows(page, `type="email"`)
	page = c.submits(path, page, url.Values{"email": {"bea@example.com"}})
	page = c.submits(path, page, url.Values{"code": {"123"}})
	shows(page, "That code did not work.", `role="alert"`)
	page = c.submits(path, page, url.Values{})
	shows(page, "The code was sent.")
	// Sent again, the code is the same; one went to the mistyped address.
	codes := map[string]string{}
	for _, mail := range server.Wait(t, 3) {
		codes[mail.To[0]] = codeOf(t, mail)
	}
	if len(codes) != 2 {
		t.Errorf("codes went to %v", codes)
	}
	c.submits(path, page, url.Values{"code": {codes["bea@example.com"]}})
	if got := results(o.must("GET", fmt.Sprintf("authenticators/admin/email/?user=%d", id), nil)); len(got) != 1 || got[0]["email"] != "bea@example.com" || got[0]["name"] != "Email Device" {
		t.Errorf("devices %v", got)
	}
	// At the sign-in a mail is sent when the button is pressed.
	d := visit(t, o.site)
	if r := d.signIn("bea", "some words"); r.component() != "ak-stage-authenticator-validate" {
		t.Fatalf("after the password comes %s", r.raw)
	}
	const login = "/if/flow/default-authentication-flow/?next=%2Fx"
	page = d.page(t, login)
	shows(page, "Send a code to b***@e***.com")
	key := fmt.Sprintf("%.0f", results(o.must("GET", "authenticators/admin/email/", nil))[0]["pk"])
	page = d.submits(login, page, url.Values{"selected_challenge": {"email:" + key}})
	shows(page, "A code was sent to b***@e***.com", `name="code"`)
	if r := d.post(login, page, url.Values{"code": {codeOf(t, server.Wait(t, 4)[3])}}); r.status != http.StatusSeeOther {
		t.Errorf("the code leads to %d %s", r.status, r.raw)
	}
}
