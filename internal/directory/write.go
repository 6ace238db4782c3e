package directory

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/store"
)

// Change is what a step of a flow does to a user.
type Change struct {
	// Edit changes the fields of the user as the transaction sees it.
	Edit func(u *identity.User)
	// Hash is a new password, hashed before the transaction; empty for none.
	Hash string
	// Groups are those that the user is put into.
	Groups []uuid.UUID
}

// WriteUser changes a stored user, or creates u where it is not stored yet, and
// returns it as it is then. What cannot be is a *flow.Refusal: a taken user
// name, a value that a user cannot have, a group that is gone.
func (d *Directory) WriteUser(ctx context.Context, tx flow.Tx, u identity.User, c Change) (identity.User, error) {
	w, ok := tx.(store.Tx)
	if !ok {
		return u, fmt.Errorf("write user: %T is no store transaction", tx)
	}
	u, err := d.writeUser(ctx, w, u, c)
	var problems field.Errors
	if errors.As(err, &problems) || errors.Is(err, store.ErrReferenced) {
		return u, &flow.Refusal{Message: "Your details could not be saved. Go back and check them; the user name may be taken.", Err: err}
	}
	return u, err
}

func (d *Directory) writeUser(ctx context.Context, tx store.Tx, u identity.User, c Change) (identity.User, error) {
	if u.Saved() {
		var err error
		if u, err = scanUser(tx.QueryRow(ctx, "select "+UserColumns("u")+" from users u where u.id = $1"+tx.Dialect().ForUpdate(), u.ID)); err != nil {
			if errors.Is(err, store.ErrNotFound) {
				return u, found(0, u.ID)
			}
			return u, fmt.Errorf("read user: %w", err)
		}
		c.Edit(&u)
		if err := d.UpdateUser(ctx, tx, &u); err != nil {
			return u, err
		}
	} else {
		c.Edit(&u)
		if err := d.CreateUser(ctx, tx, &u); err != nil {
			return u, err
		}
	}
	if c.Hash != "" {
		if err := d.SetPasswordHash(ctx, tx, u.ID, c.Hash); err != nil {
			return u, err
		}
	}
	for _, g := range c.Groups {
		if err := d.AddMember(ctx, tx, g, u.ID); err != nil {
			return u, err
		}
	}
	return u, nil
}
