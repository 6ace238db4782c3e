package expression

import (
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
	"go.starlark.net/starlark"
)

// The flags of module re, with Python's values.
const (
	flagIgnoreCase = 2
	flagMultiline  = 8
	flagDotAll     = 16
	flagVerbose    = 64
)

const (
	// maxPattern bounds patterns in bytes.
	maxPattern = 4096
	// backtrackTime bounds one match of a pattern that RE2 cannot express.
	backtrackTime = 100 * time.Millisecond
)

// regex is a compiled pattern: RE2, which takes linear time, where it can
// express the pattern, else a backtracking engine with a time limit.
type regex struct {
	opaque
	pattern string
	flags   int
	names   map[string]int
	groups  int
	re2     *regexp.Regexp
	back    *regexp2.Regexp
	// anchors are the pattern bound to the start, and to both ends, once asked for.
	anchors [2]atomic.Pointer[regex]
}

// regexKey is by what compiled patterns are found again.
type regexKey struct {
	flags   int
	pattern string
}

// compileRegex compiles or finds a pattern. Compiling counts as work, since each
// counted repetition may be written out.
func (e *evaluation) compileRegex(pattern string, flags int) (*regex, error) {
	c := e.c
	key := regexKey{flags, pattern}
	e.work(len(pattern))
	if r, ok := c.regexes.Get(key); ok {
		return r, nil
	}
	e.work(8 * (len(pattern) + 1000*strings.Count(pattern, "{")))
	if err := e.tick(); err != nil {
		return nil, err
	}
	if len(pattern) > maxPattern {
		return nil, raise(excRegex, "the pattern is longer than %d bytes", maxPattern)
	}
	r := &regex{opaque: opaque{"Pattern"}, pattern: pattern, flags: flags, names: map[string]int{}}
	mode := ""
	for bit, letter := range map[int]string{flagIgnoreCase: "i", flagMultiline: "m", flagDotAll: "s"} {
		if flags&bit != 0 {
			mode += letter
		}
	}
	prefix := ""
	if mode != "" {
		prefix = "(?" + mode + ")"
	}
	re, err := regexp.Compile(prefix + toRE2(pattern))
	if err == nil && flags&flagVerbose == 0 {
		r.re2 = re
		r.groups = re.NumSubexp()
		for i, name := range re.SubexpNames() {
			if name != "" {
				r.names[name] = i
			}
		}
	} else if err := r.compileBacktracking(); err != nil {
		return nil, raise(excRegex, "%s", err)
	}
	c.regexes.Put(key, r)
	return r, nil
}

func (r *regex) compileBacktracking() error {
	options := regexp2.None
	for bit, o := range map[int]regexp2.RegexOptions{flagIgnoreCase: regexp2.IgnoreCase, flagMultiline: regexp2.Multiline,
		flagDotAll: regexp2.Singleline, flagVerbose: regexp2.IgnorePatternWhitespace} {
		if r.flags&bit != 0 {
			options |= o
		}
	}
	re, err := regexp2.Compile(toBacktracking(r.pattern), options)
	if err != nil {
		return err
	}
	re.MatchTimeout = backtrackTime
	r.back = re
	for _, n := range re.GetGroupNumbers() {
		r.groups = max(r.groups, n)
	}
	for _, name := range re.GetGroupNames() {
		if name != "" && (name[0] < '0' || name[0] > '9') {
			r.names[name] = re.GroupNumberFromName(name)
		}
	}
	return nil
}

// translateEscapes rewrites backslash escapes that are spelled differently.
func translateEscapes(pattern string, escapes map[byte]string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] == '\\' && i+1 < len(pattern) {
			if to, ok := escapes[pattern[i+1]]; ok {
				b.WriteString(to)
			} else {
				b.WriteString(pattern[i : i+2])
			}
			i++
			continue
		}
		b.WriteByte(pattern[i])
	}
	return b.String()
}

// toRE2 spells Python's pattern for RE2: \Z is the very end. $ before a final
// line end differs and is left to Python's meaning in a pattern without (?m).
func toRE2(pattern string) string {
	return translateEscapes(pattern, map[byte]string{'Z': `\z`, '"': `"`, '\'': `'`, '/': `/`, '@': `@`, '#': `#`, ' ': ` `})
}

func toBacktracking(pattern string) string {
	pattern = translateEscapes(pattern, map[byte]string{'Z': `\z`})
	pattern = strings.ReplaceAll(pattern, "(?P<", "(?<")
	for {
		before, rest, ok := strings.Cut(pattern, "(?P=")
		if !ok {
			return pattern
		}
		name, after, _ := strings.Cut(rest, ")")
		pattern = before + `\k<` + name + `>` + after
	}
}

// find returns the byte offsets of all groups of the first match at or after
// from, -1 for groups that did not take part; nil without a match.
func (r *regex) find(e *evaluation, s string, from int) ([]int, error) {
	e.work(len(s) - from)
	if err := e.stopped(); err != nil {
		return nil, err
	}
	if r.re2 != nil {
		if from == 0 {
			return r.re2.FindStringSubmatchIndex(s), nil
		}
		// \b and ^ look at what is before, so the whole text is searched.
		for _, m := range r.re2.FindAllStringSubmatchIndex(s, -1) {
			if m[0] >= from {
				return m, nil
			}
		}
		return nil, nil
	}
	m, err := r.back.FindStringMatchStartingAt(s, from)
	return r.offsets(e, s, m, err)
}

// offsets turns the character positions of a backtracking match into bytes.
func (r *regex) offsets(e *evaluation, s string, m *regexp2.Match, err error) ([]int, error) {
	if err != nil {
		return nil, e.limit("a pattern took too long to match")
	}
	if m == nil {
		return nil, nil
	}
	at := func(chars int) int {
		n := 0
		for i := range s {
			if n == chars {
				return i
			}
			n++
		}
		return len(s)
	}
	out := make([]int, 2*(r.groups+1))
	for i := range r.groups + 1 {
		out[2*i], out[2*i+1] = -1, -1
		if g := m.GroupByNumber(i); g != nil && len(g.Captures) > 0 {
			out[2*i], out[2*i+1] = at(g.Index), at(g.Index+g.Length)
		}
	}
	return out, nil
}

// findAll returns up to limit matches (all when negative).
func (r *regex) findAll(e *evaluation, s string, limit int) ([][]int, error) {
	e.work(len(s))
	if r.re2 != nil {
		// One more than may be kept is enough to find that it is too much.
		if left := int(e.limits.Elements-e.elements)/(r.groups+1) + 1; limit < 0 || limit > left {
			limit = left
		}
		out := r.re2.FindAllStringSubmatchIndex(s, limit)
		return out, e.elems(len(out) * (r.groups + 1))
	}
	var out [][]int
	m, err := r.back.FindStringMatch(s)
	for limit < 0 || len(out) < limit {
		at, oerr := r.offsets(e, s, m, err)
		if oerr != nil || at == nil {
			return out, oerr
		}
		if err := e.tick(); err != nil {
			return nil, err
		}
		out = append(out, at)
		if err := e.elems(r.groups + 1); err != nil {
			return nil, err
		}
		e.work(len(s))
		m, err = r.back.FindNextMatch(m)
	}
	return out, nil
}

// anchored returns the match that begins at the start, and for full also
// ends at the end.
func (r *regex) anchored(e *evaluation, s string, full bool) (*matchValue, error) {
	which, end := 0, ""
	if full {
		which, end = 1, `\Z`
	}
	anchored := r.anchors[which].Load()
	if anchored == nil {
		var err error
		if anchored, err = e.compileRegex(`\A(?:`+r.pattern+`)`+end, r.flags); err != nil {
			return nil, err
		}
		r.anchors[which].Store(anchored)
	}
	at, err := anchored.find(e, s, 0)
	if at == nil || err != nil {
		return nil, err
	}
	return &matchValue{opaque{"Match"}, r, s, at}, nil
}

// matchValue is a match.
type matchValue struct {
	opaque
	r  *regex
	s  string
	at []int
}

func (m *matchValue) group(i int) starlark.Value {
	if m.at[2*i] < 0 {
		return starlark.None
	}
	return starlark.String(m.s[m.at[2*i]:m.at[2*i+1]])
}

func (m *matchValue) number(v starlark.Value) (int, error) {
	if name, ok := v.(starlark.String); ok {
		if n, ok := m.r.names[string(name)]; ok {
			return n, nil
		}
	} else if i, ok := asInt(v); ok {
		if n, ok := i.Int64(); ok && n >= 0 && n <= int64(m.r.groups) {
			return int(n), nil
		}
	}
	return 0, raise(excIndex, "no such group")
}

func (m *matchValue) index(_ *evaluation, i starlark.Value) (starlark.Value, error) {
	n, err := m.number(i)
	if err != nil {
		return nil, err
	}
	return m.group(n), nil
}

func (m *matchValue) attr(_ *evaluation, name string) (starlark.Value, error) {
	// place is the character position of one end of a group.
	place := func(c call, end int) (int, error) {
		var v starlark.Value = starlark.MakeInt(0)
		if err := c.take("group?", &v); err != nil {
			return 0, err
		}
		n, err := m.number(v)
		if err != nil || m.at[2*n] < 0 {
			return -1, err
		}
		return utf8.RuneCountInString(m.s[:m.at[2*n+end]]), nil
	}
	switch name {
	case "group":
		return builtin(name, func(_ *evaluation, c call) (starlark.Value, error) {
			if len(c.args) == 0 {
				return m.group(0), nil
			}
			var out starlark.Tuple
			for _, v := range c.args {
				n, err := m.number(v)
				if err != nil {
					return nil, err
				}
				out = append(out, m.group(n))
			}
			if len(out) == 1 {
				return out[0], nil
			}
			return out, nil
		}), nil
	case "groups":
		return builtin(name, func(*evaluation, call) (starlark.Value, error) {
			out := starlark.Tuple{}
			for i := 1; i <= m.r.groups; i++ {
				out = append(out, m.group(i))
			}
			return out, nil
		}), nil
	case "groupdict":
		return builtin(name, func(e *evaluation, _ call) (starlark.Value, error) {
			out := starlark.NewDict(len(m.r.names))
			names := sortedKeys(m.r.names)
			slices.SortFunc(names, func(a, b string) int { return m.r.names[a] - m.r.names[b] })
			for _, n := range names {
				if err := e.setKey(out, starlark.String(n), m.group(m.r.names[n])); err != nil {
					return nil, err
				}
			}
			return out, nil
		}), nil
	case "start", "end":
		which := map[string]int{"start": 0, "end": 1}[name]
		return builtin(name, func(_ *evaluation, c call) (starlark.Value, error) {
			at, err := place(c, which)
			return starlark.MakeInt(at), err
		}), nil
	case "span":
		return builtin(name, func(_ *evaluation, c call) (starlark.Value, error) {
			from, err := place(c, 0)
			if err != nil {
				return nil, err
			}
			to, err := place(c, 1)
			return starlark.Tuple{starlark.MakeInt(from), starlark.MakeInt(to)}, err
		}), nil
	case "string":
		return starlark.String(m.s), nil
	}
	return nil, nil
}
