package weir

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/passkey/passkeytest"
)

func TestMakingAPasskey(t *testing.T) {
	o := openOffice(t, settings(t))
	apply(t, o.site, passkeyFlows)
	stage := fmt.Sprintf("stages/authenticator/webauthn/%v/", results(o.must("GET", "stages/authenticator/webauthn/?name=make", nil))[0]["pk"])
	c := byName(t, o.site)
	c.signIn("akadmin", "correct horse")
	options := c.do("GET", passkeyFlow, "").body["registration"].(map[string]any)
	algorithms := []any{}
	for _, a := range []float64{-7, -8, -36, -37, -38, -39, -257, -258, -259} {
		algorithms = append(algorithms, map[string]any{"type": "public-key", "alg": a})
	}
	want := map[string]any{"rp": map[string]any{"name": "Weir", "id": "localhost"}, "challenge": options["challenge"], "pubKeyCredParams": algorithms, "timeout": float64(60000),
		"user":               map[string]any{"id": options["user"].(map[string]any)["id"], "name": "akadmin", "displayName": options["user"].(map[string]any)["displayName"]},
		"excludeCredentials": []any{}, "attestation": "direct",
		"authenticatorSelection": map[string]any{"residentKey": "preferred", "requireResidentKey": false, "userVerification": "preferred"}}
	if diff := cmp.Diff(want, options); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
	o.must("PATCH", stage, m{"user_verification": "required", "resident_key_requirement": "required", "authenticator_attachment": "cross-platform", "hints": []any{"security-key"}})
	c = byName(t, o.site)
	c.signIn("akadmin", "correct horse")
	options = c.do("GET", passkeyFlow, "").body["registration"].(map[string]any)
	if diff := cmp.Diff(map[string]any{"residentKey": "required", "requireResidentKey": true, "userVerification": "required", "authenticatorAttachment": "cross-platform"},
		options["authenticatorSelection"]); diff != "" || fmt.Sprint(options["hints"]) != "[security-key]" {
		t.Errorf("selection (-want +got):\n%s and hints %v", diff, options["hints"])
	}

	unknown := uuid.MustParse("01020304-0506-0708-0102-030405060708")
	for _, row := range []struct {
		name  string
		stage m
		lie   func(k *passkeytest.Key)
		// problem is what the person is told; empty when the passkey is taken.
		problem string
	}{
		{"a right one", m{}, func(*passkeytest.Key) {}, ""},
		{"one that does not make sure of its owner", m{}, func(k *passkeytest.Key) { k.Unverified = true }, "That did not work"},
		{"one from another site", m{}, func(k *passkeytest.Key) { k.Origin = evil }, "That did not work"},
		{"without attestation", m{}, func(k *passkeytest.Key) { k.Attestation = "none" }, ""},
		{"a listed make", m{"device_type_restrictions": []any{titan}}, func(*passkeytest.Key) {}, ""},
		{"another make", m{"device_type_restrictions": []any{unknown.String()}}, func(*passkeytest.Key) {}, "is not allowed here"},
		{"a listed make without attestation", m{"device_type_restrictions": []any{titan}}, func(k *passkeytest.Key) { k.Attestation = "none" }, "is not allowed here"},
		{"any unknown make", m{"device_type_restrictions": []any{uuid.Nil.String()}}, func(k *passkeytest.Key) { k.AAGUID = unknown }, ""},
		{"a known make where unknown ones are allowed", m{"device_type_restrictions": []any{uuid.Nil.String()}}, func(*passkeytest.Key) {}, "is not allowed here"},
	} {
		if row.stage["device_type_restrictions"] == nil {
			row.stage["device_type_restrictions"] = []any{}
		}
		o.must("PATCH", stage, row.stage)
		before := o.count("select count(*) from authenticators")
		c := o.signedInByName()
		k := c.key()
		row.lie(k)
		r := c.registers(k)
		made := o.count("select count(*) from authenticators") - before
		if row.problem == "" && (r.component() != "xak-flow-redirect" || made != 1) || row.problem != "" && (!strings.Contains(string(r.raw), row.problem) || made != 0) {
			t.Errorf("%s: %d made, %s", row.name, made, r.raw)
		}
		o.exec("delete from authenticators")
	}
	named := o.must("PATCH", stage, m{"device_type_restrictions": []any{titan, uuid.Nil.String()}})["device_type_restrictions_obj"]
	if diff := cmp.Diff([]any{map[string]any{"aaguid": titan, "description": "Google Titan Security Key v2"}, map[string]any{"aaguid": uuid.Nil.String(), "description": "Unknown make"}}, named); diff != "" {
		t.Errorf("restrictions (-want +got):\n%s", diff)
	}
}

// signedInByName is the administrator at the name of the site, with a password alone.
func (o *office) signedInByName() *client {
	o.t.Helper()
	c := byName(o.t, o.site)
	if r := c.signIn("akadmin", "correct horse"); r.component() != "xak-flow-redirect" {
		o.t.Fatalf("signing in: %s", r.raw)
	}
	return c
}

func TestAPasskeyIsRegisteredOnce(t *testing.T) {
	o := openOffice(t, settings(t))
	apply(t, o.site, passkeyFlows)
	stage := fmt.Sprintf("stages/authenticator/webauthn/%v/", results(o.must("GET", "stages/authenticator/webauthn/?name=make", nil))[0]["pk"])
	o.must("PATCH", stage, m{"max_attempts": 2})
	o.member("max", "first")
	k := o.signedInByName().hasPasskey()
	c := byName(t, o.site)
	c.signIn("max", "first")
	if r := c.registers(k); !strings.Contains(string(r.raw), "registered already") {
		t.Errorf("the first time: %s", r.raw)
	}
	if r := c.registers(k); r.component() != "ak-stage-access-denied" {
		t.Errorf("the second time: %s", r.raw)
	}
	if n := o.count("select count(*) from authenticators"); n != 1 {
		t.Errorf("%d passkeys", n)
	}
	list := results(o.must("GET", "authenticators/admin/webauthn/", nil))
	if want := map[string]any{"aaguid": titan, "description": "Google Titan Security Key v2"}; len(list) != 1 || !cmp.Equal(want, list[0]["device_type"]) || list[0]["aaguid"] != titan {
		t.Errorf("devices %v", list)
	}
}

func TestRule30OnlyAllowedMakesConfirm(t *testing.T) {
	o := openOffice(t, settings(t))
	apply(t, o.site, passkeyFlows)
	stage := fmt.Sprintf("stages/authenticator/validate/%v/", results(o.must("GET", "stages/authenticator/validate/?name=default-authentication-mfa-validation", nil))[0]["pk"])
	vouched := o.signedInByName().hasPasskey()
	c := byName(t, o.site)
	c.signIn("akadmin", "correct horse")
	if r, _ := c.signs(loginFlow, vouched); r.component() != "xak-flow-redirect" {
		t.Fatalf("the second factor: %s", r.raw)
	}
	claims := c.key()
	claims.Attestation = "none"
	if r := c.registers(claims); r.component() != "xak-flow-redirect" {
		t.Fatalf("without a list: %s", r.raw)
	}
	o.must("PATCH", stage, m{"not_configured_action": "deny", "webauthn_allowed_device_types": []any{titan}, "webauthn_hints": []any{"hybrid"}})
	c = byName(t, o.site)
	options := asked(t, c.signIn("akadmin", "correct horse"))
	if list := options["allowCredentials"].([]any); len(list) != 1 || fmt.Sprint(options["hints"]) != "[hybrid]" {
		t.Errorf("asked %v", options)
	}
	if r, _ := c.signs(loginFlow, claims); r.component() != validating {
		t.Errorf("one that only claims its make: %s", r.raw)
	}
	if r, _ := c.signs(loginFlow, vouched); r.component() != "xak-flow-redirect" {
		t.Errorf("one that is vouched for: %s", r.raw)
	}
	o.must("PATCH", stage, m{"webauthn_allowed_device_types": []any{"bada5566-a7aa-401f-bd96-45619a55120d"}})
	if r := byName(t, o.site).signIn("akadmin", "correct horse"); r.component() != "ak-stage-access-denied" || !strings.Contains(string(r.raw), "no authenticator that can be used here") {
		t.Errorf("none of an allowed make: %s", r.raw)
	}
}

func TestKnownMakes(t *testing.T) {
	o := openOffice(t, settings(t))
	const all = "stages/authenticator/webauthn_device_types/"
	for query, want := range map[string]int{"?search=titan%20security%20key%20v2": 1, "?description=Unknown%20make": 1, "?aaguid=" + titan: 1, "?aaguid=" + strings.ToUpper(titan): 1,
		"?aaguid=01020304-0506-0708-0102-030405060708": 0, "?page_size=7": 7} {
		if got := len(results(o.must("GET", all+query, nil))); got != want {
			t.Errorf("%s finds %d, want %d", query, got, want)
		}
	}
	if one := o.must("GET", all+titan+"/", nil); one["description"] != "Google Titan Security Key v2" {
		t.Errorf("one %v", one)
	}
	_, stranger := o.clerk("stranger")
	for _, row := range []struct {
		token, method, path string
		status              int
	}{{root, "GET", all + "01020304-0506-0708-0102-030405060708/", 404}, {root, "POST", all, 405}, {root, "DELETE", all + titan + "/", 405}, {stranger, "GET", all + titan + "/", 403}, {"", "GET", all, 403}} {
		if a := o.call(row.token, row.method, row.path, nil); a.status != row.status {
			t.Errorf("%s %s: %d, want %d", row.method, row.path, a.status, row.status)
		}
	}
}
