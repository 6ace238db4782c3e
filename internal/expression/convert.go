package expression

import (
	"encoding/json"
	"math/big"
	"net/netip"
	"reflect"
	"sort"
	"time"

	"github.com/google/uuid"
	"go.starlark.net/starlark"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// Object is a Go value that shows attributes to expressions, for packages that
// put their own values into a context.
type Object interface {
	// Attr returns an attribute as a value that Scope.Variables could hold.
	Attr(name string) (any, bool)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// fromGo makes a value for a body from a value of the program. Lists and maps
// are copied, so the body cannot change the original.
func (e *evaluation) fromGo(v any) (starlark.Value, error) {
	switch v := v.(type) {
	case nil:
		return starlark.None, nil
	case starlark.Value:
		return v, nil
	case bool:
		return starlark.Bool(v), nil
	case string:
		return starlark.String(v), nil
	case int:
		return starlark.MakeInt(v), nil
	case int64:
		return starlark.MakeInt64(v), nil
	case float64:
		return starlark.Float(v), nil
	case json.Number:
		if n, ok := new(big.Int).SetString(v.String(), 10); ok {
			return starlark.MakeBigInt(n), nil
		}
		f, _ := v.Float64()
		return starlark.Float(f), nil
	case []byte:
		return starlark.Bytes(v), nil
	case *identity.Person:
		if v == nil {
			return starlark.None, nil
		}
		return e.person(v), nil
	case identity.User:
		return e.person(identity.NewPerson(v, nil)), nil
	case identity.Group:
		return &groupValue{opaque: opaque{"Group"}, g: v}, nil
	case identity.Authenticator:
		return deviceValue(v, 0), nil
	case *flow.Ref:
		if v == nil {
			return starlark.None, nil
		}
		if v.Kind == "group" {
			return &groupValue{opaque: opaque{"Group"}, g: identity.Group{ID: v.ID, Name: v.Name}, ref: true}, nil
		}
		return &refValue{opaque{v.Kind}, v}, nil
	case policy.Plan:
		return &planValue{opaque{"FlowPlan"}, v}, nil
	case netip.Addr:
		return &ipValue{v.Unmap()}, nil
	case time.Time:
		return newDatetime(v), nil
	case *time.Time:
		if v == nil {
			return starlark.None, nil
		}
		return newDatetime(*v), nil
	case uuid.UUID:
		return starlark.String(v.String()), nil
	case map[string]any:
		return e.dictOf(v)
	case map[string]string:
		return e.dictOf(anyMap(v))
	case []any:
		return e.listOf(v)
	case []string:
		return e.listOf(anySlice(v))
	case []identity.Group:
		return e.listOf(anySlice(v))
	case []identity.Authenticator:
		return e.listOf(anySlice(v))
	}
	return e.fromKind(v)
}

func anySlice[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

func anyMap[T any](m map[string]T) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// fromKind handles named and sized types; anything else becomes an object that
// a body can only hand on.
func (e *evaluation) fromKind(v any) (starlark.Value, error) {
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.String:
		return starlark.String(r.String()), nil
	case reflect.Bool:
		return starlark.Bool(r.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return starlark.MakeInt64(r.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return starlark.MakeUint64(r.Uint()), nil
	case reflect.Float32:
		return starlark.Float(r.Float()), nil
	}
	return &goValue{opaque{"object"}, v}, nil
}

func (e *evaluation) dictOf(m map[string]any) (*starlark.Dict, error) {
	e.nest()
	defer e.unnest()
	if err := e.elems(len(m) + 1); err != nil {
		return nil, err
	}
	d := starlark.NewDict(len(m))
	for _, key := range sortedKeys(m) {
		v, err := e.fromGo(m[key])
		if err != nil {
			return nil, err
		}
		if err := d.SetKey(starlark.String(key), v); err != nil {
			return nil, err
		}
	}
	return d, e.fatal
}

func (e *evaluation) listOf(list []any) (*starlark.List, error) {
	e.nest()
	defer e.unnest()
	if err := e.elems(len(list) + 1); err != nil {
		return nil, err
	}
	out := make([]starlark.Value, len(list))
	for i, item := range list {
		v, err := e.fromGo(item)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return starlark.NewList(out), e.fatal
}

// goValue carries a value of the program through a body unchanged.
type goValue struct {
	opaque
	value any
}

func (g *goValue) attr(e *evaluation, name string) (starlark.Value, error) {
	if o, is := g.value.(Object); is {
		if v, ok := o.Attr(name); ok {
			return e.fromGo(v)
		}
	}
	return nil, nil
}

// refValue is a reference to a configuration object. A plan keeps its id and
// name only; the rest is looked up.
type refValue struct {
	opaque
	ref *flow.Ref
}

func (r *refValue) str() string { return r.ref.Name }

func (r *refValue) equal(other starlark.Value) bool {
	o, ok := other.(*refValue)
	return ok && o.ref.Kind == r.ref.Kind && o.ref.ID == r.ref.ID
}

func (r *refValue) attr(e *evaluation, name string) (starlark.Value, error) {
	switch name {
	case "pk", "id":
		return starlark.String(r.ref.ID.String()), nil
	case "name":
		return starlark.String(r.ref.Name), nil
	}
	fields, err := e.configured(r.ref.Kind, r.ref.ID)
	if v, ok := fields[name]; ok && err == nil {
		return e.fromGo(v)
	}
	return nil, err
}

// configured are the fields of an object of the configuration, nil where it
// cannot be looked at.
func (e *evaluation) configured(kind string, id uuid.UUID) (map[string]any, error) {
	if e.env.Objects == nil {
		return nil, nil
	}
	fields, err := e.env.Objects.Object(e.ctx, kind, id)
	return fields, hostError("look at "+kind, err)
}

// toGo makes a value of the program from a value of a body. With strict,
// something that a plan cannot keep is a TypeError; else it becomes its text.
func (e *evaluation) toGo(v starlark.Value, strict bool) (any, error) {
	if err := e.tick(); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case starlark.NoneType:
		return nil, nil
	case starlark.Bool:
		return bool(v), nil
	case starlark.String:
		return string(v), nil
	case starlark.Int:
		if n, ok := v.Int64(); ok {
			return n, nil
		}
		return json.Number(v.String()), nil
	case starlark.Float:
		return float64(v), nil
	case starlark.Bytes:
		return string(v), nil
	case *userValue:
		return v.p, nil
	case *groupValue:
		return &flow.Ref{Kind: "group", ID: v.g.ID, Name: v.g.Name}, nil
	case *objectValue:
		if ref, ok := v.ref(); ok {
			return ref, nil
		}
	case *goValue:
		return v.value, nil
	case *refValue:
		return v.ref, nil
	case *starlark.Dict:
		return e.toMap(v, strict)
	case *starlark.List:
		return e.toSlice(listItems(v), strict)
	case starlark.Tuple:
		return e.toSlice(v, strict)
	case *starlark.Set:
		return e.toSlice(setItems(v), strict)
	case *iterator, *querySet:
		items, err := e.items(v)
		if err != nil {
			return nil, err
		}
		return e.toSlice(items, strict)
	case *ipValue, *networkValue, *datetimeValue, *dateValue, *uuidValue:
		return str(v), nil
	}
	if strict {
		return nil, raise(excType, "a value of type '%s' cannot be kept in the plan", kindOf(v))
	}
	return str(v), nil
}

func (e *evaluation) toMap(d *starlark.Dict, strict bool) (any, error) {
	e.nest()
	defer e.unnest()
	out := make(map[string]any, d.Len())
	for _, item := range d.Items() {
		v, err := e.toGo(item[1], strict)
		if err != nil {
			return nil, err
		}
		out[str(item[0])] = v
	}
	return out, nil
}

func (e *evaluation) toSlice(list []starlark.Value, strict bool) (any, error) {
	e.nest()
	defer e.unnest()
	out := make([]any, len(list))
	for i, item := range list {
		v, err := e.toGo(item, strict)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}
