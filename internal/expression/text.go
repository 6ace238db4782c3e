package expression

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.starlark.net/starlark"
)

// pyTypeName gives Starlark's names for types the names that Python has.
func pyTypeName(name string) string {
	if name == "string" {
		return "str"
	}
	return name
}

// kindOf is the name of v's type.
func kindOf(v starlark.Value) string { return pyTypeName(v.Type()) }

// maxRepr bounds the depth to which nested values are written.
const maxRepr = 50

// str is v as text, as str(v) gives it.
func str(v starlark.Value) string {
	switch v := v.(type) {
	case starlark.String:
		return string(v)
	case *exception:
		return v.text()
	case interface{ str() string }:
		return v.str()
	}
	return repr(v)
}

// repr is v as repr(v) gives it.
func repr(v starlark.Value) string {
	var b strings.Builder
	writeRepr(&b, v, 0)
	return b.String()
}

// maxReprBytes stops writing a value that refers to itself again and again.
const maxReprBytes = 1 << 20

func writeRepr(b *strings.Builder, v starlark.Value, depth int) {
	if depth > maxRepr || b.Len() > maxReprBytes {
		b.WriteString("...")
		return
	}
	list := func(open string, n int, item func(i int), end string) {
		b.WriteString(open)
		for i := range n {
			if i > 0 {
				b.WriteString(", ")
			}
			item(i)
			if b.Len() > maxReprBytes {
				break
			}
		}
		b.WriteString(end)
	}
	switch v := v.(type) {
	case starlark.String:
		quoteText(b, string(v))
	case starlark.Bytes:
		quoteBytes(b, string(v))
	case starlark.Float:
		b.WriteString(floatText(float64(v)))
	case *starlark.List:
		list("[", v.Len(), func(i int) { writeRepr(b, v.Index(i), depth+1) }, "]")
	case starlark.Tuple:
		end := ")"
		if len(v) == 1 {
			end = ",)"
		}
		list("(", len(v), func(i int) { writeRepr(b, v[i], depth+1) }, end)
	case *starlark.Dict:
		items := v.Items()
		list("{", len(items), func(i int) {
			writeRepr(b, items[i][0], depth+1)
			b.WriteString(": ")
			writeRepr(b, items[i][1], depth+1)
		}, "}")
	case *starlark.Set:
		if v.Len() == 0 {
			b.WriteString("set()")
			return
		}
		items := setItems(v)
		list("{", len(items), func(i int) { writeRepr(b, items[i], depth+1) }, "}")
	case *exception:
		b.WriteString(v.class.name)
		list("(", len(v.args), func(i int) { writeRepr(b, v.args[i], depth+1) }, ")")
	case *starlark.Function:
		b.WriteString("<function " + v.Name() + ">")
	default:
		b.WriteString(v.String())
	}
}

func setItems(s *starlark.Set) []starlark.Value {
	out := make([]starlark.Value, 0, s.Len())
	for v := range s.Elements() {
		out = append(out, v)
	}
	return out
}

// quoteText writes a text literal: single quotes unless the text holds some
// and no double quote.
func quoteText(b *strings.Builder, s string) {
	quote := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	b.WriteRune(quote)
	for _, r := range s {
		switch {
		case r == quote || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(b, `\x%02x`, r)
		case r < 0x7f || unicode.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			fmt.Fprintf(b, `\U%08x`, r)
		}
	}
	b.WriteRune(quote)
}

func quoteBytes(b *strings.Builder, s string) {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	b.WriteByte('b')
	b.WriteByte(quote)
	for i := range len(s) {
		switch c := s[i]; {
		case c == quote || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte(quote)
}

// asciiText escapes everything beyond ASCII, as ascii() does.
func asciiText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf:
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

// floatText is the shortest text that reads back as f, in Python's style.
func floatText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// isASCII tells whether byte and character positions agree.
func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// textLen counts characters.
func textLen(s string) int { return utf8.RuneCountInString(s) }

// textSlice returns the characters lo..hi of s.
func textSlice(s string, lo, hi int) string {
	if isASCII(s) {
		return s[lo:hi]
	}
	start, n := -1, 0
	for i := range s {
		if n == lo {
			start = i
		}
		if n == hi {
			return s[start:i]
		}
		n++
	}
	if start < 0 {
		return ""
	}
	return s[start:]
}
