package expression

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"go.starlark.net/starlark"
)

var excRegex = newClass("error", excException)

// moduleRe is module re.
func (c *Compiler) moduleRe() *module {
	members := map[string]starlark.Value{"error": excRegex}
	for name, bit := range map[string]int{"IGNORECASE": flagIgnoreCase, "I": flagIgnoreCase, "MULTILINE": flagMultiline,
		"M": flagMultiline, "DOTALL": flagDotAll, "S": flagDotAll, "VERBOSE": flagVerbose, "X": flagVerbose,
		"ASCII": 256, "A": 256, "UNICODE": 32, "U": 32} {
		members[name] = starlark.MakeInt(bit)
	}
	members["compile"] = builtin("compile", func(e *evaluation, args call) (starlark.Value, error) {
		var v starlark.Value
		flags := 0
		if err := args.take("pattern", &v, "flags?", &flags); err != nil {
			return nil, err
		}
		return e.pattern(v, flags)
	})
	members["escape"] = builtin("escape", func(e *evaluation, args call) (starlark.Value, error) {
		s := ""
		if err := args.take("pattern", &s); err != nil {
			return nil, err
		}
		var b strings.Builder
		for _, r := range s {
			if strings.ContainsRune("()[]{}?*+-|^$\\.&~# \t\n\r\v\f", r) {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		}
		return starlark.String(b.String()), e.text(b.Len())
	})
	for name, m := range regexMethods() {
		members[name] = builtin(name, func(e *evaluation, args call) (starlark.Value, error) {
			if len(args.args) == 0 {
				return nil, raise(excType, "%s() missing 1 required positional argument: 'pattern'", name)
			}
			flags := 0
			var kw []starlark.Tuple
			for _, kv := range args.kw {
				if kv[0] == starlark.String("flags") {
					flags, _ = starlark.AsInt32(kv[1])
					continue
				}
				kw = append(kw, kv)
			}
			rest := args.args[1:]
			if n := map[string]int{"match": 1, "fullmatch": 1, "search": 1, "findall": 1, "finditer": 1}[name]; n > 0 && len(rest) == n+1 {
				flags, _ = starlark.AsInt32(rest[n])
				rest = rest[:n]
			}
			r, err := e.pattern(args.args[0], flags)
			if err != nil {
				return nil, err
			}
			return m(e, r, call{name, rest, kw})
		})
	}
	return newModule("re", members)
}

// pattern returns a compiled pattern from one or from its text.
func (e *evaluation) pattern(v starlark.Value, flags int) (*regex, error) {
	if r, ok := v.(*regex); ok {
		return r, nil
	}
	s, ok := v.(starlark.String)
	if !ok {
		return nil, raise(excType, "first argument must be string or compiled pattern")
	}
	return e.compileRegex(string(s), flags)
}

func (r *regex) attr(_ *evaluation, name string) (starlark.Value, error) {
	switch name {
	case "pattern":
		return starlark.String(r.pattern), nil
	case "flags":
		return starlark.MakeInt(r.flags), nil
	case "groups":
		return starlark.MakeInt(r.groups), nil
	}
	if m, ok := regexMethods()[name]; ok {
		return builtin(name, func(e *evaluation, c call) (starlark.Value, error) { return m(e, r, c) }), nil
	}
	return nil, nil
}

// regexMethods are what a pattern does and module re does with a pattern.
func regexMethods() map[string]func(*evaluation, *regex, call) (starlark.Value, error) {
	one := func(f func(e *evaluation, r *regex, s string) (*matchValue, error)) func(*evaluation, *regex, call) (starlark.Value, error) {
		return func(e *evaluation, r *regex, c call) (starlark.Value, error) {
			s := ""
			if err := c.take("string", &s); err != nil {
				return nil, err
			}
			m, err := f(e, r, s)
			if m == nil || err != nil {
				return starlark.None, err
			}
			return m, nil
		}
	}
	return map[string]func(*evaluation, *regex, call) (starlark.Value, error){
		"match":     one(func(e *evaluation, r *regex, s string) (*matchValue, error) { return r.anchored(e, s, false) }),
		"fullmatch": one(func(e *evaluation, r *regex, s string) (*matchValue, error) { return r.anchored(e, s, true) }),
		"search": one(func(e *evaluation, r *regex, s string) (*matchValue, error) {
			at, err := r.find(e, s, 0)
			if at == nil || err != nil {
				return nil, err
			}
			return &matchValue{opaque{"Match"}, r, s, at}, nil
		}),
		"findall": regexFindAll, "finditer": regexFindIter, "split": regexSplit, "sub": regexSub,
	}
}

func regexFindAll(e *evaluation, r *regex, c call) (starlark.Value, error) {
	s := ""
	if err := c.take("string", &s); err != nil {
		return nil, err
	}
	all, err := r.findAll(e, s, -1)
	if err != nil {
		return nil, err
	}
	var out []starlark.Value
	for _, at := range all {
		m := &matchValue{opaque{"Match"}, r, s, at}
		text := func(i int) starlark.Value {
			if v := m.group(i); v != starlark.None {
				return v
			}
			return starlark.String("")
		}
		switch r.groups {
		case 0:
			out = append(out, text(0))
		case 1:
			out = append(out, text(1))
		default:
			row := starlark.Tuple{}
			for i := 1; i <= r.groups; i++ {
				row = append(row, text(i))
			}
			out = append(out, row)
		}
	}
	return starlark.NewList(out), e.text(len(s))
}

func regexFindIter(e *evaluation, r *regex, c call) (starlark.Value, error) {
	s := ""
	if err := c.take("string", &s); err != nil {
		return nil, err
	}
	all, err := r.findAll(e, s, -1)
	if err != nil {
		return nil, err
	}
	var out []starlark.Value
	for _, at := range all {
		out = append(out, &matchValue{opaque{"Match"}, r, s, at})
	}
	return newIterator("callable_iterator", e.over(out)), nil
}

func regexSplit(e *evaluation, r *regex, c call) (starlark.Value, error) {
	s, limit := "", 0
	if err := c.take("string", &s, "maxsplit?", &limit); err != nil {
		return nil, err
	}
	if limit == 0 {
		limit = -1
	}
	all, err := r.findAll(e, s, limit)
	if err != nil {
		return nil, err
	}
	var out []starlark.Value
	last := 0
	for _, at := range all {
		out = append(out, starlark.String(s[last:at[0]]))
		m := &matchValue{opaque{"Match"}, r, s, at}
		for i := 1; i <= r.groups; i++ {
			out = append(out, m.group(i))
		}
		last = at[1]
	}
	out = append(out, starlark.String(s[last:]))
	if err := e.elems(len(out)); err != nil {
		return nil, err
	}
	return starlark.NewList(out), e.text(len(s))
}

func regexSub(e *evaluation, r *regex, c call) (starlark.Value, error) {
	var repl starlark.Value
	s, limit := "", 0
	if err := c.take("repl", &repl, "string", &s, "count?", &limit); err != nil {
		return nil, err
	}
	if limit == 0 {
		limit = -1
	}
	return e.substitute(r, repl, s, limit)
}

// substitute replaces matches by a template or by what a function returns.
func (e *evaluation) substitute(r *regex, repl starlark.Value, s string, limit int) (starlark.Value, error) {
	all, err := r.findAll(e, s, limit)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	last := 0
	for _, at := range all {
		b.WriteString(s[last:at[0]])
		last = at[1]
		m := &matchValue{opaque{"Match"}, r, s, at}
		var text string
		if t, ok := repl.(starlark.String); ok {
			text, err = expand(e, m, string(t))
		} else {
			var v starlark.Value
			if v, err = e.call(repl, m); err == nil {
				text = str(v)
			}
		}
		if err != nil {
			return nil, err
		}
		if err := e.text(len(text)); err != nil {
			return nil, err
		}
		b.WriteString(text)
	}
	b.WriteString(s[last:])
	return starlark.String(b.String()), e.text(b.Len())
}

// expand fills in a replacement template: \1, \g<1>, \g<name>, \n and so on.
func expand(e *evaluation, m *matchValue, template string) (string, error) {
	var b strings.Builder
	write := func(name string) error {
		var key starlark.Value = starlark.String(name)
		if n, err := strconv.Atoi(name); err == nil {
			key = starlark.MakeInt(n)
		}
		n, err := m.number(key)
		if err != nil {
			return raise(excRegex, "invalid group reference %s", name)
		}
		if v, ok := m.group(n).(starlark.String); ok {
			b.WriteString(string(v))
			return e.text(len(v))
		}
		return nil
	}
	for i := 0; i < len(template); {
		rest := template[i:]
		if rest[0] != '\\' || len(rest) == 1 {
			_, n := utf8.DecodeRuneInString(rest)
			b.WriteString(rest[:n])
			i += n
			continue
		}
		switch c := rest[1]; {
		case c == 'g' && strings.HasPrefix(rest[2:], "<"):
			name, _, ok := strings.Cut(rest[3:], ">")
			if !ok {
				return "", raise(excRegex, "missing >, unterminated name")
			}
			if err := write(name); err != nil {
				return "", err
			}
			i += 4 + len(name)
		case c >= '0' && c <= '9':
			n := 2
			if len(rest) > 2 && rest[2] >= '0' && rest[2] <= '9' {
				n = 3
			}
			if err := write(rest[1:n]); err != nil {
				return "", err
			}
			i += n
		default:
			at := strings.IndexByte(`ntrafv\`, c)
			if at < 0 {
				return "", raise(excRegex, `bad escape \%c`, c)
			}
			b.WriteByte("\n\t\r\a\f\v\\"[at])
			i += 2
		}
	}
	return b.String(), nil
}

// regexMatch is the helper regex_match: a search anywhere in the text.
func (c *Compiler) regexMatch(e *evaluation, args call) (starlark.Value, error) {
	value, pattern := "", ""
	if err := args.take("value", &value, "regex", &pattern); err != nil {
		return nil, err
	}
	r, err := e.compileRegex(pattern, 0)
	if err != nil {
		return nil, err
	}
	at, err := r.find(e, value, 0)
	return starlark.Bool(at != nil), err
}

// regexReplace is the helper regex_replace.
func (c *Compiler) regexReplace(e *evaluation, args call) (starlark.Value, error) {
	value, pattern, repl := "", "", ""
	if err := args.take("value", &value, "regex", &pattern, "repl", &repl); err != nil {
		return nil, err
	}
	r, err := e.compileRegex(pattern, 0)
	if err != nil {
		return nil, err
	}
	return e.substitute(r, starlark.String(repl), value, -1)
}
