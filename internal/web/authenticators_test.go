package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/passkey"
	"github.com/weir-id/weir/internal/web"
)

func (a *account) Authenticators(http.ResponseWriter, *http.Request) ([]web.Authenticator, error) {
	return a.authenticators, nil
}

func (*account) KnownPasskeys(http.ResponseWriter, *http.Request) (passkey.Known, error) {
	return passkey.NewKnown("id.example:443", uuid.Nil), nil
}

func (a *account) SetUps(http.ResponseWriter, *http.Request) ([]web.SetUp, error) {
	return append([]web.SetUp{}, a.setUps...), nil
}

func (a *account) RenameAuthenticator(_ http.ResponseWriter, _ *http.Request, id, name string) error {
	a.renamed = append(a.renamed, id+" "+name)
	if name == "refused" {
		return field.Errorf("name", field.CodeInvalid, "Take another one.")
	}
	return nil
}

func (a *account) RemoveAuthenticator(_ http.ResponseWriter, _ *http.Request, id string) error {
	if a.removal == nil {
		a.removed = append(a.removed, id)
	}
	return a.removal
}

// confirming is the browser of somebody who has one of each, and can add some.
func confirming() *visits {
	v := settingsVisits()
	on, off, left, none := true, false, 4, 0
	at := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	v.own.authenticators = []web.Authenticator{
		{ID: "1", Name: "TOTP Authenticator", Class: "totp", Added: at, LastUsed: &at, Lasting: true},
		{ID: "2", Name: "Static Token", Class: "static", Details: authenticator.Details{Left: &left}, Added: at},
		{ID: "3", Name: "Laptop", Class: "webauthn", Make: "Google Password Manager", Details: authenticator.Details{Synced: &on}, Added: at, LastUsed: &at, Lasting: true},
		{ID: "4", Name: strings.Repeat("unbroken", 20), Class: "webauthn", Details: authenticator.Details{Synced: &off}, Added: at, Lasting: true},
		{ID: "5", Name: "كتاب", Class: "email", Details: authenticator.Details{Target: strings.Repeat("somebody.", 8) + "@example.com"}, Added: at, Lasting: true},
		{ID: "6", Name: "SMS Device", Class: "sms", Details: authenticator.Details{Target: "+49 30 901820"}, Added: at, Lasting: true},
		{ID: "7", Name: "Old codes", Class: "static", Details: authenticator.Details{Left: &none}, Added: at},
	}
	v.own.setUps = settingUp()
	return v
}

func settingUp() []web.SetUp {
	at := func() string { return "/flows/-/configure/" + uuid.NewString() + "/" }
	return []web.SetUp{{Class: "static", Name: "Get recovery codes", URL: at()}, {Class: "totp", Name: "Set up an authenticator app", URL: at()}, {Class: "webauthn", Name: "Create a passkey", URL: at()}}
}

// authenticatorStates are the pages about what people confirm with.
func authenticatorStates(t *testing.T) map[string]http.HandlerFunc {
	t.Helper()
	const all = "/if/user/settings/sign-in/"
	none, shut, due, alone, late := homeVisits(), confirming(), confirming(), confirming(), confirming()
	none.own.setUps = settingUp()
	shut.own.authenticators[0].Loss, due.own.authenticators[0].Loss = authenticator.ShutOut, authenticator.Due
	alone.own.authenticators = alone.own.authenticators[:1]
	late.own.old = true
	page := func(v *visits) http.Handler { return newSite(t, footerBrand(), &engine{}, v) }
	return map[string]http.HandlerFunc{
		"authenticators":              at(all+"?done=removed", page(confirming())),
		"authenticators-none":         at(all, page(none)),
		"authenticator-name":          at(all+"4/name/", page(confirming())),
		"authenticator-name-refused":  sends(all+"4/name/", url.Values{"name": {" "}}, page(confirming())),
		"authenticator-remove":        at(all+"3/remove/", page(confirming())),
		"authenticator-remove-alone":  at(all+"1/remove/", page(alone)),
		"authenticator-remove-due":    at(all+"1/remove/", page(due)),
		"authenticator-remove-last":   at(all+"1/remove/", page(shut)),
		"authenticator-remove-late":   at(all+"1/remove/", page(late)),
		"home-passkey":                shown(at("/if/user/", page(none))),
		"authenticators-without-adds": at(all, page(settingsVisits())),
	}
}

func TestAuthenticatorsAreRenamedAndRemoved(t *testing.T) {
	const all = "/if/user/settings/sign-in/"
	for _, row := range []struct {
		name, path string
		form       url.Values
		removal    error
		status     int
		to, says   string
	}{
		{"a name", all + "1/name/", url.Values{"name": {" My phone "}}, nil, 303, all + "?done=renamed", ""},
		{"no name", all + "1/name/", url.Values{}, nil, 422, "", "Enter a name"},
		{"a long name", all + "1/name/", url.Values{"name": {strings.Repeat("x", 65)}}, nil, 422, "", "at most 64"},
		{"a name that is refused", all + "1/name/", url.Values{"name": {"refused"}}, nil, 422, "", "Take another one."},
		{"the name of another's", all + "9/name/", url.Values{"name": {"x"}}, nil, 404, "", ""},
		{"removing", all + "1/remove/", url.Values{}, nil, 303, all + "?done=removed", ""},
		{"removing the last", all + "1/remove/", url.Values{}, web.ErrLastDevice, 403, "", "You would not get in any more"},
		{"removing after a long time", all + "1/remove/", url.Values{}, web.ErrSignInAgain, 403, "", "Sign in again first"},
		{"removing what is gone meanwhile", all + "1/remove/", url.Values{}, web.ErrNotYours, 404, "", ""},
		{"removing another's", all + "9/remove/", url.Values{}, nil, 404, "", ""},
	} {
		v := confirming()
		v.own.removal = row.removal
		w := answer(newSite(t, nil, &engine{}, v), post(row.path, row.form))
		if w.Code != row.status || w.Header().Get("Location") != row.to || !strings.Contains(w.Body.String(), row.says) {
			t.Errorf("%s: %d to %q: %s", row.name, w.Code, w.Header().Get("Location"), w.Body)
		}
		if n := len(v.own.removed); n > 0 && row.name != "removing" {
			t.Errorf("%s: removed %v", row.name, v.own.removed)
		}
		if row.name == "a name" && strings.Join(v.own.renamed, ",") != "1 My phone" {
			t.Errorf("renamed %q", v.own.renamed)
		}
	}
}

func TestAPasskeyIsOfferedUntilItIsDeclined(t *testing.T) {
	without, with, unable := homeVisits(), confirming(), homeVisits()
	without.own.setUps = settingUp()
	for name, row := range map[string]struct {
		v       *visits
		offered bool
	}{"without one": {without, true}, "with one": {with, false}, "where none can be made": {unable, false}} {
		if got := strings.Contains(answer(newSite(t, nil, &engine{}, row.v), get("/if/user/")).Body.String(), "data-passkey"); got != row.offered {
			t.Errorf("%s: offered %v", name, got)
		}
	}
	s := newSite(t, nil, &engine{}, without)
	w := answer(s, post("/if/user/", url.Values{"passkey": {"later"}}))
	cookies := w.Result().Cookies()
	if w.Code != 303 || len(cookies) != 1 || cookies[0].MaxAge < 300*24*60*60 || !cookies[0].HttpOnly {
		t.Fatalf("declined: %d %v", w.Code, cookies)
	}
	r := get("/if/user/")
	r.AddCookie(cookies[0])
	if strings.Contains(answer(s, r).Body.String(), "data-passkey") {
		t.Error("offered again")
	}
}
