package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	cdp "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
)

var mailedLink = regexp.MustCompile(`^/if/flow/default-invitation-enrollment/\?itoken=[-0-9a-f]{36}$`)

// TestAnInvitationFromTheFormToTheAccount: somebody makes an invitation and mails
// it; the guest opens the link in a browser of their own, finds what it brings in the
// form, makes an account and is signed in. Then the link says that it was used.
func TestAnInvitationFromTheFormToTheAccount(t *testing.T) {
	for _, db := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			s, server := mailSite(t, db)
			for n, js := range []bool{true, false} {
				guest := fmt.Sprint("guest", n)
				host := newTab(t, s.URL, js)
				signIn(host, "akadmin", "the first administrator's password")
				host.at("/if/user/")
				host.press(`a[href="/if/user/invitations/"]`)
				host.sees("No invitations here")
				host.press(`a[href="/if/user/invitations/new/"]`)
				host.fill("name", "for-"+guest)
				host.write("fixed_data", "email: [")
				host.submit()
				host.sees("In line 1 of the details")
				host.write("fixed_data", "email: "+guest+"@example.com\nattributes: {team: red}")
				host.submit()
				host.sees("Create account by invitation")
				if !js {
					host.run(chromedp.WaitVisible(chromedp.CSS("#link")), chromedp.WaitNotVisible(chromedp.CSS("[data-copy]")))
				} else if db == databases[0] { // all browsers have one clipboard
					host.copies()
				}

				host.write("email_addresses", guest+"@example.com")
				host.submit()
				host.sees("The invitation is on its way")
				mail := server.Wait(t, n+1)[n]
				link := linkOf(t, s, mail)
				if !mailedLink.MatchString(link) || mail.To[0] != guest+"@example.com" {
					t.Fatalf("the mail to %v leads to %s", mail.To, link)
				}

				b := newTab(t, s.URL, js)
				b.open(link)
				b.sees("Create your account")
				if value, err := chromedp.Run(b.ctx, chromedp.Value(chromedp.CSS("#email"))); err != nil || value != guest+"@example.com" {
					t.Errorf("the form has the address %q: %v", value, err)
				}
				for id, text := range map[string]string{"username": guest, "name": "A Guest", "password": "a long enough one", "password_repeat": "a long enough one"} {
					b.fill(id, text)
				}
				b.submit()
				b.at("/if/user/")
				b.sees("Hello, A Guest")
				if home := b.try("document.body.innerText"); strings.Contains(home, "Invitations") {
					t.Errorf("the guest may see invitations: %s", home)
				}

				late := newTab(t, s.URL, js)
				late.open(link)
				late.sees("This invitation has been used")
				host.open("/if/user/invitations/")
				host.sees("No invitations here")
			}
		})
	}
}

// write puts text into a larger field found by its id, over what is there.
func (b *tab) write(id, text string) {
	b.t.Helper()
	field := chromedp.CSS("#" + id)
	b.run(chromedp.WaitVisible(field), chromedp.SetValue(field, text))
}

// copies presses the button that copies the link and compares the clipboard with it.
func (b *tab) copies() {
	b.t.Helper()
	b.run(chromedp.Click(chromedp.CSS("[data-copy]")))
	b.sees("Copied")
	if got := b.clipboard(); got == "" || got != b.try(`document.getElementById("link").value`) {
		b.t.Errorf("the clipboard holds %q", got)
	}
}

// clipboard is the text that was copied last.
func (b *tab) clipboard() string {
	b.t.Helper()
	grant := cdp.SetPermissionParams{Permission: &cdp.PermissionDescriptor{Name: "clipboard-read"}, Setting: cdp.PermissionSettingGranted, BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID}
	tell(b, cdp.SetPermission, grant)
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("navigator.clipboard.readText()", chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}
