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

// RemoveUser takes a role from a user; not having it is fine.
func (a *Access) RemoveUser(ctx context.Context, tx store.Tx, role uuid.UUID, user int64) error {
	if _, err := tx.Exec(ctx, `delete from role_users where role_id = $1 and user_id = $2`, role, user); err != nil {
		return fmt.Errorf("take role %s from user %d: %w", role, user, err)
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
	if err := a.q.QueryRow(ctx, above+` select count(*) from groups g join up on up.id = g.id where g.is_superuser`, group).Scan(&supers); err != nil {
		return false, fmt.Errorf("read ancestors of group %s: %w", group, err)
	}
	if supers > 0 {
		return false, nil
	}
	grants, err := store.Select(ctx, a.q, scanGrant, above+` select distinct rg.permission, rg.object_kind, rg.object_id from `+powers+` rg
		join role_groups r on r.role_id = rg.role_id join up on up.id = r.group_id`, group)
	if err != nil {
		return false, fmt.Errorf("read grants of group %s: %w", group, err)
	}
	return a.holds(ctx, p, grants)
}

func scanGrant(row store.Row) (Grant, error) {
	var g Grant
	err := row.Scan(&g.Permission, &g.Kind, &g.ID)
	return g, err
}

// holds tells whether p has all of the grants.
func (a *Access) holds(ctx context.Context, p *identity.Person, grants []Grant) (bool, error) {
	for _, g := range grants {
		held, err := a.granted(ctx, p, g.Permission, g.Kind, g.ID)
		if err != nil || !held {
			return false, err
		}
	}
	return true, nil
}

// MayGiveRole tells whether p may hand a role to somebody: only who holds all
// that it grants (rule 46).
func (a *Access) MayGiveRole(ctx context.Context, p *identity.Person, role uuid.UUID) (bool, error) {
	if super, decided, err := everything(ctx, p); decided {
		return super, err
	}
	grants, err := store.Select(ctx, a.q, scanGrant, `select rg.permission, rg.object_kind, rg.object_id from `+powers+` rg where rg.role_id = $1`, role)
	if err != nil {
		return false, fmt.Errorf("read grants of role %s: %w", role, err)
	}
	return a.holds(ctx, p, grants)
}

// MayActOn tells whether p may change somebody's account, in ways that could
// end in signing in as them: only who may do all that they may (rule 46).
// Only superusers may act on the account of an outpost: with its token anybody
// can claim any address. Everybody may act on themselves.
func (a *Access) MayActOn(ctx context.Context, p *identity.Person, user int64) (bool, error) {
	if super, decided, err := everything(ctx, p); decided {
		return super, err
	}
	if p.ID == user {
		return true, nil
	}
	const theirs = `with recursive up (id) as (
			select group_id from group_members where user_id = $1
			union
			select gp.parent_id from group_parents gp join up on gp.group_id = up.id)`
	var beyond int
	if err := a.q.QueryRow(ctx, theirs+` select (select count(*) from groups g join up on up.id = g.id where g.is_superuser)
		+ (select count(*) from users where id = $1 and type = $2)`, user, string(identity.InternalServiceAccount)).Scan(&beyond); err != nil {
		return false, fmt.Errorf("read groups of user %d: %w", user, err)
	}
	if beyond > 0 {
		return false, nil
	}
	grants, err := store.Select(ctx, a.q, scanGrant, theirs+` select distinct rg.permission, rg.object_kind, rg.object_id from `+powers+` rg
		where rg.role_id in (select role_id from role_users where user_id = $1)
			or rg.role_id in (select r.role_id from role_groups r join up on up.id = r.group_id)`, user)
	if err != nil {
		return false, fmt.Errorf("read grants of user %d: %w", user, err)
	}
	return a.holds(ctx, p, grants)
}
