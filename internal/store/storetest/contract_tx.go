package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/store"
)

var errWanted = errors.New("wanted")

func testCommit(t *testing.T, db store.DB) {
	var order []string
	write(t, db, func(ctx context.Context, tx store.Tx) error {
		for _, name := range []string{"first", "second"} {
			tx.AfterCommit(func() {
				if n := count(t, db, "groups"); n != 1 {
					t.Errorf("hook sees %d groups, want the committed one", n)
				}
				order = append(order, name)
			})
		}
		if tx.Dialect() != db.Dialect() {
			t.Errorf("dialect of the transaction is %v, of the database %v", tx.Dialect(), db.Dialect())
		}
		if err := insertGroup(ctx, tx, uuid.New(), "a"); err != nil {
			return err
		}
		if n := count(t, tx, "groups"); n != 1 {
			t.Errorf("transaction sees %d groups, want its own", n)
		}
		return nil
	})
	if !slices.Equal(order, []string{"first", "second"}) {
		t.Errorf("hooks ran as %q", order)
	}
}

func testRollback(t *testing.T, db store.DB) {
	err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
		tx.AfterCommit(func() { t.Error("hook ran") })
		if err := insertGroup(ctx, tx, uuid.New(), "a"); err != nil {
			return err
		}
		return errWanted
	})
	if !errors.Is(err, errWanted) {
		t.Errorf("error is %v, want that of the callback", err)
	}
	if n := count(t, db, "groups"); n != 0 {
		t.Errorf("%d groups after a rollback", n)
	}
}

func testPanic(t *testing.T, db store.DB) {
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
			if err := insertGroup(ctx, tx, uuid.New(), "a"); err != nil {
				t.Error(err)
			}
			panic("wanted")
		})
	}()
	write(t, db, func(ctx context.Context, tx store.Tx) error { return insertGroup(ctx, tx, uuid.New(), "b") })
	if n := count(t, db, "groups"); n != 1 {
		t.Errorf("%d groups, want only that of the second write", n)
	}
}

func testFailedStatement(t *testing.T, db store.DB) {
	id := uuid.New()
	err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
		if err := insertGroup(ctx, tx, id, "a"); err != nil {
			return err
		}
		if err := insertGroup(ctx, tx, id, "b"); !errors.Is(err, store.ErrConflict) {
			t.Errorf("error of the second insert is %v", err)
		}
		if err := insertGroup(ctx, tx, uuid.New(), "c"); !errors.Is(err, store.ErrTxFailed) {
			t.Errorf("a statement after the failed one gives %v", err)
		}
		return nil // the caller overlooks the failure
	})
	if !errors.Is(err, store.ErrTxFailed) || !errors.Is(err, store.ErrConflict) {
		t.Errorf("write returned %v, want ErrTxFailed with its cause", err)
	}
	if n := count(t, db, "groups"); n != 0 {
		t.Errorf("%d groups, want none", n)
	}
}

func testNested(t *testing.T, db store.DB) {
	write(t, db, func(ctx context.Context, _ store.Tx) error {
		var one int
		_, execErr := db.Exec(ctx, "delete from groups")
		_, queryErr := db.Query(ctx, "select 1")
		for name, err := range map[string]error{
			"Write":    db.Write(ctx, func(context.Context, store.Tx) error { return nil }),
			"Exec":     execErr,
			"Query":    queryErr,
			"QueryRow": db.QueryRow(ctx, "select 1").Scan(&one),
			"Ping":     db.Ping(ctx),
		} {
			if !errors.Is(err, store.ErrNested) {
				t.Errorf("%s inside a write: %v, want ErrNested", name, err)
			}
		}
		return nil
	})
	if err := db.Ping(t.Context()); err != nil {
		t.Errorf("ping after the write: %v", err)
	}
}

func testOpenRows(t *testing.T, db store.DB) {
	err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
		rows, err := tx.Query(ctx, "select revision from catalog_head")
		if err != nil {
			return err
		}
		if err := insertGroup(ctx, tx, uuid.New(), "a"); err == nil {
			t.Error("a statement ran while rows were open")
		}
		rows.Close()
		rows.Close()
		return errWanted
	})
	if !errors.Is(err, errWanted) {
		t.Error(err)
	}
	write(t, db, func(ctx context.Context, tx store.Tx) error {
		rows, err := tx.Query(ctx, "select revision from catalog_head")
		if err != nil {
			return err
		}
		rows.Close()
		return insertGroup(ctx, tx, uuid.New(), "b")
	})
}

func testNotFound(t *testing.T, db store.DB) {
	var n int
	if err := db.QueryRow(t.Context(), "select 1 from groups").Scan(&n); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("outside of a transaction: %v", err)
	}
	write(t, db, func(ctx context.Context, tx store.Tx) error {
		if err := tx.QueryRow(ctx, "select 1 from groups").Scan(&n); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("in a transaction: %v", err)
		}
		return insertGroup(ctx, tx, uuid.New(), "the transaction goes on")
	})
	names, err := store.Select(t.Context(), db, store.Column[string], "select name from groups where name = $1", "none")
	if err != nil || names != nil {
		t.Errorf("select of nothing gives %q, %v", names, err)
	}
}

func testConflict(t *testing.T, db store.DB) {
	group, role := uuid.New(), uuid.New()
	write(t, db, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Exec(ctx, "insert into roles (id, name) values ($1, 'r')", role)
		return errors.Join(err, insertGroup(ctx, tx, group, "taken"))
	})
	grant := "insert into role_grants (role_id, permission) values ($1, 'p')"
	if _, err := db.Exec(t.Context(), grant, role); err != nil {
		t.Fatal(err)
	}
	_, grantErr := db.Exec(t.Context(), grant, role)
	for _, c := range []struct {
		name    string
		err     error
		table   string
		columns []string
	}{
		{"a unique column", insertGroup(t.Context(), db, uuid.New(), "taken"), "groups", []string{"name_key"}},
		{"a primary key", insertGroup(t.Context(), db, group, "free"), "groups", []string{"id"}},
		{"a key of several columns", grantErr, "role_grants", []string{"role_id", "permission", "object_kind", "object_id"}},
	} {
		if !errors.Is(c.err, store.ErrConflict) || !store.ConflictOn(c.err, c.table, c.columns...) {
			t.Errorf("%s: got %v, want a conflict on %s %q", c.name, c.err, c.table, c.columns)
		}
	}
}

func testReferenced(t *testing.T, db store.DB) {
	const insert = "insert into group_members (group_id, user_id) values ($1, 4711)"
	if _, err := db.Exec(t.Context(), insert, uuid.New()); !errors.Is(err, store.ErrReferenced) {
		t.Errorf("exec: %v", err)
	}
	err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
		var id int64
		return tx.QueryRow(ctx, insert+" returning user_id", uuid.New()).Scan(&id)
	})
	if !errors.Is(err, store.ErrReferenced) {
		t.Errorf("returning: %v", err)
	}
	err = db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
		rows, err := tx.Query(ctx, insert+" returning user_id", uuid.New())
		if err == nil {
			rows.Close() // unread
		}
		return err
	})
	if !errors.Is(err, store.ErrReferenced) {
		t.Errorf("returning, unread: %v", err)
	}
	if n := count(t, db, "group_members"); n != 0 {
		t.Errorf("%d members of no group", n)
	}
}

func testCascade(t *testing.T, db store.DB) {
	group := uuid.New()
	write(t, db, func(ctx context.Context, tx store.Tx) error {
		user, err := insertUser(ctx, tx, "u")
		if err != nil {
			return err
		}
		if err := insertGroup(ctx, tx, group, "g"); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "insert into group_members (group_id, user_id) values ($1, $2)", group, user)
		return err
	})
	n, err := db.Exec(t.Context(), "delete from users where username = 'u'")
	if err != nil || n != 1 {
		t.Fatalf("deleted %d, %v", n, err)
	}
	if n := count(t, db, "group_members"); n != 0 {
		t.Errorf("%d memberships outlived their user", n)
	}
}
