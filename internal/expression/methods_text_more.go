package expression

import (
	"strings"
	"unicode/utf8"

	"go.starlark.net/starlark"
)

func textZfill(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
	var width int
	if err := c.take("width", &width); err != nil {
		return nil, err
	}
	s := string(self.(starlark.String))
	n := width - textLen(s)
	if n <= 0 {
		return self, nil
	}
	if err := e.text(width); err != nil {
		return nil, err
	}
	if s != "" && (s[0] == '+' || s[0] == '-') {
		return starlark.String(s[:1] + strings.Repeat("0", n) + s[1:]), nil
	}
	return starlark.String(strings.Repeat("0", n) + s), nil
}

func textPad(align byte) method {
	return func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
		width, fill := 0, " "
		if err := c.take("width", &width, "fillchar?", &fill); err != nil {
			return nil, err
		}
		if utf8.RuneCountInString(fill) != 1 {
			return nil, raise(excType, "The fill character must be exactly one character long")
		}
		if width > 1<<40 {
			return nil, e.limit("too much text")
		}
		if err := e.text(max(width, 0) * len(fill)); err != nil {
			return nil, err
		}
		s := string(self.(starlark.String))
		n := width - textLen(s)
		if align == '^' && n > 0 {
			// Python puts the odd one to the left when the width is odd.
			left := n/2 + n&width&1
			return starlark.String(strings.Repeat(fill, left) + s + strings.Repeat(fill, n-left)), nil
		}
		return starlark.String(formatSpec{fill: fill, width: width, align: align}.pad("", s, align)), nil
	}
}

func textTranslate(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
	v, err := c.one()
	if err != nil {
		return nil, err
	}
	table, err := e.asDict(v)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, r := range string(self.(starlark.String)) {
		to, found, _ := table.Get(starlark.MakeInt(int(r)))
		if s, ok := to.(starlark.String); ok {
			if err := e.text(len(s)); err != nil {
				return nil, err
			}
		}
		switch to := to.(type) {
		case starlark.String:
			b.WriteString(string(to))
		case starlark.Int:
			n, _ := to.Int64()
			b.WriteRune(rune(n))
		default:
			if !found {
				b.WriteRune(r)
			}
		}
		if err := e.text(1); err != nil {
			return nil, err
		}
	}
	return starlark.String(b.String()), e.text(b.Len())
}

func encodingName(name string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name))
}

func textEncode(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
	encoding, errs := "utf-8", "strict"
	if err := c.take("encoding?", &encoding, "errors?", &errs); err != nil {
		return nil, err
	}
	s := string(self.(starlark.String))
	limit := rune(0x10ffff)
	switch encodingName(encoding) {
	case "utf8":
		return starlark.Bytes(s), e.text(len(s))
	case "ascii", "usascii":
		limit = 0x7f
	case "latin1", "iso88591":
		limit = 0xff
	default:
		return nil, raise(excLookup, "unknown encoding: %s", encoding)
	}
	var out []byte
	for _, r := range s {
		switch {
		case r <= limit:
			out = append(out, byte(r))
		case errs == "ignore":
		case errs == "replace":
			out = append(out, '?')
		default:
			return nil, raise(excUnicodeEncode, "'%s' codec can't encode character", encoding)
		}
	}
	return starlark.Bytes(out), e.text(len(out))
}

func decodeBytes(e *evaluation, b, encoding, errs string) (starlark.Value, error) {
	switch encodingName(encoding) {
	case "latin1", "iso88591":
		out := make([]rune, len(b))
		for i := range len(b) {
			out[i] = rune(b[i])
		}
		return starlark.String(out), e.text(2 * len(b))
	case "utf8", "ascii", "usascii":
		ok := utf8.ValidString(b)
		if encodingName(encoding) != "utf8" {
			ok = isASCII(b)
		}
		switch {
		case ok:
		case errs == "ignore":
			b = strings.ToValidUTF8(b, "")
		case errs == "replace":
			b = strings.ToValidUTF8(b, "\ufffd")
		default:
			return nil, decodeError(strings.ToLower(encoding), b)
		}
		return starlark.String(b), e.text(len(b))
	}
	return nil, raise(excLookup, "unknown encoding: %s", encoding)
}

// decodeError says which byte is wrong and why.
func decodeError(encoding, b string) error {
	for i, n := 0, 0; i < len(b); i += n {
		var r rune
		r, n = utf8.DecodeRuneInString(b[i:])
		if r != utf8.RuneError || n > 1 {
			if encodingName(encoding) == "utf8" || r < utf8.RuneSelf {
				continue
			}
		}
		why := "invalid start byte"
		switch {
		case encodingName(encoding) != "utf8":
			why = "ordinal not in range(128)"
		case b[i] >= 0xc2 && b[i] < 0xf5 && !utf8.FullRuneInString(b[i:]):
			why = "unexpected end of data"
		case b[i] >= 0xc2 && b[i] < 0xf5:
			why = "invalid continuation byte"
		}
		return raise(excUnicodeDecode, "'%s' codec can't decode byte 0x%02x in position %d: %s", encoding, b[i], i, why)
	}
	return raise(excUnicodeDecode, "'%s' codec can't decode the bytes", encoding)
}
