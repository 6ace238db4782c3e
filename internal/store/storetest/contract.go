package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/store"
)

// Run is the contract of store.DB, Tx and Querier. open returns an empty
// database with the current schema and closes it when the test ends.
func Run(t *testing.T, open func(t *testing.T) store.DB) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, db store.DB)
	}{
		{"a committed write is seen, with its hooks run after it", testCommit},
		{"a failed write leaves nothing and runs no hook", testRollback},
		{"a panic leaves nothing and frees the writer", testPanic},
		{"a failed statement ends its transaction", testFailedStatement},
		{"the database refuses to be used inside its own write", testNested},
		{"one result is read at a time in a transaction", testOpenRows},
		{"no row is ErrNotFound", testNotFound},
		{"a unique value used twice is ErrConflict with its columns", testConflict},
		{"a broken reference is ErrReferenced, also with a returning clause", testReferenced},
		{"deleting cascades", testCascade},
		{"placeholders may come in any order and more than once", testPlaceholders},
		{"a list matches its members and an empty list nothing", testIn},
		{"times are UTC in and out, whatever zone the argument has", testTimes},
		{"times compare in time order down to the microsecond", testTimeOrder},
		{"documents, blobs, nulls and uuids come back as they went in", testValues},
		{"text sorts by code point", testCollation},
		{"ids are never reused", testIdentity},
		{"a cancelled context stops a statement and a write", testCancel},
		{"32 writers and 32 readers at once all finish and lose no update", testConcurrent},
		{"an upsert returns the row, new and changed", testUpsert},
		{"a notification is heard after the commit, and never after a rollback", testNotify},
		{"listeners end with their context and with the database", testListenEnds},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// noon is a time with a zone that is not UTC and a fraction.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.FixedZone("east", 5*3600+1800))

func write(t *testing.T, db store.DB, fn func(ctx context.Context, tx store.Tx) error) {
	t.Helper()
	if err := db.Write(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func insertGroup(ctx context.Context, q store.Querier, id uuid.UUID, name string) error {
	_, err := q.Exec(ctx, `insert into groups (id, name, name_key, is_superuser, attributes, created, updated)
		values ($1, $2, $2, $3, $4, $5, $5)`, id, name, false, store.JSON(map[string]any{}), noon)
	return err
}

func insertUser(ctx context.Context, q store.Querier, name string) (int64, error) {
	var id int64
	err := q.QueryRow(ctx, `insert into users (uuid, username, username_key, name, email, email_key, upn_key, is_active,
			type, path, attributes, password_hash, password_changed_at, date_joined, last_updated)
		values ($1, $2, $2, '', '', '', '', $3, 'internal', 'users', $4, '', $5, $5, $5) returning id`,
		uuid.New(), name, true, store.JSON(map[string]any{}), noon).Scan(&id)
	return id, err
}

func count(t *testing.T, q store.Querier, table string) int {
	t.Helper()
	var n int
	if err := q.QueryRow(t.Context(), "select count(*) from "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
