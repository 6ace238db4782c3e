package weir_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-id/weir"
)

// No answer contains the host that a request claims: a link made from it would
// send people, and what the link carries, elsewhere.
func TestRule21LinksComeFromTheConfiguration(t *testing.T) {
	const evil = "evil.example"
	c := weir.Config{Settings: weir.DefaultSettings()}
	c.Data = t.TempDir()
	site, err := weir.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = site.Close(t.Context()) })
	recovery := filepath.Join(c.Data, "recovery.yaml")
	text := `
version: 1
entries:
  - model: authentik_flows.flow
    id: recovery
    identifiers: { slug: recovery }
    attrs: { name: Recovery, title: Recovery, designation: recovery }
  - model: authentik_brands.brand
    identifiers: { default: true }
    attrs: { flow_recovery: !KeyOf recovery }
`
	if err := os.WriteFile(recovery, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Apply(t.Context(), []string{recovery}, false); err != nil {
		t.Fatal(err)
	}
	const executor = "/api/v3/flows/executor/default-authentication-flow/?query=next%3D%252Fx"
	cookie := ""
	seenRecovery := false
	for _, step := range []struct{ method, path, body string }{
		{"GET", "/", ""}, {"GET", "/if/user/", ""}, {"GET", "/flows/-/default/authentication/?next=%2F", ""},
		{"GET", "/if/flow/default-authentication-flow/", ""}, {"GET", "/nothing", ""}, {"GET", "/api/v3/root/config/", ""}, {"GET", "/api/v3/core/brands/current/", ""},
		{"GET", executor, ""}, {"POST", executor, `{"uid_field":"akadmin"}`}, {"GET", executor, ""},
	} {
		r := httptest.NewRequest(step.method, "http://"+evil+step.path, strings.NewReader(step.body))
		r.Header.Set("X-Forwarded-Host", evil)
		r.Header.Set("Forwarded", "host="+evil)
		if step.body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		w := httptest.NewRecorder()
		site.ServeHTTP(w, r)
		for _, set := range w.Result().Cookies() {
			if set.Name == "authentik_session" {
				cookie = set.Name + "=" + set.Value
			}
		}
		if w.Code >= http.StatusInternalServerError {
			t.Errorf("%s %s answers %d", step.method, step.path, w.Code)
		}
		if strings.Contains(w.Body.String(), evil) {
			t.Errorf("%s %s repeats the claimed host:\n%s", step.method, step.path, w.Body)
		}
		for name, values := range w.Header() {
			if strings.Contains(strings.Join(values, " "), evil) {
				t.Errorf("%s %s repeats the claimed host in %s", step.method, step.path, name)
			}
		}
		seenRecovery = seenRecovery || strings.Contains(w.Body.String(), `"recovery_url":"/if/flow/recovery/`)
	}
	if !seenRecovery {
		t.Error("no step carried the link that the rule is about")
	}
}
