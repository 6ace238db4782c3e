package python

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDigits bounds integer literals.
const maxDigits = 1000

// number reads a numeric literal as an int64, a *big.Int or a float64.
func number(t token) any {
	text := strings.ToLower(t.text)
	digits := strings.ReplaceAll(text, "_", "")
	bad := strings.Contains(text, "__") || strings.HasSuffix(text, "_") || strings.HasSuffix(text, "j") || len(digits) > maxDigits
	switch {
	case bad:
	case strings.HasPrefix(digits, "0x"), strings.HasPrefix(digits, "0o"), strings.HasPrefix(digits, "0b"):
		if n, ok := new(big.Int).SetString(digits, 0); ok {
			return integer(n)
		}
	case strings.ContainsAny(digits, ".e"):
		if f, err := strconv.ParseFloat(digits, 64); err == nil || f != 0 {
			return f
		}
	case len(digits) > 1 && digits[0] == '0' && strings.Trim(digits, "0") != "":
		fail(t.Pos, "write 0o for an octal number", "leading zeros in decimal integer literals are not permitted")
	default:
		if n, ok := new(big.Int).SetString(digits, 10); ok {
			return integer(n)
		}
	}
	fail(t.Pos, "", "invalid number %q", t.text)
	return nil
}

func integer(n *big.Int) any {
	if n.IsInt64() {
		return n.Int64()
	}
	return n
}

// unescape reads the escapes of a text or byte string literal.
func unescape(raw string, bytes bool, p Pos) string {
	if !strings.Contains(raw, `\`) {
		return raw
	}
	var b strings.Builder
	for i := 0; i < len(raw); {
		if raw[i] != '\\' || i+1 == len(raw) {
			b.WriteByte(raw[i])
			i++
			continue
		}
		n := escape(&b, raw[i+1:], bytes, p)
		i += 1 + n
	}
	return b.String()
}

var simpleEscapes = map[byte]string{
	'\n': "", '\\': `\`, '\'': "'", '"': `"`, 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

// escape writes what the escape after a backslash means and returns its length.
func escape(b *strings.Builder, s string, bytes bool, p Pos) int {
	if text, ok := simpleEscapes[s[0]]; ok {
		b.WriteString(text)
		return 1
	}
	width := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[0]]
	if width > 0 && (s[0] == 'x' || !bytes) {
		if len(s) <= width {
			fail(p, "", `truncated \%c escape`, s[0])
		}
		v, err := strconv.ParseUint(s[1:1+width], 16, 32)
		if err != nil {
			fail(p, "", `invalid \%c escape`, s[0])
		}
		writeCode(b, rune(v), bytes, p)
		return 1 + width
	}
	n := 0
	for n < len(s) && n < 3 && s[n] >= '0' && s[n] <= '7' {
		n++
	}
	if n > 0 {
		v, _ := strconv.ParseUint(s[:n], 8, 32)
		writeCode(b, rune(v), bytes, p)
		return n
	}
	if s[0] == 'N' && !bytes {
		fail(p, `write the character itself or \u`, `\N escapes are not supported`)
	}
	// An unknown escape keeps its backslash.
	b.WriteByte('\\')
	return 0
}

func writeCode(b *strings.Builder, r rune, bytes bool, p Pos) {
	switch {
	case bytes:
		b.WriteByte(byte(r))
	case !utf8.ValidRune(r):
		fail(p, "", "escape names no character")
	default:
		b.WriteRune(r)
	}
}

// literal reads one run of adjacent string tokens as a single expression.
func (p *parser) literal() expr {
	first := p.tok()
	isBytes := strings.Contains(first.prefix, "b")
	var parts []expr
	var text strings.Builder
	flush := func(at Pos) {
		if text.Len() > 0 {
			parts = append(parts, &strExpr{at, text.String()})
			text.Reset()
		}
	}
	formatted := false
	for p.tok().kind == tokString {
		t := p.next()
		if strings.Contains(t.prefix, "b") != isBytes {
			fail(t.Pos, "", "cannot mix bytes and nonbytes literals")
		}
		raw := strings.Contains(t.prefix, "r")
		if strings.Contains(t.prefix, "f") {
			formatted = true
			flush(first.Pos)
			f := &fstring{p: p, src: t.text, raw: raw, at: t.body}
			parts = append(parts, f.parts(0)...)
			continue
		}
		if raw {
			text.WriteString(t.text)
		} else {
			text.WriteString(unescape(t.text, isBytes, t.Pos))
		}
	}
	if formatted {
		flush(first.Pos)
		return &fstringExpr{first.Pos, parts}
	}
	if isBytes {
		for _, r := range []byte(first.text) {
			if r >= utf8.RuneSelf {
				fail(first.Pos, "", "bytes can only contain ASCII literal characters")
			}
		}
		return &bytesExpr{first.Pos, text.String()}
	}
	return &strExpr{first.Pos, text.String()}
}
