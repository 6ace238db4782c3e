package expression

import (
	"strings"

	"go.starlark.net/starlark"
)

// addBuiltins predeclares Python's own functions. Types are in types.go.
func addBuiltins(into starlark.StringDict) {
	for name, f := range map[string]fn{
		"len": fnLen, "sum": fnSum, "abs": fnAbs, "min": fnMinMax(-1), "max": fnMinMax(1), "round": fnRound,
		"sorted": fnSorted, "reversed": fnReversed, "enumerate": fnEnumerate, "zip": fnZip, "map": fnMap,
		"filter": fnFilter, "next": fnNext, "iter": fnIterator, "any": fnAny, "all": fnAll,
		"repr": fnRepr, "ascii": fnASCII, "format": fnFormat, "chr": fnChr, "ord": fnOrd, "hex": fnBase("0x", 16),
		"oct": fnBase("0o", 8), "bin": fnBase("0b", 2), "divmod": fnDivmod, "pow": fnPow, "callable": fnCallable,
		"hasattr": fnHasattr, "getattr": fnGetattr, "setattr": fnSetattr, "isinstance": fnIsinstance,
		"issubclass": fnIssubclass, "print": fnPrint, "hash": fnHash,
	} {
		into[name] = builtin(name, f)
	}
	into["range"] = starlark.Universe["range"]
	for _, c := range builtinClasses() {
		into[c.name] = c
	}
	into["IOError"] = excOS
}

func fnLen(e *evaluation, c call) (starlark.Value, error) {
	v, err := c.one()
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case starlark.String:
		e.work(len(v))
		return starlark.MakeInt(textLen(string(v))), nil
	case starlark.Bytes:
		return starlark.MakeInt(len(v)), nil
	case interface {
		length(*evaluation) (int, error)
	}:
		n, err := v.length(e)
		return starlark.MakeInt(n), err
	case starlark.Sequence:
		return starlark.MakeInt(v.Len()), nil
	}
	return nil, raise(excType, "object of type '%s' has no len()", kindOf(v))
}

func fnSum(e *evaluation, c call) (starlark.Value, error) {
	var v starlark.Value
	var total starlark.Value = starlark.MakeInt(0)
	if err := c.take("iterable", &v, "start?", &total); err != nil {
		return nil, err
	}
	if _, ok := total.(starlark.String); ok {
		return nil, raise(excType, "sum() can't sum strings [use ''.join(seq) instead]")
	}
	err := e.each(v, func(x starlark.Value) (err error) {
		total, err = e.binaryOp("+", total, x)
		return err
	})
	return total, err
}

// each calls f for every item of v.
func (e *evaluation) each(v starlark.Value, f func(starlark.Value) error) error {
	it, err := e.iterate(v)
	if err != nil {
		return err
	}
	for {
		x, ok, err := it.next()
		if !ok || err != nil {
			return err
		}
		if err := f(x); err != nil {
			return err
		}
	}
}

func fnMinMax(want int) fn {
	return func(e *evaluation, c call) (starlark.Value, error) {
		var key starlark.Value = starlark.None
		var fallback starlark.Value
		if err := (call{c.name, nil, c.kw}).take("key?", &key, "default?", &fallback); err != nil {
			return nil, err
		}
		var list starlark.Value = c.args
		switch len(c.args) {
		case 0:
			return nil, raise(excType, "%s expected at least 1 argument, got 0", c.name)
		case 1:
			list = c.args[0]
		}
		var best, bestKey starlark.Value
		err := e.each(list, func(v starlark.Value) error {
			k := v
			if key != starlark.None {
				var err error
				if k, err = e.call(key, v); err != nil {
					return err
				}
			}
			if best != nil {
				op := "<"
				if want > 0 {
					op = ">"
				}
				s, err := e.order(op, k, bestKey)
				if err != nil || s != want {
					return err
				}
			}
			best, bestKey = v, k
			return nil
		})
		switch {
		case err != nil:
			return nil, err
		case best != nil:
			return best, nil
		case fallback != nil:
			return fallback, nil
		}
		return nil, raise(excValue, "%s() arg is an empty sequence", c.name)
	}
}

func fnSorted(e *evaluation, c call) (starlark.Value, error) {
	var v, key, desc starlark.Value = nil, starlark.None, starlark.False
	if err := c.take("iterable", &v, "key?", &key, "reverse?", &desc); err != nil {
		return nil, err
	}
	list, err := e.items(v)
	if err != nil {
		return nil, err
	}
	list = append([]starlark.Value(nil), list...)
	if err := e.sort(list, key, bool(desc.Truth())); err != nil {
		return nil, err
	}
	return starlark.NewList(list), nil
}

func fnReversed(e *evaluation, c call) (starlark.Value, error) {
	v, err := c.one()
	if err != nil {
		return nil, err
	}
	if _, ok := v.(*starlark.Set); ok {
		return nil, raise(excType, "'set' object is not reversible")
	}
	list, err := e.items(v)
	if err != nil {
		return nil, err
	}
	list = append([]starlark.Value(nil), list...)
	reverse(list)
	return newIterator("reversed", e.over(list)), nil
}

func fnEnumerate(e *evaluation, c call) (starlark.Value, error) {
	v, first, err := c.pair("iterable", "start")
	if err != nil {
		return nil, err
	}
	count := starlark.MakeInt(0)
	if first != nil {
		var ok bool
		if count, ok = asInt(first); !ok {
			return nil, raise(excType, "'%s' object cannot be interpreted as an integer", kindOf(first))
		}
	}
	it, err := e.iterate(v)
	if err != nil {
		return nil, err
	}
	return newIterator("enumerate", stepFunc(func() (starlark.Value, bool, error) {
		x, ok, err := it.next()
		if !ok || err != nil {
			return nil, false, err
		}
		at := count
		count = count.Add(starlark.MakeInt(1))
		return starlark.Tuple{at, x}, true, e.elems(2)
	})), nil
}

func fnZip(e *evaluation, c call) (starlark.Value, error) {
	strict := false
	if err := (call{c.name, nil, c.kw}).take("strict?", &strict); err != nil {
		return nil, err
	}
	var its []stepper
	for _, v := range c.args {
		it, err := e.iterate(v)
		if err != nil {
			return nil, err
		}
		its = append(its, it)
	}
	return newIterator("zip", stepFunc(func() (starlark.Value, bool, error) {
		row := make(starlark.Tuple, 0, len(its))
		for i, it := range its {
			x, ok, err := it.next()
			if err != nil {
				return nil, false, err
			}
			if !ok {
				if strict && i > 0 {
					return nil, false, raise(excValue, "zip() argument %d is shorter than argument 1", i+1)
				}
				return nil, false, nil
			}
			row = append(row, x)
		}
		return row, len(its) > 0, e.elems(len(row))
	})), nil
}

// fnMap calls the function for each item at once, so that an exception in it
// comes where the call stands.
func fnMap(e *evaluation, c call) (starlark.Value, error) {
	if len(c.args) < 2 {
		return nil, raise(excType, "map() must have at least two arguments.")
	}
	rows, err := fnZip(e, call{"zip", c.args[1:], nil})
	if err != nil {
		return nil, err
	}
	var out []starlark.Value
	err = e.each(rows, func(row starlark.Value) error {
		v, err := e.call(c.args[0], row.(starlark.Tuple)...)
		if err != nil {
			return err
		}
		out = append(out, v)
		return e.elems(1)
	})
	return newIterator("map", e.over(out)), err
}

func fnFilter(e *evaluation, c call) (starlark.Value, error) {
	if len(c.args) != 2 {
		return nil, raise(excType, "filter expected 2 arguments, got %d", len(c.args))
	}
	var out []starlark.Value
	err := e.each(c.args[1], func(v starlark.Value) error {
		keep := v
		if c.args[0] != starlark.None {
			var err error
			if keep, err = e.call(c.args[0], v); err != nil {
				return err
			}
		}
		if keep.Truth() {
			out = append(out, v)
		}
		return e.elems(1)
	})
	return newIterator("filter", e.over(out)), err
}

func fnIterator(e *evaluation, c call) (starlark.Value, error) {
	v, err := c.one()
	if err != nil {
		return nil, err
	}
	it, err := e.iterate(v)
	if err != nil {
		return nil, err
	}
	return newIterator("iterator", it), nil
}

func fnNext(_ *evaluation, c call) (starlark.Value, error) {
	if len(c.args) < 1 || len(c.args) > 2 {
		return nil, raise(excType, "next expected 1 or 2 arguments, got %d", len(c.args))
	}
	it, ok := c.args[0].(*iterator)
	if !ok {
		return nil, raise(excType, "'%s' object is not an iterator", kindOf(c.args[0]))
	}
	v, ok, err := it.next()
	switch {
	case err != nil:
		return nil, err
	case ok:
		return v, nil
	case len(c.args) == 2:
		return c.args[1], nil
	}
	return nil, &exception{class: excStopIteration}
}

func fnAny(e *evaluation, c call) (starlark.Value, error) { return e.quantify(c, true) }
func fnAll(e *evaluation, c call) (starlark.Value, error) { return e.quantify(c, false) }

// quantify looks for an item whose truth is the wanted one.
func (e *evaluation) quantify(c call, want starlark.Bool) (starlark.Value, error) {
	v, err := c.one()
	if err != nil {
		return nil, err
	}
	it, err := e.iterate(v)
	if err != nil {
		return nil, err
	}
	for {
		x, ok, err := it.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return !want, nil
		}
		if x.Truth() == want {
			return want, nil
		}
	}
}

func fnCallable(_ *evaluation, c call) (starlark.Value, error) {
	v, err := c.one()
	if err != nil {
		return nil, err
	}
	_, ok := v.(starlark.Callable)
	return starlark.Bool(ok), nil
}

func fnPrint(e *evaluation, c call) (starlark.Value, error) {
	var parts []string
	for _, v := range c.args {
		s := str(v)
		if err := e.text(len(s)); err != nil {
			return nil, err
		}
		parts = append(parts, s)
	}
	e.log("info", strings.Join(parts, " "), nil)
	return starlark.None, nil
}

func fnHash(e *evaluation, c call) (starlark.Value, error) {
	v, err := c.one()
	if err != nil {
		return nil, err
	}
	if err := e.hashable(v); err != nil {
		return nil, err
	}
	h, err := v.Hash()
	return starlark.MakeUint64(uint64(h)), err
}
