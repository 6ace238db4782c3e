package expression

import (
	"go.starlark.net/starlark"
)

// signal is how a try part says that it was left by return, break or continue.
type signal struct {
	opaque
	value starlark.Value
}

func opReturn(_ *evaluation, c call) (starlark.Value, error) {
	return &signal{opaque{"return"}, c.args[0]}, nil
}

func opIsReturn(_ *evaluation, c call) (starlark.Value, error) {
	s, ok := c.args[0].(*signal)
	return starlark.Bool(ok && s.value != nil), nil
}

func opReturned(_ *evaluation, c call) (starlark.Value, error) { return c.args[0].(*signal).value, nil }

func opIsSignal(_ *evaluation, c call) (starlark.Value, error) {
	return starlark.Bool(c.args[0] == c.args[1]), nil
}

// opTry runs the parts of a try statement. Limits and a passed deadline are no
// exceptions: they go through every handler and skip every finally part.
func opTry(e *evaluation, c call) (starlark.Value, error) {
	body, orElse, finally, handlers := c.args[0], c.args[1], c.args[2], c.args[3:]
	result, err := e.call(body, e.self[0])
	switch {
	case err != nil:
		if stop := e.stopped(); stop != nil {
			return nil, stop
		}
		result, err = e.handle(err, handlers)
	case orElse != starlark.None && result == starlark.None:
		result, err = e.call(orElse, e.self[0])
	}
	if finally == starlark.None {
		return result, err
	}
	if stop := e.stopped(); stop != nil {
		return nil, stop
	}
	last, ferr := e.call(finally, e.self[0])
	if ferr != nil {
		return nil, ferr
	}
	if last != starlark.None {
		return last, nil
	}
	return result, err
}

// handle runs the first handler that wants the error, or returns it.
func (e *evaluation) handle(err error, handlers starlark.Tuple) (starlark.Value, error) {
	exc := asException(err)
	for len(handlers) > 0 {
		wanted, handler := handlers[0], handlers[1]
		handlers = handlers[2:]
		if wanted != starlark.None {
			if later, ok := wanted.(*starlark.Function); ok {
				var cerr error
				if wanted, cerr = e.call(later, e.self[0]); cerr != nil {
					return nil, cerr
				}
			}
			match, cerr := catches(wanted, exc)
			if cerr != nil {
				return nil, cerr
			}
			if !match {
				continue
			}
		}
		e.handling = append(e.handling, exc)
		defer func() { e.handling = e.handling[:len(e.handling)-1] }()
		return e.call(handler, e.self[0], exc)
	}
	return nil, err
}

// catches tells whether an except clause with this class or tuple takes exc.
func catches(wanted starlark.Value, exc *exception) (bool, error) {
	switch w := wanted.(type) {
	case *class:
		return exc.class.inherits(w), nil
	case starlark.Tuple:
		for _, one := range w {
			if ok, err := catches(one, exc); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	}
	return false, raise(excType, "catching classes that do not inherit from BaseException is not allowed")
}

// opRaise raises. What follows `from` was evaluated and is not kept, since no
// body can ask for it.
func opRaise(e *evaluation, c call) (starlark.Value, error) {
	if len(c.args) == 0 {
		if n := len(e.handling); n > 0 {
			return nil, e.handling[n-1]
		}
		return nil, raise(excRuntime, "No active exception to reraise")
	}
	switch x := c.args[0].(type) {
	case *exception:
		return nil, x
	case *class:
		return nil, &exception{class: x}
	}
	return nil, raise(excType, "exceptions must derive from BaseException")
}

func opAssert(_ *evaluation, c call) (starlark.Value, error) {
	return nil, &exception{class: excAssertion, args: append(starlark.Tuple(nil), c.args...)}
}
