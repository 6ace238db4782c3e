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
	"github.com/weir-id/weir/identity"
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

// ofUsers returns the roles of users, by name, without the ones of their own.
func (r roleSets) ofUsers(ctx context.Context, q store.Querier, users []int64) (map[int64][]roleSummary, error) {
	return ofEach(ctx, q, users, `select ru.user_id, r.id, r.name from role_users ru join roles r on r.id = ru.role_id
		where ru.user_id in %s and r.name not like '`+ownRolePrefix+`%%' order by r.name`)
}

// ofGroups returns the roles of groups, by name.
func (r roleSets) ofGroups(ctx context.Context, q store.Querier, groups []uuid.UUID) (map[uuid.UUID][]roleSummary, error) {
	return ofEach(ctx, q, groups, `select rg.group_id, r.id, r.name from role_groups rg join roles r on r.id = rg.role_id
		where rg.group_id in %s order by r.name`)
}

func ofEach[K comparable](ctx context.Context, q store.Querier, holders []K, sql string) (map[K][]roleSummary, error) {
	out := map[K][]roleSummary{}
	if len(holders) == 0 {
		return out, nil
	}
	var args store.Args
	found, err := store.Select(ctx, q, func(row store.Row) (pair[K, roleSummary], error) {
		var p pair[K, roleSummary]
		err := row.Scan(&p.a, &p.b.PK, &p.b.Name)
		return p, err
	}, fmt.Sprintf(sql, store.In(&args, holders)), args...)
	if err != nil {
		return nil, fmt.Errorf("read roles: %w", err)
	}
	for _, p := range found {
		out[p.a] = append(out[p.a], p.b)
	}
	return out, nil
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
func managedRole(user int64) string { return fmt.Sprintf(ownRolePrefix+"%d", user) }

const ownRolePrefix = "ak-managed-role--user-"

// dropOwn deletes the role of a single user together with the user.
func (r roleSets) dropOwn(ctx context.Context, tx store.Tx, user int64) error {
	if _, err := tx.Exec(ctx, "delete from roles where name = $1", managedRole(user)); err != nil {
		return fmt.Errorf("delete role of user %d: %w", user, err)
	}
	return nil
}

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
func (r roleSets) grantGlobal(ctx context.Context, w *Write, user int64, permissions []string) error {
	if len(permissions) == 0 {
		return nil
	}
	tx := w.Store()
	role, err := r.own(ctx, tx, user)
	if err != nil {
		return err
	}
	for _, p := range permissions {
		name, err := splitPermission(p)
		if err != nil {
			return err
		}
		if err := mayGrant(ctx, w, name, "", ""); err != nil {
			return err
		}
		if err := r.access.Grant(ctx, tx, access.Grant{Role: role, Permission: name}); err != nil {
			return err
		}
	}
	return nil
}

// mayGrant refuses to give away a permission that the author of the write does
// not hold (rule 46).
func mayGrant(ctx context.Context, w *Write, permission, kind, key string) error {
	ok, err := w.may(func(a *access.Access, p *identity.Person) (bool, error) {
		return a.MayGrantPermission(ctx, p, permission, kind, key)
	})
	if err == nil && !ok {
		err = &ForbiddenError{"You cannot give away the permission " + permission + ", which you do not have yourself."}
	}
	return err
}

// Grants stores permissions on single objects with package access.
type Grants struct {
	Access *access.Access
}

// GrantObject gives a user, through a role of their own, and a role the
// permission on one object. Having it already is fine.
func (g Grants) GrantObject(ctx context.Context, w *Write, permission, model, key string, user *int64, role string) error {
	r, tx := roleSets{g.Access}, w.Store()
	_, kind, _ := strings.Cut(modelKey(model), ".")
	if !codename.MatchString(permission) || !strings.HasSuffix(permission, "_"+kind) {
		return field.Errorf("permissions", field.CodeInvalid, "Name a permission of this model, such as view_%s, not %q.", kind, permission)
	}
	if err := mayGrant(ctx, w, permission, kind, key); err != nil {
		return err
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
