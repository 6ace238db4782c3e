package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/passkey"
	"github.com/weir-id/weir/internal/request"
)

// authenticatorsPath is the address of what people confirm with.
const authenticatorsPath = "/if/user/settings/sign-in/"

// Authenticators is the part of an Account about what people confirm with that it
// is them.
type Authenticators interface {
	// Authenticators lists what the person has, by age.
	Authenticators(w http.ResponseWriter, r *http.Request) ([]Authenticator, error)
	// SetUps lists what they can set up.
	SetUps(w http.ResponseWriter, r *http.Request) ([]SetUp, error)
	// KnownPasskeys are those of the person that count at the host of the request.
	KnownPasskeys(w http.ResponseWriter, r *http.Request) (passkey.Known, error)
	// RenameAuthenticator renames one. The error is ErrNotYours when the person has
	// none with the id, and field.Errors for a bad name.
	RenameAuthenticator(w http.ResponseWriter, r *http.Request, id, name string) error
	// RemoveAuthenticator removes one. The error is ErrSignInAgain for somebody who has
	// to sign in again first, ErrLastDevice for a device without which they could not
	// sign in, and ErrNotYours when they have none with the id.
	RemoveAuthenticator(w http.ResponseWriter, r *http.Request, id string) error
}

// ErrLastDevice refuses people to shut themselves out.
var ErrLastDevice = errors.New("nobody could sign in without this device")

// Authenticator is a device that somebody confirms with.
type Authenticator struct {
	ID, Name string
	// Class is that of its kind: "totp".
	Class string
	// Make is that of a passkey; empty where it is not known.
	Make string
	authenticator.Details
	Added time.Time
	// LastUsed is nil for never.
	LastUsed *time.Time
	// Lasting tells that it goes on answering, unlike recovery codes.
	Lasting bool
	// Loss is what becomes of signing in without it.
	Loss authenticator.Loss
}

// SetUp is a flow in which somebody sets a device of a class up.
type SetUp struct{ Class, Name, URL string }

// AuthenticatorRow is an authenticator in words.
type AuthenticatorRow struct {
	Authenticator
	Kind, Added, LastUsed string
	// Codes is how many recovery codes are left, Copied and Bound tell whether a passkey
	// is on all devices of its owner or on one.
	Codes         string
	Copied, Bound bool
	// Keeps are the names of what goes on answering without it.
	Keeps []string
}

// Due and ShutOut tell what becomes of signing in without it.
func (a AuthenticatorRow) Due() bool     { return a.Loss == authenticator.Due }
func (a AuthenticatorRow) ShutOut() bool { return a.Loss == authenticator.ShutOut }

// Remove and Rename are where that is done.
func (a AuthenticatorRow) Remove() string { return authenticatorsPath + a.ID + "/remove/" }
func (a AuthenticatorRow) Rename() string { return authenticatorsPath + a.ID + "/name/" }

// kinds are the classes that have a name in the texts, in the order of the page.
var kinds = []string{passkey.Class, "totp", "duo", "sms", "email", "static"}

// said are what the page of all authenticators can be told to say.
var said = map[string]string{"added": "authenticators.added", "renamed": "authenticators.renamed", "removed": "authenticators.removed"}

// toAuthenticators leads to the page of all authenticators, which says what was done.
func toAuthenticators(done string) string {
	return authenticatorsPath + "?" + url.Values{"done": {done}}.Encode()
}

// rows are what the person has in words, passkeys first and recovery codes last.
func (s *Site) rows(w http.ResponseWriter, r *http.Request) ([]AuthenticatorRow, error) {
	list, err := s.Account.Authenticators(w, r)
	if err != nil {
		return nil, err
	}
	t := s.catalog.texts[s.catalog.pick(r)]
	slices.SortStableFunc(list, func(a, b Authenticator) int { return slices.Index(kinds, a.Class) - slices.Index(kinds, b.Class) })
	out := make([]AuthenticatorRow, len(list))
	for i, a := range list {
		out[i] = AuthenticatorRow{Authenticator: a, Kind: a.Class, Added: minute(&a.Added), LastUsed: minute(a.LastUsed)}
		if slices.Contains(kinds, a.Class) {
			if out[i].Kind, err = t.text("authenticators.kind." + a.Class); err != nil {
				return nil, err
			}
		}
		if a.Left != nil {
			if out[i].Codes, err = t.text("authenticators.left", "Count", *a.Left); err != nil {
				return nil, err
			}
		}
		if a.Synced != nil {
			out[i].Copied, out[i].Bound = *a.Synced, !*a.Synced
		}
		for _, other := range list {
			if other.Lasting && other.ID != a.ID {
				out[i].Keeps = append(out[i].Keeps, other.Name)
			}
		}
	}
	return out, nil
}

// authenticators lists what the person confirms with, and what they can set up.
func (s *Site) authenticators(w http.ResponseWriter, r *http.Request) {
	if !s.themselves(w, r) {
		return
	}
	c := &Settings{Notice: said[r.URL.Query().Get("done")]}
	var err error
	if c.Authenticators, err = s.rows(w, r); err == nil {
		c.SetUps, err = s.setUps(w, r, toAuthenticators("added"))
	}
	var known []byte
	if err == nil {
		known, err = s.known(w, r)
	}
	if err != nil {
		s.refuseSettings(w, r, err)
		return
	}
	c.Known = string(known)
	has := func(class string) bool {
		return slices.ContainsFunc(c.Authenticators, func(a AuthenticatorRow) bool { return a.Class == class })
	}
	c.HasCodes = has("static")
	if first := slices.IndexFunc(c.SetUps, func(u SetUp) bool { return u.Class == passkey.Class }); first >= 0 && !has(passkey.Class) {
		c.Passkey = c.SetUps[first].URL
		c.SetUps = slices.Delete(c.SetUps, first, first+1)
	}
	s.showSettings(w, r, http.StatusOK, "authenticators", c, nil, nil)
}

// known are the passkeys that count, for the browser.
func (s *Site) known(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	known, err := s.Account.KnownPasskeys(w, r)
	if err != nil {
		return nil, err
	}
	return json.Marshal(known)
}

// setUps are what the person can set up, after which they come to next.
func (s *Site) setUps(w http.ResponseWriter, r *http.Request, next string) ([]SetUp, error) {
	list, err := s.Account.SetUps(w, r)
	for i := range list {
		list[i].URL = withQuery(list[i].URL, url.Values{"next": {next}}.Encode())
	}
	slices.SortStableFunc(list, func(a, b SetUp) int { return slices.Index(kinds, a.Class) - slices.Index(kinds, b.Class) })
	return list, err
}

// one finds the authenticator of the address; it has answered when it returns nil.
func (s *Site) one(w http.ResponseWriter, r *http.Request) *AuthenticatorRow {
	if !s.themselves(w, r) {
		return nil
	}
	list, err := s.rows(w, r)
	i := slices.IndexFunc(list, func(a AuthenticatorRow) bool { return a.ID == r.PathValue("authenticator") })
	if err == nil && i < 0 {
		err = ErrNotYours
	}
	if err != nil {
		s.refuseSettings(w, r, err)
		return nil
	}
	return &list[i]
}

// maxAuthenticatorName is how long a name can be that is typed on the page.
const maxAuthenticatorName = 64

// renameAuthenticator asks for a name and takes it.
func (s *Site) renameAuthenticator(w http.ResponseWriter, r *http.Request) {
	a := s.one(w, r)
	if a == nil {
		return
	}
	c := &Settings{Authenticator: a}
	if r.Method != http.MethodPost {
		s.showSettings(w, r, http.StatusOK, "authenticator-name", c, nil, nil)
		return
	}
	f, err := readForm(w, r)
	if err != nil {
		s.refuseForm(w, r, err)
		return
	}
	name := strings.TrimSpace(f.values["name"])
	switch {
	case name == "":
		err = field.Errors{"name": {{Code: field.CodeRequired, Message: "authenticators.error.name"}}}
	case utf8.RuneCountInString(name) > maxAuthenticatorName:
		err = field.Errors{"name": {{Code: field.CodeInvalid, Message: "authenticators.error.long"}}}
	default:
		err = s.Account.RenameAuthenticator(w, r, a.ID, name)
	}
	var errs field.Errors
	switch {
	case errors.As(err, &errs):
		s.showSettings(w, r, http.StatusUnprocessableEntity, "authenticator-name", c, errs, f.values)
	case err != nil:
		s.refuseSettings(w, r, err)
	default:
		redirect(w, http.StatusSeeOther, toAuthenticators("renamed"))
	}
}

// removeAuthenticator says what becomes of signing in without an authenticator, and
// removes it for people who have signed in of late (rule 39).
func (s *Site) removeAuthenticator(w http.ResponseWriter, r *http.Request) {
	a := s.one(w, r)
	if a == nil {
		return
	}
	var err error
	if r.Method == http.MethodPost {
		err = s.Account.RemoveAuthenticator(w, r, a.ID)
	} else if !a.ShutOut() {
		var recent bool
		if recent, err = s.Account.Recent(w, r); err == nil && !recent {
			err = ErrSignInAgain
		}
	}
	status := http.StatusOK
	if errors.Is(err, ErrLastDevice) {
		a.Loss, status, err = authenticator.ShutOut, http.StatusForbidden, nil
	}
	switch {
	case err != nil:
		s.refuseSettings(w, r, err)
	case r.Method == http.MethodPost && status == http.StatusOK:
		redirect(w, http.StatusSeeOther, toAuthenticators("removed"))
	default:
		s.showSettings(w, r, status, "authenticator-remove", &Settings{Authenticator: a}, nil, nil)
	}
}

// laterCookie remembers that the person of a browser wants no passkey on it.
const laterCookie = "weir_passkey"

// offerPasskey is where the person of the home page creates a passkey; empty for
// those who have one, cannot, or did not want to.
func (s *Site) offerPasskey(w http.ResponseWriter, r *http.Request) (string, error) {
	if _, err := r.Cookie(laterCookie); err == nil {
		return "", nil
	}
	have, err := s.Account.Authenticators(w, r)
	if err != nil || slices.ContainsFunc(have, func(a Authenticator) bool { return a.Class == passkey.Class }) {
		return "", err
	}
	list, err := s.setUps(w, r, toAuthenticators("added"))
	i := slices.IndexFunc(list, func(u SetUp) bool { return u.Class == passkey.Class })
	if err != nil || i < 0 {
		return "", err
	}
	return list[i].URL, nil
}

// later remembers that the person wants no passkey on this browser, for a year.
func (s *Site) later(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: laterCookie, Value: "later", Path: "/", MaxAge: 365 * 24 * 60 * 60, HttpOnly: true,
		Secure: request.From(r.Context()).Secure, SameSite: http.SameSiteLaxMode})
	redirect(w, http.StatusSeeOther, "/if/user/")
}
