package weir

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/flowtoken"
	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/session"
	"github.com/weir-id/weir/internal/web"
)

// methodSignInLink is how somebody has signed in who came by a link for it.
const methodSignInLink = "sign_in_link"

// SignInLink makes a link that signs somebody in, whatever the configuration is: no
// flow, policy or brand has a say. It holds once and for so long; a former link of
// the same person ends, and each does when the password changes. The error is
// ErrNoUser for an unknown name.
func (in *Installation) SignInLink(ctx context.Context, username string, holds time.Duration) (string, error) {
	person, err := in.humanByName(ctx, username)
	if err != nil {
		return "", err
	}
	if !person.Active {
		return "", fmt.Errorf("user %q is not active: nobody signs in as them", username)
	}
	key, err := in.putToken(ctx, flowtoken.ForSignIn(person, in.now().Add(holds)), person, "A sign-in link was made.", nil)
	if err != nil {
		return "", fmt.Errorf("make sign-in link of %q: %w", username, err)
	}
	link := in.config.Site().JoinPath(web.SignInLinkPath)
	link.RawQuery = url.Values{web.SignInLinkKey: {key}}.Encode()
	return link.String(), nil
}

// humanByName finds the person of a user name, for whom a link is to be made.
func (in *Installation) humanByName(ctx context.Context, username string) (*identity.Person, error) {
	found, err := in.people.FindUsers(ctx, in.db, map[string]any{"username": username})
	if err != nil {
		return nil, fmt.Errorf("look for user %q: %w", username, err)
	}
	if len(found) == 0 {
		return nil, ErrNoUser
	}
	person, err := in.people.Person(ctx, found[0].ID)
	if err == nil && !person.Human() {
		err = errors.New("a service account gets no link: give it a token instead")
	}
	return person, err
}

// Whom implements web.Visits.
func (v *visits) Whom(r *http.Request, key string) (*identity.Person, error) {
	id, err := v.tokens.Whom(r.Context(), key)
	if err != nil {
		return nil, err
	}
	var person *identity.Person
	if id != 0 {
		if person, err = v.people.Person(r.Context(), id); err != nil && !errors.Is(err, flow.ErrNoPerson) {
			return nil, err
		}
	}
	if person == nil || !person.Active {
		return nil, web.ErrNoLink
	}
	return person, nil
}

// SignIn implements web.Visits. The link is used up, the session begins and the event
// is recorded in one transaction, which looks at the account last (rule 24).
func (v *visits) SignIn(w http.ResponseWriter, r *http.Request, key string) error {
	person, err := v.Whom(r, key)
	if err != nil {
		return err
	}
	visit, err := v.runner.Visit(w, r, uuid.Nil, false)
	if err != nil {
		return err
	}
	done, err := v.sessions.Commit(r.Context(), &flow.Commit{
		Session: visit.Session, HTTP: request.Policy(r, nil), User: visit.Person, Pending: person, Brand: visit.Brand, Flow: &flow.Flow{Slug: methodSignInLink},
		Apply: []func(ctx context.Context, tx flow.Tx) error{
			func(ctx context.Context, tx flow.Tx) error { return v.tokens.UseSignIn(ctx, tx, key, person.ID) }},
		Login:  &flow.Login{User: person, Backend: directory.InbuiltBackend, Method: methodSignInLink},
		Events: []flow.Event{{Action: string(event.Login), User: person, Context: map[string]any{"auth_method": methodSignInLink, "auth_method_args": map[string]any{}}}},
	})
	var refused *flow.Refusal
	switch {
	case errors.As(err, &refused), errors.Is(err, session.ErrInactive):
		return web.ErrNoLink
	case err != nil:
		return err
	}
	v.runner.PutSession(w, r, done.Session)
	return nil
}
