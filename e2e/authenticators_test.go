package e2e

import (
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/stages/authenticatortotp/totptest"
)

func TestPeopleSetAnAppAndRecoveryCodesUp(t *testing.T) {
	each(t, func(t *testing.T, s *site, js bool) {
		user := s.user(t, "Second")
		b := newTab(t, s.URL, js)
		signIn(b, user.name, user.password)
		b.at("/if/user/")
		b.open("/if/flow/default-authenticator-totp-setup/")
		b.fill("password", user.password)
		b.submit()
		b.sees("Set up an authenticator app")
		key := b.appKey()
		b.fill("code", "000000")
		b.submit()
		b.sees("That code did not work.")
		if again := b.appKey(); again != key {
			t.Errorf("a wrong code changes the key from %s to %s", key, again)
		}
		typed := totptest.Code(t, key, 0)
		b.fill("code", typed)
		b.submit()
		b.at("/if/user/")
		next := nextStep(t, key, typed)

		b.open("/if/flow/default-authenticator-static-setup/")
		b.fill("password", user.password)
		b.submit()
		b.sees("Enter the code from your app")
		b.fill("code", totptest.Code(t, key, next))
		b.submit()
		b.sees("Save your recovery codes")
		code := b.try(`document.querySelector(".codes code").textContent`)
		b.submit()
		b.at("/if/user/")

		other := newTab(t, s.URL, js)
		signIn(other, user.name, user.password)
		other.sees("Enter the code from your app")
		other.press(".ways button")
		other.sees("Enter a recovery code")
		other.fill("code", strings.ToUpper(code[:6])+" "+code[6:])
		other.submit()
		other.at("/if/user/")
	})
}

// appKey is the key that the page shows for an app.
func (b *tab) appKey() string {
	return strings.ReplaceAll(b.try(`document.querySelector(".unfolded code").textContent`), " ", "")
}

// nextStep is how many steps ahead the code is that counts after the one typed: one,
// unless the step has ended meanwhile, since the app counts as slow then.
func nextStep(t *testing.T, key, typed string) int64 {
	t.Helper()
	if typed != totptest.Code(t, key, 0) {
		return 0
	}
	return 1
}
