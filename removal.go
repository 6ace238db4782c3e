package weir

import (
	"context"
	"fmt"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/stages/userdelete"
	"github.com/weir-id/weir/internal/store"
)

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
	return err
}
