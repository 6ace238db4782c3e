package expression

import (
	"context"
	"slices"

	"go.starlark.net/starlark"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// localKey is where a thread keeps its evaluation.
const localKey = "evaluation"

// evaluation is one run of one body: its variables, what it has used up, and
// what it asks for. It belongs to one goroutine.
type evaluation struct {
	ctx     context.Context
	env     *Env
	c       *Compiler
	name    string
	thread  *starlark.Thread
	limits  Limits
	scope   Scope
	request *policy.Request
	vars    map[string]starlark.Value

	// The objects of the request, each made on first use.
	context      *starlark.Dict
	plan         *planContext
	prompt       starlark.Value
	promptBefore any
	http         *httpRequest
	people       map[*identity.Person]*userValue

	elements, bytes int64
	nesting         int
	fatal           error
	// handling holds the exceptions whose handlers are running.
	handling []*exception

	counts   *counts
	messages []string
	events   []policy.Event
	mails    []policy.Mail
	logs     []LogLine
	writes   policy.Writes
}

func evalOf(thread *starlark.Thread) *evaluation {
	return thread.Local(localKey).(*evaluation)
}

// call calls a value of the body or of the runtime.
func (e *evaluation) call(fn starlark.Value, args ...starlark.Value) (starlark.Value, error) {
	return starlark.Call(e.thread, fn, args, nil)
}

// call is the arguments of one call.
type call struct {
	name string
	args starlark.Tuple
	kw   []starlark.Tuple
}

// take stores the arguments in the variables after their names; a name that
// ends in "?" is optional (see starlark.UnpackArgs).
func (c call) take(pairs ...any) error {
	if err := starlark.UnpackArgs(c.name, c.args, c.kw, pairs...); err != nil {
		return raise(excType, "%s", err)
	}
	return nil
}

// one returns the only argument.
func (c call) one() (starlark.Value, error) {
	if len(c.kw) > 0 || len(c.args) != 1 {
		return nil, raise(excType, "%s() takes exactly one argument (%d given)", c.name, len(c.args)+len(c.kw))
	}
	return c.args[0], nil
}

// first returns the one argument without a name, which may be given by name,
// and the call without it. The named arguments of the others are any.
func (c call) first(name string) (starlark.Value, call, error) {
	if len(c.args) == 1 {
		return c.args[0], call{c.name, nil, c.kw}, nil
	}
	for i, kv := range c.kw {
		if len(c.args) == 0 && kv[0] == starlark.String(name) {
			return kv[1], call{c.name, nil, slices.Delete(slices.Clone(c.kw), i, i+1)}, nil
		}
	}
	return nil, c, raise(excType, "%s() takes one argument without a name, %s, and %d are given", c.name, name, len(c.args))
}

// only is first for functions without further arguments.
func (c call) only(name string) (starlark.Value, error) {
	v, rest, err := c.first(name)
	if err == nil && len(rest.kw) > 0 {
		err = raise(excType, "%s() got an unexpected keyword argument %s", c.name, repr(rest.kw[0][0]))
	}
	return v, err
}

// fn is a function of the runtime.
type fn func(e *evaluation, c call) (starlark.Value, error)

// builtin makes a callable value of f.
func builtin(name string, f fn) *starlark.Builtin {
	return starlark.NewBuiltin(name, func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kw []starlark.Tuple) (starlark.Value, error) {
		e, err := enter(t)
		if err != nil {
			return nil, err
		}
		return f(e, call{name, args, kw})
	})
}

// enter begins a call of the runtime: it finds the evaluation and refuses to
// nest too deeply.
func enter(t *starlark.Thread) (*evaluation, error) {
	e := evalOf(t)
	if t.CallStackDepth() > e.limits.Depth {
		return nil, e.limit("too many nested calls")
	}
	return e, nil
}

// object is a value with attributes of its own. A missing attribute is nil
// without an error.
type object interface {
	starlark.Value
	attr(e *evaluation, name string) (starlark.Value, error)
}

// settable is an object whose attributes can be assigned.
type settable interface {
	setAttr(e *evaluation, name string, v starlark.Value) error
}

// opaque is the part of starlark.Value that all host objects share.
type opaque struct{ kind string }

func (o opaque) String() string        { return "<" + o.kind + ">" }
func (o opaque) Type() string          { return o.kind }
func (o opaque) Freeze()               {}
func (o opaque) Truth() starlark.Bool  { return true }
func (o opaque) Hash() (uint32, error) { return 0, raise(excType, "unhashable type: '%s'", o.kind) }
