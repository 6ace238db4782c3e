package weir

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// phoneFlow: whoever is signed in sets codes by text message up.
const phoneFlow = `
version: 1
entries:
  - {model: authentik_flows.flow, id: phone, identifiers: {slug: phone}, attrs: {name: phone, title: Phone, designation: stage_configuration, authentication: require_authenticated}}
  - {model: authentik_events.notificationwebhookmapping, id: shape, identifiers: {name: shape}, attrs: {expression: "return {'number': device.phone_number, 'text': 'For ' + user.username + ': ' + token}"}}
  - {model: authentik_stages_authenticator_sms.authenticatorsmsstage, id: sms, identifiers: {name: sms}, attrs: {provider: generic, from_number: "+15550001", account_sid: "%s", auth: a bearer token, auth_type: bearer, mapping: !KeyOf shape}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf phone, stage: !KeyOf sms, order: 1}}
`

func TestCodesByTextMessage(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		messages := make(chan map[string]string, 10)
		var away atomic.Bool
		provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var m map[string]string
			if away.Load() || r.Header.Get("Authorization") != "Bearer a bearer token" || json.NewDecoder(r.Body).Decode(&m) != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			messages <- m
		}))
		t.Cleanup(provider.Close)
		o, _ := codePost(t, s)
		apply(t, o.site, fmt.Sprintf(phoneFlow, provider.URL))
		c := o.setter()
		const set = "/api/v3/flows/executor/phone/"
		if r := c.do("GET", set, ""); r.component() != "ak-stage-authenticator-sms" || r.body["phone_number_required"] != true {
			t.Fatalf("setting up shows %s", r.raw)
		}
		if r := c.do("POST", set, `{"phone_number":"+49 171 1234567"}`); r.body["phone_number_required"] != false || r.body["response_errors"] != nil {
			t.Fatalf("the number leads to %s", r.raw)
		}
		got := <-messages
		code, known := strings.CutPrefix(got["text"], "For ada: ")
		if !known || got["number"] != "+491711234567" {
			t.Fatalf("sent %v", got)
		}
		if r := c.answers(set, fmt.Sprintf(`{"code":%q}`, code)); r.component() != "xak-flow-redirect" {
			t.Fatalf("the code leads to %s", r.raw)
		}
		again := visit(t, o.site)
		if r := again.signIn("ada", "some words"); fmt.Sprint(r.body["device_challenges"]) != "[map[challenge:map[] device_class:sms device_uid:1 last_used:<nil>]]" {
			t.Fatalf("after the password comes %s", r.raw)
		}
		const choose = `{"selected_challenge":{"device_class":"sms","device_uid":"1","challenge":{"phone_number":"+19995550000"},"last_used":null}}`
		away.Store(true)
		if r := again.do("POST", loginFlow, choose); r.problem("non_field_errors") != "The code cannot be sent now. Try again later." {
			t.Errorf("a provider that is away: %s", r.raw)
		}
		if said := o.said("configuration_error"); !strings.Contains(fmt.Sprint(said["message"]), "the provider answered 400") {
			t.Errorf("the event says %v", said)
		}
		away.Store(false)
		again.do("POST", loginFlow, choose)
		if got = <-messages; got["number"] != "+491711234567" {
			t.Errorf("the code went to %v (rule 25)", got)
		}
		code = strings.TrimPrefix(got["text"], "For ada: ")
		if r := again.answers(loginFlow, fmt.Sprintf(`{"code":%q}`, code)); r.component() != "xak-flow-redirect" {
			t.Fatalf("the code leads to %s", r.raw)
		}
		late := visit(t, o.site)
		late.signIn("ada", "some words")
		if r := late.do("POST", loginFlow, fmt.Sprintf(`{"code":%q}`, code)); r.problem("code") == "" {
			t.Errorf("the same code once more: %s", r.raw)
		}
	})
}

// Limits on messages hold for phones as for mailboxes, however often a flow begins.
func TestRule23TextMessagesAreLimited(t *testing.T) {
	var sent atomic.Int32
	provider := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { sent.Add(1) }))
	t.Cleanup(provider.Close)
	s := settings(t)
	sendOften(&s)
	s.Sends.Address = 3
	o, _ := post(t, s)
	apply(t, o.site, strings.Replace(fmt.Sprintf(phoneFlow, provider.URL), ", mapping: !KeyOf shape", "", 1))
	o.setter()
	for range 5 {
		c := visit(t, o.site)
		c.signIn("ada", "some words")
		r := c.do("POST", "/api/v3/flows/executor/phone/", `{"phone_number":"+491711234567"}`)
		if limited := strings.HasPrefix(r.problem("non_field_errors"), "Too many codes"); limited != (r.body["phone_number_required"] == true) {
			t.Errorf("%s", r.raw)
		}
	}
	if n := sent.Load(); n != 3 {
		t.Errorf("%d messages, want 3", n)
	}
}
