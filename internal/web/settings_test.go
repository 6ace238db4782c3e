package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/web"
)

// account is what somebody looks after, in memory.
type account struct {
	// old tells that the sign-in is too long ago.
	old      bool
	tokens   []web.Token
	consents []web.Consent

	authenticators   []web.Authenticator
	setUps           []web.SetUp
	renamed, removed []string
	// removal is what removing one says.
	removal error
}

func (a *account) Recent(http.ResponseWriter, *http.Request) (bool, error) { return !a.old, nil }

func (a *account) SignInAgain(http.ResponseWriter, *http.Request, string) (string, error) {
	return "", nil
}

func (a *account) Tokens(http.ResponseWriter, *http.Request) ([]web.Token, error) {
	return a.tokens, nil
}

func (a *account) CreateToken(_ http.ResponseWriter, _ *http.Request, n web.NewToken) (*web.Token, string, error) {
	return &web.Token{Identifier: "own-f3kq7", Description: n.Description, Intent: n.Intent, Expires: &nextYear}, strings.Repeat("Key4", 15), nil
}

func (a *account) DeleteToken(http.ResponseWriter, *http.Request, string) error { return nil }

func (a *account) Consents(http.ResponseWriter, *http.Request) ([]web.Consent, error) {
	return a.consents, nil
}

func (a *account) Withdraw(http.ResponseWriter, *http.Request, string) error { return nil }

var nextYear = time.Date(2027, 11, 24, 14, 35, 0, 0, time.UTC)

// settingsVisits is the browser of somebody who has things of each kind to look
// after.
func settingsVisits() *visits {
	v := homeVisits()
	v.own.tokens = []web.Token{
		{ID: uuid.NewString(), Identifier: "own-f3kq7", Description: "Mail on my phone", Intent: "app_password", Expires: &nextYear},
		{ID: uuid.NewString(), Identifier: strings.Repeat("backup-", 20), Intent: "api"},
		{ID: uuid.NewString(), Identifier: "own-x", Description: strings.Repeat("unbroken", 20), Intent: "api"},
		{ID: uuid.NewString(), Identifier: "own-y", Description: "كتاب", Intent: "app_password", Expires: &nextYear, Expired: true},
	}
	v.own.consents = []web.Consent{{ID: "1", Application: "Wiki", Permissions: []string{"email", "profile"}, Expires: &nextYear},
		{ID: "2", Application: strings.Repeat("Payroll", 15)}, {ID: "3", Permissions: []string{"email"}}}
	return v
}

// settingsStates are the pages on which people look after themselves.
func settingsStates(t *testing.T) map[string]http.HandlerFunc {
	t.Helper()
	const consents, tokens = "/if/user/settings/applications/", "/if/user/settings/tokens/"
	some, old := settingsVisits(), homeVisits()
	old.own.old = true
	site, none := newSite(t, footerBrand(), &engine{}, some), newSite(t, footerBrand(), &engine{}, homeVisits())
	wanted := url.Values{"intent": {"app_password"}, "description": {"Mail on my phone"}, "term": {"365"}}
	return map[string]http.HandlerFunc{
		"consents":       sends(consents, url.Values{"consent": {"4"}}, site),
		"consents-none":  at(consents, none),
		"tokens":         sends(tokens, url.Values{"token": {"x"}}, site),
		"tokens-none":    at(tokens, none),
		"token-new":      at(tokens+"new/", site),
		"token-refused":  sends(tokens+"new/", url.Values{"intent": {"all"}, "term": {"9"}}, site),
		"token-made":     sends(tokens+"new/", wanted, site),
		"token-delete":   at(tokens+some.own.tokens[2].ID+"/", site),
		"token-too-late": at(tokens+"new/", newSite(t, footerBrand(), &engine{}, old)),
	}
}
