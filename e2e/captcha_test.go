package e2e

import (
	"slices"
	"strings"
	"testing"
)

// TestBrowserMeetsACaptchaAfterFailures: after five wrong passwords the browser
// does its piece of work by itself, and the person goes on; without JavaScript
// the page says what it needs.
func TestBrowserMeetsACaptchaAfterFailures(t *testing.T) {
	t.Parallel()
	s := newSite(t, databases[0])
	s.apply(t, "../docs/recipes/captcha-after-failures.yaml")
	user := s.user(t, "Grace Hopper")
	bad := newTab(t, s.URL, true)
	signIn(bad, user.name, "wrong")
	for range 4 {
		bad.sees("Error")
		bad.fill("password", "wrong")
		bad.submit()
	}
	bad.sees("continue")

	named := func(js bool) *tab {
		b := newTab(t, s.URL, js)
		b.open("/")
		b.at("/if/flow/")
		b.fill("uid_field", user.name)
		b.submit()
		return b
	}
	named(false).sees("This check needs JavaScript")
	b := named(true)
	b.sees("Enter your password") // the captcha has gone on by itself
	b.fill("password", user.password)
	b.submit()
	b.at("/if/user/")
	b.sees("Hello, Grace Hopper")
}

// Clients of the API, and forms that are sent by a program, do the work as well.
func TestClientsMeetACaptchaAfterFailures(t *testing.T) {
	for _, db := range databases {
		for by, traveller := range travellers {
			t.Run(db+", "+by, func(t *testing.T) {
				t.Parallel()
				s := newSite(t, db)
				s.apply(t, "../docs/recipes/captcha-after-failures.yaml")
				user := s.user(t, "Grace Hopper")
				good, bad := signingIn(user.name, user.password), signingIn(user.name, "wrong")
				for range 4 {
					bad.answers = append(bad.answers, bad.answers[1])
				}
				checked := walk{login, "", slices.Insert(slices.Clone(good.answers), 1, answering("ak-stage-captcha"))}
				const refused = ", ak-stage-password refused"
				for _, row := range []struct {
					way       walk
					seen, who string
				}{
					{bad, "ak-stage-identification, ak-stage-password" + strings.Repeat(refused, 4) + ", ak-stage-access-denied", ""},
					{checked, "ak-stage-identification, ak-stage-captcha, ak-stage-password, xak-flow-redirect", user.name},
					{good, signedIn, user.name}, // the login has mended the score
				} {
					if seen, who := traveller(t, s, row.way); seen[0] != row.seen || who != row.who {
						t.Errorf("seen %s, want %s; %q is signed in, want %q", seen[0], row.seen, who, row.who)
					}
				}
			})
		}
	}
}
