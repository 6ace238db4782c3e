package weir

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/system"
)

var loopback = netip.MustParsePrefix("127.0.0.0/8")

// apply applies a blueprint.
func apply(t *testing.T, site *Server, text string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "blueprint.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Apply(t.Context(), []string{path}, false); err != nil {
		t.Fatal(err)
	}
}

func TestChangesToTheDefaultFlowsStay(t *testing.T) {
	s := settings(t)
	apply(t, start(t, s), `
version: 1
entries: [{model: authentik_flows.flow, identifiers: {slug: default-authentication-flow}, attrs: {title: Our own title}}]
`)
	flow, _ := start(t, s).view().FlowBySlug("default-authentication-flow")
	if flow.Title != "Our own title" {
		t.Errorf("the second start made the title %q", flow.Title)
	}
}

func TestTheSecretKeyOfTheStore(t *testing.T) {
	t.Run("SQLite makes one that only its owner can read", func(t *testing.T) {
		s := settings(t)
		start(t, s)
		path := filepath.Join(s.Data, keyFile)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("key file: %v %v", info, err)
		}
		entries, err := os.ReadDir(s.Data)
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), keyFile+".") {
				t.Errorf("%s is left over (%v)", e.Name(), err)
			}
		}
	})
	t.Run("what a killed program left of making it is removed", func(t *testing.T) {
		s := settings(t)
		draft, copied := filepath.Join(s.Data, keyDraft+"123"), filepath.Join(s.Data, keyFile+".bak")
		for _, path := range []string{draft, copied} {
			if err := os.WriteFile(path, []byte("a key"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		start(t, s) // makes the key
		start(t, s)
		if _, err := os.Stat(draft); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the draft is still there (%v)", err)
		}
		if _, err := os.Stat(copied); err != nil {
			t.Errorf("somebody's copy of the key was touched: %v", err)
		}
	})
	t.Run("a store whose key is lost is not opened with another", func(t *testing.T) {
		s := settings(t)
		site, err := Open(t.Context(), Config{Settings: s, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(site.Close(t.Context()), os.Remove(filepath.Join(s.Data, keyFile))); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), Config{Settings: s, Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "is missing") {
			t.Errorf("err = %v", err)
		}
		if _, err := os.Stat(filepath.Join(s.Data, keyFile)); !errors.Is(err, fs.ErrNotExist) {
			t.Error("a new key was made")
		}
	})
	t.Run("PostgreSQL without one refuses to start", func(t *testing.T) {
		s := settings(t)
		s.DatabaseURL = "postgres://u:hunter2@127.0.0.1:1/d"
		_, err := Open(t.Context(), Config{Settings: s, Log: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), "WEIR_SECRET_KEY") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("err = %v", err)
		}
	})
}

func TestUsersOfTheCommand(t *testing.T) {
	site := start(t, settings(t))
	ctx := t.Context()
	if _, err := site.CreateUser(ctx, NewUser{Username: "ada", Name: "Ada", Password: "lovely lace", Superuser: true}); err != nil {
		t.Fatal(err)
	}
	if r := visit(t, site).signIn("ada", "lovely lace"); r.component() != "xak-flow-redirect" {
		t.Errorf("signing in leads to %v", r.body)
	}
	var errs field.Errors
	if _, err := site.CreateUser(ctx, NewUser{Username: "ada"}); !errors.As(err, &errs) {
		t.Errorf("a second ada: %v, want field errors", err)
	}
	if err := site.SetPassword(ctx, "nobody", "x"); !errors.Is(err, ErrNoUser) {
		t.Errorf("password of nobody: %v, want ErrNoUser", err)
	}
	var n int
	err := site.db.QueryRow(ctx, "select count(*) from events where action = $1 and model_name = $2", "model_created", "user").Scan(&n)
	if err != nil || n != 2 {
		t.Errorf("%d users were recorded as created (%v), want akadmin and ada", n, err)
	}
}

func TestADryRunKeepsNothing(t *testing.T) {
	site := start(t, settings(t))
	path := filepath.Join(t.TempDir(), "x.yaml")
	text := "version: 1\nentries: [{model: authentik_stages_dummy.dummystage, identifiers: {name: x}}]\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	before := site.catalog.Snapshot().Revision()
	report, err := site.Apply(t.Context(), []string{path}, true)
	if err != nil || report.Count("+") != 1 || site.catalog.Snapshot().Revision() != before {
		t.Errorf("report %+v, err %v, revision %d before and %d after", report, err, before, site.catalog.Snapshot().Revision())
	}
}

func TestTheFolderOfBlueprints(t *testing.T) {
	s := settings(t)
	s.Blueprints = t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(s.Blueprints, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dummy := func(name string) string {
		return "version: 1\nentries: [{model: authentik_stages_dummy.dummystage, identifiers: {name: " + name + "}}]\n"
	}
	// a.yaml needs what b.yaml makes; broken.yaml keeps nobody else back.
	write("a.yaml", "version: 1\nentries: [{model: authentik_flows.flowstagebinding, identifiers: {target: !Find [authentik_flows.flow, [slug, default-authentication-flow]], stage: !Find [authentik_stages_dummy.dummystage, [name, b]], order: 500}}]\n")
	write("b.yaml", dummy("b"))
	write("broken.yaml", "version: 1\nentries: [")
	write("later.yaml", "version: 1\nmetadata: {name: later, labels: {blueprints.goauthentik.io/instantiate: \"false\"}}\nentries: [{model: authentik_stages_dummy.dummystage, identifiers: {name: later}}]\n")
	site := start(t, s)
	stages := func() string {
		var names []string
		for _, o := range site.catalog.Snapshot().Objects("stage") {
			if o.Type == "dummy" {
				names = append(names, site.catalog.Snapshot().DisplayName(o))
			}
		}
		return strings.Join(names, " ")
	}
	if got := stages(); got != "b" {
		t.Errorf("stages = %q, want b", got)
	}
	flow, _ := site.view().FlowBySlug("default-authentication-flow")
	if bindings := site.view().Bindings(flow.ID); bindings[len(bindings)-1].Order != 500 {
		t.Error("a.yaml was not tried again after b.yaml")
	}

	importer, err := site.importer()
	if err != nil {
		t.Fatal(err)
	}
	f := site.newFolder(importer)
	f.apply(t.Context())
	before := site.catalog.Snapshot().Revision()
	f.apply(t.Context())
	if got := site.catalog.Snapshot().Revision(); got != before {
		t.Error("files that did not change were applied again")
	}
	write("c.yaml", dummy("c"))
	f.apply(t.Context())
	if got := stages(); got != "b c" {
		t.Errorf("stages = %q after a new file, want b c", got)
	}

	// Once an hour, everything is looked at: what is missing is made anew, and
	// what has lost its file is orphaned, then forgotten.
	instances := func() string {
		var names []string
		for _, o := range site.catalog.Snapshot().Objects(catalog.KindBlueprint) {
			b := o.Doc.(*system.Blueprint)
			names = append(names, b.Name+" "+string(b.Status))
		}
		return strings.Join(names, ", ")
	}
	forget := func(name string) {
		t.Helper()
		_, err := site.catalog.Update(t.Context(), catalog.Meta{}, func(_ context.Context, tx *catalog.Tx) error {
			o, err := tx.Find(catalog.KindBlueprint, "", map[string]any{"name": name})
			if err != nil {
				return err
			}
			return tx.Delete(o.ID)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	const all = "a.yaml successful, b.yaml successful, c.yaml successful"
	if got := instances(); got != all {
		t.Errorf("instances %s, want %s", got, all)
	}
	if err := os.Remove(filepath.Join(s.Blueprints, "c.yaml")); err != nil {
		t.Fatal(err)
	}
	forget("a.yaml")
	for _, want := range []string{"a.yaml successful, b.yaml successful, c.yaml orphaned", "a.yaml successful, b.yaml successful"} {
		f.apply(t.Context())
		if got := instances(); got == want {
			t.Errorf("instances %s before the hour is over", got)
		}
		f.cared = f.cared.Add(-folderCare)
		f.apply(t.Context())
		if got := instances(); got != want {
			t.Errorf("instances %s, want %s", got, want)
		}
	}
	if got := stages(); got != "b c" {
		t.Errorf("stages = %q: objects have to stay", got)
	}
}
