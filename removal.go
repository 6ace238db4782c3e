package weir

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/invitation"
	"github.com/weir-id/weir/internal/resource"
	invitationstage "github.com/weir-id/weir/internal/stages/invitation"
	"github.com/weir-id/weir/internal/stages/userdelete"
	"github.com/weir-id/weir/internal/store"
)

// invitations are those of this installation.
func (in *Installation) invitations() *invitation.Invitations {
	return &invitation.Invitations{DB: in.db, Now: in.now}
}

// consumers use up what plans of stages hold, by its kind.
func (in *Installation) consumers() map[string]func(ctx context.Context, tx flow.Tx, id uuid.UUID) error {
	return map[string]func(ctx context.Context, tx flow.Tx, id uuid.UUID) error{invitationstage.Consumed: in.invitations().Consume,
		flow.ConsumeFlowToken: in.flowTokens.Consume}
}

// RemoveUser implements userdelete.Accounts: the person deletes their own
// account, with what the configuration says about it, in one transaction.
func (in *Installation) RemoveUser(ctx context.Context, tx flow.Tx, p *identity.Person, c userdelete.Cause) error {
	stx, ok := tx.(store.Tx)
	if !ok {
		return fmt.Errorf("delete user %d: %T is no store transaction", p.ID, tx)
	}
	by := catalog.Meta{ActorID: &p.ID, Actor: p.Username, Person: p, HTTP: c.HTTP, Brand: c.Brand, Source: "flow " + c.Flow}
	_, err := in.catalog.UpdateIn(ctx, stx, by, func(ctx context.Context, tx *catalog.Tx) error {
		k := in.kinds.Model("authentik_core.user")
		return k.Delete(ctx, &resource.Write{Tx: tx, By: by, Access: in.access}, &resource.Ref{Model: k.Model, Key: p.ID, Name: p.Username})
	})
	if _, locked := lockedOut(err); locked {
		return &flow.Refusal{Message: "You are the last administrator who can sign in, so your account cannot be deleted.", Err: err}
	}
	return err
}
