package directory

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Key is what e-mail addresses, upns and group names are compared by: NFKC,
// case folded. Two names with one key are the same name.
func Key(s string) string { return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s))) }

// UsernameKey is what user names are compared by: Key, and a name that is
// written only with Cyrillic or Greek letters that look Latin counts as its
// Latin twin, so that the two cannot both register (rule 42).
func UsernameKey(s string) string {
	key := Key(s)
	var b strings.Builder
	for _, r := range key {
		if unicode.IsLetter(r) {
			latin, ok := lookalikes[r]
			if !ok {
				return key
			}
			r = latin
		}
		b.WriteRune(r)
	}
	return b.String()
}

// lookalikes are the folded Cyrillic and Greek letters whose shape, small or
// capital, is that of a Latin letter (Unicode Technical Standard 39,
// confusables).
var lookalikes = map[rune]rune{
	'а': 'a', 'в': 'b', 'с': 'c', 'ԁ': 'd', 'е': 'e', 'һ': 'h', 'н': 'h', 'і': 'i', 'ј': 'j', 'к': 'k', 'ӏ': 'l',
	'м': 'm', 'о': 'o', 'р': 'p', 'ԛ': 'q', 'ѕ': 's', 'т': 't', 'ѵ': 'v', 'ԝ': 'w', 'х': 'x', 'у': 'y', 'ү': 'y',
	'α': 'a', 'β': 'b', 'ε': 'e', 'η': 'n', 'ι': 'i', 'κ': 'k', 'ν': 'v', 'ο': 'o', 'ρ': 'p', 'τ': 't', 'υ': 'u',
	'χ': 'x', 'γ': 'y', 'ζ': 'z',
}

// hidden tells whether a rune shows nothing or steers the display: controls,
// format characters, fillers, surrogates and private use.
func hidden(r rune) bool {
	return unicode.In(r, unicode.C, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector,
		unicode.Zl, unicode.Zp) || r == unicode.ReplacementChar
}

// usernameRune tells whether a user name may hold the rune: ^[\w.@+-]+$.
func usernameRune(r rune) bool {
	return !hidden(r) && (unicode.IsLetter(r) || unicode.IsNumber(r) || strings.ContainsRune("_.@+-", r))
}

// mixesScripts tells whether letters of scripts that share their shapes stand
// side by side, such as a Cyrillic letter in a Latin name.
func mixesScripts(s string) bool {
	found := 0
	for _, script := range []*unicode.RangeTable{unicode.Latin, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee} {
		if strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(script, r) }) {
			found++
		}
	}
	return found > 1
}

// ValidEmail tells whether s is an address as forms accept it: no quoting, no
// comments, a domain with a dot or localhost (RFC 5321 section 4.1.2, narrowed).
func ValidEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at > 64 || len(s) > maxEmail {
		return false
	}
	local, domain := s[:at], s[at+1:]
	if strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return false
	}
	for _, r := range local {
		if hidden(r) || !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~.", r) {
			return false
		}
	}
	labels := strings.Split(domain, ".")
	if len(labels) < 2 && domain != "localhost" {
		return false
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
		for _, r := range label {
			if hidden(r) || r != '-' && !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) {
				return false
			}
		}
	}
	return true
}

// badText finds a NUL character or text that is not UTF-8 anywhere in a JSON
// value; PostgreSQL cannot store either.
func badText(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.ContainsRune(v, 0) || !utf8.ValidString(v)
	case map[string]any:
		for k, item := range v {
			if badText(k) || badText(item) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, badText)
	}
	return false
}
