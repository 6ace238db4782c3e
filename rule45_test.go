package weir

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// keyRoutes are the addresses that exist to show a secret; that is recorded.
var keyRoutes = []string{"core/tokens/{identifier}/view_key/", pairs + "{kp_uuid}/view_private_key/"}

// otherParameters are parts of addresses that are no keys of the kind that the
// guard asks about.
var otherParameters = map[string]string{
	"weir/history/{revision}/":               "2",
	"admin/version/history/{id}/":            "1",
	"core/applications/{slug}/check_access/": "planted",
	"flows/executor/{flow_slug}/":            "default-authentication-flow",
	"flows/inspector/{flow_slug}/":           "default-authentication-flow",
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// Whoever may read everything still reads no secret: every address is asked, as
// superuser, about objects that have some.
func TestRule45NoAddressShowsASecret(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o, server := post(t, s)
		server.OnRecipient(func(string) error { return &smtp.SMTPError{Code: 451, Message: "later"} })
		secrets := plantSecrets(o)
		asked := 0
		for _, r := range o.site.api.Routes() {
			if r.Method != http.MethodGet || slices.Contains(keyRoutes, r.Path) {
				continue
			}
			paths := []string{r.Path}
			switch {
			case !strings.Contains(r.Path, "{"):
			case strings.Contains(r.Path, "{execution_uuid}"):
				o.member("walker", "the plain password")
				o.signedIn("walker", "the plain password")
				paths = nil
				for _, run := range o.call(root, "GET", "weir/executions/", nil).list {
					paths = append(paths, parameter.ReplaceAllString(r.Path, fmt.Sprint(run.(map[string]any)["execution"])))
				}
				if len(paths) == 0 {
					t.Errorf("GET %s: no flow has been walked", r.Path)
				}
			case otherParameters[r.Path] != "":
				paths = []string{parameter.ReplaceAllString(r.Path, otherParameters[r.Path])}
			case r.Guard.Kind != nil && strings.Contains(r.Path, "{"+r.Guard.Kind.Param+"}"):
				paths = nil
				for _, key := range keysOf(o, r.Guard.Kind) {
					paths = append(paths, strings.Replace(r.Path, "{"+r.Guard.Kind.Param+"}", url.PathEscape(key), 1))
				}
				if len(paths) == 0 {
					t.Errorf("GET %s: there is no %s to ask about; plantSecrets makes one", r.Path, r.Guard.Kind.Model)
				}
			default:
				t.Errorf("GET %s: say in otherParameters what to ask for", r.Path)
				continue
			}
			for _, path := range paths {
				switch r.Path {
				case "rbac/permissions/assigned_by_roles/":
					path += "?model=authentik_core.token"
				case "events/events/":
					path += "?page_size=1000"
				case "events/events/stats/":
					path += "?count_steps=days=1"
				case "weir/diff/":
					path += "?from=0"
				case "mail/preview/":
					path += "?template=email/invitation.html"
				}
				a := o.call(root, "GET", path, nil)
				// A flow without stages cannot be executed, nor one without its link or for people who have no account.
				// A token has no run of its own to inspect.
				barred := a.status == 400 && (strings.HasSuffix(path, "/execute/") || strings.HasPrefix(path, "flows/inspector/"))
				if a.status != 200 && a.status != 204 && a.status != 302 && !barred {
					t.Errorf("GET %s = %d %s", path, a.status, a.raw)
				}
				asked++
				for what, secret := range secrets {
					if strings.Contains(a.raw, secret) || strings.Contains(fmt.Sprint(a.header), secret) {
						t.Errorf("GET %s shows %s", path, what)
					}
				}
			}
		}
		if asked < 100 {
			t.Errorf("only %d addresses were asked", asked)
		}
		if a := o.call(root, "GET", "core/tokens/of-ada/view_key/", nil); a.object["key"] != secrets["the key of a token"] {
			t.Errorf("the key is %s, so the others prove nothing", a.raw)
		}
	})
}

// plantSecrets makes objects of every kind that the default flows do not have,
// and returns what must not be seen of them.
func plantSecrets(o *office) map[string]string {
	t := o.t
	t.Helper()
	ada := o.user("ada", m{"groups": []string{o.group("group", nil)}, "roles": []string{o.role("role", "view_flow")}})
	o.must("POST", fmt.Sprintf("core/users/%d/set_password/", ada), m{"password": "the plain password"})
	o.must("POST", "core/tokens/", m{"identifier": "of-ada", "intent": "api", "user": ada})
	o.must("POST", "core/tokens/", m{"identifier": "for-mail", "intent": "app_password", "user": ada})
	o.must("POST", "rbac/permissions/assigned_by_roles/"+o.role("narrow")+"/assign/", m{"permissions": []string{"view_user"}, "model": "authentik_core.user",
		"object_pk": fmt.Sprint(ada)})
	apply(t, o.site, plantedFile)
	hooks := results(o.must("GET", "events/transports/?name=planted-hook", nil))
	o.must("POST", "events/transports/"+results(o.must("GET", "events/transports/?name=planted-here", nil))[0]["pk"].(string)+"/test/", nil)
	o.must("PATCH", "events/transports/"+hooks[0]["pk"].(string)+"/", m{"send_once": true})
	o.must("POST", fmt.Sprintf("core/users/%d/set_password/", ada), m{"password": "the plain password"})
	app := o.must("GET", "core/applications/planted/", nil)["pk"].(string)
	if _, err := o.site.db.Exec(t.Context(), "insert into consents (user_id, application_id, permissions, created) values ($1, $2, '', $3)", ada, app, time.Now()); err != nil {
		t.Fatal(err)
	}
	apply(t, o.site, setUpFlows)
	apply(t, o.site, passkeyFlows)
	pair := pairs + o.must("POST", pairs+"generate/", m{"common_name": "planted", "validity_days": 1, "alg": "ecdsa"})["pk"].(string) + "/"
	named, chief := o.signedInByName(), o.signedIn("akadmin", "correct horse")
	named.hasPasskey()
	mobile, codes := chief.hasApp(), chief.hasCodes()
	o.plantDevice("sms", m{"to": "+491711234567", "code": m{"text": "the code on a phone"}})
	o.plantDevice("email", m{"to": "root@example.com", "code": m{"text": "the code in a mail"}})
	o.plantDevice("duo", m{})
	c := visit(t, o.site)
	c.signIn("ada", "the plain password")
	visit(t, o.site).signIn("ada", "the wrong password")
	mailed := []policy.Mail{{To: []string{"ada@example.com"}, Subject: "planted", Body: "https://id.example.org/?flow_token=the-link-of-a-mail"}}
	if err := o.site.recordAsked(t.Context(), nil, nil, nil, nil, mailed); err != nil {
		t.Fatal(err)
	}
	read := func(sql string, args ...any) (out string) {
		t.Helper()
		if err := o.site.db.QueryRow(t.Context(), sql, args...).Scan(&out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	return map[string]string{
		"a password":                  "the plain password",
		"the key of an app":           mobile.key,
		"a recovery code":             codes[0].(string),
		"a code on a phone":           "the code on a phone",
		"the token of a provider":     "the token of a text message provider",
		"its password":                "the password of a text message provider",
		"the secret of Duo":           "the secret key of a Duo application",
		"that of its administrator":   "the secret key of a Duo administrator",
		"a code in a mail":            "the code in a mail",
		"the password of one more":    "the password of another mail server",
		"the key of a certificate":    strings.Split(o.must("GET", pair+"view_private_key/", nil)["data"].(string), "\n")[1],
		"the key of a captcha":        "the private key of a captcha",
		"the password of a server":    "the password of a mail server",
		"the secret of a webhook":     "the planted signing secret",
		"a wrong password":            "the wrong password",
		"the link in a mail":          "the-link-of-a-mail",
		"a password hash":             read("select password_hash from users where id = $1", ada),
		"an earlier hash":             read("select hash from password_history where user_id = $1", ada),
		"the key of a token":          o.must("GET", "core/tokens/of-ada/view_key/", nil)["key"].(string),
		"the key of an app password":  o.must("GET", "core/tokens/for-mail/view_key/", nil)["key"].(string),
		"the hash of a token":         read("select key_hash from tokens where identifier = 'of-ada'"),
		"the superuser's token":       root,
		"the superuser's password":    "correct horse",
		"the superuser's hash":        read("select password_hash from users where username = 'akadmin'"),
		"the cookie of a session":     c.session(),
		"the stored key of a session": read("select key from sessions where user_id = $1", ada),
	}
}

const plantedFile = `
version: 1
entries:
  - {model: authentik_stages_dummy.dummystage, identifiers: {name: planted-dummy}}
  - {model: authentik_stages_deny.denystage, identifiers: {name: planted-deny}}
  - {model: authentik_stages_redirect.redirectstage, identifiers: {name: planted-redirect}, attrs: {mode: static, target_static: "https://example.com/"}}
  - {model: authentik_stages_captcha.captchastage, identifiers: {name: planted-captcha}, attrs: {public_key: site, private_key: the private key of a captcha}}
  - {model: authentik_stages_email.emailstage, identifiers: {name: planted-mail}, attrs: {password: the password of a mail server}}
  - {model: authentik_stages_authenticator_email.authenticatoremailstage, identifiers: {name: planted-codes}, attrs: {password: the password of another mail server}}
  - {model: authentik_stages_authenticator_sms.authenticatorsmsstage, identifiers: {name: planted-sms}, attrs: {provider: generic, from_number: "1", account_sid: "https://example.com/", auth: the token of a text message provider, auth_password: the password of a text message provider}}
  - {model: authentik_stages_authenticator_duo.authenticatorduostage, identifiers: {name: planted-duo}, attrs: {client_id: DI1, client_secret: the secret key of a Duo application, api_hostname: api.example.com, admin_integration_key: DI2, admin_secret_key: the secret key of a Duo administrator}}
  - {model: authentik_stages_mtls.mutualtlsstage, identifiers: {name: planted-mtls}, attrs: {mode: optional, cert_attribute: email, user_attribute: email}}
  - {model: authentik_stages_account_lockdown.accountlockdownstage, identifiers: {name: planted-lockdown}}
  - {model: authentik_stages_user_delete.userdeletestage, identifiers: {name: planted-delete}}
  - {model: authentik_stages_invitation.invitationstage, identifiers: {name: planted-invitation}}
  - {model: authentik_stages_invitation.invitation, identifiers: {name: planted}}
  - {model: authentik_stages_consent.consentstage, identifiers: {name: planted-consent}}
  - {model: authentik_stages_user_write.userwritestage, identifiers: {name: planted-write}}
  - {model: authentik_stages_prompt.prompt, id: field, identifiers: {name: planted-field}, attrs: {field_key: planted, label: Planted, type: text}}
  - {model: authentik_stages_prompt.promptstage, identifiers: {name: planted-form}, attrs: {fields: [!KeyOf field]}}
  - {model: authentik_policies_dummy.dummypolicy, identifiers: {name: planted-policy}}
  - {model: authentik_policies_event_matcher.eventmatcherpolicy, identifiers: {name: planted-matcher}, attrs: {action: login}}
  - {model: authentik_policies_reputation.reputationpolicy, identifiers: {name: planted-reputation}}
  - {model: authentik_policies_geoip.geoippolicy, identifiers: {name: planted-place}, attrs: {countries: [DE]}}
  - {model: authentik_events.notificationtransport, identifiers: {name: planted-here}, attrs: {mode: local}}
  - {model: authentik_events.notificationtransport, id: hook, identifiers: {name: planted-hook}, attrs: {mode: webhook, webhook_url: "https://example.com/", webhook_signing_secret: the planted signing secret}}
  - {model: authentik_events.notificationrule, identifiers: {name: planted}, attrs: {transports: [!KeyOf hook]}}
  - {model: authentik_events.notificationwebhookmapping, identifiers: {name: planted}, attrs: {expression: return 1}}
  - {model: authentik_policies_password.passwordpolicy, identifiers: {name: planted-password}}
  - {model: authentik_policies_expiry.passwordexpirypolicy, identifiers: {name: planted-expiry}, attrs: {days: 90}}
  - {model: authentik_policies_unique_password.uniquepasswordpolicy, id: unique, identifiers: {name: planted-unique}}
  - {model: authentik_core.application, id: planted, identifiers: {slug: planted}, attrs: {name: Planted}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf planted, policy: !KeyOf unique, order: 0}, attrs: {enabled: false}}
  - {model: authentik_core.applicationentitlement, identifiers: {app: !KeyOf planted, name: planted}}
  - {model: authentik_rbac.role, id: role, identifiers: {name: planted}}
  - {model: authentik_rbac.initialpermissions, identifiers: {name: planted}, attrs: {role: !KeyOf role}}
  - {model: authentik_blueprints.blueprintinstance, identifiers: {name: planted}, attrs: {content: "version: 1", enabled: false}}
`

// plantDevice gives the superuser a device that keeps data.
func (o *office) plantDevice(class string, data any) {
	o.t.Helper()
	d := &authenticator.Device{Class: class, Name: "planted", Confirmed: true}
	err := o.site.db.QueryRow(o.t.Context(), "select id from users where username = 'akadmin'").Scan(&d.User)
	if err == nil {
		err = d.Write(data)
	}
	if err == nil {
		err = o.site.db.Write(o.t.Context(), func(ctx context.Context, tx store.Tx) error { return o.site.authenticators.Add(ctx, tx, d) })
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

// keysOf are the keys of some objects of a kind, as addresses have them.
func keysOf(o *office, k *resource.Kind) []string {
	o.t.Helper()
	var out []string
	for _, object := range results(o.must("GET", k.Path+"/?page_size=3&ordering=-pk", nil)) {
		key := object[k.Key]
		if key == nil {
			key = object[k.Param]
		}
		switch v := key.(type) {
		case float64:
			out = append(out, fmt.Sprintf("%.0f", v))
		case string:
			out = append(out, v)
		}
	}
	return out
}
