package resource

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
)

// Assignment names permissions that a role shall have or lose.
type Assignment struct {
	// Permissions are "app.codename" or codenames.
	Permissions []string
	// Model narrows them to those of one model; empty for all.
	Model string
	// Object is the primary key of the one object that they are for; empty
	// for all objects.
	Object string
}

// Assign gives a role permissions that the author of the write holds, and
// returns their ids. Having them already is fine.
func (r *Registry) Assign(ctx context.Context, w *Write, role *Ref, a Assignment) ([]int64, error) {
	return r.assign(ctx, w, role, a, true)
}

// Unassign takes permissions from a role that the author of the write holds.
func (r *Registry) Unassign(ctx context.Context, w *Write, role *Ref, a Assignment) error {
	_, err := r.assign(ctx, w, role, a, false)
	return err
}

func (r *Registry) assign(ctx context.Context, w *Write, role *Ref, a Assignment, give bool) ([]int64, error) {
	id, err := uuid.Parse(role.ID())
	if err != nil {
		return nil, fmt.Errorf("change role %v: %w", role.Key, err)
	}
	kind, permissions, errs := r.resolve(a)
	if errs != nil {
		return nil, errs
	}
	var ids []int64
	for _, p := range permissions {
		g := access.Grant{Role: id, Permission: p.Codename}
		if kind != nil {
			g.Kind, g.ID = kind.Name(), a.Object
		}
		if err := mayGrant(ctx, w, g.Permission, g.Kind, g.ID); err != nil {
			return nil, err
		}
		carryOut := r.role.access.Revoke
		if give {
			// Only now: who may not grant is not told what exists.
			if err := exists(ctx, w, kind, a.Object); err != nil {
				return nil, err
			}
			carryOut = r.role.access.Grant
		}
		if err := carryOut(ctx, w.Store(), g); err != nil {
			return nil, err
		}
		ids = append(ids, grantID(p, g))
	}
	return ids, r.role.record(ctx, w, event.ModelUpdated, role)
}

// resolve finds the permissions of an assignment, and its kind when it is
// about one object.
func (r *Registry) resolve(a Assignment) (*Kind, []*Permission, field.Errors) {
	var kind *Kind
	var errs field.Errors
	switch {
	case a.Model != "":
		if kind = r.withPermissions(a.Model); kind == nil {
			errs = noPermissions(a.Model)
		} else if kind == System && a.Object != "" {
			errs = field.Errorf("object_pk", field.CodeInvalid, "Leave this empty; the permissions of the system are about no object.")
		}
	case a.Object != "":
		errs = field.Errorf("model", field.CodeRequired, "Name the model of the object.")
	}
	var out []*Permission
	for _, name := range a.Permissions {
		p := r.Permission(name)
		switch {
		case p == nil:
			errs = errs.Add("permissions", field.Error{Code: field.CodeInvalidChoice, String: fmt.Sprintf("Choose permissions that exist; %q does not.", name)})
		case kind != nil && (p.Model != kind.Name() || p.App != kind.App()):
			errs = errs.Add("permissions", field.Error{Code: field.CodeInvalidChoice, String: fmt.Sprintf("Choose permissions of %s; %s is of another model.", a.Model, name)})
		}
		out = append(out, p)
	}
	if a.Object == "" {
		kind = nil
	}
	return kind, out, errs
}

// withPermissions returns the kind of a model that has permissions; nil for
// none.
func (r *Registry) withPermissions(model string) *Kind {
	if modelKey(model) == System.Model {
		return System
	}
	k := r.Model(model)
	if k == nil || len(k.AllVerbs()) == 0 {
		return nil
	}
	return k
}

func noPermissions(model string) field.Errors {
	return field.Errorf("model", field.CodeInvalidChoice, "Choose a model that has permissions; %s is none.", model)
}

// exists refuses an object that is not there; a nil kind means all objects.
func exists(ctx context.Context, w *Write, k *Kind, key string) error {
	if k == nil {
		return nil
	}
	ref, err := k.Find(ctx, w.View(), map[string]any{"pk": key})
	if err == nil && (ref == nil || ref.ID() != key) {
		err = field.Errorf("object_pk", field.CodeDoesNotExist, "Choose an object that exists; %q does not.", key)
	}
	return err
}

// grantID is the number of what a role was given: that of the permission, or
// one of its own for a single object. Clients compare it and ask for nothing by
// it.
func grantID(p *Permission, g access.Grant) int64 {
	if g.ID == "" {
		return p.ID
	}
	return stableID(g.Role.String() + " " + p.String() + " " + g.Kind + " " + g.ID)
}

// ObjectGrant is a permission of a role on one object.
type ObjectGrant struct {
	ID int64
	// Permission has no ID and app where no kind declares it any more.
	Permission *Permission
	// Kind is nil where there is no such kind any more.
	Kind   *Kind
	Object string
}

// RoleGrants is what a role may do.
type RoleGrants struct {
	Role string
	Name string
	// Objects are the permissions on single objects, All those on all objects.
	Objects []ObjectGrant
	All     []*Permission
}

func scanGrant(row store.Row) (access.Grant, error) {
	var g access.Grant
	err := row.Scan(&g.Role, &g.Permission, &g.Kind, &g.ID)
	return g, err
}

const grantColumns = "g.role_id, g.permission, g.object_kind, g.object_id"

func grantsTable() *table[access.Grant] {
	return &table[access.Grant]{
		from: "role_grants g join roles r on r.id = g.role_id", columns: grantColumns, scan: scanGrant, key: "g.role_id",
		always: func(s *statement) { s.where("g.object_kind <> ''") },
		order: map[string]string{"codename": "g.permission", "permission__codename": "g.permission", "content_type__model": "g.object_kind", "model": "g.object_kind",
			"object_pk": "g.object_id"},
		fallback: "r.name, g.object_kind, g.object_id, g.permission, g.role_id",
		search:   mentions("g.permission", "g.object_kind", "g.object_id"),
		filters:  map[string]func(*statement, any){"role": equals("g.role_id")},
	}
}

// ObjectGrants lists the permissions on single objects of the roles in the
// query's scope, of one role with its filter "role".
func (r *Registry) ObjectGrants(ctx context.Context, v View, q *Query) ([]ObjectGrant, int, error) {
	grants, total, err := grantsTable().list(ctx, v, q)
	out := make([]ObjectGrant, len(grants))
	for i, g := range grants {
		out[i] = r.objectGrant(g)
	}
	return out, total, err
}

func (r *Registry) objectGrant(g access.Grant) ObjectGrant {
	p := r.byCodename[g.Permission]
	if p == nil {
		p = &Permission{Codename: g.Permission, Name: g.Permission, Model: g.Kind}
	}
	return ObjectGrant{ID: grantID(p, g), Permission: p, Kind: r.byName(g.Kind), Object: g.ID}
}

// byName finds a kind by the second part of its model, as grants name it.
func (r *Registry) byName(name string) *Kind {
	for _, k := range r.order {
		if k.Name() == name {
			return k
		}
	}
	return nil
}

// GrantsFor lists the roles in the query's scope that may do something with a
// model, and with one object of it unless the key is empty.
func (r *Registry) GrantsFor(ctx context.Context, v View, q *Query, model, key string) ([]RoleGrants, int, error) {
	kind := r.withPermissions(model)
	if kind == nil {
		return nil, 0, noPermissions(model)
	}
	holders := rolesTable()
	holders.filters = map[string]func(*statement, any){"holds": func(s *statement, _ any) {
		s.terms = append(s.terms, "r.id in (select g.role_id from role_grants g where "+grantsFor(s, kind, key)+")")
	}}
	narrowed := *q
	narrowed.Filters = map[string]any{"holds": true}
	roles, total, err := holders.list(ctx, v, &narrowed)
	if err != nil || len(roles) == 0 {
		return nil, total, err
	}
	s := &statement{dialect: v.Dialect}
	ids := make([]any, len(roles))
	for i, role := range roles {
		ids[i] = role.PK
	}
	s.terms = append(s.terms, "g.role_id in "+s.in(ids), grantsFor(s, kind, key))
	grants, err := store.Select(ctx, v.DB, scanGrant, "select "+grantColumns+" from role_grants g"+s.condition()+" order by g.permission, g.object_id", s.args...)
	if err != nil {
		return nil, 0, fmt.Errorf("read grants for %s: %w", model, err)
	}
	out := make([]RoleGrants, len(roles))
	for i, role := range roles {
		out[i] = RoleGrants{Role: role.PK.String(), Name: role.Name}
		for _, g := range grants {
			switch {
			case g.Role != role.PK:
			case g.Kind == "":
				out[i].All = append(out[i].All, r.byCodename[g.Permission])
			default:
				out[i].Objects = append(out[i].Objects, r.objectGrant(g))
			}
		}
	}
	return out, total, nil
}

// grantsFor is the condition that a grant g is about a kind, or about one object
// of it.
func grantsFor(s *statement, k *Kind, key string) string {
	var codenames []any
	for _, v := range k.AllVerbs() {
		codenames = append(codenames, access.Permission(v, k.Name()))
	}
	sql := "(g.object_kind = '' and g.permission in " + s.in(codenames) + ") or (g.object_kind = " + s.args.Add(k.Name())
	if key != "" {
		sql += " and g.object_id = " + s.args.Add(key)
	}
	return sql + ")"
}
