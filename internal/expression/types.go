package expression

import (
	"math"

	"go.starlark.net/starlark"
)

// typeObject is a built-in type: it makes values, and isinstance asks it.
type typeObject struct {
	name string
	is   func(starlark.Value) bool
	new  fn
	// members are class methods such as dict.fromkeys.
	members map[string]starlark.Value
}

func (t *typeObject) String() string        { return "<class '" + t.name + "'>" }
func (t *typeObject) Type() string          { return "type" }
func (t *typeObject) Freeze()               {}
func (t *typeObject) Truth() starlark.Bool  { return true }
func (t *typeObject) Hash() (uint32, error) { return starlark.String(t.name).Hash() }
func (t *typeObject) Name() string          { return t.name }

func (t *typeObject) CallInternal(thread *starlark.Thread, args starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error) {
	return t.new(evalOf(thread), call{t.name, args, kw})
}

func (t *typeObject) attr(e *evaluation, name string) (starlark.Value, error) {
	if v, ok := t.members[name]; ok {
		return v, nil
	}
	m := e.c.methods.named(t.name)[name]
	if m == nil {
		return nil, nil
	}
	// A method without its value, such as str.lower, takes it as an argument.
	return builtin(name, func(e *evaluation, c call) (starlark.Value, error) {
		if len(c.args) == 0 {
			return nil, raise(excType, "unbound method %s.%s() needs an argument", t.name, name)
		}
		if !t.is(c.args[0]) {
			return nil, raise(excType, "descriptor '%s' for '%s' objects doesn't apply to a '%s' object", name, t.name, kindOf(c.args[0]))
		}
		return e.method(m, c.args[0], call{name, c.args[1:], c.kw})
	}), nil
}

// newTypes makes the built-in types by name.
func newTypes() map[string]*typeObject {
	kind := func(name string) func(starlark.Value) bool {
		return func(v starlark.Value) bool { return kindOf(v) == name }
	}
	types := map[string]*typeObject{}
	add := func(name string, is func(starlark.Value) bool, f fn) *typeObject {
		if is == nil {
			is = kind(name)
		}
		t := &typeObject{name: name, is: is, new: f}
		types[name] = t
		return t
	}
	add("str", nil, newText)
	add("bytes", nil, newBytes)
	add("bool", nil, func(_ *evaluation, c call) (starlark.Value, error) {
		var v starlark.Value = starlark.False
		err := c.take("x?", &v)
		return v.Truth(), err
	})
	add("int", func(v starlark.Value) bool { _, ok := asInt(v); return ok }, func(e *evaluation, c call) (starlark.Value, error) {
		var v starlark.Value = starlark.MakeInt(0)
		base := 10
		if err := c.take("x?", &v, "base?", &base); err != nil {
			return nil, err
		}
		if _, ok := v.(starlark.String); !ok && (len(c.args) > 1 || len(c.kw) > 0) {
			return nil, raise(excType, "int() can't convert non-string with explicit base")
		}
		if base != 0 && (base < 2 || base > 36) {
			return nil, raise(excValue, "int() base must be >= 2 and <= 36, or 0")
		}
		return e.toInt(v, base)
	})
	add("float", nil, newFloat)
	add("list", nil, func(e *evaluation, c call) (starlark.Value, error) {
		var v starlark.Value = starlark.Tuple{}
		if err := c.take("iterable?", &v); err != nil {
			return nil, err
		}
		items, err := e.items(v)
		return starlark.NewList(append([]starlark.Value(nil), items...)), err
	})
	add("tuple", nil, func(e *evaluation, c call) (starlark.Value, error) {
		var v starlark.Value = starlark.Tuple{}
		if err := c.take("iterable?", &v); err != nil {
			return nil, err
		}
		items, err := e.items(v)
		return starlark.Tuple(append([]starlark.Value(nil), items...)), err
	})
	makeSet := func(e *evaluation, c call) (starlark.Value, error) {
		var v starlark.Value = starlark.Tuple{}
		if err := c.take("iterable?", &v); err != nil {
			return nil, err
		}
		items, err := e.items(v)
		if err != nil {
			return nil, err
		}
		return e.newSet(items)
	}
	add("set", nil, makeSet)
	// A frozenset is a set that the author promises not to change.
	add("frozenset", kind("set"), makeSet)
	add("dict", nil, newDict).members = map[string]starlark.Value{"fromkeys": builtin("fromkeys", dictFromKeys)}
	add("object", func(starlark.Value) bool { return true }, func(*evaluation, call) (starlark.Value, error) {
		return opaque{"object"}, nil
	})
	types["str"].members = map[string]starlark.Value{"maketrans": builtin("maketrans", textMaketrans)}
	return types
}

func newText(e *evaluation, c call) (starlark.Value, error) {
	var v starlark.Value = starlark.String("")
	encoding, errs := "", "strict"
	if err := c.take("object?", &v, "encoding?", &encoding, "errors?", &errs); err != nil {
		return nil, err
	}
	if b, ok := v.(starlark.Bytes); ok && encoding != "" {
		return decodeBytes(e, string(b), encoding, errs)
	}
	s := str(v)
	return starlark.String(s), e.text(len(s))
}

func newBytes(e *evaluation, c call) (starlark.Value, error) {
	var v starlark.Value = starlark.Bytes("")
	encoding := ""
	if err := c.take("source?", &v, "encoding?", &encoding); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case starlark.Bytes:
		return v, nil
	case starlark.String:
		if encoding == "" {
			return nil, raise(excType, "string argument without an encoding")
		}
		return textEncode(e, v, call{"encode", starlark.Tuple{starlark.String(encoding)}, nil})
	case starlark.Int:
		n, ok := v.Int64()
		if !ok || n < 0 {
			return nil, raise(excValue, "negative count")
		}
		if n > 1<<40 {
			return nil, e.limit("too much text")
		}
		if err := e.text(int(n)); err != nil {
			return nil, err
		}
		return starlark.Bytes(make([]byte, n)), nil
	}
	items, err := e.items(v)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(items))
	for i, item := range items {
		n, err := starlark.AsInt32(item)
		if err != nil || n < 0 || n > 255 {
			return nil, raise(excValue, "bytes must be in range(0, 256)")
		}
		out[i] = byte(n)
	}
	return starlark.Bytes(out), nil
}

func newFloat(_ *evaluation, c call) (starlark.Value, error) {
	var v starlark.Value = starlark.Float(0)
	if err := c.take("x?", &v); err != nil {
		return nil, err
	}
	if f, ok := asFloat(v); ok {
		if _, isInt := v.(starlark.Int); isInt && math.IsInf(f, 0) {
			return nil, raise(excOverflow, "int too large to convert to float")
		}
		return starlark.Float(f), nil
	}
	if s, ok := v.(starlark.String); ok {
		return parseFloat(string(s))
	}
	return nil, raise(excType, "float() argument must be a string or a real number, not '%s'", kindOf(v))
}

func newDict(e *evaluation, c call) (starlark.Value, error) {
	out := starlark.NewDict(0)
	if len(c.args) > 1 {
		return nil, raise(excType, "dict expected at most 1 argument, got %d", len(c.args))
	}
	if len(c.args) == 1 {
		from, err := e.makeDict(c.args[0])
		if err != nil {
			return nil, err
		}
		if err := e.update(out, from); err != nil {
			return nil, err
		}
	}
	for _, kv := range c.kw {
		if err := e.setKey(out, kv[0], kv[1]); err != nil {
			return nil, err
		}
	}
	return out, e.elems(1)
}

func dictFromKeys(e *evaluation, c call) (starlark.Value, error) {
	var keys starlark.Value
	var value starlark.Value = starlark.None
	if err := c.take("iterable", &keys, "value?", &value); err != nil {
		return nil, err
	}
	out := starlark.NewDict(0)
	return out, e.each(keys, func(k starlark.Value) error { return e.setKey(out, k, value) })
}

func textMaketrans(e *evaluation, c call) (starlark.Value, error) {
	var from, to, drop string
	if err := c.take("x", &from, "y?", &to, "z?", &drop); err != nil {
		return nil, err
	}
	a, b := []rune(from), []rune(to)
	if len(a) != len(b) {
		return nil, raise(excValue, "the first two maketrans arguments must have equal length")
	}
	out := starlark.NewDict(len(a))
	for i, r := range a {
		if err := e.setKey(out, starlark.MakeInt(int(r)), starlark.MakeInt(int(b[i]))); err != nil {
			return nil, err
		}
	}
	for _, r := range drop {
		if err := e.setKey(out, starlark.MakeInt(int(r)), starlark.None); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// fnType is type(x). Host values have types without a constructor.
func (c *Compiler) fnType(_ *evaluation, args call) (starlark.Value, error) {
	v, err := args.one()
	if err != nil {
		return nil, err
	}
	if x, ok := v.(*exception); ok {
		return x.class, nil
	}
	name := kindOf(v)
	if t, ok := c.types[name]; ok {
		return t, nil
	}
	return &typeObject{name: name, is: func(o starlark.Value) bool { return kindOf(o) == name },
		new: func(*evaluation, call) (starlark.Value, error) {
			return nil, raise(excType, "cannot create '%s' instances", name)
		}}, nil
}

// equal makes two looks at the same type equal.
func (t *typeObject) equal(other starlark.Value) bool {
	o, ok := other.(*typeObject)
	return ok && o.name == t.name
}

func fnIsinstance(_ *evaluation, c call) (starlark.Value, error) {
	if len(c.args) != 2 {
		return nil, raise(excType, "isinstance expected 2 arguments, got %d", len(c.args))
	}
	ok, err := isInstance(c.args[0], c.args[1])
	return starlark.Bool(ok), err
}

func isInstance(v, of starlark.Value) (bool, error) {
	switch of := of.(type) {
	case *typeObject:
		return of.is(v), nil
	case *class:
		x, ok := v.(*exception)
		return ok && x.class.inherits(of), nil
	case *model:
		return of.instance(v), nil
	case starlark.Tuple:
		for _, one := range of {
			if ok, err := isInstance(v, one); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	}
	return false, raise(excType, "isinstance() arg 2 must be a type, a tuple of types, or a union")
}

func fnIssubclass(_ *evaluation, c call) (starlark.Value, error) {
	var a, b starlark.Value
	if err := c.take("class", &a, "of", &b); err != nil {
		return nil, err
	}
	x, ok := a.(*class)
	y, ok2 := b.(*class)
	if !ok || !ok2 {
		return nil, raise(excType, "issubclass() works on exception classes")
	}
	return starlark.Bool(x.inherits(y)), nil
}
