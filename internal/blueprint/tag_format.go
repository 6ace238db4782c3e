package blueprint

import (
	"fmt"
	"math"
	"math/big"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// format is "!Format [text, argument, ...]", with the conversions of Python's
// % operator, since that is what the published files are written for.
type format struct {
	position
	format value
	args   []value
}

func (a arguments) format() value {
	if len(a.items) == 0 {
		a.fail(a.position, "!Format takes a list: a text with %%s in it, and what to put there")
		return nil
	}
	return &format{a.position, a.items[0], a.items[1:]}
}

func (t *format) resolve(s *scope) (any, error) {
	layout, err := s.resolve(t.format)
	if err != nil {
		return nil, err
	}
	text, ok := layout.(string)
	if !ok {
		return nil, s.fail(t.format.at(), "!Format: the first item must be text, not %s", kindOf(layout))
	}
	args := make([]any, len(t.args))
	for i, arg := range t.args {
		if args[i], err = s.resolve(arg); err != nil {
			return nil, err
		}
	}
	out, err := percent(text, args)
	if err != nil {
		return nil, s.fail(t.position, "!Format: %v", err)
	}
	return out, s.spend(t, len(out))
}

// maxField bounds width and precision of one conversion.
const maxField = 1000

// verb is one parsed conversion: "%-10.3s".
type verb struct {
	left, plus, blank, alternate, zero bool

	width, precision int // -1 when not given
	letter           byte
}

// percent formats as Python's "text % (args...)".
func percent(text string, args []any) (string, error) {
	var b strings.Builder
	used := 0
	for {
		before, after, found := strings.Cut(text, "%")
		b.WriteString(before)
		if !found {
			break
		}
		v, rest, err := parseVerb(after)
		if err != nil {
			return "", err
		}
		text = rest
		if v.letter == '%' {
			b.WriteByte('%')
			continue
		}
		if used == len(args) {
			return "", fmt.Errorf("the text has more %% signs than there are values (%d)", len(args))
		}
		s, err := v.convert(args[used])
		if err != nil {
			return "", err
		}
		used++
		if b.WriteString(s); b.Len() > MaxBytes {
			return "", fmt.Errorf("the result has more than the %d bytes allowed", MaxBytes)
		}
	}
	if used < len(args) {
		return "", fmt.Errorf("there are %d values, but the text takes only %d", len(args), used)
	}
	return b.String(), nil
}

func parseVerb(s string) (v verb, rest string, err error) {
	v.width, v.precision = -1, -1
	i := 0
flags:
	for ; i < len(s); i++ {
		switch s[i] {
		case '-':
			v.left = true
		case '+':
			v.plus = true
		case ' ':
			v.blank = true
		case '#':
			v.alternate = true
		case '0':
			v.zero = true
		default:
			break flags
		}
	}
	if v.width, i, err = number(s, i); err != nil {
		return v, "", err
	}
	if i < len(s) && s[i] == '.' {
		if v.precision, i, err = number(s, i+1); err != nil {
			return v, "", err
		}
		v.precision = max(v.precision, 0)
	}
	for i < len(s) && strings.IndexByte("hlL", s[i]) >= 0 {
		i++
	}
	if i == len(s) {
		return v, "", fmt.Errorf("the text ends within a %% conversion; write %%%% for a percent sign")
	}
	v.letter = s[i]
	return v, s[i+1:], nil
}

func number(s string, i int) (n, next int, err error) {
	start := i
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	if i == start {
		return -1, i, nil
	}
	n, err = strconv.Atoi(s[start:i])
	if err != nil || n > maxField {
		return 0, i, fmt.Errorf("a width or precision may be at most %d", maxField)
	}
	return n, i, nil
}

func (v verb) convert(arg any) (string, error) {
	switch v.letter {
	case 's', 'r', 'a':
		s := pyText(arg)
		if v.letter != 's' {
			s = pyRepr(arg)
		}
		if r := []rune(s); v.precision >= 0 && len(r) > v.precision {
			s = string(r[:v.precision])
		}
		v.zero = false
		return v.pad("", s), nil
	case 'c':
		if n, ok := arg.(int64); ok && n >= 0 && n <= unicode.MaxRune {
			return v.pad("", string(rune(n))), nil
		}
		if s, ok := arg.(string); ok && len([]rune(s)) == 1 {
			return v.pad("", s), nil
		}
		return "", fmt.Errorf("%%c needs one character, not %s", kindOf(arg))
	case 'd', 'i', 'u', 'x', 'X', 'o':
		return v.whole(arg)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		return v.fraction(arg)
	}
	return "", fmt.Errorf("the conversion %%%c is not known", v.letter)
}

func (v verb) whole(arg any) (string, error) {
	n := new(big.Int)
	switch a := arg.(type) {
	case int64:
		n.SetInt64(a)
	case bool:
		if a {
			n.SetInt64(1)
		}
	case float64:
		if strings.IndexByte("xXo", v.letter) >= 0 {
			return "", fmt.Errorf("%%%c needs a whole number", v.letter)
		}
		big.NewFloat(math.Trunc(a)).Int(n)
	default:
		return "", fmt.Errorf("%%%c needs a number, not %s", v.letter, kindOf(arg))
	}
	sign, base, prefix := v.sign(n.Sign() < 0), 10, ""
	switch v.letter {
	case 'x', 'X':
		base, prefix = 16, "0x"
	case 'o':
		base, prefix = 8, "0o"
	}
	digits := n.Abs(n).Text(base)
	if v.precision > len(digits) {
		digits = strings.Repeat("0", v.precision-len(digits)) + digits
	}
	if v.alternate {
		sign += prefix
	}
	if v.letter == 'X' {
		digits, sign = strings.ToUpper(digits), strings.ToUpper(sign)
	}
	return v.pad(sign, digits), nil
}

func (v verb) fraction(arg any) (string, error) {
	var f float64
	switch a := arg.(type) {
	case float64:
		f = a
	case int64:
		f = float64(a)
	case bool:
		if a {
			f = 1
		}
	default:
		return "", fmt.Errorf("%%%c needs a number, not %s", v.letter, kindOf(arg))
	}
	precision := v.precision
	if precision < 0 {
		precision = 6
	}
	layout := "%.*" + string(v.letter)
	if v.alternate {
		layout = "%#.*" + string(v.letter)
	}
	return v.pad(v.sign(math.Signbit(f)), fmt.Sprintf(layout, precision, math.Abs(f))), nil
}

func (v verb) sign(negative bool) string {
	switch {
	case negative:
		return "-"
	case v.plus:
		return "+"
	case v.blank:
		return " "
	}
	return ""
}

// pad fills up to the width: zeros go between the sign and the digits.
func (v verb) pad(sign, s string) string {
	missing := v.width - len([]rune(sign+s))
	switch {
	case missing <= 0:
		return sign + s
	case v.left:
		return sign + s + strings.Repeat(" ", missing)
	case v.zero:
		return sign + strings.Repeat("0", missing) + s
	}
	return strings.Repeat(" ", missing) + sign + s
}

// pyText writes a value as Python's str does.
func pyText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return pyRepr(v)
}

// pyRepr writes a value as Python's repr does. Members of a mapping come in
// the order of their keys.
func pyRepr(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return pyFloat(v)
	case time.Time:
		return timeText(v)
	case string:
		quote := "'"
		if strings.Contains(v, "'") && !strings.Contains(v, `"`) {
			quote = `"`
		}
		return quote + strings.NewReplacer(`\`, `\\`, quote, `\`+quote, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(v) + quote
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = pyRepr(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		parts := make([]string, 0, len(v))
		for key, item := range v {
			parts = append(parts, pyRepr(key)+": "+pyRepr(item))
		}
		sort.Strings(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(v)
}

// pyFloat writes the shortest text that reads back, with an exponent outside
// of 1e-4 to 1e16.
func pyFloat(f float64) string {
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
