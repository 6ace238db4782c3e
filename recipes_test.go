package weir

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/stages/captcha/captchatest"
)

// guest is a browser of the API in front of the login flow.
type guest struct{ *client }

// arrive opens the login flow in a new browser at an address.
func arrive(o *office, from string) (guest, reply) {
	o.t.Helper()
	g := guest{visit(o.t, o.site).from(from)}
	return g, g.do("GET", loginFlow, "")
}

// says answers a step and goes on to the next.
func (g guest) says(body string) reply {
	g.t.Helper()
	r := g.do("POST", loginFlow, body)
	for r.status == http.StatusFound {
		r = g.do("GET", r.header.Get("Location"), "")
	}
	return r
}

// introduced says who somebody is, and returns what they are asked next.
func introduced(o *office, from, name string) (guest, reply) {
	o.t.Helper()
	g, _ := arrive(o, from)
	return g, g.says(fmt.Sprintf(`{"uid_field":%q}`, name))
}

// fails fails to sign in so often, in one browser.
func fails(o *office, from, name string, times int) {
	o.t.Helper()
	g, r := introduced(o, from, name)
	g.passes(r)
	for range times {
		g.says(`{"password":"wrong"}`)
	}
}

// passes does the work of a captcha where there is one.
func (g guest) passes(r reply) reply {
	g.t.Helper()
	if r.component() != "ak-stage-captcha" {
		return r
	}
	return g.says(fmt.Sprintf(`{"token":%q}`, captchatest.Solve(r.body["site_key"].(string))))
}

// recipes is an office behind a proxy, with ada and recipes.
func recipes(t *testing.T, s Settings, files ...string) *office {
	t.Helper()
	s.TrustedProxies = append(s.TrustedProxies, loopback)
	o := openOffice(t, s)
	o.user("ada", nil)
	o.password("ada", "the right one")
	for range 2 { // a recipe may be applied again
		for _, file := range files {
			if _, err := o.site.Apply(t.Context(), []string{"docs/recipes/" + file}, false); err != nil {
				t.Fatal(err)
			}
		}
	}
	return o
}

const (
	bad, good = "198.51.100.7", "203.0.113.9"
	signedIn  = "xak-flow-redirect"
)

// TestRecipeCaptchaAfterFailures: bad clients meet a captcha before the password,
// others do not; the limits on guesses count on their own.
func TestRecipeCaptchaAfterFailures(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := recipes(t, s, "captcha-after-failures.yaml")
		next := func(from, name, want string) (guest, reply) {
			t.Helper()
			g, r := introduced(o, from, name)
			if r.component() != want {
				t.Errorf("%s from %s is asked %s, want %s", name, from, r.component(), want)
			}
			return g, r
		}
		next(bad, "ada", "ak-stage-password")
		fails(o, bad, "ada", 4)
		next(bad, "ada", "ak-stage-password")
		fails(o, bad, "ada", 1)
		next(bad, "ada", "ak-stage-captcha")
		next(bad, "somebody else", "ak-stage-captcha")
		next(good, "ada", "ak-stage-password")
		next(good, "somebody else", "ak-stage-password")
		fails(o, "192.0.2.33", "nobody", 4) // as for ada
		next("192.0.2.33", "nobody", "ak-stage-password")
		fails(o, "192.0.2.33", "nobody", 1)
		next("192.0.2.33", "nobody", "ak-stage-captcha")

		// The check has to be passed, and then the password still has to be right.
		g, r := next(bad, "ada", "ak-stage-captcha")
		for _, token := range []string{"", "x", r.body["site_key"].(string)} {
			if r = g.says(fmt.Sprintf(`{"token":%q}`, token)); r.component() != "ak-stage-captcha" || r.body["response_errors"] == nil {
				t.Fatalf("the token %.30q leads to %v", token, r.body)
			}
		}
		if r = g.passes(r); r.component() != "ak-stage-password" {
			t.Fatalf("the work leads to %v", r.body)
		}
		if r = g.says(`{"password":"the right one"}`); r.component() != signedIn {
			t.Fatalf("the right password leads to %v", r.body)
		}

		// A login makes it better.
		next(bad, "ada", "ak-stage-password")
	})
}

// TestRecipeLimitsCountBesideReputation: neither of the two forgets or forgives for
// the other.
func TestRecipeLimitsCountBesideReputation(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.Guesses.FirstDelay, s.Guesses.MaxDelay = s.Guesses.MaxDelay, 2*s.Guesses.MaxDelay
		o := recipes(t, s, "captcha-after-failures.yaml")
		forget := func(path string) {
			t.Helper()
			for _, row := range results(o.must("GET", path, nil)) {
				o.call(root, "DELETE", path+row["pk"].(string)+"/", nil)
			}
		}
		fails(o, bad, "ada", 5)
		fails(o, bad, "ada", 5)
		throttled := func(when string, want bool) {
			t.Helper()
			g, r := introduced(o, bad, "ada")
			if r = g.passes(r); r.component() != "ak-stage-password" {
				t.Fatalf("%s: ada is asked %s", when, r.component())
			}
			r = g.says(`{"password":"the right one"}`)
			if got := strings.Contains(fmt.Sprint(r.body["response_errors"]), "throttled"); got != want || got == (r.component() == signedIn) {
				t.Errorf("%s: %s %v", when, r.component(), r.body["response_errors"])
			}
		}
		throttled("ten wrong guesses, each run behind a passed check", true)
		forget("policies/reputation/scores/")
		if _, r := introduced(o, bad, "ada"); r.component() != "ak-stage-password" {
			t.Errorf("forgiven, ada is asked %s", r.component())
		}
		throttled("a good reputation", true)
		fails(o, bad, "eve", 5)
		forget("guard/limits/")
		if _, r := introduced(o, bad, "ada"); r.component() != "ak-stage-captcha" {
			t.Errorf("after the wait was ended, ada is asked %s", r.component())
		}
		throttled("the wait was ended", false)
	})
}

func TestRecipeDenyAfterFailures(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := recipes(t, s, "deny-after-failures.yaml", "captcha-after-failures.yaml")
		for i := range 4 {
			if _, r := arrive(o, bad); r.component() != "ak-stage-identification" {
				t.Fatalf("after %d names: %v", i, r.body)
			}
			// Names that nobody has count as well as ada's.
			fails(o, bad, []string{"ada", "bob", "carl", "dora"}[i], 5)
		}
		_, r := arrive(o, bad)
		if r.component() != "ak-stage-access-denied" || !strings.Contains(fmt.Sprint(r.body["error_message"]), "Too many failed attempts") {
			t.Errorf("after twenty failures: %v", r.body)
		}
		g, r := introduced(o, good, "ada")
		if r = g.passes(r); r.component() != "ak-stage-password" {
			t.Errorf("from elsewhere ada is asked %s", r.component())
		}
		if r = g.says(`{"password":"the right one"}`); r.component() != signedIn {
			t.Errorf("from elsewhere ada gets %v", r.body)
		}
		row := results(o.must("GET", "policies/reputation/scores/?ip="+bad, nil))[0]
		o.must("DELETE", "policies/reputation/scores/"+row["pk"].(string)+"/", nil)
		if _, r := arrive(o, bad); r.component() != "ak-stage-identification" {
			t.Errorf("partly forgiven: %v", r.body)
		}
	})
}
