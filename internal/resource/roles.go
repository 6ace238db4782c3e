package resource

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/store"
)

// roleSets reads and writes who has which role, and what roles may do.
type roleSets struct{ access *access.Access }

func (r roleSets) ofUser(ctx context.Context, q store.Querier, user int64) ([]uuid.UUID, error) {
	ids, err := store.Select(ctx, q, store.Column[uuid.UUID], `select ru.role_id from role_users ru join roles r on r.id = ru.role_id
		where ru.user_id = $1 and r.name <> $2 order by ru.role_id`, user, managedRole(user))
	if err != nil {
		return nil, fmt.Errorf("read roles of user %d: %w", user, err)
	}
	return ids, nil
}

func (r roleSets) ofGroup(ctx context.Context, q store.Querier, group uuid.UUID) ([]uuid.UUID, error) {
	ids, err := store.Select(ctx, q, store.Column[uuid.UUID], "select role_id from role_groups where group_id = $1 order by role_id", group)
	if err != nil {
		return nil, fmt.Errorf("read roles of group %s: %w", group, err)
	}
	return ids, nil
}

// setUser makes the roles of a user exactly these, next to the one of their
// own that holds single grants.
func (r roleSets) setUser(ctx context.Context, tx store.Tx, user int64, roles []uuid.UUID) error {
	if err := r.exist(ctx, tx, "roles", roles); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `delete from role_users where user_id = $1 and role_id not in (select id from roles where name = $2)`, user, managedRole(user))
	if err != nil {
		return fmt.Errorf("set roles of user %d: %w", user, err)
	}
	for _, role := range roles {
		if err := r.access.AddUser(ctx, tx, role, user); err != nil {
			return err
		}
	}
	return nil
}

func (r roleSets) setGroup(ctx context.Context, tx store.Tx, group uuid.UUID, roles []uuid.UUID) error {
	if err := r.exist(ctx, tx, "roles", roles); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "delete from role_groups where group_id = $1", group); err != nil {
		return fmt.Errorf("set roles of group %s: %w", group, err)
	}
	for _, role := range roles {
		if err := r.access.AddGroup(ctx, tx, role, group); err != nil {
			return err
		}
	}
	return nil
}

// exist refuses roles that are not there before the database does, which would
// end the transaction.
func (r roleSets) exist(ctx context.Context, q store.Querier, name string, roles []uuid.UUID) error {
	var args store.Args
	known, err := store.Select(ctx, q, store.Column[uuid.UUID], "select id from roles where id in "+store.In(&args, roles), args...)
	if err != nil {
		return fmt.Errorf("look for roles: %w", err)
	}
	for _, role := range roles {
		if !slices.Contains(known, role) {
			return field.Errorf(name, field.CodeDoesNotExist, "Choose roles that exist; %s does not.", role)
		}
	}
	return nil
}

// managedRole is the name of the role that holds the grants of one user.
func managedRole(user int64) string { return fmt.Sprintf("ak-managed-role--user-%d", user) }

// own returns the role of a single user, which it makes when it is not there.
func (r roleSets) own(ctx context.Context, tx store.Tx, user int64) (uuid.UUID, error) {
	var role uuid.UUID
	err := tx.QueryRow(ctx, "select id from roles where name = $1", managedRole(user)).Scan(&role)
	if errors.Is(err, store.ErrNotFound) {
		role, err = r.access.CreateRole(ctx, tx, managedRole(user))
	}
	if err != nil {
		return role, fmt.Errorf("find role of user %d: %w", user, err)
	}
	return role, r.access.AddUser(ctx, tx, role, user)
}

var codename = regexp.MustCompile(`^[a-z]+(_[a-z0-9]+)+$`)

// grantGlobal adds permissions such as "authentik_flows.view_flow" for all
// objects.
func (r roleSets) grantGlobal(ctx context.Context, tx store.Tx, user int64, permissions []string) error {
	if len(permissions) == 0 {
		return nil
	}
	role, err := r.own(ctx, tx, user)
	if err != nil {
		return err
	}
	for _, p := range permissions {
		app, name, ok := strings.Cut(p, ".")
		if !ok || !strings.HasPrefix(app, "authentik_") || !codename.MatchString(name) {
			return field.Errorf("permissions", field.CodeInvalid, "Write a permission as app and codename, such as authentik_flows.view_flow, not %q.", p)
		}
		if err := r.access.Grant(ctx, tx, access.Grant{Role: role, Permission: name}); err != nil {
			return err
		}
	}
	return nil
}

// Grants stores permissions on single objects with package access.
type Grants struct {
	Access *access.Access
}

// GrantObject gives a user, through a role of their own, and a role the
// permission on one object. Having it already is fine.
func (g Grants) GrantObject(ctx context.Context, tx store.Tx, permission, model, key string, user *int64, role string) error {
	r := roleSets{g.Access}
	_, kind, _ := strings.Cut(modelKey(model), ".")
	if !codename.MatchString(permission) || !strings.HasSuffix(permission, "_"+kind) {
		return field.Errorf("permissions", field.CodeInvalid, "Name a permission of this model, such as view_%s, not %q.", kind, permission)
	}
	var roles []uuid.UUID
	if user != nil {
		var n int
		if err := tx.QueryRow(ctx, "select count(*) from users where id = $1", *user).Scan(&n); err != nil {
			return fmt.Errorf("look for user %d: %w", *user, err)
		}
		if n == 0 {
			return field.Errorf("permissions", field.CodeDoesNotExist, "There is no user %d.", *user)
		}
		own, err := r.own(ctx, tx, *user)
		if err != nil {
			return err
		}
		roles = append(roles, own)
	}
	if role != "" {
		id, err := uuid.Parse(role)
		if err != nil {
			return field.Errorf("permissions", field.CodeInvalid, "Give the role by its key; %q is none.", role)
		}
		if err := r.exist(ctx, tx, "permissions", []uuid.UUID{id}); err != nil {
			return err
		}
		roles = append(roles, id)
	}
	for _, role := range roles {
		if err := g.Access.Grant(ctx, tx, access.Grant{Role: role, Permission: permission, Kind: kind, ID: key}); err != nil {
			return err
		}
	}
	return nil
}
