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

	plain := newTab(t, s.URL, false)
	plain.open("/")
	plain.at("/if/flow/")
	plain.fill("uid_field", user.name)
	plain.submit()
	plain.sees("This check needs JavaScript")

	b := newTab(t, s.URL, true)
	b.open("/")
	b.at("/if/flow/")
	b.fill("uid_field", user.name)
	b.submit() // to the captcha, which goes on to the password by itself
	b.sees("Enter your password")
	b.fill("password", user.password)
	b.submit()
	b.at("/if/user/")
	b.sees("Hello, Grace Hopper")
}
