package expression

import (
	"math"
	"strconv"
	"strings"

	"go.starlark.net/starlark"
)

// formatSpec is [[fill]align][sign][#][0][width][grouping][.precision][type].
type formatSpec struct {
	fill      string
	align     byte
	sign      byte
	alt       bool
	width     int
	grouping  string
	precision int // -1 when not given
	kind      byte
}

func parseSpec(s string) (formatSpec, error) {
	f := formatSpec{fill: " ", precision: -1}
	whole := s
	runes := []rune(s)
	isAlign := func(r rune) bool { return strings.ContainsRune("<>^=", r) }
	switch {
	case len(runes) > 1 && isAlign(runes[1]):
		f.fill, f.align = string(runes[0]), byte(runes[1])
		runes = runes[2:]
	case len(runes) > 0 && isAlign(runes[0]):
		f.align = byte(runes[0])
		runes = runes[1:]
	}
	s = string(runes)
	if s != "" && strings.Contains("+- ", s[:1]) {
		f.sign, s = s[0], s[1:]
	}
	if strings.HasPrefix(s, "#") {
		f.alt, s = true, s[1:]
	}
	if strings.HasPrefix(s, "0") {
		s = s[1:]
		if f.align == 0 {
			f.fill, f.align = "0", '='
		}
	}
	number := func() int {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		v := -1
		if n > 0 {
			v, _ = strconv.Atoi(s[:min(n, 9)])
		}
		s = s[n:]
		return v
	}
	f.width = max(number(), 0)
	if s != "" && (s[0] == ',' || s[0] == '_') {
		f.grouping, s = s[:1], s[1:]
	}
	if strings.HasPrefix(s, ".") {
		s = s[1:]
		if f.precision = number(); f.precision < 0 {
			return f, raise(excValue, "Format specifier missing precision")
		}
	}
	if len(s) > 1 {
		return f, raise(excValue, "Invalid format specifier '%s'", whole)
	}
	if s != "" {
		f.kind = s[0]
	}
	if f.width > 1<<16 || f.precision > 1000 {
		return f, raise(excValue, "width or precision too large in format specifier")
	}
	return f, nil
}

// formatter is a host value with a format of its own, such as a datetime.
type formatter interface {
	format(e *evaluation, spec string) (string, error)
}

// format is format(v, spec).
func (e *evaluation) format(v starlark.Value, spec string) (string, error) {
	if spec == "" {
		return str(v), nil
	}
	if f, ok := v.(formatter); ok {
		return f.format(e, spec)
	}
	f, err := parseSpec(spec)
	if err != nil {
		if !formatted(v) {
			return "", raise(excType, "unsupported format string passed to %s.__format__", kindOf(v))
		}
		return "", err
	}
	if s, ok := v.(starlark.String); ok {
		return f.text(string(s))
	}
	if i, ok := asInt(v); ok && !strings.ContainsRune("eEfFgG%", rune(f.kind)) {
		return f.integer(i)
	}
	if x, ok := asFloat(v); ok {
		return f.float(x)
	}
	if (f.kind == 's' || f.kind == 0) && formatted(v) {
		return f.text(str(v))
	}
	return "", raise(excType, "unsupported format string passed to %s.__format__", kindOf(v))
}

// formatted tells whether the type of v has formats of its own.
func formatted(v starlark.Value) bool {
	switch v.(type) {
	case starlark.String, starlark.Int, starlark.Float, starlark.Bool, object:
		return true
	}
	return false
}

func (f formatSpec) unknown(kind string) error {
	return raise(excValue, "Unknown format code '%c' for object of type '%s'", f.kind, kind)
}

func (f formatSpec) text(s string) (string, error) {
	if f.kind != 0 && f.kind != 's' {
		return "", f.unknown("str")
	}
	switch {
	case f.sign != 0:
		return "", raise(excValue, "Sign not allowed in string format specifier")
	case f.grouping != "":
		return "", raise(excValue, "Cannot specify '%s' with 's'.", f.grouping)
	}
	if f.precision >= 0 && textLen(s) > f.precision {
		s = textSlice(s, 0, f.precision)
	}
	if f.align == '=' {
		f.align = '<'
	}
	return f.pad("", s, '<'), nil
}

// pad brings prefix and body to the width; "=" puts the fill between them.
func (f formatSpec) pad(prefix, body string, align byte) string {
	n := f.width - textLen(prefix) - textLen(body)
	if n <= 0 {
		return prefix + body
	}
	if f.align != 0 {
		align = f.align
	}
	fill := strings.Repeat(f.fill, n)
	switch align {
	case '<':
		return prefix + body + fill
	case '>':
		return fill + prefix + body
	case '=':
		return prefix + fill + body
	}
	left := n / 2
	return strings.Repeat(f.fill, left) + prefix + body + strings.Repeat(f.fill, n-left)
}

func (f formatSpec) signOf(negative bool) string {
	switch {
	case negative:
		return "-"
	case f.sign == '+':
		return "+"
	case f.sign == ' ':
		return " "
	}
	return ""
}

func (f formatSpec) integer(i starlark.Int) (string, error) {
	base, prefix := 10, ""
	switch f.kind {
	case 0, 'd', 'n':
	case 'b':
		base, prefix = 2, "0b"
	case 'o':
		base, prefix = 8, "0o"
	case 'x', 'X':
		base, prefix = 16, "0x"
	case 'c':
		n, ok := i.Int64()
		if !ok || n < 0 || n > 0x10ffff {
			return "", raise(excOverflow, "%%c arg not in range(0x110000)")
		}
		return f.pad("", string(rune(n)), '<'), nil
	default:
		return "", f.unknown("int")
	}
	if f.precision >= 0 {
		return "", raise(excValue, "Precision not allowed in integer format specifier")
	}
	digits := i.BigInt().Text(base)
	digits = strings.TrimPrefix(digits, "-")
	if f.kind == 'X' {
		digits, prefix = strings.ToUpper(digits), "0X"
	}
	if !f.alt {
		prefix = ""
	}
	group := 3
	if base != 10 {
		group = 4
	}
	head := f.signOf(i.Sign() < 0) + prefix
	return f.grouped(head, digits, "", group), nil
}

// grouped separates the digits in groups, also through zero padding.
func (f formatSpec) grouped(head, digits, tail string, group int) string {
	if f.grouping == "" {
		return f.pad(head, digits+tail, '>')
	}
	if f.fill == "0" && f.align == '=' {
		for {
			n := len(digits) + 1
			if len(head)+n+(n-1)/group+len(tail) > f.width {
				break
			}
			digits = "0" + digits
		}
	}
	var b strings.Builder
	for i := range len(digits) {
		if i > 0 && (len(digits)-i)%group == 0 {
			b.WriteString(f.grouping)
		}
		b.WriteByte(digits[i])
	}
	return f.pad(head, b.String()+tail, '>')
}

func (f formatSpec) float(x float64) (string, error) {
	kind, prec, tail := f.kind, f.precision, ""
	if prec < 0 {
		prec = 6
	}
	a := math.Abs(x)
	var body string
	switch kind {
	case '%':
		body, tail = strconv.FormatFloat(a*100, 'f', prec, 64), "%"
	case 'f', 'F':
		body = strconv.FormatFloat(a, 'f', prec, 64)
	case 'e', 'E':
		body = strconv.FormatFloat(a, kind, prec, 64)
	case 'g', 'G', 'n':
		body = general(a, prec, f.alt)
		if kind == 'G' {
			body = strings.ToUpper(body)
		}
	case 0:
		body = floatText(a)
		if f.precision >= 0 {
			body = general(a, prec, false)
			if !strings.ContainsAny(body, ".eni") {
				body += ".0"
			}
		}
	default:
		return "", f.unknown("float")
	}
	switch {
	case math.IsInf(a, 0):
		body = "inf"
	case math.IsNaN(a):
		body = "nan"
	}
	if f.alt && !strings.ContainsAny(body, ".in") {
		mantissa, exponent, scientific := strings.Cut(body, "e")
		if body = mantissa + "."; scientific {
			body += "e" + exponent
		}
	}
	whole, rest := body, ""
	if i := strings.IndexAny(body, ".e"); i >= 0 {
		whole, rest = body[:i], body[i:]
	}
	return f.grouped(f.signOf(math.Signbit(x)), whole, rest+tail, 3), nil
}

// general is the g format: prec significant digits, an exponent outside
// 1e-4..10^prec, no trailing zeros.
func general(a float64, prec int, keep bool) string {
	if prec == 0 {
		prec = 1
	}
	if a == 0 {
		return "0"
	}
	e := strconv.FormatFloat(a, 'e', prec-1, 64)
	mantissa, exponent, _ := strings.Cut(e, "e")
	exp, _ := strconv.Atoi(exponent)
	trim := func(s string) string {
		if strings.Contains(s, ".") && !keep {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		return s
	}
	if exp < -4 || exp >= prec {
		return trim(mantissa) + "e" + exponent
	}
	return trim(strconv.FormatFloat(a, 'f', prec-1-exp, 64))
}

func (e *evaluation) convert(v starlark.Value, conv string) starlark.Value {
	switch conv {
	case "r":
		return starlark.String(repr(v))
	case "s":
		return starlark.String(str(v))
	case "a":
		return starlark.String(asciiText(repr(v)))
	}
	return v
}

func opFormat(e *evaluation, c call) (starlark.Value, error) {
	conv, spec := string(c.args[1].(starlark.String)), str(c.args[2])
	if conv == "" && spec == "" {
		if s, ok := c.args[0].(starlark.String); ok {
			return c.args[0], e.text(len(s))
		}
		s := str(c.args[0])
		return starlark.String(s), e.text(len(s))
	}
	s, err := e.format(e.convert(c.args[0], conv), spec)
	if err != nil {
		return nil, err
	}
	return starlark.String(s), e.text(len(s))
}

func opJoin(e *evaluation, c call) (starlark.Value, error) {
	n := 0
	for _, part := range c.args {
		n += len(part.(starlark.String))
	}
	if err := e.text(n); err != nil {
		return nil, err
	}
	var b strings.Builder
	b.Grow(n)
	for _, part := range c.args {
		b.WriteString(string(part.(starlark.String)))
	}
	return starlark.String(b.String()), nil
}
