package e2e

import (
	"fmt"
	"net/mail"
	"testing"

	"github.com/weir-id/weir"
	"github.com/weir-id/weir/internal/config"
	"github.com/weir-id/weir/internal/mail/mailtest"
)

// mailSite is a program of its own that sends through the mail server returned.
func mailSite(t *testing.T, db string, set ...func(*weir.Settings)) (*site, *mailtest.Server) {
	t.Helper()
	server := mailtest.New(t, mailtest.Config{})
	address, err := config.ParseMailServer("smtp://" + server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	return newSite(t, db, append(set, func(c *weir.Settings) {
		c.Mail.Server, c.Mail.From = address, &mail.Address{Address: "no-reply@acme.example"}
	})...), server
}

// linkOf is the page to which the link of a mail leads, which has to be one of the
// site.
func linkOf(t *testing.T, s *site, m mailtest.Mail) string {
	t.Helper()
	u := m.Link(t)
	if at := u.Scheme + "://" + u.Host; at != s.URL {
		t.Fatalf("the link of the mail leads to %s", at)
	}
	return u.RequestURI()
}

// TestAnAccountFromItsMailToItsEnd: a stranger makes an account, opens it by the link
// of a mail in another browser, forgets the password, gets a new one by mail, and
// deletes the account.
func TestAnAccountFromItsMailToItsEnd(t *testing.T) {
	for _, db := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			s, server := mailSite(t, db)
			s.apply(t, "../docs/recipes/enrollment-email-verification.yaml")
			s.apply(t, "../docs/recipes/unenrollment.yaml")
			mails := 0
			next := func() string {
				mails++
				return linkOf(t, s, server.Wait(t, mails)[mails-1])
			}
			for n, js := range []bool{true, false} {
				name := fmt.Sprint("stranger", n)
				b := newTab(t, s.URL, js)
				b.open("/if/flow/default-enrollment-mail-flow/")
				for id, text := range map[string]string{"username": name, "name": "A Stranger", "email": name + "@example.com", "password": "a long enough one", "password_repeat": "a long enough one"} {
					b.fill(id, text)
				}
				b.submit()
				b.sees("Check your mail")
				link := next()
				closed := newTab(t, s.URL, js)
				signIn(closed, name, "a long enough one")
				closed.sees("password is not right")

				elsewhere := newTab(t, s.URL, js)
				elsewhere.open(link)
				elsewhere.sees("Go on with the link from your mail?")
				elsewhere.submit()
				elsewhere.at("/if/user/")
				elsewhere.sees("Hello, A Stranger")
				again := newTab(t, s.URL, js)
				again.open(link)
				again.sees("This link no longer works")

				forgot := newTab(t, s.URL, js)
				forgot.open("/")
				forgot.at("/if/flow/")
				forgot.press(`a[href^="/if/flow/default-recovery-flow/"]`)
				forgot.fill("uid_field", name+"@example.com")
				forgot.submit()
				forgot.sees("Check your mail")
				link = next()
				forgot.press("main form button.secondary[data-busy]")
				forgot.sees("The mail was sent again.")

				back := newTab(t, s.URL, js)
				back.open(link)
				back.sees("Go on with the link from your mail?")
				back.submit()
				back.fill("password", "another long one")
				back.fill("password_repeat", "another long one")
				back.submit()
				back.at("/if/user/")
				elsewhere.open("/if/user/") // the new password has signed out the others
				elsewhere.at("/if/flow/")

				back.open("/if/flow/default-unenrollment-flow/")
				back.fill("confirmation", "somebody else")
				back.submit()
				back.sees("This is not your user name.")
				back.fill("confirmation", name)
				back.submit()
				gone := newTab(t, s.URL, js)
				signIn(gone, name, "another long one")
				gone.sees("password is not right")
			}
		})
	}
}
