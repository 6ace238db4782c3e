package expression

import (
	"strings"

	"go.starlark.net/starlark"
)

// method is a method of a built-in type.
type method func(e *evaluation, self starlark.Value, c call) (starlark.Value, error)

// methodTables hold the methods of the built-in types.
type methodTables struct {
	text, bytes, list, tuple, dict, set, number map[string]method
}

func newMethodTables() methodTables {
	t := methodTables{
		text: textMethods(), bytes: bytesMethods(), list: listMethods(), tuple: tupleMethods(),
		dict: dictMethods(), set: setMethods(), number: numberMethods(),
	}
	bare(t.text, "isdigit", "isdecimal", "isnumeric", "isalpha", "isalnum", "isspace", "istitle", "isprintable", "islower", "isupper", "isascii", "isidentifier")
	bare(t.list, "clear", "copy", "reverse")
	bare(t.dict, "keys", "values", "items", "copy", "clear", "popitem")
	bare(t.set, "copy", "clear", "pop")
	bare(t.number, "bit_length", "is_integer")
	return t
}

// bare makes methods refuse arguments.
func bare(methods map[string]method, names ...string) {
	for _, name := range names {
		m := methods[name]
		methods[name] = func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
			if n := len(c.args) + len(c.kw); n > 0 {
				return nil, raise(excType, "%s.%s() takes no arguments (%d given)", kindOf(self), name, n)
			}
			return m(e, self, c)
		}
	}
}

// of returns the methods of v's type; nil when it has none.
func (t *methodTables) of(v starlark.Value) map[string]method {
	switch v.(type) {
	case starlark.String:
		return t.text
	case starlark.Bytes:
		return t.bytes
	case *starlark.List:
		return t.list
	case starlark.Tuple:
		return t.tuple
	case *starlark.Dict:
		return t.dict
	case *starlark.Set:
		return t.set
	case starlark.Int, starlark.Bool, starlark.Float:
		return t.number
	}
	return nil
}

// named returns the methods of a type by its name.
func (t *methodTables) named(name string) map[string]method {
	switch name {
	case "str":
		return t.text
	case "bytes":
		return t.bytes
	case "list":
		return t.list
	case "tuple":
		return t.tuple
	case "dict":
		return t.dict
	case "set":
		return t.set
	case "int", "bool", "float":
		return t.number
	}
	return nil
}

func missingAttr(v starlark.Value, name string) error {
	switch v := v.(type) {
	case *module:
		return raise(excAttribute, "module '%s' has no attribute '%s'", v.name, name)
	case *class:
		return raise(excAttribute, "type object '%s' has no attribute '%s'", v.name, name)
	}
	return raise(excAttribute, "'%s' object has no attribute '%s'", kindOf(v), name)
}

// opAttr is x.name with the name as a value.
func opAttr(e *evaluation, c call) (starlark.Value, error) {
	return e.attribute(c.args[0], string(c.args[1].(starlark.String)))
}

func opSetAttr(e *evaluation, c call) (starlark.Value, error) {
	name := string(c.args[1].(starlark.String))
	if s, ok := c.args[0].(settable); ok && !strings.HasPrefix(name, "__") {
		return starlark.None, s.setAttr(e, name, c.args[2])
	}
	return nil, raise(excAttribute, "'%s' object does not let attribute '%s' be set by expressions", kindOf(c.args[0]), name)
}

func fnSetattr(e *evaluation, c call) (starlark.Value, error) {
	var v, value starlark.Value
	var name string
	if err := c.take("object", &v, "name", &name, "value", &value); err != nil {
		return nil, err
	}
	return opSetAttr(e, call{c.name, starlark.Tuple{v, starlark.String(name), value}, nil})
}

func fnHasattr(e *evaluation, c call) (starlark.Value, error) {
	var v starlark.Value
	var name string
	if err := c.take("object", &v, "name", &name); err != nil {
		return nil, err
	}
	got, err := e.attr(v, name)
	if err != nil && (e.stopped() != nil || !asException(err).class.inherits(excAttribute)) {
		return nil, err
	}
	return starlark.Bool(got != nil && err == nil), nil
}

func fnGetattr(e *evaluation, c call) (starlark.Value, error) {
	var v, fallback starlark.Value
	var name string
	if err := c.take("object", &v, "name", &name, "default?", &fallback); err != nil {
		return nil, err
	}
	got, err := e.attr(v, name)
	if err != nil && (e.stopped() != nil || !asException(err).class.inherits(excAttribute)) {
		return nil, err
	}
	switch {
	case got != nil && err == nil:
		return got, nil
	case fallback != nil:
		return fallback, nil
	case err != nil:
		return nil, err
	}
	return nil, missingAttr(v, name)
}
