package weir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/blueprint"
)

func (in *Installation) portable(t *testing.T, slugs ...string) []byte {
	t.Helper()
	text, err := in.ExportPortable(t.Context(), slugs...)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestPortableGolden applies the blueprint of each file in testdata/portable and
// exports the flow "golden" in the portable form.
func TestPortableGolden(t *testing.T) {
	golden(t, "portable", func(t *testing.T, in *Installation) []byte { return in.portable(t, "golden") })
}

// An export makes what it was written from in any installation, changes nothing where
// it was written, and is the same afterwards, byte for byte.
func TestAPortableExportFitsEverywhere(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		site := empty(t, s)
		site.acquaint(t)
		site.importsDefaults(t)
		site.imports(t, []byte(everything(site)))
		v := site.catalog.Snapshot()
		var slugs []string
		for _, o := range v.Objects("flow") {
			slugs = append(slugs, o.Doc.(*flow.Flow).Slug)
		}
		texts := map[string][]byte{"": site.portable(t)}
		for _, slug := range slugs {
			texts[slug] = site.portable(t, slug)
		}
		for slug, text := range texts {
			if report := site.imports(t, text); report.Changed() {
				t.Errorf("flow %q: importing where it came from changes %v", slug, report.Changes)
			}
		}
		// One that has everything by its own, and one into which all flows come one by one.
		one, whole := empty(t, settings(t)), empty(t, settings(t))
		if _, err := whole.CreateUser(t.Context(), NewUser{Username: "ada", Name: "Ada"}); err != nil {
			t.Fatal(err)
		}
		whole.imports(t, texts[""])
		if diff := cmp.Diff(string(texts[""]), string(whole.portable(t))); diff != "" {
			t.Errorf("the whole configuration, exported again (want -, got +):\n%s", diff)
		}
		one.acquaint(t)
		for range 2 { // flows that refer to each other
			for _, slug := range slugs {
				one.imports(t, texts[slug])
			}
		}
		for _, slug := range slugs {
			if diff := cmp.Diff(string(texts[slug]), string(one.portable(t, slug))); diff != "" {
				t.Errorf("flow %s, exported again (want -, got +):\n%s", slug, diff)
			}
		}
	})
}

func (in *Installation) importsDefaults(t *testing.T) {
	t.Helper()
	files, err := blueprint.Files(context.Background(), blueprint.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		in.imports(t, f.Data)
	}
}

// Every published file that can be imported makes a configuration that an export
// carries into another installation whole.
func TestPublishedFilesSurviveAnExport(t *testing.T) {
	const corpus = "../shared/corpus/blueprints"
	var names []string
	err := filepath.WalkDir(corpus, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Skipf("no published blueprints in %s: %v", corpus, err)
	}
	var survived atomic.Int64
	t.Cleanup(func() {
		if survived.Load() == 0 {
			t.Error("no published file could be imported")
		}
	})
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			site := empty(t, settings(t))
			site.importsDefaults(t)
			importer, err := site.importer()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := importer.Apply(t.Context(), []blueprint.File{{Name: "x.yaml", Data: data}}, blueprint.Options{}); err != nil {
				t.Skipf("it does not import: %v", err)
			}
			survived.Add(1)
			text := site.portable(t)
			other := empty(t, settings(t))
			other.imports(t, text)
			if diff := cmp.Diff(string(text), string(other.portable(t))); diff != "" {
				t.Errorf("exported again (want -, got +):\n%s", diff)
			}
		})
	}
}

// Where a secret belongs stands a variable; the secret is in no export, an import with
// the variable sets it, and one without leaves alone what is stored.
func TestRule45AVariableStandsForASecret(t *testing.T) {
	const file = `version: 1
entries:
- {model: authentik_flows.flow, id: flow, identifiers: {slug: secret}, attrs: {name: x, title: x, designation: stage_configuration}}
- model: authentik_stages_authenticator_sms.authenticatorsmsstage
  id: stage
  identifiers: {name: "weir: texts"}
  attrs: {provider: twilio, account_sid: AC123, from_number: "+15550001", auth: hush}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf stage, order: 0}}
`
	in := empty(t, settings(t))
	in.imports(t, []byte(file))
	apply := func(in *Installation, text []byte) (*Report, error) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "x.yaml")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return in.Apply(t.Context(), []string{path}, false)
	}
	const variable = "SECRET_WEIR_TEXTS_AUTH"
	for _, text := range [][]byte{in.portable(t, "secret"), in.portable(t)} {
		if bytes.Contains(text, []byte("hush")) || !bytes.Contains(text, []byte("auth: !Env "+variable)) {
			t.Fatalf("exported:\n%s", text)
		}
		report, err := apply(in, text)
		if err != nil || report.Changed() || len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0].String(), "what is stored stays") {
			t.Errorf("without the variable: %v, %v, %v", err, report.Changes, report.Warnings)
		}
	}
	if got := secretAuth(t, in); got != "hush" {
		t.Errorf("the secret is %q", got)
	}
	text := in.portable(t, "secret")
	t.Setenv(variable, "another")
	if report, err := apply(in, text); err != nil || !report.Changed() || secretAuth(t, in) != "another" {
		t.Errorf("with the variable: %v, %q", err, secretAuth(t, in))
	}
	other := empty(t, settings(t))
	if _, err := apply(other, text); err != nil || secretAuth(t, other) != "another" {
		t.Errorf("in an empty store: %v", err)
	}
}

func secretAuth(t *testing.T, in *Installation) string {
	t.Helper()
	for _, o := range in.catalog.Snapshot().Objects("stage") {
		if s := o.Doc.(*flow.StageObject); s.Name == "weir: texts" {
			auth, _ := field.Get(s.Config, "auth")
			return fmt.Sprint(auth)
		}
	}
	t.Fatal("no such stage")
	return ""
}

// Stages that refer to each other are looked up by name where they stand below; a second
// import then finds them.
func TestAnExportOfACircle(t *testing.T) {
	const stage = "authentik_stages_authenticator_validate.authenticatorvalidatestage"
	in := empty(t, settings(t))
	in.imports(t, []byte(`version: 1
entries:
- {model: authentik_flows.flow, id: flow, identifiers: {slug: circle}, attrs: {name: x, title: x, designation: authentication}}
- {model: `+stage+`, identifiers: {name: one}}
- {model: `+stage+`, identifiers: {name: two}, attrs: {configuration_stages: [!Find [`+stage+`, [name, one]]]}}
- {model: `+stage+`, id: one, identifiers: {name: one}, attrs: {configuration_stages: [!Find [`+stage+`, [name, two]]]}}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf one, order: 0}}
`))
	text := in.portable(t, "circle")
	if !bytes.Contains(text, []byte("- !Find ["+stage+", [name, one]]")) {
		t.Errorf("the circle is not looked up:\n%s", text)
	}
	if report := in.imports(t, text); report.Changed() {
		t.Errorf("importing where it came from changes %v", report.Changes)
	}
}

func TestPortableRefusals(t *testing.T) {
	in := empty(t, settings(t))
	if _, err := in.ExportPortable(t.Context(), "nothing"); !errors.Is(err, flow.ErrNoFlow) {
		t.Errorf("an unknown flow: %v", err)
	}
}

// By the API alone everything can be taken away, as an emptied installation would be, and
// put back from one file.
func TestTheWholeConfigurationComesBackByTheAPI(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		c := &caller{visit(t, o.site), 1, root}
		text := o.site.portable(t)
		gone := 0
		for _, path := range []string{"flows/instances", "stages/all", "policies/all", "stages/prompt/prompts", "events/rules", "events/transports"} {
			for _, one := range results(o.must("GET", path+"/?page_size=500", nil)) {
				key := one["pk"]
				if path == "flows/instances" {
					key = one["slug"]
				}
				if r := c.as(root, "DELETE", fmt.Sprintf("/api/v3/%s/%v/", path, key), "", "Weir-Force", "lockout"); r.status != 204 {
					t.Fatalf("DELETE %s %v: %d %s", path, key, r.status, r.raw)
				}
				gone++
			}
		}
		if gone < 60 || len(o.site.portable(t)) > len(text)/4 {
			t.Fatalf("%d objects are gone", gone)
		}
		status, body := c.send("managed/blueprints/import/", string(text))
		if status != 200 || body["success"] != true {
			t.Fatalf("imported: %d %v", status, body)
		}
		if diff := cmp.Diff(string(text), string(o.site.portable(t))); diff != "" {
			t.Errorf("exported again (want -, got +):\n%s", diff)
		}
		if r := visit(t, o.site).signIn("akadmin", "correct horse"); r.component() != "xak-flow-redirect" {
			t.Errorf("signing in: %s", r.raw)
		}
	})
}
