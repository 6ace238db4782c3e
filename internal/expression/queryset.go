package expression

import (
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"github.com/weir-id/weir/identity"
)

// maxFound bounds how many objects one search hands to a body.
const maxFound = 1000

// querySet is a search that runs when its results are asked for: the objects
// of a model, or the groups of a person.
type querySet struct {
	opaque
	m     *model
	of    *identity.Person // the person whose groups are meant
	where []Lookup
	order []string
	found []starlark.Value
	done  bool
}

func (e *evaluation) query(m *model, where ...Lookup) *querySet {
	return &querySet{opaque: opaque{"QuerySet"}, m: m, where: where}
}

func (e *evaluation) groupsOf(p *identity.Person) *querySet {
	q := e.query(&groupModel)
	q.of = p
	return q
}

// with returns the search narrowed down.
func (q *querySet) with(where []Lookup) *querySet {
	return &querySet{opaque: q.opaque, m: q.m, of: q.of, order: q.order, where: slices.Concat(q.where, where)}
}

// load runs the search, for at most limit results when that is not 0.
func (q *querySet) load(e *evaluation, limit int) ([]starlark.Value, error) {
	if q.done {
		return q.found, nil
	}
	if len(q.order) > 0 {
		limit = 0
	}
	out, err := q.search(e, limit)
	if err != nil {
		return nil, err
	}
	if err := e.elems(len(out)); err != nil {
		return nil, err
	}
	if limit == 0 {
		if err := q.sort(e, out); err != nil {
			return nil, err
		}
		q.found, q.done = out, true
	}
	return out, nil
}

func (q *querySet) search(e *evaluation, limit int) ([]starlark.Value, error) {
	var out []starlark.Value
	addGroups := func(groups []identity.Group) {
		for _, g := range groups {
			out = append(out, &groupValue{opaque: opaque{"Group"}, g: g})
		}
	}
	if q.of != nil {
		groups, err := q.of.Groups(e.ctx)
		if err != nil {
			return nil, hostError("read groups", err)
		}
		for _, g := range sortedGroups(groups) {
			if MatchGroup(g, q.where) {
				addGroups([]identity.Group{g})
			}
		}
		return out, nil
	}
	if q.m.devices {
		return devicesOfUser(e, q.m, q.where)
	}
	if q.m.list != nil {
		return q.m.list(e, q.m, q.where)
	}
	if e.env.Users == nil {
		return nil, raise(excRuntime, "%s.objects: users and groups cannot be searched here", q.m.name)
	}
	query := Query{Where: q.where, Limit: limit}
	if limit == 0 {
		query.Limit = maxFound + 1
	}
	if q.m == &groupModel {
		groups, err := e.env.Users.FindGroups(e.ctx, query)
		if err != nil {
			return nil, hostError("find groups", err)
		}
		addGroups(groups)
	} else {
		people, err := e.env.Users.FindUsers(e.ctx, query)
		if err != nil {
			return nil, hostError("find users", err)
		}
		for _, p := range people {
			out = append(out, e.person(p))
		}
	}
	if len(out) > maxFound {
		return nil, raise(excRuntime, "more than %d results; narrow the search down with filter()", maxFound)
	}
	return out, nil
}

func (q *querySet) sort(e *evaluation, list []starlark.Value) error {
	for _, field := range slices.Backward(q.order) {
		name, desc := strings.CutPrefix(field, "-")
		key := builtin("key", func(e *evaluation, c call) (starlark.Value, error) {
			return opAttr(e, call{"key", starlark.Tuple{c.args[0], starlark.String(name)}, nil})
		})
		if err := e.sort(list, key, desc); err != nil {
			return err
		}
	}
	return nil
}

func (q *querySet) walk(e *evaluation) (stepper, error) {
	list, err := q.load(e, 0)
	if err != nil {
		return nil, err
	}
	return e.over(list), nil
}

func (q *querySet) length(e *evaluation) (int, error) {
	list, err := q.load(e, 0)
	return len(list), err
}

func (q *querySet) index(e *evaluation, i starlark.Value) (starlark.Value, error) {
	list, err := q.load(e, 0)
	if err != nil {
		return nil, err
	}
	at, err := position("list", i, len(list))
	if err != nil {
		return nil, err
	}
	return list[at], nil
}

func (q *querySet) attr(_ *evaluation, name string) (starlark.Value, error) {
	switch name {
	case "all", "select_related", "prefetch_related", "distinct":
		return builtin(name, func(*evaluation, call) (starlark.Value, error) { return q, nil }), nil
	case "filter", "exclude":
		return builtin(name, func(e *evaluation, c call) (starlark.Value, error) {
			if len(c.args) > 0 {
				return nil, raise(excType, "%s takes keyword arguments such as name=\"x\"", name)
			}
			where, err := q.m.lookups(e, c.kw, name == "exclude")
			return q.with(where), err
		}), nil
	case "order_by":
		return builtin(name, func(_ *evaluation, c call) (starlark.Value, error) {
			out := q.with(nil)
			out.order = nil
			for _, v := range c.args {
				out.order = append(out.order, str(v))
			}
			return out, nil
		}), nil
	case "first":
		return builtin(name, q.first), nil
	case "last":
		return builtin(name, func(e *evaluation, _ call) (starlark.Value, error) {
			list, err := q.load(e, 0)
			if err != nil || len(list) == 0 {
				return starlark.None, err
			}
			return list[len(list)-1], nil
		}), nil
	case "exists":
		return builtin(name, func(e *evaluation, _ call) (starlark.Value, error) {
			list, err := q.load(e, 1)
			return starlark.Bool(len(list) > 0), err
		}), nil
	case "count":
		return builtin(name, func(e *evaluation, _ call) (starlark.Value, error) {
			n, err := q.length(e)
			return starlark.MakeInt(n), err
		}), nil
	case "get":
		return builtin(name, q.get), nil
	case "get_or_create":
		return builtin(name, q.getOrCreate), nil
	case "values_list":
		return builtin(name, q.valuesList), nil
	case "create", "update", "delete", "update_or_create", "bulk_create", "add", "remove", "set":
		return refuse(excPermission, q.m.name+".objects."+name+": expressions cannot change objects"), nil
	}
	return nil, nil
}

func (q *querySet) first(e *evaluation, _ call) (starlark.Value, error) {
	list, err := q.load(e, 1)
	if err != nil || len(list) == 0 {
		return starlark.None, err
	}
	return list[0], nil
}

func (q *querySet) get(e *evaluation, c call) (starlark.Value, error) {
	where, err := q.m.lookups(e, c.kw, false)
	if err != nil {
		return nil, err
	}
	list, err := q.with(where).load(e, 2)
	switch {
	case err != nil:
		return nil, err
	case len(list) == 0:
		return nil, raise(q.m.missing, "%s matching query does not exist.", q.m.name)
	case len(list) > 1:
		return nil, raise(excMultiple, "get() returned more than one %s", q.m.name)
	}
	return list[0], nil
}

// getOrCreate finds; creating is left to stages.
func (q *querySet) getOrCreate(e *evaluation, c call) (starlark.Value, error) {
	var kw []starlark.Tuple
	for _, kv := range c.kw {
		if kv[0] != starlark.String("defaults") {
			kw = append(kw, kv)
		}
	}
	v, err := q.get(e, call{c.name, nil, kw})
	if err != nil {
		if x := asException(err); e.stopped() == nil && x.class == q.m.missing {
			return nil, raise(excPermission, "%s.objects.get_or_create: no such object, and expressions cannot create one", q.m.name)
		}
		return nil, err
	}
	return starlark.Tuple{v, starlark.False}, nil
}

func (q *querySet) valuesList(e *evaluation, c call) (starlark.Value, error) {
	flat := false
	if err := (call{c.name, nil, c.kw}).take("flat?", &flat); err != nil {
		return nil, err
	}
	list, err := q.load(e, 0)
	if err != nil {
		return nil, err
	}
	var out []starlark.Value
	for _, v := range list {
		var row starlark.Tuple
		for _, field := range c.args {
			got, err := opAttr(e, call{c.name, starlark.Tuple{v, starlark.String(str(field))}, nil})
			if err != nil {
				return nil, err
			}
			row = append(row, got)
		}
		if flat && len(row) == 1 {
			out = append(out, row[0])
		} else {
			out = append(out, row)
		}
	}
	return starlark.NewList(out), e.elems(len(out))
}
