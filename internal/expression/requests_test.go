package expression_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/outbound"
	"github.com/weir-id/weir/policy"
)

// server answers what a body sends: /echo with the request itself, others with
// what their name says.
func server(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/echo":
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("X-Answer", "yes")
			user, password, _ := r.BasicAuth()
			_ = json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "query": r.URL.RawQuery, "body": string(body), "key": r.Header.Get("X-Key"),
				"type": r.Header.Get("Content-Type"), "auth": user + ":" + password, "agent": r.UserAgent(), "cookie": r.Header.Get("Cookie")})
		case "/404":
			http.Error(w, "nothing here", http.StatusNotFound)
		case "/500":
			w.WriteHeader(http.StatusInternalServerError)
		case "/latin":
			w.Header().Set("Content-Type", "text/plain; charset=iso-8859-1")
			_, _ = w.Write([]byte{'n', 0xe9, 'e'})
		case "/odd":
			w.Header().Set("Content-Type", "text/plain; charset=klingon")
			_, _ = w.Write([]byte("q\xff"))
		case "/large":
			_, _ = w.Write(make([]byte, outbound.MaxBody+1))
		case "/list":
			_, _ = w.Write([]byte(`[1, {"a": null}]`))
		case "/there":
			http.Redirect(w, r, "/echo", http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		case "/away":
			http.Redirect(w, r, "http://elsewhere.example.com/?token=topsecret", http.StatusFound)
		case "/silent":
			<-r.Context().Done()
		case "/gone":
			c, _, _ := w.(http.Hijacker).Hijack()
			_ = c.Close()
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// online is env with calls to the test server, and log for what is logged.
func online(t *testing.T, s *httptest.Server, log io.Writer) expression.Env {
	t.Helper()
	hosts, err := outbound.ParseHosts([]string{s.URL})
	if err != nil {
		t.Fatal(err)
	}
	e := env(t)
	e.HTTP = hosts.Client(nil, nil)
	e.Logger = slog.New(slog.NewTextHandler(io.MultiWriter(log, t.Output()), nil))
	return e
}

func runIn(t *testing.T, e expression.Env, body string, scope expression.Scope) (expression.Value, error) {
	t.Helper()
	p, err := expression.Compile("body", body, e)
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	return p.Run(t.Context(), scope)
}

func TestRequests(t *testing.T) {
	s := server(t)
	var log bytes.Buffer
	e := online(t, s, &log)
	rows := []struct{ name, body, want string }{
		{"get", `r = requests.get(base + "/echo"); return (r.status_code, r.ok, r.reason, r.headers["x-answer"], r.json()["method"], bool(r), r.url == base + "/echo")`, "(200, True, 'OK', 'yes', 'GET', True, True)"},
		{"what is sent of itself", `d = requests.get(base + "/echo").json(); return (d["agent"], d["cookie"], d["auth"])`, "('weir', '', ':')"},
		{"parameters by name", `return requests.get(base + "/echo", params={"a": "x y", "b": [1, 2], "c": None}).json()["query"]`, "a=x+y&b=1&b=2"},
		{"parameters by position", `return requests.get(base + "/echo?z=1", {"a": "é"}).json()["query"]`, "z=1&a=%C3%A9"},
		{"parameters as pairs", `return requests.get(base + "/echo", params=[("a", 1), ("a", 2)]).json()["query"]`, "a=1&a=2"},
		{"parameters as text", `return requests.get(base + "/echo", params="x=1").json()["query"]`, "x=1"},
		{"headers", `return requests.get(base + "/echo", headers={"X-Key": "k", "X-Other": None}).json()["key"]`, "k"},
		{"a login", `return requests.get(base + "/echo", auth=("u", "p")).json()["auth"]`, "u:p"},
		{"post with JSON", `d = requests.post(base + "/echo", json={"a": [1, None, "é"]}).json(); return (d["method"], d["type"], d["body"])`, `('POST', 'application/json', '{"a": [1, null, "\\u00e9"]}')`},
		{"post of a form", `d = requests.post(base + "/echo", data={"a": "1 2", "b": ["x", "y"]}).json(); return (d["type"], d["body"])`, "('application/x-www-form-urlencoded', 'a=1+2&b=x&b=y')"},
		{"post of a form by position", `return requests.post(base + "/echo", {"a": 1}).json()["body"]`, "a=1"},
		{"post of a text", `d = requests.post(base + "/echo", data="raw").json(); return (d["type"], d["body"])`, "('', 'raw')"},
		{"post of bytes", `return requests.post(base + "/echo", data=b"raw").json()["body"]`, "raw"},
		{"put", `d = requests.put(base + "/echo", json=1).json(); return (d["method"], d["body"])`, "('PUT', '1')"},
		{"patch", `return requests.patch(base + "/echo", data="x").json()["method"]`, "PATCH"},
		{"delete", `return requests.delete(base + "/echo").json()["method"]`, "DELETE"},
		{"head", `r = requests.head(base + "/echo"); return (r.status_code, r.text, r.headers.get("X-Answer"))`, "(200, '', 'yes')"},
		{"options", `return requests.options(base + "/echo").json()["method"]`, "OPTIONS"},
		{"request", `return requests.request("put", base + "/echo", data="x").json()["method"]`, "PUT"},
		{"by import", "import requests\nreturn requests.get(base + '/echo').status_code", "200"},
		{"a session", "import requests\ns = requests.Session()\ns.headers.update({'X-Key': 'k'})\ns.auth = ('u', 'p')\nd = s.get(base + '/echo').json()\ns.close()\nreturn (d['key'], d['auth'])", "('k', 'u:p')"},
		{"text", `r = requests.get(base + "/list"); return (r.text, r.content, r.json())`, `('[1, {"a": null}]', b'[1, {"a": null}]', [1, {'a': None}])`},
		{"text in another character set", `r = requests.get(base + "/latin"); return (r.text, r.encoding)`, "('née', 'iso-8859-1')"},
		{"text in an unknown character set", `return requests.get(base + "/odd").text`, "q\ufffd"},
		{"an error status", `r = requests.get(base + "/404"); return (r.ok, r.status_code, bool(r), r.text)`, "(False, 404, False, 'nothing here\\n')"},
		{"raise_for_status of a success", `return requests.get(base + "/echo").raise_for_status()`, "None"},
		{"raise_for_status", "try:\n    requests.get(base + '/404').raise_for_status()\nexcept requests.exceptions.HTTPError as x:\n    return (str(x), x.response.status_code)", "('404 Client Error: Not Found', 404)"},
		{"raise_for_status of the server", "try:\n    requests.get(base + '/500').raise_for_status()\nexcept requests.HTTPError as x:\n    return str(x)", "500 Server Error: Internal Server Error"},
		{"no JSON", "try:\n    requests.get(base + '/404').json()\nexcept ValueError:\n    return 'caught'", "caught"},
		{"no JSON, by its own name", "from requests.exceptions import JSONDecodeError\ntry:\n    requests.get(base + '/404').json()\nexcept JSONDecodeError as x:\n    return x.response.status_code", "404"},
		{"a redirect", `r = requests.get(base + "/there"); return (r.status_code, r.url == base + "/echo")`, "(200, True)"},
		{"a redirect that is not followed", `r = requests.get(base + "/there", allow_redirects=False); return (r.status_code, r.headers["Location"], r.is_redirect)`, "(302, '/echo', True)"},
		{"head follows no redirect", `return requests.head(base + "/there").status_code`, "302"},
		{"too many redirects", "try:\n    requests.get(base + '/round')\nexcept requests.exceptions.TooManyRedirects:\n    return 'caught'", "caught"},
		{"the time is over", "try:\n    requests.get(base + '/silent', timeout=0.05)\nexcept requests.exceptions.Timeout as x:\n    return x.response", "None"},
		{"the time as a pair", "try:\n    requests.get(base + '/silent', timeout=(0.02, 0.03))\nexcept requests.Timeout:\n    return 'caught'", "caught"},
		{"the connection breaks", "try:\n    requests.post(base + '/gone')\nexcept requests.ConnectionError:\n    return 'caught'", "caught"},
		{"everything is an OSError", "try:\n    requests.get(base + '/round')\nexcept OSError:\n    return 'caught'", "caught"},
		{"an answer that is too large", "try:\n    requests.get(base + '/large')\nexcept requests.exceptions.RequestException as x:\n    return 'bytes' in str(x)", "True"},
		{"no scheme", "try:\n    requests.get('example.com')\nexcept requests.exceptions.MissingSchema:\n    return 'caught'", "caught"},
		{"a strange scheme is a ValueError, too", "try:\n    requests.get('file:///etc/passwd')\nexcept ValueError as x:\n    return str(x)", "requests cannot call file addresses"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			v, err := runIn(t, e, fmt.Sprintf("base = %q\n", s.URL)+row.body, expression.Scope{Request: request(), Policy: true})
			if err != nil || v.Text != row.want {
				t.Errorf("got %s (%v)\nwant %s", v.Text, err, row.want)
			}
		})
	}
	if text := log.String(); !strings.Contains(text, "expression called a server") || !strings.Contains(text, "status=404") {
		t.Errorf("the calls are not logged:\n%s", text)
	} else if strings.Contains(text, "echo") || strings.Contains(text, "X-Key") || strings.Contains(text, "raw") {
		t.Errorf("more than host and status is logged:\n%s", text)
	}
}

func TestRule11RequestsThatAreRefused(t *testing.T) {
	s := server(t)
	rows := []struct{ name, body, class, say string }{
		{"a host that is not listed", `requests.get("https://example.com/?token=topsecret")`, "PermissionError", "https://example.com is not in the list"},
		{"another port", `requests.get("http://127.0.0.1:1/")`, "PermissionError", "expression_hosts"},
		{"the address of cloud metadata", `requests.get("http://169.254.169.254/latest/")`, "PermissionError", "expression_hosts"},
		{"a redirect off the list", `requests.get(base + "/away")`, "PermissionError", "http://elsewhere.example.com is not in the list"},
		{"a handler for failures does not hide it", "try:\n    requests.get('https://example.com')\nexcept requests.exceptions.RequestException:\n    return True", "PermissionError", "expression_hosts"},
		{"a password in the address", `requests.get("http://u:p@127.0.0.1/")`, "InvalidURL", "auth"},
		{"an address without host", `requests.get("http:///x")`, "InvalidURL", "host"},
		{"no address", `requests.get("http://[")`, "InvalidURL", "not an URL"},
		{"another name for the host", `requests.get(base, headers={"Host": "inside"})`, "InvalidHeader", "Host"},
		{"a length", `requests.get(base, headers={"content-length": "5"})`, "InvalidHeader", "Content-Length"},
		{"for proxies", `requests.get(base, headers={"Proxy-Authorization": "x"})`, "InvalidHeader", "Proxy-Authorization"},
		{"a line break in a header", `requests.get(base, headers={"X-A": "a\r\nX-B: b"})`, "InvalidHeader", "X-A"},
		{"a line break in the name of a header", `requests.get(base, headers={"X-A\nX-B": "b"})`, "InvalidHeader", "characters"},
		{"certificates are verified", `requests.get(base, verify=False)`, "PermissionError", "verified"},
		{"no files", `requests.post(base, files={"a": "b"})`, "NotImplementedError", "files"},
		{"no cookies", `requests.get(base, cookies={"a": "b"})`, "NotImplementedError", "cookies"},
		{"no proxies", `requests.get(base, proxies={})`, "TypeError", "proxies"},
		{"a strange method", `requests.request("CONNECT", base)`, "ValueError", "CONNECT"},
		{"no method", `requests.request()`, "TypeError", "method"},
		{"no time", `requests.get(base, timeout=0)`, "ValueError", "timeout"},
		{"a time that is none", `requests.get(base, timeout="1")`, "ValueError", "timeout"},
		{"a login that is no pair", `requests.get(base, auth="x")`, "TypeError", "pair"},
		{"parameters that are none", `requests.get(base, params=5)`, "TypeError", "not iterable"},
		{"too much to send", `requests.post(base, data="x" * (1 << 20) + "y")`, "RequestException", "bytes"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var log bytes.Buffer
			v, err := runIn(t, online(t, s, &log), fmt.Sprintf("base = %q\n", s.URL)+row.body, expression.Scope{Request: request(), Policy: true})
			var x *expression.Error
			if !errors.As(err, &x) || x.Class != row.class || !strings.Contains(x.Message, row.say) {
				t.Errorf("got %q, %v", v.Text, err)
			}
			if strings.Contains(row.say, "the list") && !strings.Contains(log.String(), "expression may not call a server") {
				t.Errorf("the refusal is not logged: %s", log.String())
			}
			if text := log.String() + fmt.Sprint(err); strings.Contains(text, "topsecret") {
				t.Errorf("a secret of the address is shown: %s", text)
			}
		})
	}
}

// The calls of an evaluation are counted together with those of the policies
// that it calls, and catching the end does not help.
func TestRule11RequestsAreCounted(t *testing.T) {
	calls := 0
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls++ }))
	defer s.Close()
	var p *expression.Program
	e := online(t, s, io.Discard)
	e.Policies = itself{&p}
	var err error
	if p, err = expression.Compile("body", fmt.Sprintf("while True:\n    try:\n        requests.get(%q)\n        ak_call_policy('self')\n    except:\n        pass", s.URL), e); err != nil {
		t.Fatal(err)
	}
	_, err = p.Run(t.Context(), expression.Scope{Request: &policy.Request{User: ann(), Context: map[string]any{}}, Policy: true})
	if err == nil || calls != 10 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

// The end of the binding's time ends a call, and no body can catch it.
func TestRule11RequestsEndWithTheEvaluation(t *testing.T) {
	s := server(t)
	p, err := expression.Compile("body", fmt.Sprintf("try:\n    requests.get(%q)\nexcept:\n    return True", s.URL+"/silent"), online(t, s, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if v, err := p.Run(ctx, expression.Scope{Request: request(), Policy: true}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %q, %v", v.Text, err)
	}
}

func TestRequestsTrustNoUnknownCertificate(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	v, err := runIn(t, online(t, s, io.Discard), fmt.Sprintf("try:\n    requests.get(%q)\nexcept requests.exceptions.SSLError:\n    return 'caught'", s.URL), expression.Scope{})
	if err != nil || v.Text != "caught" {
		t.Errorf("got %q, %v", v.Text, err)
	}
}
