package expression

import (
	"mime"
	"net/http"
	"strings"

	"go.starlark.net/starlark"
)

// responseValue is the answer of another server.
type responseValue struct {
	opaque
	status   int
	reason   string
	header   http.Header
	url      string
	encoding string
	body     []byte
}

func newResponse(r *http.Response, body []byte) *responseValue {
	_, reason, _ := strings.Cut(r.Status, " ")
	encoding := "utf-8"
	if _, params, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && params["charset"] != "" {
		encoding = strings.ToLower(params["charset"])
	}
	return &responseValue{opaque{"Response"}, r.StatusCode, reason, r.Header, r.Request.URL.String(), encoding, body}
}

// ok tells whether the status is no error.
func (r *responseValue) ok() bool { return r.status < 400 }

// Truth of a response is ok, as in Python.
func (r *responseValue) Truth() starlark.Bool { return starlark.Bool(r.ok()) }

func (r *responseValue) attr(e *evaluation, name string) (starlark.Value, error) {
	switch name {
	case "status_code":
		return starlark.MakeInt(r.status), nil
	case "ok":
		return starlark.Bool(r.ok()), nil
	case "reason":
		return starlark.String(r.reason), nil
	case "url":
		return starlark.String(r.url), nil
	case "encoding":
		return starlark.String(r.encoding), nil
	case "headers":
		return &headersValue{opaque{"CaseInsensitiveDict"}, r.header}, nil
	case "content":
		return starlark.Bytes(r.body), e.text(len(r.body))
	case "text":
		return r.text(e)
	case "is_redirect":
		return starlark.Bool(r.status/100 == 3 && r.header.Get("Location") != ""), nil
	case "json":
		return builtin(name, r.json), nil
	case "raise_for_status":
		return builtin(name, r.raiseForStatus), nil
	case "close":
		return constant(name, starlark.None), nil
	}
	return nil, nil
}

// text is the body as text; bytes that are none become replacement characters.
func (r *responseValue) text(e *evaluation) (starlark.Value, error) {
	v, err := decodeBytes(e, string(r.body), r.encoding, "replace")
	if err != nil && e.stopped() == nil {
		v, err = decodeBytes(e, string(r.body), "utf-8", "replace") // a character set that nobody knows
	}
	return v, err
}

func (r *responseValue) json(e *evaluation, c call) (starlark.Value, error) {
	if err := c.take(); err != nil {
		return nil, err
	}
	v, err := jsonLoads(e, call{"json", starlark.Tuple{starlark.Bytes(r.body)}, nil})
	if err != nil && e.stopped() == nil {
		x := asException(err)
		return nil, &exception{class: excRequestJSON, args: x.args, response: r}
	}
	return v, err
}

func (r *responseValue) raiseForStatus(_ *evaluation, c call) (starlark.Value, error) {
	if err := c.take(); err != nil || r.ok() {
		return starlark.None, err
	}
	who := "Client"
	if r.status >= 500 {
		who = "Server"
	}
	x := raise(excHTTP, "%d %s Error: %s", r.status, who, r.reason)
	x.response = r
	return nil, x
}
