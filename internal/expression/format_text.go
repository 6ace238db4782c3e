package expression

import (
	"cmp"
	"strconv"
	"strings"

	"go.starlark.net/starlark"
)

// percent is text % values.
func (e *evaluation) percent(format string, arg starlark.Value) (starlark.Value, error) {
	values, isTuple := arg.(starlark.Tuple)
	if !isTuple {
		values = starlark.Tuple{arg}
	}
	used := 0
	mapped := false
	next := func() (starlark.Value, error) {
		if used >= len(values) {
			return nil, raise(excType, "not enough arguments for format string")
		}
		used++
		return values[used-1], nil
	}
	var b strings.Builder
	for i := 0; i < len(format); {
		if format[i] != '%' {
			b.WriteByte(format[i])
			i++
			continue
		}
		i++
		var v starlark.Value
		if i < len(format) && format[i] == '(' {
			end := strings.IndexByte(format[i:], ')')
			if end < 0 {
				return nil, raise(excValue, "incomplete format key")
			}
			got, err := opIndex(e, call{"", starlark.Tuple{arg, starlark.String(format[i+1 : i+end])}, nil})
			if err != nil {
				return nil, err
			}
			v, mapped = got, true
			i += end + 1
		}
		start := i
		for i < len(format) && strings.IndexByte("#0- +.123456789*", format[i]) >= 0 {
			i++
		}
		if i >= len(format) {
			return nil, raise(excValue, "incomplete format")
		}
		flags, kind := format[start:i], format[i]
		i++
		if kind == '%' {
			b.WriteByte('%')
			continue
		}
		if v == nil {
			var err error
			if v, err = next(); err != nil {
				return nil, err
			}
		}
		s, err := e.percentOne(flags, kind, v)
		if err != nil {
			return nil, err
		}
		b.WriteString(s)
		if err := e.text(len(s)); err != nil {
			return nil, err
		}
	}
	if used < len(values) && !mapped {
		switch arg.(type) {
		case *starlark.Dict, *starlark.List, starlark.Bytes, indexable:
			// What can be indexed may be there for named values alone.
		default:
			return nil, raise(excType, "not all arguments converted during string formatting")
		}
	}
	return starlark.String(b.String()), e.text(b.Len())
}

func (e *evaluation) percentOne(flags string, kind byte, v starlark.Value) (string, error) {
	spec := ""
	if strings.Contains(flags, "*") {
		return "", raise(excValue, "* wants int")
	}
	left := strings.Contains(flags, "-")
	zero := strings.HasPrefix(strings.TrimLeft(flags, "#- +"), "0") && !left
	sign := ""
	if strings.Contains(flags, "+") {
		sign = "+"
	} else if strings.Contains(flags, " ") {
		sign = " "
	}
	size := strings.TrimLeft(flags, "#- +0")
	alt := ""
	if strings.Contains(flags, "#") {
		alt = "#"
	}
	align := ">"
	if left {
		align = "<"
	} else if zero {
		align = "0="
	}
	switch kind {
	case 's', 'r', 'a':
		if zero {
			align = ">"
		}
		spec = align + size
		return e.format(e.convert(v, string(kind)), spec)
	case 'd', 'i', 'u':
		if f, ok := v.(starlark.Float); ok {
			i, err := e.toInt(f, 10)
			if err != nil {
				return "", err
			}
			v = i
		}
		kind = 'd'
		fallthrough
	case 'x', 'X', 'o':
		if _, ok := asInt(v); !ok {
			return "", raise(excType, "%%%c format: a real number is required, not %s", kind, kindOf(v))
		}
		size, digits, ok := strings.Cut(size, ".")
		if !ok {
			return e.format(v, align+sign+alt+size+string(kind))
		}
		return e.percentDigits(v, strings.TrimPrefix(align, "0="), sign+alt, size, digits, kind)
	case 'f', 'F', 'e', 'E', 'g', 'G':
		if _, ok := asFloat(v); !ok {
			return "", raise(excType, "must be real number, not %s", kindOf(v))
		}
		return e.format(v, align+sign+alt+size+string(kind))
	case 'c':
		if i, ok := asInt(v); ok {
			return e.format(i, align+size+"c")
		}
		if s, ok := v.(starlark.String); !ok || textLen(string(s)) != 1 {
			return "", raise(excType, "%%c requires int or char")
		}
		return e.format(v, align+size)
	}
	return "", raise(excValue, "unsupported format character '%c' (0x%x)", kind, kind)
}

// percentDigits writes an integer with at least as many digits as asked for.
func (e *evaluation) percentDigits(v starlark.Value, align, flags, size, digits string, kind byte) (string, error) {
	i, _ := asInt(v)
	sign := strings.Trim(flags, "#")
	if i.Sign() < 0 {
		sign, i = "-", starlark.MakeInt(0).Sub(i)
	}
	prefix := ""
	if strings.Contains(flags, "#") && kind != 'd' {
		prefix = "0" + string(kind)
	}
	body, err := e.format(i, "0"+digits+string(kind))
	if err != nil {
		return "", err
	}
	return e.format(starlark.String(sign+prefix+body), cmp.Or(align, ">")+size)
}

// formatMethod is text.format(...). Fields name positional or named arguments
// and follow attributes and items; names with two underscores lead nowhere.
func formatMethod(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
	named := map[string]starlark.Value{}
	for _, kv := range c.kw {
		named[string(kv[0].(starlark.String))] = kv[1]
	}
	auto := 0
	s, err := e.fields(string(self.(starlark.String)), c.args, named, &auto, 0)
	if err != nil {
		return nil, err
	}
	return starlark.String(s), e.text(len(s))
}

func (e *evaluation) fields(format string, args starlark.Tuple, named map[string]starlark.Value, auto *int, level int) (string, error) {
	if level > 2 {
		return "", raise(excValue, "Max string recursion exceeded")
	}
	var b strings.Builder
	for i := 0; i < len(format); {
		c := format[i]
		switch {
		case (c == '{' || c == '}') && i+1 < len(format) && format[i+1] == c:
			b.WriteByte(c)
			i += 2
		case c == '}':
			return "", raise(excValue, "Single '}' encountered in format string")
		case c == '{':
			depth, end := 0, -1
			for j := i; j < len(format) && end < 0; j++ {
				switch format[j] {
				case '{':
					depth++
				case '}':
					if depth--; depth == 0 {
						end = j
					}
				}
			}
			if end < 0 {
				return "", raise(excValue, "expected '}' before end of string")
			}
			s, err := e.field(format[i+1:end], args, named, auto, level)
			if err != nil {
				return "", err
			}
			if err := e.text(len(s)); err != nil {
				return "", err
			}
			b.WriteString(s)
			i = end + 1
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String(), nil
}

func (e *evaluation) field(text string, args starlark.Tuple, named map[string]starlark.Value, auto *int, level int) (string, error) {
	name, spec, _ := strings.Cut(text, ":")
	conv := ""
	if i := strings.IndexByte(name, '!'); i >= 0 {
		name, conv = name[:i], name[i+1:]
	}
	spec, err := e.fields(spec, args, named, auto, level+1)
	if err != nil {
		return "", err
	}
	first := name
	if i := strings.IndexAny(name, ".["); i >= 0 {
		first = name[:i]
	}
	rest := name[len(first):]
	var v starlark.Value
	if first == "" {
		first = strconv.Itoa(*auto)
		*auto++
	}
	if n, nerr := strconv.Atoi(first); nerr == nil {
		if n < 0 || n >= len(args) {
			return "", raise(excIndex, "Replacement index %d out of range for positional args tuple", n)
		}
		v = args[n]
	} else if got, ok := named[first]; ok {
		v = got
	} else {
		return "", &exception{class: excKey, args: starlark.Tuple{starlark.String(first)}}
	}
	if v, err = e.follow(v, rest); err != nil {
		return "", err
	}
	return e.format(e.convert(v, conv), spec)
}

// follow applies .name and [key] parts of a format field.
func (e *evaluation) follow(v starlark.Value, path string) (starlark.Value, error) {
	for path != "" {
		var err error
		if path[0] == '.' {
			end := strings.IndexAny(path[1:], ".[")
			if end < 0 {
				end = len(path) - 1
			}
			v, err = opAttr(e, call{"", starlark.Tuple{v, starlark.String(path[1 : 1+end])}, nil})
			path = path[1+end:]
		} else {
			end := strings.IndexByte(path, ']')
			if path[0] != '[' || end < 0 {
				return nil, raise(excValue, "Missing ']' in format string")
			}
			var key starlark.Value = starlark.String(path[1:end])
			if n, nerr := strconv.Atoi(path[1:end]); nerr == nil {
				key = starlark.MakeInt(n)
			}
			v, err = opIndex(e, call{"", starlark.Tuple{v, key}, nil})
			path = path[end+1:]
		}
		if err != nil {
			return nil, err
		}
	}
	return v, nil
}
