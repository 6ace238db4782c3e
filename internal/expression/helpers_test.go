package expression_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/policy"
)

// nameServer knows example.com and 192.0.2.1 and counts what it is asked.
type nameServer struct {
	mu    sync.Mutex
	asked []string
}

func (n *nameServer) ask(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, what)
}

func (n *nameServer) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	n.ask(network + " " + host)
	switch host {
	case "example.com":
		v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
		return map[string][]netip.Addr{"ip": {v4, v6, netip.MustParseAddr("::ffff:192.0.2.1")}, "ip4": {v4}, "ip6": {v6}}[network], nil
	case "silent.example.com":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, errors.New("no such host")
}

func (n *nameServer) LookupAddr(_ context.Context, addr string) ([]string, error) {
	n.ask("name of " + addr)
	if addr == "192.0.2.1" {
		return []string{"host.example.com.", "other.example.com."}, nil
	}
	return nil, errors.New("no such address")
}

func TestNameServers(t *testing.T) {
	rows := []struct{ name, body, want string }{
		{"all addresses, each once", `return resolve_dns("example.com")`, "['192.0.2.1', '2001:db8::1']"},
		{"version 4", `return resolve_dns("example.com", ip_version=4)`, "['192.0.2.1']"},
		{"version 6, by position", `return resolve_dns("example.com", 6)`, "['2001:db8::1']"},
		{"no version in words", `return resolve_dns("example.com", ip_version=None)`, "['192.0.2.1', '2001:db8::1']"},
		{"a name that nobody has", `return resolve_dns("none.example.com")`, "[]"},
		{"the name of an address", `return reverse_dns("192.0.2.1")`, "host.example.com"},
		{"the name of an address object", `return reverse_dns(ip_address("192.0.2.1"))`, "host.example.com"},
		{"an address without name", `return reverse_dns("192.0.2.9")`, "192.0.2.9"},
		{"not an address", `return reverse_dns("nonsense")`, "nonsense"},
		{"no name at all", `return (resolve_dns("x" * 1000), len(reverse_dns("y" * 1000)))`, "([], 1000)"},
		{"another version", "try:\n    resolve_dns('example.com', 5)\nexcept ValueError as x:\n    return str(x)", "resolve_dns: ip_version is 4, 6 or None"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			e := env(t)
			e.DNS = &nameServer{}
			v, err := runIn(t, e, row.body, expression.Scope{Request: request(), Policy: true})
			if err != nil || v.Text != row.want {
				t.Errorf("got %s (%v), want %s", v.Text, err, row.want)
			}
		})
	}
}

func TestAnswersOfNameServersAreKept(t *testing.T) {
	n := &nameServer{}
	now := when
	e := env(t)
	e.DNS, e.Now = n, func() time.Time { return now }
	p, err := expression.Compile("body", `return resolve_dns("example.com") + resolve_dns("none") + [reverse_dns("192.0.2.1"), reverse_dns("192.0.2.9")]`, e)
	if err != nil {
		t.Fatal(err)
	}
	look := func(want int) {
		t.Helper()
		if v, err := p.Run(t.Context(), expression.Scope{}); err != nil || v.Text != "['192.0.2.1', '2001:db8::1', 'host.example.com', '192.0.2.9']" {
			t.Fatalf("got %s (%v)", v.Text, err)
		}
		if len(n.asked) != want {
			t.Errorf("asked %q, want %d questions", n.asked, want)
		}
	}
	look(4)
	now = now.Add(179 * time.Second)
	look(4) // failures are kept, too
	now = now.Add(time.Second)
	look(8)
}

func TestRule11NameServersAreAskedSeldom(t *testing.T) {
	n := &nameServer{}
	e := env(t)
	e.DNS = n
	_, err := runIn(t, e, "for i in range(100):\n    try:\n        resolve_dns(f'{i}.example.com')\n    except:\n        pass", expression.Scope{})
	if !errors.Is(err, expression.ErrLimit) || len(n.asked) != 20 {
		t.Errorf("%d questions, %v", len(n.asked), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	p, err := expression.Compile("body", "try:\n    return resolve_dns('silent.example.com')\nexcept:\n    return True", e)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the end of the time is no answer that is kept
		if v, err := p.Run(ctx, expression.Scope{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %q, %v", v.Text, err)
		}
	}
}

func TestSendEmail(t *testing.T) {
	rows := []struct {
		name, body string
		want       policy.Mail
	}{
		{"to one address", `return ak_send_email("a@example.com", "Hi", body="text")`, policy.Mail{To: []string{"a@example.com"}, Subject: "Hi", Body: "text"}},
		{"by position", `return ak_send_email("a@example.com", "Hi", "text")`, policy.Mail{To: []string{"a@example.com"}, Subject: "Hi", Body: "text"}},
		{"to several, with copies", `return ak_send_email(["a@example.com", "b@example.com"], "Hi", body="text", cc="c@example.com", bcc=["d@example.com"])`,
			policy.Mail{To: []string{"a@example.com", "b@example.com"}, Cc: []string{"c@example.com"}, Bcc: []string{"d@example.com"}, Subject: "Hi", Body: "text"}},
		{"to the pending user", `return ak_send_email(context["pending_user"].email, "Hi", body=f"Hello {context['pending_user'].name}")`, policy.Mail{To: []string{"joe@example.com"}, Subject: "Hi", Body: "Hello Joe Doe"}},
		{"from a template", `return ak_send_email("a@example.com", "Hi", template="email/event_notification.html", context={"title": "x", "n": [1]})`,
			policy.Mail{To: []string{"a@example.com"}, Subject: "Hi", Template: "email/event_notification.html", Context: map[string]any{"title": "x", "n": []any{int64(1)}}}},
		{"people in the context of a template", `return ak_send_email("a@example.com", "Hi", template="own.html", context={"user": context["pending_user"], "to": [context["application"]]})`,
			policy.Mail{To: []string{"a@example.com"}, Subject: "Hi", Template: "own.html", Context: map[string]any{
				"user": map[string]any{"pk": int64(7), "username": "joe", "name": "Joe Doe", "email": "joe@example.com"}, "to": []any{map[string]any{"pk": flowID.String(), "name": "app"}}}}},
		{"from a template without context", `return ak_send_email("a@example.com", "Hi", template="own.html", stage=None)`, policy.Mail{To: []string{"a@example.com"}, Subject: "Hi", Template: "own.html"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			v, err := run(t, row.body, expression.Scope{Request: request(), Policy: true})
			if err != nil || v.Text != "True" {
				t.Fatalf("got %s (%v)", v.Text, err)
			}
			if diff := cmp.Diff([]policy.Mail{row.want}, v.Mails); diff != "" {
				t.Errorf("mails (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMailThatIsRefused(t *testing.T) {
	rows := []struct{ name, args, class, say string }{
		{"neither body nor template", `"a@example.com", "s"`, "ValueError", "either body or template"},
		{"both", `"a@example.com", "s", body="x", template="y.html"`, "ValueError", "either body or template"},
		{"an empty body", `"a@example.com", "s", body=""`, "ValueError", "empty"},
		{"nobody", `[], "s", body="x"`, "ValueError", "list address is empty"},
		{"no copy", `"a@example.com", "s", body="x", cc=[]`, "ValueError", "list cc is empty"},
		{"nothing as address", `None, "s", body="x"`, "ValueError", "NoneType"},
		{"a number as address", `5, "s", body="x"`, "ValueError", "int"},
		{"a number in the list", `["a@example.com", 5], "s", body="x"`, "ValueError", "5 is no e-mail address"},
		{"a pair of name and address", `[("A", "a@example.com")], "s", body="x"`, "ValueError", "no e-mail address"},
		{"not an address", `"nobody", "s", body="x"`, "ValueError", "'nobody' is no e-mail address"},
		{"a name with the address", `"A <a@example.com>", "s", body="x"`, "ValueError", "no e-mail address"},
		{"two addresses in one text", `"a@example.com, b@example.com", "s", body="x"`, "ValueError", "no e-mail address"},
		{"a header behind the address", `"a@example.com\r\nBcc: b@example.com", "s", body="x"`, "ValueError", "no e-mail address"},
		{"an address of a user that has none", `request.user.email, "s", body="x"`, "ValueError", "'' is no e-mail address"},
		{"a header behind the subject", `"a@example.com", "s\r\nBcc: b@example.com", body="x"`, "ValueError", "one line"},
		{"a long subject", `"a@example.com", "s" * 901, body="x"`, "ValueError", "900"},
		{"a subject that is no text", `"a@example.com", None, body="x"`, "ValueError", "subject"},
		{"too many addresses", `["a@example.com"] * 51, "s", body="x"`, "ValueError", "more than 50"},
		{"a template elsewhere", `"a@example.com", "s", template="../secret"`, "ValueError", "no name of a template"},
		{"a template by path", `"a@example.com", "s", template="/etc/passwd"`, "ValueError", "no name of a template"},
		{"a context that is none", `"a@example.com", "s", template="a.html", context=[1]`, "ValueError", "context is a dict"},
		{"an e-mail stage", `"a@example.com", "s", body="x", stage="mail"`, "NotImplementedError", "leave stage out"},
		{"no subject at all", `"a@example.com", body="x"`, "TypeError", "subject"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			v, err := run(t, "ak_send_email("+row.args+")", expression.Scope{Request: request(), Policy: true})
			var x *expression.Error
			if !errors.As(err, &x) || x.Class != row.class || !strings.Contains(x.Message, row.say) || len(v.Mails) > 0 {
				t.Errorf("got %v, %v", v.Mails, err)
			}
		})
	}
	if _, err := run(t, `ak_send_email("a@example.com", "s", body="x")`, expression.Scope{Request: request()}); err == nil || !strings.Contains(err.Error(), "only policies") {
		t.Errorf("in a prompt: %v", err)
	}
}

// mailing is a policy that sends one mail, makes one event and then fails or
// passes as its name says.
type mailing struct{}

func (mailing) CallPolicy(_ context.Context, name string, _ *policy.Request) (policy.Result, error) {
	r := policy.Result{Verdict: policy.Pass, Mails: []policy.Mail{{To: []string{"x@example.com"}}}, Events: []policy.Event{{Action: "custom_x"}}}
	if name == "error" {
		r.Verdict = policy.Error
	}
	return r, nil
}

func TestMailsAreCountedAndDroppedOnErrors(t *testing.T) {
	send := `ak_send_email("a@example.com", "s", body="x")` + "\n"
	e := env(t)
	e.Policies = mailing{}
	rows := []struct {
		name, body    string
		mails, events int
		fails         bool
	}{
		{"a failing policy sends", send + "return False", 1, 0, false},
		{"an exception sends nothing", send + "return 1 / 0", 0, 0, true},
		{"ten mails", "for i in range(10):\n    " + send + "return True", 10, 0, false},
		{"eleven mails", "for i in range(11):\n    try:\n        " + send + "    except:\n        pass\nreturn True", 0, 0, true},
		{"a called policy", send + `return ak_call_policy("pass").passing`, 2, 1, false},
		{"a called policy that fails with an error", send + `return ak_call_policy("error").passing`, 1, 0, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			v, err := runIn(t, e, row.body, expression.Scope{Request: request(), Policy: true})
			if len(v.Mails) != row.mails || len(v.Events) != row.events || (err != nil) != row.fails {
				t.Errorf("%d mails, %d events, %v", len(v.Mails), len(v.Events), err)
			}
		})
	}
}

func TestCreateEvent(t *testing.T) {
	one := func(body string, scope expression.Scope) policy.Event {
		t.Helper()
		v, err := run(t, body, scope)
		if err != nil || len(v.Events) != 1 {
			t.Fatalf("got %v, %v", v.Events, err)
		}
		return v.Events[0]
	}
	people := cmp.Comparer(func(a, b *identity.Person) bool { return a.ID == b.ID })
	r := request()
	r.Context["invitation"] = &flow.Ref{Kind: "invitation", ID: staffID, Name: "welcome"}
	got := one(`ak_create_event("thing", reason="x", user=context["pending_user"], ak_is_sso_flow="mine")`, expression.Scope{Request: r, Policy: true})
	want := policy.Event{Action: "custom_thing", App: "body", Context: map[string]any{
		"request": map[string]any{"user": r.User, "debug": false, "obj": "password"},
		"context": map[string]any{"pending_user": joe(), "auth_method": "password", "is_sso": false, "prompt_data": []any{"attributes", "email"},
			"invitation": "welcome", "tags": []any{"x"}, "application": &flow.Ref{Kind: "application", ID: flowID, Name: "app"}},
		"ak_client_ip": "10.1.2.3", "ak_is_sso_flow": "mine", "reason": "x", "user": joe(),
	}}
	if diff := cmp.Diff(want, got, people); diff != "" {
		t.Errorf("event of a policy (-want +got):\n%s", diff)
	}
	got = one(`ak_create_event("thing")`, expression.Scope{Request: &policy.Request{User: ann()}, Variables: map[string]any{"user": joe(), "prompt_context": map[string]any{"pin": "1234"}}})
	want = policy.Event{Action: "custom_thing", App: "body", Context: map[string]any{
		"request": map[string]any{"user": ann(), "debug": false}, "user": joe(), "prompt_context": []any{"pin"}}}
	if diff := cmp.Diff(want, got, people); diff != "" {
		t.Errorf("event of a prompt (-want +got):\n%s", diff)
	}
	got = one("context['big'] = 'x' * 40000\nak_create_event('thing', reason='kept')", expression.Scope{Request: r, Policy: true})
	if _, there := got.Context["context"]; there || got.Context["reason"] != "kept" {
		t.Errorf("large variables: %v", got.Context)
	}
	if _, err := run(t, `ak_create_event()`, expression.Scope{}); err == nil || !strings.Contains(err.Error(), "TypeError") {
		t.Errorf("an event without action: %v", err)
	}
}

// What a policy asks for that a prompt calls would be lost, so it is refused.
func TestPromptsCallPoliciesThatOnlyDecide(t *testing.T) {
	e := env(t)
	for name, policies := range map[string]expression.Policies{"pass": mailing{}, "other": called{}} {
		e.Policies = policies
		v, err := runIn(t, e, "return ak_call_policy('"+name+"').passing", expression.Scope{Request: request()})
		if err == nil || !strings.Contains(err.Error(), "which only policies can do") {
			t.Errorf("%s: %q, %v", name, v.Text, err)
		}
	}
}

// A password can be guessed in the password stage only, where guesses count.
func TestRule31ExpressionsCheckNoPasswords(t *testing.T) {
	for _, body := range []string{`return request.user.check_password("x")`, `return context["pending_user"].check_password("x")`,
		`return context["pending_user"].password`, "from authentik.core.models import User\nreturn User.objects.filter(username='joe', password__startswith='$argon').exists()"} {
		if v, err := run(t, body, expression.Scope{Request: request(), Policy: true}); err == nil {
			t.Errorf("%s gives %s", body, v.Text)
		}
	}
}

// What an expression logs is one line, whatever a person has typed.
func TestRule48ALogLineIsOneLine(t *testing.T) {
	for name, handler := range map[string]func(io.Writer) slog.Handler{
		"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"json": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		var log bytes.Buffer
		e := env(t)
		e.Logger = slog.New(handler(&log))
		if _, err := runIn(t, e, "for f in [ak_logger.info, ak_logger.error]:\n    f('a\\r\\nlevel=ERROR msg=forged\\x1b[2J\\u2028', key='b\\nc')", expression.Scope{}); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(log.String(), "\n"); n != 2 || strings.ContainsAny(log.String(), "\r\x1b") {
			t.Errorf("%s: %d lines: %q", name, n, log.String())
		}
	}
}
