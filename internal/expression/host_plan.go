package expression

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	"go.starlark.net/starlark"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

const promptDataKey = "prompt_data"

// planContext is the plan's context as a body sees and changes it.
type planContext struct {
	dict *starlark.Dict
	// before holds the values at the start, and original where they came from.
	before   map[string]starlark.Value
	original map[string]any
}

// planDict makes the dict behind flow_plan.context on first use.
func (e *evaluation) planDict(plan policy.Plan) (*starlark.Dict, error) {
	if e.plan != nil {
		return e.plan.dict, nil
	}
	values := plan.PlanContext()
	p := &planContext{dict: starlark.NewDict(len(values)), before: map[string]starlark.Value{}, original: values}
	for _, key := range sortedKeys(values) {
		var v starlark.Value
		var err error
		if key == promptDataKey {
			v, err = e.promptData()
		} else {
			v, err = e.fromGo(values[key])
		}
		if err != nil {
			return nil, err
		}
		p.before[key] = v
		if err := p.dict.SetKey(starlark.String(key), v); err != nil {
			return nil, err
		}
	}
	e.plan = p
	return p.dict, nil
}

// promptData is the one object behind context["prompt_data"] and
// flow_plan.context["prompt_data"].
func (e *evaluation) promptData() (starlark.Value, error) {
	if e.prompt != nil {
		return e.prompt, nil
	}
	v, ok := e.request.Context[promptDataKey]
	if !ok && e.request.Plan != nil {
		v = e.request.Plan.PlanContext()[promptDataKey]
	}
	got, err := e.fromGo(v)
	if err == nil {
		e.prompt, e.promptBefore = got, v
	}
	return got, err
}

// collectWrites compares the write handles with what they were.
func (e *evaluation) collectWrites() (policy.Writes, error) {
	w := e.writes
	set := func(key string, v starlark.Value) error {
		value, err := e.toGo(v, true)
		if err != nil {
			return err
		}
		if _, person := value.(*identity.Person); !person && !keepable(value) {
			return raise(excType, "the value of %s cannot be kept in the plan; a user has to stand there alone, not inside another value", repr(starlark.String(key)))
		}
		if w.Set == nil {
			w.Set = map[string]any{}
		}
		w.Set[key] = value
		return nil
	}
	if e.prompt != nil {
		changed, err := e.changed(e.prompt, e.promptBefore)
		if err == nil && changed {
			err = set(promptDataKey, e.prompt)
		}
		if err != nil {
			return policy.Writes{}, err
		}
	}
	if e.plan == nil {
		return w, nil
	}
	left := maps.Clone(e.plan.before)
	for _, item := range e.plan.dict.Items() {
		key := str(item[0])
		before, had := left[key]
		delete(left, key)
		if had && same(before, item[1]) {
			if key == promptDataKey {
				continue // compared above
			}
			changed, err := e.changed(item[1], e.plan.original[key])
			if err != nil {
				return policy.Writes{}, err
			}
			if !changed {
				continue
			}
		}
		if err := set(key, item[1]); err != nil {
			return policy.Writes{}, err
		}
	}
	for _, key := range sortedKeys(left) {
		delete(w.Set, key)
		w.Delete = append(w.Delete, key)
	}
	return w, nil
}

// keepable tells whether a plan can keep a value, so that nothing is left out
// without a word when it is written.
func keepable(v any) bool {
	switch v := v.(type) {
	case nil, bool, string, int64, float64, json.Number, *flow.Ref:
		return true
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !keepable(item) })
	case map[string]any:
		for _, item := range v {
			if !keepable(item) {
				return false
			}
		}
		return true
	}
	return false
}

// changed tells whether a list or dict was changed in place.
func (e *evaluation) changed(v starlark.Value, original any) (bool, error) {
	switch v.(type) {
	case *starlark.Dict, *starlark.List:
		same, err := e.unchanged(v, original)
		return !same, err
	}
	return false, nil
}

// unchanged compares a value with what it was made of. Plain values are
// compared as they are, since this runs in each evaluation that saw the plan.
func (e *evaluation) unchanged(v starlark.Value, original any) (bool, error) {
	if err := e.tick(); err != nil {
		return false, err
	}
	e.nest()
	defer e.unnest()
	switch o := original.(type) {
	case nil:
		return v == starlark.None, nil
	case bool:
		return v == starlark.Bool(o), nil
	case string:
		return v == starlark.String(o), nil
	case map[string]any:
		d, ok := v.(*starlark.Dict)
		if !ok || d.Len() != len(o) {
			return false, nil
		}
		for key, value := range d.Entries() {
			name, ok := key.(starlark.String)
			before, had := o[string(name)]
			if !ok || !had {
				return false, nil
			}
			if same, err := e.unchanged(value, before); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	case []any:
		l, ok := v.(*starlark.List)
		if !ok || l.Len() != len(o) {
			return false, nil
		}
		for i := range o {
			if same, err := e.unchanged(l.Index(i), o[i]); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	}
	if handed, ok := v.(*goValue); ok {
		return reflect.ValueOf(original).Comparable() && handed.value == original, nil
	}
	fresh, err := e.fromGo(original)
	if err != nil || kindOf(fresh) != kindOf(v) {
		return false, err
	}
	return e.equal(fresh, v)
}

// apply carries the writes of a called policy into this evaluation.
func (e *evaluation) apply(w policy.Writes) error {
	if w.Empty() {
		return nil
	}
	if e.request.Plan != nil {
		dict, err := e.planDict(e.request.Plan)
		if err != nil {
			return err
		}
		for _, key := range sortedKeys(w.Set) {
			v, err := e.fromGo(w.Set[key])
			if err != nil {
				return err
			}
			if err := e.setKey(dict, starlark.String(key), v); err != nil {
				return err
			}
		}
		for _, key := range w.Delete {
			if _, _, err := dict.Delete(starlark.String(key)); err != nil {
				return err
			}
		}
	}
	if w.Redirect != nil {
		e.writes.Redirect = w.Redirect
	}
	return nil
}

// planValue is context["flow_plan"].
type planValue struct {
	opaque
	plan policy.Plan
}

func (p *planValue) attr(e *evaluation, name string) (starlark.Value, error) {
	switch name {
	case "context":
		return e.planDict(p.plan)
	case "flow_pk":
		return starlark.String(p.plan.FlowID().String()), nil
	case "redirect":
		return builtin(name, func(e *evaluation, c call) (starlark.Value, error) {
			var to string
			if err := c.take("destination", &to); err != nil {
				return nil, err
			}
			e.writes.Redirect = &to
			// The usual last line is `return plan.redirect(...)`: the stage
			// that the policy guards does not run.
			return starlark.False, nil
		}), nil
	case "bindings":
		var out []starlark.Value
		for _, stage := range p.plan.StageNames() {
			s := newRecord("Stage", map[string]starlark.Value{"name": starlark.String(stage)})
			out = append(out, newRecord("FlowStageBinding", map[string]starlark.Value{"stage": s}))
		}
		return starlark.NewList(out), e.elems(3 * len(out))
	case "markers":
		return starlark.NewList(nil), nil
	case "insert_stage", "append_stage":
		return refuse(excNotImpl, "flow_plan."+name+": stages cannot be added by expressions; bind the stage and decide with a policy"), nil
	}
	return nil, nil
}

// refuse makes a function that always raises.
func refuse(c *class, text string) starlark.Value {
	return builtin("unavailable", func(*evaluation, call) (starlark.Value, error) { return nil, raise(c, "%s", text) })
}
