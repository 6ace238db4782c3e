package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/txn"
)

type tx struct {
	txn.State
	db  *DB
	pgx pgx.Tx
}

// Write runs fn in one transaction (read committed: rows that are read in order
// to be changed need Dialect.ForUpdate).
func (db *DB) Write(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) error {
	if err := txn.Check(ctx, db); err != nil {
		return err
	}
	return txn.Retry(ctx, transient, func() error { return db.try(ctx, fn) })
}

// rollbackTimeout bounds the rollback of a transaction whose context is over.
const rollbackTimeout = 5 * time.Second

func (db *DB) try(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) error {
	p, err := db.begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", db.translate(ctx, err))
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_ = p.Rollback(ctx) // after a commit it does nothing
	}()
	t := &tx{db: db, pgx: p}
	if err := fn(txn.Inside(ctx, db), t); err != nil {
		return err
	}
	if err := t.Err(); err != nil {
		return err
	}
	bounded, cancel := db.bound(ctx)
	defer cancel()
	if err := p.Commit(bounded); err != nil {
		return db.translate(ctx, err)
	}
	t.Committed()
	return nil
}

func (db *DB) begin(ctx context.Context) (pgx.Tx, error) {
	bounded, cancel := db.bound(ctx)
	defer cancel()
	return db.pool.Begin(bounded)
}

// FlowTx marks the type as what package flow calls a transaction.
func (t *tx) FlowTx() {}

// PGX is the transaction itself, for the job queue.
func (t *tx) PGX() pgx.Tx { return t.pgx }

func (t *tx) Dialect() store.Dialect { return store.Postgres }

func (t *tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := t.Err(); err != nil {
		return 0, err
	}
	n, err := t.db.exec(ctx, t.pgx, query, args)
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
	if err := t.Err(); err != nil {
		return nil, err
	}
	r, err := t.db.run(ctx, t.pgx, query, args)
	if err != nil {
		t.Fail(err)
		return nil, err
	}
	r.tx = t
	return r, nil
}
