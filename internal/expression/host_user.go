package expression

import (
	"strings"

	"go.starlark.net/starlark"

	"github.com/weir-id/weir/identity"
)

// userValue is a person. It can be read and handed on, not changed.
type userValue struct {
	opaque
	p          *identity.Person
	attributes *starlark.Dict
}

// person returns the value of p, the same one for each look.
func (e *evaluation) person(p *identity.Person) *userValue {
	if p == nil {
		p = identity.Anonymous()
	}
	if u, ok := e.people[p]; ok {
		return u
	}
	if e.people == nil {
		e.people = map[*identity.Person]*userValue{}
	}
	u := &userValue{opaque: opaque{"User"}, p: p}
	e.people[p] = u
	return u
}

// str of a user is the user name.
func (u *userValue) str() string { return u.p.DisplayName() }

func (u *userValue) equal(other starlark.Value) bool {
	o, ok := other.(*userValue)
	return ok && (o.p == u.p || u.p.Saved() && o.p.ID == u.p.ID)
}

func (u *userValue) Hash() (uint32, error) { return starlark.MakeInt64(u.p.ID).Hash() }

func (u *userValue) attr(e *evaluation, name string) (starlark.Value, error) {
	p := u.p
	switch name {
	case "pk", "id":
		if !p.Saved() {
			return starlark.None, nil
		}
		return starlark.MakeInt64(p.ID), nil
	case "uuid":
		return starlark.String(p.UUID.String()), nil
	case "uid":
		return starlark.String(p.UID(e.env.InstallID)), nil
	case "username":
		return starlark.String(p.Username), nil
	case "name":
		return starlark.String(p.Name), nil
	case "email":
		return starlark.String(p.Email), nil
	case "type":
		return starlark.String(p.Type), nil
	case "path":
		return starlark.String(p.Path), nil
	case "is_active":
		return starlark.Bool(p.Active), nil
	case "is_authenticated":
		return starlark.Bool(p.Saved()), nil
	case "is_anonymous":
		return starlark.Bool(!p.Saved()), nil
	case "is_superuser":
		super, err := p.Superuser(e.ctx)
		return starlark.Bool(super), hostError("read groups", err)
	case "backend":
		// Present only after a password check, which policies ask with hasattr.
		if p.Backend == "" {
			return nil, nil
		}
		return starlark.String(p.Backend), nil
	case "attributes":
		return u.attributeDict(e)
	case "last_login":
		return e.fromGo(p.LastLogin)
	case "date_joined":
		return e.fromGo(p.JoinedAt)
	case "last_updated":
		return e.fromGo(p.UpdatedAt)
	case "password_change_date":
		return e.fromGo(p.PasswordChangedAt)
	case "avatar":
		if e.env.Avatar == nil {
			return starlark.String(""), nil
		}
		return starlark.String(e.env.Avatar(p.Username)), nil
	case "sources":
		return e.query(connectionModel), nil // nobody is connected to a source
	case "groups", "ak_groups":
		return e.groupsOf(p), nil
	case "all_groups":
		return builtin(name, func(e *evaluation, c call) (starlark.Value, error) { return e.groupsOf(p), c.take() }), nil
	case "group_attributes":
		return builtin(name, func(e *evaluation, _ call) (starlark.Value, error) { return e.groupAttributes(p) }), nil
	case "app_entitlements":
		return builtin(name, func(e *evaluation, c call) (starlark.Value, error) { return e.appEntitlements(p, c) }), nil
	case "app_entitlements_attributes":
		return builtin(name, func(e *evaluation, c call) (starlark.Value, error) { return e.appEntitlementsAttributes(p, c) }), nil
	case "locale":
		return builtin(name, func(*evaluation, call) (starlark.Value, error) {
			settings, _ := p.Attributes["settings"].(map[string]any)
			locale, _ := settings["locale"].(string)
			return starlark.String(locale), nil
		}), nil
	case "has_usable_password":
		return constant(name, starlark.Bool(p.PasswordHash != "" && !strings.HasPrefix(p.PasswordHash, "!"))), nil
	case "check_password":
		return refuse(excPermission, "user.check_password: passwords are checked by the password stage only"), nil
	case "save", "set_password", "delete":
		return refuse(excPermission, "user."+name+": expressions cannot change users; use a user write stage"), nil
	}
	return nil, nil
}

// attributeDict is frozen: a change here would seem to work and be lost.
func (u *userValue) attributeDict(e *evaluation) (starlark.Value, error) {
	if u.attributes == nil {
		d, err := e.dictOf(u.p.Attributes)
		if err != nil {
			return nil, err
		}
		d.Freeze()
		u.attributes = d
	}
	return u.attributes, nil
}

// groupAttributes merges the attributes of all groups by name, and the
// person's own on top.
func (e *evaluation) groupAttributes(p *identity.Person) (starlark.Value, error) {
	groups, err := p.Groups(e.ctx)
	if err != nil {
		return nil, hostError("read groups", err)
	}
	merged := map[string]any{}
	for _, g := range sortedGroups(groups) {
		merge(merged, g.Attributes)
	}
	merge(merged, p.Attributes)
	return e.dictOf(merged)
}

// merge copies from into to; maps under the same key are merged.
func merge(to, from map[string]any) {
	for k, v := range from {
		inner, isMap := v.(map[string]any)
		old, wasMap := to[k].(map[string]any)
		if isMap && wasMap {
			both := map[string]any{}
			merge(both, old)
			merge(both, inner)
			to[k] = both
			continue
		}
		to[k] = v
	}
}

// groupValue is a group.
type groupValue struct {
	opaque
	g identity.Group
	// ref tells that only id and name are there yet, since a plan keeps no more.
	ref bool
}

// whole reads what is missing of a group that comes from a plan.
func (g *groupValue) whole(e *evaluation) error {
	if !g.ref {
		return nil
	}
	if e.env.Users == nil {
		return raise(excRuntime, "groups cannot be looked up here")
	}
	found, err := e.env.Users.FindGroups(e.ctx, Query{Where: []Lookup{{Field: "pk", Op: "exact", Value: g.g.ID.String()}}, Limit: 1})
	if err != nil {
		return hostError("find groups", err)
	}
	if len(found) == 0 {
		return raise(excGroupMissing, "Group matching query does not exist.")
	}
	g.g, g.ref = found[0], false
	return nil
}

func (g *groupValue) str() string           { return g.g.Name }
func (g *groupValue) Hash() (uint32, error) { return starlark.String(g.g.ID.String()).Hash() }

func (g *groupValue) equal(other starlark.Value) bool {
	o, ok := other.(*groupValue)
	return ok && o.g.ID == g.g.ID
}

func (g *groupValue) attr(e *evaluation, name string) (starlark.Value, error) {
	switch name {
	case "pk", "id", "group_uuid":
		return starlark.String(g.g.ID.String()), nil
	case "name":
		return starlark.String(g.g.Name), nil
	case "is_superuser":
		err := g.whole(e)
		return starlark.Bool(g.g.Superuser), err
	case "attributes":
		if err := g.whole(e); err != nil {
			return nil, err
		}
		d, err := e.dictOf(g.g.Attributes)
		if err != nil {
			return nil, err
		}
		d.Freeze()
		return d, nil
	case "users":
		return e.query(&userModel, Lookup{Field: "groups", Path: []string{"pk"}, Op: "exact", Value: g.g.ID.String()}), nil
	case "save", "delete":
		return refuse(excPermission, "group."+name+": expressions cannot change groups"), nil
	}
	return nil, nil
}

// hostError turns a failure of the program into an exception that says nothing
// about its inside; a body may catch it like any other.
func hostError(doing string, err error) error {
	if err == nil {
		return nil
	}
	return raise(excRuntime, "%s: %s", doing, err)
}
