package dial_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/dial"
	"github.com/weir-id/weir/internal/store/migrate"
	"github.com/weir-id/weir/internal/store/postgres"
	"github.com/weir-id/weir/internal/store/sqlite"
	"github.com/weir-id/weir/internal/store/storetest"
)

func TestBothDatabasesHaveTheSameMigrations(t *testing.T) {
	one, err := fs.Glob(sqlite.Migrations(), "*")
	if err != nil {
		t.Fatal(err)
	}
	other, err := fs.Glob(postgres.Migrations(), "*")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(one, other); diff != "" || len(one) == 0 {
		t.Errorf("sqlite and postgres differ, or have none:\n%s", diff)
	}
}

// sameTypes maps the declared types of SQLite to those of PostgreSQL.
var sameTypes = map[string][]string{
	"integer": {"integer", "bigint"}, "bigint": {"bigint"}, "boolean": {"boolean"},
	"timestamp": {"timestamp with time zone"}, "text": {"text", "jsonb"}, "blob": {"bytea"},
}

func TestBothDatabasesHaveTheSameColumns(t *testing.T) {
	type column struct {
		name, kind string
		nullable   bool
	}
	read := func(db store.DB, sql string) map[string]column {
		cols, err := store.Select(t.Context(), db, func(r store.Row) (c column, err error) {
			return c, r.Scan(&c.name, &c.kind, &c.nullable)
		}, sql)
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]column{}
		for _, c := range cols {
			// SQLite keeps its text index in tables.
			if !strings.HasPrefix(c.name, migrate.Table) && !strings.HasPrefix(c.name, "users_search") {
				m[c.name] = c
			}
		}
		return m
	}
	one := read(storetest.SQLite(t), `select m.name || '.' || c.name, lower(c.type), c."notnull" = 0 and c.pk = 0
		from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table' and m.name not like 'sqlite_%'`)
	other := read(storetest.OpenPostgres(t), `select table_name || '.' || column_name, data_type::text, is_nullable = 'YES'
		from information_schema.columns where table_schema = current_schema()`)
	if len(one) < 100 {
		t.Fatalf("read only %d columns", len(one))
	}
	for name, a := range one {
		b, ok := other[name]
		if !ok {
			t.Errorf("%s is missing in postgres", name)
		} else if a.nullable != b.nullable || !slices.Contains(sameTypes[a.kind], b.kind) {
			t.Errorf("%s is %s (null %v) in sqlite, %s (null %v) in postgres", name, a.kind, a.nullable, b.kind, b.nullable)
		}
	}
	for name := range other {
		if _, ok := one[name]; !ok {
			t.Errorf("%s is missing in sqlite", name)
		}
	}
}

func TestProcessesThatStartTogetherMigrateOnce(t *testing.T) {
	// An empty PostgreSQL database comes from undoing what the template holds.
	url := storetest.Postgres(t)
	db, err := dial.Open(t.Context(), dial.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"drop schema public cascade", "create schema public"} {
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, o := range []dial.Options{{DataDir: t.TempDir()}, {URL: url}} {
		var g errgroup.Group
		for range 6 {
			g.Go(func() error {
				db, err := dial.Open(t.Context(), o)
				if err != nil {
					return err
				}
				return db.Close()
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		db, err := dial.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		versions, err := store.Select(t.Context(), db, store.Column[int64], "select version_id from "+migrate.Table+" order by version_id")
		if err != nil || !slices.Equal(versions, []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 18, 19, 21, 22}) {
			t.Errorf("%v recorded versions %v, %v", db.Dialect(), versions, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct{ name, url, want string }{
		{"another kind of database", "mysql://u:secret@h/d", "must begin with postgres://"},
		{"a URL that cannot be read", "postgres://u:secret@h:port/d", "open postgres"},
		{"no place at all", "", "neither a database URL nor a data folder"},
	} {
		_, err := dial.Open(t.Context(), dial.Options{URL: c.url})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestOpenRefusesANewerSchema(t *testing.T) {
	url := storetest.Postgres(t)
	for _, o := range []dial.Options{{DataDir: t.TempDir()}, {URL: url}} {
		db, err := dial.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.Exec(t.Context(), "insert into "+migrate.Table+" (version_id, is_applied) values (99, true)")
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := dial.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), migrate.ErrNewer.Error()) {
			t.Errorf("opened a newer schema: %v", err)
		}
	}
}

func TestTheFileIsForItsOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data with # and % and ?")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "weir.db"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	db, err := dial.Open(t.Context(), dial.Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(t.Context(), "update catalog_head set revision = 1"); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) < 2 {
		t.Fatalf("%d files, %v; want the database and its log", len(entries), err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
}

func TestReadsCannotWriteInSQLite(t *testing.T) {
	db := storetest.SQLite(t)
	var n int64
	err := db.QueryRow(t.Context(), "update catalog_head set revision = 5 returning revision").Scan(&n)
	if err == nil || !strings.Contains(err.Error(), "readonly") {
		t.Errorf("a writing query gives %v", err)
	}
}

// BenchmarkOpenExisting is the part of the start-up budget that the store uses.
func BenchmarkOpenExisting(b *testing.B) {
	o := dial.Options{DataDir: b.TempDir()}
	for b.Loop() {
		db, err := dial.Open(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
