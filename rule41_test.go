package weir

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRule41NothingLinksAnIdentityOfAnotherSystem: links to other systems are written
// by the flow that links, and by nothing else. There is none here, so nothing writes
// them: no address, no file, no form.
func TestRule41NothingLinksAnIdentityOfAnotherSystem(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		ada := o.user("ada", nil)
		for _, kind := range []string{"all", "oauth", "ldap", "saml", "plex", "kerberos", "telegram"} {
			for _, path := range []string{"sources/user_connections/", "sources/group_connections/"} {
				if a := o.call(root, "POST", path+kind+"/", m{"user": ada, "source": "9b6d6a3a-32a5-4b09-8f1a-4d3f4c1d3d11", "identifier": "victim"}); a.status != http.StatusNotFound {
					t.Errorf("%s%s: %d %s", path, kind, a.status, a.raw)
				}
			}
		}
		for _, model := range []string{"authentik_core.usersourceconnection", "authentik_sources_oauth.useroauthsourceconnection", "authentik_sources_ldap.userldapsourceconnection"} {
			file := "version: 1\nentries:\n  - {model: " + model + ", identifiers: {identifier: victim}, attrs: {user: 1}}\n"
			path := filepath.Join(t.TempDir(), "links.yaml")
			if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := o.site.Apply(t.Context(), []string{path}, false); err == nil || !strings.Contains(err.Error(), model) {
				t.Errorf("%s is imported: %v", model, err)
			}
		}
	})
}
