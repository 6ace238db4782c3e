package catalog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

// documents are the current documents as they are stored, by id, without the
// time of the last write.
func documents(t testing.TB, db store.DB) map[string]string {
	t.Helper()
	rows, err := db.Query(t.Context(), "select id, kind, type, cast(doc as text) from catalog_versions where current and not deleted")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var id, kind, typ, doc string
		if err := rows.Scan(&id, &kind, &typ, &doc); err != nil {
			t.Fatal(err)
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(doc), &members); err != nil {
			t.Fatal(err)
		}
		delete(members, "updated")
		rest, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		out[id] = kind + " " + typ + " " + string(rest)
	}
	return out
}

// change makes a few random changes; those that are refused do not count.
func change(r *rand.Rand, tx *catalog.Tx) {
	pick := func(kind string) uuid.UUID {
		all := tx.Objects(kind)
		if len(all) == 0 {
			return uuid.New()
		}
		return all[r.IntN(len(all))].ID
	}
	maybe := func(kind string) any {
		if r.IntN(3) == 0 {
			return nil
		}
		return pick(kind)
	}
	for range 1 + r.IntN(4) {
		name := fmt.Sprintf("n%d", r.IntN(12))
		switch r.IntN(9) {
		case 0:
			_, _, _ = tx.Create(catalog.KindStage, "gate", uuid.Nil, map[string]any{"name": name, "secret": fmt.Sprint("s", r.IntN(9)), "inner": maybe(catalog.KindStage), "flow": maybe(catalog.KindFlow)})
		case 1:
			_, _, _ = tx.Create(catalog.KindFlow, "", uuid.Nil, flowData(name))
		case 2:
			_, _, _ = tx.Create(catalog.KindBinding, "", uuid.Nil, map[string]any{"target": pick(catalog.KindFlow), "stage": pick(catalog.KindStage), "order": r.IntN(5)})
		case 3:
			_, _, _ = tx.Create(catalog.KindPolicyBinding, "", uuid.Nil, map[string]any{"target": pick(catalog.KindFlow), "user": 7, "order": r.IntN(5)})
		case 4:
			_, _, _ = tx.Patch(pick(catalog.KindStage), map[string]any{"name": name, "secret": fmt.Sprint("s", r.IntN(9)), "words": []any{name}, "inner": maybe(catalog.KindStage)})
		case 5:
			_, _, _ = tx.Patch(pick(catalog.KindFlow), map[string]any{"slug": name, "title": fmt.Sprint("t", r.IntN(9))})
		case 6:
			_, _, _ = tx.Patch(pick(catalog.KindBinding), map[string]any{"order": r.IntN(5), "stage": pick(catalog.KindStage)})
		case 7:
			_ = tx.Delete(pick([]string{catalog.KindStage, catalog.KindFlow, catalog.KindBinding, catalog.KindPolicy}[r.IntN(4)]))
		case 8:
			_, _, _ = tx.Create(catalog.KindPolicy, "rule", uuid.Nil, map[string]any{"name": name, "say": name})
		}
	}
}

func restore(t testing.TB, c *catalog.Catalog, to int64, ids ...uuid.UUID) (catalog.Revision, error) {
	t.Helper()
	return c.Update(t.Context(), catalog.Meta{Actor: "test", Source: "restore"}, func(ctx context.Context, tx *catalog.Tx) error {
		from, err := c.At(ctx, tx.Store(), to)
		if err != nil {
			return err
		}
		return tx.Restore(from, ids, false)
	})
}

// Whatever has been done since, going back to a revision gives the documents of
// that revision, byte by byte, on the node that wrote and on another one.
func TestGoingBackGivesTheSameDocuments(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		for seed := range uint64(4) {
			r := rand.New(rand.NewPCG(seed, 1))
			c, other := open(t, db, nil), open(t, db, nil)
			if seed == 0 {
				furnish(t, c)
			}
			past := map[int64]map[string]string{c.Snapshot().Revision(): documents(t, db)}
			for range 12 {
				update(t, c, func(tx *catalog.Tx) error { change(r, tx); return nil })
				past[c.Snapshot().Revision()] = documents(t, db)
			}
			for range 6 {
				var to int64
				for to = range past { // in no order
					break
				}
				if _, err := restore(t, c, to); err != nil {
					t.Fatalf("seed %d, back to %d: %v", seed, to, err)
				}
				if diff := cmp.Diff(past[to], documents(t, db)); diff != "" {
					t.Fatalf("seed %d, back to %d:\n%s", seed, to, diff)
				}
				if err := other.Refresh(t.Context()); err != nil || other.Snapshot().Revision() != c.Snapshot().Revision() {
					t.Fatalf("the other node is at %d, %v", other.Snapshot().Revision(), err)
				}
				for o := range other.Snapshot().All() {
					if o.Err != nil || past[to][o.ID.String()] == "" {
						t.Errorf("the other node has %s: %v", other.Snapshot().NaturalName(o), o.Err)
					}
				}
			}
		}
	})
}

func TestRestore(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		people := map[string]bool{"7": true, "8": true}
		c := open(t, db, func(cfg *catalog.Config) {
			cfg.Exists = func(_ context.Context, _ store.Querier, kind, id string) (bool, error) {
				return kind == "user" && people[id], nil
			}
		})
		h := furnish(t, c)
		var forUser uuid.UUID
		then := update(t, c, func(tx *catalog.Tx) (err error) {
			forUser, err = create(tx, catalog.KindPolicyBinding, "", map[string]any{"target": h.flow, "user": 7, "order": 3})
			return err
		}).Number
		stageOf := func() *catalog.Object { o, _ := c.Snapshot().Get(h.one); return o }
		first := stageOf()

		// Two stages exchange their names, and the flow goes with its bindings.
		update(t, c, func(tx *catalog.Tx) error {
			for _, step := range []struct {
				id   uuid.UUID
				name string
			}{{h.one, "x"}, {h.two, "one"}, {h.one, "two"}} {
				if _, _, err := tx.Patch(step.id, map[string]any{"name": step.name, "secret": "other"}); err != nil {
					return err
				}
			}
			return tx.Delete(h.flow)
		})
		refused := func(what, want string, to int64, ids ...uuid.UUID) {
			t.Helper()
			before := documents(t, db)
			_, err := restore(t, c, to, ids...)
			var r *catalog.RestoreError
			if !errors.As(err, &r) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", what, err)
			}
			if diff := cmp.Diff(before, documents(t, db)); diff != "" {
				t.Errorf("%s changes\n%s", what, diff)
			}
		}
		refused("one of two exchanged names", "stage:one: name belongs to stage:one now", then, h.one)
		refused("a binding without its flow", "binding:login #10 one: target: there is no flow:login any more", then, h.first)

		people["7"] = false
		refused("everything with a user who is gone", "policybinding:login #3 user 7: user: there is no user 7 any more", then)
		rev, err := c.Update(t.Context(), catalog.Meta{}, func(ctx context.Context, tx *catalog.Tx) error {
			from, err := c.At(ctx, tx.Store(), then)
			if err != nil {
				return err
			}
			return tx.Restore(from, nil, true)
		})
		if err != nil || rev.Number != then+2 {
			t.Fatalf("without the user: revision %d, %v", rev.Number, err)
		}
		if _, ok := c.Snapshot().Get(forUser); ok {
			t.Error("the policy binding of somebody who is gone is back")
		}
		now := stageOf()
		name, _ := c.Snapshot().Value(now, "name")
		secret := now.Doc.(*flow.StageObject).Config.(*gateConfig).Secret
		if name != "one" || secret != "hush" {
			t.Errorf("the stage is %v with the secret %s", name, secret)
		}
		if _, err := c.Snapshot().PinnedStage(t.Context(), h.one, first.Version); err != nil {
			t.Errorf("a plan of before cannot go on: %v", err)
		}
		if again, err := restore(t, c, rev.Number); err != nil || again.Number != rev.Number || len(again.Changes) != 0 {
			t.Errorf("where one is already makes %+v, %v", again, err)
		}
		for _, to := range []int64{-1, rev.Number + 5} {
			if _, err := restore(t, c, to); !errors.Is(err, catalog.ErrNoRevision) {
				t.Errorf("back to %d: %v", to, err)
			}
		}
		if empty, err := c.At(t.Context(), db, 0); err != nil || len(empty.Objects(catalog.KindFlow)) != 0 {
			t.Errorf("the beginning: %v", err)
		}
	})
}

func TestRevisionsAreFound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		c := open(t, db, func(cfg *catalog.Config) { cfg.Now = func() time.Time { return now } })
		h := furnish(t, c)
		rename := func(actor, source, name string) {
			t.Helper()
			now = now.Add(24 * time.Hour)
			_, err := c.Update(t.Context(), catalog.Meta{Actor: actor, Source: source}, func(_ context.Context, tx *catalog.Tx) error {
				_, _, err := tx.Patch(h.one, map[string]any{"name": name})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		rename("ada", "api", "b")
		rename("bob", "file login.yaml", "c")
		rename("ada", "file other.yaml", "d")
		day := func(n int) time.Time { return time.Date(2030, 1, 1+n, 0, 0, 0, 0, time.UTC) }
		for name, row := range map[string]struct {
			search catalog.Search
			want   string
		}{
			"all":               {catalog.Search{}, "4 3 2 1"},
			"one":               {catalog.Search{Number: 3}, "3"},
			"an object":         {catalog.Search{Object: h.two.String()}, "1"},
			"a kind":            {catalog.Search{Kind: catalog.KindFlow}, "1"},
			"an author":         {catalog.Search{Actor: "ada"}, "4 2"},
			"a source":          {catalog.Search{Source: "file"}, "4 3"},
			"no pattern":        {catalog.Search{Source: "file%yaml"}, ""},
			"a span":            {catalog.Search{Since: day(1), Until: day(3)}, "3 2"},
			"an author's files": {catalog.Search{Actor: "ada", Source: "file "}, "4"},
		} {
			list, total, err := c.Revisions(t.Context(), row.search, 0, 10)
			var got []string
			for _, p := range list {
				got = append(got, fmt.Sprint(p.Number))
			}
			if strings.Join(got, " ") != row.want || total != len(list) || err != nil {
				t.Errorf("%s: %v of %d, %v", name, got, total, err)
			}
		}
		list, total, err := c.Revisions(t.Context(), catalog.Search{}, 1, 2)
		if err != nil || total != 4 || len(list) != 2 || list[0].Number != 3 || list[0].Actor != "bob" || !list[0].Created.Equal(day(2)) || list[0].Changes[0].Fields[0] != "name" {
			t.Errorf("the second and third: %+v of %d, %v", list, total, err)
		}
	})
}

// What is older than wanted goes, what is needed to go back to any later
// revision stays.
func TestForget(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		c := open(t, db, func(cfg *catalog.Config) { cfg.Now = func() time.Time { return now } })
		furnish(t, c)
		r := rand.New(rand.NewPCG(9, 9))
		past := map[int64]map[string]string{}
		times := map[int64]time.Time{}
		for range 20 {
			now = now.Add(24 * time.Hour)
			update(t, c, func(tx *catalog.Tx) error { change(r, tx); return nil })
			past[c.Snapshot().Revision()], times[c.Snapshot().Revision()] = documents(t, db), now
		}
		if n, err := c.Forget(t.Context(), now.Add(-1000*24*time.Hour)); n != 0 || err != nil {
			t.Errorf("%d rows went, %v", n, err)
		}
		cut := now.Add(-10*24*time.Hour + time.Minute)
		if n, err := c.Forget(t.Context(), cut); n == 0 || err != nil {
			t.Fatalf("%d rows went, %v", n, err)
		}
		if n, err := c.Forget(t.Context(), cut); n != 0 || err != nil {
			t.Errorf("a second time %d rows went, %v", n, err)
		}
		var first int64
		for to := c.Snapshot().Revision(); to > 0; to-- {
			s, err := c.At(t.Context(), db, to)
			if err != nil {
				first = to + 1
				break
			}
			for o := range s.All() {
				if past[to][o.ID.String()] == "" {
					t.Errorf("revision %d has %s", to, s.NaturalName(o))
				}
				delete(past[to], o.ID.String())
			}
			if len(past[to]) > 0 {
				t.Errorf("revision %d lacks %v", to, past[to])
			}
		}
		if !times[first].Before(cut) || !times[first+1].After(cut) {
			t.Errorf("it goes back to %d, of %v; the limit is %v", first, times[first], cut)
		}
		if fresh := open(t, db, nil); fresh.Snapshot().Revision() != c.Snapshot().Revision() {
			t.Error("another node loads something else")
		}
		if list, total, err := c.Revisions(t.Context(), catalog.Search{}, 0, 100); err != nil || int64(total) != c.Snapshot().Revision()-first+1 || list[len(list)-1].Number != first {
			t.Errorf("%d revisions are listed, %v", total, err)
		}
		// Plans need what was replaced of late, whatever is asked for.
		if _, err := c.Forget(t.Context(), now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.At(t.Context(), db, c.Snapshot().Revision()-1); err != nil {
			t.Errorf("the last revision but one is forgotten: %v", err)
		}
	})
}
