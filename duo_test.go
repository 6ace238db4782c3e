package weir

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/duo/duotest"
)

// duoFlows let whoever is signed in set Duo up, and sign in by name and push, which
// holds for an hour in a browser.
const duoFlows = `
version: 1
entries:
  - {model: authentik_flows.flow, id: duo, identifiers: {slug: duo}, attrs: {name: duo, title: Duo, designation: stage_configuration, authentication: require_authenticated}}
  - {model: authentik_stages_authenticator_duo.authenticatorduostage, id: push, identifiers: {name: push}, attrs: {client_id: %s, client_secret: %s, api_hostname: "%s", admin_integration_key: %s, admin_secret_key: %s, configure_flow: !KeyOf duo, friendly_name: Duo}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf duo, stage: !KeyOf push, order: 0}}
  - {model: authentik_flows.flow, id: quick, identifiers: {slug: quick}, attrs: {name: quick, title: Quick, designation: authentication}}
  - {model: authentik_stages_identification.identificationstage, id: who, identifiers: {name: quick-who}, attrs: {user_fields: [username]}}
  - {model: authentik_stages_authenticator_validate.authenticatorvalidatestage, id: second, identifiers: {name: quick-second}, attrs: {not_configured_action: deny, device_classes: [duo], last_auth_threshold: hours=1}}
  - {model: authentik_stages_user_login.userloginstage, id: in, identifiers: {name: quick-in}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf quick, stage: !KeyOf who, order: 0}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf quick, stage: !KeyOf second, order: 1}}
  - {model: authentik_flows.flowstagebinding, id: enters, identifiers: {target: !KeyOf quick, stage: !KeyOf in, order: 2}}
  - {model: authentik_policies_expression.expressionpolicy, id: has, identifiers: {name: has-duo}, attrs: {expression: 'return ak_user_has_authenticator(context["pending_user"], "duo") and not ak_user_has_authenticator(context["pending_user"], "totp")'}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf enters, policy: !KeyOf has, order: 0}}
`

const (
	duoFlow   = "/api/v3/flows/executor/duo/"
	quickFlow = "/api/v3/flows/executor/quick/"
)

// duoOffice is an installation with a Duo account, and the address of the stage.
func duoOffice(t *testing.T, s Settings) (*office, *duotest.Server, string) {
	t.Helper()
	account := duotest.New(t)
	o := openOffice(t, s)
	o.site.duo.Client.Transport = account.Client.Transport
	apply(t, o.site, fmt.Sprintf(duoFlows, duotest.Key, duotest.Secret, account.Host, duotest.AdminKey, duotest.AdminSecret))
	return o, account, "stages/authenticator/duo/" + results(o.must("GET", "stages/authenticator/duo/?name=push", nil))[0]["pk"].(string) + "/"
}

// hasDuo sets Duo up for whoever is signed in as name.
func (c *client) hasDuo(account *duotest.Server, name string) {
	c.t.Helper()
	if r := c.do("GET", duoFlow, ""); r.component() != "ak-stage-authenticator-duo" {
		c.t.Fatalf("setting up shows %s", r.raw)
	}
	account.Activate(name)
	if r := c.answers(duoFlow, `{}`); r.component() != "xak-flow-redirect" {
		c.t.Fatalf("the phone leads to %s", r.raw)
	}
}

func TestDuoIsASecondFactor(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		sendOften(&s)
		o, account, stage := duoOffice(t, s)
		c := visit(t, o.site)
		c.signIn("akadmin", "correct horse")
		poll := "/api/v3/" + stage + "enrollment_status/"
		for name, who := range map[string]*client{"a stranger": visit(t, o.site), "somebody before it": c} {
			if r := who.do("POST", poll, ""); r.status != http.StatusForbidden {
				t.Errorf("%s asks how far it is: %d %s", name, r.status, r.raw)
			}
		}
		shown := c.do("GET", duoFlow, "")
		if code, _ := shown.body["activation_code"].(string); !strings.HasPrefix(code, "duo://") || shown.body["activation_barcode"] == "" || !strings.Contains(stage, fmt.Sprint(shown.body["stage_uuid"])) {
			t.Fatalf("setting up shows %s", shown.raw)
		}
		status := func(want string) {
			t.Helper()
			if r := c.do("POST", poll, ""); r.body["duo_response"] != want {
				t.Errorf("how far it is: %d %s, want %s", r.status, r.raw, want)
			}
		}
		status("waiting")
		if r := c.do("POST", duoFlow, `{}`); r.problem("non_field_errors") == "" || o.count("select count(*) from authenticators") != 0 {
			t.Errorf("without the phone: %s (rule 2)", r.raw)
		}
		account.Activate("akadmin")
		status("success")
		if n := o.count("select count(*) from authenticators"); n != 0 {
			t.Errorf("asking makes %d devices", n)
		}
		account.Away(true)
		if r := c.do("POST", poll, ""); r.status != http.StatusServiceUnavailable {
			t.Errorf("while Duo is away: %d %s", r.status, r.raw)
		}
		account.Away(false)
		if r := c.answers(duoFlow, `{}`); r.component() != "xak-flow-redirect" {
			t.Fatalf("the phone leads to %s", r.raw)
		}
		own := results(o.must("GET", "authenticators/duo/", nil))
		if len(own) != 1 || own[0]["name"] != "Duo Authenticator" || o.said("model_created")["model"].(map[string]any)["model_name"] != "duodevice" {
			t.Errorf("devices %v", own)
		}

		again := visit(t, o.site)
		if r := again.signIn("akadmin", "correct horse"); fmt.Sprint(r.body["device_challenges"]) != "[map[challenge:map[] device_class:duo device_uid:1 last_used:<nil>]]" {
			t.Fatalf("after the password comes %s", r.raw)
		}
		const push = `{"duo":1}`
		account.Answer("deny", "deny")
		if r := again.do("POST", loginFlow, push); !strings.Contains(string(r.raw), `"code":"denied"`) || r.component() != "ak-stage-authenticator-validate" {
			t.Errorf("no on the phone: %s", r.raw)
		}
		if failed := o.said("login_failed"); failed["username"] != "akadmin" {
			t.Errorf("event %v", failed)
		}
		account.Away(true)
		before := o.count("select count(*) from events where action = 'login_failed'")
		if r := again.do("POST", loginFlow, push); !strings.Contains(string(r.raw), `"code":"denied"`) {
			t.Errorf("Duo is away: %s", r.raw)
		}
		if said := o.said("configuration_error"); !strings.Contains(fmt.Sprint(said["message"]), "Duo is away") || o.count("select count(*) from events where action = 'login_failed'") != before {
			t.Errorf("the event says %v", said)
		}
		account.Away(false)
		asked := len(account.Pushes())
		if r := again.do("POST", loginFlow, `{"duo":2}`); r.status != http.StatusNotFound || len(account.Pushes()) != asked {
			t.Errorf("a device of nobody: %d %s", r.status, r.raw)
		}
		account.Answer("allow", "allow")
		if r := again.answers(loginFlow, push); r.component() != "xak-flow-redirect" {
			t.Fatalf("yes on the phone: %s", r.raw)
		}
		pushes := account.Pushes()
		info, _ := url.ParseQuery(pushes[len(pushes)-1].Get("pushinfo"))
		if info.Get("Domain") == "" || pushes[len(pushes)-1].Get("ipaddr") != "127.0.0.1" {
			t.Errorf("the phone shows %v", pushes[len(pushes)-1])
		}
		if devices := fmt.Sprint(o.said("login")["auth_method_args"].(map[string]any)["mfa_devices"]); !strings.Contains(devices, "duodevice") {
			t.Errorf("the event names %s", devices)
		}
		if n := o.count("select count(*) from authenticators where last_used is not null"); n != 1 {
			t.Errorf("%d devices were used", n)
		}
		late := visit(t, o.site)
		late.signIn("akadmin", "correct horse")
		if r := late.do("GET", loginFlow, ""); r.component() != "ak-stage-authenticator-validate" {
			t.Errorf("another browser: %s", r.raw)
		}
		if all := o.everyEvent(); strings.Contains(all, duotest.Secret) || strings.Contains(all, "activation-code") {
			t.Error("an event holds a secret")
		}
	})
}

// A push counts for the browser that asked, for as long as the stage says.
func TestAPushIsRememberedByTheBrowser(t *testing.T) {
	o, account, _ := duoOffice(t, settings(t))
	c := visit(t, o.site)
	c.signIn("akadmin", "correct horse")
	c.hasDuo(account, "akadmin")
	for i, row := range []struct {
		name   string
		c      *client
		pushes int
	}{{"the first time", visit(t, o.site), 1}, {"in the same browser", nil, 1}, {"in another one", visit(t, o.site), 2}} {
		if row.c == nil {
			c.do("POST", "/api/v3/flows/executor/default-invalidation-flow/", "{}")
		} else {
			c = row.c
		}
		r := c.answers(quickFlow, `{"uid_field":"akadmin"}`)
		if row.pushes > len(account.Pushes()) {
			r = c.answers(quickFlow, `{"duo":1}`)
		}
		if n := len(account.Pushes()); r.component() != "xak-flow-redirect" || n != row.pushes {
			t.Errorf("%d. %s: %d pushes, %s", i+1, row.name, n, r.raw)
		}
	}
}

// Nobody is worn down by pushes, however often a flow begins anew.
func TestRule23PushesAreLimited(t *testing.T) {
	s := settings(t)
	sendOften(&s)
	s.Sends.Address = 3
	o, account, _ := duoOffice(t, s)
	c := visit(t, o.site)
	c.signIn("akadmin", "correct horse")
	c.hasDuo(account, "akadmin")
	for range 5 { // those that were wanted take nothing of the limit
		c := visit(t, o.site)
		c.signIn("akadmin", "correct horse")
		if r := c.answers(loginFlow, `{"duo":1}`); r.component() != "xak-flow-redirect" {
			t.Fatalf("a push that was wanted: %s", r.raw)
		}
	}
	account.Answer("deny", "deny")
	for i := range 5 {
		c := visit(t, o.site)
		c.signIn("akadmin", "correct horse")
		r := c.do("POST", loginFlow, `{"duo":1}`)
		if limited := strings.HasPrefix(r.problem("duo"), "Too many pushes"); limited != (i >= 3) {
			t.Errorf("push %d: %s", i+1, r.raw)
		}
	}
	if n := len(account.Pushes()); n != 8 {
		t.Errorf("%d pushes, want 8", n)
	}
}

// rings waits until a phone has a push.
func rings(t *testing.T, account *duotest.Server) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); len(account.Pushes()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no push")
		}
	}
}

// While a phone rings nothing else waits: no second push for the account, and no
// write of anybody.
func TestAPushHoldsNothing(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		sendOften(&s)
		o, account, _ := duoOffice(t, s)
		c := visit(t, o.site)
		c.signIn("akadmin", "correct horse")
		c.hasDuo(account, "akadmin")
		o.member("ada", "some words")
		one, two := visit(t, o.site), visit(t, o.site)
		one.signIn("akadmin", "correct horse")
		two.signIn("akadmin", "correct horse")
		release := account.Hold()
		t.Cleanup(release)
		done := make(chan reply)
		go func() { done <- one.answers(loginFlow, `{"duo":1}`) }()
		rings(t, account)
		if r := two.do("POST", loginFlow, `{"duo":1}`); !strings.HasPrefix(r.problem("duo"), "A push is waiting") {
			t.Errorf("a second push: %s", r.raw)
		}
		if r := visit(t, o.site).signIn("ada", "some words"); r.component() != "xak-flow-redirect" {
			t.Errorf("somebody else: %s", r.raw)
		}
		o.must("PATCH", "authenticators/admin/duo/1/", m{"name": "renamed"})
		release()
		if r := <-done; r.component() != "xak-flow-redirect" || len(account.Pushes()) != 1 {
			t.Errorf("%d pushes, %s", len(account.Pushes()), r.raw)
		}
	})
}

func TestDuoDevicesAreImported(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o, account, stage := duoOffice(t, s)
		for i, name := range []string{"ada", "bob", "nobody", "akadmin", "carl"} {
			account.Add(duotest.User{ID: fmt.Sprint("DU", i), Username: name, Enrolled: name != "carl"})
		}
		for _, name := range []string{"ada", "bob", "carl", "dora"} {
			o.user(name, nil)
		}
		stages := "authentik_stages_authenticator_duo."
		_, looker := o.clerk("looker", stages+"view_authenticatorduostage")
		_, maker := o.clerk("maker", stages+"view_authenticatorduostage", stages+"add_duodevice")
		manual := func(token, id, name string, want int) {
			t.Helper()
			if a := o.call(token, "POST", stage+"import_device_manual/", m{"duo_user_id": id, "username": name}); a.status != want {
				t.Errorf("import of %s as %s: %d %s, want %d", id, name, a.status, a.raw, want)
			}
		}
		manual(looker, "DU9", "dora", http.StatusForbidden)
		manual(maker, "DU9", "dora", http.StatusNoContent)
		manual(maker, "DU9", "ada", http.StatusBadRequest)
		manual(maker, "DU8", "zoe", http.StatusBadRequest)
		manual(maker, "DU8", "akadmin", http.StatusForbidden) // rule 46
		if a := o.call(looker, "POST", stage+"import_devices_automatic/", nil); a.status != http.StatusForbidden {
			t.Errorf("import without the permission: %d", a.status)
		}
		all := func(token string, count int, failed string) {
			t.Helper()
			a := o.call(token, "POST", stage+"import_devices_automatic/", nil)
			if a.status != http.StatusOK || a.object["count"] != float64(count) || (a.object["error"] == "") != (failed == "") || !strings.Contains(fmt.Sprint(a.object["error"]), failed) {
				t.Errorf("import: %d %s, want %d and %q", a.status, a.raw, count, failed)
			}
		}
		all(maker, 2, "")
		all(maker, 0, "")
		all(root, 1, "")
		account.Away(true)
		all(root, 0, "Duo is away")
		account.Away(false)
		var owners []string
		for _, d := range results(o.must("GET", "authenticators/admin/duo/?ordering=pk", nil)) {
			owners = append(owners, d["user"].(m)["username"].(string))
		}
		if got := strings.Join(owners, " "); got != "dora ada bob akadmin" {
			t.Errorf("devices of %s", got)
		}
		o.must("PATCH", stage, m{"admin_integration_key": ""})
		if a := o.call(root, "POST", stage+"import_devices_automatic/", nil); a.status != http.StatusBadRequest {
			t.Errorf("without keys: %d %s", a.status, a.raw)
		}
		if a := o.call(root, "PATCH", stage, m{"api_hostname": "https://api.example.com/"}); a.status != http.StatusBadRequest || a.object["api_hostname"] == nil {
			t.Errorf("a host that is none: %d %s", a.status, a.raw)
		}
	})
}

// A push may take longer than other requests, which end with the limits of the server.
func TestAPushMayTakeItsTime(t *testing.T) {
	o, account, _ := duoOffice(t, settings(t))
	c := visit(t, o.site)
	c.signIn("akadmin", "correct horse")
	c.hasDuo(account, "akadmin")
	c = visit(t, o.site)
	c.signIn("akadmin", "correct horse")
	strict := httptest.NewUnstartedServer(o.site)
	strict.Config.ReadTimeout, strict.Config.WriteTimeout = time.Second, time.Second
	strict.Start()
	t.Cleanup(strict.Close)
	c.base = strict.URL
	release := account.Hold()
	t.Cleanup(release)
	done := make(chan reply)
	go func() { done <- c.answers(loginFlow, `{"duo":1}`) }()
	rings(t, account)
	// Whoever sends nothing is cut off by the limits, which are over then.
	slow, err := net.Dial("tcp", strings.TrimPrefix(strict.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slow.Close() })
	_ = slow.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(slow, "POST / HTTP/1.1\r\nHost: a\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(slow); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the server has no limits")
	}
	release()
	if r := <-done; r.component() != "xak-flow-redirect" {
		t.Errorf("the push leads to %d %s", r.status, r.raw)
	}
}

// A device is a way in: whoever gives themselves one has signed in of late.
func TestRule39ImportingADeviceForOneself(t *testing.T) {
	o, _, stage := duoOffice(t, settings(t))
	o.user("ada", nil)
	chief := visit(t, o.site)
	chief.signIn("akadmin", "correct horse")
	o.age(16 * time.Minute)
	for name, want := range map[string]int{"akadmin": http.StatusForbidden, "ada": http.StatusNoContent} {
		if r := chief.do("POST", "/api/v3/"+stage+"import_device_manual/", fmt.Sprintf(`{"duo_user_id":"DU %s","username":%q}`, name, name)); r.status != want {
			t.Errorf("for %s: %d %s", name, r.status, r.raw)
		}
	}
}
