package blueprint_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/blueprint"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
	"github.com/weir-id/weir/internal/system"
)

// server is a site with a folder of blueprints.
type server struct {
	*site
	folder fstest.MapFS
}

func newServer(t *testing.T, db store.DB, folder fstest.MapFS) *server {
	return &server{newSite(t, db, func(c *blueprint.Config) { c.Instances = blueprint.Folder(folder) }), folder}
}

// discover looks at a file as it is now.
func (s *server) discover(t *testing.T, name string) (bool, error) {
	t.Helper()
	return s.Discover(t.Context(), blueprint.File{Name: name, Data: s.folder[name].Data})
}

// instances tells what is kept: "name path status", by name.
func (s *server) instances() string {
	var out []string
	for _, o := range s.catalog.Snapshot().Objects(catalog.KindBlueprint) {
		b := o.Doc.(*system.Blueprint)
		out = append(out, fmt.Sprintf("%s %s %s", b.Name, b.Path, b.Status))
	}
	return strings.Join(out, ", ")
}

func (s *server) groups(t *testing.T) string {
	t.Helper()
	names, err := store.Select(t.Context(), s.db, store.Column[string], "select name from groups order by name")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

// change changes the only instance, as nobody but the program could.
func (s *server) change(t *testing.T, data map[string]any) {
	t.Helper()
	_, err := s.catalog.Update(t.Context(), catalog.Meta{}, func(_ context.Context, tx *catalog.Tx) error {
		_, _, err := tx.Edit(tx.Objects(catalog.KindBlueprint)[0].ID, data, field.Internal)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func groupFile(meta, name string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("metadata: {name: Groups" + meta + "}\nentries: [{model: authentik_core.group, identifiers: {name: " + name + "}}]\n")}
}

func TestDiscovery(t *testing.T) {
	const byHand = `, labels: {blueprints.goauthentik.io/instantiate: "False"}`
	rows := []struct {
		name string
		file *fstest.MapFile
		// before is there before the file is looked at.
		before string
		change map[string]any

		applied          bool
		refused          string
		instances, group string
	}{
		{name: "a new file", file: groupFile("", "a"), applied: true, instances: "Groups a.yaml successful", group: "a"},
		{name: "one without a name", file: &fstest.MapFile{Data: []byte("entries: []")}, applied: true, instances: "a.yaml a.yaml successful"},
		{name: "a name that is taken", file: groupFile("", "a"), before: "{name: Groups}, attrs: {content: \"entries: []\"}",
			applied: true, instances: "Groups  unknown, a.yaml a.yaml successful", group: "a"},
		{name: "one that is not to be applied by itself", file: groupFile(byHand, "a"), instances: ""},
		{name: "not even that, but somebody keeps it", file: groupFile(byHand, "a"), before: "{name: mine}, attrs: {path: a.yaml}",
			applied: true, instances: "mine a.yaml successful", group: "a"},
		{name: "an empty file", file: &fstest.MapFile{Data: []byte(" \n")}, instances: ""},
		{name: "a file that cannot be read", file: &fstest.MapFile{Data: []byte("entries: [")}, refused: "not valid YAML", instances: ""},
		{name: "a file that is refused", file: groupFile("", "[a]"), refused: "Enter a text", instances: "Groups a.yaml error"},
		{name: "one that is switched off", file: groupFile("", "a"), before: "{name: mine}, attrs: {path: a.yaml, enabled: false}", instances: "mine a.yaml unknown"},
		{name: "one with a context", file: groupFile("", "!Context [who, a]"), before: "{name: x}, attrs: {path: a.yaml, context: {who: b}}",
			applied: true, instances: "x a.yaml successful", group: "b"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := newServer(t, storetest.SQLite(t), fstest.MapFS{"a.yaml": row.file})
			if row.before != "" {
				s.keepInstance(t, row.before)
			}
			applied, err := s.discover(t, "a.yaml")
			if applied != row.applied || row.refused == "" && err != nil || row.refused != "" && (err == nil || !strings.Contains(err.Error(), row.refused)) {
				t.Errorf("applied %v, %v", applied, err)
			}
			if got := s.instances(); got != row.instances {
				t.Errorf("instances %q, want %q", got, row.instances)
			}
			if got := s.groups(t); got != row.group {
				t.Errorf("groups %q, want %q", got, row.group)
			}
			// The same text is applied once.
			revision := s.catalog.Snapshot().Revision()
			if again, _ := s.discover(t, "a.yaml"); again || row.refused == "" && s.catalog.Snapshot().Revision() != revision {
				t.Errorf("looked at again: applied %v, revision %d after %d", again, s.catalog.Snapshot().Revision(), revision)
			}
		})
	}
}

// keepInstance stores an instance: the fields that identify it, and the others.
func (s *server) keepInstance(t *testing.T, fields string) {
	t.Helper()
	identifiers, rest, _ := strings.Cut(fields, ", attrs: ")
	data, err := blueprint.Data(t.Context(), "{identifiers: "+identifiers+", attrs: "+rest+"}")
	if err != nil {
		t.Fatal(err)
	}
	all := data["attrs"].(map[string]any)
	for name, v := range data["identifiers"].(map[string]any) {
		all[name] = v
	}
	_, err = s.catalog.Update(t.Context(), catalog.Meta{}, func(_ context.Context, tx *catalog.Tx) error {
		_, _, err := tx.Create(catalog.KindBlueprint, "", [16]byte{}, all)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAChangedFileIsAppliedAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		s := newServer(t, db, fstest.MapFS{"a.yaml": groupFile("", "a")})
		look := func(file *fstest.MapFile, applied bool, instances, groups string) {
			t.Helper()
			s.folder["a.yaml"] = file
			if got, _ := s.discover(t, "a.yaml"); got != applied || s.instances() != instances || s.groups(t) != groups {
				t.Errorf("applied %v, instances %q, groups %q", got, s.instances(), s.groups(t))
			}
		}
		look(groupFile("", "a"), true, "Groups a.yaml successful", "a")
		look(groupFile("", "b"), true, "Groups a.yaml successful", "a b")
		look(groupFile("", "[c]"), false, "Groups a.yaml error", "a b")
		look(&fstest.MapFile{Data: []byte("entries: [")}, false, "Groups a.yaml error", "a b")
		// The text of the last success, but not what was tried last.
		look(groupFile("", "b"), true, "Groups a.yaml successful", "a b")
		// Another node has applied it already.
		other := newServer(t, db, s.folder)
		if applied, err := other.discover(t, "a.yaml"); applied || err != nil {
			t.Errorf("a node that starts applies it again: %v, %v", applied, err)
		}
	})
}

func TestInstancesWithoutAFileAreCleanedUp(t *testing.T) {
	rows := []struct {
		name   string
		change map[string]any
		after  string
	}{
		{"as discovery made it", nil, ""},
		{"switched off by somebody", map[string]any{"enabled": false}, "Groups a.yaml orphaned"},
		{"with a context", map[string]any{"context": map[string]any{"a": "b"}}, "Groups a.yaml orphaned"},
		{"of a person", map[string]any{"authors": []any{int64(1)}}, "Groups a.yaml orphaned"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := newServer(t, storetest.SQLite(t), fstest.MapFS{"a.yaml": groupFile("", "a")})
			clean := func(want string) {
				t.Helper()
				if err := s.Clean(t.Context()); err != nil || s.instances() != want {
					t.Errorf("instances %q, want %q: %v", s.instances(), want, err)
				}
			}
			if _, err := s.discover(t, "a.yaml"); err != nil {
				t.Fatal(err)
			}
			if row.change != nil {
				s.change(t, row.change)
			}
			clean("Groups a.yaml successful")
			file := s.folder["a.yaml"]
			delete(s.folder, "a.yaml")
			clean("Groups a.yaml orphaned")
			if row.change == nil {
				// A folder that was away for a while.
				s.folder["a.yaml"] = file
				if applied, err := s.discover(t, "a.yaml"); !applied || err != nil {
					t.Errorf("the file is back: %v, %v", applied, err)
				}
				clean("Groups a.yaml successful")
				delete(s.folder, "a.yaml")
				clean("Groups a.yaml orphaned")
			}
			clean(row.after)
			clean(row.after)
			if got := s.groups(t); got != "a" {
				t.Errorf("groups %q: the objects have to stay", got)
			}
		})
	}
}

// Nodes that start together find the same files.
func TestNodesAtOnceKeepOneInstance(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		folder := fstest.MapFS{"a.yaml": groupFile("", "a")}
		var nodes sync.WaitGroup
		for range 4 {
			node := newServer(t, db, folder)
			nodes.Go(func() {
				if _, err := node.Discover(t.Context(), blueprint.File{Name: "a.yaml", Data: folder["a.yaml"].Data}); err != nil {
					t.Error(err)
				}
			})
		}
		nodes.Wait()
		s := newServer(t, db, folder)
		if got := s.instances(); got != "Groups a.yaml successful" || s.groups(t) != "a" {
			t.Errorf("instances %q, groups %q", got, s.groups(t))
		}
	})
}
