package python

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSource bounds a body in bytes; real ones have a few hundred.
const maxSource = 64 << 10

type kind int

const (
	tokEOF kind = iota
	tokNewline
	tokIndent
	tokDedent
	tokName
	tokNumber
	tokString // text holds the raw body; prefix and quote tell how to read it
	tokOp
)

type token struct {
	kind   kind
	text   string
	prefix string // lower-case letters before a string's quote
	Pos
	// body is where a string's text begins.
	body Pos
}

// lexer cuts a text into tokens. With inline set (the inside of an f-string
// field) line ends mean nothing.
type lexer struct {
	src     string
	at      int
	line    int
	col     int
	depth   int // open brackets
	indents []string
	inline  bool
	out     []token
}

// lex returns the tokens of a body, ending with one tokEOF.
func lex(src string) []token {
	if len(src) > maxSource {
		fail(Pos{1, 1}, "", "the expression is longer than %d bytes", maxSource)
	}
	src = strings.ReplaceAll(strings.ReplaceAll(src, "\r\n", "\n"), "\r", "\n")
	l := &lexer{src: strings.TrimPrefix(src, "\ufeff"), line: 1, col: 1}
	if i := invalidAt(l.src); i >= 0 {
		line := 1 + strings.Count(l.src[:i], "\n")
		fail(Pos{line, 1}, "", "the expression contains bytes that are not text")
	}
	l.lines()
	return l.out
}

// lexInline returns the tokens of an expression inside an f-string.
func lexInline(src string, p Pos) []token {
	l := &lexer{src: src, line: p.Line, col: p.Col, inline: true}
	for l.token() {
	}
	l.emit(tokEOF, "", l.pos())
	return l.out
}

// invalidAt returns the offset of the first byte that is no text, or -1.
func invalidAt(s string) int {
	for i, r := range s {
		if r == 0 || r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd") {
			return i
		}
	}
	return -1
}

func (l *lexer) pos() Pos { return Pos{l.line, l.col} }

func (l *lexer) peek(ahead int) byte {
	if l.at+ahead < len(l.src) {
		return l.src[l.at+ahead]
	}
	return 0
}

// skip moves over n bytes and keeps line and column right.
func (l *lexer) skip(n int) {
	for _, r := range l.src[l.at : l.at+n] {
		if r == '\n' {
			l.line, l.col = l.line+1, 1
		} else {
			l.col++
		}
	}
	l.at += n
}

func (l *lexer) emit(k kind, text string, p Pos) {
	l.out = append(l.out, token{kind: k, text: text, Pos: p})
}

// lines reads whole logical lines and keeps the stack of indentations. The
// first line sets the base, so a uniformly indented body is fine.
func (l *lexer) lines() {
	for l.at < len(l.src) {
		start := l.at
		for l.peek(0) == ' ' || l.peek(0) == '\t' || l.peek(0) == '\f' {
			l.skip(1)
		}
		indent := l.src[start:l.at]
		if l.at == len(l.src) {
			break
		}
		if c := l.peek(0); c == '\n' || c == '#' {
			l.comment()
			if l.at < len(l.src) {
				l.skip(1)
			}
			continue
		}
		l.indent(indent)
		for l.token() {
		}
	}
	if len(l.out) > 0 && l.out[len(l.out)-1].kind != tokNewline {
		l.emit(tokNewline, "", l.pos())
	}
	for i := 1; i < len(l.indents); i++ {
		l.emit(tokDedent, "", l.pos())
	}
	l.emit(tokEOF, "", l.pos())
}

func (l *lexer) indent(indent string) {
	if l.indents == nil {
		l.indents = []string{indent}
		return
	}
	top := l.indents[len(l.indents)-1]
	if indent == top {
		return
	}
	if strings.HasPrefix(indent, top) {
		if len(l.indents) >= maxDepth {
			fail(l.pos(), "move the inner part into a def", "too many levels of indentation")
		}
		l.indents = append(l.indents, indent)
		l.emit(tokIndent, "", l.pos())
		return
	}
	for i := len(l.indents) - 1; i >= 0; i-- {
		if l.indents[i] == indent {
			l.indents = l.indents[:i+1]
			return
		}
		if i > 0 {
			l.emit(tokDedent, "", l.pos())
		}
	}
	fail(l.pos(), "indent with the same blanks or tabs as the lines around it", "unindent does not match any outer indentation level")
}

func (l *lexer) comment() {
	if l.peek(0) != '#' {
		return
	}
	n := strings.IndexByte(l.src[l.at:], '\n')
	if n < 0 {
		n = len(l.src) - l.at
	}
	l.skip(n)
}

// token reads one token and tells whether the logical line goes on.
func (l *lexer) token() bool {
	for {
		c := l.peek(0)
		switch {
		case c == ' ' || c == '\t' || c == '\f':
			l.skip(1)
			continue
		case c == '\\' && l.peek(1) == '\n':
			l.skip(2)
			continue
		case c == '#':
			if l.inline {
				fail(l.pos(), "", "f-string expression part cannot include '#'")
			}
			l.comment()
			continue
		case c == '\n' && (l.depth > 0 || l.inline):
			l.skip(1)
			continue
		}
		break
	}
	if l.at >= len(l.src) {
		if l.depth > 0 && !l.inline {
			fail(l.pos(), "close every bracket", "unexpected end of the expression inside brackets")
		}
		return false
	}
	p := l.pos()
	if l.peek(0) == '\n' {
		l.skip(1)
		l.emit(tokNewline, "", p)
		return false
	}
	r, _ := utf8.DecodeRuneInString(l.src[l.at:])
	switch {
	case isNameStart(r):
		l.word(p)
	case r >= '0' && r <= '9', r == '.' && isDigit(l.peek(1)):
		l.number(p)
	case r == '\'' || r == '"':
		l.str("", p)
	default:
		l.operator(p)
	}
	return true
}

func isDigit(c byte) bool     { return c >= '0' && c <= '9' }
func isNameStart(r rune) bool { return r == '_' || unicode.IsLetter(r) }
func isNamePart(r rune) bool {
	return isNameStart(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r)
}
func isStringPrefix(s string) bool {
	switch strings.ToLower(s) {
	case "r", "b", "f", "u", "br", "rb", "fr", "rf":
		return true
	}
	return false
}

func (l *lexer) word(p Pos) {
	end := l.at
	for end < len(l.src) {
		r, n := utf8.DecodeRuneInString(l.src[end:])
		if !isNamePart(r) {
			break
		}
		end += n
	}
	text := l.src[l.at:end]
	l.skip(len(text))
	if c := l.peek(0); (c == '\'' || c == '"') && isStringPrefix(text) {
		l.str(strings.ToLower(text), p)
		return
	}
	l.emit(tokName, text, p)
}

func (l *lexer) number(p Pos) {
	end := l.at
	while := func(ok func(c byte) bool) {
		for end < len(l.src) && ok(l.src[end]) {
			end++
		}
	}
	digits := func(c byte) bool { return isDigit(c) || c == '_' }
	word := func(c byte) bool { return digits(c) || c|0x20 >= 'a' && c|0x20 <= 'z' }
	if l.src[end] == '0' && strings.IndexByte("xXoObB", l.peek(1)) >= 0 {
		while(word)
	} else {
		while(digits)
		if end < len(l.src) && l.src[end] == '.' {
			end++
			while(digits)
		}
		if rest := l.src[end:]; len(rest) > 1 && rest[0]|0x20 == 'e' {
			if isDigit(rest[1]) || len(rest) > 2 && (rest[1] == '+' || rest[1] == '-') && isDigit(rest[2]) {
				end += 2
				while(digits)
			}
		}
		// Only an operator may follow at once, as in `1if x else 2`.
		number := end
		while(word)
		switch l.src[number:end] {
		case "and", "else", "for", "if", "in", "is", "not", "or":
			end = number
		}
	}
	text := l.src[l.at:end]
	l.skip(len(text))
	l.emit(tokNumber, text, p)
}

// str reads a string literal whose prefix has been read.
func (l *lexer) str(prefix string, p Pos) {
	quote := l.src[l.at : l.at+1]
	triple := strings.HasPrefix(l.src[l.at:], quote+quote+quote)
	if triple {
		quote += quote[:1] + quote[:1]
	}
	l.skip(len(quote))
	body := l.pos()
	start := l.at
	for {
		if l.at >= len(l.src) || !triple && l.peek(0) == '\n' {
			fail(p, "", "unterminated string literal")
		}
		if strings.HasPrefix(l.src[l.at:], quote) {
			break
		}
		if l.peek(0) == '\\' && l.at+1 < len(l.src) {
			l.skip(1)
		}
		_, n := utf8.DecodeRuneInString(l.src[l.at:])
		l.skip(n)
	}
	text := l.src[start:l.at]
	l.skip(len(quote))
	l.out = append(l.out, token{kind: tokString, text: text, prefix: prefix, Pos: p, body: body})
}

// operators are tried longest first.
var operators = []string{
	"**=", "//=", ">>=", "<<=", "...",
	"**", "//", ">>", "<<", "<=", ">=", "==", "!=", "->", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", ":=", "@=",
}

func (l *lexer) operator(p Pos) {
	text := l.src[l.at : l.at+1]
	for _, op := range operators {
		if strings.HasPrefix(l.src[l.at:], op) {
			text = op
			break
		}
	}
	switch text {
	case "(", "[", "{":
		if l.depth++; l.depth > maxDepth {
			fail(p, "split the expression", "too many nested brackets")
		}
	case ")", "]", "}":
		if l.depth--; l.depth < 0 {
			fail(p, "", "unmatched '%s'", text)
		}
	}
	if len(text) == 1 && !strings.Contains("()[]{}+-*/%@&|^~<>=,:;.!", text) {
		r, _ := utf8.DecodeRuneInString(l.src[l.at:])
		fail(p, "", "invalid character %q", string(r))
	}
	l.skip(len(text))
	l.emit(tokOp, text, p)
}
