package expression

import (
	"net/url"
	"strings"

	"go.starlark.net/starlark"
)

// moduleURL is module urllib.parse.
func moduleURL() *module {
	return newModule("urllib.parse", functions(map[string]fn{
		"quote": urlQuote("/"), "quote_plus": urlQuote(""), "unquote": urlUnquote(url.PathUnescape),
		"unquote_plus": urlUnquote(url.QueryUnescape), "urlencode": urlEncode, "urlparse": urlParse, "urlsplit": urlParse,
		"parse_qs": urlParseQuery, "urljoin": urlJoin,
	}))
}

// urlQuote escapes all but letters, digits, "_.-~" and the safe characters.
func urlQuote(safe string) fn {
	return func(e *evaluation, c call) (starlark.Value, error) {
		s, keep := "", safe
		if err := c.take("string", &s, "safe?", &keep); err != nil {
			return nil, err
		}
		out := quoteURL(s, keep, c.name == "quote_plus")
		return starlark.String(out), e.text(len(out))
	}
}

func quoteURL(s, keep string, plus bool) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("_.-~", c) >= 0,
			strings.IndexByte(keep, c) >= 0:
			b.WriteByte(c)
		case c == ' ' && plus:
			b.WriteByte('+')
		default:
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

func urlUnquote(f func(string) (string, error)) fn {
	return func(e *evaluation, c call) (starlark.Value, error) {
		s := ""
		if err := c.take("string", &s); err != nil {
			return nil, err
		}
		out, err := f(s)
		if err != nil {
			out = s // a lone percent sign stays, as in Python
		}
		out = strings.ToValidUTF8(out, "\ufffd")
		return starlark.String(out), e.text(len(out))
	}
}

func urlEncode(e *evaluation, c call) (starlark.Value, error) {
	var v starlark.Value
	multi := false
	if err := c.take("query", &v, "doseq?", &multi); err != nil {
		return nil, err
	}
	d, err := e.makeDict(v)
	if err != nil {
		return nil, err
	}
	var parts []string
	for _, item := range d.Items() {
		values := []starlark.Value{item[1]}
		if _, text := item[1].(starlark.String); multi && !text {
			if list, err := e.items(item[1]); err == nil {
				values = list
			}
		}
		for _, value := range values {
			parts = append(parts, quoteURL(str(item[0]), "", true)+"="+quoteURL(str(value), "", true))
		}
	}
	out := strings.Join(parts, "&")
	return starlark.String(out), e.text(len(out))
}

func urlParse(e *evaluation, c call) (starlark.Value, error) {
	s := ""
	if err := c.take("url", &s); err != nil {
		return nil, err
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, raise(excValue, "not an URL: %s", repr(starlark.String(s)))
	}
	var host, user, password, port starlark.Value = starlark.None, starlark.None, starlark.None, starlark.None
	if h := u.Hostname(); h != "" {
		host = starlark.String(strings.ToLower(h))
	}
	if u.User != nil {
		user = starlark.String(u.User.Username())
		if p, ok := u.User.Password(); ok {
			password = starlark.String(p)
		}
	}
	if p := u.Port(); p != "" {
		if port, err = e.toInt(starlark.String(p), 10); err != nil {
			return nil, err
		}
	}
	netloc := u.Host
	if u.User != nil {
		netloc = u.User.String() + "@" + netloc
	}
	path := u.EscapedPath()
	if u.Opaque != "" {
		path = u.Opaque
	}
	return newRecord("ParseResult", map[string]starlark.Value{
		"scheme": starlark.String(u.Scheme), "netloc": starlark.String(netloc), "path": starlark.String(path),
		"query": starlark.String(u.RawQuery), "fragment": starlark.String(u.Fragment), "params": starlark.String(""),
		"hostname": host, "port": port, "username": user, "password": password,
		"geturl": constant("geturl", starlark.String(s)),
	}), nil
}

func urlParseQuery(e *evaluation, c call) (starlark.Value, error) {
	s := ""
	if err := c.take("qs", &s); err != nil {
		return nil, err
	}
	values, err := url.ParseQuery(s)
	if err != nil {
		return nil, raise(excValue, "not a query: %s", repr(starlark.String(s)))
	}
	m := map[string]any{}
	for key, list := range values {
		kept := []any{}
		for _, v := range list {
			if v != "" {
				kept = append(kept, v)
			}
		}
		if len(kept) > 0 {
			m[key] = kept
		}
	}
	return e.dictOf(m)
}

func urlJoin(e *evaluation, c call) (starlark.Value, error) {
	var base, ref string
	if err := c.take("base", &base, "url", &ref); err != nil {
		return nil, err
	}
	b, err := url.Parse(base)
	if err != nil {
		return nil, raise(excValue, "not an URL: %s", repr(starlark.String(base)))
	}
	r, err := url.Parse(ref)
	if err != nil {
		return nil, raise(excValue, "not an URL: %s", repr(starlark.String(ref)))
	}
	out := b.ResolveReference(r).String()
	return starlark.String(out), e.text(len(out))
}
