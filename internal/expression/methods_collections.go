package expression

import (
	"sort"

	"go.starlark.net/starlark"
)

// listMethods returns the methods of list.
func listMethods() map[string]method {
	return map[string]method{
		"append": func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
			v, err := c.one()
			if err != nil {
				return nil, err
			}
			if err := e.elems(1); err != nil {
				return nil, err
			}
			return starlark.None, mutate(self.(*starlark.List).Append(v))
		},
		"extend": func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
			v, err := c.one()
			if err != nil {
				return nil, err
			}
			return starlark.None, e.extend(self.(*starlark.List), v)
		},
		"insert": func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
			var at int
			var v starlark.Value
			if err := c.take("index", &at, "object", &v); err != nil {
				return nil, err
			}
			list := listItems(self.(*starlark.List))
			if at < 0 {
				at += len(list)
			}
			at = min(max(at, 0), len(list))
			list = append(list[:at:at], append([]starlark.Value{v}, list[at:]...)...)
			return starlark.None, e.replace(self.(*starlark.List), list)
		},
		"pop": func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
			var i starlark.Value = starlark.MakeInt(-1)
			if err := c.take("index?", &i); err != nil {
				return nil, err
			}
			n, ok := asInt(i)
			if !ok {
				return nil, raise(excType, "'%s' object cannot be interpreted as an integer", kindOf(i))
			}
			if _, fits := n.Int64(); !fits {
				return nil, raise(excOverflow, "Python int too large to convert to C ssize_t")
			}
			l := self.(*starlark.List)
			if l.Len() == 0 {
				return nil, raise(excIndex, "pop from empty list")
			}
			at, err := position("pop", i, l.Len())
			if err != nil {
				return nil, err
			}
			list := listItems(l)
			v := list[at]
			return v, e.replace(l, append(list[:at], list[at+1:]...))
		},
		"remove": func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
			at, err := e.find(self, c)
			if err != nil {
				return nil, err
			}
			if at < 0 {
				return nil, raise(excValue, "list.remove(x): x not in list")
			}
			list := listItems(self.(*starlark.List))
			return starlark.None, e.replace(self.(*starlark.List), append(list[:at], list[at+1:]...))
		},
		"clear": func(_ *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
			return starlark.None, mutate(self.(*starlark.List).Clear())
		},
		"copy": func(e *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
			list := listItems(self.(*starlark.List))
			return starlark.NewList(list), e.elems(len(list))
		},
		"reverse": func(e *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
			list := listItems(self.(*starlark.List))
			reverse(list)
			return starlark.None, e.replace(self.(*starlark.List), list)
		},
		"sort": func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
			var key starlark.Value = starlark.None
			var desc starlark.Value = starlark.False
			if err := c.take("key?", &key, "reverse?", &desc); err != nil {
				return nil, err
			}
			list := listItems(self.(*starlark.List))
			if err := e.sort(list, key, bool(desc.Truth())); err != nil {
				return nil, err
			}
			return starlark.None, e.replace(self.(*starlark.List), list)
		},
		"index": sequenceIndex, "count": sequenceCount,
	}
}

func tupleMethods() map[string]method {
	return map[string]method{"index": sequenceIndex, "count": sequenceCount}
}

func reverse(list []starlark.Value) {
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
}

// find returns the position of the only argument in a sequence, or -1.
func (e *evaluation) find(self starlark.Value, c call) (int, error) {
	v, err := c.one()
	if err != nil {
		return -1, err
	}
	seq := self.(starlark.Indexable)
	for i := range seq.Len() {
		if eq, err := e.equal(seq.Index(i), v); eq || err != nil {
			return i, err
		}
	}
	return -1, nil
}

func sequenceIndex(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
	at, err := e.find(self, c)
	if err == nil && at < 0 {
		return nil, raise(excValue, "%s is not in list", repr(c.args[0]))
	}
	return starlark.MakeInt(at), err
}

func sequenceCount(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
	v, err := c.one()
	if err != nil {
		return nil, err
	}
	n := 0
	seq := self.(starlark.Indexable)
	for i := range seq.Len() {
		eq, err := e.equal(seq.Index(i), v)
		if err != nil {
			return nil, err
		}
		if eq {
			n++
		}
	}
	return starlark.MakeInt(n), nil
}

// sort orders list in place, stable, by key.
func (e *evaluation) sort(list []starlark.Value, key starlark.Value, desc bool) error {
	keys := list
	if key != starlark.None {
		keys = make([]starlark.Value, len(list))
		for i, v := range list {
			k, err := e.call(key, v)
			if err != nil {
				return err
			}
			keys[i] = k
		}
	}
	if err := e.elems(len(list)); err != nil {
		return err
	}
	at := make([]int, len(list))
	for i := range at {
		at[i] = i
	}
	var failed error
	sort.SliceStable(at, func(i, j int) bool {
		if failed != nil {
			return false
		}
		x, y := keys[at[i]], keys[at[j]]
		if desc {
			x, y = y, x
		}
		s, err := e.order("<", x, y)
		if err != nil {
			failed = err
		}
		return s < 0
	})
	if failed != nil {
		return failed
	}
	out := make([]starlark.Value, len(list))
	for i, j := range at {
		out[i] = list[j]
	}
	copy(list, out)
	return nil
}

// dictMethods returns the methods of dict. Views are lists made at the call.
func dictMethods() map[string]method {
	return map[string]method{
		"get": func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
			key, fallback, err := c.pair("key", "default")
			if err != nil {
				return nil, err
			}
			if err := e.hashable(key); err != nil {
				return nil, err
			}
			v, found, err := self.(*starlark.Dict).Get(key)
			switch {
			case err != nil || found:
				return v, err
			case fallback == nil:
				return starlark.None, nil
			}
			return fallback, nil
		},
		"pop": func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
			var key, fallback starlark.Value
			if err := c.take("key", &key, "default?", &fallback); err != nil {
				return nil, err
			}
			if self.(*starlark.Dict).Len() == 0 {
				// Nothing is looked for, so even what is no key is only missing.
				if fallback == nil {
					return nil, &exception{class: excKey, args: starlark.Tuple{key}}
				}
				return fallback, nil
			}
			if err := e.hashable(key); err != nil {
				return nil, err
			}
			v, found, err := self.(*starlark.Dict).Delete(key)
			switch {
			case err != nil:
				return nil, mutate(err)
			case found:
				return v, nil
			case fallback != nil:
				return fallback, nil
			}
			return nil, &exception{class: excKey, args: starlark.Tuple{key}}
		},
		"setdefault": func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
			var key starlark.Value
			var fallback starlark.Value = starlark.None
			if err := c.take("key", &key, "default?", &fallback); err != nil {
				return nil, err
			}
			if err := e.hashable(key); err != nil {
				return nil, err
			}
			if v, found, _ := self.(*starlark.Dict).Get(key); found {
				return v, nil
			}
			return fallback, e.setKey(self.(*starlark.Dict), key, fallback)
		},
		"keys": func(e *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
			keys := self.(*starlark.Dict).Keys()
			return starlark.NewList(keys), e.elems(len(keys))
		},
		"values": func(e *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
			var out []starlark.Value
			for _, item := range self.(*starlark.Dict).Items() {
				out = append(out, item[1])
			}
			return starlark.NewList(out), e.elems(len(out))
		},
		"items": func(e *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
			var out []starlark.Value
			for _, item := range self.(*starlark.Dict).Items() {
				out = append(out, item)
			}
			return starlark.NewList(out), e.elems(3 * len(out))
		},
		"update": func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
			d := self.(*starlark.Dict)
			if len(c.args) > 1 {
				return nil, raise(excType, "update expected at most 1 argument, got %d", len(c.args))
			}
			if len(c.args) == 1 {
				from, err := e.makeDict(c.args[0])
				if err != nil {
					return nil, err
				}
				if err := e.updateKeys(d, from); err != nil {
					return nil, err
				}
			}
			for _, kv := range c.kw {
				if err := e.setKey(d, kv[0], kv[1]); err != nil {
					return nil, err
				}
			}
			return starlark.None, nil
		},
		"copy": func(e *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
			out := starlark.NewDict(0)
			return out, e.update(out, self.(*starlark.Dict))
		},
		"clear": func(_ *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
			return starlark.None, mutate(self.(*starlark.Dict).Clear())
		},
		"popitem": func(_ *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
			items := self.(*starlark.Dict).Items()
			if len(items) == 0 {
				return nil, raise(excKey, "popitem(): dictionary is empty")
			}
			last := items[len(items)-1]
			_, _, err := self.(*starlark.Dict).Delete(last[0])
			return last, mutate(err)
		},
	}
}

// updateKeys is update through setKey, so that a shared dict says why it
// cannot be changed.
func (e *evaluation) updateKeys(to, from *starlark.Dict) error {
	for _, item := range from.Items() {
		if err := e.setKey(to, item[0], item[1]); err != nil {
			return err
		}
	}
	return nil
}

// makeDict is dict(v): a mapping or pairs.
func (e *evaluation) makeDict(v starlark.Value) (*starlark.Dict, error) {
	if d, err := e.asDict(v); err == nil {
		return d, nil
	}
	items, err := e.items(v)
	if err != nil {
		return nil, err
	}
	out := starlark.NewDict(len(items))
	for _, item := range items {
		pair, err := e.items(item)
		if err != nil {
			return nil, err
		}
		if len(pair) != 2 {
			return nil, raise(excValue, "dictionary update sequence element has length %d; 2 is required", len(pair))
		}
		if err := e.setKey(out, pair[0], pair[1]); err != nil {
			return nil, err
		}
	}
	return out, nil
}
