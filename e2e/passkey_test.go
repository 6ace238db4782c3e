package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// key is a virtual authenticator in a tab. It answers at once.
type key struct {
	*tab
	id webauthn.AuthenticatorID
}

// plug gives the tab an authenticator.
func (b *tab) plug(o webauthn.VirtualAuthenticatorOptions) *key {
	b.t.Helper()
	o.Protocol, o.Ctap2version, o.AutomaticPresenceSimulation = webauthn.AuthenticatorProtocolCtap2, webauthn.Ctap2versionCtap21, true
	tell(b, webauthn.Enable, webauthn.EnableParams{})
	return &key{b, tell(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &o}).AuthenticatorID}
}

// tell sends a command to the tab.
func tell[P, R any](b *tab, c cdp.Command[P, R], params P) R {
	b.t.Helper()
	got, err := chromedp.Call(b.ctx, c, params)
	if err != nil {
		b.t.Fatalf("%s: %v", c.Method, err)
	}
	return got
}

// knows says whether the authenticator recognises its owner.
func (k *key) knows(owner bool) {
	k.t.Helper()
	tell(k.tab, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: k.id, IsUserVerified: owner})
}

// credential is the only passkey on the authenticator.
func (k *key) credential() *webauthn.Credential {
	k.t.Helper()
	all := tell(k.tab, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: k.id}).Credentials
	if len(all) != 1 {
		k.t.Fatalf("%d passkeys, want 1", len(all))
	}
	return all[0]
}

// click presses the primary button, and waits for no other page.
func (b *tab) click() {
	b.t.Helper()
	b.run(chromedp.Click(chromedp.CSS("main form button.primary")))
}

// passkeys is a site at a name, which passkeys need, in a fresh profile.
func passkeys(t *testing.T, db string, js bool) (*site, *tab) {
	t.Helper()
	s := sharedSite(t, db)
	return s, newTab(t, strings.Replace(s.URL, "127.0.0.1", "localhost", 1), js)
}

// createsPasskey goes through the default set-up flow, which is open.
func (b *tab) createsPasskey(a account) {
	b.t.Helper()
	b.fill("password", a.password)
	b.submit()
	b.sees("A passkey lets you sign in")
	b.submit()
}

func signOut(b *tab) {
	b.t.Helper()
	b.open("/if/flow/default-invalidation-flow/")
	b.submit() // it asks, since no page of the site led there
	b.at("/if/flow/default-authentication-flow/")
}

var (
	platform = webauthn.VirtualAuthenticatorOptions{Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true, HasUserVerification: true, IsUserVerified: true}
	synced   = webauthn.VirtualAuthenticatorOptions{Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, DefaultBackupEligibility: true, DefaultBackupState: true}
	roaming  = webauthn.VirtualAuthenticatorOptions{Transport: webauthn.AuthenticatorTransportUsb}
)

// TestPasskeys: people make a passkey, and it is their second step; one that was
// copied is refused.
func TestPasskeys(t *testing.T) {
	for name, options := range map[string]webauthn.VirtualAuthenticatorOptions{"sqlite": platform, "postgres": roaming, "sqlite, synced": synced} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, _, _ := strings.Cut(name, ",")
			s, b := passkeys(t, db, true)
			user := s.user(t, "Grace Hopper")
			k := b.plug(options)
			signIn(b, user.name, user.password)
			b.at("/if/user/")
			b.open("/if/flow/default-authenticator-webauthn-setup/")
			b.createsPasskey(user)
			b.at("/if/user/")
			made := k.credential()
			if made.IsResidentCredential != options.HasResidentKey || made.RpID != "localhost" {
				t.Errorf("made %+v", made)
			}
			signOut(b)
			signIn(b, user.name, user.password)
			b.sees("Use your passkey")
			b.submit()
			b.at("/if/user/")
			b.sees("Hello, Grace Hopper")

			// A copy that was made before does not know how often the passkey was used.
			signOut(b)
			before := float64(0)
			tell(b, webauthn.SetCredentialProperties, webauthn.SetCredentialPropertiesParams{AuthenticatorID: k.id, CredentialID: made.CredentialID, SignCount: &before})
			signIn(b, user.name, user.password)
			b.sees("Use your passkey")
			b.submit()
			b.sees("That did not work")
			if n := s.sessions(t, user); n != 0 {
				t.Errorf("the copy signed in: %d sessions", n)
			}
		})
	}
}

// TestPasskeyAlone signs people in with a passkey and nothing else, if it recognises
// them; one that does not is no way in.
func TestPasskeyAlone(t *testing.T) {
	t.Parallel()
	s, b := passkeys(t, "sqlite", true)
	user := s.user(t, "Ada Lovelace")
	k := b.plug(platform)
	signIn(b, user.name, user.password)
	b.at("/if/user/")
	b.open("/if/flow/passkey-virtual/")
	b.submit()
	b.at("/if/user/")
	signOut(b)
	k.knows(false)
	b.open("/if/flow/passwordless/")
	b.sees("Use your passkey")
	b.click()
	b.sees("Your passkey was not used")
	k.knows(true)
	b.submit()
	b.at("/if/user/")
	b.sees("Hello, Ada Lovelace")
	if n := s.sessions(t, user); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
}

// TestPasskeyOfAnotherMake is refused where one make is allowed, and ends the flow
// at last.
func TestPasskeyOfAnotherMake(t *testing.T) {
	t.Parallel()
	s, b := passkeys(t, "sqlite", true)
	user := s.user(t, "Alan Turing")
	b.plug(platform)
	signIn(b, user.name, user.password)
	b.at("/if/user/")
	b.open("/if/flow/passkey-titan/")
	b.sees("Google Titan Security Key v2")
	b.submit()
	b.sees("This kind of passkey is not allowed here")
	b.submit()
	b.sees("Too many passkeys were refused")
	signOut(b)
	signIn(b, user.name, user.password)
	b.at("/if/user/") // there is no second step
}

// TestPasskeysWithoutScript: the page says what it needs and offers nothing that
// does not work.
func TestPasskeysWithoutScript(t *testing.T) {
	t.Parallel()
	_, b := passkeys(t, "sqlite", false)
	b.open("/if/flow/passwordless/")
	b.sees("Passkeys need JavaScript")
	if shown := b.try(`String(document.querySelector("button.primary").checkVisibility())`); shown != "false" {
		t.Errorf("the button is there: %s", shown)
	}
}

// TestPasskeyBesideAName: the identification page takes a passkey in place of a name.
func TestPasskeyBesideAName(t *testing.T) {
	t.Parallel()
	s, b := passkeys(t, "sqlite", true)
	user := s.user(t, "Radia Perlman")
	k := b.plug(platform)
	signIn(b, user.name, user.password)
	b.at("/if/user/")
	b.open("/if/flow/passkey-virtual/")
	b.submit()
	b.at("/if/user/")
	signOut(b)
	k.knows(false) // so that nothing is answered before the button is pressed
	b.open("/if/flow/passkey-or-name/")
	b.sees("Sign in with a passkey")
	b.run(chromedp.Click(chromedp.CSS("#passkey button")))
	b.sees("Your passkey was not used")
	k.knows(true)
	b.press("#passkey button")
	b.at("/if/user/")
	b.sees("Hello, Radia Perlman")

	script, plain := newTab(t, b.base, true), newTab(t, b.base, false)
	for _, other := range []*tab{script, plain} {
		other.open("/if/flow/passkey-or-name/")
		other.fill("uid_field", user.name)
		other.submit()
		other.at("/if/user/")
	}
}

// TestPasskeyAmongTheNames: the browser offers passkeys where it offers names, without a
// button, and the chosen one signs the person in.
func TestPasskeyAmongTheNames(t *testing.T) {
	t.Parallel()
	s, b := passkeys(t, "sqlite", true)
	user := s.user(t, "Barbara Liskov")
	b.plug(platform)
	signIn(b, user.name, user.password)
	b.at("/if/user/")
	b.open("/if/flow/passkey-virtual/")
	b.submit()
	b.at("/if/user/")
	signOut(b)
	tell(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `
		const get = navigator.credentials.get;
		navigator.credentials.get = function (options) {
			sessionStorage.setItem("asked", JSON.stringify([options.mediation, options.publicKey.allowCredentials ?? []]));
			return get.call(this, options);
		};`})
	b.open("/if/flow/passkey-or-name/")
	b.at("/if/user/")
	b.sees("Hello, Barbara Liskov")
	if got := b.try(`sessionStorage.getItem("asked")`); got != `["conditional",[]]` {
		t.Errorf("asked for %s", got)
	}
}

// TestPasskeyIsOffered to people on whose device one can be made, until they have one
// or want none.
func TestPasskeyIsOffered(t *testing.T) {
	t.Parallel()
	const title = "Sign in faster with a passkey"
	s, b := passkeys(t, "sqlite", true)
	user, other := s.user(t, "Margaret Hamilton"), s.user(t, "Katherine Johnson")
	unable, declines := newTab(t, b.base, true), newTab(t, b.base, true)
	k := b.plug(platform)
	declines.plug(platform)
	signIn(unable, user.name, user.password)
	unable.sees("Hello, Margaret Hamilton")
	signIn(declines, other.name, other.password)
	declines.sees(title)
	declines.press("[data-passkey] button")
	declines.sees("Hello, Katherine Johnson")
	declines.open("/if/user/")
	declines.sees("Hello, Katherine Johnson")

	signIn(b, user.name, user.password)
	b.sees(title)
	b.press("[data-passkey] a")
	b.createsPasskey(user)
	b.at("/if/user/settings/sign-in/")
	b.sees("It is added.")
	b.sees("On one device only")
	k.credential() // it counts, and stays
	b.open("/if/user/")
	for name, at := range map[string]*tab{"declined": declines, "made": b} {
		if got := at.try(`String(document.querySelector("[data-passkey]"))`); got != "null" {
			t.Errorf("offered once it is %s", name)
		}
	}
	if got := unable.try(`String(document.querySelector("[data-passkey]").hidden)`); got != "true" {
		t.Error("offered on a device that cannot make one")
	}
}

// TestARemovedPasskeyIsForgotten by the browser too, and no other.
func TestARemovedPasskeyIsForgotten(t *testing.T) {
	t.Parallel()
	s, b := passkeys(t, "sqlite", true)
	first, second := s.user(t, "Frances Allen"), s.user(t, "Jean Sammet")
	k := b.plug(platform)
	for i, user := range []account{first, second} {
		signIn(b, user.name, user.password)
		b.at("/if/user/")
		b.open("/if/flow/default-authenticator-webauthn-setup/")
		b.createsPasskey(user)
		b.at("/if/user/")
		if i == 0 {
			signOut(b)
		}
	}
	b.open("/if/user/settings/sign-in/")
	b.press("main li a + a")
	b.sees("Delete the passkey on your device")
	b.press("main form button")
	b.sees("It is removed.")
	eventually(t, "one passkey is left", func() bool {
		return len(tell(b, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: k.id}).Credentials) == 1
	})
	signOut(b)
	signIn(b, first.name, first.password)
	b.sees("Use your passkey")
	b.submit()
	b.at("/if/user/")
}

// TestPasswordlessRecipe: the sign-in page leads to the flow that asks for a passkey
// alone; without one, people go back and sign in as before.
func TestPasswordlessRecipe(t *testing.T) {
	t.Parallel()
	s := newSite(t, "sqlite")
	s.apply(t, "../docs/recipes/passwordless.yaml")
	b := newTab(t, strings.Replace(s.URL, "127.0.0.1", "localhost", 1), true)
	user := s.user(t, "Hedy Lamarr")
	k := b.plug(platform)
	signIn(b, user.name, user.password)
	b.at("/if/user/")
	b.open("/if/flow/default-authenticator-webauthn-setup/")
	b.createsPasskey(user)
	b.at("/if/user/")
	k.knows(false) // so that nothing is answered unasked
	signOut(b)
	b.sees("Sign in without a password")
	b.press(`a[href^="/if/flow/default-passwordless-authentication/"]`)
	b.sees("Use your passkey")
	k.knows(true)
	b.submit()
	b.at("/if/user/")
	b.sees("Hello, Hedy Lamarr")

	without := newTab(t, b.base, true)
	without.plug(platform)
	other := s.user(t, "Grete Hermann")
	without.open("/if/flow/default-passwordless-authentication/")
	without.sees("Use your passkey")
	without.click()
	without.sees("Your passkey was not used")
	signIn(without, other.name, other.password)
	without.at("/if/user/")
}
