package expression

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.starlark.net/starlark"

	"github.com/weir-id/weir/internal/outbound"
)

// The exceptions of requests. A call that is not allowed is none of them but a
// PermissionError, so that a body which takes failures of the other server
// lightly does not hide it.
var (
	excRequest        = newClass("RequestException", excOS)
	excHTTP           = newClass("HTTPError", excRequest)
	excRequestConnect = newClass("ConnectionError", excRequest)
	excRequestTLS     = newClass("SSLError", excRequestConnect)
	excRequestTimeout = newClass("Timeout", excRequest)
	excRedirects      = newClass("TooManyRedirects", excRequest)
	excInvalidURL     = newClass("InvalidURL", excRequest, excValue)
	excInvalidSchema  = newClass("InvalidSchema", excRequest, excValue)
	excMissingSchema  = newClass("MissingSchema", excRequest, excValue)
	excInvalidHeader  = newClass("InvalidHeader", excRequest, excValue)
	excContent        = newClass("ContentDecodingError", excRequest)
	excRequestJSON    = newClass("JSONDecodeError", excRequest, excJSON)
)

func requestErrors() map[string]starlark.Value {
	out := map[string]starlark.Value{"ReadTimeout": newClass("ReadTimeout", excRequestTimeout),
		"ConnectTimeout": newClass("ConnectTimeout", excRequestTimeout, excRequestConnect)}
	for _, c := range []*class{excRequest, excHTTP, excRequestConnect, excRequestTLS, excRequestTimeout, excRedirects, excInvalidURL,
		excInvalidSchema, excMissingSchema, excInvalidHeader, excContent, excRequestJSON} {
		out[c.name] = c
	}
	return out
}

// moduleRequests is requests, as a module and as the helper of that name.
func moduleRequests() *module {
	m := newModule("requests", requestErrors())
	maps.Copy(m.members, requestFunctions(nil))
	m.members["Session"] = builtin("Session", func(_ *evaluation, c call) (starlark.Value, error) {
		return newHTTPSession(), c.take()
	})
	m.members["session"] = m.members["Session"]
	return m
}

// requestFunctions are the functions that call a server, for a session or none.
func requestFunctions(s *httpSession) map[string]starlark.Value {
	out := functions(map[string]fn{"request": func(e *evaluation, c call) (starlark.Value, error) {
		if len(c.args) == 0 {
			return nil, raise(excType, "request() takes a method and an address")
		}
		return e.callHTTP(s, strings.ToUpper(str(c.args[0])), call{c.name, c.args[1:], c.kw})
	}})
	for _, name := range []string{"get", "post", "put", "patch", "delete", "head", "options"} {
		out[name] = builtin(name, func(e *evaluation, c call) (starlark.Value, error) {
			return e.callHTTP(s, strings.ToUpper(name), c)
		})
	}
	return out
}

// httpSession is requests.Session(): headers and a login for several calls. It
// keeps no cookies.
type httpSession struct {
	opaque
	headers   *starlark.Dict
	auth      starlark.Value
	functions map[string]starlark.Value
}

func newHTTPSession() *httpSession {
	s := &httpSession{opaque: opaque{"Session"}, headers: starlark.NewDict(0), auth: starlark.None}
	s.functions = requestFunctions(s)
	s.functions["close"] = constant("close", starlark.None)
	return s
}

func (s *httpSession) attr(_ *evaluation, name string) (starlark.Value, error) {
	switch name {
	case "headers":
		return s.headers, nil
	case "auth":
		return s.auth, nil
	}
	return s.functions[name], nil
}

func (s *httpSession) setAttr(_ *evaluation, name string, v starlark.Value) error {
	d, isDict := v.(*starlark.Dict)
	switch {
	case name == "auth":
		s.auth = v
	case name == "headers" && isDict:
		s.headers = d
	default:
		return raise(excAttribute, "a session lets only headers (a dict) and auth be set")
	}
	return nil
}

// outgoing is one call as the body asks for it.
type outgoing struct {
	method, url                                  string
	params, data, json, headers, auth, timeout   starlark.Value
	follow, verify, stream, cookies, files, cert starlark.Value
}

// methodsOfRequests are the methods that requests can use.
var methodsOfRequests = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// take reads the arguments. What may stand there without a name depends on the
// function: requests.get(url, params), requests.post(url, data, json).
func (o *outgoing) take(c call) error {
	for _, v := range []*starlark.Value{&o.params, &o.data, &o.json, &o.headers, &o.auth, &o.timeout, &o.follow, &o.verify, &o.stream, &o.cookies, &o.files, &o.cert} {
		*v = starlark.None
	}
	first := []any{"url", &o.url, "params?", &o.params, "data?", &o.data, "json?", &o.json}
	if c.name != "get" && c.name != "request" {
		first = []any{"url", &o.url, "data?", &o.data, "json?", &o.json, "params?", &o.params}
	}
	if err := c.take(append(first, "headers?", &o.headers, "auth?", &o.auth, "timeout?", &o.timeout, "allow_redirects?", &o.follow,
		"verify?", &o.verify, "stream?", &o.stream, "cookies?", &o.cookies, "files?", &o.files, "cert?", &o.cert)...); err != nil {
		return err
	}
	for name, v := range map[string]starlark.Value{"cookies": o.cookies, "files": o.files, "cert": o.cert} {
		if v != starlark.None {
			return raise(excNotImpl, "requests: the argument %s cannot be used by expressions", name)
		}
	}
	if o.verify != starlark.None && o.verify != starlark.True {
		return raise(excPermission, "requests: certificates are always verified; leave verify out")
	}
	return nil
}

// address is the address with its parameters.
func (o *outgoing) address(e *evaluation) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(o.url))
	switch {
	case err != nil:
		return nil, raise(excInvalidURL, "not an URL")
	case u.Scheme == "":
		return nil, raise(excMissingSchema, "an URL has to begin with https://")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, raise(excInvalidSchema, "requests cannot call %s addresses", u.Scheme)
	case u.Hostname() == "":
		return nil, raise(excInvalidURL, "the URL names no host")
	case u.User != nil:
		return nil, raise(excInvalidURL, "the URL holds a user name or password; use the argument auth")
	}
	u.Fragment = ""
	query, err := e.form(o.params)
	if err != nil {
		return nil, err
	}
	if u.RawQuery != "" && query != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += query
	return u, nil
}

// form writes the parameters of a query or a form: a text as it is, a dict or
// pairs encoded, lists as repeated names; None is left out.
func (e *evaluation) form(v starlark.Value) (string, error) {
	switch v := v.(type) {
	case starlark.NoneType:
		return "", nil
	case starlark.String:
		return string(v), nil
	case starlark.Bytes:
		return string(v), nil
	}
	var pairs []starlark.Value
	if d, err := e.asDict(v); err == nil {
		for _, item := range d.Items() {
			pairs = append(pairs, item)
		}
	} else if pairs, err = e.items(v); err != nil {
		return "", err
	}
	var parts []string
	for _, p := range pairs {
		pair, err := e.items(p)
		if err != nil || len(pair) != 2 {
			return "", raise(excValue, "requests: a dict or a list of pairs is needed")
		}
		values := []starlark.Value{pair[1]}
		switch pair[1].(type) {
		case *starlark.List, starlark.Tuple, *starlark.Set:
			if values, err = e.items(pair[1]); err != nil {
				return "", err
			}
		}
		for _, value := range values {
			if value != starlark.None {
				parts = append(parts, quoteURL(text(pair[0]), "", true)+"="+quoteURL(text(value), "", true))
			}
		}
	}
	out := strings.Join(parts, "&")
	return out, e.text(len(out))
}

// text is the text of a value, or the bytes that it is.
func text(v starlark.Value) string {
	if b, ok := v.(starlark.Bytes); ok {
		return string(b)
	}
	return str(v)
}

// body is what is sent, and its type where that follows from the argument.
func (o *outgoing) body(e *evaluation) (body, contentType string, err error) {
	switch data := o.data.(type) {
	case starlark.NoneType:
	case starlark.String, starlark.Bytes:
		return text(data), "", nil
	default:
		body, err = e.form(o.data)
		return body, "application/x-www-form-urlencoded", err
	}
	if o.json == starlark.None {
		return "", "", nil
	}
	v, err := jsonDumps(e, call{"json", starlark.Tuple{o.json}, nil})
	if err != nil {
		return "", "", err
	}
	return text(v), "application/json", nil
}

// ownHeaders are set by the client itself; they say where a message ends and
// who it is for.
var ownHeaders = []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "Te", "Trailer", "Expect"}

// header puts the headers of v on top of those that are there; None removes.
func (e *evaluation) header(to http.Header, v starlark.Value) error {
	if v == starlark.None {
		return nil
	}
	d, err := e.makeDict(v)
	if err != nil {
		return err
	}
	for _, item := range d.Items() {
		name := http.CanonicalHeaderKey(text(item[0]))
		if item[1] == starlark.None {
			to.Del(name)
			continue
		}
		value := strings.TrimSpace(text(item[1]))
		if !headerName(name) || strings.ContainsAny(value, "\r\n\x00") {
			return raise(excInvalidHeader, "requests: the header %s has characters that no header can have", repr(starlark.String(name)))
		}
		if slices.Contains(ownHeaders, name) || strings.HasPrefix(name, "Proxy-") {
			return raise(excInvalidHeader, "requests: expressions cannot set the header %s", name)
		}
		to.Set(name, value)
	}
	return nil
}

func headerName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"(),/:;<=>?@[\\]{}", c) >= 0 {
			return false
		}
	}
	return s != ""
}

// login is the pair of user name and password of auth.
func (e *evaluation) login(v starlark.Value) (user, password string, err error) {
	pair, err := e.items(v)
	if err != nil || len(pair) != 2 {
		return "", "", raise(excType, "requests: auth is a pair of user name and password")
	}
	return text(pair[0]), text(pair[1]), nil
}

// limit is how long the call may take. A pair means connecting and reading;
// its parts are counted together here.
func (o *outgoing) limit(e *evaluation) (time.Duration, error) {
	var parts []starlark.Value
	switch v := o.timeout.(type) {
	case starlark.NoneType:
	case starlark.Tuple:
		parts = v
	default:
		parts = []starlark.Value{v}
	}
	seconds := 0.0
	for _, p := range parts {
		f, ok := asFloat(p)
		if p == starlark.None {
			f, ok = outbound.Timeout.Seconds(), true
		}
		if !ok || !(f > 0) {
			return 0, raise(excValue, "requests: timeout is a number of seconds above 0")
		}
		seconds += f
	}
	if len(parts) == 0 || seconds > outbound.Timeout.Seconds() {
		return outbound.Timeout, nil
	}
	return time.Duration(seconds * float64(time.Second)), nil
}
