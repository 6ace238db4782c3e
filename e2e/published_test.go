package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-id/weir"
)

// corpus is where published flow files lie beside a working copy; they are
// read, never copied.
const corpus = "../../shared/corpus/blueprints/default"

// publishedFiles are files by their names below the corpus; the test is skipped, and says
// so, where they are not.
func publishedFiles(t *testing.T, names ...string) []string {
	t.Helper()
	files := make([]string, len(names))
	for i, name := range names {
		files[i] = filepath.Join(filepath.Dir(corpus), name)
		if _, err := os.Stat(files[i]); err != nil {
			t.Skipf("the published files are not here: %v", err)
		}
	}
	return files
}

// importsUnchanged imports files; doing it again changes nothing.
func (s *site) importsUnchanged(t *testing.T, files []string) {
	t.Helper()
	if _, err := s.Apply(t.Context(), files, false); err != nil {
		t.Fatal(err)
	}
	again, err := s.Apply(t.Context(), files, true)
	if err != nil {
		t.Fatal(err)
	}
	if n := again.Count("+") + again.Count("~") + again.Count("-"); n != 0 {
		t.Errorf("the second import would change %d objects: %+v", n, again.Changes)
	}
}

// The published login and logout flows import unchanged over ours, a second
// time without any change, and people sign in and out as before.
func TestPublishedFlowsImportUnchanged(t *testing.T) {
	files := publishedFiles(t, "default/flow-default-authentication-flow.yaml", "default/flow-default-invalidation-flow.yaml")
	for _, db := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, db)
			s.importsUnchanged(t, files)
			user := s.user(t, "Published")
			b := newTab(t, s.URL, false)
			signIn(b, user.name, "wrong")
			b.sees("Error")
			b.fill("password", user.password)
			b.submit()
			b.at("/if/user/")
			b.sees("Hello, Published")
			b.submit()
			b.at("/if/flow/")
			if n := s.sessions(t, user); n != 0 {
				t.Errorf("%d sessions after signing out", n)
			}
			answers := official(t, s, get(login, ""), solve(login, "", with(component("ak-stage-identification"), "uidField", user.name)),
				solve(login, "", with(component("ak-stage-password"), "password", user.password)))
			if got := answers[2].component(); got != "xak-flow-redirect" {
				t.Errorf("the official client ends at %s", got)
			}
		})
	}
}

// A broken file changes nothing and says file, entry and field.
func TestBrokenFileChangesNothing(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join("testdata", "flows.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	breaks := []struct{ name, old, new, say string }{
		{"a field with a wrong value", "denied_action: continue }", "denied_action: perhaps }", "field denied_action"},
		{"an entry that does not exist", "stage: !KeyOf deny,", "stage: !KeyOf nobody,", "nobody"},
		{"a model outside", "authentik_stages_deny.denystage", "authentik_sources_ldap.ldapsource", "outside"},
		{"an expression that cannot be compiled", "return False", "class X: pass", "field expression"},
		{"a required field missing", "{ name: e2e-redirect }\n    attrs: { mode: flow, target_flow", "{ name: e2e-other }\n    attrs: { target_flow", "field mode"},
		{"no YAML at all", "version: 1", "version: [1", "broken.yaml:"},
	}
	s := newSite(t, "sqlite")
	s.apply(t, filepath.Join("testdata", "flows.yaml"))
	for _, row := range breaks {
		t.Run(row.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "broken.yaml")
			text := strings.Replace(string(whole), row.old, row.new, 1)
			// What would change if it were applied in part.
			text = strings.ReplaceAll(text, "title: Closed", "title: Changed")
			if text == string(whole) || os.WriteFile(path, []byte(text), 0o600) != nil {
				t.Fatal("the test does not break the file")
			}
			_, err := s.Apply(t.Context(), []string{path}, false)
			var errs weir.BlueprintErrors
			if !errors.As(err, &errs) || !strings.Contains(err.Error(), row.say) || !strings.Contains(err.Error(), "broken.yaml") {
				t.Fatalf("got %v", err)
			}
			if errs[0].Line == 0 {
				t.Errorf("no line in %v", errs[0])
			}
			same, err := s.Apply(t.Context(), []string{filepath.Join("testdata", "flows.yaml")}, true)
			if err != nil {
				t.Fatal(err)
			}
			if n := same.Count("+") + same.Count("~") + same.Count("-"); n != 0 {
				t.Errorf("%d objects have changed", n)
			}
		})
	}
}
