package weir

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/duo/duotest"
)

// TestRecipePasswordless: the sign-in page leads to a flow that asks for a passkey and
// nothing else, and takes one in place of a name.
func TestRecipePasswordless(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		const alone, setUp = "/api/v3/flows/executor/default-passwordless-authentication/", "/api/v3/flows/executor/default-authenticator-webauthn-setup/"
		o := recipes(t, s, "passwordless.yaml")
		c := byName(t, o.site)
		if r := c.signIn("ada", "the right one"); r.component() != signedIn {
			t.Fatalf("without a passkey: %s", r.raw)
		}
		k := c.key()
		r := c.answers(setUp, `{"password":"the right one"}`)
		registration, ok := r.body["registration"].(map[string]any)
		if !ok {
			t.Fatalf("setting up: %s", r.raw)
		}
		if r := c.answers(setUp, jsonOf(t, m{"response": c.uses(k).Create(registration)})); r.component() != signedIn {
			t.Fatalf("the passkey is not taken: %s", r.raw)
		}
		c = byName(t, o.site)
		page := c.do("GET", loginFlow, "")
		if page.body["passwordless_url"] != "/if/flow/default-passwordless-authentication/?next=%2Fx" || page.body["passkey_challenge"] == nil {
			t.Errorf("the sign-in page: %s", page.raw)
		}
		for _, lie := range []func(bool){func(on bool) { k.Unverified = on }, func(on bool) { k.Anonymous = on }} {
			lie(true)
			if r, _ := c.signs(alone, k); r.component() != validating {
				t.Errorf("a passkey that does not show whose it is: %s", r.raw)
			}
			lie(false)
		}
		if r, _ := c.signs(alone, k); r.component() != signedIn || c.who() != "ada" {
			t.Errorf("the passkey: %s", r.raw)
		}
		c = byName(t, o.site)
		options := c.do("GET", loginFlow, "").body["passkey_challenge"].(map[string]any)
		if r := c.answers(loginFlow, jsonOf(t, m{"passkey": c.uses(k).Sign(options)})); r.component() != signedIn || c.who() != "ada" {
			t.Errorf("in place of a name: %s", r.raw)
		}
		// The password alone suffices no more.
		if r := byName(t, o.site).signIn("ada", "the right one"); r.component() != validating {
			t.Errorf("with the password: %s", r.raw)
		}
	})
}

// offered tells whether the page of second factors leads to what is called so.
func (c *client) offered(name string) bool {
	c.t.Helper()
	return strings.Contains(string(c.do("GET", confirmPage, "").raw), "<bdi>"+name+"</bdi></a>")
}

// TestRecipeSecondStepByMail: codes go to the person's address, once they have typed
// the password again.
func TestRecipeSecondStepByMail(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		const setUp, name = "/api/v3/flows/executor/default-authenticator-email-setup/", "Get codes by e-mail"
		server := mailServer(t, &s)
		sendOften(&s)
		o := recipes(t, s, "second-step-email.yaml")
		o.must("PATCH", fmt.Sprintf("core/users/%d/", o.number("ada")), m{"email": "ada@example.com"})
		c := visit(t, o.site)
		c.signIn("ada", "the right one")
		if !c.offered(name) {
			t.Error("it is not offered")
		}
		if r := c.do("GET", setUp, ""); r.component() != "ak-stage-password" {
			t.Errorf("setting up begins with %s", r.raw)
		}
		c.answers(setUp, `{"password":"the right one"}`)
		if r := c.answers(setUp, fmt.Sprintf(`{"code":%q}`, codeOf(t, server.Wait(t, 1)[0]))); r.component() != signedIn {
			t.Fatalf("the code is not taken: %s", r.raw)
		}
		if c.offered(name) {
			t.Error("it is offered to somebody who has it")
		}
		if page := string(c.do("GET", confirmPage, "").raw); !strings.Contains(page, "ada@example.com") {
			t.Errorf("the page: %s", page)
		}
		c = visit(t, o.site)
		if r := c.signIn("ada", "the right one"); r.component() != validating {
			t.Fatalf("signing in: %s", r.raw)
		}
		c.answers(loginFlow, chooseMailbox)
		if r := c.types(codeOf(t, server.Wait(t, 2)[1])); r.component() != signedIn {
			t.Errorf("with the code: %s", r.raw)
		}
	})
}

// TestRecipeSecondStepByTextMessage: the token comes from the environment.
func TestRecipeSecondStepByTextMessage(t *testing.T) {
	t.Setenv("SMS_TOKEN", "the token of the provider")
	messages := make(chan string, 1)
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var sent struct{ Body string }
		if r.Header.Get("Authorization") != "Bearer the token of the provider" || json.NewDecoder(r.Body).Decode(&sent) != nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		messages <- sent.Body
	}))
	t.Cleanup(provider.Close)
	const setUp = "/api/v3/flows/executor/default-authenticator-sms-setup/"
	o := recipes(t, settings(t), "second-step-sms.yaml")
	stage := results(o.must("GET", "stages/authenticator/sms/", nil))[0]
	if stage["account_sid"] != "https://sms.example.com/messages" || stage["from_number"] != "+15550100" {
		t.Errorf("the stage: %v", stage)
	}
	o.must("PATCH", fmt.Sprintf("stages/authenticator/sms/%v/", stage["pk"]), m{"account_sid": provider.URL})
	c := visit(t, o.site)
	c.signIn("ada", "the right one")
	if !c.offered("Get codes by text message") {
		t.Error("it is not offered")
	}
	c.answers(setUp, `{"password":"the right one"}`)
	if r := c.answers(setUp, `{"phone_number":"+491711234567"}`); r.body["response_errors"] != nil {
		t.Fatalf("the number: %s", r.raw)
	}
	if r := c.answers(setUp, fmt.Sprintf(`{"code":%q}`, <-messages)); r.component() != signedIn {
		t.Fatalf("the code is not taken: %s", r.raw)
	}
	if page := string(c.do("GET", confirmPage, "").raw); !strings.Contains(page, "491711234567") {
		t.Errorf("the page: %s", page)
	}
}

// TestRecipeSecondStepByDuo: the secret comes from the environment.
func TestRecipeSecondStepByDuo(t *testing.T) {
	t.Setenv("DUO_SECRET", duotest.Secret)
	const setUp = "/api/v3/flows/executor/default-authenticator-duo-setup/"
	o := recipes(t, settings(t), "second-step-duo.yaml")
	account := duotest.New(t)
	o.site.duo.Client.Transport = account.Client.Transport
	stage := results(o.must("GET", "stages/authenticator/duo/", nil))[0]
	if stage["client_id"] != "DIXXXXXXXXXXXXXXXXXX" || stage["api_hostname"] != "api-XXXXXXXX.duosecurity.com" {
		t.Errorf("the stage: %v", stage)
	}
	o.must("PATCH", fmt.Sprintf("stages/authenticator/duo/%v/", stage["pk"]), m{"client_id": duotest.Key, "api_hostname": account.Host})
	c := visit(t, o.site)
	c.signIn("ada", "the right one")
	if !c.offered("Set up Duo") {
		t.Error("it is not offered")
	}
	if r := c.answers(setUp, `{"password":"the right one"}`); r.component() != "ak-stage-authenticator-duo" {
		t.Fatalf("after the password: %s", r.raw)
	}
	account.Activate("ada")
	if r := c.answers(setUp, `{}`); r.component() != signedIn {
		t.Fatalf("the phone is not taken: %s", r.raw)
	}
}
