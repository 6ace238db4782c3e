package sqlite

import (
	"context"
	"database/sql"

	"github.com/weir-id/weir/internal/store"
)

// handle is what *sql.DB and *sql.Tx have in common.
type handle interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func exec(ctx context.Context, h handle, query string, args []any) (int64, error) {
	bound, err := store.Bind(args)
	if err != nil {
		return 0, err
	}
	res, err := h.ExecContext(ctx, query, bound...)
	if err != nil {
		return 0, translate(ctx, err)
	}
	return res.RowsAffected()
}

func run(ctx context.Context, h handle, query string, args []any) (*rows, error) {
	bound, err := store.Bind(args)
	if err != nil {
		return nil, err
	}
	r, err := h.QueryContext(ctx, query, bound...)
	if err != nil {
		return nil, translate(ctx, err)
	}
	return &rows{ctx: ctx, sql: r}, nil
}

type rows struct {
	ctx    context.Context
	sql    *sql.Rows
	tx     *tx // nil outside of a transaction
	closed bool
}

func (r *rows) Next() bool { return r.sql.Next() }

func (r *rows) Scan(dest ...any) error { return r.sql.Scan(destinations(dest)...) }

func (r *rows) Err() error {
	if err := r.sql.Err(); err != nil {
		return translate(r.ctx, err)
	}
	return nil
}

func (r *rows) Close() {
	if r.closed {
		return
	}
	r.closed = true
	if r.tx != nil {
		if err := r.Err(); err != nil {
			r.tx.Fail(err)
		}
		r.tx.open = nil
	}
	_ = r.sql.Close() // what matters is in Err
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
