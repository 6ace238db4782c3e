package expression

import (
	"fmt"
	"net/netip"
	"strings"

	"go.starlark.net/starlark"

	"github.com/weir-id/weir/flow"
)

// isVariable tells whether a name can be a variable of some evaluation, whose
// value a body finds there even when it assigns to the name later.
func isVariable(name string) bool {
	switch name {
	case "request", "context", "user", "http_request", "prompt_context", "ak_client_ip", "ak_is_sso_flow",
		"notification", "group", "token", "provider", "info", "client", "source", "ldap", "dn", "scopes":
		return true
	}
	return false
}

// variable finds a variable of the evaluation and makes it on first use.
func (e *evaluation) variable(name string) (starlark.Value, bool, error) {
	if v, ok := e.vars[name]; ok {
		return v, true, nil
	}
	v, err := e.makeVariable(name)
	if v == nil || err != nil {
		return nil, false, err
	}
	if e.vars == nil {
		e.vars = map[string]starlark.Value{}
	}
	e.vars[name] = v
	return v, true, nil
}

func (e *evaluation) makeVariable(name string) (starlark.Value, error) {
	if v, ok := e.scope.given(name); ok {
		return e.fromGo(v)
	}
	switch name {
	case "request":
		return &requestValue{opaque: opaque{"PolicyRequest"}}, nil
	case "http_request":
		if e.request.HTTP != nil {
			return e.httpValue(), nil
		}
	case "SkipObject":
		if !e.scope.Policy {
			return excSkipObject, nil
		}
	}
	if !e.scope.Policy {
		return nil, nil
	}
	switch name {
	case "context":
		return e.contextDict()
	case "ak_message":
		return builtin("ak_message", akMessage), nil
	case "ak_is_sso_flow":
		return e.fromGo(orFalse(e.request.Context["is_sso"]))
	case "ak_client_ip":
		if e.request.HTTP == nil {
			return nil, nil
		}
		ip := e.request.HTTP.ClientIP
		if !ip.IsValid() {
			ip = netip.AddrFrom4([4]byte{255, 255, 255, 255})
		}
		return &ipValue{ip.Unmap()}, nil
	}
	return nil, nil
}

// given finds one of the further variables. Characters that no name has in
// Python stand for themselves as "_".
func (s *Scope) given(name string) (any, bool) {
	if v, ok := s.Variables[name]; ok {
		return v, true
	}
	for key, v := range s.Variables {
		if notInNames.Replace(key) == name {
			return v, true
		}
	}
	return nil, false
}

var notInNames = strings.NewReplacer(":", "_", ".", "_", "-", "_")

func orFalse(v any) any {
	if v == nil {
		return false
	}
	return v
}

// contextDict is this evaluation's own copy of the context. Of what hangs
// below it, only prompt_data and the plan reach further than the evaluation.
func (e *evaluation) contextDict() (*starlark.Dict, error) {
	if e.context != nil {
		return e.context, nil
	}
	d := starlark.NewDict(len(e.request.Context))
	e.context = d
	for _, key := range sortedKeys(e.request.Context) {
		var v starlark.Value
		var err error
		if key == promptDataKey {
			v, err = e.promptData()
		} else {
			v, err = e.fromGo(e.request.Context[key])
		}
		if err != nil {
			return nil, err
		}
		if err := d.SetKey(starlark.String(key), v); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// requestValue is `request`.
type requestValue struct{ opaque }

func (*requestValue) attr(e *evaluation, name string) (starlark.Value, error) {
	r := e.request
	switch name {
	case "user":
		return e.person(r.User), nil
	case "http_request":
		if r.HTTP == nil {
			return starlark.None, nil
		}
		return e.httpValue(), nil
	case "context":
		if !e.scope.Policy {
			return e.promptRequestContext()
		}
		return e.contextDict()
	case "should_cache":
		return starlark.Bool(r.User.Saved() && !r.Debug), nil
	case "debug":
		return starlark.Bool(r.Debug), nil
	case "obj":
		if r.Target == nil {
			return starlark.None, nil
		}
		fields, err := e.configured(r.Target.Kind, r.Target.ID)
		if err != nil {
			return nil, err
		}
		if fields != nil {
			return e.fromGo(&flow.Ref{Kind: r.Target.Kind, ID: r.Target.ID, Name: fmt.Sprint(fields["name"])})
		}
		return newRecord(r.Target.Kind, map[string]starlark.Value{
			"name": starlark.String(r.Target.Name), "pk": starlark.String(r.Target.ID.String()),
		}), nil
	}
	return nil, nil
}

// promptRequestContext is request.context outside policies, which holds the
// prompt context only.
func (e *evaluation) promptRequestContext() (starlark.Value, error) {
	if e.context != nil {
		return e.context, nil
	}
	e.context = starlark.NewDict(1)
	v, ok, err := e.variable("prompt_context")
	if ok && err == nil {
		err = e.context.SetKey(starlark.String("prompt_context"), v)
	}
	return e.context, err
}

// record is a host object with fixed attributes.
type record struct {
	opaque
	attrs map[string]starlark.Value
}

func newRecord(kind string, attrs map[string]starlark.Value) *record {
	return &record{opaque{kind}, attrs}
}

func (r *record) attr(_ *evaluation, name string) (starlark.Value, error) { return r.attrs[name], nil }

// str of a record is its name, where it has one.
func (r *record) str() string {
	if v, ok := r.attrs["name"].(starlark.String); ok {
		return string(v)
	}
	return r.String()
}
