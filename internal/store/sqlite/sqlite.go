// Package sqlite is the store in one SQLite file, the embedded default.
//
// One connection writes, in immediate transactions; a pool of others reads. In
// WAL mode neither waits for the other, and because a write transaction never
// uses the pool, no circle of waiting can form.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	"modernc.org/sqlite"

	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/txn"
)

//go:embed migrations/*.sql
var embedded embed.FS

// Migrations returns the numbered SQL files.
func Migrations() fs.FS {
	sub, err := fs.Sub(embedded, "migrations")
	if err != nil {
		panic(err) // the name is the one in the embed line above
	}
	return sub
}

// DB is an open SQLite file.
type DB struct {
	writer *sql.DB // one connection
	reader *sql.DB
	hub    *hub
}

var _ store.DB = (*DB)(nil)

// Open opens the file at path and migrates it. It makes the file (mode 0600)
// and its folder (0700) if they are missing, and takes the file away from other
// people of the machine if it was open to them.
func Open(ctx context.Context, path string, log *slog.Logger) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open sqlite: %w", err)
	}
	if err := create(path); err != nil {
		return nil, fmt.Errorf("open sqlite: %w", err)
	}
	if err := upgrade(ctx, path, log); err != nil {
		return nil, fmt.Errorf("open sqlite %s: %w", path, err)
	}
	db := &DB{hub: newHub()}
	if db.writer, err = pool(path, "_txlock=immediate", 1); err != nil {
		return nil, fmt.Errorf("open sqlite %s: %w", path, err)
	}
	if db.reader, err = pool(path, "_pragma=query_only(1)", max(4, 2*runtime.GOMAXPROCS(0))); err != nil {
		return nil, errors.Join(fmt.Errorf("open sqlite %s: %w", path, err), db.writer.Close())
	}
	if err := db.Ping(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open sqlite %s: %w", path, err), db.Close())
	}
	return db, nil
}

func create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	// SQLite gives the -wal and -shm files the mode of the main file.
	return errors.Join(f.Chmod(0o600), f.Close())
}

// settings apply to every connection. NORMAL may lose the last transactions
// when the machine loses power, never the file's integrity.
const settings = "_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_pragma=synchronous(normal)" +
	"&_time_format=sqlite&_timezone=UTC&"

func pool(path, extra string, conns int) (*sql.DB, error) {
	uri := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: settings + extra}
	c, err := sqlite.NewConnector(uri.String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(keeping{c})
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// Dialect returns store.SQLite.
func (db *DB) Dialect() store.Dialect { return store.SQLite }

// Exec runs one statement on the writer.
func (db *DB) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := txn.Check(ctx, db); err != nil {
		return 0, err
	}
	var n int64
	err := txn.Retry(ctx, transient, func() (err error) {
		n, err = exec(ctx, db.writer, query, args)
		return err
	})
	return n, err
}

// Query runs one reading statement.
func (db *DB) Query(ctx context.Context, query string, args ...any) (store.Rows, error) {
	if err := txn.Check(ctx, db); err != nil {
		return nil, err
	}
	r, err := run(ctx, db.reader, query, args)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// QueryRow runs one reading statement.
func (db *DB) QueryRow(ctx context.Context, query string, args ...any) store.Row {
	if err := txn.Check(ctx, db); err != nil {
		return row{err: err}
	}
	r, err := run(ctx, db.reader, query, args)
	return row{rows: r, err: err}
}

// Ping reads from the file and makes sure that the writer can be had.
func (db *DB) Ping(ctx context.Context) error {
	if err := txn.Check(ctx, db); err != nil {
		return err
	}
	var one int
	if err := db.QueryRow(ctx, "select 1 from catalog_head").Scan(&one); err != nil {
		return fmt.Errorf("ping sqlite: %w", err)
	}
	return db.writer.PingContext(ctx)
}

// Writer is the one writing connection, for the job queue, which has to share
// it. Whoever uses it must not hold it while waiting for anything else, and
// must not use it inside Write.
func (db *DB) Writer() *sql.DB { return db.writer }

// Close ends the listeners and closes the file.
func (db *DB) Close() error {
	db.hub.close()
	// The writer goes last: the last connection empties the write-ahead log.
	return errors.Join(db.reader.Close(), db.writer.Close())
}
