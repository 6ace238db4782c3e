package catalog_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
	"github.com/weir-id/weir/policy"
)

// spoil changes the stored text of an object behind the catalog's back.
func spoil(t *testing.T, db store.DB, id uuid.UUID, change func(doc string) string) {
	t.Helper()
	var doc string
	if err := db.QueryRow(t.Context(), `select cast(doc as text) from catalog_versions where id = $1 and current`, id).Scan(&doc); err != nil {
		t.Fatal(err)
	}
	spoilt := change(doc)
	if spoilt == doc {
		t.Fatalf("nothing to spoil in %s", doc)
	}
	if _, err := db.Exec(t.Context(), `update catalog_versions set doc = $1 where id = $2 and current`, spoilt, id); err != nil {
		t.Fatal(err)
	}
}

func replace(old, new string) func(string) string {
	return func(doc string) string { return strings.ReplaceAll(doc, old, new) }
}

func whole(doc string) func(string) string { return func(string) string { return doc } }

// What cannot be read must deny: defaults in its place, or leaving it out,
// could let people through.
func TestUnreadableObjectsDeny(t *testing.T) {
	denies := func(s *catalog.Snapshot, b *flow.Binding) bool {
		st, ok := s.Stage(b.Stage)
		return ok && st.Err != nil && !b.EvaluateOnPlan && !b.ReevaluatePolicies
	}
	errs := func(s *catalog.Snapshot, b *policy.Binding) bool {
		if b.Policy == nil || !b.Enabled || b.Negate || b.FailureResult {
			return false
		}
		_, found := s.Policy(*b.Policy)
		return !found
	}
	for _, row := range []struct {
		name   string
		what   func(h house) uuid.UUID
		change func(string) string
		safe   func(s *catalog.Snapshot, h house) bool
	}{
		{"a flow with an unknown requirement is not there", func(h house) uuid.UUID { return h.flow }, replace(`"none"`, `"require_moon"`),
			func(s *catalog.Snapshot, h house) bool {
				_, byID := s.Flow(h.flow)
				_, bySlug := s.FlowBySlug("login")
				return !byID && !bySlug && len(s.FlowsFor(flow.Authentication)) == 0
			}},
		{"a stage binding without its stage leads to a stage that denies", func(h house) uuid.UUID { return h.first }, replace(`"stage"`, `"stge"`),
			func(s *catalog.Snapshot, h house) bool {
				b := s.Bindings(h.flow)
				return len(b) == 2 && denies(s, b[0])
			}},
		{"a stage binding that is no document denies in every flow", func(h house) uuid.UUID { return h.first }, whole(`"?"`),
			func(s *catalog.Snapshot, h house) bool {
				b := s.Bindings(h.flow)
				return len(b) == 2 && denies(s, b[0])
			}},
		{"a policy binding with a bad flag errs", func(h house) uuid.UUID { return h.bound }, replace(`"negate": false`, `"negate": "?"`),
			func(s *catalog.Snapshot, h house) bool {
				b := s.PolicyBindings(h.first)
				return len(b) == 1 && errs(s, b[0])
			}},
		{"a policy binding that is no document errs for every target", func(h house) uuid.UUID { return h.bound }, whole(`{}`),
			func(s *catalog.Snapshot, h house) bool {
				b := s.PolicyBindings(h.flow)
				return len(b) == 1 && errs(s, b[0])
			}},
		{"a stage with a bad field has an error", func(h house) uuid.UUID { return h.one }, replace(`"words": []`, `"words": 1`),
			func(s *catalog.Snapshot, h house) bool {
				st, ok := s.Stage(h.one)
				return ok && st.Err != nil && st.Stage == nil
			}},
		{"a stage whose secrets were changed has an error", func(h house) uuid.UUID { return h.one }, replace(`"sealed": "`, `"sealed": "AAAA`),
			func(s *catalog.Snapshot, h house) bool {
				st, ok := s.Stage(h.one)
				return ok && st.Err != nil && st.Stage == nil
			}},
		{"a policy that no longer builds has an error", func(h house) uuid.UUID { return h.policy }, replace(`"hello"`, `"broken"`),
			func(s *catalog.Snapshot, h house) bool {
				p, ok := s.Policy(h.policy)
				return ok && p.Err != nil && p.Policy == nil
			}},
	} {
		t.Run(row.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db store.DB) {
				h := furnish(t, open(t, db, nil))
				spoil(t, db, row.what(h), func(doc string) string {
					// PostgreSQL's jsonb puts blanks behind colons.
					return row.change(strings.ReplaceAll(strings.ReplaceAll(doc, `": `, `":`), `":`, `": `))
				})
				c := open(t, db, nil)
				s := c.Snapshot()
				if !row.safe(s, h) {
					t.Errorf("not refused")
				}
				o, ok := s.Get(row.what(h))
				if !ok || o.Err == nil {
					t.Fatalf("the object is %+v, want one with an error", o)
				}
				update(t, c, func(tx *catalog.Tx) error { return tx.Delete(o.ID) })
			})
		})
	}
}

func TestUnreadableObjectsAreRepairedAsAWhole(t *testing.T) {
	db := storetest.SQLite(t)
	h := furnish(t, open(t, db, nil))
	spoil(t, db, h.flow, replace(`"authentication":"none"`, `"authentication":"require_moon"`))
	c := open(t, db, nil)
	_, err := c.Update(t.Context(), catalog.Meta{}, func(_ context.Context, tx *catalog.Tx) error {
		_, _, err := tx.Patch(h.flow, map[string]any{"title": "New"})
		return err
	})
	var errs field.Errors
	if !errors.As(err, &errs) || errs["slug"] == nil {
		t.Fatalf("a change of one field of an unreadable flow: %v", err)
	}
	update(t, c, func(tx *catalog.Tx) error {
		data := flowData("login")
		data["authentication"] = "require_superuser"
		_, _, err := tx.Patch(h.flow, data)
		return err
	})
	for _, s := range []*catalog.Snapshot{c.Snapshot(), open(t, db, nil).Snapshot()} {
		if f, ok := s.FlowBySlug("login"); !ok || f.Authentication != flow.RequireSuperuser {
			t.Errorf("the repaired flow: %+v", f)
		}
	}
}

func TestKindsOfALaterProgramAreLeftAlone(t *testing.T) {
	db := storetest.SQLite(t)
	h := furnish(t, open(t, db, nil))
	if _, err := db.Exec(t.Context(), `update catalog_versions set kind = 'moon' where id = $1`, h.policy); err != nil {
		t.Fatal(err)
	}
	if _, ok := open(t, db, nil).Snapshot().Flow(h.flow); !ok {
		t.Error("the rest of the configuration is gone")
	}
}

func TestPinnedVersionsOfAFormerObjectDeny(t *testing.T) {
	c := open(t, storetest.SQLite(t), nil)
	h := furnish(t, c)
	version := c.Snapshot().Revision()
	update(t, c, func(tx *catalog.Tx) error {
		if err := tx.Delete(h.one); err != nil {
			return err
		}
		_, _, err := tx.Create(catalog.KindStage, "gate", h.one, map[string]any{"name": "one"})
		return err
	})
	if _, err := c.Snapshot().PinnedStage(t.Context(), h.one, version); err == nil {
		t.Error("a plan got the deleted stage, since another has its id")
	}
}

func TestWritingTheSameAgainChangesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		data := map[string]any{"domain": "example.com", "attributes": map[string]any{"n": 1, "big": int64(9007199254740993), "f": 1.0, "l": []any{2}}}
		update(t, open(t, db, nil), func(tx *catalog.Tx) error {
			_, err := create(tx, catalog.KindBrand, "", data)
			return err
		})
		c := open(t, db, nil)
		brand := c.Snapshot().BrandFor("example.com")
		if got := brand.Attributes["big"]; got != int64(9007199254740993) {
			t.Errorf("a large number came back as %v", got)
		}
		rev := update(t, c, func(tx *catalog.Tx) error {
			_, _, err := tx.Patch(brand.ID, data)
			return err
		})
		if len(rev.Changes) != 0 {
			t.Errorf("changes: %+v", rev.Changes)
		}
	})
}
