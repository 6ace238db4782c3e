package catalog_test

import (
	"context"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

// forget takes the newest revision away, as a standby does that takes over
// without having got it.
func forget(t *testing.T, db store.DB) {
	t.Helper()
	for _, sql := range []string{
		"delete from catalog_versions where revision = (select revision from catalog_head)",
		"delete from catalog_revisions where revision = (select revision from catalog_head)",
		"update catalog_head set revision = revision - 1",
	} {
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
}

func createFlow(t *testing.T, c *catalog.Catalog, slug string) {
	t.Helper()
	update(t, c, func(tx *catalog.Tx) error {
		_, err := create(tx, catalog.KindFlow, "", flowData(slug))
		return err
	})
}

// told is a database whose listeners the test speaks to.
type told struct {
	store.DB
	heard chan func(string)
}

func (d *told) Listen(_ context.Context, _ string, heard func(string)) error {
	d.heard <- heard
	return nil
}

// What a database has forgotten is not configuration any more.
func TestRevisionsThatTheDatabaseLostAreForgotten(t *testing.T) {
	for name, notice := range map[string]func(t *testing.T, node *catalog.Catalog, other *catalog.Catalog, db *told){
		"by looking": func(t *testing.T, node, _ *catalog.Catalog, _ *told) {
			if err := node.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		"by writing": func(t *testing.T, node, _ *catalog.Catalog, _ *told) { createFlow(t, node, "written") },
		"by a lost connection, when the number has been used again": func(t *testing.T, node, other *catalog.Catalog, db *told) {
			createFlow(t, other, "in-its-place")
			go func() { (<-db.heard)("") }()
			watchUntil(t, node, time.Hour, func() bool { _, ok := node.Snapshot().FlowBySlug("in-its-place"); return ok })
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := &told{DB: storetest.SQLite(t), heard: make(chan func(string), 1)}
			node := open(t, db, nil)
			createFlow(t, node, "kept")
			other := open(t, db, nil)
			createFlow(t, node, "lost")
			forget(t, db)
			notice(t, node, other, db)
			s := node.Snapshot()
			if _, ok := s.FlowBySlug("lost"); ok {
				t.Error("the lost flow is still there")
			}
			if _, ok := s.FlowBySlug("kept"); !ok {
				t.Error("the flow from before is gone")
			}
		})
	}
}
