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
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
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
	timeout   time.Duration // of one statement
	log       *slog.Logger
	closing   context.Context
	close     context.CancelFunc
	listeners sync.WaitGroup
}

var _ store.DB = (*DB)(nil)

const (
	// connectTimeout bounds the attempt to reach one host unless the URL says
	// connect_timeout. A node that has several hosts tries them in turn.
	connectTimeout = 3 * time.Second
	// statementTimeout bounds a statement and the wait for a connection
	// unless the URL says statement_timeout. The node keeps it, not the server:
	// it has to hold when the line between them is dead.
	statementTimeout = 10 * time.Second
	// pingTimeout bounds the question whether an idle connection is alive.
	pingTimeout = 2 * time.Second
	// maxConns is the size of the pool unless the URL says pool_max_conns.
	maxConns = 16
)

// Open connects to the database at url and migrates it. Beyond what libpq knows,
// the URL may say statement_timeout (default 10s), pool_max_conns (default 16)
// and the like.
func Open(ctx context.Context, url string, log *slog.Logger) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("open postgres: %w", err) // pgx leaves the password out
	}
	if !strings.Contains(url, "pool_max_conns=") {
		cfg.MaxConns = maxConns
	}
	if cfg.PingTimeout == 0 {
		cfg.PingTimeout = pingTimeout
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}}
	cfg.ConnConfig.DialFunc = dialer.DialContext
	params := cfg.ConnConfig.RuntimeParams
	timeout, err := takeTimeout(params)
	if err != nil {
		return nil, fmt.Errorf("open postgres: %w", err)
	}
	params["timezone"] = "UTC"
	if params["application_name"] == "" {
		params["application_name"] = "weir"
	}
	// A node that is cut off in a transaction must not lock the others out for
	// longer than they wait. Nothing slow happens between its statements.
	params["idle_in_transaction_session_timeout"] = strconv.FormatInt(max(timeout.Milliseconds(), 1), 10)
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
	db := &DB{pool: pool, timeout: timeout, log: log}
	db.closing, db.close = context.WithCancel(context.Background())
	return db, nil
}

// takeTimeout takes the statement timeout out of the server's parameters.
// Migrations are free of it. As for the server, a plain number means milliseconds.
func takeTimeout(params map[string]string) (time.Duration, error) {
	text, given := params["statement_timeout"]
	if !given {
		return statementTimeout, nil
	}
	delete(params, "statement_timeout")
	if _, err := strconv.Atoi(text); err == nil {
		text += "ms"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, errors.New("statement_timeout must be a time such as 10s")
	}
	return d, nil
}

// bound limits the time of one statement.
func (db *DB) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, db.timeout)
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
		n, err = db.exec(ctx, db.pool, query, args)
		return err
	})
	return n, err
}

// Query runs one reading statement.
func (db *DB) Query(ctx context.Context, query string, args ...any) (store.Rows, error) {
	if err := txn.Check(ctx, db); err != nil {
		return nil, err
	}
	r, err := db.run(ctx, db.pool, query, args)
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
	r, err := db.run(ctx, db.pool, query, args)
	return row{rows: r, err: err}
}

// Ping asks the server for an answer.
func (db *DB) Ping(ctx context.Context) error {
	if err := txn.Check(ctx, db); err != nil {
		return err
	}
	bounded, cancel := db.bound(ctx)
	defer cancel()
	if err := db.pool.Ping(bounded); err != nil {
		return fmt.Errorf("ping postgres: %w", db.translate(ctx, err))
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
