package python

import (
	"slices"
	"strconv"

	"go.starlark.net/syntax"
)

// emitter turns nodes into a Starlark syntax tree.
type emitter struct {
	path    string
	opts    Options
	scope   *scope
	fn      *function
	temps   int
	imports []Import
}

// function is the Starlark function being written. A try part is one, too,
// though for the author it belongs to the function around it.
type function struct {
	parent *function
	// part marks the function of a try part.
	part  bool
	loops []loop
	// left records by which statements a try part is left early.
	left map[string]bool
}

// loop is a loop being written; broken names the flag that break sets for the
// loop's else block.
type loop struct{ broken string }

func (e *emitter) at(p Pos) syntax.Position {
	return syntax.MakePosition(&e.path, int32(p.Line), int32(p.Col))
}

func (e *emitter) ident(p Pos, name string) *syntax.Ident {
	return &syntax.Ident{NamePos: e.at(p), Name: name}
}

func (e *emitter) str(p Pos, s string) syntax.Expr {
	return &syntax.Literal{Token: syntax.STRING, TokenPos: e.at(p), Raw: strconv.Quote(s), Value: s}
}

func (e *emitter) int(p Pos, n int) syntax.Expr {
	return &syntax.Literal{Token: syntax.INT, TokenPos: e.at(p), Raw: strconv.Itoa(n), Value: int64(n)}
}

// machine names something of the machine.
func (e *emitter) machine(p Pos, name string) syntax.Expr {
	return &syntax.DotExpr{X: e.ident(p, Machine), Dot: e.at(p), NamePos: e.at(p), Name: &syntax.Ident{NamePos: e.at(p), Name: name}}
}

func (e *emitter) binary(p Pos, x syntax.Expr, op syntax.Token, y syntax.Expr) syntax.Expr {
	return &syntax.BinaryExpr{X: x, OpPos: e.at(p), Op: op, Y: y}
}

func (e *emitter) unary(p Pos, op syntax.Token, x syntax.Expr) syntax.Expr {
	return &syntax.UnaryExpr{OpPos: e.at(p), Op: op, X: x}
}

// give hands arguments to the machine m.
func (e *emitter) give(p Pos, m syntax.Expr, args []syntax.Expr) syntax.Expr {
	for _, x := range slices.Backward(args) {
		m = e.binary(p, x, GiveToken, m)
	}
	return m
}

// op is an operation of the runtime.
func (e *emitter) op(p Pos, name string, args ...syntax.Expr) syntax.Expr {
	m := e.machine(p, code(name))
	if len(args) == 0 {
		return e.unary(p, BareToken, m)
	}
	return e.binary(p, args[0], OpToken, e.give(p, m, args[1:]))
}

func (e *emitter) none(p Pos) syntax.Expr { return e.ident(p, "None") }

func (e *emitter) tuple(p Pos, list ...syntax.Expr) syntax.Expr {
	return &syntax.TupleExpr{Lparen: e.at(p), List: list, Rparen: e.at(p)}
}

func (e *emitter) do(x syntax.Expr) syntax.Stmt { return &syntax.ExprStmt{X: x} }

func (e *emitter) let(p Pos, name string, x syntax.Expr) syntax.Stmt {
	return &syntax.AssignStmt{OpPos: e.at(p), Op: syntax.EQ, LHS: e.ident(p, name), RHS: x}
}

// temp returns a new name that no author can write.
func (e *emitter) temp() string {
	e.temps++
	return "$t" + strconv.Itoa(e.temps)
}

// load reads a variable.
func (e *emitter) load(p Pos, name string) syntax.Expr {
	if name[0] == '$' {
		return e.ident(p, name)
	}
	for s := e.scope; s != nil; s = s.parent {
		if boxed, ok := s.vars[name]; ok {
			if boxed {
				return e.op(p, OpGet, e.ident(p, name))
			}
			return e.ident(p, name)
		}
	}
	if e.opts.Builtin(name) {
		return e.ident(p, name)
	}
	return e.variable(p, name)
}

// variable reads a variable of the evaluation.
func (e *emitter) variable(p Pos, name string) syntax.Expr {
	return e.unary(p, NameToken, e.machine(p, name))
}

// boxed tells whether an assignment to name goes through a box.
func (e *emitter) boxed(name string) bool {
	owner := e.scope.owner(name)
	return owner != nil && owner.vars[name]
}

// store assigns x to a variable.
func (e *emitter) store(p Pos, name string, x syntax.Expr) syntax.Stmt {
	if e.boxed(name) {
		return e.do(e.op(p, OpSet, e.ident(p, name), x))
	}
	return e.let(p, name, x)
}

// bodyDef makes the function Body. Names that are variables of the evaluation
// and are assigned in the body start with the given value, like parameters.
func (e *emitter) bodyDef(body []stmt) syntax.Stmt {
	p := body[0].pos()
	e.fn = &function{}
	out := e.boxes(p, nil)
	if e.opts.Variable != nil {
		for _, name := range e.scope.order {
			if e.opts.Variable(name) {
				out = append(out, &syntax.IfStmt{If: e.at(p), Cond: e.op(p, OpHas, e.str(p, name)),
					True: []syntax.Stmt{e.store(p, name, e.variable(p, name))}})
			}
		}
	}
	out = append(out, e.stmts(body)...)
	return e.def(p, Body, []syntax.Expr{e.ident(p, Machine)}, out)
}

func (e *emitter) def(p Pos, name string, params []syntax.Expr, body []syntax.Stmt) *syntax.DefStmt {
	if len(body) == 0 {
		body = []syntax.Stmt{e.branch(p, syntax.PASS)}
	}
	return &syntax.DefStmt{Def: e.at(p), Name: e.ident(p, name), Lparen: e.at(p), Params: params, Rparen: e.at(p), Body: body}
}

func (e *emitter) branch(p Pos, word syntax.Token) syntax.Stmt {
	return &syntax.BranchStmt{Token: word, TokenPos: e.at(p)}
}

// boxes makes the boxes of the current scope.
func (e *emitter) boxes(p Pos, params []param) []syntax.Stmt {
	given := map[string]bool{}
	for _, q := range params {
		given[q.name] = true
	}
	var out []syntax.Stmt
	for _, name := range e.scope.order {
		if !e.scope.vars[name] {
			continue
		}
		args := []syntax.Expr{e.str(p, name)}
		if given[name] {
			args = append(args, e.ident(p, name))
		}
		out = append(out, e.let(p, name, e.op(p, OpCell, args...)))
	}
	return out
}

// params writes parameters; defaults belong to the scope around.
func (e *emitter) params(list []param) []syntax.Expr {
	var out []syntax.Expr
	for _, q := range list {
		switch {
		case q.stars == 2:
			out = append(out, &syntax.UnaryExpr{OpPos: e.at(q.Pos), Op: syntax.STARSTAR, X: e.ident(q.Pos, q.name)})
		case q.stars == 1 && q.name == "":
			out = append(out, &syntax.UnaryExpr{OpPos: e.at(q.Pos), Op: syntax.STAR})
		case q.stars == 1:
			out = append(out, &syntax.UnaryExpr{OpPos: e.at(q.Pos), Op: syntax.STAR, X: e.ident(q.Pos, q.name)})
		case q.def != nil:
			out = append(out, &syntax.BinaryExpr{X: e.ident(q.Pos, q.name), OpPos: e.at(q.Pos), Op: syntax.EQ, Y: e.expr(q.def)})
		default:
			out = append(out, e.ident(q.Pos, q.name))
		}
	}
	return out
}

// function writes a def of the author.
func (e *emitter) function(d *defStmt) []syntax.Stmt {
	params := e.params(d.params)
	outer, fn := e.scope, e.fn
	e.scope, e.fn = outer.function().inner[d], &function{parent: fn}
	body := append([]syntax.Stmt{e.do(e.op(d.Pos, OpEnter))}, e.boxes(d.Pos, d.params)...)
	body = append(body, e.stmts(d.body)...)
	e.scope, e.fn = outer, fn
	if !e.boxed(d.name) {
		return []syntax.Stmt{e.def(d.Pos, d.name, params, body)}
	}
	name := e.temp() + " " + d.name
	return []syntax.Stmt{e.def(d.Pos, name, params, body), e.store(d.Pos, d.name, e.ident(d.Pos, name))}
}

// function returns the innermost function scope.
func (s *scope) function() *scope {
	for s.comp || s.inner == nil {
		s = s.parent
	}
	return s
}
