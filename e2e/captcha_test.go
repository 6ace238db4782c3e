package e2e

import "testing"

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
