package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/txn"
)

// tx is a write transaction. It behaves as PostgreSQL's do where SQLite would
// allow more: a failed statement ends it, and one result is read at a time.
type tx struct {
	txn.State
	sql  *sql.Tx
	open *rows
}

// Write runs fn in an immediate transaction on the one writing connection.
func (db *DB) Write(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) error {
	if err := txn.Check(ctx, db); err != nil {
		return err
	}
	return txn.Retry(ctx, transient, func() error { return db.try(ctx, fn) })
}

func (db *DB) try(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) error {
	s, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return translate(ctx, err)
	}
	defer func() { _ = s.Rollback() }() // after a commit it does nothing
	t := &tx{sql: s}
	if err := fn(txn.Inside(ctx, db), t); err != nil {
		return err
	}
	if t.open != nil {
		t.open.Close()
	}
	if err := t.Err(); err != nil {
		return err
	}
	if err := s.Commit(); err != nil {
		return translate(ctx, err)
	}
	t.Committed()
	return nil
}

// FlowTx marks the type as what package flow calls a transaction.
func (t *tx) FlowTx() {}

// SQL is the transaction itself, for the job queue.
func (t *tx) SQL() *sql.Tx { return t.sql }

func (t *tx) Dialect() store.Dialect { return store.SQLite }

var errBusy = errors.New("rows of an earlier query are still open")

func (t *tx) ready() error {
	if t.open != nil {
		return errBusy
	}
	return t.Err()
}

func (t *tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := t.ready(); err != nil {
		return 0, err
	}
	n, err := exec(ctx, t.sql, query, args)
	if err != nil {
		t.Fail(err)
	}
	return n, err
}

func (t *tx) Query(ctx context.Context, query string, args ...any) (store.Rows, error) {
	r, err := t.run(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (t *tx) QueryRow(ctx context.Context, query string, args ...any) store.Row {
	r, err := t.run(ctx, query, args)
	return row{rows: r, err: err}
}

func (t *tx) run(ctx context.Context, query string, args []any) (*rows, error) {
	if err := t.ready(); err != nil {
		return nil, err
	}
	r, err := run(ctx, t.sql, query, args)
	if err != nil {
		t.Fail(err)
		return nil, err
	}
	r.tx, t.open = t, r
	return r, nil
}
