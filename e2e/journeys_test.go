package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// each runs a journey on both databases, with and without JavaScript.
func each(t *testing.T, journey func(t *testing.T, s *site, js bool)) {
	for _, db := range databases {
		for _, js := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, script %v", db, js), func(t *testing.T) {
				t.Parallel()
				journey(t, sharedSite(t, db), js)
			})
		}
	}
}

// signIn walks the default login from the root page.
func signIn(b *tab, name, password string) {
	b.t.Helper()
	b.open("/")
	b.at("/if/flow/")
	b.fill("uid_field", name)
	b.submit()
	b.fill("password", password)
	b.submit()
}

func TestSignInAndOut(t *testing.T) {
	each(t, func(t *testing.T, s *site, js bool) {
		user := s.user(t, "Ada Lovelace")
		b := newTab(t, s.URL, js)
		signIn(b, user.name, user.password)
		b.at("/if/user/")
		b.sees("Hello, Ada Lovelace")

		b.press("main form button.primary") // sign out
		b.at("/if/flow/")
		b.open("/if/user/")
		b.at("/if/flow/")
		b.sees("Sign in")
	})
}

func TestSignInGoesOnToNext(t *testing.T) {
	each(t, func(t *testing.T, s *site, js bool) {
		user := s.user(t, "Next")
		b := newTab(t, s.URL, js)
		b.open("/flows/-/default/authentication/?next=%2Fif%2Fuser%2F%3Ffrom%3Dtest")
		b.fill("uid_field", user.name)
		b.submit()
		b.fill("password", user.password)
		b.submit()
		b.at("/if/user/?from=test")
	})
}

func TestWrongPasswordAndUnknownUser(t *testing.T) {
	each(t, func(t *testing.T, s *site, js bool) {
		user := s.user(t, "Wrong")
		b := newTab(t, s.URL, js)
		signIn(b, user.name, "not the password")
		b.sees("Error")
		b.fill("password", user.password)
		b.submit()
		b.at("/if/user/")

		// Nobody learns who exists: an unknown user gets as far as a known one.
		unknown := newTab(t, s.URL, js)
		signIn(unknown, "nobody-"+user.name, "whatever it is")
		unknown.sees("Error")
		if strings.Contains(unknown.path(), "/if/user/") {
			t.Error("an unknown user is in")
		}
		for range 4 {
			unknown.fill("password", "again")
			unknown.submit()
		}
		unknown.sees("You can’t continue")
	})
}

func TestDeniedActions(t *testing.T) {
	each(t, func(t *testing.T, s *site, js bool) {
		b := newTab(t, s.URL, js)
		b.open("/if/flow/denied-message/?next=%2Fif%2Fuser%2F")
		b.sees("Closed for the winter")
		b.open("/if/flow/denied-message-continue/?next=%2Fif%2Fuser%2F")
		b.sees("Closed for the winter")
		b.open("/if/flow/denied-continue/")
		b.at("/if/flow/default-authentication-flow/")
		b.open("/if/flow/denied-stage/")
		b.sees("The deny stage says no")
	})
}

func TestRememberMe(t *testing.T) {
	each(t, func(t *testing.T, s *site, js bool) {
		user := s.user(t, "Remember")
		for answer, longer := range map[string]bool{"true": true, "false": false} {
			b := newTab(t, s.URL, js)
			b.open("/if/flow/remember-me/")
			b.fill("uid_field", user.name)
			b.fill("password", user.password)
			b.submit()
			b.sees("Stay signed in?")
			b.press(`button[name=remember_me][value=` + answer + `]`)
			b.at("/if/user/")
			c := b.cookie("authentik_session")
			if c == nil {
				t.Fatal("no session cookie")
			}
			left := time.Until(time.Unix(int64(c.Expires), 0))
			if longer != (left > 24*time.Hour) {
				t.Errorf("remember_me %s: the cookie lives for %v", answer, left)
			}
		}
	})
}

func TestTwoTabsWithTwoFlows(t *testing.T) {
	each(t, func(t *testing.T, s *site, js bool) {
		user := s.user(t, "Tabs")
		one := newTab(t, s.URL, js)
		one.open("/if/flow/default-authentication-flow/")
		one.fill("uid_field", user.name)
		one.submit()
		one.sees("Enter your password")

		two := one.sibling(js)
		two.open("/if/flow/two-steps/")
		two.sees("two-steps-first")
		two.submit()
		two.sees("two-steps-second")

		one.fill("password", user.password)
		one.submit()
		one.at("/if/user/")
	})
}

func TestBackButton(t *testing.T) {
	each(t, func(t *testing.T, s *site, js bool) {
		user := s.user(t, "Back")
		b := newTab(t, s.URL, js)
		b.open("/if/flow/default-authentication-flow/?a=1")
		b.fill("uid_field", user.name)
		b.submit()
		b.sees("Enter your password")
		b.open("/-/health/live/")
		b.back()
		// Whatever entry of the history it comes from, a page shows the
		// current step.
		b.sees("Enter your password")
		if js {
			b.fill("password", user.password)
			b.submit()
		} else {
			b.answerRestored("password", user.password)
		}
		b.at("/if/user/")
	})
}

func TestDoubleSubmit(t *testing.T) {
	each(t, func(t *testing.T, s *site, js bool) {
		user := s.user(t, "Double")
		b := newTab(t, s.URL, js)
		b.open("/if/flow/remember-none/")
		b.fill("uid_field", user.name)
		b.fill("password", user.password)
		b.run(chromedp.DoubleClick(chromedp.CSS("main form button.primary")))
		b.at("/if/user/")
		b.sees("Hello, Double")
		if n := s.sessions(t, user); n != 1 {
			t.Errorf("%d sessions, want 1", n)
		}
	})
}

func TestOutdatedForm(t *testing.T) {
	each(t, func(t *testing.T, s *site, js bool) {
		b := newTab(t, s.URL, js)
		b.open("/if/flow/two-steps/")
		b.submit()
		b.sees("two-steps-second")
		other := b.sibling(js)
		other.open("/if/flow/two-steps/")
		other.sees("two-steps-second")
		other.submit()
		other.at("/if/flow/default-authentication-flow/")
		other.open("/if/flow/two-steps/")
		other.sees("two-steps-first")
		// The flow is over and has begun again; the form that is still open
		// changes nothing.
		b.submit()
		b.sees("out of date")
		b.sees("two-steps-first")
	})
}

// A link on another page, or a typed address, must not sign anybody out.
func TestRule05TypedLogoutAsksForOneClick(t *testing.T) {
	each(t, func(t *testing.T, s *site, js bool) {
		user := s.user(t, "Typed")
		b := newTab(t, s.URL, js)
		signIn(b, user.name, user.password)
		b.at("/if/user/")
		before := b.cookie("authentik_session").Value
		b.open("/if/flow/default-invalidation-flow/")
		if b.cookie("authentik_session").Value != before || s.sessions(t, user) != 1 {
			t.Fatal("typing the address signed the person out")
		}
		b.submit()
		b.at("/if/flow/default-authentication-flow/")
		if n := s.sessions(t, user); n != 0 {
			t.Errorf("%d sessions after signing out, want 0", n)
		}
	})
}

func TestSessionsOnTheHomePage(t *testing.T) {
	each(t, func(t *testing.T, s *site, js bool) {
		user := s.user(t, "Sessions")
		first, second := newTab(t, s.URL, js), newTab(t, s.URL, js)
		signIn(first, user.name, user.password)
		first.at("/if/user/")
		signIn(second, user.name, user.password)
		second.at("/if/user/")
		second.press("main ul form button:not([disabled])[class=secondary]:is(form:has(input[name=session]) button)")
		if n := s.sessions(t, user); n != 1 {
			t.Errorf("%d sessions, want 1", n)
		}
		first.open("/if/user/")
		first.at("/if/flow/")
	})
}

func TestPeopleChangeTheirDetailsAndTheirPassword(t *testing.T) {
	each(t, func(t *testing.T, s *site, js bool) {
		user := s.user(t, "Before")
		b := newTab(t, s.URL, js)
		signIn(b, user.name, user.password)
		b.at("/if/user/")
		b.press(`a[href="/if/flow/default-user-settings-flow/"]`)
		b.sees("Your details")
		if got := b.try(`document.getElementById("username").value`); got != user.name {
			t.Errorf("the form shows the user name %q, want %q", got, user.name)
		}
		b.fill("name", "After")
		b.submit()
		b.at("/if/user/")
		b.sees("Hello, After")

		b.press(`.row a[href^="/flows/-/configure/"]`)
		b.at("/if/flow/default-password-change/")
		b.fill("password", user.password)
		b.submit()
		b.sees("New password again")
		b.fill("password", "another one")
		b.fill("password_repeat", "not the same")
		b.submit()
		b.sees("The passwords are not the same.")
		b.fill("password", "another one")
		b.fill("password_repeat", "another one")
		b.submit()
		b.at("/if/user/")

		again := newTab(t, s.URL, js)
		signIn(again, user.name, "another one")
		again.at("/if/user/")
	})
}

func TestNotYou(t *testing.T) {
	each(t, func(t *testing.T, s *site, js bool) {
		user := s.user(t, "Cancel")
		b := newTab(t, s.URL, js)
		b.open("/if/flow/default-authentication-flow/")
		b.fill("uid_field", user.name)
		b.submit()
		b.sees("Not you?")
		b.press("form[action^='/flows/-/cancel/'] button")
		b.at("/if/flow/")
		b.open("/if/flow/default-authentication-flow/")
		b.run(chromedp.WaitVisible(chromedp.CSS("#uid_field")))
	})
}
