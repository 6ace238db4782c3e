package expression

import (
	"strings"
	"unicode"

	"go.starlark.net/starlark"
	"golang.org/x/text/cases"
)

// textMethods returns the methods of str.
func textMethods() map[string]method {
	return map[string]method{
		"lower":      textFunc(lowerText),
		"upper":      textFunc(upperText),
		"casefold":   textFunc(func(s string) string { return cases.Fold().String(s) }),
		"title":      textFunc(titleText),
		"capitalize": textFunc(func(s string) string { return mapFirst(s, titleRune, lowerText) }),
		"swapcase":   textFunc(swapCase),

		"isdigit":   textTest(unicode.IsDigit),
		"isdecimal": textTest(unicode.IsDigit),
		"isnumeric": textTest(unicode.IsNumber),
		"isalpha":   textTest(unicode.IsLetter),
		"isalnum":   textTest(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }),
		"isspace":   textTest(unicode.IsSpace),
		"istitle":   textIsTitle,
		"isprintable": func(_ *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
			unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
			return starlark.Bool(strings.IndexFunc(string(self.(starlark.String)), unprintable) < 0), nil
		},
		"islower": textCase(unicode.IsUpper, unicode.IsLower),
		"isupper": textCase(unicode.IsLower, unicode.IsUpper),
		"isascii": func(_ *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
			return starlark.Bool(isASCII(string(self.(starlark.String)))), nil
		},
		"isidentifier": func(_ *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
			for i, r := range string(self.(starlark.String)) {
				start := r == '_' || unicode.In(r, unicode.L, unicode.Nl)
				if !start && (i == 0 || !unicode.In(r, unicode.Nd, unicode.Mn, unicode.Mc, unicode.Pc)) {
					return starlark.False, nil
				}
			}
			return self.Truth(), nil
		},

		"strip":        textTrim(true, true),
		"lstrip":       textTrim(true, false),
		"rstrip":       textTrim(false, true),
		"removeprefix": textCut(strings.TrimPrefix),
		"removesuffix": textCut(strings.TrimSuffix),
		"startswith":   textAffix(strings.HasPrefix),
		"endswith":     textAffix(strings.HasSuffix),

		"find":   textFind(strings.Index, false),
		"rfind":  textFind(strings.LastIndex, false),
		"index":  textFind(strings.Index, true),
		"rindex": textFind(strings.LastIndex, true),
		"count":  textCount,

		"split":      textSplit,
		"rsplit":     textRsplit,
		"splitlines": textSplitLines,
		"partition":  textPartition(strings.Index, false),
		"rpartition": textPartition(strings.LastIndex, true),
		"join":       textJoin,
		"replace":    textReplace,
		"format":     formatMethod,
		"encode":     textEncode,

		"zfill":      textZfill,
		"ljust":      textPad('<'),
		"rjust":      textPad('>'),
		"center":     textPad('^'),
		"expandtabs": textExpandTabs,
		"translate":  textTranslate,
	}
}

// textFunc is a method without arguments from text to text.
func textFunc(f func(string) string) method {
	return func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
		if err := c.take(); err != nil {
			return nil, err
		}
		old := string(self.(starlark.String))
		s := f(old)
		if s == old {
			return self, e.text(len(s))
		}
		return starlark.String(s), e.text(len(s))
	}
}

// textTest tells whether every character of a text passes, and there is one.
func textTest(f func(rune) bool) method {
	return func(_ *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
		s := string(self.(starlark.String))
		all := s != "" && strings.IndexFunc(s, func(r rune) bool { return !f(r) }) < 0
		return starlark.Bool(all), nil
	}
}

// textCase tells whether a text has letters of one case and none of the other.
func textCase(without, with func(rune) bool) method {
	return func(_ *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
		s := string(self.(starlark.String))
		return starlark.Bool(strings.IndexFunc(s, without) < 0 && strings.IndexFunc(s, with) >= 0), nil
	}
}

func textTrim(left, right bool) method {
	return func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
		var chars starlark.Value = starlark.None
		if len(c.args) > 0 || len(c.kw) > 0 {
			var err error
			if chars, err = c.one(); err != nil {
				return nil, err
			}
		}
		cut := unicode.IsSpace
		if set, ok := chars.(starlark.String); ok {
			e.work(len(set))
			one := map[rune]bool{}
			for _, r := range string(set) {
				one[r] = true
			}
			cut = func(r rune) bool { return one[r] }
		} else if chars != starlark.None {
			return nil, raise(excType, "strip arg must be None or str")
		}
		s := string(self.(starlark.String))
		if left {
			s = strings.TrimLeftFunc(s, cut)
		}
		if right {
			s = strings.TrimRightFunc(s, cut)
		}
		if len(s) == len(self.(starlark.String)) {
			return self, e.text(len(s))
		}
		return starlark.String(s), e.text(len(s))
	}
}

func textCut(f func(s, affix string) string) method {
	return func(_ *evaluation, self starlark.Value, c call) (starlark.Value, error) {
		var affix string
		if err := c.take("affix", &affix); err != nil {
			return nil, err
		}
		return starlark.String(f(string(self.(starlark.String)), affix)), nil
	}
}

func textAffix(f func(s, affix string) bool) method {
	return func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
		s := string(self.(starlark.String))
		var affix starlark.Value
		if len(c.args) == 1 && len(c.kw) == 0 {
			affix = c.args[0]
		} else {
			var ok bool
			var err error
			if affix, s, ok, err = affixArgs(e, s, c); err != nil {
				return nil, err
			}
			if !ok {
				// Nothing begins or ends there, whatever it is.
				f := func(string, string) bool { return false }
				return anyAffix(c, f, s, affix)
			}
		}
		return anyAffix(c, f, s, affix)
	}
}

// anyAffix tells whether f holds for an affix, or one of several.
func anyAffix(c call, f func(s, affix string) bool, s string, affix starlark.Value) (starlark.Value, error) {
	choices, ok := affix.(starlark.Tuple)
	if !ok {
		a, ok := affix.(starlark.String)
		if !ok {
			return nil, raise(excType, "%s first arg must be str or a tuple of str, not %s", c.name, kindOf(affix))
		}
		return starlark.Bool(f(s, string(a))), nil
	}
	for _, choice := range choices {
		a, ok := choice.(starlark.String)
		if !ok {
			return nil, raise(excType, "tuple for %s must only contain str, not %s", c.name, kindOf(choice))
		}
		if f(s, string(a)) {
			return starlark.True, nil
		}
	}
	return starlark.False, nil
}

// affixArgs reads an affix and the part of s that start and end leave; ok is
// false when there is no such part.
func affixArgs(e *evaluation, s string, c call) (affix starlark.Value, part string, ok bool, err error) {
	var start, end starlark.Value = starlark.None, starlark.None
	if err := c.take("affix", &affix, "start?", &start, "end?", &end); err != nil {
		return nil, "", false, err
	}
	part, before, err := e.textPart(s, start, end)
	return affix, part, before >= 0, err
}

// textPart applies optional start and end to a text and returns the part with
// the number of characters before it; -1 when there is no such part, in which
// not even an empty text is found.
func (e *evaluation) textPart(s string, start, end starlark.Value) (part string, before int, err error) {
	if start == starlark.None && end == starlark.None {
		return s, 0, nil
	}
	n := textLen(s)
	from, to, _, err := bounds(n, start, end, starlark.None)
	if err != nil {
		return "", 0, err
	}
	if first, ok := asInt(start); ok && first.Sign() > 0 {
		if at, fits := first.Int64(); !fits || at > int64(n) {
			return "", -1, nil
		}
	}
	if from > to {
		return "", -1, nil
	}
	return textSlice(s, from, to), from, nil
}

func textFind(f func(s, sub string) int, must bool) method {
	return func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
		var sub string
		var start, end starlark.Value = starlark.None, starlark.None
		if err := c.take("sub", &sub, "start?", &start, "end?", &end); err != nil {
			return nil, err
		}
		s, before, err := e.textPart(string(self.(starlark.String)), start, end)
		if err != nil {
			return nil, err
		}
		e.work(len(s))
		at := -1
		if before >= 0 {
			at = f(s, sub)
		}
		switch {
		case at < 0 && must:
			return nil, raise(excValue, "substring not found")
		case at < 0:
			return starlark.MakeInt(-1), nil
		}
		return starlark.MakeInt(before + textLen(s[:at])), nil
	}
}

func textCount(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
	var sub string
	var start, end starlark.Value = starlark.None, starlark.None
	if err := c.take("sub", &sub, "start?", &start, "end?", &end); err != nil {
		return nil, err
	}
	s, before, err := e.textPart(string(self.(starlark.String)), start, end)
	if err != nil || before < 0 {
		return starlark.MakeInt(0), err
	}
	e.work(len(s))
	return starlark.MakeInt(strings.Count(s, sub)), nil
}
