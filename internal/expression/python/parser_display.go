package python

// paren reads what follows an opening parenthesis: a tuple, a generator, or
// an expression in parentheses.
func (p *parser) paren(t token) expr {
	if p.op(")") {
		return &displayExpr{Pos: t.Pos, kind: '('}
	}
	x := p.testOrStar()
	if p.isWord("for") {
		x = p.comprehension('(', nil, x, t.Pos)
		p.expect(")")
		return x
	}
	if s, ok := x.(*starExpr); ok && !p.isOp(",") {
		fail(s.Pos, "", "cannot use starred expression here")
	}
	if p.isOp(",") {
		d := &displayExpr{Pos: t.Pos, kind: '(', elems: []expr{x}}
		p.elements(d, ")")
		x = d
	}
	p.expect(")")
	return x
}

func (p *parser) elements(d *displayExpr, end string) {
	for p.op(",") && !p.isOp(end) {
		d.elems = append(d.elems, p.testOrStar())
	}
}

func (p *parser) list(t token) expr {
	d := &displayExpr{Pos: t.Pos, kind: '['}
	if p.op("]") {
		return d
	}
	x := p.testOrStar()
	if p.isWord("for") {
		c := p.comprehension('[', nil, x, t.Pos)
		p.expect("]")
		return c
	}
	d.elems = []expr{x}
	p.elements(d, "]")
	p.expect("]")
	return d
}

// brace reads a set or dict display or comprehension.
func (p *parser) brace(t token) expr {
	if p.op("}") {
		return &dictExpr{Pos: t.Pos}
	}
	if p.isOp("**") {
		return p.dict(t, nil)
	}
	x := p.testOrStar()
	if p.isOp(":") {
		return p.dict(t, x)
	}
	if p.isWord("for") {
		c := p.comprehension('{', nil, x, t.Pos)
		p.expect("}")
		return c
	}
	d := &displayExpr{Pos: t.Pos, kind: '{', elems: []expr{x}}
	p.elements(d, "}")
	p.expect("}")
	return d
}

// dict reads the rest of a dict whose first key, if any, has been read.
func (p *parser) dict(t token, key expr) expr {
	d := &dictExpr{Pos: t.Pos}
	for {
		switch {
		case key == nil && p.op("**"):
			d.keys, d.vals = append(d.keys, nil), append(d.vals, p.orTest())
		default:
			if key == nil {
				key = p.test()
			}
			p.expect(":")
			val := p.test()
			if len(d.keys) == 0 && p.isWord("for") {
				c := p.comprehension(':', key, val, t.Pos)
				p.expect("}")
				return c
			}
			d.keys, d.vals = append(d.keys, key), append(d.vals, val)
		}
		key = nil
		if !p.op(",") || p.isOp("}") {
			break
		}
	}
	p.expect("}")
	return d
}

// comprehension reads the clauses after the first `for`, which is next.
func (p *parser) comprehension(kind byte, key, val expr, at Pos) expr {
	if s, ok := val.(*starExpr); ok {
		fail(s.Pos, "", "iterable unpacking cannot be used in comprehension")
	}
	c := &compExpr{Pos: at, kind: kind, key: key, val: val}
	for p.isWord("for") {
		clause := compClause{Pos: p.next().Pos, target: p.targetList()}
		checkCompTarget(clause.target)
		p.expectWord("in")
		clause.x = p.orTest()
		for p.word("if") {
			clause.conds = append(clause.conds, p.orTest())
		}
		c.clauses = append(c.clauses, clause)
		if len(c.clauses) > 8 {
			fail(clause.Pos, "write a for statement", "too many clauses")
		}
	}
	if p.isWord("async") {
		fail(p.tok().Pos, forbiddenWords["async"], "'async' is not available in expressions")
	}
	return c
}

// checkCompTarget allows names and tuples of names.
func checkCompTarget(x expr) {
	switch x := x.(type) {
	case *nameExpr:
	case *displayExpr:
		for _, e := range x.elems {
			checkCompTarget(e)
		}
	default:
		fail(x.pos(), "use plain names", "cannot assign to this target in a comprehension")
	}
}
