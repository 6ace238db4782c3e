package expression_test

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/policy"
)

// Nothing that a body can name leads from the objects that it has to the
// program: not by attributes, by their names in a text, nor by formatting.
func TestRule11NoWayToTheHost(t *testing.T) {
	things := []string{
		"request", "request.user", "context", "context['flow_plan']", "context['pending_user']", "context['application']", "http_request", "http_request.headers",
		"http_request.GET", "http_request.brand", "http_request.tenant", "ak_client_ip", "ip_network('10.0.0.0/8')", "ak_logger", "ak_message", "requests",
		"requests.get", "requests.Session()", "requests.exceptions.HTTPError", "len", "str", "(lambda: 0)", "''", "b''", "[]", "{}", "()", "{1}", "1", "1.5", "None",
		"True", "ValueError", "ValueError('x')", "iter([])", "range(3)", "ak_user_by(pk=7).groups", "context['auth_method_args']['mfa_devices'][0]", "type(1)",
	}
	names := []string{"__class__", "__globals__", "__dict__", "__init__", "__builtins__", "__subclasses__", "__mro__", "__code__", "__self__", "__import__", "__module__",
		"gi_frame", "f_globals", "func_globals", "_meta", "_state", "objects", "db", "connection", "password", "PasswordHash", "password_hash", "pool", "env", "ctx", "thread"}
	for _, thing := range things {
		for _, name := range names {
			want := "False"
			if name == "objects" {
				want = "" // a manager where there is one
			}
			v, err := run(t, "return hasattr("+thing+", '"+name[:1]+"' + '"+name[1:]+"')", expression.Scope{Request: full(), Policy: true})
			if err != nil || want != "" && v.Text != want {
				t.Errorf("%s has %s (%v)", thing, name, err)
			}
		}
		for _, text := range []string{"{0.__class__}", "{0.__init__.__globals__}", "{0.password}", "{0.ctx}", "{0[__class__]}"} {
			v, err := run(t, "return '"+text+"'.format("+thing+")", expression.Scope{Request: full(), Policy: true})
			if err == nil {
				t.Errorf("%s formats %s as %q", text, thing, v.Text)
			}
		}
	}
	for _, module := range []string{"os", "sys", "subprocess", "socket", "builtins", "importlib", "ctypes", "pickle", "threading", "inspect", "gc", "io", "shutil", "pathlib",
		"http.client", "urllib.request", "django.db", "django.conf", "authentik.crypto.models", "authentik.root.settings", "authentik.lib.utils.http"} {
		if v, err := run(t, "import "+module+"\nreturn 1", expression.Scope{}); err == nil || !strings.Contains(err.Error(), "ModuleNotFoundError") {
			t.Errorf("module %s: %q, %v", module, v.Text, err)
		}
	}
	for _, body := range []string{"eval('1')", "exec('1')", "compile('1', '', 'eval')", "open('/etc/passwd')", "globals()", "locals()", "vars()", "dir()", "input()", "breakpoint()",
		"memoryview(b'')", "super()", "__import__('os')", "getattr(str, 'mro')()", "type('X', (), {})", "setattr(request, 'user', 1)", "delattr(request, 'user')", "help()", "id(1) and exit()"} {
		p, err := expression.Compile("body", "return "+body, env(t))
		if err != nil {
			continue // not even saved
		}
		if v, err := p.Run(t.Context(), expression.Scope{Request: full(), Policy: true}); err == nil {
			t.Errorf("%s gives %q", body, v.Text)
		}
	}
}

// A body sees the headers and cookies that it was handed and no others, in
// whatever way it looks.
func TestRule29NothingButTheGivenRequest(t *testing.T) {
	r := &policy.Request{User: identity.Anonymous(), Context: map[string]any{}, HTTP: &policy.HTTPRequest{Method: "GET", Path: "/", Query: url.Values{}, ClientIP: netip.MustParseAddr("192.0.2.1")}}
	v, err := run(t, "h = http_request\nreturn (sorted(h.META), dict(h.headers), h.COOKIES, h.META.get('HTTP_X_FORWARDED_FOR'), h.headers.get('X-Forwarded-For'), h.headers.get('Authorization'), h.headers.get('Cookie'))",
		expression.Scope{Request: r, Policy: true})
	want := "(['PATH_INFO', 'QUERY_STRING', 'REMOTE_ADDR', 'REQUEST_METHOD', 'SERVER_NAME', 'wsgi.url_scheme'], {}, {}, None, None, None, None)"
	if err != nil || v.Text != want {
		t.Errorf("got %s (%v)\nwant %s", v.Text, err, want)
	}
}
