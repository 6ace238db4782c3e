package expression

import (
	"slices"
	"strings"
	"time"

	"go.starlark.net/starlark"

	"github.com/weir-id/weir/identity"
)

// model is a kind of object that bodies can search: User, Group and those of
// listModel.
type model struct {
	opaque
	name string
	// fields are those that lookups may name.
	fields  []string
	missing *class
	// instance tells whether a value is one of these objects.
	instance func(starlark.Value) bool
	// devices tells that the objects are authenticators of one class.
	devices bool
	// list finds the objects of the other models; nil for users and groups.
	list func(e *evaluation, m *model, where []Lookup) ([]starlark.Value, error)
}

var (
	userModel = model{
		opaque: opaque{"type"}, name: "User", missing: excUserMissing,
		fields: []string{"pk", "uuid", "username", "name", "email", "is_active", "type", "path", "attributes",
			"last_login", "date_joined", "password_change_date", "groups"},
		instance: func(v starlark.Value) bool { _, ok := v.(*userValue); return ok },
	}
	groupModel = model{
		opaque: opaque{"type"}, name: "Group", missing: excGroupMissing,
		fields:   []string{"pk", "name", "is_superuser", "attributes"},
		instance: func(v starlark.Value) bool { _, ok := v.(*groupValue); return ok },
	}
	excFieldError = newClass("FieldError", excException)
)

func (m *model) Name() string { return m.name }

func (m *model) attr(e *evaluation, name string) (starlark.Value, error) {
	switch name {
	case "objects":
		return e.query(m), nil
	case "DoesNotExist":
		return m.missing, nil
	case "MultipleObjectsReturned":
		return excMultiple, nil
	}
	return nil, nil
}

// CallInternal would make a new object, which only stages may do.
func (m *model) CallInternal(*starlark.Thread, starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
	return nil, raise(excPermission, "%s(): expressions cannot create objects", m.name)
}

var operations = []string{"exact", "iexact", "contains", "icontains", "startswith", "istartswith", "endswith",
	"iendswith", "in", "isnull", "gt", "gte", "lt", "lte"}

// lookup reads one keyword argument such as name__iexact="x".
func (m *model) lookup(e *evaluation, key string, v starlark.Value) (Lookup, error) {
	parts := strings.Split(key, "__")
	l := Lookup{Field: parts[0], Op: "exact"}
	switch parts[0] {
	case "id", "group_uuid":
		l.Field = "pk"
	case "ak_groups":
		l.Field = "groups"
	case "user_id":
		l.Field = "user"
	}
	if !slices.Contains(m.fields, l.Field) {
		return l, raise(excFieldError, "Cannot resolve keyword '%s' into field.", parts[0])
	}
	rest := parts[1:]
	if n := len(rest); n > 0 && slices.Contains(operations, rest[n-1]) {
		l.Op, rest = rest[n-1], rest[:n-1]
	}
	if l.Field == "user" && len(rest) == 1 && (rest[0] == "pk" || rest[0] == "id") {
		rest = nil
	}
	if len(rest) > 0 && l.Field != "attributes" && l.Field != "groups" && m.list == nil {
		return l, raise(excFieldError, "Unsupported lookup '%s' for field '%s'.", strings.Join(rest, "__"), l.Field)
	}
	l.Path = rest
	if l.Field == "groups" {
		if len(rest) == 0 || rest[0] == "id" || rest[0] == "group_uuid" {
			l.Path = []string{"pk"}
		}
		if !slices.Contains(groupModel.fields, l.Path[0]) || len(l.Path) > 1 && l.Path[0] != "attributes" {
			return l, raise(excFieldError, "Unsupported lookup '%s' for field 'groups'.", strings.Join(rest, "__"))
		}
	}
	value, err := e.lookupValue(v)
	if err != nil {
		return l, err
	}
	if _, isList := value.([]any); isList != (l.Op == "in") {
		return l, raise(excType, "lookup %s does not take a value of type '%s'", key, kindOf(v))
	}
	l.Value = value
	return l, nil
}

// lookupValue makes the value to compare with: a scalar or a list of them.
func (e *evaluation) lookupValue(v starlark.Value) (any, error) {
	switch v := v.(type) {
	case *userValue:
		return v.p.ID, nil
	case *groupValue:
		return v.g.ID.String(), nil
	case *objectValue:
		return v.fields["pk"], nil
	case *datetimeValue:
		return v.t, nil
	}
	value, err := e.toGo(v, false)
	if err != nil {
		return nil, err
	}
	if person, ok := value.(*identity.Person); ok {
		return person.ID, nil
	}
	if list, ok := value.([]any); ok {
		for _, item := range list {
			switch item.(type) {
			case nil, string, bool, int64, float64:
			default:
				return nil, raise(excType, "a lookup compares texts, numbers and booleans")
			}
		}
	}
	return value, nil
}

func (m *model) lookups(e *evaluation, kw []starlark.Tuple, not bool) ([]Lookup, error) {
	var out []Lookup
	for _, kv := range kw {
		l, err := m.lookup(e, string(kv[0].(starlark.String)), kv[1])
		if err != nil {
			return nil, err
		}
		l.Not = not
		out = append(out, l)
	}
	return out, nil
}

// MatchGroup tells whether a group satisfies all lookups, for groups that are
// in memory already.
func MatchGroup(g identity.Group, where []Lookup) bool {
	for _, l := range where {
		var have any
		switch l.Field {
		case "pk":
			have = g.ID.String()
		case "name":
			have = g.Name
		case "is_superuser":
			have = g.Superuser
		case "attributes":
			have = dig(g.Attributes, l.Path)
		}
		if l.Match(have) == l.Not {
			return false
		}
	}
	return true
}

func dig(m map[string]any, path []string) any {
	var v any = m
	for _, key := range path {
		inner, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = inner[key]
	}
	return v
}

// Match compares a field's value (a string, number, bool, time or nil) by the
// lookup's operation, without regard to Not.
func (l Lookup) Match(have any) bool {
	switch l.Op {
	case "in":
		list, _ := l.Value.([]any)
		return slices.ContainsFunc(list, func(v any) bool { return equalScalar(have, v) })
	case "isnull":
		want, _ := l.Value.(bool)
		return (have == nil) == want
	case "exact":
		return equalScalar(have, l.Value)
	case "gt", "gte", "lt", "lte":
		s, ok := orderScalar(have, l.Value)
		return ok && (s > 0 && l.Op[0] == 'g' || s < 0 && l.Op[0] == 'l' || s == 0 && len(l.Op) == 3)
	}
	a, ok := have.(string)
	b, ok2 := l.Value.(string)
	if !ok || !ok2 {
		return false
	}
	op := l.Op
	if op[0] == 'i' {
		a, b, op = strings.ToLower(a), strings.ToLower(b), op[1:]
	}
	switch op {
	case "exact":
		return a == b
	case "contains":
		return strings.Contains(a, b)
	case "startswith":
		return strings.HasPrefix(a, b)
	}
	return strings.HasSuffix(a, b)
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

func equalScalar(a, b any) bool {
	s, ok := orderScalar(a, b)
	if ok {
		return s == 0
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case bool:
		b, ok := b.(bool)
		return ok && a == b
	}
	return false
}

func orderScalar(a, b any) (int, bool) {
	if x, ok := number(a); ok {
		y, ok := number(b)
		return sign(x < y, x > y), ok
	}
	switch x := a.(type) {
	case string:
		y, ok := b.(string)
		return strings.Compare(x, y), ok
	case time.Time:
		y, ok := b.(time.Time)
		return x.Compare(y), ok
	}
	return 0, false
}

func sortedGroups(groups []identity.Group) []identity.Group {
	out := slices.Clone(groups)
	slices.SortFunc(out, func(a, b identity.Group) int { return strings.Compare(a.Name, b.Name) })
	return out
}
