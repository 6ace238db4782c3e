package expression

import (
	"go.starlark.net/starlark"
)

// setMethods returns the methods of set.
func setMethods() map[string]method {
	combine := func(op string) method {
		return func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
			out := self
			for _, arg := range c.args {
				other, err := e.asSet(arg)
				if err != nil {
					return nil, err
				}
				if out, err = e.setOp(op, out, other); err != nil {
					return nil, err
				}
			}
			if len(c.args) == 0 {
				return e.newSet(setItems(self.(*starlark.Set)))
			}
			return out, nil
		}
	}
	test := func(op string) method {
		return func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
			v, err := c.one()
			if err != nil {
				return nil, err
			}
			other, err := e.asSet(v)
			if err != nil {
				return nil, err
			}
			ok, err := e.compareSets(op, self.(*starlark.Set), other)
			return starlark.Bool(ok), err
		}
	}
	remove := func(must bool) method {
		return func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
			v, err := c.one()
			if err != nil {
				return nil, err
			}
			found := false
			if _, ok := v.(*starlark.Set); !ok { // no set is in a set
				if err := e.hashable(v); err != nil {
					return nil, err
				}
				found, err = self.(*starlark.Set).Delete(v)
			}
			if err == nil && !found && must {
				return nil, &exception{class: excKey, args: starlark.Tuple{v}}
			}
			return starlark.None, mutate(err)
		}
	}
	return map[string]method{
		"union": combine("|"), "intersection": combine("&"), "difference": combine("-"), "symmetric_difference": combine("^"),
		"issubset": test("<="), "issuperset": test(">="), "remove": remove(true), "discard": remove(false),
		"add": func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
			v, err := c.one()
			if err != nil {
				return nil, err
			}
			return starlark.None, e.insert(self.(*starlark.Set), v)
		},
		"update": func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
			for _, arg := range c.args {
				items, err := e.items(arg)
				if err != nil {
					return nil, err
				}
				for _, v := range items {
					if err := e.insert(self.(*starlark.Set), v); err != nil {
						return nil, err
					}
				}
			}
			return starlark.None, nil
		},
		"isdisjoint": func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
			v, err := c.one()
			if err != nil {
				return nil, err
			}
			items, err := e.items(v)
			if err != nil {
				return nil, err
			}
			for _, item := range items {
				if in, err := e.in(item, self); in || err != nil {
					return starlark.False, err
				}
			}
			return starlark.True, nil
		},
		"copy": func(e *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
			return e.newSet(setItems(self.(*starlark.Set)))
		},
		"clear": func(_ *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
			return starlark.None, mutate(self.(*starlark.Set).Clear())
		},
		"pop": func(_ *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
			items := setItems(self.(*starlark.Set))
			if len(items) == 0 {
				return nil, raise(excKey, "pop from an empty set")
			}
			_, err := self.(*starlark.Set).Delete(items[0])
			return items[0], mutate(err)
		},
	}
}

// asSet returns the items of v as a set.
func (e *evaluation) asSet(v starlark.Value) (*starlark.Set, error) {
	if s, ok := v.(*starlark.Set); ok {
		return s, nil
	}
	items, err := e.items(v)
	if err != nil {
		return nil, err
	}
	return e.newSet(items)
}
