package eventmatcher

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/weir-id/weir/field"
)

// The limits of a query.
const (
	maxQueryBytes = 4096
	maxDepth      = 32
)

type tokenKind int

const (
	end tokenKind = iota
	name
	keyword // and, or, not, in, startswith, endswith
	literal
	operator // = != < <= > >= ~ !~
	punctuation
)

// token is a piece of a query. text is how it was written, keywords in lower
// case; value is that of a literal.
type token struct {
	kind  tokenKind
	text  string
	value any
	at    int
}

// syntax puts a problem at its place in the query.
func syntax(query string, at int, format string, args ...any) error {
	before := query[:min(at, len(query))]
	line := 1 + strings.Count(before, "\n")
	column := 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return field.Errors{"query": {{Code: field.CodeInvalid, String: fmt.Sprintf("Line %d, column %d: ", line, column) + fmt.Sprintf(format, args...), Line: line, Column: column}}}
}

// lex cuts a query into tokens; the last one is the end.
func lex(query string) ([]token, error) {
	if len(query) > maxQueryBytes {
		return nil, syntax(query, maxQueryBytes, "Make the query shorter; it may have %d bytes.", maxQueryBytes)
	}
	if !utf8.ValidString(query) {
		return nil, syntax(query, 0, "Use characters of Unicode only.")
	}
	var out []token
	for i := 0; i < len(query); {
		t, err := next(query, i)
		if err != nil {
			return nil, err
		}
		if t.kind == end {
			i++
			continue
		}
		out = append(out, t)
		i += len(t.text)
		if t.kind == keyword {
			out[len(out)-1].text = strings.ToLower(t.text)
		}
	}
	return append(out, token{kind: end, at: len(query)}), nil
}

func isWord(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// next reads the token that begins at i; one of the kind end for a blank.
func next(query string, i int) (token, error) {
	rest := query[i:]
	switch c := rest[0]; {
	case strings.IndexByte(" \t\r\n", c) >= 0:
		return token{}, nil
	case strings.IndexByte("(),", c) >= 0:
		return token{kind: punctuation, text: rest[:1], at: i}, nil
	case c == '"' || c == '\'':
		return text(query, i)
	case c >= '0' && c <= '9', c == '-':
		return number(query, i)
	case isWord(c):
		n := 1
		for n < len(rest) && (isWord(rest[n]) || rest[n] == '.' || rest[n] == '-') {
			n++
		}
		return word(rest[:n], i), nil
	}
	for _, op := range []string{"!=", "!~", "<=", ">=", "=", "<", ">", "~"} {
		if strings.HasPrefix(rest, op) {
			return token{kind: operator, text: op, at: i}, nil
		}
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return token{}, syntax(query, i, "The character %q means nothing here.", r)
}

func word(s string, at int) token {
	switch strings.ToLower(s) {
	case "and", "or", "not", "in", "startswith", "endswith":
		return token{kind: keyword, text: s, at: at}
	case "true":
		return token{kind: literal, text: s, value: true, at: at}
	case "false":
		return token{kind: literal, text: s, value: false, at: at}
	case "none", "null":
		return token{kind: literal, text: s, at: at}
	}
	return token{kind: name, text: s, at: at}
}

func number(query string, at int) (token, error) {
	n := at + 1
	for n < len(query) && (isWord(query[n]) || query[n] == '.') {
		n++
	}
	f, err := strconv.ParseFloat(query[at:n], 64)
	if err != nil {
		return token{}, syntax(query, at, "%s is no number; put texts into quotes.", query[at:n])
	}
	return token{kind: literal, text: query[at:n], value: f, at: at}, nil
}

// text reads a text in quotes. A backslash takes the meaning from the character
// behind it, but for \n, \t and \u with four hex digits.
func text(query string, at int) (token, error) {
	var b strings.Builder
	for i := at + 1; i < len(query); i++ {
		switch c := query[i]; {
		case c == query[at]:
			return token{kind: literal, text: query[at : i+1], value: b.String(), at: at}, nil
		case c == '\\' && i+1 < len(query):
			i++
			switch query[i] {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			case 'u':
				r, err := strconv.ParseUint(query[i+1:min(i+5, len(query))], 16, 16)
				if err != nil || i+5 > len(query) {
					return token{}, syntax(query, i-1, `Write four hexadecimal digits behind \u.`)
				}
				b.WriteRune(rune(r))
				i += 4
			default:
				b.WriteByte(query[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return token{}, syntax(query, at, "The text has no closing quote.")
}
