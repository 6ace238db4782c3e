package weir

import (
	"fmt"
	"strings"
	"testing"
)

func TestTransportsAreTriedOut(t *testing.T) {
	o := openOffice(t, settings(t))
	h := newHooks(t, func(n int) int { return map[int]int{1: 200, 2: 418}[n] })
	make := func(body m) string { return o.must("POST", "events/transports/", body)["pk"].(string) }
	local, hook, mailed := make(m{"name": "here", "mode": "local"}), make(m{"name": "hook", "mode": "webhook_slack", "webhook_url": h.URL + "/T0P-s3cret"}), make(m{"name": "mail", "mode": "email"})
	_, viewer := o.clerk("viewer", "view_notificationtransport")
	_, changer := o.clerk("changer", "view_notificationtransport", "change_notificationtransport")
	for _, row := range []struct {
		name, token, transport string
		status                 int
		says                   string
	}{
		{"stored", root, local, 200, "was stored"},
		{"accepted", root, hook, 200, "has accepted"},
		{"refused", root, hook, 400, "answered 418"},
		{"without an address", root, mailed, 200, "no e-mail address"},
		{"by somebody who may only look", viewer, local, 403, "change_notificationtransport"},
		{"by somebody who may change it", changer, local, 200, "was stored"},
		{"none", root, "11111111-1111-4111-8111-111111111111", 404, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := o.call(row.token, "POST", "events/transports/"+row.transport+"/test/", nil)
			if a.status != row.status || !strings.Contains(a.raw, row.says) || strings.Contains(a.raw, "s3cret") {
				t.Errorf("%d %s", a.status, a.raw)
			}
		})
	}
	me := o.must("GET", "core/users/me/", nil)["user"].(m)["pk"].(float64)
	o.must("PATCH", fmt.Sprintf("core/users/%.0f/", me), m{"email": "root@example.org"})
	if a := o.call(root, "POST", "events/transports/"+mailed+"/test/", nil); a.status != 400 || !strings.Contains(a.raw, "no mail server is configured") {
		t.Errorf("without a mail server: %d %s", a.status, a.raw)
	}
}

func TestWhatTransportsRefuse(t *testing.T) {
	o := openOffice(t, settings(t))
	for _, row := range []struct {
		name, field string
		body        m
	}{
		{"a webhook without an address", "webhook_url", m{"mode": "webhook"}},
		{"an address that is none", "webhook_url", m{"mode": "webhook", "webhook_url": "file:///etc/passwd"}},
		{"an address without a host", "webhook_url", m{"mode": "webhook", "webhook_url": "https:///x"}},
		{"a certificate", "webhook_ca", m{"mode": "webhook", "webhook_url": "https://example.org/", "webhook_ca": "11111111-1111-4111-8111-111111111111"}},
		{"a short secret", "webhook_signing_secret", m{"mode": "local", "webhook_signing_secret": "short"}},
		{"a prefix of two lines", "email_subject_prefix", m{"mode": "email", "email_subject_prefix": "a\nBcc: x"}},
		{"a mode that is none", "mode", m{"mode": "log"}},
		{"a mapping that is none", "webhook_mapping_body", m{"mode": "local", "webhook_mapping_body": "11111111-1111-4111-8111-111111111111"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.body["name"] = "x"
			if a := o.call(root, "POST", "events/transports/", row.body); a.status != 400 || a.object[row.field] == nil {
				t.Errorf("%d %s", a.status, a.raw)
			}
		})
	}
}

func TestMappingsAreCompiledAndTriedOut(t *testing.T) {
	o := openOffice(t, settings(t))
	bad := o.call(root, "POST", "propertymappings/notification/", m{"name": "x", "expression": "a = 1\nreturn ("})
	if bad.status != 400 || !strings.Contains(bad.raw, "line 2") {
		t.Errorf("a faulty expression: %d %s", bad.status, bad.raw)
	}
	ada := o.user("ada", nil)
	made := o.must("POST", "propertymappings/notification/", m{"name": "x", "expression": "return {'who': user.username, 'body': notification.body, 'more': extra}"})
	path := "propertymappings/all/" + made["pk"].(string) + "/"
	if got := o.must("GET", path, nil); got["managed"] != nil || got["meta_model_name"] != "authentik_events.notificationwebhookmapping" || got["expression"] != made["expression"] {
		t.Errorf("as any mapping: %v", got)
	}
	test := func(token string, body m) answer { return o.call(token, "POST", path+"test/", body) }
	got := test(root, m{"user": ada, "context": m{"extra": []any{1, "b"}, "notification": nil}})
	if got.object["successful"] != false || !strings.Contains(got.raw, "AttributeError") {
		t.Errorf("the context says that there is no notification: %s", got.raw)
	}
	if got := test(root, m{"user": ada, "context": m{"extra": []any{1, "b"}}}); got.object["successful"] != true || !strings.Contains(got.object["result"].(string), `"more":[1,"b"],"who":"ada"`) {
		t.Errorf("tried out: %s", got.raw)
	}
	if got := test(root, m{}); got.object["successful"] != false || !strings.Contains(got.raw, "extra") {
		t.Errorf("without the context: %s", got.raw)
	}
	_, viewer := o.clerk("viewer", "view_notificationwebhookmapping", "view_propertymapping")
	if got := test(viewer, m{}); got.status != 403 {
		t.Errorf("by somebody who may only look: %d %s", got.status, got.raw)
	}
	_, changer := o.clerk("changer", "view_propertymapping", "view_notificationwebhookmapping", "change_notificationwebhookmapping")
	if got := test(changer, m{"user": ada}); got.status != 403 || !strings.Contains(got.raw, "view_user") {
		t.Errorf("for a user whom they may not see: %d %s", got.status, got.raw)
	}
}

// A blueprint brings the kinds with it, and the deletion of what they refer to
// leaves them whole.
func TestNotificationsInBlueprints(t *testing.T) {
	o := openOffice(t, settings(t))
	apply(t, o.site, `
version: 1
entries:
  - {model: authentik_core.group, id: staff, identifiers: {name: staff}}
  - {model: authentik_events.notificationwebhookmapping, id: body, identifiers: {name: body}, attrs: {expression: "return 1"}}
  - {model: authentik_events.notificationtransport, id: hook, identifiers: {name: hook}, attrs: {mode: webhook, webhook_url: "https://example.org/x", webhook_mapping_body: !KeyOf body, webhook_signing_secret: `+hookSecret+`}}
  - {model: authentik_policies_dummy.dummypolicy, id: always, identifiers: {name: always}, attrs: {result: true}}
  - {model: authentik_events.notificationrule, id: rule, identifiers: {name: rule}, attrs: {severity: warning, destination_group: !KeyOf staff, transports: [!KeyOf hook]}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf rule, policy: !KeyOf always, order: 0}}
`)
	rules := results(o.must("GET", "events/rules/?destination_group__name=staff&severity=warning", nil))
	if len(rules) != 1 || len(results(o.must("GET", "events/rules/?destination_group__name=other", nil))) != 0 {
		t.Fatalf("rules: %v", rules)
	}
	r := rules[0]
	group, _ := r["destination_group_obj"].(map[string]any)
	if group["name"] != "staff" || len(r["transports"].([]any)) != 1 {
		t.Errorf("rule: %v", r)
	}
	hook := results(o.must("GET", "events/transports/?name=hook", nil))[0]
	if _, shown := hook["webhook_signing_secret"]; shown || hook["mode_verbose"] != "Generic Webhook" {
		t.Errorf("transport: %v", hook)
	}
	o.must("DELETE", "propertymappings/all/"+hook["webhook_mapping_body"].(string)+"/", nil)
	o.must("DELETE", "core/groups/"+group["pk"].(string)+"/", nil)
	hook = o.must("GET", "events/transports/"+hook["pk"].(string)+"/", nil)
	r = o.must("GET", "events/rules/"+r["pk"].(string)+"/", nil)
	if hook["webhook_mapping_body"] != nil || r["destination_group"] != nil || r["destination_group_obj"] != nil {
		t.Errorf("left: %v, %v", hook, r)
	}
	o.must("DELETE", "events/transports/"+hook["pk"].(string)+"/", nil)
	if r = o.must("GET", "events/rules/"+r["pk"].(string)+"/", nil); len(r["transports"].([]any)) != 0 {
		t.Errorf("left: %v", r)
	}
}
