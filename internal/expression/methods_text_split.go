package expression

import (
	"iter"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.starlark.net/starlark"
)

// texts makes a list of parts that share the memory of their whole.
func (e *evaluation) texts(parts iter.Seq[string]) (starlark.Value, error) {
	var out []starlark.Value
	for p := range parts {
		if err := e.elems(1); err != nil {
			return nil, err
		}
		out = append(out, starlark.String(p))
	}
	return starlark.NewList(out), nil
}

func splitArgs(c call) (sep string, blanks bool, limit int, err error) {
	if len(c.args) == 1 && len(c.kw) == 0 {
		if sep, ok := c.args[0].(starlark.String); ok && sep != "" {
			return string(sep), false, -1, nil
		}
	}
	var v starlark.Value = starlark.None
	limit = -1
	if err = c.take("sep?", &v, "maxsplit?", &limit); err != nil {
		return
	}
	switch s := v.(type) {
	case starlark.NoneType:
		blanks = true
	case starlark.String:
		if sep = string(s); sep == "" {
			err = raise(excValue, "empty separator")
		}
	default:
		err = raise(excType, "must be str or None, not %s", kindOf(v))
	}
	return
}

func textSplit(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
	sep, blanks, limit, err := splitArgs(c)
	if err != nil {
		return nil, err
	}
	s := string(self.(starlark.String))
	switch {
	case !blanks && limit < 0:
		return e.splitAll(s, sep)
	case limit < 0:
		return e.texts(strings.FieldsSeq(s))
	}
	return e.texts(func(yield func(string) bool) {
		for n := 0; ; n++ {
			at, width := strings.Index(s, sep), len(sep)
			if blanks {
				if s = strings.TrimLeftFunc(s, unicode.IsSpace); s == "" {
					return
				}
				if at = strings.IndexFunc(s, unicode.IsSpace); at >= 0 {
					_, width = utf8.DecodeRuneInString(s[at:])
				}
			}
			if at < 0 || n == limit {
				yield(s)
				return
			}
			if !yield(s[:at]) {
				return
			}
			s = s[at+width:]
		}
	})
}

// splitAll is the common case of textSplit.
func (e *evaluation) splitAll(s, sep string) (starlark.Value, error) {
	n := strings.Count(s, sep) + 1
	if err := e.elems(n); err != nil {
		return nil, err
	}
	out := make([]starlark.Value, 0, n)
	for part := range strings.SplitSeq(s, sep) {
		out = append(out, starlark.String(part))
	}
	return starlark.NewList(out), nil
}

func textRsplit(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
	sep, blanks, limit, err := splitArgs(c)
	if err != nil {
		return nil, err
	}
	if limit < 0 {
		return textSplit(e, self, c)
	}
	s := string(self.(starlark.String))
	var parts []string
	for {
		if blanks {
			s = strings.TrimRightFunc(s, unicode.IsSpace)
		}
		at, width := strings.LastIndex(s, sep), len(sep)
		if blanks {
			at = strings.LastIndexFunc(s, unicode.IsSpace)
			if at >= 0 {
				_, width = utf8.DecodeRuneInString(s[at:])
			}
		}
		if at < 0 || len(parts) == limit {
			break
		}
		if err := e.elems(1); err != nil {
			return nil, err
		}
		parts = append(parts, s[at+width:])
		s = s[:at]
	}
	if !blanks || s != "" {
		parts = append(parts, s)
	}
	slices.Reverse(parts)
	return e.texts(slices.Values(parts))
}

func textSplitLines(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
	keep := false
	if err := c.take("keepends?", &keep); err != nil {
		return nil, err
	}
	s := string(self.(starlark.String))
	return e.texts(func(yield func(string) bool) {
		for s != "" {
			at, n := strings.IndexAny(s, "\n\r\v\f\u0085\u2028\u2029"), 0
			if at < 0 {
				at = len(s)
			} else if _, n = utf8.DecodeRuneInString(s[at:]); strings.HasPrefix(s[at:], "\r\n") {
				n = 2
			}
			end := at
			if keep {
				end += n
			}
			if !yield(s[:end]) {
				return
			}
			s = s[at+n:]
		}
	})
}

func textPartition(f func(s, sub string) int, last bool) method {
	return func(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
		var sep string
		if err := c.take("sep", &sep); err != nil {
			return nil, err
		}
		if sep == "" {
			return nil, raise(excValue, "empty separator")
		}
		s := string(self.(starlark.String))
		a, b, tail := s, "", ""
		if at := f(s, sep); at >= 0 {
			a, b, tail = s[:at], sep, s[at+len(sep):]
		} else if last {
			a, tail = "", s
		}
		return starlark.Tuple{starlark.String(a), starlark.String(b), starlark.String(tail)}, e.text(len(s))
	}
}

func textJoin(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
	v, err := c.one()
	if err != nil {
		return nil, err
	}
	items, err := e.items(v)
	if err != nil {
		return nil, err
	}
	sep := string(self.(starlark.String))
	parts := make([]string, len(items))
	n := len(sep) * len(items)
	for i, item := range items {
		s, ok := item.(starlark.String)
		if !ok {
			return nil, raise(excType, "sequence item %d: expected str instance, %s found", i, kindOf(item))
		}
		parts[i] = string(s)
		n += len(s)
	}
	if err := e.text(n); err != nil {
		return nil, err
	}
	return starlark.String(strings.Join(parts, sep)), nil
}

func textReplace(e *evaluation, self starlark.Value, c call) (starlark.Value, error) {
	var old, with string
	limit := -1
	if err := c.take("old", &old, "new", &with, "count?", &limit); err != nil {
		return nil, err
	}
	s := string(self.(starlark.String))
	n := strings.Count(s, old)
	if limit >= 0 {
		n = min(n, limit)
	}
	if err := e.text(len(s) + n*(len(with)-len(old))); err != nil {
		return nil, err
	}
	return starlark.String(strings.Replace(s, old, with, limit)), nil
}
