package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir"
	"github.com/weir-id/weir/internal/config"
)

// withoutOurSetup takes the stages of our set-up flow out of it, since the published
// one has its own.
const withoutOurSetup = `
version: 1
entries:
  - {model: authentik_flows.flowstagebinding, state: absent, identifiers: {target: !Find [authentik_flows.flow, [slug, initial-setup]], stage: !Find [authentik_stages_prompt.promptstage, [name, initial-setup-prompt]], order: 10}}
  - {model: authentik_flows.flowstagebinding, state: absent, identifiers: {target: !Find [authentik_flows.flow, [slug, initial-setup]], stage: !Find [authentik_stages_user_write.userwritestage, [name, initial-setup-write]], order: 20}}
  - {model: authentik_flows.flowstagebinding, state: absent, identifiers: {target: !Find [authentik_flows.flow, [slug, initial-setup]], stage: !Find [authentik_stages_user_login.userloginstage, [name, initial-setup-login]], order: 100}}
`

// The published set-up flows make the first administrator by the link for that,
// once.
func TestPublishedSetUpWorksToTheEnd(t *testing.T) {
	ours := filepath.Join(t.TempDir(), "ours.yaml")
	if err := os.WriteFile(ours, []byte(withoutOurSetup), 0o600); err != nil {
		t.Fatal(err)
	}
	form := func(more ...any) object {
		return with(changing("four odd words here"), append(more, "email", "root@example.com")...)
	}
	for name, answers := range map[string][]object{
		"flow-oobe.yaml":       {form()},
		"later/flow-oobe.yaml": {form("base_url", "nonsense"), form("base_url", "https://id.example.com")},
	} {
		file := publishedFiles(t, "default/"+name)[0]
		want := "ak-stage-prompt" + strings.Repeat(", ak-stage-prompt refused", len(answers)-1) + ", xak-flow-redirect"
		for _, db := range databases {
			for by, traveller := range travellers {
				t.Run(name+", "+db+", "+by, func(t *testing.T) {
					t.Parallel()
					s := newSite(t, db, func(c *weir.Settings) { c.Bootstrap = config.Bootstrap{} })
					if _, err := s.Apply(t.Context(), []string{ours, file}, false); err != nil {
						t.Fatal(err)
					}
					link, err := s.SetupLink(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					_, query, _ := strings.Cut(link, "?")
					goes := func(who, want string, ways ...walk) {
						t.Helper()
						seen, at := traveller(t, s, ways...)
						if diff := cmp.Diff([]string{want}, seen); diff != "" || at != who {
							t.Errorf("%q is signed in, want %q; seen (-want +got):\n%s", at, who, diff)
						}
					}
					goes("", "ak-stage-access-denied", walk{slug: "initial-setup"})
					goes("akadmin", want, walk{"initial-setup", query, answers})
					goes("", "ak-stage-access-denied", walk{slug: "initial-setup", query: query})
					goes("akadmin", signedIn, signingIn("root@example.com", "four odd words here"))
				})
			}
		}
	}
}
