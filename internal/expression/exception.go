package expression

import (
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/starlark"
)

// class is an exception class. Its one instance per name is compared by
// identity; classes never change.
type class struct {
	name string
	base *class
	// also are further bases.
	also []*class
}

func newClass(name string, base *class, also ...*class) *class { return &class{name, base, also} }

// The exception classes that bodies can name, as in Python.
var (
	excBase          = newClass("BaseException", nil)
	excException     = newClass("Exception", excBase)
	excArithmetic    = newClass("ArithmeticError", excException)
	excZeroDivision  = newClass("ZeroDivisionError", excArithmetic)
	excOverflow      = newClass("OverflowError", excArithmetic)
	excAssertion     = newClass("AssertionError", excException)
	excAttribute     = newClass("AttributeError", excException)
	excImport        = newClass("ImportError", excException)
	excModule        = newClass("ModuleNotFoundError", excImport)
	excLookup        = newClass("LookupError", excException)
	excIndex         = newClass("IndexError", excLookup)
	excKey           = newClass("KeyError", excLookup)
	excName          = newClass("NameError", excException)
	excUnboundLocal  = newClass("UnboundLocalError", excName)
	excOS            = newClass("OSError", excException)
	excConnection    = newClass("ConnectionError", excOS)
	excPermission    = newClass("PermissionError", excOS)
	excTimeout       = newClass("TimeoutError", excOS)
	excRuntime       = newClass("RuntimeError", excException)
	excNotImpl       = newClass("NotImplementedError", excRuntime)
	excStopIteration = newClass("StopIteration", excException)
	excType          = newClass("TypeError", excException)
	excValue         = newClass("ValueError", excException)
	excUnicode       = newClass("UnicodeError", excValue)
	excUnicodeDecode = newClass("UnicodeDecodeError", excUnicode)
	excUnicodeEncode = newClass("UnicodeEncodeError", excUnicode)
	excJSON          = newClass("JSONDecodeError", excValue)
	excSkipObject    = newClass("SkipObject", excException)
	excValidation    = newClass("ValidationError", excException)
	excDoesNotExist  = newClass("DoesNotExist", excException)
	excMultiple      = newClass("MultipleObjectsReturned", excException)
	excUserMissing   = newClass("User.DoesNotExist", excDoesNotExist)
	excGroupMissing  = newClass("Group.DoesNotExist", excDoesNotExist)
)

// builtinClasses are the classes that exist without an import.
func builtinClasses() []*class {
	return []*class{
		excBase, excException, excArithmetic, excZeroDivision, excOverflow, excAssertion, excAttribute, excImport, excModule,
		excLookup, excIndex, excKey, excName, excUnboundLocal, excOS, excConnection, excPermission, excTimeout,
		excRuntime, excNotImpl, excStopIteration, excType, excValue, excUnicode, excUnicodeDecode, excUnicodeEncode,
	}
}

func (c *class) String() string        { return "<class '" + c.name + "'>" }
func (c *class) Type() string          { return "type" }
func (c *class) Freeze()               {}
func (c *class) Truth() starlark.Bool  { return true }
func (c *class) Hash() (uint32, error) { return starlark.String(c.name).Hash() }
func (c *class) Name() string          { return c.name }

// CallInternal makes an exception of the class.
func (c *class) CallInternal(_ *starlark.Thread, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	return &exception{class: c, args: append(starlark.Tuple(nil), args...)}, nil
}

// inherits tells whether c is other or a subclass of it.
func (c *class) inherits(other *class) bool {
	for ; c != nil; c = c.base {
		if c == other || slices.ContainsFunc(c.also, func(b *class) bool { return b.inherits(other) }) {
			return true
		}
	}
	return false
}

// exception is a raised or raisable exception. It is a Starlark value and a Go
// error, so that it can travel both ways.
type exception struct {
	class *class
	args  starlark.Tuple
	// response is the answer that requests raised it for; nil for none.
	response starlark.Value
}

// raise returns an exception whose only argument is the text.
func raise(c *class, format string, args ...any) *exception {
	return &exception{class: c, args: starlark.Tuple{starlark.String(fmt.Sprintf(format, args...))}}
}

func (x *exception) String() string       { return repr(x) }
func (x *exception) Type() string         { return x.class.name }
func (x *exception) Freeze()              {}
func (x *exception) Truth() starlark.Bool { return true }
func (x *exception) Hash() (uint32, error) {
	return 0, raise(excType, "unhashable type: '%s'", x.class.name)
}

// text is what str(x) gives: the one argument, or all of them as a tuple. A
// missing key is shown quoted, as in Python.
func (x *exception) text() string {
	switch len(x.args) {
	case 0:
		return ""
	case 1:
		if x.class == excKey {
			return repr(x.args[0])
		}
		return str(x.args[0])
	}
	return repr(x.args)
}

// Error is the class and the text.
func (x *exception) Error() string {
	if text := x.text(); text != "" {
		return x.class.name + ": " + text
	}
	return x.class.name
}

func (x *exception) attr(_ *evaluation, name string) (starlark.Value, error) {
	switch name {
	case "args":
		return x.args, nil
	case "message":
		return starlark.String(x.text()), nil
	case "response":
		if x.response == nil && x.class.inherits(excRequest) {
			return starlark.None, nil
		}
		return x.response, nil
	case "messages":
		if x.class == excValidation {
			return starlark.NewList([]starlark.Value{starlark.String(x.text())}), nil
		}
	}
	return nil, nil
}

// attr of a class finds nothing: Model.DoesNotExist lives on the model.
func (c *class) attr(*evaluation, string) (starlark.Value, error) { return nil, nil }

// asException turns any catchable error into an exception. Errors of Starlark
// itself get the class and the text that Python has for them.
func asException(err error) *exception {
	for e := err; e != nil; {
		if x, ok := e.(*exception); ok {
			return x
		}
		u, ok := e.(interface{ Unwrap() error })
		if !ok {
			break
		}
		e = u.Unwrap()
	}
	text := err.Error()
	if strings.Contains(text, "\n") {
		text, _, _ = strings.Cut(text, "\n")
	}
	switch {
	case strings.Contains(text, "referenced before assignment"):
		name := between(text, "local variable ", " referenced")
		return raise(excUnboundLocal, "cannot access local variable '%s' where it is not associated with a value", name)
	case strings.HasPrefix(text, "invalid call of non-function"):
		return raise(excType, "'%s' object is not callable", pyTypeName(between(text, "(", ")")))
	case strings.Contains(text, "to unpack"), strings.Contains(text, "value(s) to unpack"):
		return raise(excValue, "%s", text)
	case strings.Contains(text, "unhashable type: "):
		_, kind, _ := strings.Cut(text, "unhashable type: ")
		return raise(excType, "unhashable type: '%s'", pyTypeName(strings.Trim(kind, "'")))
	}
	return raise(excType, "%s", text)
}

func between(s, before, after string) string {
	_, s, _ = strings.Cut(s, before)
	s, _, _ = strings.Cut(s, after)
	return s
}
