package expression

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.starlark.net/starlark"
)

func fnAbs(e *evaluation, c call) (starlark.Value, error) {
	v, err := c.one()
	if err != nil {
		return nil, err
	}
	if f, ok := v.(starlark.Float); ok {
		return starlark.Float(math.Abs(float64(f))), nil
	}
	if i, ok := asInt(v); ok {
		if i.Sign() < 0 {
			return starlark.MakeInt(0).Sub(i), nil
		}
		return i, nil
	}
	return nil, raise(excType, "bad operand type for abs(): '%s'", kindOf(v))
}

func fnRound(e *evaluation, c call) (starlark.Value, error) {
	var v starlark.Value
	var digits starlark.Value = starlark.None
	if err := c.take("number", &v, "ndigits?", &digits); err != nil {
		return nil, err
	}
	n, _ := asInt(digits)
	nd, _ := n.Int64()
	if i, ok := asInt(v); ok {
		if nd >= 0 {
			return i, nil
		}
		if nd < -400 {
			return starlark.MakeInt(0), nil
		}
		unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(-nd), nil)
		q := new(big.Rat).SetFrac(i.BigInt(), unit)
		return starlark.MakeBigInt(new(big.Int).Mul(halfEven(q), unit)), nil
	}
	f, ok := v.(starlark.Float)
	if !ok {
		return nil, raise(excType, "type %s doesn't define __round__ method", kindOf(v))
	}
	if digits == starlark.None {
		return e.toInt(starlark.Float(math.RoundToEven(float64(f))), 10)
	}
	if nd >= 0 {
		out, _ := strconv.ParseFloat(strconv.FormatFloat(float64(f), 'f', int(min(nd, 320)), 64), 64)
		return starlark.Float(out), nil
	}
	unit := math.Pow(10, float64(-nd))
	return starlark.Float(math.RoundToEven(float64(f)/unit) * unit), nil
}

func halfEven(q *big.Rat) *big.Int {
	two := new(big.Rat).Mul(q, big.NewRat(2, 1))
	n := new(big.Int).Add(two.Num(), two.Denom()) // floor(q + 1/2)
	d := new(big.Int).Mul(two.Denom(), big.NewInt(2))
	floor, rem := new(big.Int).DivMod(n, d, new(big.Int))
	if rem.Sign() == 0 && floor.Bit(0) == 1 {
		floor.Sub(floor, big.NewInt(1))
	}
	return floor
}

func fnChr(_ *evaluation, c call) (starlark.Value, error) {
	v, err := c.one()
	if err != nil {
		return nil, err
	}
	i, ok := asInt(v)
	if !ok {
		return nil, raise(excType, "'%s' object cannot be interpreted as an integer", kindOf(v))
	}
	n, ok := i.Int64()
	if !ok || n > math.MaxInt32 || n < math.MinInt32 {
		return nil, raise(excOverflow, "Python int too large to convert to C int")
	}
	if n < 0 || n > 0x10ffff || !utf8.ValidRune(rune(n)) {
		return nil, raise(excValue, "chr() arg not in range(0x110000)")
	}
	return starlark.String(rune(n)), nil
}

func fnOrd(_ *evaluation, c call) (starlark.Value, error) {
	s := ""
	if err := c.take("c", &s); err != nil {
		return nil, err
	}
	if textLen(s) != 1 {
		return nil, raise(excType, "ord() expected a character, but string of length %d found", textLen(s))
	}
	r, _ := utf8.DecodeRuneInString(s)
	return starlark.MakeInt(int(r)), nil
}

func fnBase(prefix string, base int) fn {
	return func(_ *evaluation, c call) (starlark.Value, error) {
		v, err := c.one()
		if err != nil {
			return nil, err
		}
		i, ok := asInt(v)
		if !ok {
			return nil, raise(excType, "'%s' object cannot be interpreted as an integer", kindOf(v))
		}
		text := i.BigInt().Text(base)
		if digits, neg := strings.CutPrefix(text, "-"); neg {
			return starlark.String("-" + prefix + digits), nil
		}
		return starlark.String(prefix + text), nil
	}
}

func fnDivmod(e *evaluation, c call) (starlark.Value, error) {
	var x, y starlark.Value
	if err := c.take("x", &x, "y", &y); err != nil {
		return nil, err
	}
	q, err := e.binaryOp("//", x, y)
	if err != nil {
		return nil, err
	}
	r, err := e.binaryOp("%", x, y)
	return starlark.Tuple{q, r}, err
}

func fnPow(e *evaluation, c call) (starlark.Value, error) {
	var x, y starlark.Value
	var m starlark.Value = starlark.None
	if err := c.take("base", &x, "exp", &y, "mod?", &m); err != nil {
		return nil, err
	}
	if m == starlark.None {
		return e.binaryOp("**", x, y)
	}
	xi, a := asInt(x)
	yi, b := asInt(y)
	mi, d := asInt(m)
	switch {
	case !a || !b || !d:
		return nil, raise(excType, "pow() 3rd argument not allowed unless all arguments are integers")
	case mi.Sign() == 0:
		return nil, raise(excValue, "pow() 3rd argument cannot be 0")
	case yi.Sign() < 0:
		return nil, raise(excValue, "pow() with a modulus wants a positive exponent")
	}
	limbs := bits(mi)/64 + 1
	e.work(8 * (bits(yi) * limbs * limbs / 10))
	if err := e.tick(); err != nil {
		return nil, err
	}
	z := new(big.Int).Exp(xi.BigInt(), yi.BigInt(), new(big.Int).Abs(mi.BigInt()))
	return e.binaryOp("%", starlark.MakeBigInt(z), mi)
}

func fnRepr(e *evaluation, c call) (starlark.Value, error) {
	v, err := c.one()
	if err != nil {
		return nil, err
	}
	s := repr(v)
	return starlark.String(s), e.text(len(s))
}

func fnASCII(e *evaluation, c call) (starlark.Value, error) {
	v, err := c.one()
	if err != nil {
		return nil, err
	}
	s := asciiText(repr(v))
	return starlark.String(s), e.text(len(s))
}

func fnFormat(e *evaluation, c call) (starlark.Value, error) {
	var v starlark.Value
	spec := ""
	if err := c.take("value", &v, "format_spec?", &spec); err != nil {
		return nil, err
	}
	s, err := e.format(v, spec)
	if err != nil {
		return nil, err
	}
	return starlark.String(s), e.text(len(s))
}
