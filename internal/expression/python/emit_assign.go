package python

import "go.starlark.net/syntax"

func (e *emitter) assignment(s *assignStmt) []syntax.Stmt {
	x := e.expr(s.x)
	if len(s.targets) == 1 {
		return e.assign(s.targets[0], x)
	}
	value := e.temp()
	out := []syntax.Stmt{e.let(s.Pos, value, x)}
	for _, t := range s.targets {
		out = append(out, e.assign(t, e.ident(t.pos(), value))...)
	}
	return out
}

// assign stores x, which is evaluated once, in a target.
func (e *emitter) assign(target expr, x syntax.Expr) []syntax.Stmt {
	p := target.pos()
	switch t := target.(type) {
	case *nameExpr:
		return []syntax.Stmt{e.store(p, t.id, x)}
	case *attrExpr:
		value := e.temp()
		return []syntax.Stmt{e.let(p, value, x), e.do(e.op(p, OpSetAttr, e.expr(t.x), e.str(p, t.name), e.ident(p, value)))}
	case *indexExpr:
		// The value comes first, as in Python.
		value := e.temp()
		out := []syntax.Stmt{e.let(p, value, x)}
		if sl, ok := t.i.(*sliceExpr); ok {
			lo, hi, step := e.bounds(sl)
			return append(out, e.do(e.op(p, OpSetSlice, e.expr(t.x), lo, hi, step, e.ident(p, value))))
		}
		return append(out, e.do(e.op(p, OpSetIndex, e.expr(t.x), e.expr(t.i), e.ident(p, value))))
	case *displayExpr:
		return e.unpack(t, x)
	}
	fail(p, "", "cannot assign to this expression")
	return nil
}

// unpack assigns the items of x to several targets.
func (e *emitter) unpack(t *displayExpr, x syntax.Expr) []syntax.Stmt {
	p := t.Pos
	star := -1
	elems := make([]expr, len(t.elems))
	copy(elems, t.elems)
	for i, el := range elems {
		if s, ok := el.(*starExpr); ok {
			star, elems[i] = i, s.x
		}
	}
	call := e.op(p, OpUnpack, x, e.int(p, len(elems)))
	if star >= 0 {
		call = e.op(p, OpUnpackStar, x, e.int(p, star), e.int(p, len(elems)-star-1))
	}
	if len(elems) == 0 {
		return []syntax.Stmt{e.do(call)}
	}
	var names []syntax.Expr
	var after []syntax.Stmt
	for _, el := range elems {
		if n, ok := el.(*nameExpr); ok && !e.boxed(n.id) {
			names = append(names, e.ident(n.Pos, n.id))
			continue
		}
		item := e.temp()
		names = append(names, e.ident(p, item))
		after = append(after, e.assign(el, e.ident(el.pos(), item))...)
	}
	return append([]syntax.Stmt{&syntax.AssignStmt{OpPos: e.at(p), Op: syntax.EQ, LHS: e.tuple(p, names...), RHS: call}}, after...)
}

// augmented writes `target op= x`, evaluating the parts of the target once.
func (e *emitter) augmented(s *augStmt) []syntax.Stmt {
	op := "$" + s.op + "="
	p := s.Pos
	switch t := s.target.(type) {
	case *nameExpr:
		return []syntax.Stmt{e.store(p, t.id, e.op(p, op, e.load(t.Pos, t.id), e.expr(s.x)))}
	case *attrExpr:
		obj := e.temp()
		get := e.binary(p, e.ident(p, obj), AttrToken, e.machine(p, t.name))
		return []syntax.Stmt{
			e.let(p, obj, e.expr(t.x)),
			e.do(e.op(p, OpSetAttr, e.ident(p, obj), e.str(p, t.name), e.op(p, op, get, e.expr(s.x)))),
		}
	case *indexExpr:
		if _, ok := t.i.(*sliceExpr); ok {
			fail(p, "write the assignment out", "augmented assignment to a slice is not available")
		}
		obj, key := e.temp(), e.temp()
		get := e.op(p, OpIndex, e.ident(p, obj), e.ident(p, key))
		return []syntax.Stmt{
			e.let(p, obj, e.expr(t.x)), e.let(p, key, e.expr(t.i)),
			e.do(e.op(p, OpSetIndex, e.ident(p, obj), e.ident(p, key), e.op(p, op, get, e.expr(s.x)))),
		}
	}
	fail(p, "", "illegal target for augmented assignment")
	return nil
}
