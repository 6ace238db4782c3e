package weir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// office is an installation whose API is called with tokens.
type office struct {
	t    *testing.T
	site *Server
	base string
}

// root is the superuser's token; the empty one is nobody's.
const root = "a-bootstrap-token-of-some-length"

func openOffice(t *testing.T, s Settings) *office {
	t.Helper()
	s.Bootstrap.Password, s.Bootstrap.Token = "correct horse", root
	site := start(t, s)
	srv := httptest.NewServer(site)
	t.Cleanup(srv.Close)
	return &office{t, site, srv.URL}
}

// answer is what came back; at most one of object and list is set.
type answer struct {
	status int
	header http.Header
	raw    string
	object map[string]any
	list   []any
}

// call sends a request below /api/v3/ with somebody's token.
func (o *office) call(token, method, path string, body any) answer {
	o.t.Helper()
	var sent bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			o.t.Fatal(err)
		}
	}
	return o.send(token, method, path, "application/json", &sent)
}

// send is call with a body of any type.
func (o *office) send(token, method, path, contentType string, body io.Reader) answer {
	o.t.Helper()
	r, err := http.NewRequestWithContext(o.t.Context(), method, o.base+"/api/v3/"+path, body)
	if err != nil {
		o.t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		o.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	out := answer{status: res.StatusCode, header: res.Header, raw: string(raw)}
	if strings.HasPrefix(out.raw, "{") {
		err = json.Unmarshal(raw, &out.object)
	} else if strings.HasPrefix(out.raw, "[") {
		err = json.Unmarshal(raw, &out.list)
	}
	if err != nil {
		o.t.Fatalf("%s %s: %v in %s", method, path, err, raw)
	}
	return out
}

// must is a call as superuser that has to end well.
func (o *office) must(method, path string, body any) map[string]any {
	o.t.Helper()
	a := o.call(root, method, path, body)
	if a.status >= 300 {
		o.t.Fatalf("%s %s = %d %s", method, path, a.status, a.raw)
	}
	return a.object
}

type m = map[string]any

// user makes a user and returns the key.
func (o *office) user(name string, more m) int64 {
	o.t.Helper()
	body := m{"username": name, "name": name}
	for k, v := range more {
		body[k] = v
	}
	return int64(o.must("POST", "core/users/", body)["pk"].(float64))
}

func (o *office) group(name string, more m) string {
	o.t.Helper()
	body := m{"name": name}
	for k, v := range more {
		body[k] = v
	}
	return o.must("POST", "core/groups/", body)["pk"].(string)
}

// role makes a role with permissions for all objects.
func (o *office) role(name string, permissions ...string) string {
	o.t.Helper()
	pk := o.must("POST", "rbac/roles/", m{"name": name})["pk"].(string)
	if len(permissions) > 0 {
		o.must("POST", "rbac/permissions/assigned_by_roles/"+pk+"/assign/", m{"permissions": permissions})
	}
	return pk
}

// token makes an API token for a user and returns its key.
func (o *office) token(user int64) string {
	o.t.Helper()
	identifier := fmt.Sprintf("token-of-%d", user)
	o.must("POST", "core/tokens/", m{"identifier": identifier, "intent": "api", "user": user})
	return o.must("GET", "core/tokens/"+identifier+"/view_key/", nil)["key"].(string)
}

// clerk makes a user with a role of these permissions and returns their key
// and token.
func (o *office) clerk(name string, permissions ...string) (int64, string) {
	o.t.Helper()
	id := o.user(name, nil)
	o.must("POST", "rbac/roles/"+o.role("role of "+name, permissions...)+"/add_user/", m{"pk": id})
	return id, o.token(id)
}

// page fetches a page or an answer with headers, as text.
func (o *office) page(path string, header http.Header) string {
	o.t.Helper()
	r, err := http.NewRequestWithContext(o.t.Context(), "GET", o.base+path, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	r.Header = header
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		o.t.Fatal(err)
	}
	defer res.Body.Close()
	var b strings.Builder
	if err := res.Write(&b); err != nil {
		o.t.Fatal(err)
	}
	return b.String()
}

// events are the actions of all events, in their order.
func (o *office) events() string {
	o.t.Helper()
	var out []string
	rows, err := o.site.db.Query(o.t.Context(), "select action from events order by created, id")
	if err != nil {
		o.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var action string
		if err := rows.Scan(&action); err != nil {
			o.t.Fatal(err)
		}
		out = append(out, action)
	}
	return strings.Join(out, " ")
}
