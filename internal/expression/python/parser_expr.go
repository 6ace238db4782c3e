package python

// testListStar reads an expression list; more than one element, or a trailing
// comma, makes a tuple.
func (p *parser) testListStar() expr {
	first := p.testOrStar()
	if !p.isOp(",") {
		return first
	}
	t := &displayExpr{Pos: first.pos(), kind: '(', elems: []expr{first}}
	for p.op(",") {
		if !p.startsExpr() {
			break
		}
		t.elems = append(t.elems, p.testOrStar())
	}
	return t
}

// startsExpr tells whether another element follows a comma.
func (p *parser) startsExpr() bool {
	t := p.tok()
	switch t.kind {
	case tokName:
		switch t.text {
		case "in", "if", "for", "else", "and", "or", "is", "as", "from":
			return false
		}
		return true
	case tokNumber, tokString:
		return true
	case tokOp:
		switch t.text {
		case "(", "[", "{", "-", "+", "~", "*", "...":
			return true
		}
	}
	return false
}

// targetList reads the targets of a for clause; `in` ends it.
func (p *parser) targetList() expr {
	one := func() expr {
		if p.isOp("*") {
			t := p.next()
			return &starExpr{t.Pos, p.postfix()}
		}
		return p.postfix()
	}
	first := one()
	if p.isOp(",") {
		t := &displayExpr{Pos: first.pos(), kind: '(', elems: []expr{first}}
		for p.op(",") && !p.isWord("in") {
			t.elems = append(t.elems, one())
		}
		first = t
	}
	checkTarget(first)
	return first
}

func (p *parser) testOrStar() expr {
	if p.isOp("*") {
		t := p.next()
		return &starExpr{t.Pos, p.orTest()}
	}
	return p.test()
}

// test reads a conditional expression or a lambda.
func (p *parser) test() expr {
	defer p.enter()()
	if p.isWord("lambda") {
		t := p.next()
		l := &lambdaExpr{Pos: t.Pos, params: p.params(":", false)}
		p.expect(":")
		l.body = p.test()
		return l
	}
	x := p.orTest()
	if p.isOp(":=") {
		fail(p.tok().Pos, "assign on a line of its own", "':=' is not available in expressions")
	}
	if !p.isWord("if") {
		return x
	}
	t := p.next()
	c := &condExpr{Pos: t.Pos, yes: x, cond: p.orTest()}
	p.expectWord("else")
	c.no = p.test()
	return c
}

func (p *parser) orTest() expr {
	x := p.andTest()
	for p.isWord("or") {
		t := p.next()
		x = &boolExpr{t.Pos, "or", x, p.andTest()}
	}
	return x
}

func (p *parser) andTest() expr {
	x := p.notTest()
	for p.isWord("and") {
		t := p.next()
		x = &boolExpr{t.Pos, "and", x, p.notTest()}
	}
	return x
}

func (p *parser) notTest() expr {
	if p.isWord("not") {
		defer p.enter()()
		t := p.next()
		return &unaryExpr{t.Pos, "not", p.notTest()}
	}
	return p.comparison()
}

func (p *parser) comparison() expr {
	x := p.binary(0)
	var c *compareExpr
	for {
		at := p.tok().Pos
		op := p.comparisonOp()
		if op == "" {
			break
		}
		if c == nil {
			c = &compareExpr{Pos: at, x: x}
		}
		c.ops = append(c.ops, op)
		c.ys = append(c.ys, p.binary(0))
		if len(c.ops) > maxDepth {
			fail(at, "split the comparison", "too many chained comparisons")
		}
	}
	if c != nil {
		return c
	}
	return x
}

func (p *parser) comparisonOp() string {
	t := p.tok()
	switch t.kind {
	case tokOp:
		switch t.text {
		case "==", "!=", "<", "<=", ">", ">=":
			p.next()
			return t.text
		}
	case tokName:
		switch {
		case p.word("in"):
			return "in"
		case p.word("is"):
			if p.word("not") {
				return "is not"
			}
			return "is"
		case t.text == "not" && p.toks[p.i+1].text == "in":
			p.i += 2
			return "not in"
		}
	}
	return ""
}

// levels are the left-associative operators, loosest first.
var levels = [][]string{{"|"}, {"^"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "//", "%"}}

func (p *parser) binary(level int) expr {
	if level == len(levels) {
		return p.factor()
	}
	x := p.binary(level + 1)
	for {
		t := p.tok()
		if t.kind == tokOp && t.text == "@" && level == len(levels)-1 {
			fail(t.Pos, "", "operator '@' is not available in expressions")
		}
		if t.kind != tokOp || !contains(levels[level], t.text) {
			return x
		}
		p.next()
		x = &binaryExpr{t.Pos, t.text, x, p.binary(level + 1)}
	}
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

func (p *parser) factor() expr {
	if t := p.tok(); p.isOp("-") || p.isOp("+") || p.isOp("~") {
		defer p.enter()()
		p.next()
		return &unaryExpr{t.Pos, t.text, p.factor()}
	}
	x := p.postfix()
	if t := p.tok(); p.op("**") {
		defer p.enter()()
		return &binaryExpr{t.Pos, "**", x, p.factor()}
	}
	return x
}

// postfix reads an atom with its calls, subscripts and attributes.
func (p *parser) postfix() expr {
	x := p.atom()
	for {
		t := p.tok()
		switch {
		case p.op("("):
			x = &callExpr{Pos: t.Pos, fn: x, args: p.args()}
		case p.op("["):
			x = &indexExpr{t.Pos, x, p.subscript()}
			p.expect("]")
		case p.op("."):
			x = p.attribute(x)
		default:
			return x
		}
	}
}

func (p *parser) attribute(x expr) expr {
	t := p.tok()
	dunder := func(i int, name string) bool { return p.toks[i].kind == tokName && p.toks[i].text == name }
	last := len(p.toks) - 1
	if dunder(p.i, "__class__") && p.i+2 <= last && p.toks[p.i+1].text == "." && dunder(p.i+2, "__name__") {
		p.i += 3
		return &typeNameExpr{t.Pos, x}
	}
	if call, ok := x.(*callExpr); ok && dunder(p.i, "__name__") && len(call.args) == 1 && call.args[0].stars == 0 {
		if fn, ok := call.fn.(*nameExpr); ok && fn.id == "type" {
			p.i++
			return &typeNameExpr{t.Pos, call.args[0].x}
		}
	}
	if t.kind == tokName && !keywords[t.text] {
		return &attrExpr{t.Pos, x, p.ident()}
	}
	p.unexpected()
	return nil
}

func (p *parser) args() []arg {
	var out []arg
	seen := map[string]bool{}
	keyword := false
	for !p.isOp(")") {
		a := arg{Pos: p.tok().Pos}
		switch {
		case p.op("**"):
			a.stars, keyword = 2, true
			a.x = p.test()
		case p.op("*"):
			a.stars = 1
			a.x = p.test()
		case p.tok().kind == tokName && p.toks[p.i+1].kind == tokOp && p.toks[p.i+1].text == "=":
			a.name, keyword = p.ident(), true
			p.next()
			if seen[a.name] {
				fail(a.Pos, "", "keyword argument repeated: %s", a.name)
			}
			seen[a.name] = true
			a.x = p.test()
		default:
			a.x = p.test()
			if p.isWord("for") {
				a.x = p.comprehension('(', nil, a.x, a.Pos)
			}
			if keyword {
				fail(a.Pos, "", "positional argument follows keyword argument")
			}
		}
		out = append(out, a)
		if len(out) > 200 {
			fail(a.Pos, "pass a list", "too many arguments")
		}
		if !p.op(",") {
			break
		}
	}
	p.expect(")")
	return out
}

func (p *parser) subscript() expr {
	at := p.tok().Pos
	one := func() expr {
		s := &sliceExpr{Pos: p.tok().Pos}
		if !p.isOp(":") {
			x := p.test()
			if !p.isOp(":") {
				return x
			}
			s.lo = x
		}
		p.expect(":")
		if !p.isOp(":") && !p.isOp("]") && !p.isOp(",") {
			s.hi = p.test()
		}
		if p.op(":") && !p.isOp("]") && !p.isOp(",") {
			s.step = p.test()
		}
		return s
	}
	x := one()
	if !p.isOp(",") {
		return x
	}
	t := &displayExpr{Pos: at, kind: '(', elems: []expr{x}}
	for p.op(",") && !p.isOp("]") {
		t.elems = append(t.elems, one())
	}
	for _, e := range t.elems {
		if s, ok := e.(*sliceExpr); ok {
			fail(s.Pos, "", "a slice cannot stand in a tuple")
		}
	}
	return t
}

func (p *parser) atom() expr {
	t := p.tok()
	switch t.kind {
	case tokNumber:
		p.next()
		return &numExpr{t.Pos, number(t)}
	case tokString:
		return p.literal()
	case tokName:
		switch t.text {
		case "None", "True", "False":
			p.next()
			return &constExpr{t.Pos, t.text}
		}
		return p.variable()
	case tokOp:
		switch t.text {
		case "(":
			p.next()
			return p.paren(t)
		case "[":
			p.next()
			return p.list(t)
		case "{":
			p.next()
			return p.brace(t)
		case "...":
			p.next()
			return &constExpr{t.Pos, "Ellipsis"}
		}
	}
	p.unexpected()
	return nil
}
