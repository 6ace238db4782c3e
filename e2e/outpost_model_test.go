package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// canned answers an outpost with these texts in turn, and keeps what it sent.
func canned(t *testing.T, answers ...string) (*outpost, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var sent []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		var body any
		if json.NewDecoder(r.Body).Decode(&body) == nil {
			line, _ := json.Marshal(body)
			sent = append(sent, string(line))
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, answers[0])
		answers = answers[min(1, len(answers)-1):]
	}))
	t.Cleanup(srv.Close)
	return &outpost{schema: publishedSchema(t), url: srv.URL, token: outpostKey, protocol: "ldap"}, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return sent
	}
}

// What the outpost refuses here, ours never sends: a passing walk above means
// something only if it is refused.
func TestOutpostReadsStrictly(t *testing.T) {
	const person = `"pending_user":"","pending_user_avatar":""`
	const device = `"device_class":"totp","device_uid":"1","challenge":{},"last_used":null`
	devices := func(one string) string {
		return `{"component":"ak-stage-authenticator-validate",` + person + `,"configuration_stages":[],"device_challenges":[{` + one + `}]}`
	}
	identification := func(more string) string {
		return `{"component":"ak-stage-identification","user_fields":null,"password_fields":true,"flow_designation":"authentication","primary_action":"","show_source_labels":false` + more + `}`
	}
	for name, row := range map[string]struct{ answer, failure string }{
		"a redirect":                      {`{"component":"xak-flow-redirect","to":"/"}`, ""},
		"a redirect to nowhere":           {`{"component":"xak-flow-redirect"}`, "challenge: no to"},
		"no component":                    {`{"to":"/"}`, `challenge: "": instance was null`},
		"an unknown component":            {`{"component":"ak-stage-new"}`, `challenge: "ak-stage-new": instance was null`},
		"no picture":                      {`{"component":"ak-stage-password","pending_user":""}`, "challenge: no pending_user_avatar"},
		"flow info without layout":        {`{"component":"ak-stage-password",` + person + `,"flow_info":{"cancel_url":""}}`, "challenge.flow_info: no layout"},
		"a new layout":                    {identification(`,"flow_info":{"cancel_url":"","layout":"round"}`), "challenge.flow_info.layout: round is not one of"},
		"an error without code":           {`{"component":"ak-stage-password",` + person + `,"response_errors":{"password":[{"string":"x"}]}}`, "challenge.response_errors.password[0]: no code"},
		"an error":                        {`{"component":"ak-stage-password",` + person + `,"response_errors":{"password":[{"string":"x","code":"y"}]}}`, "flow error password: x"},
		"an error with a denial":          {`{"component":"ak-stage-access-denied",` + person + `,"error_message":"no","response_errors":{"a":[],"b":[{"string":"x","code":"y"}]}}`, "flow error b: x"},
		"a source that it does not know":  {identification(`,"sources":[{"name":"x","challenge":{"component":"ak-source-new"}}]`), ""},
		"a source without name":           {identification(`,"sources":[{"challenge":{"component":"xak-flow-redirect","to":"/"}}]`), "challenge.sources[0]: no name"},
		"a captcha that lacks keys":       {identification(`,"captcha_stage":{"component":"ak-stage-captcha",` + person + `}`), "challenge.captcha_stage: no "},
		"a key that nobody knows":         {identification(`,"new":1`), ""},
		"a device":                        {devices(device), ""},
		"a device of a new class":         {devices(strings.Replace(device, "totp", "pigeon", 1)), "challenge.device_challenges[0].device_class: pigeon is not one of"},
		"a device with a number":          {devices(strings.Replace(device, `"1"`, "1", 1)), "challenge.device_challenges[0].device_uid: 1 is no"},
		"a device of unknown use":         {devices(strings.Replace(device, `,"last_used":null`, "", 1)), "challenge.device_challenges[0]: no last_used"},
		"a device used at no time at all": {devices(strings.Replace(device, `null`, `"yesterday"`, 1)), "challenge.device_challenges[0].last_used: yesterday is no"},
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := canned(t, row.answer, `{"component":"xak-flow-redirect","to":"/"}`)
			_, failure := o.signIn(t, "x", "", "", "123456")
			if !strings.HasPrefix(failure, row.failure) || row.failure == "" && failure != "" {
				t.Errorf("got %q, want %q", failure, row.failure)
			}
		})
	}
}

func TestOutpostChoosesADevice(t *testing.T) {
	device := func(class, uid string) string {
		return fmt.Sprintf(`{"challenge":{},"device_class":%q,"device_uid":%q,"last_used":null}`, class, uid)
	}
	duo, totp, static, key := device("duo", "7"), device("totp", "1"), device("static", "2"), device("webauthn", "-1")
	for _, row := range []struct {
		name, password string
		devices        []string
		sent           string
	}{
		{"a code for the first device that takes one", "x;123456", []string{key, static, totp}, `{"code":"123456","component":"ak-stage-authenticator-validate","selected_challenge":` + static + `}`},
		{"no code", "x", []string{totp}, ""},
		{"no code is needed for Duo", "x", []string{totp, duo}, `{"component":"ak-stage-authenticator-validate","duo":7,"selected_challenge":` + duo + `}`},
		{"Duo first, with a code", "x;123456", []string{duo, totp}, `{"component":"ak-stage-authenticator-validate","duo":7,"selected_challenge":` + duo + `}`},
		{"Duo last, with a code", "x;123456", []string{totp, duo}, `{"code":"123456","component":"ak-stage-authenticator-validate","duo":7,"selected_challenge":` + duo + `}`},
		{"nothing that it can", "x;123456", []string{key}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			o, sent := canned(t, `{"component":"ak-stage-authenticator-validate","pending_user":"","pending_user_avatar":"","configuration_stages":[],"device_challenges":[`+strings.Join(row.devices, ",")+`]}`,
				`{"component":"xak-flow-redirect","to":"/"}`)
			o.mfa = true
			_, failure := o.signIn(t, "x", "", "ada", row.password)
			if got := strings.Join(sent(), "\n"); got != row.sent {
				t.Errorf("sent %s, want %s", got, row.sent)
			}
			if (failure == "no compatible authenticator class found") != (row.sent == "") {
				t.Errorf("the outpost says %q", failure)
			}
		})
	}
}

func TestOutpostTakesTheCodeOffThePassword(t *testing.T) {
	for _, row := range []struct {
		text string
		mfa  bool
		want typed
	}{
		{"secret;123456", false, typed{"ada", "secret;123456", "secret;123456"}},
		{"secret;123456", true, typed{"ada", "secret", "123456"}},
		{"secret;abcd1234", true, typed{"ada", "secret", "abcd1234"}},
		{"a;b;123456", true, typed{"ada", "a;b", "123456"}},
		{"123456;secret", true, typed{"ada", "123456;secret", ""}},
		{"secret", true, typed{"ada", "secret", ""}},
		{"secret;", true, typed{"ada", "secret;", ""}},
		{"secret;12345", true, typed{"ada", "secret;12345", ""}},
		{"secret;1234567", true, typed{"ada", "secret;1234567", ""}},
		{"secret;abcdef", true, typed{"ada", "secret;abcdef", ""}},
		{"secret;abcd-123", true, typed{"ada", "secret;abcd-123", ""}},
		{";123456", true, typed{"ada", "", "123456"}},
	} {
		if got := split("ada", row.text, row.mfa); got != row.want {
			t.Errorf("%q, support %v: got %q, want %q", row.text, row.mfa, got, row.want)
		}
	}
}
