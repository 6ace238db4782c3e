package python

import (
	"fmt"

	"go.starlark.net/syntax"
)

func (e *emitter) not(p Pos, x syntax.Expr) syntax.Expr { return e.unary(p, syntax.NOT, x) }

func (e *emitter) logic(p Pos, op syntax.Token, x, y syntax.Expr) syntax.Expr {
	return e.binary(p, x, op, y)
}

func (e *emitter) expr(x expr) syntax.Expr {
	p := x.pos()
	switch x := x.(type) {
	case *nameExpr:
		return e.load(p, x.id)
	case *constExpr:
		if x.id == "Ellipsis" {
			return e.ident(p, Ellipsis)
		}
		return e.ident(p, x.id)
	case *numExpr:
		token := syntax.INT
		if _, ok := x.val.(float64); ok {
			token = syntax.FLOAT
		}
		return &syntax.Literal{Token: token, TokenPos: e.at(p), Raw: fmt.Sprint(x.val), Value: x.val}
	case *strExpr:
		return e.str(p, x.val)
	case *bytesExpr:
		return &syntax.Literal{Token: syntax.BYTES, TokenPos: e.at(p), Raw: "b", Value: x.val}
	case *fstringExpr:
		return e.fstring(x)
	case *formattedExpr:
		spec := e.str(p, "")
		if x.spec != nil {
			spec = e.expr(x.spec)
		}
		return e.op(p, OpFormat, e.expr(x.x), e.str(p, x.conv), spec)
	case *displayExpr:
		return e.display(x)
	case *dictExpr:
		return e.dict(x)
	case *compExpr:
		return e.comprehension(x)
	case *unaryExpr:
		if x.op == "not" {
			return e.not(p, e.expr(x.x))
		}
		return e.op(p, UnaryOps[x.op], e.expr(x.x))
	case *binaryExpr:
		return e.op(p, "$"+x.op, e.expr(x.x), e.expr(x.y))
	case *boolExpr:
		token := syntax.AND
		if x.op == "or" {
			token = syntax.OR
		}
		return e.logic(p, token, e.expr(x.x), e.expr(x.y))
	case *compareExpr:
		return e.compare(p, e.expr(x.x), x.ops, x.ys)
	case *condExpr:
		return &syntax.CondExpr{If: e.at(p), Cond: e.expr(x.cond), True: e.expr(x.yes), ElsePos: e.at(p), False: e.expr(x.no)}
	case *lambdaExpr:
		return e.lambda(x)
	case *callExpr:
		return e.call(x)
	case *attrExpr:
		return e.binary(p, e.expr(x.x), AttrToken, e.machine(p, x.name))
	case *moduleExpr:
		return e.op(p, OpImport, e.str(p, x.path))
	case *typeNameExpr:
		return e.op(p, OpTypeName, e.expr(x.x))
	case *indexExpr:
		if sl, ok := x.i.(*sliceExpr); ok {
			lo, hi, step := e.bounds(sl)
			return e.op(p, OpSlice, e.expr(x.x), lo, hi, step)
		}
		return e.op(p, OpIndex, e.expr(x.x), e.expr(x.i))
	}
	fail(p, "", "invalid syntax")
	return nil
}

func (e *emitter) bounds(s *sliceExpr) (lo, hi, step syntax.Expr) {
	one := func(x expr) syntax.Expr {
		if x == nil {
			return e.none(s.Pos)
		}
		return e.expr(x)
	}
	return one(s.lo), one(s.hi), one(s.step)
}

func (e *emitter) fstring(x *fstringExpr) syntax.Expr {
	var parts []syntax.Expr
	for _, part := range x.parts {
		parts = append(parts, e.expr(part))
	}
	return e.op(x.Pos, OpJoin, parts...)
}

// compare writes a chain x < y < z so that y is evaluated once and z only if
// needed: the machine keeps the right operand of the latest comparison.
func (e *emitter) compare(p Pos, x syntax.Expr, ops []string, ys []expr) syntax.Expr {
	first := e.op(p, "$"+ops[0], x, e.expr(ys[0]))
	if len(ops) == 1 {
		return first
	}
	return e.logic(p, syntax.AND, first, e.compare(p, e.op(p, OpKept), ops[1:], ys[1:]))
}

func (e *emitter) display(x *displayExpr) syntax.Expr {
	var list []syntax.Expr
	starred := false
	for _, el := range x.elems {
		_, is := el.(*starExpr)
		starred = starred || is
	}
	if starred {
		for _, el := range x.elems {
			flag := "False"
			if s, ok := el.(*starExpr); ok {
				flag, el = "True", s.x
			}
			item := e.expr(el)
			if flag == "True" {
				item = e.op(el.pos(), OpSpread, item)
			}
			list = append(list, e.tuple(x.Pos, e.ident(x.Pos, flag), item))
		}
		return e.wrapDisplay(x, e.op(x.Pos, OpSplat, list...))
	}
	for _, el := range x.elems {
		list = append(list, e.expr(el))
	}
	if x.kind == '(' {
		if len(list) == 0 {
			return e.tuple(x.Pos)
		}
		return e.op(x.Pos, OpTuple, e.tuple(x.Pos, list...))
	}
	return e.wrapDisplay(x, &syntax.ListExpr{Lbrack: e.at(x.Pos), List: list, Rbrack: e.at(x.Pos)})
}

// wrapDisplay makes the kind of display that x is from a list.
func (e *emitter) wrapDisplay(x *displayExpr, list syntax.Expr) syntax.Expr {
	switch x.kind {
	case '(':
		return e.op(x.Pos, OpTuple, list)
	case '{':
		return e.op(x.Pos, OpSetOf, list)
	}
	return e.op(x.Pos, OpList, list)
}

func (e *emitter) dict(x *dictExpr) syntax.Expr {
	var parts, pairs []syntax.Expr
	for i, key := range x.keys {
		if key == nil {
			parts = append(parts, e.op(x.Pos, OpDict, pairs...), e.op(x.Pos, OpMapping, e.expr(x.vals[i])))
			pairs = nil
			continue
		}
		pairs = append(pairs, e.expr(key), e.expr(x.vals[i]))
	}
	last := e.op(x.Pos, OpDict, pairs...)
	if len(parts) == 0 {
		return last
	}
	return e.op(x.Pos, OpDictMerge, append(parts, last)...)
}

func (e *emitter) comprehension(x *compExpr) syntax.Expr {
	out := &syntax.Comprehension{Curly: x.kind == ':', Lbrack: e.at(x.Pos), Rbrack: e.at(x.Pos)}
	outer := e.scope
	// The first iterable belongs to the scope around the comprehension.
	first := e.op(x.Pos, OpIter, e.expr(x.clauses[0].x))
	s := newScope(outer)
	s.comp = true
	e.scope = s
	for i, c := range x.clauses {
		in := first
		if i > 0 {
			in = e.op(c.Pos, OpIter, e.expr(c.x))
		}
		s.target(c.target, false)
		out.Clauses = append(out.Clauses, &syntax.ForClause{For: e.at(c.Pos), Vars: e.compTarget(c.target), In: e.at(c.Pos), X: in})
		for _, cond := range c.conds {
			out.Clauses = append(out.Clauses, &syntax.IfClause{If: e.at(c.Pos), Cond: e.expr(cond)})
		}
	}
	val := e.op(x.Pos, OpElem, e.expr(x.val))
	out.Body = val
	if x.kind == ':' {
		out.Body = &syntax.DictEntry{Key: e.expr(x.key), Colon: e.at(x.Pos), Value: val}
	}
	e.scope = outer
	switch x.kind {
	case '(':
		return e.op(x.Pos, OpGen, out)
	case '{':
		return e.op(x.Pos, OpSetOf, out)
	}
	return out
}

func (e *emitter) compTarget(x expr) syntax.Expr {
	if d, ok := x.(*displayExpr); ok {
		var names []syntax.Expr
		for _, el := range d.elems {
			names = append(names, e.compTarget(el))
		}
		return e.tuple(d.Pos, names...)
	}
	n := x.(*nameExpr)
	return e.ident(n.Pos, n.id)
}

// lambda writes `lambda params: OpEnter() or body`; OpEnter returns None.
func (e *emitter) lambda(x *lambdaExpr) syntax.Expr {
	params := e.params(x.params)
	outer := e.scope
	s := newScope(outer)
	for _, q := range x.params {
		if q.name != "" {
			s.bind(q.name, false)
			s.params[q.name] = true
		}
	}
	e.scope = s
	body := e.logic(x.Pos, syntax.OR, e.op(x.Pos, OpEnter), e.expr(x.body))
	e.scope = outer
	return &syntax.LambdaExpr{Lambda: e.at(x.Pos), Params: params, Body: body}
}

// call writes a call. With nothing but positional arguments it goes to the
// machine, which needs no frame for what the runtime provides.
func (e *emitter) call(x *callExpr) syntax.Expr {
	plain, harmless := true, true
	for _, a := range x.args {
		plain = plain && a.stars == 0 && a.name == ""
		harmless = harmless && e.harmless(a.x)
	}
	if !plain {
		return e.callWith(x)
	}
	args := make([]syntax.Expr, len(x.args))
	if attr, ok := x.fn.(*attrExpr); ok && harmless {
		self := e.expr(attr.x)
		for i, a := range x.args {
			args[i] = e.expr(a.x)
		}
		return e.binary(x.Pos, self, MethodToken, e.give(x.Pos, e.machine(attr.Pos, attr.name), args))
	}
	fn := e.expr(x.fn)
	for i, a := range x.args {
		if c, ok := a.x.(*compExpr); ok && c.kind == '(' && len(args) == 1 && e.takesAll(x.fn) {
			list := *c
			list.kind = '['
			a.x = &list
		}
		args[i] = e.expr(a.x)
	}
	return e.binary(x.Pos, fn, CallToken, e.give(x.Pos, e.ident(x.Pos, Machine), args))
}

// harmless tells that evaluating x changes nothing and cannot fail, so that it
// may come before the look for the method that it is given to.
func (e *emitter) harmless(x expr) bool {
	switch x := x.(type) {
	case *strExpr, *numExpr, *constExpr:
		return true
	case *nameExpr:
		for s := e.scope; s != nil; s = s.parent {
			if boxed, ok := s.vars[x.id]; ok {
				return !boxed && (s.comp || s.params[x.id])
			}
		}
	}
	return false
}

// takesAll tells that fn is a function of the language to which a list is the
// same as the generator of its items.
func (e *emitter) takesAll(fn expr) bool {
	name, ok := fn.(*nameExpr)
	if !ok {
		return false
	}
	switch name.id {
	case "all", "any", "list", "max", "min", "set", "sorted", "sum", "tuple":
		return e.opts.Builtin(name.id) && e.scope.owner(name.id) == nil
	}
	return false
}

// callWith orders arguments as Starlark wants them: positional, named, *, **.
func (e *emitter) callWith(x *callExpr) syntax.Expr {
	out := &syntax.CallExpr{Fn: e.expr(x.fn), Lparen: e.at(x.Pos), Rparen: e.at(x.Pos)}
	var named, spread, kwargs []syntax.Expr
	for _, a := range x.args {
		v := e.expr(a.x)
		switch {
		case a.stars == 2:
			kwargs = append(kwargs, v)
		case a.stars == 1:
			spread = append(spread, e.tuple(a.Pos, e.ident(a.Pos, "True"), e.op(a.Pos, OpSpread, v)))
		case a.name != "":
			named = append(named, &syntax.BinaryExpr{X: e.ident(a.Pos, a.name), OpPos: e.at(a.Pos), Op: syntax.EQ, Y: v})
		case len(spread) > 0:
			spread = append(spread, e.tuple(a.Pos, e.ident(a.Pos, "False"), v))
		default:
			out.Args = append(out.Args, v)
		}
	}
	out.Args = append(out.Args, named...)
	if len(spread) > 0 {
		out.Args = append(out.Args, &syntax.UnaryExpr{OpPos: e.at(x.Pos), Op: syntax.STAR, X: e.op(x.Pos, OpSplat, spread...)})
	}
	if len(kwargs) > 0 {
		out.Args = append(out.Args, &syntax.UnaryExpr{OpPos: e.at(x.Pos), Op: syntax.STARSTAR, X: e.op(x.Pos, OpKwargs, kwargs...)})
	}
	return out
}
