package access

import (
	"context"
	"fmt"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/store"
)

// Scope is which objects of a kind somebody may do something with.
type Scope struct {
	// All covers every object; the other fields say nothing then.
	All bool
	// IDs are single objects, by their keys as text.
	IDs []string
	// Owner covers what this user owns; 0 for kinds that know no owner.
	Owner int64
}

// Empty tells whether there can be no object in the scope.
func (s Scope) Empty() bool { return !s.All && len(s.IDs) == 0 && s.Owner == 0 }

// Scope returns the objects of a kind that p may do verb with, to filter lists
// with. What an owner may do with some verb but not with this one is the
// business of Can.
func (a *Access) Scope(ctx context.Context, p *identity.Person, verb Verb, kind string) (Scope, error) {
	if super, decided, err := everything(ctx, p); decided {
		return Scope{All: super}, err
	}
	permission := Permission(verb, kind)
	all, err := a.granted(ctx, p, permission, kind, "")
	if err != nil || all {
		return Scope{All: all}, err
	}
	var args store.Args
	of, err := rolesOf(ctx, p, &args)
	if err != nil {
		return Scope{}, err
	}
	ids, err := store.Select(ctx, a.q, store.Column[string], `select distinct g.object_id from role_grants g where g.permission = `+args.Add(permission)+`
		and g.object_kind = `+args.Add(kind)+` and `+of+` order by g.object_id`, args...)
	if err != nil {
		return Scope{}, fmt.Errorf("read grants of %s: %w", permission, err)
	}
	s := Scope{IDs: ids}
	if _, owned := a.owners[kind]; owned {
		s.Owner = p.ID
	}
	return s, nil
}
