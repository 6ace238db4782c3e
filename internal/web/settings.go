package web

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weir-id/weir/field"
)

// The addresses of what people look after themselves.
const (
	consentsPath = "/if/user/settings/applications/"
	tokensPath   = "/if/user/settings/tokens/"
	newTokenPath = tokensPath + "new/"
)

// Account is what whoever is signed in looks after themselves. Its methods read
// the session from the request and fail with ErrNotYours where somebody acts as
// somebody else, or nobody is signed in.
type Account interface {
	// Recent tells whether the person signed in so lately that they may get a
	// further way in to their account.
	Recent(w http.ResponseWriter, r *http.Request) (bool, error)
	// SignInAgain is the address where the person signs in again and comes back
	// to next; empty where they have to sign out and in.
	SignInAgain(w http.ResponseWriter, r *http.Request, next string) (string, error)
	// Tokens lists the app passwords and the API tokens of the person, without
	// keys, by identifier.
	Tokens(w http.ResponseWriter, r *http.Request) ([]Token, error)
	// CreateToken makes one and returns its key. The error is ErrSignInAgain for
	// somebody who has to sign in again first, and field.Errors for bad values.
	CreateToken(w http.ResponseWriter, r *http.Request, n NewToken) (made *Token, key string, err error)
	// DeleteToken deletes one; ErrNotYours when the person has none with the id.
	DeleteToken(w http.ResponseWriter, r *http.Request, id string) error
	// Consents lists what applications may know of the person, the latest first.
	Consents(w http.ResponseWriter, r *http.Request) ([]Consent, error)
	// Withdraw ends one of them; ErrNotYours when the person has none with the id.
	Withdraw(w http.ResponseWriter, r *http.Request, id string) error
	Authenticators
}

// The errors of an Account that the pages answer.
var (
	ErrNotYours    = errors.New("there is no such thing of this person")
	ErrSignInAgain = errors.New("the person has to sign in again first")
)

// Token is an app password or an API token, without its key.
type Token struct {
	ID, Identifier, Description string
	// Intent is app_password or api.
	Intent string
	// Expires is nil for never; Expired tells that it is over.
	Expires *time.Time
	Expired bool
}

// NewToken is a token that somebody wants.
type NewToken struct {
	Intent, Description string
	// Days is how long it lives; 0 for ever.
	Days int
}

// Consent is what somebody has let an application know.
type Consent struct {
	ID string
	// Application is the name; empty for one that is gone.
	Application string
	Permissions []string
	// Expires is nil for never.
	Expires *time.Time
}

// Settings is what the pages of one's own account show.
type Settings struct {
	Consents []ConsentRow
	Tokens   []TokenRow
	// Token is the one that was made, with its Key, or that is to be deleted.
	Token *TokenRow
	Key   string
	// Done tells that something was just withdrawn or deleted.
	Done bool
	// Intents and Terms are what a new token can be and how long it can live.
	Intents, Terms []Option
	// Authenticators are what the person confirms with, HasCodes tells that recovery
	// codes are among them; Authenticator is the one that a page is about.
	Authenticators []AuthenticatorRow
	HasCodes       bool
	Authenticator  *AuthenticatorRow
	// SetUps are what can be set up; Passkey is where the first passkey is created,
	// empty where it cannot be or there is one.
	SetUps  []SetUp
	Passkey string
	// Known are the passkeys that count, as JSON for the browser.
	Known string
	// Notice is the id of a text that says how something went; empty for none.
	Notice string
	// ConsentsPath and the others are where forms and links lead; Back is the list that
	// the page belongs to.
	ConsentsPath, TokensPath, NewTokenPath, AuthenticatorsPath, Back, SignOut string
}

// TokenRow is a token in words.
type TokenRow struct {
	ID, Name, Kind, Identifier, Expires string
	Expired                             bool
}

// ConsentRow is a consent in words.
type ConsentRow struct{ ID, Name, Permissions, Expires string }

// ownSettings are the links of the home page to what people look after
// themselves.
func ownSettings(t *texts) ([]Setting, error) {
	out := []Setting{{URL: authenticatorsPath}, {URL: consentsPath}, {URL: tokensPath}}
	for i, id := range []string{"authenticators.title", "consents.title", "tokens.title"} {
		var err error
		if out[i].Name, err = t.text(id); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// themselves tells whether a person is here who acts for themselves; it has
// answered when it returns false.
func (s *Site) themselves(w http.ResponseWriter, r *http.Request) bool {
	person := s.mustSignIn(w, r)
	if person == nil {
		return false
	}
	if person.Impersonator != nil {
		s.Problem(w, r, http.StatusForbidden, "")
		return false
	}
	return true
}

// lists are the pages that list something.
var lists = []string{"consents", "tokens", "authenticators"}

// showSettings shows one of the pages, lists on a wide one.
func (s *Site) showSettings(w http.ResponseWriter, r *http.Request, status int, name string, c *Settings, errs field.Errors, values Values) {
	c.ConsentsPath, c.TokensPath, c.NewTokenPath, c.AuthenticatorsPath, c.SignOut = consentsPath, tokensPath, newTokenPath, authenticatorsPath, signOut
	if c.Back = tokensPath; strings.HasPrefix(r.URL.Path, authenticatorsPath) {
		c.Back = authenticatorsPath
	}
	s.show(w, r, status, name, &Page{Settings: c, Wide: slices.Contains(lists, name), Action: r.URL.EscapedPath(), Errors: errs, Values: values})
}

// refuseSettings answers an error of the account.
func (s *Site) refuseSettings(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, ErrNotYours):
		s.notFound(w, r)
	case errors.Is(err, ErrSignInAgain):
		s.signInAgain(w, r)
	default:
		s.fail(w, r, err)
	}
}

// signInAgain leads a person through the flow in which they sign in again, and
// tells them to sign out and in where there is none for them.
func (s *Site) signInAgain(w http.ResponseWriter, r *http.Request) {
	to, err := s.Account.SignInAgain(w, r, r.URL.EscapedPath())
	switch {
	case err != nil:
		s.fail(w, r, err)
	case to == "":
		s.showSettings(w, r, http.StatusForbidden, "sign-in-again", &Settings{}, nil, nil)
	default:
		redirect(w, http.StatusSeeOther, to)
	}
}

// change carries out what a form asks for: do with the value of the field name.
// It has answered when it returns false.
func (s *Site) change(w http.ResponseWriter, r *http.Request, name string, do func(http.ResponseWriter, *http.Request, string) error) bool {
	f, err := readForm(w, r)
	if err != nil {
		s.refuseForm(w, r, err)
		return false
	}
	id, _ := f.body[name].(string)
	if err := do(w, r, id); err != nil {
		s.refuseSettings(w, r, err)
		return false
	}
	return true
}

// consents lists what applications may know. A POST with the field consent
// withdraws one.
func (s *Site) consents(w http.ResponseWriter, r *http.Request) {
	if !s.themselves(w, r) {
		return
	}
	c := &Settings{Done: r.Method == http.MethodPost}
	if c.Done && !s.change(w, r, "consent", s.Account.Withdraw) {
		return
	}
	list, err := s.Account.Consents(w, r)
	if err != nil {
		s.refuseSettings(w, r, err)
		return
	}
	for _, consent := range list {
		row := ConsentRow{ID: consent.ID, Name: consent.Application, Permissions: strings.Join(consent.Permissions, ", "), Expires: minute(consent.Expires)}
		c.Consents = append(c.Consents, row)
	}
	s.showSettings(w, r, http.StatusOK, "consents", c, nil, nil)
}

// tokens lists the app passwords and API tokens of the person. A POST with the
// field token deletes one.
func (s *Site) tokens(w http.ResponseWriter, r *http.Request) {
	if !s.themselves(w, r) {
		return
	}
	c := &Settings{Done: r.Method == http.MethodPost}
	if c.Done && !s.change(w, r, "token", s.Account.DeleteToken) {
		return
	}
	list, err := s.Account.Tokens(w, r)
	if err != nil {
		s.refuseSettings(w, r, err)
		return
	}
	for _, t := range list {
		row, err := s.tokenRow(r, &t)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		c.Tokens = append(c.Tokens, *row)
	}
	s.showSettings(w, r, http.StatusOK, "tokens", c, nil, nil)
}

func (s *Site) tokenRow(r *http.Request, t *Token) (*TokenRow, error) {
	kind, err := s.catalog.texts[s.catalog.pick(r)].text("tokens." + t.Intent)
	return &TokenRow{ID: t.ID, Name: cmp.Or(t.Description, t.Identifier), Kind: kind, Identifier: t.Identifier, Expires: minute(t.Expires), Expired: t.Expired}, err
}

// showToken shows a page about one token; key is that of a new one.
func (s *Site) showToken(w http.ResponseWriter, r *http.Request, name string, t *Token, key string) {
	row, err := s.tokenRow(r, t)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.showSettings(w, r, http.StatusOK, name, &Settings{Token: row, Key: key}, nil, nil)
}

// minute is a time as all languages read it; empty for none.
func minute(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// token asks whether a token is to be deleted.
func (s *Site) token(w http.ResponseWriter, r *http.Request) {
	if !s.themselves(w, r) {
		return
	}
	list, err := s.Account.Tokens(w, r)
	i := slices.IndexFunc(list, func(t Token) bool { return t.ID == r.PathValue("token") })
	if err == nil && i < 0 {
		err = ErrNotYours
	}
	if err != nil {
		s.refuseSettings(w, r, err)
		return
	}
	s.showToken(w, r, "token-delete", &list[i], "")
}

// newToken shows the form for a new token and takes it, from people who have
// signed in of late (rule 39). The answer is the only page that shows the key.
func (s *Site) newToken(w http.ResponseWriter, r *http.Request) {
	if !s.themselves(w, r) {
		return
	}
	if r.Method != http.MethodPost {
		recent, err := s.Account.Recent(w, r)
		if err == nil && !recent {
			err = ErrSignInAgain
		}
		if err != nil {
			s.refuseSettings(w, r, err)
			return
		}
		s.askToken(w, r, http.StatusOK, nil, nil)
		return
	}
	f, err := readForm(w, r)
	if err != nil {
		s.refuseForm(w, r, err)
		return
	}
	want, errs := wanted(f.values)
	if errs != nil {
		s.askToken(w, r, http.StatusUnprocessableEntity, errs, f.values)
		return
	}
	made, key, err := s.Account.CreateToken(w, r, want)
	switch {
	case errors.As(err, &errs):
		s.askToken(w, r, http.StatusUnprocessableEntity, errs, f.values)
	case err != nil:
		s.refuseSettings(w, r, err)
	default:
		s.showToken(w, r, "token-made", made, key)
	}
}

// terms are how long a new token can live, in days; 0 is for ever.
var terms = []struct {
	value, text string
	days        int
}{{"30", "tokens.term.month", 30}, {"90", "tokens.term.quarter", 90}, {"365", "tokens.term.year", 365}, {"0", "tokens.term.never", 0}}

// maxDescription is the length of the description of a token.
const maxDescription = 200

// wanted reads the form of a new token.
func wanted(sent Values) (NewToken, field.Errors) {
	n := NewToken{Intent: sent["intent"], Description: strings.TrimSpace(sent["description"])}
	var errs field.Errors
	switch {
	case n.Description == "":
		errs = errs.Add("description", field.Error{Code: field.CodeRequired, Message: "tokens.error.description"})
	case utf8.RuneCountInString(n.Description) > maxDescription:
		errs = errs.Add("description", field.Error{Code: field.CodeInvalid, Message: "tokens.error.long"})
	}
	if n.Intent != "app_password" && n.Intent != "api" {
		errs = errs.Add("intent", field.Error{Code: field.CodeInvalid, Message: "tokens.error.choice"})
	}
	for _, term := range terms {
		if term.value == sent["term"] {
			n.Days = term.days
			return n, errs
		}
	}
	return n, errs.Add("term", field.Error{Code: field.CodeInvalid, Message: "tokens.error.choice"})
}

// askToken shows the form for a new token.
func (s *Site) askToken(w http.ResponseWriter, r *http.Request, status int, errs field.Errors, values Values) {
	t := s.catalog.texts[s.catalog.pick(r)]
	c := &Settings{Intents: []Option{{"app_password", "tokens.intent.app_password"}, {"api", "tokens.intent.api"}}}
	for _, term := range terms {
		c.Terms = append(c.Terms, Option{term.value, term.text})
	}
	for _, list := range [][]Option{c.Intents, c.Terms} {
		for i := range list {
			var err error
			if list[i].Label, err = t.text(list[i].Label); err != nil {
				s.fail(w, r, err)
				return
			}
		}
	}
	s.showSettings(w, r, status, "token-new", c, errs, values)
}
