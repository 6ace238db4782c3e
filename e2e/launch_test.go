package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An application lies on another site, where no form of ours may lead: also
// behind a sign-in the browser has to get there.
func TestAnApplicationOpensAfterSigningInAndFromTheHomePage(t *testing.T) {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "Welcome to the wiki, %s", r.URL.Query().Get("who"))
	}))
	t.Cleanup(target.Close)
	each(t, func(t *testing.T, s *site, js bool) {
		user := s.user(t, "Opener")
		slug := "wiki-" + user.name
		file := filepath.Join(t.TempDir(), "wiki.yaml")
		text := fmt.Sprintf("entries: [{model: authentik_core.application, identifiers: {slug: %s}, attrs: {name: The wiki of %s, meta_launch_url: \"%s/?who=%%(username)s\"}}]\n",
			slug, user.name, target.URL)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.apply(t, file)
		b := newTab(t, s.URL, js)
		b.open("/application/launch/" + slug + "/")
		b.at("/if/flow/")
		b.fill("uid_field", user.name)
		b.submit()
		b.fill("password", user.password)
		b.submit()
		b.sees("Welcome to the wiki, " + user.name)
		b.open("/if/user/")
		b.sees("The wiki of " + user.name)
		b.press(`a[href="/application/launch/` + slug + `/"]`)
		b.sees("Welcome to the wiki, " + user.name)
		if got := b.path(); !strings.HasPrefix(got, target.URL) {
			t.Errorf("the browser is at %s", got)
		}
	})
}
