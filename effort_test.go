package weir

import (
	"context"
	"log/slog"
	"testing"

	"github.com/weir-id/weir/internal/store"
)

// query is one statement that a request sent to the database.
type query struct {
	sql  string
	args []any
}

// effort is what one request did to the database: each element is a read or a
// whole write transaction.
type effort struct {
	done []work
}

type work struct {
	write   bool
	queries []query
}

type effortKey struct{}

// in returns the context of the request that is watched.
func (e *effort) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, effortKey{}, e)
}

func (e *effort) writes() (n int) {
	for _, w := range e.done {
		if w.write {
			n++
		}
	}
	return n
}

func (e *effort) reads() int { return len(e.done) - e.writes() }

// note adds work and returns it for the queries that follow; for a request that
// nobody watches it is dropped.
func note(ctx context.Context, w work) *work {
	e, ok := ctx.Value(effortKey{}).(*effort)
	if !ok {
		return &work{}
	}
	e.done = append(e.done, w)
	return &e.done[len(e.done)-1]
}

// watchedDB notes what a request does in the effort of its context. Requests
// are watched one at a time.
type watchedDB struct{ store.DB }

func (db watchedDB) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	note(ctx, work{true, []query{{sql, args}}})
	return db.DB.Exec(ctx, sql, args...)
}

func (db watchedDB) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	note(ctx, work{false, []query{{sql, args}}})
	return db.DB.Query(ctx, sql, args...)
}

func (db watchedDB) QueryRow(ctx context.Context, sql string, args ...any) store.Row {
	note(ctx, work{false, []query{{sql, args}}})
	return db.DB.QueryRow(ctx, sql, args...)
}

func (db watchedDB) Write(ctx context.Context, fn func(context.Context, store.Tx) error) error {
	w := note(ctx, work{write: true})
	return db.DB.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		w.queries = nil
		return fn(ctx, watchedTx{tx, w})
	})
}

type watchedTx struct {
	store.Tx
	work *work
}

func (tx watchedTx) note(sql string, args []any) {
	tx.work.queries = append(tx.work.queries, query{sql, args})
}

func (tx watchedTx) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	tx.note(sql, args)
	return tx.Tx.Exec(ctx, sql, args...)
}

func (tx watchedTx) Unwrap() store.Tx { return tx.Tx }

func (tx watchedTx) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	tx.note(sql, args)
	return tx.Tx.Query(ctx, sql, args...)
}

func (tx watchedTx) QueryRow(ctx context.Context, sql string, args ...any) store.Row {
	tx.note(sql, args)
	return tx.Tx.QueryRow(ctx, sql, args...)
}

// assembled is a site whose queries are watched and that does nothing in the
// background.
func assembled(t testing.TB, s Settings) *Server {
	t.Helper()
	in, err := Connect(t.Context(), Config{Settings: s, Log: slog.New(slog.DiscardHandler), watch: func(db store.DB) store.DB { return watchedDB{db} }})
	if err != nil {
		t.Fatal(err)
	}
	site := &Server{Installation: in}
	t.Cleanup(func() { _ = site.Close(context.Background()) })
	if err := site.setUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := site.assemble(); err != nil {
		t.Fatal(err)
	}
	return site
}
