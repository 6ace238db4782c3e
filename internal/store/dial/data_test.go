package dial_test

import (
	"database/sql"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	_ "modernc.org/sqlite"             // the driver sqlite

	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/dial"
	"github.com/weir-id/weir/internal/store/migrate"
	"github.com/weir-id/weir/internal/store/postgres"
	"github.com/weir-id/weir/internal/store/sqlite"
	"github.com/weir-id/weir/internal/store/storetest"
)

// upTo are the migrations up to one of them.
func upTo(t *testing.T, all fs.FS, last string) fs.FS {
	t.Helper()
	names, err := fs.Glob(all, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	some := fstest.MapFS{}
	for _, name := range names {
		if name <= last {
			data, err := fs.ReadFile(all, name)
			if err != nil {
				t.Fatal(err)
			}
			some[name] = &fstest.MapFile{Data: data}
		}
	}
	return some
}

// old opens an empty database at an earlier schema, runs fn on it and brings it
// up to date.
func old(t *testing.T, last string, fn func(db *sql.DB), check func(t *testing.T, db store.DB)) {
	open := func(driver, source string, dialect store.Dialect, all fs.FS) {
		t.Helper()
		db, err := sql.Open(driver, source)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if dialect == store.Postgres {
			for _, s := range []string{"drop schema public cascade", "create schema public"} {
				if _, err := db.ExecContext(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := migrate.Up(t.Context(), dialect, db, upTo(t, all, last), slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		fn(db)
	}
	run := func(t *testing.T, o dial.Options) {
		db, err := dial.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		check(t, db)
	}
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		open("sqlite", filepath.Join(dir, "weir.db"), store.SQLite, sqlite.Migrations())
		run(t, dial.Options{DataDir: dir})
	})
	t.Run("postgres", func(t *testing.T) {
		url := storetest.Postgres(t)
		open("pgx", url, store.Postgres, postgres.Migrations())
		run(t, dial.Options{URL: url})
	})
}

func TestSearchReachesPeopleOfTheFirstSchema(t *testing.T) {
	old(t, "00001_init.sql", func(db *sql.DB) {
		for _, s := range []string{
			`insert into users (uuid, username, username_key, name, email, email_key, upn_key, is_active, type, path, attributes, password_hash,
				password_changed_at, date_joined, last_updated)
				values ('5e3c0c6e-0c5b-4bfb-9d38-b9b0a0b8b001', 'Ada', 'ada', 'Ada LOVELACE', 'Ada@example.org', 'ada@example.org', '', true, 'internal', 'users', '{}', '!',
				'2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00')`,
			`insert into events (id, action, app, user_json, context, client_ip, brand, created, expires)
				values ('a', 'login', 'x', '{"pk": 1, "username": "Ada"}', '{}', '', '{}', '2026-01-01 00:00:00+00:00', '2099-01-01 00:00:00+00:00')`,
			`insert into events (id, action, app, user_json, context, client_ip, brand, created, expires)
				values ('b', 'login', 'x', '{}', '{}', '', '{}', '2026-01-01 00:00:00+00:00', '2099-01-01 00:00:00+00:00')`,
		} {
			if _, err := db.ExecContext(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
	}, func(t *testing.T, db store.DB) {
		var text string
		if err := db.QueryRow(t.Context(), "select search_text from users").Scan(&text); err != nil || text != "ada\nada lovelace\nada@example.org" {
			t.Errorf("search text is %q, %v", text, err)
		}
		if db.Dialect() == store.SQLite {
			n := 0
			if err := db.QueryRow(t.Context(), "select count(*) from users_search where search_text like '%lovelace%'").Scan(&n); err != nil || n != 1 {
				t.Errorf("the index finds %d people, %v", n, err)
			}
		}
		owned, err := store.Select(t.Context(), db, store.Column[string], "select id from events where user_id = 1")
		if err != nil || len(owned) != 1 || owned[0] != "a" {
			t.Errorf("the events of the person are %v, %v", owned, err)
		}
	})
}

func TestEventsOfEarlierSchemasAreFound(t *testing.T) {
	old(t, "00003_guesses.sql", func(db *sql.DB) {
		for _, s := range []string{
			`insert into events (id, action, app, user_json, context, client_ip, brand, created, expires, user_id) values ('a', 'model_updated', 'x',
				'{"pk": 1, "username": "Ada"}', '{"username": "other", "model": {"app": "authentik_flows", "model_name": "flow", "pk": "11111111-2222-3333-4444-555555555555"}}',
				'', '{"name": "Brand x"}', '2026-01-01 00:00:00+00:00', '2099-01-01 00:00:00+00:00', 1)`,
			`insert into events (id, action, app, user_json, context, client_ip, brand, created, expires) values ('b', 'login_failed', 'x',
				'{"pk": null, "username": "AnonymousUser"}', '{"username": "typed", "device": {"pk": 5}, "authorized_application": {"pk": "ab"}}',
				'', '{}', '2026-01-01 00:00:00+00:00', '2099-01-01 00:00:00+00:00')`,
		} {
			if _, err := db.ExecContext(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
	}, func(t *testing.T, db store.DB) {
		got, err := store.Select(t.Context(), db, store.Column[string], `select username || ',' || brand_name || ',' || model_app || ',' || model_name || ',' || model_pk
			|| ',' || authorized_app || ',' || device from events order by id`)
		want := []string{"Ada,Brand x,authentik_flows,flow,11111111222233334444555555555555,,", "typed,,,,,ab,5"}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v", got, err)
		}
	})
}
