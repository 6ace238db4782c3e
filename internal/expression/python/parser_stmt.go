package python

import "strings"

// statement reads one logical line or one compound statement.
func (p *parser) statement() []stmt {
	t := p.tok()
	if t.kind == tokName {
		if hint, ok := forbiddenWords[t.text]; ok {
			fail(t.Pos, hint, "'%s' is not available in expressions", t.text)
		}
		switch t.text {
		case "if":
			return []stmt{p.ifStatement()}
		case "for":
			return []stmt{p.forStatement()}
		case "while":
			p.next()
			s := &whileStmt{Pos: t.Pos, cond: p.test()}
			s.body = p.block()
			s.orElse = p.elseBlock()
			return []stmt{s}
		case "try":
			return []stmt{p.tryStatement()}
		case "def":
			return []stmt{p.defStatement()}
		case "match":
			if p.startsMatch() {
				fail(t.Pos, "use if and elif", "'match' is not available in expressions")
			}
		}
	}
	if p.isOp("@") {
		fail(t.Pos, "call the function on the result", "decorators are not available in expressions")
	}
	return p.simpleLine()
}

// startsMatch tells a match statement from a variable of that name: it ends
// in a colon and an indented block follows.
func (p *parser) startsMatch() bool {
	for i := p.i + 1; i+2 < len(p.toks) && p.toks[i].kind != tokNewline; i++ {
		if p.toks[i].kind == tokOp && p.toks[i].text == ":" && p.toks[i+1].kind == tokNewline && p.toks[i+2].kind == tokIndent {
			return true
		}
	}
	return false
}

// simpleLine reads statements separated by semicolons up to the line's end.
func (p *parser) simpleLine() []stmt {
	var out []stmt
	for {
		out = append(out, p.simple()...)
		if !p.op(";") || p.tok().kind == tokNewline {
			break
		}
	}
	if p.tok().kind != tokNewline {
		if p.isOp("=") {
			fail(p.tok().Pos, "use == to compare", "cannot assign here")
		}
		p.unexpected()
	}
	p.next()
	return out
}

func (p *parser) block() []stmt {
	defer p.enter()()
	p.expect(":")
	if p.tok().kind != tokNewline {
		return p.simpleLine()
	}
	p.next()
	if p.tok().kind != tokIndent {
		fail(p.tok().Pos, "indent the lines of the block", "expected an indented block")
	}
	p.next()
	var out []stmt
	for p.tok().kind != tokDedent && p.tok().kind != tokEOF {
		if p.tok().kind == tokIndent {
			fail(p.tok().Pos, "", "unexpected indent")
		}
		out = append(out, p.statement()...)
	}
	if p.tok().kind == tokDedent {
		p.next()
	}
	return out
}

func (p *parser) elseBlock() []stmt {
	if p.word("else") {
		return p.block()
	}
	return nil
}

func (p *parser) ifStatement() stmt {
	defer p.enter()()
	t := p.next()
	s := &ifStmt{Pos: t.Pos, cond: p.test()}
	s.yes = p.block()
	// elif is read in a loop so that a long chain is no deep recursion here.
	last := s
	for p.isWord("elif") {
		t := p.next()
		inner := &ifStmt{Pos: t.Pos, cond: p.test()}
		inner.yes = p.block()
		last.not = []stmt{inner}
		last = inner
	}
	last.not = p.elseBlock()
	return s
}

func (p *parser) forStatement() stmt {
	t := p.next()
	s := &forStmt{Pos: t.Pos}
	s.target = p.targetList()
	p.expectWord("in")
	s.x = p.testListStar()
	s.body = p.block()
	s.orElse = p.elseBlock()
	return s
}

func (p *parser) tryStatement() stmt {
	t := p.next()
	s := &tryStmt{Pos: t.Pos, body: p.block()}
	for p.isWord("except") {
		h := handler{Pos: p.next().Pos}
		if p.isOp("*") {
			fail(p.tok().Pos, "write except", "'except*' is not available in expressions")
		}
		if !p.isOp(":") {
			h.class = p.test()
			if p.isOp(",") {
				fail(p.tok().Pos, "put the classes in parentheses", "multiple exception types must be parenthesized")
			}
			if p.word("as") {
				h.name = p.variable().id
			}
		}
		h.body = p.block()
		if n := len(s.handlers); n > 0 && s.handlers[n-1].class == nil {
			fail(s.handlers[n-1].Pos, "", "default 'except:' must be last")
		}
		s.handlers = append(s.handlers, h)
	}
	if len(s.handlers) > 0 {
		s.orElse = p.elseBlock()
	}
	if p.word("finally") {
		s.finally = p.block()
	} else if len(s.handlers) == 0 {
		fail(p.tok().Pos, "", "expected 'except' or 'finally' block")
	}
	return s
}

func (p *parser) defStatement() stmt {
	t := p.next()
	s := &defStmt{Pos: t.Pos, name: p.variable().id}
	p.expect("(")
	s.params = p.params(")", true)
	p.expect(")")
	if p.op("->") {
		p.test()
	}
	s.body = p.block()
	return s
}

// params reads parameters up to the closing token, which it leaves.
func (p *parser) params(end string, annotations bool) []param {
	var out []param
	seen := map[string]bool{}
	star, optional := false, false
	for !p.isOp(end) {
		q := param{Pos: p.tok().Pos}
		switch {
		case p.op("/"):
			// Positional-only parameters may be given by position anyway.
		case p.op("**"):
			q.stars = 2
		case p.op("*"):
			q.stars = 1
			if star {
				fail(q.Pos, "", "* argument may appear only once")
			}
			star = true
		}
		slash := p.toks[p.i-1].text == "/" && p.toks[p.i-1].Pos == q.Pos
		if !slash && !(q.stars == 1 && p.isOp(",")) {
			q.name = p.variable().id
			if seen[q.name] {
				fail(q.Pos, "", "duplicate argument '%s' in function definition", q.name)
			}
			seen[q.name] = true
			if annotations && p.op(":") {
				p.test()
			}
			if q.stars == 0 && p.op("=") {
				q.def = p.test()
			}
			if q.stars == 0 && q.def == nil && optional && !star {
				fail(q.Pos, "", "parameter without a default follows parameter with a default")
			}
			optional = optional || q.def != nil
		}
		if !slash {
			out = append(out, q)
		}
		if !p.op(",") {
			break
		}
		if q.stars == 2 && !p.isOp(end) {
			fail(p.tok().Pos, "", "arguments cannot follow var-keyword argument")
		}
		if q.stars == 1 && q.name == "" && p.isOp(end) {
			fail(p.tok().Pos, "", "named arguments must follow bare *")
		}
	}
	return out
}

// simple reads one simple statement; a from-import gives several.
func (p *parser) simple() []stmt {
	t := p.tok()
	if t.kind != tokName {
		return []stmt{p.exprOrAssign()}
	}
	switch t.text {
	case "pass", "break", "continue":
		p.next()
		return []stmt{&branchStmt{t.Pos, t.text}}
	case "return":
		p.next()
		s := &returnStmt{Pos: t.Pos}
		if !p.endsSimple() {
			s.x = p.testListStar()
		}
		return []stmt{s}
	case "raise":
		p.next()
		s := &raiseStmt{Pos: t.Pos}
		if !p.endsSimple() {
			s.x = p.test()
			if p.word("from") {
				s.from = p.test()
			}
		}
		return []stmt{s}
	case "assert":
		p.next()
		s := &assertStmt{Pos: t.Pos, cond: p.test()}
		if p.op(",") {
			s.msg = p.test()
		}
		return []stmt{s}
	case "del":
		return p.deletion()
	case "global", "nonlocal":
		p.next()
		s := &scopeStmt{Pos: t.Pos, global: t.text == "global"}
		for {
			s.names = append(s.names, p.variable().id)
			if !p.op(",") {
				return []stmt{s}
			}
		}
	case "import":
		return p.importNames()
	case "from":
		return p.fromImport()
	}
	if hint, ok := forbiddenWords[t.text]; ok {
		fail(t.Pos, hint, "'%s' is not available in expressions", t.text)
	}
	return []stmt{p.exprOrAssign()}
}

func (p *parser) endsSimple() bool {
	k := p.tok().kind
	return k == tokNewline || k == tokEOF || p.isOp(";")
}

func (p *parser) deletion() []stmt {
	t := p.next()
	var out []stmt
	for {
		x := p.postfix()
		if _, ok := x.(*indexExpr); !ok {
			fail(x.pos(), "assign None instead", "del works on items such as d[key] only")
		}
		out = append(out, &delStmt{t.Pos, x})
		if !p.op(",") {
			return out
		}
	}
}

func (p *parser) dotted() string {
	name := p.ident()
	for p.op(".") {
		name += "." + p.ident()
	}
	return name
}

func (p *parser) importNames() []stmt {
	t := p.next()
	var out []stmt
	for {
		s := &importStmt{Pos: t.Pos, module: p.dotted()}
		if p.word("as") {
			s.name = p.variable().id
		} else {
			// `import a.b` binds a.
			s.name, _, _ = strings.Cut(s.module, ".")
			if s.name != s.module {
				// The inner module must exist too.
				out = append(out, &exprStmt{t.Pos, &moduleExpr{t.Pos, s.module}})
				s.path, s.module = s.module, s.name
			}
		}
		out = append(out, s)
		if !p.op(",") {
			return out
		}
	}
}

func (p *parser) fromImport() []stmt {
	t := p.next()
	if p.isOp(".") || p.isOp("...") {
		fail(p.tok().Pos, "name the module", "relative imports are not available in expressions")
	}
	module := p.dotted()
	p.expectWord("import")
	if p.isOp("*") {
		fail(p.tok().Pos, "name what you need", "import * is not available in expressions")
	}
	paren := p.op("(")
	var out []stmt
	for {
		s := &importStmt{Pos: t.Pos, module: module, attr: p.ident()}
		s.name = s.attr
		if p.word("as") {
			s.name = p.variable().id
		}
		out = append(out, s)
		if !p.op(",") || paren && p.isOp(")") {
			break
		}
	}
	if paren {
		p.expect(")")
	}
	return out
}

var augmented = map[string]string{
	"+=": "+", "-=": "-", "*=": "*", "/=": "/", "//=": "//", "%=": "%", "**=": "**",
	"&=": "&", "|=": "|", "^=": "^", "<<=": "<<", ">>=": ">>",
}

func (p *parser) exprOrAssign() stmt {
	at := p.tok().Pos
	x := p.testListStar()
	if t := p.tok(); t.kind == tokOp {
		if op, ok := augmented[t.text]; ok {
			p.next()
			switch x.(type) {
			case *nameExpr, *attrExpr, *indexExpr:
			default:
				fail(x.pos(), "", "illegal target for augmented assignment")
			}
			checkTarget(x)
			return &augStmt{at, x, op, p.testListStar()}
		}
		if t.text == ":" {
			return p.annotated(x)
		}
	}
	targets := []expr{}
	for p.op("=") {
		checkTarget(x)
		targets = append(targets, x)
		x = p.testListStar()
	}
	if len(targets) == 0 {
		if s, ok := x.(*starExpr); ok {
			fail(s.Pos, "", "can't use starred expression here")
		}
		return &exprStmt{at, x}
	}
	return &assignStmt{at, targets, x}
}

// annotated reads `x: type [= value]` and forgets the type.
func (p *parser) annotated(x expr) stmt {
	switch x.(type) {
	case *nameExpr, *attrExpr, *indexExpr:
	default:
		p.unexpected()
	}
	at := p.next().Pos
	p.test()
	if p.op("=") {
		checkTarget(x)
		return &assignStmt{at, []expr{x}, p.testListStar()}
	}
	return &branchStmt{at, "pass"}
}

// checkTarget refuses what cannot be assigned to.
func checkTarget(x expr) {
	switch x := x.(type) {
	case *nameExpr, *attrExpr:
	case *indexExpr:
	case *displayExpr:
		if x.kind == '{' {
			fail(x.Pos, "", "cannot assign to set display")
		}
		stars := 0
		for _, e := range x.elems {
			if s, ok := e.(*starExpr); ok {
				stars++
				e = s.x
			}
			checkTarget(e)
		}
		if stars > 1 {
			fail(x.Pos, "", "multiple starred expressions in assignment")
		}
	case *starExpr:
		fail(x.Pos, "", "starred assignment target must be in a list or tuple")
	default:
		fail(x.pos(), "use == to compare", "cannot assign to this expression")
	}
}
