// Package storetest gives tests real databases, and holds both kinds of database
// to one contract.
//
// SQLite lives in the test's temporary folder. PostgreSQL is the server that
// WEIR_TEST_POSTGRES_URL names (the role must be allowed to create databases)
// or else a throwaway one, started on demand and shared by all test processes
// of this user. Every test gets a database of its own, copied from a template
// that has the current schema.
package storetest

import (
	"context"
	"log/slog"
	"testing"

	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/dial"
)

// Each runs f once on SQLite and once on PostgreSQL, with an empty database
// each time. Without PostgreSQL the second run is skipped, or fails if CI=true
// or WEIR_TEST_REQUIRE_POSTGRES=1.
func Each(t *testing.T, f func(t *testing.T, db store.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, OpenPostgres(t)) })
}

// SQLite opens an empty database that is closed and gone when the test ends.
func SQLite(t testing.TB) store.DB {
	t.Helper()
	return open(t, dial.Options{DataDir: t.TempDir()})
}

// OpenPostgres opens the database that Postgres makes.
func OpenPostgres(t testing.TB) store.DB {
	t.Helper()
	return open(t, dial.Options{URL: Postgres(t)})
}

func open(t testing.TB, o dial.Options) store.DB {
	t.Helper()
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	db, err := dial.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return db
}
