package blueprint_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/internal/blueprint"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

const corpus = "../../../shared/corpus/blueprints"

// published reads files of the corpus.
func published(t testing.TB, pattern string) []blueprint.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(corpus, pattern))
	if err != nil || len(names) == 0 {
		t.Skipf("no published blueprints in %s", filepath.Join(corpus, pattern))
	}
	var files []blueprint.File
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, blueprint.File{Name: filepath.Base(name), Data: data})
	}
	return files
}

func TestDefaultsApply(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		s := newSite(t, db, nil)
		report, err := s.Apply(t.Context(), defaultFiles(t), blueprint.Options{By: catalog.Meta{Source: "defaults"}})
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Warnings) > 0 {
			t.Errorf("warnings: %v", report.Warnings)
		}
		view := s.catalog.Snapshot()
		signIn, ok := view.FlowBySlug("default-authentication-flow")
		if !ok || len(view.Bindings(signIn.ID)) != 4 {
			t.Fatal("the sign-in flow has not four stages")
		}
		for i, want := range []struct {
			stage    string
			policies int
		}{{"default-authentication-identification", 0}, {"default-authentication-password", 1},
			{"default-authentication-mfa-validation", 1}, {"default-authentication-login", 0}} {
			b := view.Bindings(signIn.ID)[i]
			stage, _ := view.Stage(b.Stage)
			if stage.Name != want.stage || stage.Err != nil || len(view.PolicyBindings(b.ID)) != want.policies {
				t.Errorf("stage %d is %s (%v) with %d policies", i, stage.Name, stage.Err, len(view.PolicyBindings(b.ID)))
			}
		}
		brand := view.BrandFor("anything.example.org")
		signOut, _ := view.FlowBySlug("default-invalidation-flow")
		if brand.Domain != "authentik-default" || brand.Authentication == nil || *brand.Authentication != signIn.ID ||
			signOut == nil || brand.Invalidation == nil || *brand.Invalidation != signOut.ID {
			t.Errorf("the default brand is %+v", brand)
		}
		again, err := s.Apply(t.Context(), defaultFiles(t), blueprint.Options{})
		if err != nil || again.Changed() {
			t.Errorf("applied again: %v, %v", again.Changes, err)
		}
	})
}

func TestDefaultBrandYieldsToAnother(t *testing.T) {
	s := newSite(t, storetest.SQLite(t), nil)
	s.mustApply(t, "entries: [{model: authentik_brands.brand, identifiers: {domain: ours.example.org}, attrs: {default: true}}]")
	if _, err := s.Apply(t.Context(), defaultFiles(t), blueprint.Options{}); err != nil {
		t.Fatal(err)
	}
	if got := s.catalog.Snapshot().BrandFor("x.test").Domain; got != "ours.example.org" {
		t.Errorf("the default brand is now %s", got)
	}
}

// The two published files of the flows that we have import unchanged, over our
// own flows and into an empty store, and change nothing the second time.
func TestPublishedFilesImport(t *testing.T) {
	for _, over := range []bool{false, true} {
		t.Run(fmt.Sprintf("over our defaults %v", over), func(t *testing.T) {
			files := append(published(t, "default/flow-default-authentication-flow.yaml"), published(t, "default/flow-default-invalidation-flow.yaml")...)
			storetest.Each(t, func(t *testing.T, db store.DB) {
				s := newSite(t, db, nil)
				if over {
					if _, err := s.Apply(t.Context(), defaultFiles(t), blueprint.Options{}); err != nil {
						t.Fatal(err)
					}
				}
				first, err := s.Apply(t.Context(), files, blueprint.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if over == (first.Count(blueprint.Create) > 0) {
					t.Errorf("objects made: %v", first.Changes)
				}
				before := s.tables(t)
				// Another node knows only what is stored.
				again, err := newSite(t, db, nil).Apply(t.Context(), files, blueprint.Options{})
				if err != nil || again.Changed() {
					t.Errorf("the second import changed: %v, %v", again.Changes, err)
				}
				if diff := cmp.Diff(before, s.tables(t)); diff != "" {
					t.Errorf("the second import changed the store:\n%s", diff)
				}
				flow, _ := s.catalog.Snapshot().FlowBySlug("default-authentication-flow")
				if flow.Title != "Welcome to authentik!" || len(s.catalog.Snapshot().Bindings(flow.ID)) != 4 {
					t.Errorf("flow %+v with %d stages", flow, len(s.catalog.Snapshot().Bindings(flow.ID)))
				}
			})
		})
	}
}

func TestPublishedFilesLoad(t *testing.T) {
	for _, pattern := range []string{"default/*.yaml", "default/later/*.yaml", "example/*.yaml", "system/*.yaml", "old/mit/*/*.pbflow", "old/mit/*/*/*.yaml"} {
		for _, f := range published(t, pattern) {
			d, err := blueprint.Load(f)
			if err != nil {
				t.Errorf("%s: %v", f.Name, err)
				continue
			}
			for _, w := range d.Warnings {
				if !w.Converted {
					t.Errorf("%s: %v", f.Name, w)
				}
			}
		}
	}
}

// Whatever is broken in a file, the store stays as it was.
func TestBrokenFilesChangeNothing(t *testing.T) {
	good := `version: 1
metadata:
  name: Property
context:
  title: Some title
entries:
- {model: authentik_core.group, id: group, identifiers: {name: staff}, attrs: {attributes: {a: [1, 2]}}}
- {model: authentik_core.user, id: user, identifiers: {username: ada}, attrs: {name: Ada, groups: [!KeyOf group]}}
- {model: authentik_flows.flow, id: flow, identifiers: {slug: one}, attrs: {name: One, title: !Context title, designation: recovery}}
- {model: authentik_stages_deny.denystage, id: deny, identifiers: {name: deny}, attrs: {deny_message: !Format ["%s", x]}}
- {model: authentik_flows.flowstagebinding, id: binding, identifiers: {target: !KeyOf flow, stage: !KeyOf deny, order: 1}}
- {model: authentik_policies_expression.expressionpolicy, id: policy, identifiers: {name: p}, attrs: {expression: "return True"}}
- {model: authentik_policies.policybinding, identifiers: {target: !KeyOf binding, policy: !KeyOf policy, order: 1}}
- {model: authentik_policies.policybinding, identifiers: {target: !KeyOf flow, group: !KeyOf group, order: 2}}
- {model: authentik_core.token, identifiers: {identifier: t}, attrs: {intent: api, user: !KeyOf user, expiring: false}}
`
	words := strings.FieldsFunc(good, func(r rune) bool { return strings.ContainsRune(" {}[],:\n\"-!", r) })
	storetest.Each(t, func(t *testing.T, db store.DB) {
		s := newSite(t, db, nil)
		// Something to change and to lose.
		s.mustApply(t, strings.ReplaceAll(strings.ReplaceAll(good, "Some title", "Old title"), "[1, 2]", "[3]"))
		before := s.tables(t)
		random := rand.New(rand.NewPCG(1, 2))
		refused := 0
		for range 250 {
			text := breakText(random, good, words)
			_, err := s.apply(t, blueprint.Options{}, text)
			after := s.tables(t)
			if err == nil {
				before = after // still a valid file
				continue
			}
			refused++
			var errs blueprint.Errors
			if !errors.As(err, &errs) || len(errs) == 0 || errs[0].Line == 0 {
				t.Errorf("the error has no place: %v\n%s", err, text)
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Fatalf("a refused file changed the store: %v\n%s\n%s", err, text, diff)
			}
		}
		if refused < 100 {
			t.Errorf("only %d of the broken files were refused", refused)
		}
		// The snapshot in memory is that of the store.
		view := s.catalog.Snapshot()
		if err := s.catalog.Refresh(t.Context()); err != nil || view.Revision() != s.catalog.Snapshot().Revision() {
			t.Errorf("the snapshot is not the stored one: %v", err)
		}
	})
}

// breakText damages a text in one place.
func breakText(r *rand.Rand, text string, words []string) string {
	word := words[r.IntN(len(words))]
	switch r.IntN(5) {
	case 0: // a word becomes another
		return replaceNth(r, text, word, words[r.IntN(len(words))])
	case 1: // a word is lost
		return replaceNth(r, text, word, "")
	case 2: // a line is lost
		lines := strings.SplitAfter(text, "\n")
		n := 6 + r.IntN(len(lines)-7)
		return strings.Join(append(lines[:n:n], lines[n+1:]...), "")
	case 3: // two lines change places
		lines := strings.SplitAfter(text, "\n")
		a, b := 6+r.IntN(len(lines)-7), 6+r.IntN(len(lines)-7)
		lines[a], lines[b] = lines[b], lines[a]
		return strings.Join(lines, "")
	default: // a character changes
		i := r.IntN(len(text))
		return text[:i] + string("{}[]!:x'0"[r.IntN(9)]) + text[i+1:]
	}
}

func replaceNth(r *rand.Rand, text, old, with string) string {
	n := r.IntN(strings.Count(text, old))
	parts := strings.SplitN(text, old, n+2)
	return strings.Join(parts[:n+1], old) + with + parts[n+1]
}

func TestDryRunKeepsNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		s := newSite(t, db, nil)
		before := s.tables(t)
		report, err := s.Apply(t.Context(), defaultFiles(t), blueprint.Options{DryRun: true})
		if err != nil || report.Count(blueprint.Create) < 10 || !report.DryRun || report.Revision != 0 {
			t.Errorf("report %+v, %v", report, err)
		}
		if diff := cmp.Diff(before, s.tables(t)); diff != "" {
			t.Errorf("a dry run changed the store:\n%s", diff)
		}
	})
}

func BenchmarkApplyDefaultsUnchanged(b *testing.B) {
	s := newSite(b, storetest.SQLite(b), func(c *blueprint.Config) { c.Logger = nil })
	files := defaultFiles(b)
	if _, err := s.Apply(b.Context(), files, blueprint.Options{}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Apply(b.Context(), files, blueprint.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func TestTheDocumentedBlueprintApplies(t *testing.T) {
	text, err := os.ReadFile("../../docs/blueprints.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(text), "```yaml\n")
	block, _, found := strings.Cut(block, "```")
	if report := newSite(t, storetest.SQLite(t), nil).mustApply(t, block); !found || report.Count(blueprint.Create) != 3 || len(report.Warnings) > 0 {
		t.Errorf("the example makes %v, with %v", report.Changes, report.Warnings)
	}
}

func TestConversionsAreNoEvents(t *testing.T) {
	s := newSite(t, storetest.SQLite(t), nil)
	events := func() (n int) {
		t.Helper()
		if err := s.db.QueryRow(t.Context(), "select count(*) from events where action = 'configuration_warning'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	s.mustApply(t, "entries: [{model: authentik_core.group, identifiers: {name: x}, attrs: {parent: null}}]")
	if n := events(); n != 0 {
		t.Errorf("%d events about what loses nothing", n)
	}
	s.mustApply(t, "entries: [{model: authentik_core.group, identifiers: {name: x}, attrs: {colour: red}}]")
	if n := events(); n != 1 {
		t.Errorf("%d events about a field that is ignored", n)
	}
}
