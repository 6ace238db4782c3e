package weir

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/mail/mailtest"
)

// mailFlows: recovery by mail, and an account that a mail activates.
const mailFlows = `
version: 1
entries:
  - {model: authentik_flows.flow, id: recover, identifiers: {slug: recover}, attrs: {name: recover, title: Recovery, designation: recovery, authentication: require_unauthenticated}}
  - {model: authentik_flows.flow, id: enrol, identifiers: {slug: enrol}, attrs: {name: enrol, title: Welcome, designation: enrollment, authentication: none}}
  - {model: authentik_stages_identification.identificationstage, id: who, identifiers: {name: who}, attrs: {user_fields: [username, email], pretend_user_exists: true}}
  - {model: authentik_stages_email.emailstage, id: reset, identifiers: {name: reset}, attrs: {use_global_settings: true, token_expiry: minutes=30, recovery_max_attempts: 2, recovery_cache_timeout: minutes=5}}
  - {model: authentik_stages_email.emailstage, id: confirm, identifiers: {name: confirm}, attrs: {use_global_settings: true, template: email/account_confirmation.html, subject: "Is it you?", activate_user_on_success: true}}
  - {model: authentik_stages_prompt.prompt, id: username, identifiers: {name: username}, attrs: {field_key: username, label: User name, type: username, order: 1}}
  - {model: authentik_stages_prompt.prompt, id: email, identifiers: {name: email}, attrs: {field_key: email, label: Mail, type: email, order: 2}}
  - {model: authentik_stages_prompt.prompt, id: p1, identifiers: {name: p1}, attrs: {field_key: password, label: Password, type: password, order: 3}}
  - {model: authentik_stages_prompt.prompt, id: p2, identifiers: {name: p2}, attrs: {field_key: password_repeat, label: Again, type: password, order: 4}}
  - {model: authentik_stages_prompt.promptstage, id: ask-new, identifiers: {name: ask-new}, attrs: {fields: [!KeyOf username, !KeyOf email, !KeyOf p1, !KeyOf p2]}}
  - {model: authentik_stages_prompt.promptstage, id: ask, identifiers: {name: ask}, attrs: {fields: [!KeyOf p1, !KeyOf p2]}}
  - {model: authentik_stages_user_write.userwritestage, id: write, identifiers: {name: write}, attrs: {user_creation_mode: never_create}}
  - {model: authentik_stages_user_write.userwritestage, id: make, identifiers: {name: make}, attrs: {user_creation_mode: always_create, create_users_as_inactive: true}}
  - {model: authentik_stages_user_login.userloginstage, id: in, identifiers: {name: in}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf recover, stage: !KeyOf who, order: 1}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf recover, stage: !KeyOf reset, order: 2}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf recover, stage: !KeyOf ask, order: 3}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf recover, stage: !KeyOf write, order: 4}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf recover, stage: !KeyOf in, order: 5}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf enrol, stage: !KeyOf ask-new, order: 1}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf enrol, stage: !KeyOf make, order: 2}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf enrol, stage: !KeyOf confirm, order: 3}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf enrol, stage: !KeyOf in, order: 4}}
`

// behind is the address of the executor for a link.
func behind(u *url.URL) string {
	slug := strings.Split(u.Path, "/")[3]
	return "/api/v3/flows/executor/" + slug + "/?query=" + url.QueryEscape(u.RawQuery)
}

// passGate presses the button behind a link, and returns what comes next.
func (c *client) passGate(u *url.URL) reply {
	c.t.Helper()
	gate := c.do("GET", behind(u), "")
	if gate.component() != "ak-stage-consent" {
		return gate
	}
	return c.follow(c.do("POST", behind(u), fmt.Sprintf(`{"token":%q}`, gate.body["token"])))
}

// asksFor begins recovery for a name.
func (c *client) asksFor(name string) reply {
	c.t.Helper()
	return c.fills("recover", fmt.Sprintf(`{"uid_field":%q}`, name))
}

func TestRecoveryByMail(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o, server := post(t, s)
		apply(t, o.site, mailFlows)
		o.user("ada", m{"email": "ada@example.com", "attributes": m{"settings": m{"locale": "de"}}})
		here, there := visit(t, o.site), visit(t, o.site)
		if r := here.asksFor("ada"); r.component() != "ak-stage-email" {
			t.Fatalf("recovery shows %v", r.body)
		}
		mail := server.Wait(t, 1)[0]
		if mail.To[0] != "ada@example.com" || mail.Header.Get("Content-Language") != "de" {
			t.Errorf("mail %v to %v", mail.Header, mail.To)
		}
		link := mail.Link(t)
		if link.Host != s.Site().Host {
			t.Errorf("the link leads to %s (rule 21)", link.Host)
		}
		// A scanner of mails looks at the link, again and again.
		for range 3 {
			if r := visit(t, o.site).do("GET", behind(link), ""); r.component() != "ak-stage-consent" || r.body["header_text"] == "" {
				t.Fatalf("the link shows %v", r.body)
			}
		}
		if r := there.passGate(link); r.component() != "ak-stage-prompt" {
			t.Fatalf("behind the gate is %v", r.body)
		}
		if r := there.follow(there.do("POST", behind(link), `{"password":"new words","password_repeat":"new words"}`)); r.component() != "xak-flow-redirect" {
			t.Fatalf("recovery ends with %v", r.body)
		}
		if r := visit(t, o.site).signIn("ada", "new words"); r.component() != "xak-flow-redirect" {
			t.Errorf("the new password does not open the account: %v", r.body)
		}
		// The used link begins the flow anew, without anybody being named.
		if r := visit(t, o.site).do("GET", behind(link), ""); r.component() != "ak-stage-identification" {
			t.Errorf("the used link shows %v", r.body)
		}
		if page := visit(t, o.site).do("GET", link.RequestURI(), ""); !strings.Contains(string(page.raw), "This link no longer works") {
			t.Errorf("the page behind the used link says %s", page.raw)
		}
		// The page that waited knows nothing of it, and leads nowhere.
		if r := here.do("POST", "/api/v3/flows/executor/recover/", `{}`); r.component() != "ak-stage-email" {
			t.Errorf("the first browser shows %v", r.body)
		}
	})
}

func TestAMailActivatesANewAccount(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o, server := post(t, s)
		apply(t, o.site, mailFlows)
		c := visit(t, o.site)
		const form = `{"username":"max","email":"max@example.com","password":"secret","password_repeat":"secret"}`
		if r := c.fills("enrol", form); r.component() != "ak-stage-email" {
			t.Fatalf("enrolment shows %v", r.body)
		}
		active := func() any { return results(o.must("GET", "core/users/?username=max", nil))[0]["is_active"] }
		if active() != false {
			t.Fatal("the account is active before the mail is read")
		}
		mail := server.Wait(t, 1)[0]
		if mail.Header.Get("Subject") != "Is it you?" || !strings.Contains(mail.Header.Get("To"), "max@example.com") {
			t.Errorf("mail %v", mail.Header)
		}
		elsewhere := visit(t, o.site)
		if r := elsewhere.passGate(mail.Link(t)); r.component() != "xak-flow-redirect" {
			t.Fatalf("behind the link is %v", r.body)
		}
		if me := elsewhere.do("GET", "/api/v3/core/users/me/", "").body["user"].(map[string]any); me["username"] != "max" || active() != true {
			t.Errorf("signed in as %v, active %v", me, active())
		}
	})
}

// What a stranger sees is the same for names that nobody has, for people without an
// address and for service accounts (rule 20), however often they ask.
func TestRule18RecoveryTellsNobodyWhoExists(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o, server := post(t, s)
		apply(t, o.site, mailFlows)
		o.user("ada", m{"email": "ada@example.com"})
		o.user("mailless", nil)
		o.user("eve", m{"email": "eve@example.com"})
		o.user("robot", m{"email": "robot@example.com", "type": "service_account"})
		type seen struct{ status, size int }
		answers := map[string][]seen{}
		names := []string{"ada", "ghost", "robot", "mailless", "eve@example.com", "nil@example.com"}
		for _, name := range names {
			c := visit(t, o.site)
			for n := range 5 {
				r := c.fills("recover", fmt.Sprintf(`{"uid_field":%q}`, name))
				if n > 0 {
					r = c.do("POST", "/api/v3/flows/executor/recover/", `{}`)
				}
				text := strings.ReplaceAll(string(r.raw), name, "name")
				answers[name] = append(answers[name], seen{r.status, len(text)})
				if n == 0 && r.component() != "ak-stage-email" {
					t.Fatalf("%s sees %v", name, r.body)
				}
			}
		}
		for name, like := range map[string]string{"ghost": "ada", "robot": "ada", "mailless": "ada", "nil@example.com": "eve@example.com"} {
			if fmt.Sprint(answers[name]) != fmt.Sprint(answers[like]) {
				t.Errorf("%s sees %v, %s %v", name, answers[name], like, answers[like])
			}
		}
		for _, mail := range server.Wait(t, 2) {
			if mail.To[0] != "ada@example.com" && mail.To[0] != "eve@example.com" {
				t.Errorf("a mail to %v", mail.To)
			}
		}
	})
}

func TestRule15AMailLinkBelongsToItsPersonAndStage(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o, server := post(t, s)
		apply(t, o.site, mailFlows)
		ada := o.user("ada", m{"email": "ada@example.com"})
		visit(t, o.site).asksFor("ada")
		link := server.Wait(t, 1)[0].Link(t)
		// Whoever is named in the browser that opens it, the link is ada's.
		c := visit(t, o.site)
		o.user("bob", m{"email": "bob@example.com"})
		c.asksFor("bob")
		if r := c.passGate(link); r.component() != "ak-stage-prompt" {
			t.Fatalf("behind the gate is %v", r.body)
		}
		if r := c.follow(c.do("POST", behind(link), `{"password":"for ada","password_repeat":"for ada"}`)); r.component() != "xak-flow-redirect" {
			t.Fatalf("recovery ends with %v", r.body)
		}
		if r := visit(t, o.site).signIn("ada", "for ada"); r.component() != "xak-flow-redirect" {
			t.Errorf("the link changed another password: %v", r.body)
		}
		// Rule 19: an address that was changed since was not proved.
		server.Wait(t, 2)
		visit(t, o.site).asksFor("ada")
		link = server.Wait(t, 3)[2].Link(t)
		o.must("PATCH", fmt.Sprintf("core/users/%d/", ada), m{"email": "new@example.com"})
		if r := visit(t, o.site).passGate(link); r.component() != "ak-stage-access-denied" {
			t.Errorf("Rule 19: behind the link to a former address is %v", r.body)
		}
	})
}

func TestRule13FiftyUsesOfOneMailLinkMakeOneChange(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o, server := post(t, s)
		apply(t, o.site, mailFlows)
		o.user("ada", m{"email": "ada@example.com"})
		visit(t, o.site).asksFor("ada")
		link := server.Wait(t, 1)[0].Link(t)
		const people = 50
		ends := make([]string, people)
		var wg sync.WaitGroup
		for i := range people {
			c := visit(t, o.site)
			wg.Go(func() {
				c.passGate(link)
				ends[i] = c.follow(c.do("POST", behind(link), fmt.Sprintf(`{"password":"words %d","password_repeat":"words %[1]d"}`, i))).component()
			})
		}
		wg.Wait()
		won := -1
		for i, end := range ends {
			switch {
			case end == "xak-flow-redirect" && won < 0:
				won = i
			case end == "xak-flow-redirect", end == "":
				t.Errorf("flow %d ends with %q", i, end)
			}
		}
		if r := visit(t, o.site).signIn("ada", fmt.Sprint("words ", won)); r.component() != "xak-flow-redirect" {
			t.Errorf("the password of the one who got in does not open the account: %v", r.body)
		}
	})
}

// The limit of the stage follows who is meant, not the run of the flow.
func TestRule23AskingAgainIsLimited(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.Sends.Delay = time.Nanosecond
		o, _ := post(t, s)
		apply(t, o.site, mailFlows)
		o.user("ada", m{"email": "ada@example.com"})
		for _, name := range []string{"ada", "ghost"} {
			var codes []string
			for range 2 {
				c := visit(t, o.site)
				c.asksFor(name)
				for range 2 {
					r := c.do("POST", "/api/v3/flows/executor/recover/", `{}`)
					errs := r.body["response_errors"].(map[string]any)["non_field_errors"].([]any)
					codes = append(codes, errs[0].(map[string]any)["code"].(string))
				}
			}
			if got := fmt.Sprint(codes); got != "[email-sent email-sent email-limited email-limited]" {
				t.Errorf("%s: %v", name, got)
			}
		}
	})
}

// A page that another site makes a browser open sends nothing (rule 5), and what
// cannot be sent is told.
func TestWhatKeepsAMailFromBeingSent(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, mailFlows)
		o.user("ada", m{"email": "ada@example.com"})
		c := visit(t, o.site)
		c.asksFor("ada")
		if page := c.do("GET", "/if/flow/recover/", ""); !strings.Contains(string(page.raw), "mail") {
			t.Errorf("the page says %s", page.raw)
		}
		r := c.do("POST", "/api/v3/flows/executor/recover/", `{}`)
		if !strings.Contains(string(r.raw), "No mail server is configured.") {
			t.Errorf("without a mail server: %s", r.raw)
		}
		stage := results(o.must("GET", "stages/email/?name=reset", nil))[0]
		path := fmt.Sprintf("stages/email/%s/", stage["pk"])
		for _, bad := range []m{{"use_tls": true, "use_ssl": true}, {"token_expiry": "seconds=0"}, {"subject": "a\nb"}, {"port": 0}, {"from_address": "nobody"}} {
			if a := o.call(root, "PATCH", path, bad); a.status != http.StatusBadRequest {
				t.Errorf("%v: %d %s", bad, a.status, a.raw)
			}
		}
		o.must("PATCH", path, m{"template": "email/missing.html", "use_global_settings": false})
		if r := visit(t, o.site).asksFor("ada"); r.component() != "ak-stage-access-denied" {
			t.Errorf("with a template that is missing: %v", r.body)
		}
		if events := results(o.must("GET", "events/events/?action=configuration_error", nil)); len(events) == 0 {
			t.Error("no event tells of the template")
		}
		if names := o.call(root, "GET", "stages/email/templates/", nil); !strings.Contains(names.raw, "email/password_reset.html") {
			t.Errorf("templates %s", names.raw)
		}
	})
}

// A stage can have a mail server of its own; the password is kept to itself.
func TestAStageWithItsOwnMailServer(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		server := mailtest.New(t, mailtest.Config{})
		apply(t, o.site, mailFlows)
		stage := results(o.must("GET", "stages/email/?name=reset", nil))[0]
		host, port, _ := strings.Cut(server.Addr, ":")
		var n int
		fmt.Sscan(port, &n)
		o.must("PATCH", fmt.Sprintf("stages/email/%s/", stage["pk"]), m{"use_global_settings": false, "host": host, "port": n, "from_address": "own@example.com", "subject": "From the stage"})
		o.user("ada", m{"email": "ada@example.com"})
		visit(t, o.site).asksFor("ada")
		if mail := server.Wait(t, 1)[0]; !strings.Contains(mail.Header.Get("From"), "own@example.com") || mail.Header.Get("Subject") != "From the stage" {
			t.Errorf("mail %v", mail.Header)
		}
	})
}
