// Package postgres is the store in PostgreSQL, for installations of several
// nodes. It uses pgx natively; database/sql appears only for the migrations.
package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

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

// DB is an open PostgreSQL database.
type DB struct {
	pool      *pgxpool.Pool
	log       *slog.Logger
	closing   context.Context
	close     context.CancelFunc
	listeners sync.WaitGroup
}

var _ store.DB = (*DB)(nil)

const (
	connectTimeout = 10 * time.Second
	// maxConns is the size of the pool unless the URL says pool_max_conns.
	maxConns = 16
)

// Open connects to the database at url and migrates it. Beyond what libpq knows,
// the URL may say pool_max_conns (default 16) and the like.
func Open(ctx context.Context, url string, log *slog.Logger) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("open postgres: %w", err) // pgx leaves the password out
	}
	if !strings.Contains(url, "pool_max_conns=") {
		cfg.MaxConns = maxConns
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	params := cfg.ConnConfig.RuntimeParams
	params["timezone"] = "UTC"
	if params["application_name"] == "" {
		params["application_name"] = "weir"
	}
	// A node that hangs in a transaction must not lock the others out for ever.
	params["idle_in_transaction_session_timeout"] = "60s"
	cfg.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		readAsUTC(conn.TypeMap())
		return nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open postgres: %w", err)
	}
	if err := upgrade(ctx, pool, log); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open postgres: %w", err)
	}
	db := &DB{pool: pool, log: log}
	db.closing, db.close = context.WithCancel(context.Background())
	return db, nil
}

// readAsUTC makes scanned times UTC; pgx gives them the zone of the machine.
func readAsUTC(m *pgtype.Map) {
	m.RegisterType(&pgtype.Type{
		Name: "timestamptz", OID: pgtype.TimestamptzOID,
		Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
}

// Dialect returns store.Postgres.
func (db *DB) Dialect() store.Dialect { return store.Postgres }

// Exec runs one statement.
func (db *DB) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := txn.Check(ctx, db); err != nil {
		return 0, err
	}
	var n int64
	err := txn.Retry(ctx, transient, func() (err error) {
		n, err = exec(ctx, db.pool, query, args)
		return err
	})
	return n, err
}

// Query runs one reading statement.
func (db *DB) Query(ctx context.Context, query string, args ...any) (store.Rows, error) {
	if err := txn.Check(ctx, db); err != nil {
		return nil, err
	}
	r, err := run(ctx, db.pool, query, args)
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
	r, err := run(ctx, db.pool, query, args)
	return row{rows: r, err: err}
}

// Ping asks the server for an answer.
func (db *DB) Ping(ctx context.Context) error {
	if err := txn.Check(ctx, db); err != nil {
		return err
	}
	if err := db.pool.Ping(ctx); err != nil {
		return fmt.Errorf("ping postgres: %w", err)
	}
	return nil
}

// Pool is the pool of connections, for the job queue, which has a driver of its
// own. It must not be used inside Write.
func (db *DB) Pool() *pgxpool.Pool { return db.pool }

// Close ends the listeners and the connections.
func (db *DB) Close() error {
	db.close()
	db.listeners.Wait()
	db.pool.Close()
	return nil
}

// translate turns the driver's error into the store's.
func translate(err error) error {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return err
	}
	kind := error(nil)
	switch e.Code {
	case "23505": // unique_violation
		kind = store.ErrConflict
	case "23503": // foreign_key_violation
		kind = store.ErrReferenced
	default:
		return err
	}
	return &store.ConstraintError{Kind: kind, Table: e.TableName, Columns: columns(e.Detail)}
}

// columns reads the names in "Key (a, b)=(1, 2) already exists." The words
// around them follow the server's language, the parentheses do not.
func columns(detail string) []string {
	_, rest, ok := strings.Cut(detail, "(")
	if !ok {
		return nil
	}
	names, _, ok := strings.Cut(rest, ")=(")
	if !ok {
		return nil
	}
	return strings.Split(names, ", ")
}

// transient reports whether the server gave a transaction up because of others
// and certainly committed nothing: serialization_failure, deadlock_detected.
func transient(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01")
}
