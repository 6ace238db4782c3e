package python

import "strings"

// maxDepth bounds nested brackets, blocks and expressions.
const maxDepth = 80

// parser turns tokens into nodes. Methods abort through fail.
type parser struct {
	toks  []token
	i     int
	depth int
}

// parse reads a whole body.
func parse(src string) []stmt {
	p := &parser{toks: lex(src)}
	var body []stmt
	for p.tok().kind != tokEOF {
		if p.tok().kind == tokIndent {
			fail(p.tok().Pos, "", "unexpected indent")
		}
		body = append(body, p.statement()...)
	}
	if len(body) == 0 {
		fail(Pos{1, 1}, "write at least one statement, such as return True", "the expression is empty")
	}
	return body
}

// inline reads an expression inside an f-string.
func (p *parser) inline(src string, at Pos) expr {
	q := &parser{toks: lexInline(src, at), depth: p.depth}
	x := q.testListStar()
	if q.tok().kind != tokEOF {
		q.unexpected()
	}
	return x
}

func (p *parser) tok() token { return p.toks[p.i] }

func (p *parser) next() token {
	t := p.toks[p.i]
	if t.kind != tokEOF {
		p.i++
	}
	return t
}

// enter counts a level of nesting; the caller defers what it returns.
func (p *parser) enter() func() {
	if p.depth++; p.depth > maxDepth {
		fail(p.tok().Pos, "split the expression", "the expression is nested too deeply")
	}
	return func() { p.depth-- }
}

func (p *parser) isOp(text string) bool {
	t := p.tok()
	return t.kind == tokOp && t.text == text
}

func (p *parser) isWord(text string) bool {
	t := p.tok()
	return t.kind == tokName && t.text == text
}

func (p *parser) op(text string) bool {
	if p.isOp(text) {
		p.i++
		return true
	}
	return false
}

func (p *parser) word(text string) bool {
	if p.isWord(text) {
		p.i++
		return true
	}
	return false
}

func (p *parser) expect(text string) {
	if !p.op(text) {
		t := p.tok()
		if text == "=" || t.kind == tokOp && t.text == "=" {
			fail(t.Pos, "use == to compare", "invalid syntax: unexpected '='")
		}
		fail(t.Pos, "", "expected '%s' but found %s", text, describe(t))
	}
}

func (p *parser) expectWord(text string) {
	if !p.word(text) {
		fail(p.tok().Pos, "", "expected '%s' but found %s", text, describe(p.tok()))
	}
}

func (p *parser) unexpected() {
	fail(p.tok().Pos, "", "invalid syntax: unexpected %s", describe(p.tok()))
}

func describe(t token) string {
	switch t.kind {
	case tokEOF:
		return "the end of the expression"
	case tokNewline:
		return "the end of the line"
	case tokIndent:
		return "an indented line"
	case tokDedent:
		return "the end of the block"
	case tokString:
		return "a string"
	}
	return "'" + t.text + "'"
}

var keywords = map[string]bool{
	"False": true, "None": true, "True": true, "and": true, "as": true, "assert": true, "async": true, "await": true,
	"break": true, "class": true, "continue": true, "def": true, "del": true, "elif": true, "else": true, "except": true,
	"finally": true, "for": true, "from": true, "global": true, "if": true, "import": true, "in": true, "is": true,
	"lambda": true, "nonlocal": true, "not": true, "or": true, "pass": true, "raise": true, "return": true, "try": true,
	"while": true, "with": true, "yield": true,
}

// forbidden names have a hint that says what to write instead.
var forbidden = map[string]string{
	"exec": "write the statements directly", "eval": "write the expression directly or use json.loads",
	"compile": "use re.compile for patterns", "globals": "name the variables", "locals": "name the variables",
	"open": "expressions cannot read files", "breakpoint": "use ak_logger",
}

var forbiddenWords = map[string]string{
	"class": "use a dict or a function", "yield": "collect the values in a list and return it",
	"async": "expressions run synchronously", "await": "expressions run synchronously",
	"with": "call the functions one after the other",
}

// ident reads a name that the author may use.
func (p *parser) ident() string {
	t := p.tok()
	if t.kind != tokName || keywords[t.text] {
		if hint, ok := forbiddenWords[t.text]; ok && t.kind == tokName {
			fail(t.Pos, hint, "'%s' is not available in expressions", t.text)
		}
		p.unexpected()
	}
	p.i++
	checkName(t)
	return t.text
}

func checkName(t token) {
	if strings.HasPrefix(t.text, "__") {
		fail(t.Pos, "choose another name", "names that start with two underscores are not available (%s)", t.text)
	}
}

// variable reads a name that stands for itself in an expression or target.
func (p *parser) variable() *nameExpr {
	t := p.tok()
	id := p.ident()
	if hint, ok := forbidden[id]; ok {
		fail(t.Pos, hint, "'%s' is not available in expressions", id)
	}
	return &nameExpr{t.Pos, id}
}
