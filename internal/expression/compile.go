package expression

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"go.starlark.net/starlark"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/expression/python"
	"github.com/weir-id/weir/internal/lru"
)

// Compiler compiles bodies and keeps the latest ones, so that a body that
// stands in many policies or versions is compiled once. It is safe for
// concurrent use.
type Compiler struct {
	env     Env
	methods methodTables
	types   map[string]*typeObject
	modules map[string]*module
	globals starlark.StringDict
	regexes *lru.Cache[string, *regex]
	bodies  *lru.Cache[[sha256.Size]byte, *unit]
	// addresses and names are what name servers answered of late.
	addresses, names *answers
}

// unit is a compiled body without its name.
type unit struct {
	body    starlark.Callable
	imports []python.Import
}

// Program is a compiled body. Many goroutines may run it at once.
type Program struct {
	c    *Compiler
	name string
	unit *unit
}

// NewCompiler returns a compiler for one installation.
func NewCompiler(env Env) *Compiler {
	env.Limits = env.Limits.withDefaults()
	size := env.CacheSize
	if size <= 0 {
		size = 1024
	}
	c := &Compiler{
		env: env, methods: newMethodTables(), types: newTypes(),
		regexes: lru.New[string, *regex](256), bodies: lru.New[[sha256.Size]byte, *unit](size),
		addresses: lru.New[string, answer](namesKept), names: lru.New[string, answer](namesKept),
	}
	c.modules = c.newModules()
	c.globals = starlark.StringDict{}
	addOps(c.globals)
	addBuiltins(c.globals)
	c.addHelpers(c.globals)
	for name, t := range c.types {
		c.globals[name] = t
	}
	c.globals["type"] = builtin("type", c.fnType)
	c.globals.Freeze()
	return c
}

// Compile compiles one body with a compiler of its own; see Compiler.Compile.
func Compile(name, body string, env Env) (*Program, error) {
	return NewCompiler(env).Compile(name, body)
}

// Compile compiles a body; name stands in errors and events. A body that
// cannot be accepted gives a *python.Error with line and column.
func (c *Compiler) Compile(name, body string) (*Program, error) {
	key := sha256.Sum256([]byte(body))
	u, ok := c.bodies.Get(key)
	if !ok {
		var err error
		if u, err = c.compile(body); err != nil {
			return nil, err
		}
		c.bodies.Put(key, u)
	}
	return &Program{c: c, name: name, unit: u}, nil
}

// bodyPath stands for the file name inside compiled bodies, which are shared
// between names.
const bodyPath = "expression"

func (c *Compiler) compile(body string) (*unit, error) {
	translated, err := python.Translate(bodyPath, body, python.Options{
		Builtin:  func(name string) bool { _, ok := c.globals[name]; return ok },
		Variable: isVariable,
	})
	if err != nil {
		return nil, err
	}
	// The top level only defines the function, so nothing of the author runs.
	globals, err := translated.Program.Init(&starlark.Thread{Name: bodyPath}, c.globals)
	if err != nil {
		return nil, fmt.Errorf("prepare expression: %w", err)
	}
	globals.Freeze()
	return &unit{body: globals[python.Body].(starlark.Callable), imports: translated.Imports}, nil
}

// Check tells whether a body can be compiled: nil, or why not.
func (c *Compiler) Check(name, body string) error {
	_, err := c.Compile(name, body)
	return err
}

// FieldError puts what is wrong with a body at the field that holds it, with
// line and column.
func FieldError(name string, err error) field.Errors {
	var p *python.Error
	if errors.As(err, &p) {
		return field.Errors{name: {{Code: field.CodeInvalid, Message: "expression.invalid", String: p.Error(), Line: p.Line, Column: p.Column}}}
	}
	return field.Errorf(name, field.CodeInvalid, "The expression cannot be used: %v.", err)
}

// Name is the name that the program was compiled with.
func (p *Program) Name() string { return p.name }

// MissingImports lists the imports of modules that do not exist here. They
// raise ImportError when they run, so a file that holds them still imports.
func (p *Program) MissingImports() []python.Import {
	var out []python.Import
	for _, i := range p.unit.imports {
		if _, err := p.c.importModule(i.Module); err != nil {
			out = append(out, i)
		}
	}
	return out
}
