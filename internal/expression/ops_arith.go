package expression

import (
	"math"
	mathbits "math/bits"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

var tokens = map[string]syntax.Token{
	"+": syntax.PLUS, "-": syntax.MINUS, "*": syntax.STAR, "/": syntax.SLASH, "//": syntax.SLASHSLASH, "%": syntax.PERCENT,
	"&": syntax.AMP, "|": syntax.PIPE, "^": syntax.CIRCUMFLEX, "<<": syntax.LTLT, ">>": syntax.GTGT,
}

// operand is a host value with operators of its own. It returns nil for what it
// does not support; reversed tells that it stands on the right.
type operand interface {
	binary(e *evaluation, op string, other starlark.Value, reversed bool) (starlark.Value, error)
}

// asInt returns an integer or a bool as integer.
func asInt(v starlark.Value) (starlark.Int, bool) {
	switch v := v.(type) {
	case starlark.Int:
		return v, true
	case starlark.Bool:
		if v {
			return starlark.MakeInt(1), true
		}
		return starlark.MakeInt(0), true
	}
	return starlark.Int{}, false
}

// asFloat returns a number as float.
func asFloat(v starlark.Value) (float64, bool) {
	if f, ok := v.(starlark.Float); ok {
		return float64(f), true
	}
	if i, ok := asInt(v); ok {
		return float64(i.Float()), true
	}
	return 0, false
}

func bits(i starlark.Int) int {
	if n, ok := i.Int64(); ok && n != math.MinInt64 {
		return mathbits.Len64(uint64(max(n, -n)))
	}
	return i.BigInt().BitLen()
}

// binaryOp is x op y with Python's meaning and within the limits.
func (e *evaluation) binaryOp(op string, x, y starlark.Value) (starlark.Value, error) {
	xi, xInt := asInt(x)
	yi, yInt := asInt(y)
	if xInt && yInt {
		_, xBool := x.(starlark.Bool)
		_, yBool := y.(starlark.Bool)
		z, err := e.intOp(op, xi, yi)
		if zi, ok := z.(starlark.Int); ok && xBool && yBool && (op == "&" || op == "|" || op == "^") {
			return starlark.Bool(zi.Sign() != 0), err
		}
		return z, err
	}
	if xf, ok := asFloat(x); ok {
		if yf, ok := asFloat(y); ok {
			if xInt && math.IsInf(xf, 0) || yInt && math.IsInf(yf, 0) {
				return nil, raise(excOverflow, "int too large to convert to float")
			}
			return floatOp(op, xf, yf)
		}
	}
	if o, ok := x.(operand); ok {
		if z, err := o.binary(e, op, y, false); z != nil || err != nil {
			return z, err
		}
	}
	if o, ok := y.(operand); ok {
		if z, err := o.binary(e, op, x, true); z != nil || err != nil {
			return z, err
		}
	}
	switch op {
	case "+":
		return e.concat(x, y)
	case "*":
		if xInt {
			return e.repeat(y, xi)
		}
		if yInt {
			return e.repeat(x, yi)
		}
	case "%":
		if s, ok := x.(starlark.String); ok {
			return e.percent(string(s), y)
		}
	case "-", "&", "|", "^":
		if z, err := e.setOp(op, x, y); z != nil || err != nil {
			return z, err
		}
	}
	return nil, unsupported(op, x, y)
}

func unsupported(op string, x, y starlark.Value) error {
	return raise(excType, "unsupported operand type(s) for %s: '%s' and '%s'", op, kindOf(x), kindOf(y))
}

// concat is + of texts and sequences.
func (e *evaluation) concat(x, y starlark.Value) (starlark.Value, error) {
	switch x := x.(type) {
	case starlark.String:
		if y, ok := y.(starlark.String); ok {
			return x + y, e.text(len(x) + len(y))
		}
		return nil, raise(excType, `can only concatenate str (not "%s") to str`, kindOf(y))
	case starlark.Bytes:
		if y, ok := y.(starlark.Bytes); ok {
			return x + y, e.text(len(x) + len(y))
		}
	case *starlark.List:
		if y, ok := y.(*starlark.List); ok {
			if err := e.elems(x.Len() + y.Len()); err != nil {
				return nil, err
			}
			out := make([]starlark.Value, 0, x.Len()+y.Len())
			out = append(append(out, listItems(x)...), listItems(y)...)
			return starlark.NewList(out), nil
		}
		return nil, raise(excType, `can only concatenate list (not "%s") to list`, kindOf(y))
	case starlark.Tuple:
		if y, ok := y.(starlark.Tuple); ok {
			if err := e.elems(len(x) + len(y)); err != nil {
				return nil, err
			}
			out := make(starlark.Tuple, 0, len(x)+len(y))
			return append(append(out, x...), y...), nil
		}
		return nil, raise(excType, `can only concatenate tuple (not "%s") to tuple`, kindOf(y))
	}
	return nil, unsupported("+", x, y)
}

func listItems(l *starlark.List) []starlark.Value {
	out := make([]starlark.Value, l.Len())
	for i := range out {
		out[i] = l.Index(i)
	}
	return out
}

// repeat is x * n of texts and sequences.
func (e *evaluation) repeat(x starlark.Value, count starlark.Int) (starlark.Value, error) {
	n64, ok := count.Int64()
	if count.Sign() <= 0 {
		n64, ok = 0, true
	}
	size := 0
	switch x := x.(type) {
	case starlark.String:
		size = len(x)
	case starlark.Bytes:
		size = len(x)
	case *starlark.List:
		size = x.Len()
	case starlark.Tuple:
		size = len(x)
	default:
		return nil, unsupported("*", x, count)
	}
	if size > 0 && (!ok || n64 > (1<<40)/int64(size)) {
		return nil, e.limit("repetition too long")
	}
	if size == 0 {
		n64 = 0
	}
	total := size * int(n64)
	switch x := x.(type) {
	case starlark.String, starlark.Bytes:
		if err := e.text(total); err != nil {
			return nil, err
		}
		return starlark.Binary(syntax.STAR, x, starlark.MakeInt64(n64))
	}
	if err := e.elems(total); err != nil {
		return nil, err
	}
	return starlark.Binary(syntax.STAR, x, starlark.MakeInt64(n64))
}

// setOp is one of the operators of sets and dicts; nil when x is neither.
func (e *evaluation) setOp(op string, x, y starlark.Value) (starlark.Value, error) {
	if xd, ok := x.(*starlark.Dict); ok && op == "|" {
		if yd, ok := y.(*starlark.Dict); ok {
			out := starlark.NewDict(xd.Len())
			if err := e.update(out, xd); err != nil {
				return nil, err
			}
			return out, e.update(out, yd)
		}
	}
	xs, ok := x.(*starlark.Set)
	if !ok {
		return nil, nil
	}
	ys, ok := y.(*starlark.Set)
	if !ok {
		return nil, nil
	}
	if err := e.elems(xs.Len() + ys.Len()); err != nil {
		return nil, err
	}
	return starlark.Binary(tokens[op], xs, ys)
}

// update copies all items of a dict into another.
func (e *evaluation) update(to, from *starlark.Dict) error {
	if err := e.elems(from.Len()); err != nil {
		return err
	}
	for _, item := range from.Items() {
		if err := to.SetKey(item[0], item[1]); err != nil {
			return raise(excRuntime, "%s", err)
		}
	}
	return nil
}

// inPlace is x op= y: lists, sets and dicts change themselves.
func (e *evaluation) inPlace(op string, x, y starlark.Value) (starlark.Value, error) {
	switch xv := x.(type) {
	case *starlark.List:
		if op == "+" {
			return xv, e.extend(xv, y)
		}
	case *starlark.Dict:
		if yd, ok := y.(*starlark.Dict); ok && op == "|" {
			return xv, e.update(xv, yd)
		}
	case *starlark.Set:
		if ys, ok := y.(*starlark.Set); ok && op == "|" {
			for _, v := range setItems(ys) {
				if err := e.insert(xv, v); err != nil {
					return nil, err
				}
			}
			return xv, nil
		}
	}
	return e.binaryOp(op, x, y)
}

// unaryOp is +x, -x or ~x.
func (e *evaluation) unaryOp(op string, x starlark.Value) (starlark.Value, error) {
	if i, ok := asInt(x); ok {
		switch op {
		case "-":
			return starlark.MakeInt(0).Sub(i), nil
		case "~":
			return i.Not(), nil
		}
		return i, nil
	}
	if f, ok := x.(starlark.Float); ok && op != "~" {
		if op == "-" {
			return -f, nil
		}
		return f, nil
	}
	if o, ok := x.(operand); ok && op == "-" {
		if z, err := o.binary(e, "neg", starlark.None, false); z != nil || err != nil {
			return z, err
		}
	}
	return nil, raise(excType, "bad operand type for unary %s: '%s'", op, kindOf(x))
}
