// Package access decides who may do what. A superuser may do everything; anyone
// else what a role of theirs was granted, for all objects of a kind or for one,
// and what the kind lets the owner of an object do. Nobody anonymous and nobody
// inactive may do anything.
package access

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/store"
)

// Verb is what somebody wants to do with an object.
type Verb string

// The verbs that every kind has; kinds may have more, such as "inspect".
const (
	View   Verb = "view"
	Add    Verb = "add"
	Change Verb = "change"
	Delete Verb = "delete"
)

// Impersonate is the permission to act as other people.
const Impersonate Verb = "impersonate"

// Permission is the codename of a verb on a kind, as the wire has it:
// "view_flow". A verb with an underscore is a codename of its own:
// "view_flow_cache". So is Impersonate.
func Permission(v Verb, kind string) string {
	if v == Impersonate || strings.Contains(string(v), "_") {
		return string(v)
	}
	return string(v) + "_" + kind
}

// Owner tells whether a person owns the object of a kind, and so may do verb
// with it without a grant.
type Owner func(ctx context.Context, q store.Querier, p *identity.Person, verb Verb, id string) (bool, error)

// Access answers questions about permissions. It is safe for concurrent use.
type Access struct {
	q      store.Querier
	owners map[string]Owner
}

// New returns an Access over the roles in db. owners names, by kind, what
// owners may do; kinds that are missing know no owner.
func New(db store.DB, owners map[string]Owner) *Access { return &Access{q: db, owners: owners} }

// In returns the same rules over what a write under way has made of the roles.
func (a *Access) In(q store.Querier) *Access { return &Access{q: q, owners: a.owners} }

// Can tells whether p may do verb with the object of a kind; an empty id asks
// about all objects of the kind. An error means that it could not be decided,
// which callers treat as no.
func (a *Access) Can(ctx context.Context, p *identity.Person, verb Verb, kind, id string) (bool, error) {
	if super, decided, err := everything(ctx, p); decided {
		return super, err
	}
	if id != "" {
		if owner, ok := a.owners[kind]; ok {
			owns, err := owner(ctx, a.q, p, verb, id)
			if err != nil {
				return false, fmt.Errorf("ask for the owner of %s %s: %w", kind, id, err)
			}
			if owns {
				return true, nil
			}
		}
	}
	return a.granted(ctx, p, Permission(verb, kind), kind, id)
}

// everything answers for those who may all or nothing; decided is false for
// everybody else.
func everything(ctx context.Context, p *identity.Person) (may, decided bool, err error) {
	if p == nil || !p.Saved() || !p.Active {
		return false, true, nil
	}
	super, err := p.Superuser(ctx)
	if err != nil {
		return false, true, fmt.Errorf("read groups: %w", err)
	}
	return super, super, nil
}

// Superuser tells whether p may do everything.
func Superuser(ctx context.Context, p *identity.Person) (bool, error) {
	super, _, err := everything(ctx, p)
	return super, err
}

// granted asks the roles of the person and of all their groups.
func (a *Access) granted(ctx context.Context, p *identity.Person, permission, kind, id string) (bool, error) {
	var args store.Args
	sql := `select count(*) from role_grants g where g.permission = ` + args.Add(permission) + `
		and ((g.object_kind = '' and g.object_id = '')`
	if id != "" {
		sql += ` or (g.object_kind = ` + args.Add(kind) + ` and g.object_id = ` + args.Add(id) + `)`
	}
	of, err := rolesOf(ctx, p, &args)
	if err != nil {
		return false, err
	}
	var n int
	if err := a.q.QueryRow(ctx, sql+`) and `+of, args...).Scan(&n); err != nil {
		return false, fmt.Errorf("read grants of %s: %w", permission, err)
	}
	return n > 0, nil
}

// Held returns those of the permissions, by codename, that p has for all
// objects.
func (a *Access) Held(ctx context.Context, p *identity.Person, permissions ...string) ([]string, error) {
	out := []string{}
	for _, name := range permissions {
		ok, err := a.MayGrantPermission(ctx, p, name, "", "")
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, name)
		}
	}
	return out, nil
}

// rolesOf is the condition that a grant g belongs to a role of the person or of
// one of their groups.
func rolesOf(ctx context.Context, p *identity.Person, args *store.Args) (string, error) {
	groups, err := p.Groups(ctx)
	if err != nil {
		return "", fmt.Errorf("read groups: %w", err)
	}
	ids := make([]uuid.UUID, len(groups))
	for i, g := range groups {
		ids[i] = g.ID
	}
	return `(exists (select 1 from role_users u where u.role_id = g.role_id and u.user_id = ` + args.Add(p.ID) + `)
		or exists (select 1 from role_groups r where r.role_id = g.role_id and r.group_id in ` + store.In(args, ids) + `))`, nil
}

// Grant is one permission of a role. An empty Kind and ID mean all objects.
type Grant struct {
	Role       uuid.UUID
	Permission string
	Kind       string
	ID         string
}

// MayGrant tells whether p may give a permission away: only who holds it for
// the same objects may (rule 46). What somebody may do as an owner is not
// theirs to give.
func (a *Access) MayGrant(ctx context.Context, p *identity.Person, verb Verb, kind, id string) (bool, error) {
	return a.MayGrantPermission(ctx, p, Permission(verb, kind), kind, id)
}

// MayGrantPermission is MayGrant for a permission by its codename.
func (a *Access) MayGrantPermission(ctx context.Context, p *identity.Person, permission, kind, id string) (bool, error) {
	if super, decided, err := everything(ctx, p); decided {
		return super, err
	}
	return a.granted(ctx, p, permission, kind, id)
}

// Grant stores a grant; one that is there already stays.
func (a *Access) Grant(ctx context.Context, tx store.Tx, g Grant) error {
	if (g.Kind == "") != (g.ID == "") {
		return fmt.Errorf("grant %s: name a kind and an object, or neither", g.Permission)
	}
	_, err := tx.Exec(ctx, `insert into role_grants (role_id, permission, object_kind, object_id) values ($1, $2, $3, $4)
		on conflict do nothing`, g.Role, g.Permission, g.Kind, g.ID)
	if err != nil {
		return fmt.Errorf("grant %s: %w", g.Permission, err)
	}
	return nil
}

// Revoke removes a grant; one that is not there is no error.
func (a *Access) Revoke(ctx context.Context, tx store.Tx, g Grant) error {
	_, err := tx.Exec(ctx, `delete from role_grants where role_id = $1 and permission = $2 and object_kind = $3 and object_id = $4`,
		g.Role, g.Permission, g.Kind, g.ID)
	if err != nil {
		return fmt.Errorf("revoke %s: %w", g.Permission, err)
	}
	return nil
}
