package expression

import (
	"math"
	"math/big"

	"go.starlark.net/starlark"
)

func (e *evaluation) intOp(op string, x, y starlark.Int) (starlark.Value, error) {
	size := 0
	switch op {
	case "/":
		if y.Sign() == 0 {
			return nil, raise(excZeroDivision, "division by zero")
		}
		return divideInts(x, y)
	case "//":
		if y.Sign() == 0 {
			return nil, raise(excZeroDivision, "integer division or modulo by zero")
		}
	case "%":
		if y.Sign() == 0 {
			return nil, raise(excZeroDivision, "integer modulo by zero")
		}
	case "**":
		return e.power(x, y)
	case "*":
		size = bits(x) + bits(y)
	case "+", "-":
		size = max(bits(x), bits(y)) + 1
	case "<<":
		n, ok := y.Int64()
		if y.Sign() < 0 {
			return nil, raise(excValue, "negative shift count")
		}
		if !ok || n > int64(e.limits.IntBits) {
			return nil, e.limit("integer too large")
		}
		size = bits(x) + int(n)
		if size > e.limits.IntBits {
			return nil, e.limit("integer too large")
		}
		return starlark.MakeBigInt(new(big.Int).Lsh(x.BigInt(), uint(n))), nil
	case ">>":
		if y.Sign() < 0 {
			return nil, raise(excValue, "negative shift count")
		}
		n, ok := y.Int64()
		if !ok || n > int64(e.limits.IntBits) {
			n = int64(e.limits.IntBits)
		}
		return starlark.MakeBigInt(new(big.Int).Rsh(x.BigInt(), uint(n))), nil
	}
	if size > e.limits.IntBits {
		return nil, e.limit("integer too large")
	}
	return starlark.Binary(tokens[op], x, y)
}

// divideInts is x / y, also where x and y are too large for a float.
func divideInts(x, y starlark.Int) (starlark.Value, error) {
	if bits(x) <= 53 && bits(y) <= 53 {
		return starlark.Float(float64(x.Float()) / float64(y.Float())), nil
	}
	z, _ := new(big.Rat).SetFrac(x.BigInt(), y.BigInt()).Float64()
	if math.IsInf(z, 0) {
		return nil, raise(excOverflow, "integer division result too large for a float")
	}
	return starlark.Float(z), nil
}

func (e *evaluation) power(x, y starlark.Int) (starlark.Value, error) {
	if y.Sign() < 0 {
		if x.Sign() == 0 {
			return nil, raise(excZeroDivision, "0.0 cannot be raised to a negative power")
		}
		return starlark.Float(math.Pow(float64(x.Float()), float64(y.Float()))), nil
	}
	n, ok := y.Int64()
	if b := int64(bits(x)); b > 1 && (!ok || n > int64(e.limits.IntBits) || b*n > int64(e.limits.IntBits)+b) {
		return nil, e.limit("integer too large")
	}
	if !ok || bits(x) <= 1 {
		// 0, 1 and -1: only the parity of the exponent matters.
		odd := y.BigInt().Bit(0)
		if y.Sign() == 0 {
			return starlark.MakeInt(1), nil
		}
		n = 2 - int64(odd)
	}
	return starlark.MakeBigInt(new(big.Int).Exp(x.BigInt(), big.NewInt(n), nil)), nil
}

func floatOp(op string, x, y float64) (starlark.Value, error) {
	switch op {
	case "+":
		return starlark.Float(x + y), nil
	case "-":
		return starlark.Float(x - y), nil
	case "*":
		return starlark.Float(x * y), nil
	case "/":
		if y == 0 {
			return nil, raise(excZeroDivision, "float division by zero")
		}
		return starlark.Float(x / y), nil
	case "//", "%":
		if y == 0 {
			return nil, raise(excZeroDivision, "%s", map[string]string{"//": "float floor division by zero", "%": "float modulo"}[op])
		}
		div, mod := floorDivide(x, y)
		if op == "%" {
			return starlark.Float(mod), nil
		}
		return starlark.Float(div), nil
	case "**":
		if x == 0 && y < 0 {
			return nil, raise(excZeroDivision, "0.0 cannot be raised to a negative power")
		}
		z := math.Pow(x, y)
		if math.IsNaN(z) && !math.IsNaN(x) && !math.IsNaN(y) {
			return nil, raise(excValue, "complex numbers are not available in expressions")
		}
		if math.IsInf(z, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
			return nil, raise(excOverflow, "(34, 'Numerical result out of range')")
		}
		return starlark.Float(z), nil
	}
	return nil, unsupported(op, starlark.Float(x), starlark.Float(y))
}

// floorDivide returns the quotient, rounded down, and the remainder, which has
// the divisor's sign, also when it is zero.
func floorDivide(x, y float64) (div, mod float64) {
	mod = math.Mod(x, y)
	div = (x - mod) / y
	switch {
	case mod == 0:
		mod = math.Copysign(0, y)
	case (mod < 0) != (y < 0):
		mod += y
		div--
	}
	if div == 0 {
		return math.Copysign(0, x/y), mod
	}
	down := math.Floor(div)
	if div-down > 0.5 {
		down++
	}
	return down, mod
}
