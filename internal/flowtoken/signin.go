package flowtoken

import (
	"context"
	"fmt"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/store"
)

// SignIn is a link that signs a person in without a flow. No flow takes it, and
// nothing else takes the place of one.
const SignIn Purpose = "sign-in"

// ForSignIn is a link that signs a person in. There is one at a time for each person.
func ForSignIn(p *identity.Person, expires time.Time) New {
	return New{Identifier: "sign-in-" + p.UUID.String(), Purpose: SignIn, User: p.ID, Plan: &flow.Plan{}, Expires: expires}
}

// Whom returns the user whom a link signs in; 0 for a key that is of no such link,
// or of one that holds no more.
func (t *Tokens) Whom(ctx context.Context, key string) (int64, error) {
	return t.whom(ctx, t.DB, "select id, purpose, user_id, flow_id, plan from flow_tokens where key_hash = $1 and purpose = $3 and "+holds, key)
}

// UseSignIn uses a link up in the transaction of a login. One that somebody else has
// used since, or that is another person's, is a *flow.Refusal (rules 13 and 15).
func (t *Tokens) UseSignIn(ctx context.Context, tx flow.Tx, key string, user int64) error {
	w, ok := tx.(store.Tx)
	if !ok {
		return fmt.Errorf("use sign-in link: %T is no store transaction", tx)
	}
	whom, err := t.whom(ctx, w, "delete from flow_tokens where key_hash = $1 and purpose = $3 and "+holds+" returning id, purpose, user_id, flow_id, plan", key)
	if err == nil && (whom == 0 || whom != user) {
		err = &flow.Refusal{Message: "This link has been used or is no longer valid.", Err: fmt.Errorf("sign-in link of user %d: %w", user, errUsed)}
	}
	return err
}

// whom runs a statement that returns the row of a link, and opens what is sealed in
// it: a row that was changed in the database signs nobody in.
func (t *Tokens) whom(ctx context.Context, q store.Querier, sql, key string) (int64, error) {
	found, err := store.Select(ctx, q, scan, sql, hash(key), t.Now().UTC(), string(SignIn))
	if err != nil {
		return 0, fmt.Errorf("read sign-in link: %w", err)
	}
	if len(found) == 0 {
		return 0, nil
	}
	f := found[0]
	if _, err := t.Box.Open(f.plan, place(f.id, f.purpose, f.user, f.flow)); err != nil {
		return 0, fmt.Errorf("open sign-in link %s: %w", f.id, err)
	}
	return f.user, nil
}
