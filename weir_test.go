package weir

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/store/storetest"
)

// settings are those of a test: hashing costs as little as it may.
func settings(t testing.TB) Settings {
	s := DefaultSettings()
	s.Data = t.TempDir()
	s.Limits.ClientRate = 0 // tests are one client in a hurry
	s.Hashing.MemoryKiB, s.Hashing.Time = 7168, 1
	return s
}

func start(t *testing.T, s Settings) *Server {
	t.Helper()
	site, err := Open(t.Context(), Config{Settings: s, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := site.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return site
}

// each runs a test with an installation on either database.
func each(t *testing.T, f func(t *testing.T, s Settings)) {
	t.Run("sqlite", func(t *testing.T) { f(t, settings(t)) })
	t.Run("postgres", func(t *testing.T) {
		s := settings(t)
		s.DatabaseURL, s.SecretKey = Secret(storetest.Postgres(t)), Secret(strings.Repeat("k", 32))
		f(t, s)
	})
}

// client is a browser of the API: it keeps cookies and follows redirects only
// when told to.
type client struct {
	t    *testing.T
	base string
	http *http.Client
}

func visit(t *testing.T, site *Server) *client {
	t.Helper()
	srv := httptest.NewServer(site)
	t.Cleanup(srv.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &client{t, srv.URL, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// session is the value of the session cookie.
func (c *client) session() string {
	c.t.Helper()
	here, err := url.Parse(c.base)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, k := range c.http.Jar.Cookies(here) {
		if k.Name == "authentik_session" {
			return k.Value
		}
	}
	c.t.Fatal("no session cookie")
	return ""
}

type reply struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
	// list is the body where it is a list.
	list []any
}

func (c *client) do(method, path, body string, header ...string) reply {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := c.http.Do(r)
	if err != nil {
		c.t.Error(err)
		return reply{}
	}
	defer res.Body.Close()
	out := reply{status: res.StatusCode, header: res.Header}
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Error(err)
	}
	out.raw = raw
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") && len(raw) > 0 {
		var into any = &out.body
		if raw[0] == '[' {
			into = &out.list
		}
		if err := json.Unmarshal(raw, into); err != nil {
			c.t.Errorf("%s %s: %v in %s", method, path, err, raw)
		}
	}
	return out
}

func (r reply) component() string { s, _ := r.body["component"].(string); return s }

const loginFlow = "/api/v3/flows/executor/default-authentication-flow/?query=next%3D%252Fx"

// follow goes where an answer sends the browser, until a page.
func (c *client) follow(r reply) reply {
	c.t.Helper()
	for range 6 {
		if r.status != http.StatusFound {
			break
		}
		r = c.do("GET", r.header.Get("Location"), "")
	}
	return r
}

// signIn walks the default login and returns the last answer.
func (c *client) signIn(name, password string) reply {
	c.t.Helper()
	c.do("POST", loginFlow, fmt.Sprintf(`{"uid_field":%q}`, name))
	r := c.do("POST", loginFlow, fmt.Sprintf(`{"password":%q}`, password))
	return c.follow(r)
}

func TestTheDefaultLoginHopByHop(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.Bootstrap.Password = "correct horse"
		c := visit(t, start(t, s))
		hops := []struct {
			name, method, path, body string
			status                   int
			component, location      string
		}{
			{"a stranger is nobody", "GET", "/api/v3/core/users/me/", "", 403, "", ""},
			{"the login begins with identification", "GET", loginFlow, "", 200, "ak-stage-identification", ""},
			{"an empty answer is refused", "POST", loginFlow, "{}", 200, "ak-stage-identification", ""},
			{"a known name leads on", "POST", loginFlow, `{"uid_field":"akadmin"}`, 302, "", loginFlow},
			{"to the password", "GET", loginFlow, "", 200, "ak-stage-password", ""},
			{"a list is no answer", "POST", loginFlow, `[]`, 200, "ak-stage-password", ""},
			{"broken JSON is a flow error", "POST", loginFlow, `{`, 200, "ak-stage-flow-error", ""},
			{"a wrong password is refused", "POST", loginFlow, `{"password":"wrong"}`, 200, "ak-stage-password", ""},
			{"the right one leads on", "POST", loginFlow, `{"password":"correct horse"}`, 302, "", loginFlow},
			{"past the second factor, which nobody has", "GET", loginFlow, "", 302, "", loginFlow},
			{"and out of the flow", "GET", loginFlow, "", 200, "xak-flow-redirect", ""},
			{"now somebody is there", "GET", "/api/v3/core/users/me/", "", 200, "", ""},
			{"the log-out flow acts at once for a program", "GET", "/api/v3/flows/executor/default-invalidation-flow/", "", 200, "xak-flow-redirect", ""},
			{"and is nobody again", "GET", "/api/v3/core/users/me/", "", 403, "", ""},
		}
		for _, hop := range hops {
			r := c.do(hop.method, hop.path, hop.body)
			if r.status != hop.status || r.component() != hop.component || r.header.Get("Location") != hop.location {
				t.Fatalf("%s: got %d %q %q, want %d %q %q", hop.name, r.status, r.component(), r.header.Get("Location"), hop.status, hop.component, hop.location)
			}
			if r.component() == "ak-stage-flow-error" && r.body["request_id"] != r.header.Get("X-authentik-id") {
				t.Errorf("%s: request_id %v is not the header's %s", hop.name, r.body["request_id"], r.header.Get("X-authentik-id"))
			}
		}
	})
}

func TestADoubleClickGetsTheSameAnswerTwice(t *testing.T) {
	s := settings(t)
	s.Bootstrap.Password = "correct horse"
	site := start(t, s)
	rememberMe(t, site)

	t.Run("on the page", func(t *testing.T) {
		c := visit(t, site)
		const page = "/if/flow/remember/"
		c.do("GET", page, "")
		form := "uid_field=akadmin&password=correct+horse&weir.execution=&weir.step=0"
		for range 2 {
			r := c.do("POST", page, form, "Content-Type", "application/x-www-form-urlencoded")
			if r.status != http.StatusSeeOther || r.header.Get("Location") != page {
				t.Errorf("answer %d %q, want 303 to the page", r.status, r.header.Get("Location"))
			}
		}
	})
	t.Run("on the button that signs in, with the cookie of before", func(t *testing.T) {
		c := visit(t, site)
		const path = "/api/v3/flows/executor/remember/"
		if r := c.do("POST", path, `{"uid_field":"akadmin","password":"x"}`); !strings.Contains(fmt.Sprint(r.body), "response_errors") {
			t.Fatalf("a wrong password gives %v", r.body)
		}
		if r := c.do("POST", path, `{"uid_field":"akadmin","password":"correct horse"}`); r.status != http.StatusFound {
			t.Fatalf("the right one gives %d %v", r.status, r.body)
		}
		before := c.session()
		c.http.Jar = nil
		answer := func() (reply, string) {
			r := c.do("POST", path, `{"remember_me":true}`, "Cookie", "authentik_session="+before)
			return r, strings.Join(r.header.Values("Set-Cookie"), "\n")
		}
		first, cookies := answer()
		again, cookiesAgain := answer()
		if first.component() != "xak-flow-redirect" || again.component() != "xak-flow-redirect" {
			t.Fatalf("answers %v and %v", first.body, again.body)
		}
		start := strings.Index(cookies, "authentik_session=")
		if start < 0 {
			t.Fatalf("no session in %q", cookies)
		}
		value, _, _ := strings.Cut(cookies[start:], ";")
		if !strings.Contains(cookiesAgain, value) {
			t.Errorf("the second answer brings another session:\n%s\n%s", cookies, cookiesAgain)
		}
		if r := c.do("GET", "/api/v3/core/users/me/", "", "Cookie", value); r.status != 200 {
			t.Errorf("users/me answers %d", r.status)
		}
		if r := c.do("POST", path, `{"remember_me":false}`, "Cookie", "authentik_session="+before); r.component() == "xak-flow-redirect" {
			t.Error("another answer with the cookie of before signs in")
		}
	})
}

// rememberMe makes a login of two steps, of which the second one signs in.
func rememberMe(t *testing.T, site *Server) {
	t.Helper()
	apply(t, site, `
version: 1
entries:
  - {model: authentik_flows.flow, id: flow, identifiers: {slug: remember}, attrs: {name: One, title: One, designation: authentication}}
  - {model: authentik_stages_password.passwordstage, id: password, identifiers: {name: one-password}, attrs: {backends: [authentik.core.auth.InbuiltBackend]}}
  - {model: authentik_stages_identification.identificationstage, id: identification, identifiers: {name: one-identification},
     attrs: {user_fields: [username], password_stage: !KeyOf password}}
  - {model: authentik_stages_user_login.userloginstage, id: login, identifiers: {name: one-login}, attrs: {remember_me_offset: days=1}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf identification, order: 0}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf login, order: 10}}
`)
}

func TestRule33ARevokedSessionIsRefusedOnTheNextRequest(t *testing.T) {
	s := settings(t)
	s.Bootstrap.Password = "correct horse"
	site := start(t, s)
	c := visit(t, site)
	c.signIn("akadmin", "correct horse")
	if r := c.do("GET", "/api/v3/core/users/me/", ""); r.status != 200 {
		t.Fatalf("users/me answers %d after the login", r.status)
	}
	if err := site.SetPassword(t.Context(), "akadmin", "another horse"); err != nil {
		t.Fatal(err)
	}
	if r := c.do("GET", "/api/v3/core/users/me/", ""); r.status != 403 {
		t.Errorf("users/me answers %d after the session was ended, want 403", r.status)
	}
	if r := visit(t, site).signIn("akadmin", "correct horse"); r.component() != "ak-stage-password" {
		t.Errorf("the old password leads to %v", r.body)
	}
}

func TestRule34AndRule35SessionCookies(t *testing.T) {
	s := settings(t)
	s.Bootstrap.Password = "correct horse"
	s.TrustedProxies = append(s.TrustedProxies, loopback)
	site := start(t, s)
	c := visit(t, site)
	c.http.Jar = nil
	login := func(header ...string) string {
		for _, cookie := range c.do("GET", loginFlow, "", header...).header.Values("Set-Cookie") {
			if strings.Contains(cookie, "authentik_session=") {
				return cookie
			}
		}
		return "none"
	}
	if got := login(); !strings.Contains(got, "authentik_session=") || strings.Contains(got, "__Host-") {
		t.Errorf("over http: %s", got)
	}
	got := login("X-Forwarded-Proto", "https")
	for _, want := range []string{"__Host-authentik_session=", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(got, want) {
			t.Errorf("over https the cookie lacks %s: %s", want, got)
		}
	}

	signed := visit(t, site)
	signed.signIn("akadmin", "correct horse")
	token := signed.session()
	me := func(cookie string, header ...string) int {
		return c.do("GET", "/api/v3/core/users/me/", "", append(header, "Cookie", cookie)...).status
	}
	if got := me("authentik_session=" + token); got != 200 {
		t.Fatalf("the cookie itself gives %d", got)
	}
	if got := me("authentik_session="+token, "X-Forwarded-Proto", "https"); got != 403 {
		t.Errorf("over https the plain name gives %d, want 403", got)
	}
	for i := range token {
		flipped := []byte(token)
		flipped[i] ^= 1
		if got := me("authentik_session=" + string(flipped)); got != 403 {
			t.Errorf("with byte %d flipped the cookie gives %d", i, got)
		}
	}
}

func TestMetricsAreNotForStrangers(t *testing.T) {
	s := settings(t)
	s.Bootstrap.Token = "a-bootstrap-token-of-some-length"
	site := start(t, s)
	if _, err := site.CreateUser(t.Context(), NewUser{Username: "ada", Name: "Ada"}); err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		name, peer string
		header     []string
		want       int
	}{
		{"this machine", "127.0.0.1:1", nil, 200},
		{"another machine", "192.0.2.1:1", nil, 403},
		{"another machine through a proxy on this one", "127.0.0.1:1", []string{"X-Forwarded-For", "192.0.2.1"}, 403},
		{"the token of a superuser", "192.0.2.1:1", []string{"Authorization", "Bearer a-bootstrap-token-of-some-length"}, 200},
		{"another token", "192.0.2.1:1", []string{"Authorization", "Bearer nonsense"}, 403},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/-/metrics/", nil)
			r.RemoteAddr = row.peer
			for i := 0; i < len(row.header); i += 2 {
				r.Header.Set(row.header[i], row.header[i+1])
			}
			w := httptest.NewRecorder()
			site.ServeHTTP(w, r)
			if w.Code != row.want || (w.Code == 200) != strings.Contains(w.Body.String(), "weir_flow_plan_duration_seconds") {
				t.Errorf("status %d, want %d", w.Code, row.want)
			}
		})
	}
}

func TestReady(t *testing.T) {
	site, err := Open(t.Context(), Config{Settings: settings(t), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ready := func() int {
		w := httptest.NewRecorder()
		site.ServeHTTP(w, httptest.NewRequest("GET", "/-/health/ready/", nil))
		return w.Code
	}
	if got := ready(); got != 200 {
		t.Errorf("ready = %d, want 200", got)
	}
	if err := site.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := ready(); got != 503 {
		t.Errorf("ready = %d with the database closed, want 503", got)
	}
}
