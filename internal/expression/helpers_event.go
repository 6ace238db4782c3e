package expression

import (
	"maps"

	"go.starlark.net/starlark"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/policy"
)

// maxEventVariables bounds what an event gets of the variables, in bytes of
// text, so that they leave room for what the body says itself.
const maxEventVariables = 32 << 10

// akCreateEvent keeps the event for the caller, who records it after the
// evaluation, with secrets masked. It holds the variables of the evaluation and
// the arguments on top of them.
func akCreateEvent(e *evaluation, c call) (starlark.Value, error) {
	v, c, err := c.first("action")
	if err != nil {
		return nil, err
	}
	if len(e.events) >= e.limits.Messages {
		return nil, e.limit("too many events")
	}
	about, err := e.eventVariables()
	if err != nil {
		return nil, err
	}
	for _, kv := range c.kw {
		v, err := e.toGo(kv[1], false)
		if err != nil {
			return nil, err
		}
		about[string(kv[0].(starlark.String))] = v
	}
	e.events = append(e.events, policy.Event{Action: "custom_" + str(v), App: e.name, Context: about})
	return starlark.None, nil
}

// eventVariables are the variables of the evaluation as an event holds them.
// The HTTP request is added where events are recorded.
func (e *evaluation) eventVariables() (map[string]any, error) {
	r := e.request
	request := map[string]any{"user": r.User, "debug": r.Debug}
	if r.Target != nil {
		request["obj"] = r.Target.Name
	}
	out := map[string]any{"request": request}
	maps.Copy(out, e.scope.Variables)
	if typed, ok := out["prompt_context"]; ok {
		out["prompt_context"] = fieldNames(typed)
	}
	if e.scope.Policy {
		for _, name := range []string{"ak_is_sso_flow", "ak_client_ip"} {
			if v, ok, err := e.variable(name); err != nil {
				return nil, err
			} else if ok {
				if out[name], err = e.toGo(v, false); err != nil {
					return nil, err
				}
			}
		}
		dict, err := e.contextDict()
		if err != nil {
			return nil, err
		}
		context := map[string]any{}
		for _, item := range dict.Items() {
			if _, plan := item[1].(*planValue); plan {
				continue // its context is this one
			}
			key := str(item[0])
			if key == promptDataKey {
				context[key] = fieldNames(e.request.Context[key])
				continue
			}
			if context[key], err = e.toGo(item[1], false); err != nil {
				return nil, err
			}
			if ref, ok := context[key].(*flow.Ref); ok && ref.Kind == "invitation" {
				context[key] = ref.Name // the id is the secret of a link
			}
		}
		out["context"] = context
	}
	if weight(out) > maxEventVariables {
		return map[string]any{"request": request}, nil
	}
	return out, nil
}

// fieldNames stands for what a person typed: which fields, not what, since
// nobody but the author knows which of them are secrets.
func fieldNames(typed any) []any {
	m, _ := typed.(map[string]any)
	return anySlice(sortedKeys(m))
}

// weight is about how many bytes of text a value holds.
func weight(v any) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case map[string]any:
		n := 0
		for key, item := range v {
			n += len(key) + weight(item)
		}
		return n
	case []any:
		n := 0
		for _, item := range v {
			n += weight(item)
		}
		return n
	}
	return 8
}
