package access

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/store"
)

// CreateRole makes a role. The name is unique: an error that wraps
// store.ErrConflict means that it is taken.
func (a *Access) CreateRole(ctx context.Context, tx store.Tx, name string) (uuid.UUID, error) {
	id := uuid.New()
	if _, err := tx.Exec(ctx, `insert into roles (id, name) values ($1, $2)`, id, name); err != nil {
		return uuid.Nil, fmt.Errorf("create role %q: %w", name, err)
	}
	return id, nil
}

// AddUser gives a user a role.
func (a *Access) AddUser(ctx context.Context, tx store.Tx, role uuid.UUID, user int64) error {
	_, err := tx.Exec(ctx, `insert into role_users (role_id, user_id) values ($1, $2) on conflict do nothing`, role, user)
	if err != nil {
		return fmt.Errorf("add user %d to role %s: %w", user, role, err)
	}
	return nil
}

// AddGroup gives all members of a group, also inherited ones, a role.
func (a *Access) AddGroup(ctx context.Context, tx store.Tx, role, group uuid.UUID) error {
	_, err := tx.Exec(ctx, `insert into role_groups (role_id, group_id) values ($1, $2) on conflict do nothing`, role, group)
	if err != nil {
		return fmt.Errorf("add group %s to role %s: %w", group, role, err)
	}
	return nil
}

// MayJoin tells whether p may put somebody into a group: only superusers may
// hand out a group that makes superusers, counted over the hierarchy, or one
// whose roles hold what p does not (rule 46).
func (a *Access) MayJoin(ctx context.Context, p *identity.Person, group uuid.UUID) (bool, error) {
	if super, decided, err := everything(ctx, p); decided {
		return super, err
	}
	const above = `with recursive up (id) as (
			select id from groups where id = $1
			union
			select gp.parent_id from group_parents gp join up on gp.group_id = up.id)`
	var supers int
	if err := a.db.QueryRow(ctx, above+` select count(*) from groups g join up on up.id = g.id where g.is_superuser`, group).Scan(&supers); err != nil {
		return false, fmt.Errorf("read ancestors of group %s: %w", group, err)
	}
	if supers > 0 {
		return false, nil
	}
	grants, err := store.Select(ctx, a.db, func(row store.Row) (Grant, error) {
		var g Grant
		err := row.Scan(&g.Permission, &g.Kind, &g.ID)
		return g, err
	}, above+` select distinct rg.permission, rg.object_kind, rg.object_id from role_grants rg
		join role_groups r on r.role_id = rg.role_id join up on up.id = r.group_id`, group)
	if err != nil {
		return false, fmt.Errorf("read grants of group %s: %w", group, err)
	}
	for _, g := range grants {
		held, err := a.granted(ctx, p, g.Permission, g.Kind, g.ID)
		if err != nil || !held {
			return false, err
		}
	}
	return true, nil
}
