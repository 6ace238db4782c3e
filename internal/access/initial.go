package access

import (
	"context"
	"fmt"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/store"
)

// powers are all that having a role can lead to: what it grants, and for all
// objects what it gets on those that will be made.
const powers = `(select role_id, permission, object_kind, object_id from role_grants
		union select i.role_id, n.permission, '', '' from initial_permissions i join initial_permission_grants n on n.initial_id = i.id)`

// Initial returns which of the permissions the roles of p get on an object that p
// makes, with the name of each role. The grants are for the object alone; the
// caller names it.
func (a *Access) Initial(ctx context.Context, p *identity.Person, permissions []string) (grants []Grant, roles []string, err error) {
	if len(permissions) == 0 {
		return nil, nil, nil
	}
	var args store.Args
	sql := `select distinct g.role_id, g.name, g.permission from (select i.role_id, r.name, n.permission from initial_permissions i
			join initial_permission_grants n on n.initial_id = i.id join roles r on r.id = i.role_id) g
		where g.permission in ` + store.In(&args, permissions)
	of, err := rolesOf(ctx, p, &args)
	if err != nil {
		return nil, nil, err
	}
	grants, err = store.Select(ctx, a.q, func(row store.Row) (Grant, error) {
		var g Grant
		var name string
		err := row.Scan(&g.Role, &name, &g.Permission)
		roles = append(roles, name)
		return g, err
	}, sql+` and `+of+` order by g.role_id, g.permission`, args...)
	if err != nil {
		return nil, nil, fmt.Errorf("read initial permissions of user %d: %w", p.ID, err)
	}
	return grants, roles, nil
}
