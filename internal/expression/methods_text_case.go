package expression

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"go.starlark.net/starlark"
	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// upperText and lowerText map letters that become several, too, as Python does.
func upperText(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

func lowerText(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return cases.Lower(language.Und).String(s)
}

// titleRune is a letter as it begins a word.
func titleRune(r rune) string {
	if r < utf8.RuneSelf {
		return string(unicode.ToTitle(r))
	}
	return cases.Title(language.Und, cases.NoLower).String(string(r))
}

func mapFirst(s string, first func(rune) string, rest func(string) string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return first(r) + rest(s[n:])
}

func titleText(s string) string {
	var b strings.Builder
	inWord := false
	for _, r := range s {
		if inWord {
			b.WriteRune(unicode.ToLower(r))
		} else {
			b.WriteString(titleRune(r))
		}
		inWord = unicode.IsLetter(r)
	}
	return b.String()
}

// textIsTitle tells whether capitals begin words and small letters go on, and
// there is a capital.
func textIsTitle(_ *evaluation, self starlark.Value, _ call) (starlark.Value, error) {
	cased, found := false, false
	for _, r := range string(self.(starlark.String)) {
		switch {
		case unicode.IsUpper(r), unicode.IsTitle(r):
			if cased {
				return starlark.False, nil
			}
			cased, found = true, true
		case unicode.IsLower(r):
			if !cased {
				return starlark.False, nil
			}
		default:
			cased = false
		}
	}
	return starlark.Bool(found), nil
}

func swapCase(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case unicode.IsUpper(r):
			b.WriteString(lowerText(s[i : i+utf8.RuneLen(r)]))
		case unicode.IsLower(r):
			b.WriteString(upperText(s[i : i+utf8.RuneLen(r)]))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// textExpandTabs fills up to the next column that is a multiple of the size.
func textExpandTabs(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
	size := 8
	if err := c.take("tabsize?", &size); err != nil {
		return nil, err
	}
	var b strings.Builder
	column := 0
	for _, r := range string(self.(starlark.String)) {
		switch r {
		case '\t':
			if size <= 0 {
				continue
			}
			n := size - column%size
			if err := e.text(n); err != nil {
				return nil, err
			}
			b.WriteString(strings.Repeat(" ", n))
			column += n
		case '\n', '\r':
			b.WriteRune(r)
			column = 0
		default:
			b.WriteRune(r)
			column++
		}
	}
	return starlark.String(b.String()), e.text(b.Len())
}
