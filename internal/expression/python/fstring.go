package python

import (
	"strings"
	"unicode/utf8"
)

// fstring reads the inside of a formatted string literal.
type fstring struct {
	p   *parser
	src string
	i   int
	raw bool
	at  Pos // place of src[i]
}

func (f *fstring) skip(n int) {
	for _, r := range f.src[f.i : f.i+n] {
		if r == '\n' {
			f.at.Line, f.at.Col = f.at.Line+1, 1
		} else {
			f.at.Col++
		}
	}
	f.i += n
}

// parts reads text and fields up to the end, or, inside a format spec (level
// above 0), up to the closing brace of the field.
func (f *fstring) parts(level int) []expr {
	var out []expr
	var text strings.Builder
	start := f.at
	flush := func() {
		if text.Len() > 0 {
			s := text.String()
			if !f.raw {
				s = unescape(s, false, start)
			}
			out = append(out, &strExpr{start, s})
			text.Reset()
		}
		start = f.at
	}
	for f.i < len(f.src) {
		rest := f.src[f.i:]
		switch {
		case strings.HasPrefix(rest, "{{") && level == 0, strings.HasPrefix(rest, "}}") && level == 0:
			text.WriteByte(rest[0])
			f.skip(2)
		case rest[0] == '}':
			if level == 0 {
				fail(f.at, "write }} for a brace", "f-string: single '}' is not allowed")
			}
			flush()
			return out
		case rest[0] == '{':
			if level >= 2 {
				fail(f.at, "", "f-string: expressions nested too deeply")
			}
			flush()
			out = append(out, f.field(level)...)
			start = f.at
		case rest[0] == '\\' && len(rest) > 1 && !f.raw && rest[1] != '{' && rest[1] != '}':
			_, n := utf8.DecodeRuneInString(rest[1:])
			text.WriteString(rest[:1+n])
			f.skip(1 + n)
		default:
			_, n := utf8.DecodeRuneInString(rest)
			text.WriteString(rest[:n])
			f.skip(n)
		}
	}
	if level > 0 {
		fail(f.at, "", "f-string: expecting '}'")
	}
	flush()
	return out
}

// field reads {expression[=][!conversion][:spec]}; with "=" the source text
// comes first, so it may return two parts.
func (f *fstring) field(level int) []expr {
	begin := f.at
	f.skip(1)
	at := f.at
	n := fieldEnd(f.src[f.i:])
	if n < 0 {
		fail(begin, "", "f-string: expecting '}'")
	}
	source := f.src[f.i : f.i+n]
	f.skip(n)
	var out []expr
	field := &formattedExpr{Pos: begin}
	if trimmed := strings.TrimRight(source, " \t"); strings.HasSuffix(trimmed, "=") && !strings.HasSuffix(trimmed, "==") {
		out = append(out, &strExpr{begin, source})
		source = strings.TrimSuffix(trimmed, "=")
		field.conv = "r"
	}
	if strings.TrimSpace(source) == "" {
		fail(begin, "", "f-string: empty expression not allowed")
	}
	field.x = f.p.inline(source, at)
	if f.src[f.i] == '!' {
		f.skip(1)
		if f.i+1 >= len(f.src) || !strings.Contains("rsa", f.src[f.i:f.i+1]) {
			fail(f.at, "", "f-string: invalid conversion character, expected 's', 'r' or 'a'")
		}
		field.conv = f.src[f.i : f.i+1]
		f.skip(1)
	}
	if f.i < len(f.src) && f.src[f.i] == ':' {
		f.skip(1)
		if field.conv == "r" && len(out) > 0 {
			field.conv = ""
		}
		field.spec = &fstringExpr{f.at, f.parts(level + 1)}
	}
	if f.i >= len(f.src) || f.src[f.i] != '}' {
		fail(f.at, "", "f-string: expecting '}'")
	}
	f.skip(1)
	return append(out, field)
}

// fieldEnd finds where the expression of a field ends: at a "!", ":" or "}"
// outside brackets and quotes. It returns -1 when there is none.
func fieldEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '(', '[', '{':
			depth++
		case ')', ']':
			depth--
		case '}':
			if depth == 0 {
				return i
			}
			depth--
		case '\'', '"':
			end := strings.IndexByte(s[i+1:], c)
			if end < 0 {
				return -1
			}
			i += 1 + end
		case '!':
			if depth == 0 && !(i+1 < len(s) && s[i+1] == '=') {
				return i
			}
		case ':':
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}
