package expression

import (
	"unicode/utf8"

	"go.starlark.net/starlark"
)

// indexable is a host value for x[i].
type indexable interface {
	index(e *evaluation, i starlark.Value) (starlark.Value, error)
}

// indexSettable is a host value for x[i] = v and del x[i] (v nil).
type indexSettable interface {
	setIndex(e *evaluation, i, v starlark.Value) error
}

// position turns an index of a sequence of n items into 0..n-1.
func position(what string, i starlark.Value, n int) (int, error) {
	v, ok := asInt(i)
	if !ok {
		return 0, raise(excType, "%s indices must be integers or slices, not %s", what, kindOf(i))
	}
	at, fits := v.Int64()
	if fits && at < 0 {
		at += int64(n)
	}
	if !fits || at < 0 || at >= int64(n) {
		if what == "str" {
			what = "string"
		}
		return 0, raise(excIndex, "%s index out of range", what)
	}
	return int(at), nil
}

func opIndex(e *evaluation, c call) (starlark.Value, error) {
	x, i := c.args[0], c.args[1]
	switch x := x.(type) {
	case *starlark.Dict:
		if err := e.hashable(i); err != nil {
			return nil, err
		}
		v, found, err := x.Get(i)
		if err == nil && !found {
			return nil, &exception{class: excKey, args: starlark.Tuple{i}}
		}
		return v, err
	case *starlark.List:
		at, err := position("list", i, x.Len())
		if err != nil {
			return nil, err
		}
		return x.Index(at), nil
	case starlark.Tuple:
		at, err := position("tuple", i, len(x))
		if err != nil {
			return nil, err
		}
		return x[at], nil
	case starlark.String:
		e.work(len(x))
		return textIndex(string(x), i)
	case starlark.Bytes:
		at, err := position("index", i, len(x))
		if err != nil {
			return nil, err
		}
		return starlark.MakeInt(int(x[at])), nil
	case indexable:
		return x.index(e, i)
	case starlark.Indexable: // range
		at, err := position("range object", i, x.Len())
		if err != nil {
			return nil, err
		}
		return x.Index(at), nil
	}
	return nil, raise(excType, "'%s' object is not subscriptable", kindOf(x))
}

func textIndex(s string, i starlark.Value) (starlark.Value, error) {
	at, err := position("str", i, textLen(s))
	if err != nil {
		return nil, err
	}
	if isASCII(s) {
		return starlark.String(s[at : at+1]), nil
	}
	for off := range s {
		if at == 0 {
			_, n := utf8.DecodeRuneInString(s[off:])
			return starlark.String(s[off : off+n]), nil
		}
		at--
	}
	return starlark.String(""), nil
}

func opSetIndex(e *evaluation, c call) (starlark.Value, error) {
	x, i, v := c.args[0], c.args[1], c.args[2]
	switch x := x.(type) {
	case *starlark.Dict:
		return starlark.None, e.setKey(x, i, v)
	case *starlark.List:
		at, err := position("list assignment", i, x.Len())
		if err != nil {
			return nil, err
		}
		return starlark.None, mutate(x.SetIndex(at, v))
	case indexSettable:
		return starlark.None, x.setIndex(e, i, v)
	}
	return nil, raise(excType, "'%s' object does not support item assignment", kindOf(x))
}

// setKey stores an item of a dict.
func (e *evaluation) setKey(d *starlark.Dict, k, v starlark.Value) error {
	if err := e.hashable(k); err != nil {
		return err
	}
	if err := e.elems(1); err != nil {
		return err
	}
	return mutate(d.SetKey(k, v))
}

// insert stores an item of a set.
func (e *evaluation) insert(s *starlark.Set, v starlark.Value) error {
	if err := e.hashable(v); err != nil {
		return err
	}
	if err := e.elems(1); err != nil {
		return err
	}
	return mutate(s.Insert(v))
}

// mutate explains the only way in which changing a value fails: it is shared
// and therefore frozen.
func mutate(err error) error {
	if err != nil {
		return raise(excType, "this value cannot be changed by expressions")
	}
	return nil
}

func opDelIndex(e *evaluation, c call) (starlark.Value, error) {
	x, i := c.args[0], c.args[1]
	switch x := x.(type) {
	case *starlark.Dict:
		if err := e.hashable(i); err != nil {
			return nil, err
		}
		_, found, err := x.Delete(i)
		if err == nil && !found {
			return nil, &exception{class: excKey, args: starlark.Tuple{i}}
		}
		return starlark.None, mutate(err)
	case *starlark.List:
		at, err := position("list assignment", i, x.Len())
		if err != nil {
			return nil, err
		}
		list := listItems(x)
		return starlark.None, e.replace(x, append(list[:at], list[at+1:]...))
	case indexSettable:
		return starlark.None, x.setIndex(e, i, nil)
	}
	return nil, raise(excType, "'%s' object doesn't support item deletion", kindOf(x))
}

// replace gives a list new contents.
func (e *evaluation) replace(l *starlark.List, items []starlark.Value) error {
	items = append([]starlark.Value(nil), items...)
	if err := e.elems(len(items)); err != nil {
		return err
	}
	if err := l.Clear(); err != nil {
		return mutate(err)
	}
	for _, v := range items {
		if err := l.Append(v); err != nil {
			return mutate(err)
		}
	}
	return nil
}

// extend appends all of y to a list.
func (e *evaluation) extend(l *starlark.List, y starlark.Value) error {
	items, err := e.items(y)
	if err != nil {
		return err
	}
	for _, v := range items {
		if err := l.Append(v); err != nil {
			return mutate(err)
		}
	}
	return nil
}

// bounds works out a slice of n items.
func bounds(n int, lo, hi, step starlark.Value) (from, to, by int, err error) {
	by = 1
	if step != starlark.None {
		if by, err = sliceIndex(step, n+1, false); err != nil {
			return
		}
		if by == 0 {
			return 0, 0, 0, raise(excValue, "slice step cannot be zero")
		}
	}
	from, to = 0, n
	low, high := 0, n
	if by < 0 {
		from, to = n-1, -1
		low, high = -1, n-1
	}
	if lo != starlark.None {
		if from, err = sliceIndex(lo, n, true); err != nil {
			return
		}
		from = min(max(from, low), high)
	}
	if hi != starlark.None {
		if to, err = sliceIndex(hi, n, true); err != nil {
			return
		}
		to = min(max(to, low), high)
	}
	return from, to, by, nil
}

// sliceIndex reads a bound; fromEnd counts negative ones from the end.
func sliceIndex(v starlark.Value, n int, fromEnd bool) (int, error) {
	i, ok := asInt(v)
	if !ok {
		return 0, raise(excType, "slice indices must be integers or None or have an __index__ method")
	}
	at, fits := i.Int64()
	if !fits || at > 1<<40 || at < -(1<<40) {
		at = int64(i.Sign()) << 40
	}
	if fromEnd && at < 0 {
		at = max(at+int64(n), -1)
	}
	return int(at), nil
}

func opSlice(e *evaluation, c call) (starlark.Value, error) {
	x := c.args[0]
	pick := func(n int) ([]int, error) {
		from, to, by, err := bounds(n, c.args[1], c.args[2], c.args[3])
		if err != nil {
			return nil, err
		}
		var at []int
		for i := from; by > 0 && i < to || by < 0 && i > to; i += by {
			if err := e.elems(1); err != nil {
				return nil, err
			}
			at = append(at, i)
		}
		return at, nil
	}
	switch x := x.(type) {
	case starlark.String:
		e.work(len(x))
		if c.args[3] == starlark.None {
			from, to, _, err := bounds(textLen(string(x)), c.args[1], c.args[2], starlark.None)
			if err != nil || from >= to {
				return starlark.String(""), err
			}
			return starlark.String(textSlice(string(x), from, to)), e.text(to - from)
		}
		runes := []rune(string(x))
		at, err := pick(len(runes))
		if err != nil {
			return nil, err
		}
		out := make([]rune, len(at))
		for i, j := range at {
			out[i] = runes[j]
		}
		return starlark.String(out), e.text(len(out))
	case starlark.Bytes:
		at, err := pick(len(x))
		if err != nil {
			return nil, err
		}
		out := make([]byte, len(at))
		for i, j := range at {
			out[i] = x[j]
		}
		return starlark.Bytes(out), nil
	case *starlark.List:
		at, err := pick(x.Len())
		if err != nil {
			return nil, err
		}
		out := make([]starlark.Value, len(at))
		for i, j := range at {
			out[i] = x.Index(j)
		}
		return starlark.NewList(out), nil
	case starlark.Tuple:
		at, err := pick(len(x))
		if err != nil {
			return nil, err
		}
		out := make(starlark.Tuple, len(at))
		for i, j := range at {
			out[i] = x[j]
		}
		return out, nil
	case walkable:
		items, err := e.items(x.(starlark.Value))
		if err != nil {
			return nil, err
		}
		return opSlice(e, call{c.name, starlark.Tuple{starlark.NewList(items), c.args[1], c.args[2], c.args[3]}, nil})
	case starlark.Sliceable: // range
		from, to, by, err := bounds(x.Len(), c.args[1], c.args[2], c.args[3])
		if err != nil {
			return nil, err
		}
		return x.Slice(from, to, by), nil
	}
	return nil, raise(excType, "'%s' object is not subscriptable", kindOf(x))
}

// opSetSlice replaces a contiguous part of a list; a nil value deletes it.
func opSetSlice(e *evaluation, c call) (starlark.Value, error) {
	l, ok := c.args[0].(*starlark.List)
	if !ok {
		return nil, raise(excType, "'%s' object does not support slice assignment", kindOf(c.args[0]))
	}
	from, to, by, err := bounds(l.Len(), c.args[1], c.args[2], c.args[3])
	if err != nil {
		return nil, err
	}
	if by != 1 {
		return nil, raise(excValue, "assignment to a slice with a step is not available")
	}
	var items []starlark.Value
	if len(c.args) == 5 {
		if items, err = e.items(c.args[4]); err != nil {
			return nil, err
		}
	}
	old := listItems(l)
	to = max(from, to)
	out := append([]starlark.Value(nil), old[:from]...)
	out = append(append(out, items...), old[to:]...)
	return starlark.None, e.replace(l, out)
}
