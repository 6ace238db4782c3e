package expression

import (
	"fmt"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/weir-id/weir/internal/expression/python"
)

// machine is the value by which a running body reaches the runtime, in the way
// that python.Machine describes. No name that an author can write leads to it.
type machine struct {
	opaque
	e *evaluation
	// name is the attribute that was asked for last.
	name string
	// args holds the arguments of all calls that are under way, those of the
	// innermost one first. It is filled from its end, so that arguments that are
	// given from the last to the first stand in their order.
	args []starlark.Value
	// used is how many of args are filled, and given how many of those the call
	// that is being made has.
	used, given int
	// few is where args begins: most bodies need no more.
	few [8]starlark.Value
	// kept is the right operand of the latest comparison.
	kept starlark.Value
}

var (
	_ starlark.HasAttrs  = (*machine)(nil)
	_ starlark.HasBinary = (*machine)(nil)
	_ starlark.HasUnary  = (*machine)(nil)
)

// Attr implements starlark.HasAttrs: it keeps the name for the operator that
// follows.
func (m *machine) Attr(name string) (starlark.Value, error) {
	m.name = name
	return m, nil
}

// AttrNames implements starlark.HasAttrs.
func (*machine) AttrNames() []string { return nil }

// Unary implements starlark.HasUnary.
func (m *machine) Unary(op syntax.Token) (starlark.Value, error) {
	if op == python.NameToken {
		v, ok, err := m.e.variable(m.name)
		if !ok && err == nil {
			err = raise(excName, "name '%s' is not defined", m.name)
		}
		return v, err
	}
	return m.end(runtimeOps[m.name[0]](m.e, call{}))
}

// Binary implements starlark.HasBinary; the machine stands on the right.
func (m *machine) Binary(op syntax.Token, x starlark.Value, _ starlark.Side) (starlark.Value, error) {
	switch op {
	case python.GiveToken:
		m.give(x)
		return m, nil
	case python.AttrToken:
		return m.end(m.e.attribute(x, m.name))
	}
	name := m.name
	if op == python.OpToken {
		m.give(x)
	}
	n := m.given
	args := starlark.Tuple(m.args[len(m.args)-m.used:][:n:n])
	m.given = 0
	v, err := m.run(op, x, name, args)
	clear(m.args[len(m.args)-m.used:][:n])
	m.used -= n
	return m.end(v, err)
}

func (m *machine) run(op syntax.Token, x starlark.Value, name string, args starlark.Tuple) (starlark.Value, error) {
	switch op {
	case python.OpToken:
		return runtimeOps[name[0]](m.e, call{args: args})
	case python.MethodToken:
		return m.e.callMethod(x, name, args)
	}
	return m.e.callPlain(x, args)
}

// give puts x in front of the arguments of the call that is being made.
func (m *machine) give(x starlark.Value) {
	if m.used == len(m.args) {
		// Calls that are under way keep what they were given.
		more := make([]starlark.Value, max(16, 2*len(m.args)))
		copy(more[len(more)-m.used:], m.args)
		m.args = more
	}
	m.used++
	m.given++
	m.args[len(m.args)-m.used] = x
}

// end is what starlark.Call does with a result.
func (m *machine) end(v starlark.Value, err error) (starlark.Value, error) {
	if v == nil && err == nil {
		err = fmt.Errorf("internal error: no result")
	}
	return v, err
}

// callMethod calls a method of x without making a value of the method first,
// where x is of a built-in type.
func (e *evaluation) callMethod(x starlark.Value, name string, args starlark.Tuple) (starlark.Value, error) {
	if m := e.c.methods.of(x)[name]; m != nil {
		if err := e.nested(); err != nil {
			return nil, err
		}
		return e.method(m, x, call{name, args, nil})
	}
	f, err := e.attribute(x, name)
	if err != nil {
		return nil, err
	}
	return e.callPlain(f, args)
}

// method runs a method. Each may look at the whole of a text.
func (e *evaluation) method(m method, self starlark.Value, c call) (starlark.Value, error) {
	switch s := self.(type) {
	case starlark.String:
		e.work(len(s))
	case starlark.Bytes:
		e.work(len(s))
	}
	return m(e, self, c)
}

// callPlain calls f, without a frame where it is the runtime's own.
func (e *evaluation) callPlain(f starlark.Value, args starlark.Tuple) (starlark.Value, error) {
	switch f := f.(type) {
	case *function:
		if err := e.nested(); err != nil {
			return nil, err
		}
		return f.f(e, call{f.name, args, nil})
	case *typeObject:
		return f.new(e, call{f.name, args, nil})
	}
	return starlark.Call(e.thread, f, args, nil)
}

// function is a function of the runtime.
type function struct {
	name string
	f    fn
}

var _ starlark.Callable = (*function)(nil)

func builtin(name string, f fn) *function { return &function{name, f} }

func (f *function) String() string        { return "<built-in function " + f.name + ">" }
func (f *function) Type() string          { return "builtin_function_or_method" }
func (f *function) Freeze()               {}
func (f *function) Truth() starlark.Bool  { return true }
func (f *function) Hash() (uint32, error) { return starlark.String(f.name).Hash() }

// Name implements starlark.Callable.
func (f *function) Name() string { return f.name }

// CallInternal implements starlark.Callable.
func (f *function) CallInternal(t *starlark.Thread, args starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error) {
	e := evalOf(t)
	if err := e.nested(); err != nil {
		return nil, err
	}
	return f.f(e, call{f.name, args, kw})
}

// attribute is x.name.
func (e *evaluation) attribute(x starlark.Value, name string) (starlark.Value, error) {
	v, err := e.attr(x, name)
	if v == nil && err == nil {
		err = missingAttr(x, name)
	}
	return v, err
}

// attr returns an attribute of v, or nil where there is none.
func (e *evaluation) attr(v starlark.Value, name string) (starlark.Value, error) {
	if strings.HasPrefix(name, "__") {
		// Nothing behind these names may be reached, whatever asks for them.
		return nil, nil
	}
	if o, ok := v.(object); ok {
		return o.attr(e, name)
	}
	if m, ok := e.c.methods.of(v)[name]; ok {
		return builtin(name, func(e *evaluation, c call) (starlark.Value, error) { return e.method(m, v, c) }), nil
	}
	return nil, nil
}
