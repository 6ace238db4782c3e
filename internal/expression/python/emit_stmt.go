package python

import (
	"cmp"

	"go.starlark.net/syntax"
)

func (e *emitter) stmts(list []stmt) []syntax.Stmt {
	var out []syntax.Stmt
	for _, s := range list {
		out = append(out, e.stmt(s)...)
	}
	return out
}

// block is stmts, but never empty.
func (e *emitter) block(p Pos, list []stmt) []syntax.Stmt {
	out := e.stmts(list)
	if len(out) == 0 {
		out = append(out, e.branch(p, syntax.PASS))
	}
	return out
}

func (e *emitter) stmt(s stmt) []syntax.Stmt {
	switch s := s.(type) {
	case *exprStmt:
		return []syntax.Stmt{e.do(e.expr(s.x))}
	case *assignStmt:
		return e.assignment(s)
	case *augStmt:
		return e.augmented(s)
	case *returnStmt:
		x := e.none(s.Pos)
		if s.x != nil {
			x = e.expr(s.x)
		}
		return []syntax.Stmt{e.leave(s.Pos, x)}
	case *ifStmt:
		out := &syntax.IfStmt{If: e.at(s.Pos), Cond: e.expr(s.cond), True: e.block(s.Pos, s.yes), ElsePos: e.at(s.Pos)}
		if len(s.not) > 0 {
			out.False = e.block(s.Pos, s.not)
		}
		return []syntax.Stmt{out}
	case *forStmt:
		return e.forLoop(s)
	case *whileStmt:
		return e.loop(s.Pos, s.orElse, func() syntax.Stmt {
			return &syntax.WhileStmt{While: e.at(s.Pos), Cond: e.expr(s.cond), Body: e.block(s.Pos, s.body)}
		})
	case *branchStmt:
		if s.word == "pass" {
			return nil
		}
		return e.jump(s.Pos, s.word)
	case *defStmt:
		return e.function(s)
	case *tryStmt:
		return e.try(s)
	case *raiseStmt:
		if s.x == nil {
			return []syntax.Stmt{e.do(e.op(s.Pos, OpRaise))}
		}
		x, cause := e.expr(s.x), e.none(s.Pos)
		if s.from != nil {
			cause = e.expr(s.from)
		}
		return []syntax.Stmt{e.do(e.op(s.Pos, OpRaise, x, cause))}
	case *assertStmt:
		msg := []syntax.Expr{}
		if s.msg != nil {
			msg = append(msg, e.expr(s.msg))
		}
		return []syntax.Stmt{&syntax.IfStmt{If: e.at(s.Pos), Cond: e.not(s.Pos, e.expr(s.cond)),
			True: []syntax.Stmt{e.do(e.op(s.Pos, OpAssert, msg...))}}}
	case *importStmt:
		e.imports = append(e.imports, Import{Line: s.Line, Module: cmp.Or(s.path, s.module), Member: s.attr})
		args := []syntax.Expr{e.str(s.Pos, s.module)}
		if s.attr != "" {
			args = append(args, e.str(s.Pos, s.attr))
		}
		return []syntax.Stmt{e.store(s.Pos, s.name, e.op(s.Pos, OpImport, args...))}
	case *delStmt:
		x := s.target.(*indexExpr)
		if sl, ok := x.i.(*sliceExpr); ok {
			lo, hi, step := e.bounds(sl)
			return []syntax.Stmt{e.do(e.op(s.Pos, OpDelSlice, e.expr(x.x), lo, hi, step))}
		}
		return []syntax.Stmt{e.do(e.op(s.Pos, OpDelIndex, e.expr(x.x), e.expr(x.i)))}
	}
	return nil // scopeStmt: analyse has seen it
}

// leave returns from the author's function, through a signal in a try part.
func (e *emitter) leave(p Pos, x syntax.Expr) syntax.Stmt {
	if e.fn.part {
		e.fn.left["return"] = true
		x = e.op(p, OpReturn, x)
	}
	return &syntax.ReturnStmt{Return: e.at(p), Result: x}
}

// jump writes break or continue, through a signal where the loop is outside
// the try part.
func (e *emitter) jump(p Pos, word string) []syntax.Stmt {
	if n := len(e.fn.loops); n > 0 {
		if word == "continue" {
			return []syntax.Stmt{e.branch(p, syntax.CONTINUE)}
		}
		out := []syntax.Stmt{}
		if flag := e.fn.loops[n-1].broken; flag != "" {
			out = append(out, e.let(p, flag, e.ident(p, "True")))
		}
		return append(out, e.branch(p, syntax.BREAK))
	}
	inLoop := false
	for f := e.fn; f != nil && f.part; f = f.parent {
		inLoop = inLoop || len(f.parent.loops) > 0
	}
	if !inLoop {
		fail(p, "", "'%s' outside loop", word)
	}
	e.fn.left[word] = true
	signal := SigBreak
	if word == "continue" {
		signal = SigContinue
	}
	return []syntax.Stmt{&syntax.ReturnStmt{Return: e.at(p), Result: e.ident(p, signal)}}
}

// loop writes a loop with its else block.
func (e *emitter) loop(p Pos, orElse []stmt, write func() syntax.Stmt) []syntax.Stmt {
	l := loop{}
	if len(orElse) > 0 {
		l.broken = e.temp()
	}
	e.fn.loops = append(e.fn.loops, l)
	body := write()
	e.fn.loops = e.fn.loops[:len(e.fn.loops)-1]
	if len(orElse) == 0 {
		return []syntax.Stmt{body}
	}
	return []syntax.Stmt{
		e.let(p, l.broken, e.ident(p, "False")),
		body,
		&syntax.IfStmt{If: e.at(p), Cond: e.not(p, e.ident(p, l.broken)), True: e.block(p, orElse)},
	}
}

func (e *emitter) forLoop(s *forStmt) []syntax.Stmt {
	x := e.op(s.Pos, OpIter, e.expr(s.x))
	return e.loop(s.Pos, s.orElse, func() syntax.Stmt {
		name, simple := s.target.(*nameExpr)
		if simple && !e.boxed(name.id) {
			return &syntax.ForStmt{For: e.at(s.Pos), Vars: e.ident(name.Pos, name.id), X: x, Body: e.block(s.Pos, s.body)}
		}
		item := e.temp()
		body := e.assign(s.target, e.ident(s.target.pos(), item))
		return &syntax.ForStmt{For: e.at(s.Pos), Vars: e.ident(s.Pos, item), X: x, Body: append(body, e.stmts(s.body)...)}
	})
}

// try writes the parts of a try statement as functions and, after the call of
// OpTry, what the parts ask for when they were left early.
func (e *emitter) try(s *tryStmt) []syntax.Stmt {
	var out []syntax.Stmt
	left := map[string]bool{}
	part := func(p Pos, body []stmt, param string, before ...syntax.Stmt) syntax.Expr {
		fn := e.fn
		e.fn = &function{parent: fn, part: true, left: left}
		params := []syntax.Expr{e.ident(p, Machine)}
		if param != "" {
			params = append(params, e.ident(p, param))
		}
		name := e.temp()
		out = append(out, e.def(p, name, params, append(before, e.stmts(body)...)))
		e.fn = fn
		return e.ident(p, name)
	}
	optional := func(body []stmt) syntax.Expr {
		if len(body) == 0 {
			return e.none(s.Pos)
		}
		return part(body[0].pos(), body, "")
	}
	args := []syntax.Expr{part(s.Pos, s.body, ""), nil, nil}
	for _, h := range s.handlers {
		class := e.none(h.Pos)
		switch x := h.class.(type) {
		case nil:
		case *nameExpr:
			class = e.load(x.Pos, x.id)
			if _, plain := class.(*syntax.Ident); plain && e.opts.Builtin(x.id) && e.scope.owner(x.id) == nil {
				break // reading it early cannot fail
			}
			class = e.later(h.Pos, class)
		default:
			class = e.later(h.Pos, e.expr(x))
		}
		exc := e.temp()
		var before []syntax.Stmt
		if h.name != "" {
			before = append(before, e.store(h.Pos, h.name, e.ident(h.Pos, exc)))
		}
		args = append(args, class, part(h.Pos, h.body, exc, before...))
	}
	args[1], args[2] = optional(s.orElse), optional(s.finally)
	call := e.op(s.Pos, OpTry, args...)
	if len(left) == 0 {
		return append(out, e.do(call))
	}
	result := e.temp()
	out = append(out, e.let(s.Pos, result, call))
	r := func() syntax.Expr { return e.ident(s.Pos, result) }
	when := func(cond syntax.Expr, then ...syntax.Stmt) {
		out = append(out, &syntax.IfStmt{If: e.at(s.Pos), Cond: cond, True: then})
	}
	if left["return"] {
		when(e.op(s.Pos, OpIsReturn, r()), e.leave(s.Pos, e.op(s.Pos, OpReturned, r())))
	}
	if left["break"] {
		when(e.op(s.Pos, OpIsSignal, r(), e.ident(s.Pos, SigBreak)), e.jump(s.Pos, "break")...)
	}
	if left["continue"] {
		when(e.op(s.Pos, OpIsSignal, r(), e.ident(s.Pos, SigContinue)), e.jump(s.Pos, "continue")...)
	}
	return out
}

// later makes a function of x, to be evaluated when it is needed.
func (e *emitter) later(p Pos, x syntax.Expr) syntax.Expr {
	return &syntax.LambdaExpr{Lambda: e.at(p), Params: []syntax.Expr{e.ident(p, Machine)}, Body: x}
}
