package directory

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/store"
)

// groupRow is one group with one of its parents; a group with several comes as
// several rows in a row.
type groupRow struct {
	identity.Group
	parent *string
}

// SuperGroups selects the ids of the groups that make superusers, those below them
// included.
const SuperGroups = `with recursive supers (id) as (
		select id from groups where is_superuser
		union
		select gp.group_id from group_parents gp join supers on gp.parent_id = supers.id)
	select id from supers`

const groupColumns = "g.id, g.name, g.is_superuser, g.attributes, gp.parent_id"

func scanGroup(row store.Row) (groupRow, error) {
	var r groupRow
	err := row.Scan(&r.ID, &r.Name, &r.Superuser, store.JSON(&r.Attributes), &r.parent)
	return r, err
}

func selectGroups(ctx context.Context, q store.Querier, sql string, args ...any) ([]identity.Group, error) {
	rows, err := store.Select(ctx, q, scanGroup, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("read groups: %w", err)
	}
	var out []identity.Group
	for _, r := range rows {
		if len(out) == 0 || out[len(out)-1].ID != r.ID {
			out = append(out, r.Group)
		}
		if r.parent == nil {
			continue
		}
		parent, err := uuid.Parse(*r.parent)
		if err != nil {
			return nil, fmt.Errorf("read groups: %w", err)
		}
		g := &out[len(out)-1]
		g.Parents = append(g.Parents, parent)
	}
	return out, nil
}

// upwards lists the groups of "member" (a column named id) and everything above
// them. Union instead of union all ends it should there ever be a cycle.
const upwards = `
	select ` + groupColumns + `
	from groups g left join group_parents gp on gp.group_id = g.id
	where g.id in (select id from member)
	order by g.name_key, g.id, gp.parent_id`

// Groups returns all groups of a user, ancestors included, by name.
func (d *Directory) Groups(ctx context.Context, q store.Querier, user int64) ([]identity.Group, error) {
	return selectGroups(ctx, q, `
		with recursive member (id) as (
			select gm.group_id from group_members gm where gm.user_id = $1
			union
			select p.parent_id from group_parents p join member m on p.group_id = m.id
		)`+upwards, user)
}

// Ancestors returns a group and everything above it, by name. The error wraps
// ErrNoGroup when there is none.
func (d *Directory) Ancestors(ctx context.Context, q store.Querier, id uuid.UUID) ([]identity.Group, error) {
	groups, err := selectGroups(ctx, q, `
		with recursive member (id) as (
			select g.id from groups g where g.id = $1
			union
			select p.parent_id from group_parents p join member m on p.group_id = m.id
		)`+upwards, id)
	if err == nil && len(groups) == 0 {
		err = fmt.Errorf("group %s: %w", id, ErrNoGroup)
	}
	return groups, err
}

// Group reads one group. The error wraps ErrNoGroup when there is none.
func (d *Directory) Group(ctx context.Context, q store.Querier, id uuid.UUID) (identity.Group, error) {
	groups, err := selectGroups(ctx, q, "select "+groupColumns+
		" from groups g left join group_parents gp on gp.group_id = g.id where g.id = $1 order by gp.parent_id", id)
	if err != nil {
		return identity.Group{}, err
	}
	if len(groups) == 0 {
		return identity.Group{}, fmt.Errorf("group %s: %w", id, ErrNoGroup)
	}
	return groups[0], nil
}

// DirectGroups returns the ids of the groups that a user is in without
// inheritance.
func (d *Directory) DirectGroups(ctx context.Context, q store.Querier, user int64) ([]uuid.UUID, error) {
	ids, err := store.Select(ctx, q, store.Column[uuid.UUID], "select group_id from group_members where user_id = $1 order by group_id", user)
	if err != nil {
		return nil, fmt.Errorf("read groups of user %d: %w", user, err)
	}
	return ids, nil
}

// Members returns the ids of the users that are in a group without inheritance.
func (d *Directory) Members(ctx context.Context, q store.Querier, group uuid.UUID) ([]int64, error) {
	ids, err := store.Select(ctx, q, store.Column[int64], "select user_id from group_members where group_id = $1 order by user_id", group)
	if err != nil {
		return nil, fmt.Errorf("read members of group %s: %w", group, err)
	}
	return ids, nil
}

// AddMember puts a user into a group; being in it already is fine. A user or
// group that does not exist gives an error that wraps store.ErrReferenced and
// ends the transaction.
func (d *Directory) AddMember(ctx context.Context, tx store.Tx, group uuid.UUID, user int64) error {
	_, err := tx.Exec(ctx, "insert into group_members (group_id, user_id) values ($1, $2) on conflict do nothing", group, user)
	if err != nil {
		return fmt.Errorf("add user %d to group %s: %w", user, group, err)
	}
	return nil
}

// RemoveMember takes a user out of a group; not being in it is fine.
func (d *Directory) RemoveMember(ctx context.Context, tx store.Tx, group uuid.UUID, user int64) error {
	_, err := tx.Exec(ctx, "delete from group_members where group_id = $1 and user_id = $2", group, user)
	if err != nil {
		return fmt.Errorf("remove user %d from group %s: %w", user, group, err)
	}
	return nil
}

// SetGroups makes the groups of a user exactly these. One that does not exist
// is a field error on "groups".
func (d *Directory) SetGroups(ctx context.Context, tx store.Tx, user int64, groups []uuid.UUID) error {
	for _, g := range groups {
		if _, err := d.Group(ctx, tx, g); errors.Is(err, ErrNoGroup) {
			return field.Errorf("groups", field.CodeDoesNotExist, "Choose groups that exist; %s does not.", g)
		} else if err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, "delete from group_members where user_id = $1", user); err != nil {
		return fmt.Errorf("set groups of user %d: %w", user, err)
	}
	for _, g := range groups {
		if err := d.AddMember(ctx, tx, g, user); err != nil {
			return err
		}
	}
	return nil
}

// SetMembers makes the direct members of a group exactly these users. One that
// does not exist is a field error on "users".
func (d *Directory) SetMembers(ctx context.Context, tx store.Tx, group uuid.UUID, users []int64) error {
	for _, u := range users {
		ok, err := d.Exists(ctx, tx, "user", fmt.Sprint(u))
		if err != nil {
			return err
		}
		if !ok {
			return field.Errorf("users", field.CodeDoesNotExist, "Choose users that exist; %d does not.", u)
		}
	}
	if _, err := tx.Exec(ctx, "delete from group_members where group_id = $1", group); err != nil {
		return fmt.Errorf("set members of group %s: %w", group, err)
	}
	for _, u := range users {
		if err := d.AddMember(ctx, tx, group, u); err != nil {
			return err
		}
	}
	return nil
}
