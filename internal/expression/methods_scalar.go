package expression

import (
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"strings"

	"go.starlark.net/starlark"
)

// bytesMethods returns the methods of bytes.
func bytesMethods() map[string]method {
	affix := func(f func(s, affix string) bool) method {
		return func(_ *evaluation, self starlark.Value, c call) (starlark.Value, error) {
			v, err := c.one()
			if err != nil {
				return nil, err
			}
			b, ok := v.(starlark.Bytes)
			if !ok {
				return nil, raise(excType, "%s first arg must be bytes, not %s", c.name, kindOf(v))
			}
			return starlark.Bool(f(string(self.(starlark.Bytes)), string(b))), nil
		}
	}
	return map[string]method{
		"decode": func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
			encoding, errs := "utf-8", "strict"
			if err := c.take("encoding?", &encoding, "errors?", &errs); err != nil {
				return nil, err
			}
			return decodeBytes(e, string(self.(starlark.Bytes)), encoding, errs)
		},
		"hex": func(e *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
			b := self.(starlark.Bytes)
			return starlark.String(hex.EncodeToString([]byte(b))), e.text(2 * len(b))
		},
		"strip": func(_ *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
			return starlark.Bytes(strings.Trim(string(self.(starlark.Bytes)), " \t\n\r\v\f")), nil
		},
		"startswith": affix(strings.HasPrefix), "endswith": affix(strings.HasSuffix),
	}
}

// numberMethods returns the methods of int and float.
func numberMethods() map[string]method {
	return map[string]method{
		"bit_length": func(_ *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
			i, ok := asInt(self)
			if !ok {
				return nil, missingAttr(self, "bit_length")
			}
			return starlark.MakeInt(bits(i)), nil
		},
		"is_integer": func(_ *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
			f, _ := asFloat(self)
			return starlark.Bool(f == math.Trunc(f)), nil
		},
	}
}

// toInt is int(v[, base]).
func (e *evaluation) toInt(v starlark.Value, base int) (starlark.Value, error) {
	switch v := v.(type) {
	case starlark.Float:
		i, err := starlark.NumberToInt(starlark.Float(math.Trunc(float64(v))))
		if err != nil {
			if v != v {
				return nil, raise(excValue, "cannot convert float NaN to integer")
			}
			return nil, raise(excOverflow, "cannot convert float infinity to integer")
		}
		return i, nil
	case starlark.String:
		s := strings.TrimSpace(string(v))
		text := strings.ToLower(s)
		if len(text) > 1300 {
			return nil, e.limit("integer too large")
		}
		neg, given := strings.HasPrefix(text, "-"), base
		if text != "" && (text[0] == '+' || text[0] == '-') {
			text = text[1:]
		}
		prefixes := map[int]string{16: "0x", 8: "0o", 2: "0b"}
		if p, ok := prefixes[base]; ok {
			text = strings.TrimPrefix(text, p)
		}
		if base == 0 && !strings.HasPrefix(text, "0x") && !strings.HasPrefix(text, "0o") && !strings.HasPrefix(text, "0b") {
			base = 10
			if strings.HasPrefix(text, "0") && strings.Trim(text, "0_") != "" {
				text = "" // a number that begins with a zero is none
			}
		}
		n, ok := new(big.Int), text != "" && !strings.ContainsAny(text[:1], "+-") && !strings.HasPrefix(text, "_") &&
			!strings.HasSuffix(text, "_") && !strings.Contains(text, "__")
		if ok {
			_, ok = n.SetString(strings.ReplaceAll(text, "_", ""), base)
		}
		if !ok {
			return nil, raise(excValue, "invalid literal for int() with base %d: %s", given, repr(v))
		}
		if neg {
			n.Neg(n)
		}
		return starlark.MakeBigInt(n), nil
	}
	if i, ok := asInt(v); ok {
		return i, nil
	}
	if n, ok := v.(interface{ asInteger() starlark.Int }); ok {
		return n.asInteger(), nil
	}
	return nil, raise(excType, "int() argument must be a string, a bytes-like object or a real number, not '%s'", kindOf(v))
}

// parseFloat is float(text).
func parseFloat(s string) (starlark.Value, error) {
	text := strings.ToLower(strings.TrimSpace(s))
	f, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
	if err != nil && !math.IsInf(f, 0) || strings.ContainsAny(text, "xp") {
		return nil, raise(excValue, "could not convert string to float: %s", repr(starlark.String(s)))
	}
	return starlark.Float(f), nil
}
