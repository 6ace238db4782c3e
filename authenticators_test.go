package weir

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/weir-id/weir/internal/stages/authenticatortotp/totptest"
)

// setUpFlows let people set an app and recovery codes up.
const setUpFlows = `
version: 1
entries:
  - {model: authentik_stages_authenticator_totp.authenticatortotpstage, id: totp, identifiers: {name: app}, attrs: {digits: 6, friendly_name: Authenticator app}}
  - {model: authentik_stages_authenticator_static.authenticatorstaticstage, id: static, identifiers: {name: codes}}
  - {model: authentik_flows.flow, id: app, identifiers: {slug: app}, attrs: {name: app, title: App, designation: stage_configuration, authentication: require_authenticated}}
  - {model: authentik_flows.flow, id: codes, identifiers: {slug: codes}, attrs: {name: codes, title: Codes, designation: stage_configuration, authentication: require_authenticated}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf app, stage: !KeyOf totp, order: 0}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf codes, stage: !KeyOf static, order: 0}}
`

const (
	appFlow   = "/api/v3/flows/executor/app/"
	codesFlow = "/api/v3/flows/executor/codes/"
)

// phone is an authenticator app: it knows a key, and shows codes of it.
type phone struct {
	t   *testing.T
	key string
}

// scan takes the key of a set-up page.
func scan(t *testing.T, r reply) phone {
	t.Helper()
	address, _ := r.body["config_url"].(string)
	u, err := url.Parse(address)
	if err != nil || u.Query().Get("secret") == "" {
		t.Fatalf("no key in %s", r.raw)
	}
	return phone{t, u.Query().Get("secret")}
}

// code is that of the time step so many after the present one.
func (p phone) code(later int64) string { return totptest.Code(p.t, p.key, later) }

// answers posts an answer to a flow, and follows.
func (c *client) answers(flow, body string) reply {
	c.t.Helper()
	return c.follow(c.do("POST", flow, body))
}

// said is what the newest event of an action says.
func (o *office) said(action string) map[string]any {
	o.t.Helper()
	context, _ := o.latest(action)["context"].(map[string]any)
	return context
}

func (c *client) types(code string) reply {
	c.t.Helper()
	return c.answers(loginFlow, fmt.Sprintf(`{"code":%q}`, code))
}

// hasApp sets an app up for whoever is signed in.
func (c *client) hasApp() phone {
	c.t.Helper()
	p := scan(c.t, c.do("GET", appFlow, ""))
	if r := c.answers(appFlow, fmt.Sprintf(`{"code":%q}`, p.code(0))); r.component() != "xak-flow-redirect" {
		c.t.Fatalf("the app is not taken: %s", r.raw)
	}
	return p
}

// hasCodes gets recovery codes for whoever is signed in.
func (c *client) hasCodes() []any {
	c.t.Helper()
	codes, _ := c.do("GET", codesFlow, "").body["codes"].([]any)
	if r := c.answers(codesFlow, `{}`); len(codes) != 6 || r.component() != "xak-flow-redirect" {
		c.t.Fatalf("%d codes: %s", len(codes), r.raw)
	}
	return codes
}

func TestAnAppIsASecondFactor(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, setUpFlows)
		c := visit(t, o.site)
		if r := c.signIn("akadmin", "correct horse"); r.component() != "xak-flow-redirect" {
			t.Fatalf("without a device: %s", r.raw)
		}
		asked := c.do("GET", appFlow, "")
		app := scan(t, asked)
		if again := c.do("GET", appFlow, ""); again.body["config_url"] != asked.body["config_url"] || !strings.Contains(string(asked.raw), "issuer=") {
			t.Errorf("on another look %s", again.raw)
		}
		if r := c.do("POST", appFlow, `{"code":"1"}`); r.component() != "ak-stage-authenticator-totp" || !strings.Contains(string(r.raw), `"code":"invalid"`) {
			t.Errorf("a wrong code: %s", r.raw)
		}
		if n := o.count("select count(*) from authenticators"); n != 0 {
			t.Errorf("%d devices after a wrong code", n)
		}
		first := app.code(0)
		if r := c.answers(appFlow, fmt.Sprintf(`{"code":%q}`, first)); r.component() != "xak-flow-redirect" {
			t.Fatalf("a right code: %s", r.raw)
		}
		if made := o.said("model_created")["model"].(map[string]any); made["model_name"] != "totpdevice" || made["pk"] != "1" {
			t.Errorf("event about %v", made)
		}

		c = visit(t, o.site)
		r := c.signIn("akadmin", "correct horse")
		list, _ := r.body["device_challenges"].([]any)
		if r.component() != "ak-stage-authenticator-validate" || len(list) != 1 || list[0].(map[string]any)["device_class"] != "totp" {
			t.Fatalf("with a device: %s", r.raw)
		}
		refused := func(name, code string, failures int) {
			t.Helper()
			if r := c.types(code); r.component() != "ak-stage-authenticator-validate" || !strings.Contains(string(r.raw), `"code":"invalid"`) {
				t.Errorf("%s: %s", name, r.raw)
			}
			if n := o.count("select failures from authenticators"); n != failures {
				t.Errorf("%s: %d failures, want %d", name, n, failures)
			}
		}
		rest := func() { o.exec("update authenticators set failed = '2020-01-01 00:00:00'") }
		refused("the code that set it up", first, 1)
		if failed := o.said("login_failed"); failed["username"] != "akadmin" {
			t.Errorf("event %v", failed)
		}
		next := app.code(1)
		refused("the next code, while the device waits", next, 1)
		rest()
		refused("a wrong code", "x", 2)
		rest()
		if r := c.types(next); r.component() != "xak-flow-redirect" {
			t.Fatalf("the next code: %s", r.raw)
		}
		if n := o.count("select failures from authenticators where last_used is not null"); n != 0 {
			t.Errorf("%d failures after a right code", n)
		}
		if method := o.said("login")["auth_method_args"].(map[string]any)["mfa_devices"]; method == nil {
			t.Errorf("the event says nothing of the device: %v", o.said("login"))
		}
		c = visit(t, o.site)
		c.signIn("akadmin", "correct horse")
		refused("the same code in another browser", next, 1)
		if strings.Contains(o.everyEvent(), app.key) {
			t.Error("an event holds the key")
		}
	})
}

func TestRecoveryCodesAreASecondFactor(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, setUpFlows)
		c := visit(t, o.site)
		c.signIn("akadmin", "correct horse")
		c.hasApp()
		codes := c.hasCodes()
		if r := c.do("GET", codesFlow, ""); strings.Contains(string(r.raw), codes[0].(string)) {
			t.Error("the codes are shown again")
		}
		for _, step := range []struct{ name, want string }{{"the first time", "xak-flow-redirect"}, {"once more", "ak-stage-authenticator-validate"}} {
			c := visit(t, o.site)
			r := c.signIn("akadmin", "correct horse")
			if list := r.body["device_challenges"].([]any); len(list) != 2 || list[1].(map[string]any)["device_class"] != "static" {
				t.Fatalf("offered %v", list)
			}
			if r := c.types(codes[3].(string)); r.component() != step.want {
				t.Errorf("%s: %s", step.name, r.raw)
			}
		}
		own := o.must("GET", "authenticators/static/", nil)
		left := results(own)[0]["token_set"].([]any)
		for _, code := range codes {
			if strings.Contains(fmt.Sprint(own), code.(string)) || strings.Contains(o.everyEvent(), code.(string)) {
				t.Error("a code is shown after it was given out")
			}
		}
		if len(left) != 5 {
			t.Errorf("%d codes left", len(left))
		}
	})
}

// Fifty browsers send the same right code at once, to a stage without any wait.
func TestRule32OneCodeSignsInOnce(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, setUpFlows+`
  - {model: authentik_stages_identification.identificationstage, id: who, identifiers: {name: who}, attrs: {user_fields: [username]}}
  - {model: authentik_stages_authenticator_validate.authenticatorvalidatestage, id: second, identifiers: {name: second}, attrs: {not_configured_action: deny, device_classes: [totp], totp_otp_throttling_factor: 0}}
  - {model: authentik_stages_user_login.userloginstage, id: in, identifiers: {name: in}}
  - {model: authentik_flows.flow, id: short, identifiers: {slug: short}, attrs: {name: short, title: Short, designation: authentication}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf short, stage: !KeyOf who, order: 0}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf short, stage: !KeyOf second, order: 1}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf short, stage: !KeyOf in, order: 2}}
`)
		c := visit(t, o.site)
		c.signIn("akadmin", "correct horse")
		body := fmt.Sprintf(`{"code":%q}`, c.hasApp().code(1))
		const short = "/api/v3/flows/executor/short/"
		var ready, done sync.WaitGroup
		start := make(chan struct{})
		var mu sync.Mutex
		in := 0
		for range 50 {
			ready.Add(1)
			done.Go(func() {
				c := visit(t, o.site)
				c.answers(short, `{"uid_field":"akadmin"}`)
				ready.Done()
				<-start
				if r := c.answers(short, body); r.component() == "xak-flow-redirect" {
					mu.Lock()
					in++
					mu.Unlock()
				}
			})
		}
		ready.Wait()
		close(start)
		done.Wait()
		if in != 1 {
			t.Errorf("one code signed in %d browsers", in)
		}
	})
}

// Neither restart nor cancel nor another flow drops the duty to set an app up.
func TestRule04SettingAnAppUpStaysDue(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, setUpFlows)
		stage := results(o.must("GET", "stages/authenticator/validate/?name=default-authentication-mfa-validation", nil))[0]
		app := results(o.must("GET", "stages/authenticator/totp/", nil))[0]
		o.must("PATCH", fmt.Sprintf("stages/authenticator/validate/%v/", stage["pk"]), m{"not_configured_action": "configure", "configuration_stages": []any{app["pk"]}})
		c := visit(t, o.site)
		const setUp = "ak-stage-authenticator-totp"
		if r := c.signIn("akadmin", "correct horse"); r.component() != setUp {
			t.Fatalf("after the password: %s", r.raw)
		}
		for _, body := range []string{`{}`, `{"code":"000000"}`, `{"code":null}`, `{"selected_stage":"x"}`} {
			if r := c.answers(loginFlow, body); r.component() != setUp {
				t.Errorf("%s: %s", body, r.raw)
			}
		}
		page := "/if/flow/default-authentication-flow/"
		c.do("POST", "/flows/-/cancel/?next="+url.QueryEscape(page), "", "Sec-Fetch-Site", "same-origin")
		if r := c.do("GET", "/api/v3/core/users/me/", ""); r.status != http.StatusForbidden {
			t.Errorf("after cancelling somebody is signed in: %s", r.raw)
		}
		r := c.signIn("akadmin", "correct horse")
		if r.component() != setUp {
			t.Fatalf("at the second try: %s", r.raw)
		}
		if r := c.answers(loginFlow, fmt.Sprintf(`{"code":%q}`, scan(t, r).code(0))); r.component() != "xak-flow-redirect" {
			t.Errorf("once it is set up: %s", r.raw)
		}
		if r := c.do("GET", "/api/v3/core/users/me/", ""); r.status != http.StatusOK {
			t.Errorf("signed in: %d", r.status)
		}
	})
}

func TestPoliciesKnowWhoHasAnAuthenticator(t *testing.T) {
	o := openOffice(t, settings(t))
	apply(t, o.site, setUpFlows)
	who := o.number("akadmin")
	policy := o.must("POST", "policies/expression/", m{"name": "has", "expression": "return ak_user_has_authenticator(request.user, 'totp') and not ak_user_has_authenticator(request.user, 'static')"})["pk"].(string)
	if got := o.must("POST", "policies/all/"+policy+"/test/", m{"user": who})["passing"]; got != false {
		t.Errorf("without a device: %v", got)
	}
	o.signedIn("akadmin", "correct horse").hasApp()
	if got := o.must("POST", "policies/all/"+policy+"/test/", m{"user": who})["passing"]; got != true {
		t.Errorf("with an app: %v", got)
	}
}

// Rule39: the default set-up flows ask for the password and the second factor that
// somebody has before they give another one.
func TestRule39TheDefaultSetUpFlows(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		o.member("max", "first")
		c := o.signedIn("max", "first")
		const app, codes = "/api/v3/flows/executor/default-authenticator-totp-setup/", "/api/v3/flows/executor/default-authenticator-static-setup/"
		for _, flow := range []string{app, codes} {
			if r := visit(t, o.site).do("GET", flow, ""); r.component() != "ak-stage-access-denied" {
				t.Errorf("a stranger at %s: %s", flow, r.raw)
			}
			for _, body := range []string{`{}`, `{"code":"123456"}`} {
				if r := c.answers(flow, body); r.component() != "ak-stage-password" {
					t.Errorf("%s %s: %s", flow, body, r.raw)
				}
			}
		}
		r := c.answers(app, `{"password":"first"}`)
		mobile := scan(t, r)
		if r := c.answers(app, fmt.Sprintf(`{"code":%q}`, mobile.code(0))); r.component() != "xak-flow-redirect" {
			t.Fatalf("the app is not taken: %s", r.raw)
		}
		if r := c.answers(codes, `{"password":"first"}`); r.component() != "ak-stage-authenticator-validate" {
			t.Fatalf("codes without the app: %s", r.raw)
		}
		if r := c.answers(codes, fmt.Sprintf(`{"code":%q}`, mobile.code(1))); r.component() != "ak-stage-authenticator-static" {
			t.Errorf("codes with the app: %s", r.raw)
		}
		if r := c.answers(codes, `{}`); r.component() != "xak-flow-redirect" {
			t.Errorf("the codes are not taken: %s", r.raw)
		}
		var offered []string
		for _, item := range c.do("GET", "/api/v3/stages/all/user_settings/", "").list {
			offered = append(offered, fmt.Sprint(item.(map[string]any)["component"]))
		}
		slices.Sort(offered)
		if got := strings.Join(offered, " "); got != "ak-user-settings-authenticator-static ak-user-settings-authenticator-totp ak-user-settings-authenticator-webauthn ak-user-settings-password" {
			t.Errorf("people can set up %s", got)
		}
	})
}
