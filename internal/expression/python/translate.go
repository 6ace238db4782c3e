package python

import (
	"errors"
	"fmt"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// Options tell the front end which names exist outside the body.
type Options struct {
	// Builtin tells whether a name is predeclared by the runtime. All other
	// free names are looked up when they are read.
	Builtin func(name string) bool
	// Variable tells whether a name may be a variable of the evaluation. A body
	// that assigns to such a name still finds the given value there at first,
	// as with a parameter. Nil means no name.
	Variable func(name string) bool
}

// Import is one import of a body, so that a caller can check modules early.
type Import struct {
	Line           int
	Module, Member string
}

// Unit is a translated body.
type Unit struct {
	// Program defines the function called Body, which takes no arguments.
	Program *starlark.Program
	Imports []Import
}

// Translate reads the body called name. Its error is an *Error.
func Translate(name, src string, opts Options) (unit *Unit, err error) {
	defer catch(&err)
	body := parse(src)
	e := &emitter{path: name, opts: opts}
	e.scope = analyse(nil, nil, body)
	file := &syntax.File{
		Path:    name,
		Stmts:   []syntax.Stmt{e.bodyDef(body)},
		Options: &syntax.FileOptions{Set: true, While: true, Recursion: true, TopLevelControl: true, GlobalReassign: true},
	}
	known := make(map[string]bool)
	for _, name := range Constants() {
		known[name] = true
	}
	program, err := starlark.FileProgram(file, func(n string) bool { return known[n] || opts.Builtin(n) })
	if err != nil {
		return nil, translateError(err)
	}
	return &Unit{Program: program, Imports: e.imports}, nil
}

// translateError keeps the place that the resolver found.
func translateError(err error) error {
	var list resolve.ErrorList
	if errors.As(err, &list) && len(list) > 0 {
		return &Error{Line: int(list[0].Pos.Line), Column: int(list[0].Pos.Col), Message: list[0].Msg}
	}
	return &Error{Line: 1, Column: 1, Message: fmt.Sprint(err)}
}
