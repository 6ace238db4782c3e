package storetest

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/store"
)

func testPlaceholders(t *testing.T, db store.DB) {
	write(t, db, func(ctx context.Context, tx store.Tx) error {
		for _, name := range []string{"a", "b", "c"} {
			if err := insertGroup(ctx, tx, uuid.New(), name); err != nil {
				return err
			}
		}
		return nil
	})
	names, err := store.Select(t.Context(), db, store.Column[string],
		"select name from groups where name = $2 or name_key = $2 or name = $1 order by name limit $3", "c", "a", 5)
	if err != nil || !slices.Equal(names, []string{"a", "c"}) {
		t.Errorf("got %q, %v", names, err)
	}
}

func testIn(t *testing.T, db store.DB) {
	ids := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	write(t, db, func(ctx context.Context, tx store.Tx) error {
		for i, id := range ids {
			if err := insertGroup(ctx, tx, id, string(rune('a'+i))); err != nil {
				return err
			}
		}
		return nil
	})
	for _, c := range []struct {
		name string
		ids  []uuid.UUID
		want []string
	}{
		{"two of three", ids[:2], []string{"a", "b"}},
		{"an unknown one", []uuid.UUID{ids[2], uuid.New()}, []string{"c"}},
		{"none", nil, nil},
	} {
		var a store.Args
		where := "is_superuser = " + a.Add(false) + " and id in " + store.In(&a, c.ids)
		got, err := store.Select(t.Context(), db, store.Column[string], "select name from groups where "+where+" order by name", a...)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}

func testTimes(t *testing.T, db store.DB) {
	at := noon.Add(789 * time.Nanosecond) // below what is stored
	write(t, db, func(ctx context.Context, tx store.Tx) error {
		id, err := insertUser(ctx, tx, "u")
		if err != nil {
			return err
		}
		var returned *time.Time
		if err := tx.QueryRow(ctx, "update users set date_joined = $1, last_login = $2 where id = $3 returning last_login",
			at, &at, id).Scan(&returned); err != nil {
			return err
		}
		if returned == nil || !returned.Equal(noon) || returned.Location() != time.UTC {
			t.Errorf("returning gave %v", returned)
		}
		return nil
	})
	var joined, latest time.Time
	var login *time.Time
	if err := db.QueryRow(t.Context(), "select max(date_joined), date_joined, last_login from users group by date_joined, last_login").
		Scan(&latest, &joined, &login); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]time.Time{"column": joined, "expression": latest, "null column": *login} {
		if got != noon.UTC() {
			t.Errorf("%s: got %v, want %v", name, got, noon.UTC())
		}
	}
	// Compared by the clock on the wall, both answers would be the other one.
	for _, c := range []struct {
		name   string
		before time.Time
		want   int
	}{
		{"an hour later, in a zone whose clock shows less", noon.Add(time.Hour).In(time.FixedZone("west", -8*3600)), 1},
		{"an hour earlier, in a zone whose clock shows more", noon.Add(-time.Hour).In(time.FixedZone("far east", 12*3600)), 0},
	} {
		var n int
		if err := db.QueryRow(t.Context(), "select count(*) from users where date_joined < $1", c.before).Scan(&n); err != nil || n != c.want {
			t.Errorf("%s: %d rows, %v, want %d", c.name, n, err, c.want)
		}
	}
	if _, err := db.Exec(t.Context(), "update users set last_login = $1", (*time.Time)(nil)); err != nil {
		t.Fatal(err)
	}
	if err := db.QueryRow(t.Context(), "select last_login from users").Scan(&login); err != nil || login != nil {
		t.Errorf("null scanned as %v, %v", login, err)
	}
}

func testTimeOrder(t *testing.T, db store.DB) {
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	want := []time.Time{base, base.Add(time.Microsecond), base.Add(10 * time.Microsecond), base.Add(490 * time.Millisecond),
		base.Add(500 * time.Millisecond), base.Add(time.Second), base.Add(time.Hour)}
	for i, at := range want {
		// Inserted from the last to the first, so that the order is the query's.
		if _, err := db.Exec(t.Context(), `insert into session_counters (session_key, name, n, expires) values ('k', $1, 0, $2)`,
			string(rune('z'-i)), want[len(want)-1-i]); err != nil {
			t.Fatalf("%v: %v", at, err)
		}
	}
	got, err := store.Select(t.Context(), db, store.Column[time.Time], "select expires from session_counters order by expires")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func testValues(t *testing.T, db store.DB) {
	type doc struct {
		Name string   `json:"name"`
		List []string `json:"list"`
	}
	id, want, blob := uuid.New(), doc{"é <\u2028>", []string{"a", ""}}, []byte{0, 0xff, '\'', 0}
	if _, err := db.Exec(t.Context(), `insert into install (id, install_id, data_key, latches, created) values (1, $1, $2, $3, $4)`,
		id, blob, store.JSON(want), noon); err != nil {
		t.Fatal(err)
	}
	var gotID uuid.UUID
	var gotBlob []byte
	var got doc
	if err := db.QueryRow(t.Context(), "select install_id, data_key, latches from install").Scan(&gotID, &gotBlob, store.JSON(&got)); err != nil {
		t.Fatal(err)
	}
	if gotID != id || !bytes.Equal(gotBlob, blob) {
		t.Errorf("got %v %v, want %v %v", gotID, gotBlob, id, blob)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	type kind string
	write(t, db, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Exec(ctx, `insert into catalog_revisions (revision, created, actor_id, actor, source, summary)
			values ($1, $2, $3, $4, $5, $6)`, 1, noon, (*int64)(nil), kind("flow"), "", store.JSON([]int{}))
		return err
	})
	var actorID *int64
	var actor kind
	var many bool
	if err := db.QueryRow(t.Context(), "select actor_id, actor, exists (select 1 from catalog_revisions) from catalog_revisions").
		Scan(&actorID, &actor, &many); err != nil || actorID != nil || actor != "flow" || !many {
		t.Errorf("got %v %q %v, %v", actorID, actor, many, err)
	}
}

func testCollation(t *testing.T, db store.DB) {
	want := []string{"B", "_", "a", "b", "é"}
	write(t, db, func(ctx context.Context, tx store.Tx) error {
		for _, i := range []int{4, 2, 0, 3, 1} {
			if err := insertGroup(ctx, tx, uuid.New(), want[i]); err != nil {
				return err
			}
		}
		return nil
	})
	got, err := store.Select(t.Context(), db, store.Column[string], "select name from groups order by name")
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func testIdentity(t *testing.T, db store.DB) {
	first, err := insertViaWrite(t, db, "first")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), "delete from users"); err != nil {
		t.Fatal(err)
	}
	second, err := insertViaWrite(t, db, "second")
	if err != nil {
		t.Fatal(err)
	}
	if second <= first {
		t.Errorf("id %d was given after %d was deleted", second, first)
	}
}

func insertViaWrite(t *testing.T, db store.DB, name string) (id int64, err error) {
	err = db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
		id, err = insertUser(ctx, tx, name)
		return err
	})
	return id, err
}

func testUpsert(t *testing.T, db store.DB) {
	for want := 1; want <= 3; want++ {
		write(t, db, func(ctx context.Context, tx store.Tx) error {
			var n int
			err := tx.QueryRow(ctx, `insert into session_counters (session_key, name, n, expires) values ($1, $2, 1, $3)
				on conflict (session_key, name) do update set n = session_counters.n + 1 returning n`, "k", "guesses", noon).Scan(&n)
			if n != want {
				t.Errorf("counter is %d, want %d", n, want)
			}
			return err
		})
	}
}
