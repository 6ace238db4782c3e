package weir

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/internal/passkey/passkeytest"
)

// passkeyFlows let people make passkeys, and sign in with nothing else.
const passkeyFlows = `
version: 1
entries:
  - {model: authentik_stages_authenticator_webauthn.authenticatorwebauthnstage, id: make, identifiers: {name: make}, attrs: {friendly_name: Passkey}}
  - {model: authentik_flows.flow, id: passkey, identifiers: {slug: passkey}, attrs: {name: passkey, title: Passkey, designation: stage_configuration, authentication: require_authenticated}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf passkey, stage: !KeyOf make, order: 0}}
  - {model: authentik_stages_authenticator_validate.authenticatorvalidatestage, id: only, identifiers: {name: only}, attrs: {not_configured_action: deny, device_classes: [webauthn]}}
  - {model: authentik_stages_user_login.userloginstage, id: in, identifiers: {name: passkey-in}}
  - {model: authentik_flows.flow, id: alone, identifiers: {slug: alone}, attrs: {name: alone, title: Alone, designation: authentication}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf alone, stage: !KeyOf only, order: 0}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf alone, stage: !KeyOf in, order: 1}}
`

const (
	passkeyFlow = "/api/v3/flows/executor/passkey/"
	aloneFlow   = "/api/v3/flows/executor/alone/"
	validating  = "ak-stage-authenticator-validate"
	titan       = "42b4fb4a-2866-43b2-9bf7-6c6669c2e5d3"
)

// byName visits the site at a name: an address cannot have passkeys.
func byName(t *testing.T, site *Server) *client {
	c := visit(t, site)
	c.base = strings.Replace(c.base, "127.0.0.1", "localhost", 1)
	return c
}

// key is a new passkey for the site.
func (c *client) key() *passkeytest.Key { return passkeytest.New(c.t, c.base) }

// evil is the origin of a site that looks like this one.
const evil = "http://evil.example"

// uses has the browser use a passkey: it says where it is, unless the passkey lies.
func (c *client) uses(k *passkeytest.Key) *passkeytest.Key {
	if k.Origin != evil {
		k.Origin = c.base
	}
	return k
}

// registers offers a new passkey to the set-up flow.
func (c *client) registers(k *passkeytest.Key) reply {
	c.t.Helper()
	r := c.do("GET", passkeyFlow, "")
	options, ok := r.body["registration"].(map[string]any)
	if !ok {
		c.t.Fatalf("no registration: %s", r.raw)
	}
	return c.answers(passkeyFlow, jsonOf(c.t, m{"response": c.uses(k).Create(options)}))
}

// hasPasskey makes a passkey for whoever is signed in.
func (c *client) hasPasskey() *passkeytest.Key {
	c.t.Helper()
	k := c.key()
	if r := c.registers(k); r.component() != "xak-flow-redirect" {
		c.t.Fatalf("the passkey is not taken: %s", r.raw)
	}
	return k
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// asked are the options for passkeys of a validation.
func asked(t *testing.T, r reply) map[string]any {
	t.Helper()
	list, _ := r.body["device_challenges"].([]any)
	for _, item := range list {
		if d := item.(map[string]any); d["device_class"] == "webauthn" {
			return d["challenge"].(map[string]any)
		}
	}
	t.Fatalf("no passkey is asked for: %s", r.raw)
	return nil
}

// signs answers the validation that a flow is at, as it was last shown.
func (c *client) signs(flow string, k *passkeytest.Key) (r reply, body string) {
	c.t.Helper()
	body = jsonOf(c.t, m{"webauthn": c.uses(k).Sign(asked(c.t, c.do("GET", flow, "")))})
	return c.answers(flow, body), body
}

func TestAPasskeyIsASecondFactor(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, passkeyFlows)
		c := byName(t, o.site)
		if r := c.signIn("akadmin", "correct horse"); r.component() != "xak-flow-redirect" {
			t.Fatalf("without a device: %s", r.raw)
		}
		k := c.hasPasskey()
		if made := o.said("model_created")["model"].(map[string]any); made["model_name"] != "webauthndevice" || made["name"] != "Google Titan Security Key v2" {
			t.Errorf("event about %v", made)
		}
		o.member("max", "first")
		other := byName(t, o.site)
		other.signIn("max", "first")
		foreign := other.hasPasskey()

		c = byName(t, o.site)
		r := c.signIn("akadmin", "correct horse")
		if r.component() != validating {
			t.Fatalf("with a passkey: %s", r.raw)
		}
		options := asked(t, r)
		challenge, _ := options["challenge"].(string)
		want := map[string]any{"challenge": challenge, "timeout": float64(60000), "rpId": "localhost", "userVerification": "preferred",
			"allowCredentials": []any{map[string]any{"type": "public-key", "id": passkeytest.Text(k.ID)}}}
		if diff := cmp.Diff(want, options); len(challenge) < 43 || diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
		if again := asked(t, c.do("GET", loginFlow, "")); again["challenge"] != challenge {
			t.Error("another look asks for another answer")
		}
		refused := func(name string, r reply, problem string) {
			t.Helper()
			if errs, _ := r.body["response_errors"].(map[string]any); r.component() != validating || errs["webauthn"] == nil || !strings.Contains(string(r.raw), problem) {
				t.Errorf("%s: %s", name, r.raw)
			}
		}
		failed := o.count("select count(*) from events where action = 'login_failed'")
		k.Origin = evil
		r, _ = c.signs(loginFlow, k)
		refused("another origin", r, "That did not work")
		k.Origin = c.base
		if now := asked(t, c.do("GET", loginFlow, "")); now["challenge"] == challenge {
			t.Error("a refused answer leaves the challenge good")
		}
		r, _ = c.signs(loginFlow, foreign)
		refused("somebody else's passkey", r, "not known here")
		r, _ = c.signs(loginFlow, c.key())
		refused("nobody's passkey", r, "not known here")
		if n := o.count("select count(*) from events where action = 'login_failed'"); n != failed+1 {
			t.Errorf("%d events of failed logins, want 1", n-failed)
		}
		r, right := c.signs(loginFlow, k)
		if r.component() != "xak-flow-redirect" {
			t.Fatalf("the right passkey: %s", r.raw)
		}
		if login := o.said("login"); login["auth_method"] != "password" || len(login["auth_method_args"].(map[string]any)["mfa_devices"].([]any)) != 1 {
			t.Errorf("login %v", login)
		}
		if n := o.count("select counter from authenticators where last_used is not null"); n != int(k.Counter) {
			t.Errorf("the counter is %d, want %d", n, k.Counter)
		}

		c = byName(t, o.site)
		c.signIn("akadmin", "correct horse")
		refused("an answer that was given before", c.answers(loginFlow, right), "That did not work")
		k.Counter = 0
		r, _ = c.signs(loginFlow, k)
		refused("a copy", r, "That did not work")
		if said := o.said("suspicious_request"); !strings.Contains(fmt.Sprint(said["message"]), "copied") {
			t.Errorf("event %v", said)
		}
		k.Counter = 90
		if r, _ = c.signs(loginFlow, k); r.component() != "xak-flow-redirect" {
			t.Errorf("the passkey itself, later: %s", r.raw)
		}
	})
}

func TestAPasskeyAloneSignsIn(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, passkeyFlows)
		c := byName(t, o.site)
		c.signIn("akadmin", "correct horse")
		k := c.hasPasskey()
		c = byName(t, o.site)
		r := c.do("GET", aloneFlow, "")
		options := asked(t, r)
		if list, ok := options["allowCredentials"].([]any); !ok || len(list) != 0 || options["userVerification"] != "required" {
			t.Errorf("asked %v", options)
		}
		if d := r.body["device_challenges"].([]any)[0].(map[string]any); d["device_uid"] != "-1" {
			t.Errorf("offered %v", d)
		}
		for name, lie := range map[string]func(on bool){
			"a passkey that did not make sure of its owner": func(on bool) { k.Unverified = on },
			"one that does not say whose it is":             func(on bool) { k.Anonymous = on },
			"one for another site": func(on bool) {
				k.Host = map[bool]string{true: "evil.example"}[on]
			},
		} {
			lie(true)
			if r, _ := c.signs(aloneFlow, k); r.component() != validating {
				t.Errorf("%s: %s", name, r.raw)
			}
			lie(false)
		}
		if r, _ := c.signs(aloneFlow, k); r.component() != "xak-flow-redirect" {
			t.Fatalf("the right passkey: %s", r.raw)
		}
		login := o.said("login")
		if args := login["auth_method_args"].(map[string]any); login["auth_method"] != "auth_webauthn_pwl" || args["device_type"] != "webauthn" || args["device"] == nil {
			t.Errorf("login %v", login)
		}
		if me := c.do("GET", "/api/v3/core/users/me/", "").body["user"].(map[string]any); me["username"] != "akadmin" {
			t.Errorf("signed in as %v", me)
		}
		if got := c.assurance(); got != "aal2[mfa pop user]" {
			t.Errorf("a passkey is two factors, got %s", got)
		}
	})
}

func TestAPasskeyInPlaceOfAName(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, passkeyFlows)
		k := o.signedInByName().hasPasskey()
		who := fmt.Sprintf("stages/identification/%v/", results(o.must("GET", "stages/identification/?name=default-authentication-identification", nil))[0]["pk"])
		password := results(o.must("GET", "stages/password/?name=default-authentication-password", nil))[0]["pk"]
		only := results(o.must("GET", "stages/authenticator/validate/?name=only", nil))[0]["pk"]
		if r := byName(t, o.site).do("GET", loginFlow, ""); r.body["passkey_challenge"] != nil {
			t.Errorf("unasked: %s", r.raw)
		}
		for _, row := range []struct {
			name  string
			stage m
		}{{"alone", m{"webauthn_stage": only}}, {"beside a password", m{"webauthn_stage": only, "password_stage": password}}} {
			o.must("PATCH", who, row.stage)
			c := byName(t, o.site)
			options := func() map[string]any {
				t.Helper()
				r := c.follow(c.do("GET", loginFlow, ""))
				options, ok := r.body["passkey_challenge"].(map[string]any)
				if !ok {
					t.Fatalf("%s: %s", row.name, r.raw)
				}
				return options
			}
			if got := options(); got["rpId"] != "localhost" || fmt.Sprint(got["allowCredentials"]) != "[]" || got["userVerification"] != "required" {
				t.Errorf("%s: asked %v", row.name, got)
			}
			sends := func() reply { return c.answers(loginFlow, jsonOf(t, m{"passkey": c.uses(k).Sign(options())})) }
			refused := func(name string, r reply) {
				t.Helper()
				errs, _ := r.body["response_errors"].(map[string]any)
				if r.component() != "ak-stage-identification" || errs["non_field_errors"] == nil || len(errs) != 1 || !strings.Contains(string(r.raw), "was not accepted") {
					t.Errorf("%s, %s: %s", row.name, name, r.raw)
				}
			}
			refused("no passkey at all", c.answers(loginFlow, `{"passkey":{"id":"x"},"uid_field":"akadmin"}`))
			k.Unverified = true
			refused("nobody's finger", sends())
			k.Unverified = false
			k.Origin = evil
			refused("another site", sends())
			k.Origin = c.base
			if r := sends(); r.component() != "xak-flow-redirect" {
				t.Fatalf("%s, a right one: %s", row.name, r.raw)
			}
			if login := o.said("login"); login["auth_method"] != "auth_webauthn_pwl" {
				t.Errorf("%s: login %v", row.name, login)
			}
			c = byName(t, o.site)
			c.do("GET", loginFlow, "")
			if r := c.answers(loginFlow, `{"uid_field":"akadmin","password":"correct horse"}`); r.component() == "ak-stage-identification" {
				t.Errorf("%s, a name: %s", row.name, r.raw)
			}
		}
		if n := o.count("select count(*) from authenticators where last_used is not null"); n != 1 {
			t.Errorf("%d passkeys were used", n)
		}
	})
}
