package expression

import (
	"net/url"
	"strings"

	"go.starlark.net/starlark"

	"github.com/weir-id/weir/policy"
)

// httpRequest is the HTTP request. The headers are those that may be seen; the
// caller has removed the others (rule 29 of the security rules).
type httpRequest struct {
	opaque
	r    *policy.HTTPRequest
	meta *starlark.Dict
}

func (e *evaluation) httpValue() *httpRequest {
	if e.http == nil {
		e.http = &httpRequest{opaque: opaque{"HttpRequest"}, r: e.request.HTTP}
	}
	return e.http
}

func (h *httpRequest) attr(e *evaluation, name string) (starlark.Value, error) {
	r := h.r
	switch name {
	case "META":
		return h.metaDict(e)
	case "headers":
		return &headersValue{opaque{"HttpHeaders"}, r.Header}, nil
	case "GET":
		return &queryDict{opaque{"QueryDict"}, r.Query}, nil
	case "POST":
		return &queryDict{opaque{"QueryDict"}, nil}, nil
	case "COOKIES":
		return e.fromGo(r.Cookies)
	case "path", "path_info":
		return starlark.String(r.Path), nil
	case "method":
		return starlark.String(r.Method), nil
	case "scheme":
		return starlark.String(h.scheme()), nil
	case "request_id":
		return starlark.String(r.ID), nil
	case "user":
		return e.person(e.request.User), nil
	case "session":
		// What a body would write there, nobody would read.
		d := starlark.NewDict(0)
		d.Freeze()
		return d, nil
	case "tenant":
		return &settingsValue{opaque{name}}, nil
	case "brand":
		return &brandValue{opaque{name}, r.Host}, nil
	case "get_host":
		return constant(name, starlark.String(r.Host)), nil
	case "is_secure":
		return constant(name, starlark.Bool(r.Secure)), nil
	case "get_full_path":
		return constant(name, starlark.String(h.fullPath())), nil
	case "build_absolute_uri":
		return builtin(name, h.absolute), nil
	}
	return nil, nil
}

// constant is a method without arguments that returns v.
func constant(name string, v starlark.Value) starlark.Value {
	return builtin(name, func(_ *evaluation, c call) (starlark.Value, error) { return v, c.take() })
}

func (h *httpRequest) scheme() string {
	if h.r.Secure {
		return "https"
	}
	return "http"
}

func (h *httpRequest) fullPath() string {
	if len(h.r.Query) == 0 {
		return h.r.Path
	}
	return h.r.Path + "?" + h.r.Query.Encode()
}

func (h *httpRequest) absolute(_ *evaluation, c call) (starlark.Value, error) {
	location := h.fullPath()
	if err := c.take("location?", &location); err != nil {
		return nil, err
	}
	base := &url.URL{Scheme: h.scheme(), Host: h.r.Host, Path: h.r.Path}
	ref, err := url.Parse(location)
	if err != nil {
		return nil, raise(excValue, "not a location: %s", repr(starlark.String(location)))
	}
	return starlark.String(base.ResolveReference(ref).String()), nil
}

func (h *httpRequest) metaDict(e *evaluation) (starlark.Value, error) {
	if h.meta != nil {
		return h.meta, nil
	}
	m := map[string]any{
		"REQUEST_METHOD": h.r.Method, "PATH_INFO": h.r.Path, "QUERY_STRING": h.r.Query.Encode(),
		"SERVER_NAME": h.r.Host, "wsgi.url_scheme": h.scheme(),
	}
	if h.r.ClientIP.IsValid() {
		m["REMOTE_ADDR"] = h.r.ClientIP.Unmap().String()
	}
	if h.r.Host != "" {
		m["HTTP_HOST"] = h.r.Host
	}
	for name, values := range h.r.Header {
		key := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		if key != "CONTENT_TYPE" && key != "CONTENT_LENGTH" {
			key = "HTTP_" + key
		}
		m[key] = strings.Join(values, ",")
	}
	d, err := e.dictOf(m)
	h.meta = d
	return d, err
}

// headersValue is a mapping that ignores case.
type headersValue struct {
	opaque
	headers map[string][]string
}

func (h *headersValue) lookup(name string) (starlark.Value, bool) {
	for key, values := range h.headers {
		if strings.EqualFold(key, name) {
			return starlark.String(strings.Join(values, ",")), true
		}
	}
	return nil, false
}

func (h *headersValue) dict(e *evaluation) (*starlark.Dict, error) {
	m := map[string]any{}
	for key, values := range h.headers {
		m[key] = strings.Join(values, ",")
	}
	return e.dictOf(m)
}

// queryDict holds the parameters of a query; of several values the last counts.
type queryDict struct {
	opaque
	values url.Values
}

func (q *queryDict) lookup(name string) (starlark.Value, bool) {
	if list := q.values[name]; len(list) > 0 {
		return starlark.String(list[len(list)-1]), true
	}
	return nil, false
}

func (q *queryDict) dict(e *evaluation) (*starlark.Dict, error) {
	m := map[string]any{}
	for key, list := range q.values {
		if len(list) > 0 {
			m[key] = list[len(list)-1]
		}
	}
	return e.dictOf(m)
}

// textMapping is a read-only mapping from text to text.
type textMapping interface {
	starlark.Value
	lookup(name string) (starlark.Value, bool)
	dict(e *evaluation) (*starlark.Dict, error)
}

func (h *headersValue) attr(e *evaluation, name string) (starlark.Value, error) {
	return mappingAttr(e, h, name)
}

func (q *queryDict) attr(e *evaluation, name string) (starlark.Value, error) {
	switch name {
	case "getlist":
		return builtin(name, func(e *evaluation, c call) (starlark.Value, error) {
			var key string
			if err := c.take("key", &key); err != nil {
				return nil, err
			}
			return e.fromGo([]string(q.values[key]))
		}), nil
	case "urlencode":
		return constant(name, starlark.String(q.values.Encode())), nil
	}
	return mappingAttr(e, q, name)
}

func mappingAttr(e *evaluation, m textMapping, name string) (starlark.Value, error) {
	if name == "get" {
		return builtin(name, func(_ *evaluation, c call) (starlark.Value, error) {
			var key string
			var fallback starlark.Value = starlark.None
			if err := c.take("key", &key, "default?", &fallback); err != nil {
				return nil, err
			}
			if v, ok := m.lookup(key); ok {
				return v, nil
			}
			return fallback, nil
		}), nil
	}
	switch name {
	case "keys", "values", "items", "copy":
		d, err := m.dict(e)
		if err != nil {
			return nil, err
		}
		return e.attr(d, name)
	}
	return nil, nil
}

func mappingIndex(m textMapping, i starlark.Value) (starlark.Value, error) {
	if key, ok := i.(starlark.String); ok {
		if v, ok := m.lookup(string(key)); ok {
			return v, nil
		}
	}
	return nil, &exception{class: excKey, args: starlark.Tuple{i}}
}

func mappingHas(m textMapping, v starlark.Value) bool {
	key, ok := v.(starlark.String)
	if ok {
		_, ok = m.lookup(string(key))
	}
	return ok
}

func mappingWalk(e *evaluation, m textMapping) (stepper, error) {
	d, err := m.dict(e)
	if err != nil {
		return nil, err
	}
	return e.iterate(d)
}

func (h *headersValue) index(_ *evaluation, i starlark.Value) (starlark.Value, error) {
	return mappingIndex(h, i)
}
func (h *headersValue) contains(_ *evaluation, v starlark.Value) (bool, error) {
	return mappingHas(h, v), nil
}
func (h *headersValue) walk(e *evaluation) (stepper, error) { return mappingWalk(e, h) }
func (h *headersValue) length(*evaluation) (int, error)     { return len(h.headers), nil }
func (q *queryDict) index(_ *evaluation, i starlark.Value) (starlark.Value, error) {
	return mappingIndex(q, i)
}
func (q *queryDict) contains(_ *evaluation, v starlark.Value) (bool, error) {
	return mappingHas(q, v), nil
}
func (q *queryDict) walk(e *evaluation) (stepper, error) { return mappingWalk(e, q) }
func (q *queryDict) length(*evaluation) (int, error)     { return len(q.values), nil }
func (q *queryDict) Truth() starlark.Bool                { return len(q.values) > 0 }

// settingsValue shows the system settings, as request.tenant does.
type settingsValue struct{ opaque }

func (*settingsValue) attr(e *evaluation, name string) (starlark.Value, error) {
	if e.env.Settings == nil {
		return nil, nil
	}
	v, ok := e.env.Settings.Setting(name)
	if !ok {
		return nil, nil
	}
	return e.fromGo(v)
}

// brandValue is the brand of the request's host; what it does not have is asked
// of the settings, which older releases kept together with it.
type brandValue struct {
	opaque
	host string
}

func (b *brandValue) attr(e *evaluation, name string) (starlark.Value, error) {
	if e.env.Brand != nil {
		if v, ok := e.env.Brand(b.host, name); ok {
			return e.fromGo(v)
		}
	}
	return (&settingsValue{}).attr(e, name)
}
