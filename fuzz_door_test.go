package weir

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/api"
)

const doorToken = "a-bootstrap-token-of-some-length"

// door is an installation that strangers and an administrator knock at.
type door struct {
	site  *Server
	alarm *alarm
}

func newDoor(t testing.TB) *door {
	t.Helper()
	d := &door{alarm: &alarm{}}
	s := settings(t)
	s.Bootstrap.Token, s.Bootstrap.Password = doorToken, "correct horse"
	s.TrustedProxies = append(s.TrustedProxies, loopback)
	var err error
	d.site, err = Open(t.Context(), Config{Settings: s, Log: slog.New(slog.NewTextHandler(d.alarm, &slog.HandlerOptions{Level: slog.LevelError}))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.site.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return d
}

// knock sends a request and fails for a panic and for a fault of the server.
func (d *door) knock(t *testing.T, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	d.site.ServeHTTP(w, r)
	if w.Code >= 500 {
		t.Errorf("%s %s %v answers %d: %.300s", r.Method, r.URL, r.Header, w.Code, w.Body)
	}
	if found := d.alarm.take(); found != "" {
		t.Errorf("%s %s %v: %s", r.Method, r.URL, r.Header, found)
	}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
		t.Errorf("%s %s answers %.300q", r.Method, r.URL, w.Body)
	}
	return w
}

// doorHeaders are those that the server reads itself.
var doorHeaders = []string{"Authorization", "Cookie", "Accept-Language", "User-Agent", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host",
	"X-authentik-outpost-token", "X-authentik-remote-ip", "Origin", "Referer", "Sec-Fetch-Site", "If-Match", "If-None-Match", "Content-Type", "Host", "X-authentik-CSRF", "Range"}

// FuzzHeaders sends a header with any value, of a stranger and through a
// trusted proxy, to pages and API: nothing breaks, and nobody becomes somebody.
func FuzzHeaders(f *testing.F) {
	d := newDoor(f)
	// A cookie of the right form that the server did not make.
	forged := base64.RawURLEncoding.EncodeToString([]byte("m" + strings.Repeat("0123456789abcdef", 4)))
	for n := range doorHeaders {
		for _, v := range []string{"", "x", "Bearer x", "bearer  ", "Basic YTpi", "authentik_session=" + forged, "authentik_session=\"x; a=", "de,en;q=2", "127.0.0.1", "::1%x", "https", "null", "W/\"x\"", "bytes=0-", "\x00", "\xff"} {
			f.Add(uint8(n), v, uint8(n))
		}
	}
	paths := []string{"/api/v3/core/users/me/", "/", "/if/flow/default-authentication-flow/", "/api/v3/flows/executor/default-authentication-flow/?query=", "/api/v3/core/users/", "/if/user/"}
	f.Fuzz(func(t *testing.T, name uint8, value string, path uint8) {
		header := doorHeaders[int(name)%len(doorHeaders)]
		if strings.Contains(value, doorToken) {
			return
		}
		for _, peer := range []string{"203.0.113.9:1", "127.0.0.1:1"} {
			for _, method := range []string{"GET", "POST"} {
				r := httptest.NewRequest(method, paths[int(path)%len(paths)], strings.NewReader("{}"))
				r.RemoteAddr = peer
				r.Header.Set("Content-Type", "application/json")
				r.Header[header] = []string{value}
				if header == "Host" {
					r.Host = value
				}
				d.knock(t, r)
			}
			r := httptest.NewRequest("GET", "/api/v3/core/users/me/", nil)
			r.RemoteAddr = peer
			r.Header[http.CanonicalHeaderKey(header)] = []string{value}
			if w := d.knock(t, r); w.Code != http.StatusForbidden {
				t.Errorf("%s %q is somebody: %d %s", header, value, w.Code, w.Body)
			}
		}
	})
}

// FuzzLists asks every list with any query, as an administrator.
func FuzzLists(f *testing.F) {
	d := newDoor(f)
	var lists []api.Route
	for _, r := range d.site.api.Routes() {
		if r.Method == http.MethodGet && !strings.Contains(r.Path, "{") {
			lists = append(lists, r)
		}
	}
	queries := []string{"ordering=-name&search=a", "page=0", "page=9223372036854775807&page_size=-1", "page_size=100000000", "ordering=-,--pk,;drop", "search=%00%25_'\"\\",
		"is_active=maybe&attributes=%7B%22a%22%3A%5B1%2C%7B%7D%5D%7D", "attributes=[", "uuid=x&pk=1e9&groups_by_pk=x", "name__icontains=%ff", "last_updated__gt=9999999-01-01T00:00:00Z",
		"include_users=x&include_groups=0", "type=nobody&type=internal", "managed=&managed__isnull=2", "order=99999999999999999999", "actor=1&action=login&client_ip=x", strings.Repeat("search=a&", 50)}
	for n, r := range lists {
		f.Add(uint8(n), queries[n%len(queries)])
		for name := range r.Doc.Query {
			f.Add(uint8(n), url.Values{r.Doc.Query[name].Name: {queries[(n+name)%len(queries)]}}.Encode())
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, query string) {
		r := httptest.NewRequest("GET", "/api/v3/"+lists[int(n)%len(lists)].Path, nil)
		r.URL.RawQuery = query
		r.Header.Set("Authorization", "Bearer "+doorToken)
		if w := d.knock(t, r); w.Code == http.StatusForbidden {
			t.Errorf("%s is forbidden: %s", r.URL, w.Body)
		}
	})
}

// FuzzAnswer sends any body to the password stage of the default login, as an
// answer of a program: it never signs in, and the question stays.
func FuzzAnswer(f *testing.F) {
	d := newDoor(f)
	for _, s := range []string{"", "{}", "[]", "null", `{"password":"wrong"}`, `{"password":["correct horse"]}`, `{"password":{"$ne":""}}`, `{"password":"x"}{"password":"y"}`, "\xff", strings.Repeat(`{"a":`, 300),
		`{"password":"correct horse "}`, `{"component":"ak-stage-user-login","remember_me":true}`, `{"uid_field":"akadmin","passkey":{"id":"x"}}`, `{"pending_user":"akadmin","password":null}`} {
		f.Add(s, "application/json")
	}
	f.Add(`{"password":"x"}`, "application/json; charset=utf-7")
	f.Add("password=x", "application/x-www-form-urlencoded")
	f.Fuzz(func(t *testing.T, body, kind string) {
		var sent map[string]any
		if json.Unmarshal([]byte(body), &sent) == nil && sent["password"] == "correct horse" {
			return
		}
		cookie := ""
		post := func(body, kind string) *httptest.ResponseRecorder {
			r := httptest.NewRequest("POST", loginFlow, strings.NewReader(body))
			r.Header.Set("Content-Type", kind)
			r.Header.Set("Cookie", cookie)
			w := d.knock(t, r)
			for _, c := range w.Result().Cookies() {
				if c.Name == "authentik_session" {
					cookie = c.Name + "=" + c.Value
				}
			}
			return w
		}
		if w := post(`{"uid_field":"akadmin"}`, "application/json"); w.Code != http.StatusFound {
			t.Fatalf("naming somebody answers %d %s", w.Code, w.Body)
		}
		if w := post(body, kind); w.Code == http.StatusFound || strings.Contains(w.Body.String(), "xak-flow-redirect") {
			t.Errorf("%q of type %q goes on: %d %s", body, kind, w.Code, w.Body)
		}
		r := httptest.NewRequest("GET", loginFlow, nil)
		r.Header.Set("Cookie", cookie)
		if w := d.knock(t, r); !strings.Contains(w.Body.String(), `"ak-stage-password"`) {
			t.Errorf("after %q of type %q: %s", body, kind, w.Body)
		}
	})
}
