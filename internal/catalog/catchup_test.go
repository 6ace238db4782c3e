package catalog

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/store/storetest"
)

// A node reads the head, another node writes, then the first one reads the
// versions: what the later write replaced must not be missing.
func TestCatchingUpTakesWhatIsNewerThanTheHead(t *testing.T) {
	db := storetest.SQLite(t)
	open := func() *Catalog {
		c, err := Open(t.Context(), Config{DB: db})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	writer, reader := open(), open()
	var id uuid.UUID
	write := func(fn func(tx *Tx) (*Object, []string, error)) {
		_, err := writer.Update(t.Context(), Meta{}, func(_ context.Context, tx *Tx) error {
			o, _, err := fn(tx)
			if err == nil {
				id = o.ID
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	write(func(tx *Tx) (*Object, []string, error) {
		return tx.Create(KindBrand, "", uuid.Nil, map[string]any{"domain": "one"})
	})
	head, err := headRevision(t.Context(), db, "")
	if err != nil {
		t.Fatal(err)
	}
	write(func(tx *Tx) (*Object, []string, error) { return tx.Patch(id, map[string]any{"domain": "two"}) })
	s, err := reader.catchUp(t.Context(), db, reader.Snapshot(), head)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Get(id); !ok || s.Revision() != head+1 {
		t.Errorf("object found: %v, revision %d, want %d", ok, s.Revision(), head+1)
	}
}
