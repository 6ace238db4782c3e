package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/weir-id/weir/internal/stages/authenticatortotp/totptest"
)

// The published flows that set second factors up import unchanged over ours, and fit:
// the stage stands once in its flow, behind the ones that ask who is there. The
// published login with two factors then asks for the app that was set up.
func TestPublishedSecondFactors(t *testing.T) {
	files := publishedFiles(t, "default/flow-default-authenticator-totp-setup.yaml", "default/flow-default-authenticator-static-setup.yaml",
		"default/flow-default-authenticator-webauthn-setup.yaml", "example/flows-login-2fa.yaml")
	for _, db := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, db)
			s.importsUnchanged(t, files)
			root := administrator(&node{s.URL})
			for _, kind := range []string{"totp", "static", "webauthn"} {
				slug := "default-authenticator-" + kind + "-setup"
				flow := root.call(t, http.StatusOK, "GET", "/api/v3/flows/instances/"+slug+"/", nil).json()["pk"]
				bound := root.call(t, http.StatusOK, "GET", fmt.Sprintf("/api/v3/flows/bindings/?target=%v&ordering=order", flow), nil).json()["results"].([]any)
				if len(bound) != 3 || bound[2].(object)["stage_obj"].(object)["name"] != slug {
					t.Errorf("%s: %d bindings, the last one %v", slug, len(bound), bound[len(bound)-1])
				}
			}

			user := s.user(t, "Second")
			b := newTab(t, s.URL, false)
			signIn(b, user.name, user.password)
			b.at("/if/user/")
			b.open("/if/flow/default-authenticator-totp-setup/")
			b.fill("password", user.password)
			b.submit()
			b.sees("Set up an authenticator app")
			key := b.appKey()
			typed := totptest.Code(t, key, 0)
			b.fill("code", typed)
			b.submit()
			b.at("/if/user/")
			answers := official(t, s, get(login, ""), solve(login, "", with(component("ak-stage-identification"), "uidField", user.name)),
				solve(login, "", with(component("ak-stage-password"), "password", user.password)),
				solve(login, "", with(component("ak-stage-authenticator-validate"), "code", totptest.Code(t, key, nextStep(t, key, typed)))))
			if got := answers[2].component(); got != "ak-stage-authenticator-validate" {
				t.Errorf("the password leads to %s", got)
			}
			if got := answers[3].component(); got != "xak-flow-redirect" {
				t.Errorf("the official client ends at %s", got)
			}
		})
	}
}
