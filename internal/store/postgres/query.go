package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/weir-id/weir/internal/store"
)

// handle is what a pool and a transaction have in common.
type handle interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func (db *DB) exec(ctx context.Context, h handle, query string, args []any) (int64, error) {
	bound, err := store.Bind(args)
	if err != nil {
		return 0, err
	}
	bounded, cancel := db.bound(ctx)
	defer cancel()
	tag, err := h.Exec(bounded, query, bound...)
	if err != nil {
		return 0, db.translate(ctx, err)
	}
	return tag.RowsAffected(), nil
}

func (db *DB) run(ctx context.Context, h handle, query string, args []any) (*rows, error) {
	bound, err := store.Bind(args)
	if err != nil {
		return nil, err
	}
	bounded, cancel := db.bound(ctx)
	r, err := h.Query(bounded, query, bound...)
	if err != nil {
		cancel()
		return nil, db.translate(ctx, err)
	}
	return &rows{pgx: r, cancel: cancel, translate: func(err error) error { return db.translate(ctx, err) }}, nil
}

type rows struct {
	pgx       pgx.Rows
	cancel    context.CancelFunc // of the statement's time
	translate func(error) error
	tx        *tx // nil outside of a transaction
	scanErr   error
}

func (r *rows) Next() bool { return r.pgx.Next() }

func (r *rows) Scan(dest ...any) error {
	err := r.pgx.Scan(dest...)
	if err != nil {
		r.scanErr = err
	}
	return err
}

func (r *rows) Err() error { return r.translate(r.pgx.Err()) }

func (r *rows) Close() {
	r.pgx.Close()
	r.cancel()
	// A wrong destination is the caller's mistake and did not end the
	// transaction; everything else did.
	if err := r.Err(); err != nil && r.tx != nil && r.scanErr == nil {
		r.tx.Fail(err)
	}
}

type row struct {
	rows *rows
	err  error
}

func (r row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return store.ErrNotFound
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}
