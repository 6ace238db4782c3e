package blueprint_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/internal/blueprint"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/directory/password"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/resource/resourcetest"
	"github.com/weir-id/weir/internal/session/token"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// site is an installation without web pages.
type site struct {
	*blueprint.Importer
	db      store.DB
	catalog *catalog.Catalog
	people  *directory.Directory
	hasher  *password.Hasher
	tokens  *token.Tokens
	config  blueprint.Config
}

func newSite(t testing.TB, db store.DB, change func(*blueprint.Config)) *site {
	t.Helper()
	in := resourcetest.New(t, db)
	s := &site{db: db, hasher: in.Hasher, tokens: in.Tokens, people: in.People, catalog: in.Catalog}
	s.config = blueprint.Config{Catalog: in.Catalog, Logger: in.Log, Access: in.Access, Grants: resource.Grants{Access: in.Access}, Registry: in.Kinds,
		Getenv: func(name string) string { return map[string]string{"SITE": "example.org"}[name] }}
	if change != nil {
		change(&s.config)
	}
	s.Importer = blueprint.New(s.config)
	return s
}

// TestGolden applies the blueprints of each file in testdata. A file holds
// sections "-- name --": blueprints in "*.yaml", applied in order; "known/*.yaml"
// are only there to be applied by others; the expected "report", and "again" for
// a second call, or "errors".
func TestGolden(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db store.DB) { golden(t, db, name) })
		})
	}
}

func golden(t *testing.T, db store.DB, name string) {
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	parts := split(string(data))
	known := fstest.MapFS{}
	var files []blueprint.File
	wanted := map[string]string{}
	for _, p := range parts {
		short, isKnown := strings.CutPrefix(p.name, "known/")
		switch {
		case isKnown:
			known[short] = &fstest.MapFile{Data: []byte(p.text)}
		case strings.HasSuffix(p.name, ".yaml"):
			files = append(files, blueprint.File{Name: p.name, Data: []byte(p.text)})
		default:
			wanted[p.name] = p.text
		}
	}
	s := newSite(t, db, func(c *blueprint.Config) { c.Instances = blueprint.Folder(known) })
	got := map[string]string{}
	options := blueprint.Options{AllowEnv: true, By: catalog.Meta{Actor: "test", Source: "test"}}
	before := s.tables(t)
	report, err := s.Apply(t.Context(), files, options)
	if err != nil {
		got["errors"] = err.Error() + "\n"
		if diff := cmp.Diff(before, s.tables(t)); diff != "" {
			t.Errorf("a refused blueprint changed the store:\n%s", diff)
		}
	}
	if text := render(report); text != "" {
		got["report"] = text
	}
	if err == nil {
		before = s.tables(t)
		// Another node, which knows only what is stored.
		s = newSite(t, db, func(c *blueprint.Config) { c.Instances = blueprint.Folder(known) })
		again, err := s.Apply(t.Context(), files, options)
		if err != nil {
			got["again"] = err.Error() + "\n"
		} else {
			got["again"] = render(again)
			if diff := cmp.Diff(before, s.tables(t)); !again.Changed() && diff != "" {
				t.Errorf("the second report says that nothing changed, but the store has:\n%s", diff)
			}
		}
	}
	if *update {
		write(t, name, parts, got)
		return
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func render(r *blueprint.Report) string {
	var b strings.Builder
	for _, c := range r.Changes {
		b.WriteString(strings.TrimRight(c.String(), " ") + "\n")
	}
	for _, w := range r.Warnings {
		b.WriteString("! " + w.String() + "\n")
	}
	return b.String()
}

type part struct{ name, text string }

// split reads "-- name --" sections.
func split(text string) []part {
	var parts []part
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "-- "); ok && strings.HasSuffix(name, " --") {
			parts = append(parts, part{name: strings.TrimSuffix(name, " --")})
		} else if len(parts) > 0 {
			parts[len(parts)-1].text += line
		}
	}
	return parts
}

func write(t *testing.T, name string, parts []part, got map[string]string) {
	var b strings.Builder
	for _, p := range parts {
		if strings.HasSuffix(p.name, ".yaml") {
			fmt.Fprintf(&b, "-- %s --\n%s", p.name, p.text)
		}
	}
	for _, key := range []string{"report", "errors", "again"} {
		if text, ok := got[key]; ok {
			fmt.Fprintf(&b, "-- %s --\n%s", key, text)
		}
	}
	if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tables returns the rows of all tables that blueprints write, as text.
func (s *site) tables(t testing.TB) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for table, columns := range map[string]string{
		"catalog_head":      "cast(revision as text)",
		"catalog_versions":  "id || kind || type || cast(revision as text) || cast(doc as text) || cast(deleted as text) || cast(current as text)",
		"catalog_refs":      "from_id || field || to_kind || to_id",
		"catalog_revisions": "cast(revision as text) || cast(summary as text)",
		"users":             "cast(id as text) || username || email || password_hash || cast(attributes as text) || cast(last_updated as text)",
		"groups":            "id || name || cast(attributes as text)",
		"group_members":     "group_id || cast(user_id as text)",
		"group_parents":     "group_id || parent_id",
		"tokens":            "id || identifier || key_hash",
		"roles":             "id || name",
		"role_grants":       "role_id || permission || object_kind || object_id",
		"role_users":        "role_id || cast(user_id as text)",
	} {
		rows, err := store.Select(t.Context(), s.db, store.Column[string], "select "+columns+" as row from "+table+" order by 1")
		if err != nil {
			t.Fatal(err)
		}
		out[table] = rows
	}
	return out
}

func (s *site) apply(t testing.TB, o blueprint.Options, texts ...string) (*blueprint.Report, error) {
	t.Helper()
	var files []blueprint.File
	for i, text := range texts {
		files = append(files, blueprint.File{Name: fmt.Sprintf("f%d.yaml", i), Data: []byte(text)})
	}
	return s.Apply(t.Context(), files, o)
}

func (s *site) mustApply(t testing.TB, texts ...string) *blueprint.Report {
	t.Helper()
	r, err := s.apply(t, blueprint.Options{AllowEnv: true}, texts...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func defaultFiles(t testing.TB) []blueprint.File {
	t.Helper()
	files, err := blueprint.Files(context.Background(), blueprint.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	return files
}
